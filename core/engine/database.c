/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Databases: ten thousand names, of which a few are read at a time.
 *
 *     changed ──▶ urgent ──┐            ┌─▶ cold: read once to its end, and at rest again
 *                          ├─ a turn ─▶ stream
 *     swept ────▶ backlog ─┘            └─▶ hot: a continuous feed, until it is silent
 *
 * While there are no more of them than continuous feeds are allowed, each has one all the time.
 * With more, one that is idle costs a hundred bytes and no connection. One that changed is read
 * by two requests; one that goes on changing gets a feed of its own, so that its changes come
 * at once. The backlog, which nobody waits for, is read within a budget of requests. Loop
 * thread.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "engine/private.h"

enum {
    REQUESTS_A_READ = 2, /* which incarnation it is, and its changes                       */
    BURST_MS = 500,      /* events of one change, as it may have several                   */
    TRY_MS = 500,        /* between two that are begun while all fail                      */
    STEAL_MS = 5000      /* a feed that was silent so long may be taken by another         */
};

/* ---- the names ---- */

struct database *database_find(const struct source *source, tr_str name)
{
    return map_get(&source->databases, name);
}

struct database *database_add(struct source *source, tr_str name)
{
    struct database *database = mem_zero(1, sizeof(*database) + name.len + 1);

    memcpy(database->text, name.ptr, name.len);
    database->name = str_n(database->text, name.len);
    database->source = source;
    list_init(&database->queue);
    list_init(&database->sweep);
    map_set(&source->databases, name, database);
    return database;
}

void database_free(struct database *database)
{
    struct source *source = database->source;

    database_answered(database);
    if (database->stream)
        stream_free(database->stream);
    list_remove(&database->queue);
    list_remove(&database->sweep);
    map_remove(&source->databases, database->name);
    free(database);
}

void database_answered(struct database *database)
{
    if (!database->pending)
        return;
    database->pending = false;
    database->source->initial_left--;
}

/* ---- turns ---- */

static void begin(struct database *database)
{
    struct source *source = database->source;

    list_remove(&database->queue);
    database->again = false;
    if (!database->stream)
        database->stream = stream_new(database);
    if (!database->stream->turn)
        source->reading++;
    database->stream->turn = true;
    stream_ask(database->stream);
}

static void turn_due(struct timer *timer)
{
    database_turns(list_entry(timer, struct source, turn));
}

/* Spread, so that many daemons that start together do not ask together. */
static void turn_later(struct source *source, int64_t wait_ms)
{
    source->turn.fire = turn_due;
    loop_set_timer(source->engine->loop, &source->turn,
                   wait_ms + (int64_t)random_below((uint64_t)wait_ms + 1));
}

void database_turns_soon(struct source *source)
{
    source->turn.fire = turn_due;
    loop_set_timer(source->engine->loop, &source->turn, 0);
}

void database_read_again(struct database *database)
{
    struct source *source = database->source;

    if (list_empty(&database->queue))
        list_push_back(&source->urgent, &database->queue);
    database_turns_soon(source);
}

/* The budget spares a server that thousands of databases are read from: a few need none. */
static bool may_begin_backlog(struct source *source)
{
    int64_t wait_ms;

    if (list_empty(&source->backlog) || timer_is_set(&source->turn) ||
        timer_is_set(&source->sweep.pace))
        return false; /* the sweep goes first: it finds what is worth reading              */
    if (source_has_many(source) && source->reading >= source_reads_at_once(source))
        return false;
    wait_ms = source_has_many(source) ? source_spend(source, REQUESTS_A_READ) : 0;
    if (wait_ms > 0)
        turn_later(source, wait_ms);
    return wait_ms == 0;
}

/* Whoever waits for the server asks again by himself. While it answers nobody no more shall do
 * so: ten thousand would overrun it when it is weak. One now and then, since those that fail
 * may be the only ones that do. */
static bool may_begin(struct source *source)
{
    int64_t passed_ms = clock_ms() - source->tried_ms;

    if (source->failures < (uint32_t)source->settings->max_connections)
        return true;
    if (list_empty(&source->urgent) && list_empty(&source->backlog))
        return false;
    if (passed_ms < TRY_MS) {
        turn_later(source, TRY_MS - passed_ms);
        return false;
    }
    source->tried_ms = clock_ms();
    return true;
}

void database_read_failed(struct source *source)
{
    source->failures++;
}

void database_read_well(struct source *source)
{
    bool failed = source->failures >= (uint32_t)source->settings->max_connections;

    source->failures = 0;
    if (failed)
        database_turns_soon(source);
}

