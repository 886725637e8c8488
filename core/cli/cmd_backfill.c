/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tailrace backfill: a rule begins again, while the others go on.
 *
 * This only writes the request into the store, which works beside a daemon: it sees the request
 * within a second, lets the rule drain and begins it anew. Without one the next start does.
 * Main thread.
 */
#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "cli/listing.h"
#include "cli/seq.h"
#include "cli/site.h"
#include "config/near.h"

#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

enum {
    NAMES_SHOWN = 20, /* of rules, where the one that was named is none                    */
    SEQ_SHOWN = 32
};

static const char *database_of(const struct args *args)
{
    const char *db = args_value(args, "database");

    return db ? db : args_value(args, "db");
}

/* ---- is there such a rule? ---- */

/* What the store knows of a rule. */
struct rule_search {
    tr_str rule, db;
    bool found;          /* the rule                                                       */
    bool found_db;       /* a checkpoint on the database, or on any                        */
    bool several;        /* checkpoints on more databases than one                         */
    struct buf seq, any; /* of a checkpoint: how the source counts; a database             */
};

static bool look_at_checkpoint(void *context, const struct store_checkpoint *checkpoint)
{
    struct rule_search *search = context;
    bool is_it = search->db.len == 0 || str_eq(checkpoint->db, search->db);

    search->found = true;
    search->several |= search->any.len > 0 && !str_eq(buf_str(&search->any), checkpoint->db);
    if (search->any.len == 0)
        buf_add_str(&search->any, checkpoint->db);
    if (!is_it)
        return true;
    search->found_db = true;
    buf_clear(&search->seq);
    buf_add_str(&search->seq, checkpoint->seq);
    return true;
}

static int search_store(struct rule_search *search, struct store *store)
{
    struct store_binding binding;
    struct arena arena;
    struct error error;
    int rc;

    arena_init(&arena, 256);
    rc = store_binding_get(store, search->rule, &arena, &binding, &search->found, &error);
    arena_fini(&arena);
    if (rc == 0)
        rc = store_checkpoint_each(store, search->rule, look_at_checkpoint, search, &error);
    return rc < 0 ? print_failure(&error) : EX_OK;
}

/* Each once, in the order in which they came. */
struct names {
    struct map seen;
    struct arena arena;
    const char **names;
    size_t count, room;
};

static bool add_name(void *context, tr_str name)
{
    struct names *names = context;

    if (map_set(&names->seen, name, names))
        return true;
    if (names->count == names->room) {
        names->room = names->room ? names->room * 2 : 64;
        names->names = mem_resize(names->names, names->room * sizeof(*names->names));
    }
    names->names[names->count++] = arena_cstr(&names->arena, name);
    return true;
}

static int print_unknown(const char *rule, const struct names *names)
{
    const char *near = config_nearest(str_c(rule), names->names, names->count);
    size_t shown = names->count < NAMES_SHOWN ? names->count : NAMES_SHOWN;
    struct buf list = {0};

    if (near) {
        print_error("there is no rule %s; did you mean %s?", rule, near);
        return EX_NOINPUT;
    }
    for (size_t i = 0; i < shown; i++)
        buf_addf(&list, "%s%s", i > 0 ? ", " : "; there are ", names->names[i]);
    if (names->count > shown)
        buf_addf(&list, " and %zu others", names->count - shown);
    print_error("there is no rule %s" STR_FMT, rule, STR_ARG(buf_str(&list)));
    buf_fini(&list);
    return EX_NOINPUT;
}

/* One that has not run yet stands in the configuration alone; those of documents have run, or
 * have nothing that could begin again. */
static int search_configuration(const struct args *args, struct names *names)
{
    struct site site;
    int code;

    if (args->overrides.state_dir && !args->config_given)
        return EX_OK;
    code = site_init(&site, args);
    if (code == EX_OK && site.main.config)
        config_each (rule, config_member(site.main.config->root, STR("rules")))
            add_name(names, rule->name);
    site_fini(&site);
    return code;
}

