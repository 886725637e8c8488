/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tailrace checkpoint list | show | set | delete: where each rule stands on each database.
 *
 * Reading works beside a running daemon. Writing needs the lock on the state directory, since a
 * daemon would go on from what it has in memory and write over it.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "cli/listing.h"
#include "cli/seq.h"
#include "cli/site.h"
#include "cli/stream.h"
#include "config/near.h"

#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

enum { SEQ_SHOWN = 32 };

/* Which ones are wanted, and copies of those that were found. */
struct search {
    tr_str rule, stream, db; /* empty: any; for `stream` see stream_is()                   */
    struct arena arena;
    struct store_checkpoint *found;
    size_t count, room;
};

/* ---- looking ---- */

static bool keep(void *context, const struct store_checkpoint *it)
{
    struct search *search = context;
    struct store_checkpoint *copy;

    if (!stream_is(search->stream, it->stream, it->source, it->db) ||
        (search->db.len > 0 && !str_eq(it->db, search->db)))
        return true;
    if (search->count == search->room) {
        search->room = search->room ? search->room * 2 : 64;
        search->found = mem_resize(search->found, search->room * sizeof(*search->found));
    }
    copy = &search->found[search->count++];
    *copy = *it;
    copy->binding = arena_str(&search->arena, it->binding);
    copy->stream = arena_str(&search->arena, it->stream);
    copy->source = arena_str(&search->arena, it->source);
    copy->db = arena_str(&search->arena, it->db);
    copy->incarnation = arena_str(&search->arena, it->incarnation);
    copy->seq = arena_str(&search->arena, it->seq);
    return true;
}

static void search_fini(struct search *search)
{
    free(search->found);
    arena_fini(&search->arena);
}

/* Gives the exit code. */
static int search_run(struct search *search, struct store *store)
{
    struct error error;

    arena_init(&search->arena, 4096);
    if (store_checkpoint_each(store, search->rule, keep, search, &error) < 0)
        return print_failure(&error);
    return EX_OK;
}