void database_turns(struct source *source)
{
    /* First positions that are not in the store yet would be taken for none. */
    if (source->engine->stopping || !list_empty(&source->sweep.placings))
        return;
    while (source->reading < (uint32_t)source->settings->max_connections && may_begin(source)) {
        if (!list_empty(&source->urgent))
            begin(list_entry(source->urgent.next, struct database, queue));
        else if (may_begin_backlog(source))
            begin(list_entry(source->backlog.next, struct database, queue));
        else
            return;
    }
}

bool database_is_idle(const struct database *database)
{
    return list_empty(&database->queue) &&
           (!database->stream || stream_is_parked(database->stream));
}

void database_look(struct database *database)
{
    if (!database_is_idle(database))
        return;
    database->swept = true;
    list_push_back(&database->source->backlog, &database->queue);
    database_turns(database->source);
}

static bool is_followed(const struct stream *stream)
{
    list_each (it, &stream->subscriptions) {
        const struct subscription *subscription = list_entry(it, struct subscription,
                                                             in_stream);
        if (!subscription->reader || !subscription->reader->follows)
            return false;
    }
    return stream->state == STREAM_READY && !list_empty(&stream->subscriptions);
}

void database_changed(struct database *database)
{
    struct stream *stream = database->stream;
    int64_t now = clock_ms(), while_ms = database->source->settings->hot_idle_ms;

    if (database->changed_ms == 0 || now - database->changed_ms >= BURST_MS) {
        if (database->changed_ms > 0 && now - database->changed_ms < while_ms)
            database->hot_until_ms = now + while_ms;
        database->changed_ms = now;
    }
    if (!stream || stream_is_parked(stream)) {
        list_remove(&database->queue);
        list_push_back(&database->source->urgent, &database->queue);
        database_turns(database->source);
    } else if (stream->state == STREAM_WAITING && stream->missing) {
        stream_ask(stream);
    } else if (stream->state == STREAM_READY && !is_followed(stream)) {
        database->again = true; /* what is read now may have been asked for before         */
    }
}

/* ---- at rest ---- */

/* Its token names all that was read. In a cluster another copy of the database may have
 * answered the question than sent the rows, and be ahead of it: then the token counts only when
 * a sweep, minutes later, found the same one and read again. */
static bool is_settled(const struct database *database, const struct identity_facts *facts)
{
    return facts && facts->token != 0 && !database->again &&
           (facts->one_copy || (database->swept && facts->token == database->token));
}

static void note_complete(struct stream *stream)
{
    list_each (it, &stream->subscriptions) {
        struct subscription *subscription = list_entry(it, struct subscription, in_stream);
        if (subscription->reader && subscription->reader->complete)
            cursor_complete(subscription->cursor, stream->facts.token);
    }
}

void database_rest(struct database *database, const struct identity_facts *facts)
{
    struct source *source = database->source;
    bool again = database->again;

    database->settled = is_settled(database, facts);
    database->token = facts ? facts->token : 0;
    database->swept = database->again = false;
    if (database->settled && database->stream)
        note_complete(database->stream);
    stream_free(database->stream);
    if (again)
        database_changed(database);
    database_turns(source);
    engine_look(source->engine);
}

/* ---- hot and cold ---- */

bool database_is_hot(const struct database *database)
{
    return !source_has_many(database->source) || database->hot_until_ms > clock_ms();
}

static bool is_quiet(const struct stream *stream, int64_t for_ms)
{
    if (!is_followed(stream) || clock_ms() - stream->active_ms < for_ms)
        return false;
    list_each (it, &stream->readers) {
        const struct reader *reader = list_entry(it, struct reader, link);
        if (reader->paused || reader->state != FEED_LIVE)
            return false;
    }
    return true;
}

static bool steal_feed(struct source *source, const struct database *but)
{
    struct stream *silent = NULL;

    list_each (it, &source->streams) {
        struct stream *stream = list_entry(it, struct stream, link);
        if (stream->database != but && is_quiet(stream, STEAL_MS) &&
            (!silent || stream->active_ms < silent->active_ms))
            silent = stream;
    }
    if (silent)
        stream_give_up(silent);
    return silent != NULL;
}

bool database_take_feed(struct database *database)
{
    struct source *source = database->source;

    if (source->engine->options.mode != ENGINE_FOLLOW || !database_is_hot(database))
        return false;
    if (source->live_feeds >= (uint32_t)source->settings->max_feeds &&
        (!source_has_many(source) || !steal_feed(source, database) ||
         source->live_feeds >= (uint32_t)source->settings->max_feeds))
        return false;
    source->live_feeds++;
    return true;
}

void database_cool(struct source *source)
{
    if (!source_has_many(source))
        return;
    list_each_safe (it, &source->streams) {
        struct stream *stream = list_entry(it, struct stream, link);
        if (is_quiet(stream, source->settings->hot_idle_ms))
            stream_give_up(stream);
    }
}
