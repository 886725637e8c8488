/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tailrace dead-letter list | show | purge: the changes that were given up. All of them work
 * beside a running daemon. Sending them again is in cmd_replay.c.
 */
#include "base/clock.h"
#include "cli/letters.h"
#include "cli/listing.h"
#include "json/tree.h"

#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

/* ---- list ---- */

static void add_members(struct buf *out, const struct store_dead_letter *it)
{
    json_num(out, "id", it->id);
    json_str(out, "rule", it->binding);
    json_str(out, "stream", it->stream);
    json_str(out, "source", it->source);
    json_str(out, "db", it->db);
    json_str(out, "doc_id", it->doc_id);
    json_raw(out, "revs", it->revs);
    json_raw(out, "seq", it->seq);
    json_str(out, "error", it->error);
    json_num(out, "attempts", it->attempts);
    json_time(out, "first", it->first_ms);
    json_time(out, "last", it->last_ms);
    json_bool(out, "replay", it->replay);
    json_num(out, "row_size", it->row_size);
    json_bool(out, "row_cut", it->row_cut);
}

static bool add_letter(void *context, const struct store_dead_letter *it)
{
    struct listing *listing = context;
    char time[CLOCK_TEXT];

    if (listing->as_json) {
        json_begin(&listing->json, NULL, '{');
        add_members(&listing->json, it);
        json_end(&listing->json, '}');
        return true;
    }
    clock_format(it->last_ms, time);
    table_addf(&listing->table, "%" PRId64, it->id);
    table_add(&listing->table, it->binding);
    table_add(&listing->table, it->db);
    table_add(&listing->table, it->doc_id);
    table_addf(&listing->table, "%" PRId64, it->attempts);
    table_add(&listing->table, str_c(time));
    table_addf(&listing->table, "%s" STR_FMT, it->replay ? "[replay] " : "",
               STR_ARG(it->error));
    return true;
}

static int list(struct args *args)
{
    struct store_filter filter = {.binding = str_c(args_value(args, "rule")),
                                  .db = str_c(args_value(args, "db"))};
    struct listing listing = {
        .as_json = args->json,
        .table = {.columns = 7,
                  .heads = {"ID", "RULE", "DATABASE", "DOCUMENT", "TRIES", "LAST", "ERROR"},
                  .most = {[3] = 40, [6] = 100}},
    };
    struct store *store = NULL;
    struct error error;
    int code;

    if (args_number(args, "limit", 1, &filter.limit) < 0)
        return EX_USAGE;
    code = site_open_store(args, STORE_READ_ONLY, &store);
    if (code != EX_OK)
        return code;
    listing_begin(&listing, "dead_letters");
    if (store_dead_letter_each(store, &filter, add_letter, &listing, &error) < 0)
        code = print_failure(&error);
    store_close(store);
    return listing_end(&listing, code);
}

/* ---- show ---- */

static bool is_json(tr_str text)
{
    tr_json_value *tree;

    if (json_tree_parse(text, &tree, NULL) != TR_OK)
        return false;
    json_tree_free(tree);
    return true;
}

static void show_json(const struct store_dead_letter *it)
{
    struct buf out = {0};

    json_begin(&out, NULL, '{');
    add_members(&out, it);
    /* A row that was cut is no JSON: then it is given as text. */
    if (!it->row_cut && is_json(it->row))
        json_raw(&out, "row", it->row);
    else
        json_str(&out, "row", it->row);
    json_end(&out, '}');
    print_json(&out);
    buf_fini(&out);
}

static void show_member(const char *name, tr_str value)
{
    printf("%-10s", name);
    print_clean(value);
    putchar('\n');
}

static void show_text(const struct store_dead_letter *it)
{
    char first[CLOCK_TEXT], last[CLOCK_TEXT];

    clock_format(it->first_ms, first);
    clock_format(it->last_ms, last);
    printf("%-10s%" PRId64 "%s\n", "id", it->id, it->replay ? " (to be sent again)" : "");
    show_member("rule", it->binding);
    show_member("stream", it->stream);
    show_member("document", it->doc_id);
    show_member("revs", it->revs);
    show_member("seq", it->seq);
    show_member("error", it->error);
    printf("%-10s%" PRId64 "\n%-10s%s\n%-10s%s\n", "attempts", it->attempts, "first", first,
           "last", last);
    show_member(it->row_cut ? "row (cut)" : "row", it->row);
}

static int show(struct args *args)
{
    int64_t id = letters_parse_id(args->operands[0]);
    struct store_dead_letter letter;
    struct store *store = NULL;
    struct arena arena;
    struct error error;
    bool found = false;
    int code;

    if (id == 0)
        return args_wrong(args, "\"%s\" is not the id of a dead letter, such as 17",
                          args->operands[0]);
    code = site_open_store(args, STORE_READ_ONLY, &store);
    if (code != EX_OK)
        return code;
    arena_init(&arena, 4096);
    if (store_dead_letter_get(store, id, &arena, &letter, &found, &error) < 0) {
        code = print_failure(&error);
    } else if (!found) {
        print_error("there is no dead letter %" PRId64, id);
        code = EX_NOINPUT;
    } else if (args->json) {
        show_json(&letter);
    } else {
        show_text(&letter);
    }
    arena_fini(&arena);
    store_close(store);
    return code;
}

/* ---- purge ---- */

static int purge_found(const struct args *args, const struct letters *letters,
                       struct store *store)
{
    int64_t deleted, total = 0;
    struct error error;

    for (size_t i = 0; i < letters->count; i++) {
        if (store_dead_letter_purge(store, &letters->filters[i], &deleted, &error) < 0)
            return print_failure(&error);
        total += deleted;
    }
    print_done(args->json, total, "dead letter", "purged");
    return EX_OK;
}

static int purge(struct args *args)
{
    struct store *store = NULL;
    struct letters letters;
    int code = EX_USAGE;

    if (letters_init(&letters, args) == 0)
        code = site_open_store(args, STORE_BESIDE, &store);
    if (store && code == EX_OK)
        code = letters_find(&letters, store);
    if (store && code == EX_OK)
        code = purge_found(args, &letters, store);
    store_close(store);
    letters_fini(&letters);
    return code;
}

/* ---- the commands ---- */

const struct command command_dead_letter_list = {
    .name = "dead-letter",
    .verb = "list",
    .summary = "List the changes that were given up",
    .options =
        (const struct args_option[]){
            {"rule", 'r', "RULE", "only of this rule"},
            {"db", 'd', "DATABASE", "only of this database"},
            {"limit", 'n', "N", "the first N"},
            {.name = NULL},
        },
    .examples = "tailrace dead-letter list --rule calc-stats",
    .run = list,
};

const struct command command_dead_letter_show = {
    .name = "dead-letter",
    .verb = "show",
    .operands = "ID",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "Show one with its error and its row",
    .examples = "tailrace dead-letter show 17 --json | jq .row.doc",
    .run = show,
};

const struct command command_dead_letter_purge = {
    .name = "dead-letter",
    .verb = "purge",
    .operands = "[ID]...",
    .operands_max = -1,
    .summary = "Delete dead letters for good",
    .text = "Name ids, or a rule, a database and an age, or --all.",
    .options =
        (const struct args_option[]){
            {"rule", 'r', "RULE", "those of this rule"},
            {"db", 'd', "DATABASE", "those of this database"},
            {"before", 'b', "TIME", "last tried before a time, or longer ago than 7d"},
            {"all", 'a', NULL, "all there are"},
            {.name = NULL},
        },
    .examples = "tailrace dead-letter purge --rule calc-stats --before 30d",
    .run = purge,
};
