/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sweep: looks at all databases of a source, at the start and then again and again.
 *
 *     names (_all_dbs) ──▶ left ──a hundred at a time──▶ _dbs_info ──▶ as it was: nothing
 *                                                                  └─▶ else: the backlog
 *
 * It finds databases that came and went, and those that changed while nobody told. A database
 * is as it was when the server names its end by the same token as when all of it was settled;
 * that is in the checkpoints too, so that a restart reads only what changed. Few databases have
 * a feed each and need no such look; the names alone are asked for. Loop thread.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "engine/document_rules.h"
#include "engine/private.h"
#include "observe/log.h"
#include "json/value.h"

enum {
    NAMES_A_REQUEST = 100, /* more is a 400 of CouchDB                                     */
    LEARN_MS = 20,         /* between two looks whether the rules of documents are known   */
    REST = 4               /* without news: it works a fifth of the time at most           */
};

static void go_on(struct source *source);

/* ---- when ---- */

static void begin(struct source *source);

static void sweep_due(struct timer *timer)
{
    begin(list_entry(timer, struct source, sweep.timer));
}

static void sweep_after(struct source *source, int64_t ms)
{
    source->sweep.timer.fire = sweep_due;
    loop_set_timer(source->engine->loop, &source->sweep.timer, ms);
}

static int64_t interval(const struct source *source)
{
    const struct source_settings *settings = source->settings;
    const struct sweep *sweep = &source->sweep;
    int64_t took_ms = sweep->ended_ms - sweep->began_ms;

    if (!source_has_many(source))
        return settings->discover_ms;
    if (news_are_live(source) || news_are_awaited(source))
        return settings->sweep_ms;
    return settings->poll_ms > took_ms * REST ? settings->poll_ms : took_ms * REST;
}

void sweep_soon(struct source *source)
{
    struct sweep *sweep = &source->sweep;

    if (sweep->running)
        sweep->wanted = true;
    else
        sweep_after(source, 0);
}

/* Nobody tells any more which databases change: it is due as it is then. */
void sweep_hurry(struct source *source)
{
    struct sweep *sweep = &source->sweep;
    int64_t ms = interval(source);

    if (sweep->running || !timer_is_set(&sweep->timer) || sweep->failures > 0)
        return;
    if (sweep->timer.due_ms > clock_ms() + ms)
        sweep_after(source, ms);
}

/* ---- a hundred at a time ---- */

/* Whatever was asked for and not answered is looked at by itself. */
static void look_at_rest(struct source *source)
{
    struct list *link;

    while ((link = list_pop(&source->sweep.asked))) {
        source->sweep.changed++;
        database_look(list_entry(link, struct database, sweep));
    }
}

static void pace_due(struct timer *timer)
{
    go_on(list_entry(timer, struct source, sweep.pace));
}

static void pause_for(struct source *source, int64_t ms)
{
    source->sweep.pace.fire = pace_due;
    loop_set_timer(source->engine->loop, &source->sweep.pace, ms);
}

static void on_infos(void *ctx, enum identity_result result, tr_str text,
                     const struct error *error)
{
    struct source *source = ctx;
    struct sweep *sweep = &source->sweep;
    struct arena arena;
    tr_str key, entry;
    size_t cursor = 0;

    sweep->question = NULL;
    if (result == IDENTITY_LATER) {
        list_append(&sweep->left, &sweep->asked);
        pause_for(source, source_backoff(source, sweep->failures++, false));
        return;
    }
    sweep->failures = 0;
    if (result == IDENTITY_KNOWN) {
        arena_init(&arena, 4096);
        while (json_next(text, &cursor, &key, &entry))
            sweep_judge(source, entry, &arena);
        arena_fini(&arena);
    } else {
        log_notice(
            "the server does not tell of many databases at once: each is asked by itself",
            LOG_S("source", source->settings->name),
            LOG_C("reason", error ? error->text : "not offered"));
        sweep->no_infos = true;
    }
    look_at_rest(source);
    go_on(source);
}

