/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How far a run to the end of every stream is, and its end before that. It only looks: once at
 * each database, rule and stream that is read, a few times a second. Called by the cli on the
 * loop thread.
 */
#include "engine/document_rules.h"
#include "engine/private.h"

/* Rows that the server says are still to be read here, for all rules; 0: it does not say, or
 * the last page is being read. */
static uint64_t pending_of(const struct stream *stream)
{
    uint64_t pending = 0;

    list_each (it, &stream->subscriptions) {
        const struct subscription *subscription = list_entry(it, struct subscription,
                                                             in_stream);
        if (subscription->reader && subscription->reader->feed)
            pending += (uint64_t)feed_pending(subscription->reader->feed);
    }
    return pending;
}

static bool is_read(const struct database *database)
{
    return !database->stream && list_empty(&database->queue) && list_empty(&database->sweep);
}

static void add_databases(struct engine_progress *progress, const struct source *source)
{
    uint64_t pending;
    size_t cursor = 0;
    tr_str name;
    void *value;

    progress->databases += source->databases.count;
    progress->listed &= source->sweep.listed > 0;
    if (source->sweep.listed == 0)
        return; /* none of them is in a queue yet: they would all seem to be read            */
    while (map_next(&source->databases, &cursor, &name, &value)) {
        const struct database *database = value;
        if (is_read(database)) {
            progress->read++;
            continue;
        }
        pending = database->stream ? pending_of(database->stream) : 0;
        progress->pending += pending;
        progress->untold += pending == 0;
    }
}

void engine_get_progress(const struct engine *engine, struct engine_progress *ret_progress)
{
    struct engine_progress progress = {.listed = document_rules_are_read(engine),
                                       .stopping = engine->stopping};
    struct binding_stats stats;
    uint64_t waiting = 0;

    engine_get_stats(engine, &stats);
    list_each (it, &engine->rules) {
        struct binding_lag lag;
        binding_get_lag(list_entry(it, struct running_rule, link)->binding, &lag);
        waiting += lag.rows;
    }
    list_each (it, &engine->sources)
        add_databases(&progress, list_entry(it, struct source, link));
    progress.received = stats.received;
    progress.settled = stats.received > waiting ? stats.received - waiting : 0;
    *ret_progress = progress;
}

struct parts {
    const struct source *source;
    struct engine_part *parts;
    size_t count, room;
};

static bool take_part(void *ctx, const struct binding_part *part)
{
    struct parts *parts = ctx;
    const struct database *database = database_find(parts->source, part->db);
    uint64_t pending = database && database->stream ? pending_of(database->stream) : 0;

    if (parts->count == parts->room)
        return false;
    parts->parts[parts->count++] = (struct engine_part){
        .db = part->db,
        .settled = part->settled,
        .goal = part->is_read || pending > 0 ? part->received + pending : 0,
    };
    return true;
}

size_t engine_get_parts(const struct engine *engine, struct engine_part *parts, size_t room)
{
    struct parts taken = {.parts = parts, .room = room};

    list_each (it, &engine->rules) {
        const struct running_rule *rule = list_entry(it, struct running_rule, link);
        taken.source = rule->source;
        if (rule->source)
            binding_each_part(rule->binding, take_part, &taken);
    }
    return taken.count;
}

void engine_interrupt(struct engine *engine, int exit_code)
{
    if (!engine->stopping && engine->exit_code == 0)
        engine->exit_code = exit_code;
    engine_stop(engine);
}
