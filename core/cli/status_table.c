/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of a status document: one line of the daemon, its sources, its rules, the groups of
 * rule documents, and at the end all that is in trouble, with the reasons. What a document does
 * not say is shown as nothing, so that a newer daemon with more to tell can be looked at too.
 * Main thread.
 */
#include "cli/status_table.h"

#include "cli/print.h"
#include "json/value.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    FORMAT = 1,
    NAME_MOST = 40,
    URL_MOST = 50,
    FRAME_LINES = 16 /* that are no rows: heads, empty lines, "and 3 more"                  */
};

struct view {
    tr_str document;
    struct arena arena;
    int rows; /* of all tables together; 0: any number                                      */
    struct table troubles;
    int64_t untold; /* troubles that the daemon counted and did not tell                    */
};

/* ---- members of raw objects ---- */

static tr_str member(tr_str object, const char *key)
{
    tr_str raw = {0};

    return json_get(object, str_c(key), &raw) ? raw : (tr_str){0};
}

static tr_str text(struct view *view, tr_str object, const char *key)
{
    tr_str decoded = {0};

    return json_decode(member(object, key), &view->arena, &decoded) ? decoded : (tr_str){0};
}

static double number(tr_str object, const char *key)
{
    double value = 0;

    return json_number(member(object, key), &value) ? value : 0;
}

static void add_count(struct table *table, tr_str object, const char *key)
{
    table_addf(table, "%.0f", number(object, key));
}

/* "1.5 s", "45 s", "12 min", "5 h", "3 d": what a glance needs. */
#define DURATION 24
static const char *duration(double seconds, char into[DURATION])
{
    if (seconds < 10)
        snprintf(into, DURATION, "%.1f s", seconds);
    else if (seconds < 120)
        snprintf(into, DURATION, "%.0f s", seconds);
    else if (seconds < 120 * 60.0)
        snprintf(into, DURATION, "%.0f min", seconds / 60);
    else if (seconds < 48 * 3600.0)
        snprintf(into, DURATION, "%.0f h", seconds / 3600);
    else
        snprintf(into, DURATION, "%.0f d", seconds / 86400);
    return into;
}

static tr_str joined(struct view *view, tr_str a, const char *between, tr_str b)
{
    struct buf out = {0};
    tr_str ret;

    buf_add_str(&out, a);
    buf_add_c(&out, between);
    buf_add_str(&out, b);
    ret = arena_str(&view->arena, buf_str(&out));
    buf_fini(&out);
    return ret;
}

/* Prints the rows there is room for; `more` are not in the table at all. */
static void print_rows(struct table *table, int most, int64_t more)
{
    size_t rows = table->count / (size_t)table->columns;

    if (rows == 0 && more == 0)
        return;
    putchar('\n');
    if (most > 0 && rows > (size_t)most) {
        more += (int64_t)(rows - (size_t)most);
        table->count = (size_t)most * (size_t)table->columns;
    }
    table_print(table);
    if (more > 0)
        printf("… and %" PRId64 " more\n", more);
}

/* Of all rows there is room for, so many hundredths. */
static int share(const struct view *view, int hundredths)
{
    int rows = view->rows * hundredths / 100;

    return view->rows == 0 ? 0 : rows > 2 ? rows : 2;
}

/* ---- what is in trouble ---- */

static void add_trouble(struct view *view, tr_str who, const char *since, tr_str state,
                        tr_str reason)
{
    table_add(&view->troubles, who);
    table_add(&view->troubles, str_c(since));
    table_add(&view->troubles, reason.len > 0 ? joined(view, state, ": ", reason) : state);
}

static void add_databases(struct view *view, tr_str source, tr_str name)
{
    tr_str list = member(source, "troubles"), key, it;
    size_t cursor = 0;
    char since[DURATION];

    while (json_next(list, &cursor, &key, &it)) {
        bool known = member(it, "for_s").len > 0;
        add_trouble(view, joined(view, name, "/", text(view, it, "db")),
                    known ? duration(number(it, "for_s"), since) : "", text(view, it, "state"),
                    text(view, it, "reason"));
    }
    view->untold += (int64_t)number(source, "troubles_more");
}

/* ---- the tables ---- */

static void print_daemon(struct view *view)
{
    tr_str state = text(view, view->document, "state");
    tr_str mode = text(view, view->document, "mode");
    tr_str store = member(view->document, "store");
    char since[DURATION];

    fputs("tailrace ", stdout);
    print_clean(text(view, view->document, "version"));
    printf(", pid %.0f, ", number(view->document, "pid"));
    print_clean(state);
    if (str_eq(mode, STR("once")))
        fputs(" once", stdout);
    else if (str_eq(mode, STR("replay")))
        fputs(" to send dead letters again", stdout);
    printf(", up %s\n", duration(number(view->document, "uptime_s"), since));
    if (text(view, store, "reason").len > 0)
        add_trouble(view, STR("state directory"), duration(number(store, "for_s"), since),
                    text(view, store, "state"), text(view, store, "reason"));
}

static void add_sweep(struct view *view, struct table *table, tr_str source)
{
    tr_str sweep = member(source, "sweep"), state = text(view, sweep, "state");
    bool is_running = str_eq(state, STR("running"));
    char since[DURATION];

    if (is_running)
        table_addf(table, "at %.0f of %.0f", number(sweep, "databases"),
                   number(source, "databases"));
    else if (json_type_of(member(sweep, "finished_s_ago")) == JSON_NUMBER)
        table_addf(table, "%s ago", duration(number(sweep, "finished_s_ago"), since));
    else
        table_add(table, state);
}