static void ask_infos(struct source *source)
{
    struct sweep *sweep = &source->sweep;
    struct buf keys = {0};
    struct list *link;
    uint32_t count = 0;

    buf_add_char(&keys, '[');
    while (count < NAMES_A_REQUEST && (link = list_pop(&sweep->left))) {
        struct database *database = list_entry(link, struct database, sweep);
        if (!database_is_idle(database))
            continue;
        if (count++ > 0)
            buf_add_char(&keys, ',');
        json_write_string(&keys, database->name);
        list_push_back(&sweep->asked, &database->sweep);
    }
    buf_add_char(&keys, ']');
    if (count > 0)
        sweep->question = identity_ask_infos(source->engine->loop, source->pool,
                                             &source->settings->url, buf_str(&keys), on_infos,
                                             source);
    sweep->looked += count;
    buf_fini(&keys);
}

static void look_at_each(struct source *source)
{
    struct list *link;

    while ((link = list_pop(&source->sweep.left))) {
        source->sweep.looked++;
        database_look(list_entry(link, struct database, sweep));
    }
}

void sweep_wake(struct source *source)
{
    struct sweep *sweep = &source->sweep;

    if (sweep->failures == 0 || !timer_is_set(&sweep->pace))
        return;
    sweep->failures = 0;
    pause_for(source, 0);
}

/* ---- all names ---- */

/* Names that the server has no more, and those that no rule is about any more. */
static void forget(struct source *source)
{
    struct database *database;
    size_t cursor = 0;
    tr_str name;
    void *value;

    while (map_next(&source->databases, &cursor, &name, &value)) {
        database = value;
        if (database->listing != source->sweep.listed &&
            !rule_index_names(&source->index, name) && list_empty(&database->queue) &&
            (!database->stream || list_empty(&database->stream->subscriptions)))
            database_free(database);
    }
}

static void end(struct source *source)
{
    struct sweep *sweep = &source->sweep;

    sweep->running = false;
    sweep->ended_ms = clock_ms();
    if (source->settings->kind == SOURCE_COUCHDB)
        forget(source);
    news_start(source);
    source_answered(source);
    engine_look(source->engine);
    if (source->engine->options.mode == ENGINE_FOLLOW &&
        source->settings->kind == SOURCE_COUCHDB)
        sweep_after(source, sweep->wanted ? 0 : interval(source));
    sweep->wanted = false;
    database_turns(source);
}

static void go_on(struct source *source)
{
    struct sweep *sweep = &source->sweep;
    int64_t wait_ms;

    if (sweep->question || timer_is_set(&sweep->pace) || source->engine->stopping)
        return;
    if (document_rules_are_awaited(source->engine)) {
        pause_for(source, LEARN_MS);
        return;
    }
    if (!source_has_many(source) || sweep->no_infos)
        look_at_each(source);
    while (!list_empty(&sweep->left) && !sweep->question) {
        wait_ms = source_spend(source, 1);
        if (wait_ms > 0) {
            pause_for(source, wait_ms + (int64_t)random_below((uint64_t)wait_ms + 1));
            return;
        }
        ask_infos(source);
    }
    if (list_empty(&sweep->left) && !sweep->question && sweep->running)
        end(source);
}

static void leave_for_later(struct database *database, bool discovering)
{
    struct sweep *sweep = &database->source->sweep;

    if (discovering && !database->pending) {
        database->pending = true;
        database->source->initial_left++;
    }
    if (database->stream && database->stream->answered && !database->stream->question)
        database_answered(database);
    if (database_is_idle(database) && list_empty(&database->sweep))
        list_push_back(&sweep->left, &database->sweep);
}

void sweep_database(struct database *database)
{
    leave_for_later(database, true);
    go_on(database->source);
}

/* A name that no rule is about costs nothing. */
static void see(struct source *source, tr_str name)
{
    struct database *database = database_find(source, name);
    struct index_cursor cursor;

    if (name.len == 0 || !rule_index_first(&source->index, name, &cursor))
        return;
    if (!database)
        database = database_add(source, name);
    if (database->first == 0)
        database->first = source->sweep.listing;
    database->listing = source->sweep.listing;
}

