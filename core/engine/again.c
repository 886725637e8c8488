/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams that begin again since a plugin says that its sink has lost what was settled
 * (tr.position/1): one that is read begins at once, one that is not gets its checkpoint and its
 * database a turn. Called by running_rule.c on the loop thread.
 */
#include "engine/private.h"
#include "observe/log.h"

static struct subscription *find_in(const struct list *list, tr_str stream)
{
    list_each (it, list) {
        struct subscription *subscription = list_entry(it, struct subscription, in_rule);
        if (str_eq(str_c(subscription->stream->key), stream))
            return subscription;
    }
    return NULL;
}

/* Of one that nobody reads: a cursor that is not done knows its parts, or the store does. */
static bool find_name(struct running_rule *rule, tr_str stream, struct arena *arena,
                      struct stream_name *ret_name)
{
    const struct stream_name *retired = cursor_retired(rule->binding, stream);
    struct store_checkpoint checkpoint = {0};
    struct error error;
    bool found = false;

    if (retired) {
        *ret_name = *retired;
        return true;
    }
    if (store_checkpoint_get(rule->engine->store, rule->settings->name, stream, arena,
                             &checkpoint, &found, &error) < 0) {
        log_error("checkpoint cannot be read: the database does not begin again",
                  LOG_S("rule", rule->settings->name), LOG_S("stream", stream),
                  LOG_C("reason", error.text));
        return false;
    }
    if (found)
        *ret_name = (struct stream_name){.key = checkpoint.stream,
                                         .source = checkpoint.source,
                                         .db = checkpoint.db,
                                         .incarnation = checkpoint.incarnation};
    return found;
}

/* Its cursor waits until its checkpoint is durable; whoever reads the stream takes it up. */
static void begin_unread(struct running_rule *rule, tr_str stream, tr_str since)
{
    struct database *database;
    struct stream_name name;
    struct arena arena;

    arena_init(&arena, 1024);
    if (find_name(rule, stream, &arena, &name) && !name.transient) {
        database = rule->source ? database_find(rule->source, name.db) : NULL;
        cursor_retire(cursor_again(rule->binding, &name, since));
        if (database) {
            database->settled = false;
            database_changed(database);
        }
    }
    arena_fini(&arena);
}

void again_begin(struct running_rule *rule, tr_str stream, tr_str since)
{
    struct subscription *subscription = find_in(&rule->subscriptions, stream);

    if (!subscription)
        subscription = find_in(&rule->stalled, stream);
    if (subscription)
        subscription_again(subscription, since);
    else
        begin_unread(rule, stream, since);
    engine_look(rule->engine);
}
