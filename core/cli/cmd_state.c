/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tailrace state list | delete: what plugins keep (tr.state/1), and how much it is. Listing
 * works beside a running daemon; deleting needs the lock on the state directory.
 */
#include "base/mem.h"
#include "cli/print.h"
#include "cli/site.h"

#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

/* ---- list ---- */

struct listing {
    bool as_json;
    tr_str db; /* empty: any                                                               */
    struct table table;
    struct buf json;
};

static bool add_scope(void *context, const struct store_scope *it)
{
    struct listing *listing = context;

    if (listing->db.len > 0 && !str_eq(it->db, listing->db))
        return true;
    if (!listing->as_json) {
        table_add(&listing->table, it->binding);
        table_add(&listing->table, it->stream);
        table_addf(&listing->table, "%" PRId64, it->entries);
        table_addf(&listing->table, "%" PRId64, it->bytes);
        return true;
    }
    json_begin(&listing->json, NULL, '{');
    json_str(&listing->json, "rule", it->binding);
    json_str(&listing->json, "stream", it->stream);
    json_str(&listing->json, "source", it->source);
    json_str(&listing->json, "db", it->db);
    json_num(&listing->json, "entries", it->entries);
    json_num(&listing->json, "bytes", it->bytes);
    json_end(&listing->json, '}');
    return true;
}

static int list(struct args *args)
{
    struct listing listing = {
        .as_json = args->json,
        .db = str_c(args_value(args, "db")),
        .table = {.columns = 4,
                  .heads = {"RULE", "STREAM", "ENTRIES", "BYTES"},
                  .right = {[2] = true, [3] = true}},
    };
    struct store *store = NULL;
    struct error error;
    int code = site_open_store(args, STORE_READ_ONLY, &store);

    if (code != EX_OK)
        return code;
    json_begin(&listing.json, NULL, '{');
    json_begin(&listing.json, "state", '[');
    if (store_scope_each(store, str_c(args_value(args, "rule")), add_scope, &listing, &error) <
        0)
        code = print_failure(&error);
    json_end(&listing.json, ']');
    json_end(&listing.json, '}');
    if (code == EX_OK && args->json)
        print_json(&listing.json);
    else if (code == EX_OK)
        table_print(&listing.table);
    buf_fini(&listing.json);
    store_close(store);
    return code;
}

/* ---- delete ---- */

/* The streams of the rule that are meant; their names are copied. */
struct search {
    tr_str wanted; /* a stream, "source/db" or a database; empty: all                      */
    struct arena arena;
    tr_str *streams;
    size_t count, room;
};

static bool is_wanted(const struct store_scope *it, tr_str wanted)
{
    tr_str source, db = wanted;

    if (wanted.len == 0 || str_eq(it->stream, wanted) || str_eq(it->db, wanted))
        return true;
    source = str_cut(wanted, '/', &db);
    return str_eq(it->source, source) && str_eq(it->db, db);
}

static bool keep(void *context, const struct store_scope *it)
{
    struct search *search = context;

    if (!is_wanted(it, search->wanted))
        return true;
    if (search->count == search->room) {
        search->room = search->room ? search->room * 2 : 64;
        search->streams = mem_resize(search->streams, search->room * sizeof(tr_str));
    }
    search->streams[search->count++] = arena_str(&search->arena, it->stream);
    return true;
}

static int delete_found(struct store *store, tr_str rule, const struct search *search)
{
    char text[PRINT_COUNT];
    int64_t deleted, total = 0;
    struct error error;

    for (size_t i = 0; i < search->count; i++) {
        if (store_scope_delete(store, rule, search->streams[i], &deleted, &error) < 0)
            return print_failure(&error);
        total += deleted;
    }
    printf("the state of rule " STR_FMT " on %s deleted\n", STR_ARG(rule),
           print_count(text, total, "stream"));
    return EX_OK;
}

static int forget(struct args *args)
{
    bool all = args_has(args, "all");
    tr_str rule = str_c(args->operands[0]);
    struct search search = {.count = 0};
    struct store *store = NULL;
    struct error error;
    int code;

    if (all == (args->operands_count == 2))
        return args_wrong(args, "name a stream, or --all for all of the rule");
    if (!all)
        search.wanted = str_c(args->operands[1]);
    code = site_open_store(args, 0, &store);
    if (code != EX_OK)
        return code;
    arena_init(&search.arena, 1024);
    if (store_scope_each(store, rule, keep, &search, &error) < 0) {
        code = print_failure(&error);
    } else if (search.count == 0) {
        print_error("rule " STR_FMT " keeps nothing%s%s; see tailrace state list",
                    STR_ARG(rule), all ? "" : " on ", all ? "" : args->operands[1]);
        code = EX_NOINPUT;
    } else {
        code = delete_found(store, rule, &search);
    }
    free(search.streams);
    arena_fini(&search.arena);
    store_close(store);
    return code;
}

/* ---- the commands ---- */

const struct command command_state_list = {
    .name = "state",
    .verb = "list",
    .summary = "List what plugins keep",
    .text = "BYTES counts keys and values. Rules that are no more are listed too.\n"
            "Works beside a running daemon.",
    .options =
        (const struct args_option[]){
            {"rule", 'r', "RULE", "only of this rule"},
            {"db", 'd', "DATABASE", "only of this database"},
            {.name = NULL},
        },
    .examples = "tailrace state list --rule calc-stats",
    .run = list,
};

const struct command command_state_delete = {
    .name = "state",
    .verb = "delete",
    .operands = "RULE [STREAM|DATABASE]",
    .operands_min = 1,
    .operands_max = 2,
    .summary = "Delete what a rule's plugin keeps",
    .text = "The checkpoints stay: a rule that goes on counts from here. To begin again with\n"
            "both, use `tailrace backfill`. The daemon must not run.",
    .options =
        (const struct args_option[]){
            {"all", 'a', NULL, "on all streams of the rule"},
            {.name = NULL},
        },
    .examples = "tailrace state delete old-rule --all",
    .run = forget,
};