static int find_rule(const struct args *args, struct rule_search *search, struct store *store)
{
    struct names names = {.count = 0};
    struct error error;
    int code = search_store(search, store);

    if (code != EX_OK || search->found)
        return code;
    arena_init(&names.arena, 1024);
    code = search_configuration(args, &names);
    if (code == EX_OK && !map_get(&names.seen, search->rule)) {
        code = store_binding_each(store, add_name, &names, &error) < 0
                   ? print_failure(&error)
                   : print_unknown(search->rule.ptr, &names);
    }
    free(names.names);
    map_fini(&names.seen);
    arena_fini(&names.arena);
    return code;
}

/* ---- asking ---- */

static void report(const struct args *args, const struct store_backfill *request,
                   const char *from)
{
    struct buf out = {0};

    if (args->json) {
        json_begin(&out, NULL, '{');
        json_str(&out, "rule", request->binding);
        if (request->db.len > 0)
            json_str(&out, "database", request->db);
        json_str(&out, "from", str_c(from));
        json_end(&out, '}');
        print_json(&out);
        buf_fini(&out);
        return;
    }
    printf("rule " STR_FMT " begins again from ", STR_ARG(request->binding));
    if (strcmp(from, "now") != 0 && strcmp(from, "beginning") != 0)
        printf("seq ");
    else if (from[0] == 'b')
        printf("the ");
    print_clean(str_c(from));
    printf(" on ");
    print_clean(request->db.len > 0 ? request->db : STR("all its databases"));
    puts("\na running daemon takes this up within a second, else the next start does");
}

static int write_request(const struct args *args, struct rule_search *search,
                         struct store *store)
{
    const char *from = args_value(args, "from") ? args_value(args, "from") : "beginning";
    struct store_backfill request = {
        .binding = search->rule, .db = search->db, .asked_ms = clock_wall_ms()};
    struct buf seq = {0};
    struct error error;
    int rc = 0;

    if (search->several && search->db.len == 0 && strcmp(from, "now") != 0 &&
        strcmp(from, "beginning") != 0 && strcmp(from, "0") != 0)
        return args_wrong(args,
                          "a seq is of one database, and rule " STR_FMT
                          " is on several: name it with --database",
                          STR_ARG(search->rule));
    if (strcmp(from, "now") == 0)
        buf_add_str(&seq, STORE_SINCE_NOW);
    else
        rc = seq_parse(str_c(from), buf_str(&search->seq), &seq);
    request.since = buf_str(&seq);
    if (rc < 0) {
        buf_fini(&seq);
        return error_exit_code(rc);
    }
    rc = store_backfill_ask(store, &request, &error);
    buf_fini(&seq);
    if (rc < 0)
        return print_failure(&error);
    report(args, &request, from);
    return EX_OK;
}

static int ask(const struct args *args)
{
    struct rule_search search = {.rule = str_c(args->operands[0]),
                                 .db = str_c(database_of(args))};
    struct store *store = NULL;
    int code = site_open_store(args, STORE_BESIDE, &store);

    if (code != EX_OK)
        return code;
    code = find_rule(args, &search, store);
    if (code == EX_OK && search.db.len > 0 && !search.found_db) {
        print_error("rule " STR_FMT " has no checkpoint on \"" STR_FMT
                    "\", so there is nothing to set back (see tailrace checkpoint list)",
                    STR_ARG(search.rule), STR_ARG(search.db));
        code = EX_NOINPUT;
    }
    if (code == EX_OK)
        code = write_request(args, &search, store);
    buf_fini(&search.seq);
    buf_fini(&search.any);
    store_close(store);
    return code;
}

/* ---- what waits ---- */

static tr_str from_of(const struct store_backfill *request)
{
    return str_eq(request->since, STR("0")) ? STR("beginning") : request->since;
}

