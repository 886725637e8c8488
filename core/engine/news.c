/* SPDX-License-Identifier: Apache-2.0 */
/*
 * News: the server's own list of the databases that change (`_db_updates`), so that thousands
 * of them can be followed without asking any.
 *
 * It needs an administrator, and a server that keeps the list; and it may lose events. So it
 * only says where to look first: the sweep finds the rest. Its position is written now and
 * then, for the same reason without waiting for anything. Loop thread.
 */
#include "base/mem.h"
#include "engine/private.h"
#include "observe/log.h"

enum { SAVE_MS = 10000, SPARE_CONNECTIONS = 2 };

/* ---- what it brings ---- */

static void on_changed(void *ctx, tr_str name, enum updates_type type)
{
    struct source *source = ctx;
    struct database *database = database_find(source, name);
    struct index_cursor cursor;

    /* The events of a name may come in any order: one that was deleted and made again can be
     * told so in reverse. Its feed, the next look or the sweep finds that it is gone. */
    if (type == UPDATES_DELETED)
        return;
    if (!database) {
        if (!rule_index_first(&source->index, name, &cursor))
            return;
        database = database_add(source, name);
    }
    database_changed(database);
    if (type == UPDATES_CREATED)
        database->changed_ms = 0; /* many are made at a time: that makes none of them hot   */
}

/* Each is said once, not at every try. */
static void say(const struct source *source, enum updates_state state)
{
    tr_str name = source->settings->name;
    const char *why = source->updates_error.code != 0 ? source->updates_error.text
                                                      : "no answer";

    if (state == UPDATES_LIVE)
        log_info("the server tells which databases change", LOG_S("source", name));
    else if (state == UPDATES_WAITING)
        log_warn("the list of changed databases is lost: it is tried again",
                 LOG_S("source", name), LOG_C("reason", why));
    else
        log_notice(
            "the server does not tell which databases change: they are looked at in turn",
            LOG_S("source", name), LOG_C("reason", why));
}

static void on_state(void *ctx, enum updates_state state, const struct error *error)
{
    struct source *source = ctx;
    enum updates_state before = source->updates_settled;

    source->updates_state = state;
    if (error || state == UPDATES_LIVE)
        source->updates_error = error ? *error : (struct error){0};
    if (state == UPDATES_CONNECTING || state == before)
        return;
    source->updates_settled = state;
    say(source, state);
    /* What happened meanwhile may never be told. */
    if (state == UPDATES_LIVE && before != UPDATES_CONNECTING) {
        sweep_soon(source);
        sweep_wake(source);
    } else if (state != UPDATES_LIVE) {
        sweep_hurry(source);
    }
}

static const struct updates_events events = {.changed = on_changed, .state = on_state};

bool news_are_live(const struct source *source)
{
    return source->updates && source->updates_state == UPDATES_LIVE;
}

/* CouchDB says nothing before its first event or heartbeat. */
bool news_are_awaited(const struct source *source)
{
    return source->updates && source->updates_settled == UPDATES_CONNECTING;
}

/* ---- its position ---- */

struct save {
    struct store_commit commit;
    struct store_op op;
    struct arena arena;
};

static void saved(struct store_commit *commit)
{
    struct save *save = list_entry(commit, struct save, commit);

    arena_fini(&save->arena);
    free(save);
}

static void save_position(struct source *source)
{
    tr_str position = updates_position(source->updates);
    struct save *save;

    if (position.len == 0 || str_eq(position, buf_str(&source->updates_saved)))
        return;
    buf_clear(&source->updates_saved);
    buf_add_str(&source->updates_saved, position);
    save = mem_new(struct save);
    arena_init(&save->arena, 512);
    save->op.kind = STORE_PUT_SOURCE;
    save->op.source.name = arena_str(&save->arena, source->settings->name);
    save->op.source.updates = arena_str(&save->arena, position);
    save->commit = (struct store_commit){.ops = &save->op, .ops_count = 1, .done = saved};
    save->commit.binding = STR("");
    store_commit_submit(source->engine->store, &save->commit);
}

static void save_due(struct timer *timer)
{
    struct source *source = list_entry(timer, struct source, updates_save);

    save_position(source);
    loop_set_timer(source->engine->loop, timer, SAVE_MS);
}

/* ---- beginning and end ---- */

static bool is_wanted(const struct source *source)
{
    const struct source_settings *settings = source->settings;

    return settings->kind == SOURCE_COUCHDB && settings->db_updates != 0 &&
           source->engine->options.mode == ENGINE_FOLLOW &&
           settings->max_connections >= settings->max_feeds + SPARE_CONNECTIONS &&
           (source_has_many(source) || rule_index_has_patterns(&source->index));
}

void news_start(struct source *source)
{
    struct updates_options options = {
        .loop = source->engine->loop,
        .heartbeat_ms = (uint32_t)source->settings->heartbeat_ms,
        .retry_min_ms = source->settings->retry_min_ms,
        .retry_max_ms = source->settings->retry_max_ms,
        .events = &events,
        .ctx = source,
    };
    struct arena arena;
    struct error error;
    bool found = false;

    if (source->updates || !is_wanted(source))
        return;
    arena_init(&arena, 512);
    if (store_source_get(source->engine->store, source->settings->name, &arena, &options.since,
                         &found, &error) < 0)
        log_warn("the position in the list of changed databases cannot be read: it begins now",
                 LOG_C("reason", error.text));
    if (!found)
        options.since = (tr_str){0};
    source->updates_state = source->updates_settled = UPDATES_CONNECTING;
    source->updates = updates_new(&options, source->pool, &source->settings->url);
    updates_start(source->updates);
    arena_fini(&arena);
    source->updates_save.fire = save_due;
    loop_set_timer(source->engine->loop, &source->updates_save, SAVE_MS);
}

void news_stop(struct source *source)
{
    if (!source->updates)
        return;
    save_position(source);
    loop_clear_timer(source->engine->loop, &source->updates_save);
    updates_free(source->updates);
    source->updates = NULL;
    buf_fini(&source->updates_saved);
}
