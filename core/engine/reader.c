/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reader: one feed of a stream, shared by the subscriptions whose position on it is the same.
 *
 * Rows go to all of them. One whose binding is full leaves the reader, so that it delays
 * nobody, and gets one of its own from its own position when there is room again; where two
 * readers turn out to stand at the same place they become one. When all are full the feed
 * pauses. Loop thread.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "engine/private.h"
#include "observe/log.h"

static void reader_start(struct reader *reader);

/* ---- making and ending ---- */

static void leave_place(struct reader *reader)
{
    if (reader->follows)
        reader->source->live_feeds--;
    reader->follows = false;
}

static void stop_feed(struct reader *reader)
{
    feed_free(reader->feed);
    reader->feed = NULL;
    leave_place(reader);
    reader->paused = false;
}

void reader_free(struct reader *reader)
{
    if (!reader)
        return;
    stop_feed(reader);
    loop_clear_timer(reader->source->engine->loop, &reader->poll);
    list_remove(&reader->link);
    buf_fini(&reader->key);
    buf_fini(&reader->since);
    settings_unref(reader->generation);
    free(reader);
}

static void reap(struct task *task)
{
    struct engine *engine = list_entry(task, struct engine, reap_task);

    engine->reap_posted = false;
    while (!list_empty(&engine->idle_readers))
        reader_free(list_entry(engine->idle_readers.next, struct reader, link));
}

/* Not freed here: it may be in the middle of handing out rows. */
static void abandon(struct reader *reader)
{
    struct engine *engine = reader->source->engine;

    if (reader->feed)
        feed_pause(reader->feed);
    loop_clear_timer(engine->loop, &reader->poll);
    leave_place(reader);
    reader->stream = NULL; /* which may go first; callbacks look                            */
    list_remove(&reader->link);
    list_push_back(&engine->idle_readers, &reader->link);
    if (engine->reap_posted)
        return;
    engine->reap_posted = true;
    engine->reap_task.run = reap;
    loop_post(engine->loop, &engine->reap_task);
}

/* ---- who reads along ---- */

static tr_str position(const struct reader *reader)
{
    if (list_empty(&reader->subscriptions))
        return buf_str(&reader->since);
    return cursor_received(
        list_entry(reader->subscriptions.next, struct subscription, in_reader)->cursor);
}

static void move_to(struct subscription *subscription, struct reader *reader)
{
    list_remove(&subscription->in_reader);
    list_push_back(&reader->subscriptions, &subscription->in_reader);
    subscription->reader = reader;
    list_remove(&subscription->in_rule);
    list_push_back(&subscription->rule->subscriptions, &subscription->in_rule);
}

void reader_leave(struct subscription *subscription)
{
    struct reader *reader = subscription->reader;

    if (!reader)
        return;
    list_remove(&subscription->in_reader);
    subscription->reader = NULL;
    list_remove(&subscription->in_rule);
    list_push_back(&subscription->rule->stalled, &subscription->in_rule);
    if (list_empty(&reader->subscriptions))
        abandon(reader);
}

static struct reader *reader_new(struct subscription *subscription)
{
    struct reader *reader = mem_new(struct reader);

    reader->source = subscription->stream->source;
    reader->stream = subscription->stream;
    reader->query = &subscription->rule->settings->query;
    reader->generation = subscription->rule->generation;
    settings_ref(reader->generation);
    buf_add_str(&reader->key, buf_str(&subscription->rule->settings->query_key));
    list_init(&reader->subscriptions);
    list_push_back(&reader->stream->readers, &reader->link);
    move_to(subscription, reader);
    return reader;
}

void reader_join(struct subscription *subscription)
{
    tr_str key = buf_str(&subscription->rule->settings->query_key);

    if (subscription->reader || !subscription->cursor || subscription->ask ||
        binding_held(subscription->rule->binding))
        return;
    if (source_has_many(subscription->stream->source) &&
        !binding_has_room(subscription->rule->binding)) {
        stream_yield(subscription->stream); /* reader_room() comes back to it              */
        return;
    }
    list_each (it, &subscription->stream->readers) {
        struct reader *reader = list_entry(it, struct reader, link);
        /* A paused one waits for somebody who is full. The same token means the same place;
         * nothing else about two tokens is known. */
        if (reader->paused || !str_eq(buf_str(&reader->key), key) ||
            !str_eq(position(reader), cursor_received(subscription->cursor)))
            continue;
        move_to(subscription, reader);
        if (reader->complete)
            stream_check(reader->stream); /* nothing more comes that would */
        return;
    }
    reader_start(reader_new(subscription));
}