static void add_source(struct view *view, struct table *table, tr_str source)
{
    tr_str name = text(view, source, "name"), streams = member(source, "streams");
    tr_str updates = member(source, "updates"), connections = member(source, "connections");
    tr_str state = text(view, updates, "state"), reason = text(view, updates, "reason");

    table_add(table, name);
    add_count(table, source, "databases");
    add_count(table, streams, "hot");
    add_count(table, streams, "reading");
    add_count(table, streams, "queued");
    add_count(table, streams, "waiting");
    add_count(table, streams, "missing");
    table_addf(table, "%.0f/%.0f", number(connections, "running"), number(connections, "max"));
    table_add(table, state);
    add_sweep(view, table, source);
    table_add(table, text(view, source, member(source, "path").len > 0 ? "path" : "url"));
    if (reason.len > 0)
        add_trouble(view, name, "", joined(view, STR("list of changed databases "), "", state),
                    reason);
    if (str_eq(text(view, member(source, "sweep"), "state"), STR("waiting")))
        add_trouble(view, name, "", STR("databases cannot be listed: trying again"), STR(""));
    add_databases(view, source, name);
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
    tr_str list = member(view->document, "sources"), key, source;
    size_t cursor = 0;

    while (json_next(list, &cursor, &key, &source))
        add_source(view, &table, source);
    print_rows(&table, share(view, 15), 0);
}

static void add_lag(struct table *table, tr_str rule)
{
    char since[DURATION];

    if (number(rule, "lag_rows") > 0)
        table_add(table, str_c(duration(number(rule, "lag_s"), since)));
    else
        table_add(table, STR("-"));
    add_count(table, rule, "lag_rows");
}

/* Not in the table: it should never happen. */
static void add_repeats(struct view *view, tr_str rule, double count)
{
    char reason[64];

    snprintf(reason, sizeof(reason), "%.0f changes came that had come before", count);
    add_trouble(view, joined(view, STR("rule "), "", rule), "", STR("repeats"), str_c(reason));
}

static void add_rule(struct view *view, struct table *table, tr_str rule)
{
    tr_str name = text(view, rule, "name"), state = text(view, rule, "state");
    tr_str reason = text(view, rule, "reason");

    table_add(table, name);
    table_add(table, text(view, rule, "plugin"));
    table_add(table, state);
    add_count(table, rule, "streams");
    add_lag(table, rule);
    add_count(table, rule, "in_flight");
    add_count(table, rule, "retrying");
    add_count(table, rule, "ok");
    add_count(table, rule, "retried");
    add_count(table, rule, "dead_letters");
    if (reason.len > 0)
        add_trouble(view, joined(view, STR("rule "), "", name), "",
                    str_eq(state, STR("held")) ? state : STR("retrying"), reason);
    if (number(rule, "repeated") > 0)
        add_repeats(view, name, number(rule, "repeated"));
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
    tr_str list = member(view->document, "rules"), key, rule;
    size_t cursor = 0;

    while (json_next(list, &cursor, &key, &rule))
        add_rule(view, &table, rule);
    print_rows(&table, share(view, 60), (int64_t)number(view->document, "rules_more"));
}

static void add_group(struct view *view, struct table *table, tr_str group)
{
    tr_str name = text(view, group, "group"), list = member(group, "invalid"), key, it;
    tr_str state = text(view, group, "state"), reason = text(view, group, "reason");
    size_t cursor = 0;
    int64_t count = (int64_t)number(group, "invalid_more");

    view->untold += count;
    if (reason.len > 0)
        add_trouble(view, joined(view, STR("documents of "), "", name), "", state, reason);
    for (; json_next(list, &cursor, &key, &it); count++)
        add_trouble(view, joined(view, name, "/", text(view, it, "id")), "", STR("invalid"),
                    text(view, it, "reason"));
    table_add(table, name);
    table_add(table, state);
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
    tr_str list = member(view->document, "documents"), key, group;
    size_t cursor = 0;

    while (json_next(list, &cursor, &key, &group))
        add_group(view, &table, group);
    print_rows(&table, share(view, 5), 0);
}

int status_print(tr_str document, int lines, struct error *error)
{
    struct view view = {
        .document = document,
        .rows = lines > FRAME_LINES + 2 ? lines - FRAME_LINES
                : lines > 0             ? 2
                                        : 0,
        .troubles = {.columns = 3,
                     .heads = {"TROUBLE", "FOR", "REASON"},
                     .right = {[1] = true}},
    };

    arena_init(&view.arena, 1 << 16);
    if (number(document, "format") != FORMAT) {
        tr_str version = text(&view, document, "version");
        error_set(error, ERR_DATA,
                  "the running tailrace " STR_FMT " tells its status in a form that this "
                  "tailrace " TAILRACE_VERSION
                  " does not know; ask it with a command of its own "
                  "version, or with --json",
                  (int)(version.len < 64 ? version.len : 64), version.ptr ? version.ptr : "");
        arena_fini(&view.arena);
        return ERR_DATA;
    }
    print_daemon(&view);
    print_sources(&view);
    print_rules(&view);
    print_groups(&view);
    print_rows(&view.troubles, share(&view, 20), view.untold);
    arena_fini(&view.arena);
    return 0;
}
