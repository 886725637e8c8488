/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of a status document: one line of the daemon, its sources, its rules, the groups of
 * rule documents, and at the end all that is in trouble, with the reasons. Main thread.
 */
#include "cli/status_table.h"

#include "cli/print.h"
#include "cli/status_read.h"
#include "json/value.h"

#include <inttypes.h>
#include <stdio.h>

enum { NAME_MOST = 40, URL_MOST = 50 };

struct view {
    tr_str document;
    struct arena arena;
};

static tr_str text(struct view *view, tr_str object, const char *key)
{
    return status_text(&view->arena, object, key);
}

static void add_count(struct table *table, tr_str object, const char *key)
{
    table_addf(table, "%.0f", status_number(object, key));
}

/* `more` are not in the table at all. */
static void print_rows(struct table *table, int64_t more)
{
    if (table->count == 0 && more == 0)
        return;
    putchar('\n');
    table_print(table);
    if (more > 0)
        printf("… and %" PRId64 " more\n", more);
}

/* ---- what is in trouble ---- */

struct troubles {
    struct table table;
    struct buf words; /* of the one that is added                                          */
};

static void add_trouble(void *ctx, const struct status_trouble *trouble)
{
    struct troubles *troubles = ctx;
    char since[STATUS_DURATION];

    buf_clear(&troubles->words);
    buf_add_str(&troubles->words, trouble->state);
    if (trouble->reason.len > 0)
        buf_add_c(&troubles->words, ": ");
    buf_add_str(&troubles->words, trouble->reason);
    table_add(&troubles->table, trouble->who);
    table_add(&troubles->table,
              str_c(trouble->since < 0 ? "" : status_duration(trouble->since, since)));
    table_add(&troubles->table, buf_str(&troubles->words));
}

static void print_troubles(struct view *view)
{
    struct troubles troubles = {
        .table = {.columns = 3, .heads = {"TROUBLE", "FOR", "REASON"}, .right = {[1] = true}},
    };
    int64_t untold = status_troubles(view->document, &view->arena, add_trouble, &troubles);

    print_rows(&troubles.table, untold);
    buf_fini(&troubles.words);
}

/* ---- the tables ---- */

static void print_daemon(struct view *view)
{
    tr_str state = text(view, view->document, "state");
    tr_str mode = text(view, view->document, "mode");
    char since[STATUS_DURATION];

    fputs("tailrace ", stdout);
    print_clean(text(view, view->document, "version"));
    printf(", pid %.0f, ", status_number(view->document, "pid"));
    print_clean(state);
    if (str_eq(mode, STR("once")))
        fputs(" once", stdout);
    else if (str_eq(mode, STR("replay")))
        fputs(" to send dead letters again", stdout);
    printf(", up %s\n", status_duration(status_number(view->document, "uptime_s"), since));
}

static void add_sweep(struct view *view, struct table *table, tr_str source)
{
    tr_str sweep = status_member(source, "sweep"), state = text(view, sweep, "state");
    bool is_running = str_eq(state, STR("running"));
    char since[STATUS_DURATION];

    if (is_running)
        table_addf(table, "at %.0f of %.0f", status_number(sweep, "databases"),
                   status_number(source, "databases"));
    else if (json_type_of(status_member(sweep, "finished_s_ago")) == JSON_NUMBER)
        table_addf(table, "%s ago",
                   status_duration(status_number(sweep, "finished_s_ago"), since));
    else
        table_add(table, state);
}

static void add_source(struct view *view, struct table *table, tr_str source)
{
    tr_str streams = status_member(source, "streams");
    tr_str connections = status_member(source, "connections");

    table_add(table, text(view, source, "name"));
    add_count(table, source, "databases");
    add_count(table, streams, "hot");
    add_count(table, streams, "reading");
    add_count(table, streams, "queued");
    add_count(table, streams, "waiting");
    add_count(table, streams, "missing");
    table_addf(table, "%.0f/%.0f", status_number(connections, "running"),
               status_number(connections, "max"));
    table_add(table, text(view, status_member(source, "updates"), "state"));
    add_sweep(view, table, source);
    table_add(table,
              text(view, source, status_member(source, "path").len > 0 ? "path" : "url"));
}

static void print_sources(struct view *view)
{
    struct table table = {
        .columns = 11,
        .heads = {"SOURCE", "DATABASES", "HOT", "READING", "QUEUED", "WAITING", "MISSING",
                  "CALLS", "UPDATES", "SWEEP", "URL"},
        .most = {[0] = NAME_MOST, [10] = URL_MOST},
        .right = {[1] = true, true, true, true, true, true, true},
    };
    tr_str list = status_member(view->document, "sources"), key, source;
    size_t cursor = 0;

    while (json_next(list, &cursor, &key, &source))
        add_source(view, &table, source);
    print_rows(&table, 0);
}

static void add_lag(struct table *table, tr_str rule)
{
    char since[STATUS_DURATION];

    if (status_number(rule, "lag_rows") > 0)
        table_add(table, str_c(status_duration(status_number(rule, "lag_s"), since)));
    else
        table_add(table, STR("-"));
    add_count(table, rule, "lag_rows");
}

static void add_rule(struct view *view, struct table *table, tr_str rule)
{
    table_add(table, text(view, rule, "name"));
    table_add(table, text(view, rule, "plugin"));
    table_add(table, text(view, rule, "state"));
    add_count(table, rule, "streams");
    add_lag(table, rule);
    add_count(table, rule, "in_flight");
    add_count(table, rule, "retrying");
    add_count(table, rule, "ok");
    add_count(table, rule, "retried");
    add_count(table, rule, "dead_letters");
}

static void print_rules(struct view *view)
{
    struct table table = {
        .columns = 11,
        .heads = {"RULE", "PLUGIN", "STATE", "STREAMS", "LAG", "ROWS", "SENT", "RETRYING", "OK",
                  "RETRIED", "DEAD LETTERS"},
        .most = {[0] = NAME_MOST},
        .right = {[3] = true, true, true, true, true, true, true, true},
    };
    tr_str list = status_member(view->document, "rules"), key, rule;
    size_t cursor = 0;

    while (json_next(list, &cursor, &key, &rule))
        add_rule(view, &table, rule);
    print_rows(&table, (int64_t)status_number(view->document, "rules_more"));
}

static void add_group(struct view *view, struct table *table, tr_str group)
{
    tr_str list = status_member(group, "invalid"), key, it;
    int64_t count = (int64_t)status_number(group, "invalid_more");
    size_t cursor = 0;

    while (json_next(list, &cursor, &key, &it))
        count++;
    table_add(table, text(view, group, "group"));
    table_add(table, text(view, group, "state"));
    add_count(table, group, "rules");
    table_addf(table, "%" PRId64, count);
}

static void print_groups(struct view *view)
{
    struct table table = {
        .columns = 4,
        .heads = {"DOCUMENTS", "STATE", "RULES", "INVALID"},
        .most = {[0] = NAME_MOST},
        .right = {[2] = true, true},
    };
    tr_str list = status_member(view->document, "documents"), key, group;
    size_t cursor = 0;

    while (json_next(list, &cursor, &key, &group))
        add_group(view, &table, group);
    print_rows(&table, 0);
}

int status_print(tr_str document, struct error *error)
{
    struct view view = {.document = document};
    int rc = status_check(document, error);

    if (rc < 0)
        return rc;
    arena_init(&view.arena, 1 << 16);
    print_daemon(&view);
    print_sources(&view);
    print_rules(&view);
    print_groups(&view);
    print_troubles(&view);
    arena_fini(&view.arena);
    return 0;
}