static bool list_one(void *context, const struct store_backfill *request)
{
    struct listing *listing = context;
    bool is_word = str_eq(request->since, STR("0")) || str_eq(request->since, STORE_SINCE_NOW);
    char time[CLOCK_TEXT];

    if (!listing->as_json) {
        clock_format(request->asked_ms, time);
        table_add(&listing->table, request->binding);
        table_add(&listing->table, request->db.len > 0 ? request->db : STR("(all)"));
        table_add(&listing->table, str_c(time));
        table_add(&listing->table, from_of(request));
        return true;
    }
    json_begin(&listing->json, NULL, '{');
    json_str(&listing->json, "rule", request->binding);
    if (request->db.len > 0)
        json_str(&listing->json, "database", request->db);
    if (is_word)
        json_str(&listing->json, "from", from_of(request));
    else
        json_raw(&listing->json, "from", request->since);
    json_time(&listing->json, "asked", request->asked_ms);
    json_end(&listing->json, '}');
    return true;
}

static int list(const struct args *args)
{
    struct listing listing = {
        .as_json = args->json,
        .table = {.columns = 4,
                  .heads = {"RULE", "DATABASE", "ASKED", "FROM"},
                  .most = {[3] = SEQ_SHOWN}},
    };
    struct store *store = NULL;
    struct error error;
    int code = site_open_store(args, STORE_READ_ONLY, &store);

    if (code != EX_OK)
        return code;
    listing_begin(&listing, "requests");
    if (store_backfill_each(store, list_one, &listing, &error) < 0)
        code = print_failure(&error);
    store_close(store);
    return listing_end(&listing, code);
}

static int cancel(const struct args *args, const char *rule)
{
    struct store *store = NULL;
    struct error error;
    int64_t cancelled = 0;
    int code = site_open_store(args, STORE_BESIDE, &store);

    if (code != EX_OK)
        return code;
    if (store_backfill_cancel(store, str_c(rule), str_c(database_of(args)), &cancelled,
                              &error) < 0) {
        code = print_failure(&error);
    } else if (cancelled == 0) {
        print_error("no such request of rule %s waits; a daemon may have taken it up", rule);
        code = EX_NOINPUT;
    } else {
        print_done(args->json, cancelled, "request", "cancelled");
    }
    store_close(store);
    return code;
}

/* ---- the command ---- */

static int backfill(struct args *args)
{
    const char *rule = args_value(args, "cancel"), *from = args_value(args, "from");
    bool lists = args_has(args, "list");

    if (lists + (rule != NULL) + (args->operands_count > 0) != 1)
        return args_wrong(args, "name a rule, or --list, or --cancel a rule; one of them");
    if (from && args->operands_count == 0)
        return args_wrong(args, "--from goes with the rule that is to begin again");
    if (lists)
        return list(args);
    if (rule)
        return cancel(args, rule);
    if (from && strcmp(from, "now") == 0 && database_of(args))
        return args_wrong(args, "--from now is for all databases of a rule: where \"now\" is "
                                "on one of them only its server knows; give its seq instead");
    return ask(args);
}

const struct command command_backfill = {
    .name = "backfill",
    .operands = "RULE",
    .operands_max = 1,
    .summary = "Begin a rule again, while the others go on",
    .text =
        "The rule's batches in flight are waited for, its checkpoints are forgotten, and it\n"
        "begins as if it had never run; its dead letters stay. A SEQ is one of a database's\n"
        "changes feed. Works beside a running daemon, which takes it up within a second;\n"
        "without one the next start does.",
    .options =
        (const struct args_option[]){
            {"from", 'f', "FROM", "\"beginning\" (the default), \"now\", or a SEQ"},
            {"database", 'd', "DATABASE", "only there; the rule goes on elsewhere"},
            {"list", 'l', NULL, "list what was not taken up yet"},
            {"cancel", 0, "RULE", "what was not taken up yet is not wanted any more"},
            {"db", 0, "DATABASE", NULL},
            {.name = NULL},
        },
    .examples = "tailrace backfill calc-stats --from beginning",
    .run = backfill,
};