static void merge(struct reader *reader)
{
    struct stream *stream = reader->stream;

    if (!stream || reader->paused || stream->readers.next->next == &stream->readers)
        return;
    list_each (it, &stream->readers) {
        struct reader *other = list_entry(it, struct reader, link);
        if (other == reader || other->paused ||
            !str_eq(buf_str(&other->key), buf_str(&reader->key)) ||
            !str_eq(position(other), position(reader)))
            continue;
        list_each_safe (link, &reader->subscriptions)
            move_to(list_entry(link, struct subscription, in_reader), other);
        abandon(reader);
        if (other->complete)
            stream_check(stream);
        return;
    }
}

/* ---- back-pressure ---- */

static void balance(struct reader *reader)
{
    uint32_t full = 0, all = 0;

    list_each (it, &reader->subscriptions) {
        struct subscription *subscription = list_entry(it, struct subscription, in_reader);
        full += !binding_has_room(subscription->rule->binding);
        all++;
    }
    if (full == 0 || all == 0)
        return;
    if (full == all) {
        reader->paused = true;
        feed_pause(reader->feed);
        stream_yield(reader->stream);
        stream_check(reader->stream);
        return;
    }
    list_each_safe (it, &reader->subscriptions) {
        struct subscription *subscription = list_entry(it, struct subscription, in_reader);
        if (!binding_has_room(subscription->rule->binding))
            reader_leave(subscription);
    }
}

/* A full window stops all that fill it: no more than one delivery is to go over it. */
static void balance_others(struct reader *reader)
{
    list_each (it, &reader->subscriptions) {
        struct running_rule *rule = list_entry(it, struct subscription, in_reader)->rule;
        if (binding_has_room(rule->binding))
            continue;
        list_each_safe (link, &rule->subscriptions) {
            struct reader *other = list_entry(link, struct subscription, in_rule)->reader;
            if (other != reader && other->feed && !other->paused)
                balance(other);
        }
    }
}

static bool all_have_room(const struct reader *reader)
{
    list_each (it, &reader->subscriptions) {
        if (!binding_has_room(list_entry(it, struct subscription, in_reader)->rule->binding))
            return false;
    }
    return true;
}

/* Those that wait start a few at a time: there may be one for each of ten thousand databases,
 * and the window does not show what they will bring before they bring it. */
static void join_stalled(struct running_rule *rule)
{
    const struct source *source = rule->source;
    uint32_t most = source ? (uint32_t)source->settings->max_connections : 0;

    while (!list_empty(&rule->stalled) && binding_has_room(rule->binding) && most-- > 0 &&
           (!source->pool || /* a file */
            http_pool_waiting(source->pool) < (uint32_t)source->settings->max_connections))
        reader_join(list_entry(rule->stalled.next, struct subscription, in_rule));
}

void reader_room(struct running_rule *rule)
{
    list_each_safe (it, &rule->subscriptions) {
        struct subscription *subscription = list_entry(it, struct subscription, in_rule);
        struct reader *reader = subscription->reader;

        if (reader->paused && all_have_room(reader)) {
            reader->paused = false;
            feed_resume(reader->feed);
        } else if (reader->paused) {
            /* Another one holds it up: go on without it. */
            reader_leave(subscription);
        }
        if (!binding_has_room(rule->binding))
            return;
    }
    join_stalled(rule);
}

/* A paused feed keeps its connection, and a rule that stalls on many databases would in time
 * have them all. So where calls wait for one, whoever is paused gives his up; a subscription
 * without a reader gets another when its binding has room. */
void reader_yield(struct source *source)
{
    if (!source->pool || http_pool_waiting(source->pool) == 0)
        return;
    list_each (it, &source->streams) {
        struct stream *stream = list_entry(it, struct stream, link);
        list_each_safe (link, &stream->readers) {
            struct reader *reader = list_entry(link, struct reader, link);
            list_each_safe (at, &reader->subscriptions) {
                if (reader->paused)
                    reader_leave(list_entry(at, struct subscription, in_reader));
            }
        }
    }
}

/* ---- what the feed brings ---- */

static void count_rows(struct source *source, const struct segment *segment)
{
    source->rows += segment->count;
    for (uint32_t i = 0; i < segment->count; i++)
        source->row_bytes += segment->rows[i].raw.len;
}

static void on_rows(void *ctx, struct segment *segment)
{
    struct reader *reader = ctx;

    if (!reader->stream)
        return;
    stream_well(reader->stream);
    reader->stream->active_ms = clock_ms();
    count_rows(reader->source, segment);
    list_each_safe (it, &reader->subscriptions)
        cursor_take(list_entry(it, struct subscription, in_reader)->cursor, segment);
    balance_others(reader);
    balance(reader);
    merge(reader);
}

static void on_position(void *ctx, tr_str seq)
{
    struct reader *reader = ctx;

    if (!reader->stream)
        return;
    stream_well(reader->stream);
    list_each (it, &reader->subscriptions)
        cursor_advance(list_entry(it, struct subscription, in_reader)->cursor, seq);
}

