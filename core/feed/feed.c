/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The face of the feeds, and the way to their owner's callbacks. Loop thread.
 */
#include "feed/private.h"

#include "base/mem.h"

void feed_init(struct feed *feed, const struct feed_kind *kind,
               const struct feed_options *options)
{
    feed->kind = kind;
    feed->loop = options->loop;
    feed->mode = options->mode;
    feed->retry_min_ms = options->retry_min_ms > 0 ? options->retry_min_ms : 250;
    feed->retry_max_ms = options->retry_max_ms > feed->retry_min_ms ? options->retry_max_ms
                                                                    : feed->retry_min_ms;
    feed->events = options->events;
    feed->ctx = options->ctx;
    feed->state = -1;
}

void feed_enter(struct feed *feed)
{
    feed->inside++;
}

void feed_leave(struct feed *feed)
{
    if (--feed->inside == 0 && feed->freed)
        feed->kind->free(feed);
}

void feed_free(struct feed *feed)
{
    if (!feed || feed->freed)
        return;
    feed_enter(feed);
    feed->freed = true;
    feed->kind->stop(feed);
    feed_leave(feed);
}

void feed_start(struct feed *feed)
{
    if (feed->started)
        return;
    feed->started = true;
    feed_enter(feed);
    feed->kind->start(feed);
    feed_leave(feed);
}

void feed_pause(struct feed *feed)
{
    if (feed->paused || feed_is_done(feed))
        return;
    feed->paused = true;
    feed->kind->pause(feed);
}

void feed_resume(struct feed *feed)
{
    if (!feed->paused || feed_is_done(feed))
        return;
    feed->paused = false;
    feed->kind->resume(feed);
}

int64_t feed_pending(const struct feed *feed)
{
    return feed->pending > 0 ? feed->pending : 0;
}

void feed_say_rows(struct feed *feed, struct segment *segment)
{
    if (!feed_is_done(feed))
        feed->events->rows(feed->ctx, segment);
    segment_unref(segment);
}

void feed_say_position(struct feed *feed, tr_str seq)
{
    if (!feed_is_done(feed))
        feed->events->position(feed->ctx, seq);
}

void feed_say_state(struct feed *feed, enum feed_state state, const struct error *error)
{
    if (feed_is_done(feed) || (feed->state == (int)state && !error))
        return;
    feed->state = (int)state;
    feed->events->state(feed->ctx, state, error);
}

void feed_say_end(struct feed *feed, enum feed_end end, const struct error *error)
{
    if (feed_is_done(feed))
        return;
    feed->kind->stop(feed);
    feed->over = true;
    feed->events->ended(feed->ctx, end, error);
}