/* One line that says whether it is the rule or the stream that is not there. */
static int print_absent(const struct search *search, struct store *store)
{
    struct search all = {.rule = search->rule};
    const char **names;
    const char *near;
    int code = search_run(&all, store);

    if (code == EX_OK && all.count > 0) {
        print_error("rule " STR_FMT " has no checkpoint on \"" STR_FMT "\", but on " STR_FMT
                    "%s",
                    STR_ARG(search->rule), STR_ARG(search->stream),
                    STR_ARG(all.found[0].stream), all.count > 1 ? " and others" : "");
    } else if (code == EX_OK) {
        search_fini(&all);
        all = (struct search){0};
        code = search_run(&all, store);
        names = mem_new_array(const char *, all.count + 1);
        for (size_t i = 0; i < all.count; i++)
            names[i] = all.found[i].binding.ptr;
        near = config_nearest(search->rule, names, all.count);
        print_error("rule " STR_FMT " has no checkpoints%s%s%s", STR_ARG(search->rule),
                    near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
        free(names);
    }
    search_fini(&all);
    return code == EX_OK ? EX_NOINPUT : code;
}

/* ---- output ---- */

static void print_members(const struct search *search)
{
    char time[CLOCK_TEXT];

    for (size_t i = 0; i < search->count; i++) {
        const struct store_checkpoint *it = &search->found[i];
        clock_format(it->updated_ms, time);
        printf("%srule         ", i > 0 ? "\n" : "");
        print_clean(it->binding);
        printf("\nstream       ");
        print_clean(it->stream);
        printf("\ndatabase     ");
        print_clean(it->db);
        printf("\nincarnation  ");
        print_clean(it->incarnation);
        printf("\nrows         %" PRId64 "\nupdated      %s\nseq          ", it->ordinal, time);
        print_clean(it->seq);
        putchar('\n');
    }
}

static void add_checkpoint(struct listing *listing, const struct store_checkpoint *it)
{
    char time[CLOCK_TEXT];

    if (!listing->as_json) {
        clock_format(it->updated_ms, time);
        table_add(&listing->table, it->binding);
        table_add(&listing->table, it->stream);
        table_addf(&listing->table, "%" PRId64, it->ordinal);
        table_add(&listing->table, str_c(time));
        table_add(&listing->table, it->seq);
        return;
    }
    json_begin(&listing->json, NULL, '{');
    json_str(&listing->json, "rule", it->binding);
    json_str(&listing->json, "stream", it->stream);
    json_str(&listing->json, "source", it->source);
    json_str(&listing->json, "db", it->db);
    json_str(&listing->json, "incarnation", it->incarnation);
    json_raw(&listing->json, "seq", it->seq);
    json_num(&listing->json, "rows", it->ordinal);
    json_time(&listing->json, "updated", it->updated_ms);
    json_end(&listing->json, '}');
}

static void print_listing(const struct search *search, bool as_json)
{
    struct listing listing = {
        .as_json = as_json,
        .table = {.columns = 5,
                  .heads = {"RULE", "STREAM", "ROWS", "UPDATED", "SEQ"},
                  .most = {[4] = SEQ_SHOWN}},
    };

    listing_begin(&listing, "checkpoints");
    for (size_t i = 0; i < search->count; i++)
        add_checkpoint(&listing, &search->found[i]);
    listing_end(&listing, EX_OK);
}

/* ---- list, show ---- */

static int look(const struct args *args, struct search *search, bool in_full)
{
    struct store *store = NULL;
    int code = site_open_store(args, STORE_READ_ONLY, &store);

    if (code != EX_OK)
        return code;
    code = search_run(search, store);
    if (code == EX_OK && search->count == 0 && search->rule.len > 0)
        code = print_absent(search, store);
    else if (code == EX_OK && in_full && !args->json)
        print_members(search);
    else if (code == EX_OK)
        print_listing(search, args->json);
    search_fini(search);
    store_close(store);
    return code;
}

static int list(struct args *args)
{
    struct search search = {.rule = str_c(args_value(args, "rule")),
                            .db = str_c(args_value(args, "db"))};
    struct search narrow = search;

    /* With a rule and a database that do not meet, the message names both. */
    if (narrow.rule.len > 0)
        narrow.stream = narrow.db;
    return look(args, &narrow, false);
}

static int show(struct args *args)
{
    struct search search = {.rule = str_c(args->operands[0]),
                            .stream = str_c(args->operands[1])};

    return look(args, &search, true);
}

/* ---- set ---- */

static int print_several(const struct search *search)
{
    print_error("\"" STR_FMT "\" is more than one stream: name " STR_FMT " or " STR_FMT,
                STR_ARG(search->stream), STR_ARG(search->found[0].stream),
                STR_ARG(search->found[1].stream));
    return EX_DATAERR;
}

static void report_set(const struct args *args, const struct store_checkpoint *checkpoint)
{
    struct buf out = {0};

    if (!args->json) {
        printf("rule " STR_FMT " goes on from ", STR_ARG(checkpoint->binding));
        print_clean(checkpoint->seq);
        printf(" on " STR_FMT "\n", STR_ARG(checkpoint->stream));
        return;
    }
    json_begin(&out, NULL, '{');
    json_str(&out, "rule", checkpoint->binding);
    json_str(&out, "stream", checkpoint->stream);
    json_raw(&out, "seq", checkpoint->seq);
    json_end(&out, '}');
    print_json(&out);
    buf_fini(&out);
}

static int set_seq(const struct args *args, struct store *store,
                   struct store_checkpoint *checkpoint)
{
    struct buf seq = {0};
    struct error error;
    int rc = seq_parse(str_c(args->operands[2]), checkpoint->seq, &seq);

    if (rc < 0) {
        buf_fini(&seq);
        return error_exit_code(rc);
    }
    checkpoint->seq = buf_str(&seq);
    checkpoint->updated_ms = clock_wall_ms();
    rc = store_checkpoint_set(store, checkpoint, &error);
    if (rc == 0)
        report_set(args, checkpoint);
    buf_fini(&seq);
    return rc < 0 ? print_failure(&error) : EX_OK;
}

static int set(struct args *args)
{
    struct search search = {.rule = str_c(args->operands[0]),
                            .stream = str_c(args->operands[1])};
    struct store *store = NULL;
    int code = site_open_store(args, 0, &store);

    if (code != EX_OK)
        return code;
    code = search_run(&search, store);
    if (code == EX_OK && search.count == 0)
        code = print_absent(&search, store);
    else if (code == EX_OK && search.count > 1)
        code = print_several(&search);
    else if (code == EX_OK)
        code = set_seq(args, store, &search.found[0]);
    search_fini(&search);
    store_close(store);
    return code;
}

/* ---- delete ---- */

static int delete_found(const struct args *args, struct store *store,
                        const struct search *search)
{
    int64_t deleted, total = 0;
    struct error error;

    for (size_t i = 0; i < search->count; i++) {
        if (store_checkpoint_delete(store, search->found[i].binding, search->found[i].stream,
                                    &deleted, &error) < 0)
            return print_failure(&error);
        total += deleted;
    }
    print_done(args->json, total, "checkpoint", "deleted");
    return EX_OK;
}

static int forget(struct args *args)
{
    struct search search = {.rule = str_c(args->operands[0])};
    struct store *store = NULL;
    int code = stream_chosen(args, &search.stream);

    if (code == EX_OK)
        code = site_open_store(args, 0, &store);
    if (code != EX_OK)
        return code;
    code = search_run(&search, store);
    if (code == EX_OK && search.count == 0)
        code = print_absent(&search, store);
    else if (code == EX_OK)
        code = delete_found(args, store, &search);
    search_fini(&search);
    store_close(store);
    return code;
}

/* ---- the commands ---- */

const struct command command_checkpoint_list = {
    .name = "checkpoint",
    .verb = "list",
    .summary = "List where the rules stand",
    .text =
        "ROWS counts what was settled on the stream; SEQ is shortened here, not with --json.\n"
        "Works beside a running daemon.",
    .options =
        (const struct args_option[]){
            {"rule", 'r', "RULE", "only of this rule"},
            {"db", 'd', "DATABASE", "only of this database"},
            {.name = NULL},
        },
    .examples = "tailrace checkpoint list --rule calc-stats",
    .run = list,
};

const struct command command_checkpoint_show = {
    .name = "checkpoint",
    .verb = "show",
    .operands = "RULE STREAM|DATABASE",
    .operands_min = 2,
    .operands_max = 2,
    .summary = "Show where a rule stands on a database",
    .examples = "tailrace checkpoint show calc-stats all_blog_posts",
    .run = show,
};

const struct command command_checkpoint_set = {
    .name = "checkpoint",
    .verb = "set",
    .operands = "RULE STREAM|DATABASE SEQ",
    .operands_min = 3,
    .operands_max = 3,
    .summary = "Make a rule go on from another place",
    .text = "SEQ is a seq of that database's changes feed, or \"beginning\". The daemon must "
            "not run.",
    .examples = "tailrace checkpoint set calc-stats all_blog_posts beginning",
    .run = set,
};

const struct command command_checkpoint_delete = {
    .name = "checkpoint",
    .verb = "delete",
    .operands = "RULE [STREAM|DATABASE]",
    .operands_min = 1,
    .operands_max = 2,
    .summary = "Forget where a rule stands",
    .text = "The rule then begins where its `since` says. The daemon must not run.",
    .options =
        (const struct args_option[]){
            {"all", 'a', NULL, "on all streams of the rule"},
            {.name = NULL},
        },
    .examples = "tailrace checkpoint delete calc-stats --all",
    .run = forget,
};
