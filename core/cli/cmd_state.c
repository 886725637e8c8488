/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tailrace state list | delete: what plugins keep (tr.state/1), and how much it is. Listing
 * works beside a running daemon; deleting needs the lock on the state directory.
 */
#include "base/mem.h"
#include "cli/listing.h"
#include "cli/site.h"
#include "cli/stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

/* ---- list ---- */

struct scopes {
    struct listing listing;
    tr_str db; /* empty: any                                                               */
};

static bool add_scope(void *context, const struct store_scope *it)
{
    struct scopes *scopes = context;
    struct listing *listing = &scopes->listing;

    if (scopes->db.len > 0 && !str_eq(it->db, scopes->db))
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
    struct scopes scopes = {
        .listing = {.as_json = args->json,
                    .table = {.columns = 4,
                              .heads = {"RULE", "STREAM", "ENTRIES", "BYTES"},
                              .right = {[2] = true, [3] = true}}},
        .db = str_c(args_value(args, "db")),
    };
    struct store *store = NULL;
    struct error error;
    int code = site_open_store(args, STORE_READ_ONLY, &store);

    if (code != EX_OK)
        return code;
    listing_begin(&scopes.listing, "state");
    if (store_scope_each(store, str_c(args_value(args, "rule")), add_scope, &scopes, &error) <
        0)
        code = print_failure(&error);
    store_close(store);
    return listing_end(&scopes.listing, code);
}

/* ---- delete ---- */

/* The streams of the rule that are meant; their names are copied. */
struct search {
    tr_str wanted; /* see stream_is(); empty: all                                          */
    struct arena arena;
    tr_str *streams;
    size_t count, room;
};

static bool keep(void *context, const struct store_scope *it)
{
    struct search *search = context;

    if (!stream_is(search->wanted, it->stream, it->source, it->db))
        return true;
    if (search->count == search->room) {
        search->room = search->room ? search->room * 2 : 64;
        search->streams = mem_resize(search->streams, search->room * sizeof(tr_str));
    }
    search->streams[search->count++] = arena_str(&search->arena, it->stream);
    return true;
}

static int delete_found(const struct args *args, struct store *store, tr_str rule,
                        const struct search *search)
{
    int64_t deleted, total = 0;
    struct error error;

    for (size_t i = 0; i < search->count; i++) {
        if (store_scope_delete(store, rule, search->streams[i], &deleted, &error) < 0)
            return print_failure(&error);
        total += deleted;
    }
    if (!args->json)
        printf("the state of rule " STR_FMT " on ", STR_ARG(rule));
    print_done(args->json, total, "stream", "deleted");
    return EX_OK;
}

static int forget(struct args *args)
{
    tr_str rule = str_c(args->operands[0]);
    struct search search = {.count = 0};
    struct store *store = NULL;
    struct error error;
    int code = stream_chosen(args, &search.wanted);

    if (code == EX_OK)
        code = site_open_store(args, 0, &store);
    if (code != EX_OK)
        return code;
    arena_init(&search.arena, 1024);
    if (store_scope_each(store, rule, keep, &search, &error) < 0) {
        code = print_failure(&error);
    } else if (search.count == 0) {
        print_error("rule " STR_FMT " keeps nothing%s" STR_FMT "; see tailrace state list",
                    STR_ARG(rule), search.wanted.len > 0 ? " on " : "", STR_ARG(search.wanted));
        code = EX_NOINPUT;
    } else {
        code = delete_found(args, store, rule, &search);
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