static void leave_all(struct source *source)
{
    bool discovering = false;
    size_t cursor = 0;
    tr_str name;
    void *value;

    list_each (it, &source->rules)
        discovering |= !list_entry(it, struct running_rule, in_source)->was_discovered;
    while (map_next(&source->databases, &cursor, &name, &value))
        leave_for_later(value, discovering);
    go_on(source);
}

static void names_are_known(struct source *source)
{
    source->sweep.listed = source->sweep.listing;
    list_each (it, &source->streams) {
        struct stream *stream = list_entry(it, struct stream, link);
        if (stream->undecided)
            stream_add_rules(stream);
    }
    leave_all(source);
}

static void on_no_names(struct source *source, enum identity_result result,
                        const struct error *error)
{
    struct sweep *sweep = &source->sweep;
    struct engine *engine = source->engine;
    bool denied = result == IDENTITY_DENIED;

    if (sweep->failures == 0)
        log_warn("databases cannot be listed: trying again",
                 LOG_S("source", source->settings->name),
                 LOG_C("reason", error ? error->text : "no answer"));
    sweep->running = false;
    sweep_after(source, source_backoff(source, sweep->failures++, denied));
    leave_all(source); /* those that rules name are followed all the same */
    if (engine->options.mode == ENGINE_ONCE && (denied || sweep->failures > 5))
        engine_fail(engine, error_exit_code(denied ? ERR_NOPERM : ERR_UNAVAIL));
}

static void on_names(void *ctx, enum identity_result result, tr_str text,
                     const struct error *error)
{
    struct source *source = ctx;
    struct arena arena;
    tr_str key, raw, name;
    size_t cursor = 0;

    source->sweep.question = NULL;
    if (result != IDENTITY_KNOWN) {
        on_no_names(source, result, error);
        return;
    }
    if (source->sweep.failures > 0)
        log_info("databases can be listed again", LOG_S("source", source->settings->name));
    source->sweep.failures = 0;
    arena_init(&arena, 4096);
    while (json_next(text, &cursor, &key, &raw))
        if (json_decode(raw, &arena, &name))
            see(source, name);
    arena_fini(&arena);
    names_are_known(source);
}

static void see_named(struct source *source)
{
    size_t cursor = 0;
    tr_str name;
    void *list;

    if (source->settings->kind == SOURCE_FILE) {
        see(source, source->settings->database);
        return;
    }
    while (map_next(&source->index.names, &cursor, &name, &list))
        see(source, name);
}

static void begin(struct source *source)
{
    struct sweep *sweep = &source->sweep;

    if (source->engine->stopping)
        return;
    if (sweep->question || timer_is_set(&sweep->pace)) {
        sweep->wanted = true; /* single databases are looked at: after them */
        sweep->running = true;
        return;
    }
    sweep->running = true;
    sweep->began_ms = clock_ms();
    sweep->looked = sweep->changed = 0;
    sweep->listing++;
    list_each (it, &source->rules) {
        struct running_rule *rule = list_entry(it, struct running_rule, in_source);
        if (rule->listing == 0)
            rule->listing = sweep->listing;
    }
    see_named(source);
    news_start(source); /* before the names: what happens from here on is told              */
    if (!rule_index_has_patterns(&source->index) || source->settings->kind == SOURCE_FILE)
        names_are_known(source);
    else
        sweep->question = identity_ask_names(source->engine->loop, source->pool,
                                             &source->settings->url, on_names, source);
}

/* ---- beginning and end ---- */

void sweep_init(struct source *source)
{
    list_init(&source->sweep.left);
    list_init(&source->sweep.asked);
    list_init(&source->sweep.placings);
}

void sweep_fini(struct source *source)
{
    question_cancel(source->sweep.question);
    source->sweep.question = NULL;
    loop_clear_timer(source->engine->loop, &source->sweep.timer);
    loop_clear_timer(source->engine->loop, &source->sweep.pace);
    first_positions_fini(source);
}