static void on_state(void *ctx, enum feed_state state, const struct error *error)
{
    struct reader *reader = ctx;
    struct stream *stream = reader->stream;

    if (!stream)
        return;
    reader->state = state;
    reader->source->feed_failures += state == FEED_DENIED || state == FEED_WAITING;
    switch (state) {
    case FEED_LIVE:
        stream_well(stream);
        database_read_well(reader->source);
        stream->active_ms = clock_ms();
        log_info("following", LOG_S("source", stream->source->settings->name),
                 LOG_S("db", stream->db));
        stream_yield(stream);
        merge(reader);
        break;
    case FEED_DENIED:
        stream_trouble(stream, error ? error->text : "not allowed");
        stream_yield(stream);
        if (stream->source->engine->options.mode == ENGINE_ONCE)
            engine_fail(stream->source->engine, error_exit_code(ERR_NOPERM));
        break;
    case FEED_WAITING:
        stream_trouble(stream, error ? error->text : "no answer");
        database_read_failed(reader->source);
        stream_yield(stream);
        break;
    case FEED_CONNECTING:
    case FEED_CATCHING_UP: break;
    }
}

static void poll_due(struct timer *timer)
{
    reader_start(list_entry(timer, struct reader, poll));
}

/* Reads again from where it is, after a while. */
static void read_again_later(struct reader *reader, int64_t after_ms)
{
    stop_feed(reader);
    reader->poll.fire = poll_due;
    loop_set_timer(reader->stream->source->engine->loop, &reader->poll, after_ms);
}

/* A connection is free. */
static void join_all_stalled(struct reader *reader)
{
    list_each (it, &reader->subscriptions)
        join_stalled(list_entry(it, struct subscription, in_reader)->rule);
}

static void on_ended(void *ctx, enum feed_end end, const struct error *error)
{
    struct reader *reader = ctx;
    struct stream *stream = reader->stream;
    struct engine *engine = reader->source->engine;
    int64_t poll_ms = reader->source->settings->poll_ms;

    if (!stream)
        return;
    switch (end) {
    case FEED_COMPLETE:
        database_read_well(reader->source);
        if (engine->options.mode == ENGINE_ONCE || source_has_many(stream->source)) {
            stop_feed(reader);
            reader->complete = true;
            stream_check(stream);
            join_all_stalled(reader);
            engine_look(engine);
        } else {
            /* The rules of a few databases stand at more places than there are feeds. */
            read_again_later(reader, poll_ms - poll_ms / 4 +
                                         (int64_t)random_below((uint64_t)poll_ms / 2 + 1));
        }
        return;
    case FEED_REFUSED:
        log_error("source refuses the feed", LOG_S("source", stream->source->settings->name),
                  LOG_S("db", stream->db), LOG_C("reason", error ? error->text : "unknown"));
        stream_trouble(stream, error ? error->text : "refused");
        stream_yield(stream);
        read_again_later(reader, stream->source->settings->retry_max_ms);
        if (engine->options.mode == ENGINE_ONCE)
            engine_fail(engine, error_exit_code(error ? error->code : ERR_DATA));
        return;
    case FEED_GONE:
    case FEED_REPLACED:
        log_notice(end == FEED_GONE ? "database is gone: its checkpoints are kept"
                                    : "database was replaced: it is a new stream",
                   LOG_S("source", stream->source->settings->name), LOG_S("db", stream->db));
        stream_ask(stream); /* ends this reader and all others of the stream                */
        return;
    }
}

static const struct feed_events feed_events = {
    .rows = on_rows, .position = on_position, .state = on_state, .ended = on_ended};

static void reader_start(struct reader *reader)
{
    struct stream *stream = reader->stream;
    struct source *source = stream->source;
    struct feed_options options = {
        .loop = source->engine->loop,
        .mode = FEED_ONCE,
        .retry_min_ms = source->settings->retry_min_ms,
        .retry_max_ms = source->settings->retry_max_ms,
        .events = &feed_events,
        .ctx = reader,
    };

    if (database_take_feed(stream->database)) {
        options.mode = FEED_FOLLOW;
        reader->follows = true;
    }
    reader->complete = false;
    buf_clear(&reader->since);
    buf_add_str(&reader->since, position(reader));
    options.since = buf_str(&reader->since);
    if (source->settings->kind == SOURCE_FILE)
        reader->feed = feed_file_new(&options, source->settings->path.ptr,
                                     reader->query->max_row);
    else
        reader->feed = feed_changes_new(&options, reader->query, source->pool,
                                        &source->settings->url, stream->db,
                                        str_c(stream->incarnation));
    feed_start(reader->feed);
}
