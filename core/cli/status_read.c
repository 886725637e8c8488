/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the status document, see status_read.h. Main thread.
 */
#include "cli/status_read.h"

#include "base/buf.h"
#include "json/value.h"

#include <stdio.h>

enum { FORMAT = 1 };

/* ---- members of raw objects ---- */

tr_str status_member(tr_str object, const char *key)
{
    tr_str raw = {0};

    return json_get(object, str_c(key), &raw) ? raw : (tr_str){0};
}

tr_str status_text(struct arena *arena, tr_str object, const char *key)
{
    tr_str decoded = {0};

    return json_decode(status_member(object, key), arena, &decoded) ? decoded : (tr_str){0};
}

double status_number(tr_str object, const char *key)
{
    double value = 0;

    return json_number(status_member(object, key), &value) ? value : 0;
}

const char *status_duration(double seconds, char into[STATUS_DURATION])
{
    if (seconds < 10)
        snprintf(into, STATUS_DURATION, "%.1f s", seconds);
    else if (seconds < 120)
        snprintf(into, STATUS_DURATION, "%.0f s", seconds);
    else if (seconds < 120 * 60.0)
        snprintf(into, STATUS_DURATION, "%.0f min", seconds / 60);
    else if (seconds < 48 * 3600.0)
        snprintf(into, STATUS_DURATION, "%.0f h", seconds / 3600);
    else
        snprintf(into, STATUS_DURATION, "%.0f d", seconds / 86400);
    return into;
}

int status_check(tr_str document, struct error *error)
{
    struct arena arena;
    tr_str version;

    if (status_number(document, "format") == FORMAT)
        return 0;
    arena_init(&arena, 256);
    version = str_clip(status_text(&arena, document, "version"), 64);
    error_set(error, ERR_DATA,
              "the running tailrace " STR_FMT " tells its status in a form that this "
              "tailrace " TAILRACE_VERSION " does not know; ask it with a command of its own "
              "version, or with --json",
              STR_ARG(version));
    arena_fini(&arena);
    return ERR_DATA;
}

/* ---- what is in trouble ---- */

struct walk {
    struct arena *arena;
    void (*add)(void *ctx, const struct status_trouble *trouble);
    void *ctx;
    int64_t untold;
};

static void add(const struct walk *walk, tr_str who, tr_str state, tr_str reason, double since)
{
    walk->add(walk->ctx, &(struct status_trouble){
                             .who = who, .state = state, .reason = reason, .since = since});
}

static tr_str joined(const struct walk *walk, tr_str a, const char *between, tr_str b)
{
    struct buf out = {0};
    tr_str ret;

    buf_add_str(&out, a);
    buf_add_c(&out, between);
    buf_add_str(&out, b);
    ret = arena_str(walk->arena, buf_str(&out));
    buf_fini(&out);
    return ret;
}

/* How long, of an object that may say so. */
static double since(tr_str object)
{
    return status_member(object, "for_s").len > 0 ? status_number(object, "for_s") : -1;
}

static void add_store(struct walk *walk, tr_str document)
{
    tr_str store = status_member(document, "store");
    tr_str reason = status_text(walk->arena, store, "reason");

    if (reason.len > 0)
        add(walk, STR("state directory"), status_text(walk->arena, store, "state"), reason,
            since(store));
}

static void add_source(struct walk *walk, tr_str source)
{
    tr_str name = status_text(walk->arena, source, "name"), key, it;
    tr_str updates = status_member(source, "updates"), sweep = status_member(source, "sweep");
    tr_str reason = status_text(walk->arena, updates, "reason");
    tr_str list = status_member(source, "troubles");
    size_t cursor = 0;

    if (reason.len > 0)
        add(walk, name,
            joined(walk, STR("list of changed databases"), " ",
                   status_text(walk->arena, updates, "state")),
            reason, -1);
    if (str_eq(status_text(walk->arena, sweep, "state"), STR("waiting")))
        add(walk, name, STR("databases cannot be listed: trying again"), STR(""), -1);
    while (json_next(list, &cursor, &key, &it))
        add(walk, joined(walk, name, "/", status_text(walk->arena, it, "db")),
            status_text(walk->arena, it, "state"), status_text(walk->arena, it, "reason"),
            since(it));
    walk->untold += (int64_t)status_number(source, "troubles_more");
}

static void add_rule(struct walk *walk, tr_str rule)
{
    tr_str who = joined(walk, STR("rule"), " ", status_text(walk->arena, rule, "name"));
    tr_str state = status_text(walk->arena, rule, "state");
    tr_str reason = status_text(walk->arena, rule, "reason");
    double repeated = status_number(rule, "repeated");
    char said[64];

    if (reason.len > 0)
        add(walk, who, str_eq(state, STR("held")) ? state : STR("retrying"), reason, -1);
    snprintf(said, sizeof(said), "%.0f changes came that had come before", repeated);
    if (repeated > 0)
        add(walk, who, STR("repeats"), arena_str(walk->arena, str_c(said)), -1);
}

static void add_group(struct walk *walk, tr_str group)
{
    tr_str name = status_text(walk->arena, group, "group"), key, it;
    tr_str reason = status_text(walk->arena, group, "reason");
    tr_str list = status_member(group, "invalid");
    size_t cursor = 0;

    if (reason.len > 0)
        add(walk, joined(walk, STR("documents of"), " ", name),
            status_text(walk->arena, group, "state"), reason, -1);
    while (json_next(list, &cursor, &key, &it))
        add(walk, joined(walk, name, "/", status_text(walk->arena, it, "id")), STR("invalid"),
            status_text(walk->arena, it, "reason"), -1);
    walk->untold += (int64_t)status_number(group, "invalid_more");
}

static void each(struct walk *walk, tr_str list, void (*take)(struct walk *walk, tr_str it))
{
    size_t cursor = 0;
    tr_str key, it;

    while (json_next(list, &cursor, &key, &it))
        take(walk, it);
}

int64_t status_troubles(tr_str document, struct arena *arena,
                        void (*add_one)(void *ctx, const struct status_trouble *trouble),
                        void *ctx)
{
    struct walk walk = {.arena = arena, .add = add_one, .ctx = ctx};

    add_store(&walk, document);
    each(&walk, status_member(document, "sources"), add_source);
    each(&walk, status_member(document, "rules"), add_rule);
    each(&walk, status_member(document, "documents"), add_group);
    return walk.untold;
}
