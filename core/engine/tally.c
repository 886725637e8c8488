/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many there are of what, see tally.h. It only looks. Loop thread.
 */
#include "engine/tally.h"

static bool has_feed(const struct stream *stream)
{
    list_each (it, &stream->readers)
        if (list_entry(it, struct reader, link)->follows)
            return true;
    return false;
}

void tally_database(struct tally *tally, const struct database *database)
{
    const struct stream *stream = database->stream;

    if (database->missing)
        tally->missing++;
    else if (stream && (stream->state == STREAM_WAITING || stream->stuck_since_ms > 0))
        tally->waiting++;
    else if (stream && has_feed(stream))
        tally->hot++;
    else if (stream)
        tally->reading++;
    else if (!list_empty(&database->queue))
        tally->queued++;
    else
        tally->idle++;
}

static void add_reading(struct reading *reading, const struct list *subscriptions)
{
    list_each (it, subscriptions) {
        const struct subscription *subscription = list_entry(it, struct subscription, in_rule);
        reading->streams++;
        if (subscription->reader && subscription->reader->feed)
            reading->pending += feed_pending(subscription->reader->feed);
    }
}

struct reading reading_of(const struct running_rule *rule)
{
    struct reading reading = {0};

    add_reading(&reading, &rule->subscriptions);
    add_reading(&reading, &rule->stalled);
    return reading;
}

const char *tally_state(const struct running_rule *rule)
{
    if (binding_held(rule->binding))
        return "held";
    if (rule->leaving || rule->engine->stopping)
        return "draining";
    return binding_is_running(rule->binding) ? "running" : "starting";
}

const char *tally_unreached(const struct source *source)
{
    if (list_empty(&source->rules))
        return NULL;
    if (source->sweep.listed == 0)
        return "its databases have not been listed yet";
    if (source->failures > 0 || source->sweep.failures > 0)
        return "it does not answer as it should";
    return source->initial_left > 0 ? "some of its databases have not been asked yet" : NULL;
}
