/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Subscriptions: a rule at a stream. It begins at its checkpoint, or where the rule says,
 * unless the plugin keeps a position of its own (tr.position/1): then that one is asked before
 * anything is read, and until it answers there is no cursor. Such a plugin may also have it
 * begin again, when its sink is not what it was. Loop thread.
 */
#include "base/mem.h"
#include "engine/private.h"
#include "observe/log.h"

static struct stream_name name_of(const struct stream *stream)
{
    const struct source_settings *settings = stream->source->settings;

    return (struct stream_name){
        .key = str_c(stream->key),
        .source = settings->name,
        .db = stream->db,
        .incarnation = str_c(stream->incarnation),
        .transient = settings->kind == SOURCE_FILE && str_eq(settings->path, STR("-")),
    };
}

static void begin(struct subscription *subscription, tr_str since)
{
    const struct stream_name name = name_of(subscription->stream);

    if (subscription->cursor) { /* it begins again                                         */
        cursor_advance(subscription->cursor, since);
        reader_join(subscription);
        return;
    }
    subscription->cursor = cursor_new(subscription->rule->binding, &name, since,
                                      subscription->ordinal);
    /* A cursor that came back may have gone on from there, and not be in the store yet. */
    if (subscription->is_first && str_eq(cursor_received(subscription->cursor), since))
        cursor_touch(subscription->cursor);
    reader_join(subscription);
}

/* What the plugin says counts, also over a checkpoint: it knows whether its sink is as it was.
 */
static void on_position(void *ctx, tr_str seq)
{
    struct subscription *subscription = ctx;
    tr_str since = buf_str(&subscription->since);

    subscription->ask = NULL;
    if (seq.len > 0 && !str_eq(seq, since)) {
        log_notice("plugin says where it begins",
                   LOG_S("rule", subscription->rule->settings->name),
                   LOG_S("db", subscription->stream->db), LOG_S("seq", str_clip(seq, 40)));
        subscription->is_first = true;
        since = seq;
    }
    begin(subscription, since);
    stream_check(subscription->stream);
    engine_look(subscription->stream->source->engine);
}

/* Asks the plugin, or begins at once where it has no word in that. */
static void ask(struct subscription *subscription, tr_str since, bool has_checkpoint)
{
    const struct stream *stream = subscription->stream;
    const struct position_question question = {
        .source = stream->source->settings->name,
        .db = stream->db,
        .stream = str_c(stream->key),
        .seq = since,
        .has_checkpoint = has_checkpoint,
        .answered = on_position,
        .ctx = subscription,
    };

    subscription->ask = binding_ask_position(subscription->rule->binding, &question);
    if (subscription->ask)
        buf_add_str(&subscription->since, since);
    else
        begin(subscription, since);
}

void subscription_new(struct stream *stream, struct running_rule *rule, tr_str since,
                      int64_t ordinal, bool is_first)
{
    struct subscription *subscription = mem_new(struct subscription);

    subscription->stream = stream;
    subscription->rule = rule;
    subscription->ordinal = ordinal;
    subscription->is_first = is_first;
    list_init(&subscription->in_reader);
    list_push_back(&stream->subscriptions, &subscription->in_stream);
    list_push_back(&rule->stalled, &subscription->in_rule);
    ask(subscription, since, !is_first || rule->is_backfill);
}

void subscription_again(struct subscription *subscription, tr_str since)
{
    const struct stream_name name = name_of(subscription->stream);

    if (name.transient) /* what came through a pipe does not come again                    */
        return;
    reader_leave(subscription);
    position_cancel(subscription->ask);
    if (subscription->cursor)
        cursor_retire(subscription->cursor);
    subscription->cursor = NULL;
    subscription->cursor = cursor_again(subscription->rule->binding, &name, since);
    buf_clear(&subscription->since);
    ask(subscription, since, true);
}

void subscription_free(struct subscription *subscription)
{
    reader_leave(subscription);
    position_cancel(subscription->ask);
    if (subscription->cursor)
        cursor_retire(subscription->cursor);
    buf_fini(&subscription->since);
    list_remove(&subscription->in_stream);
    list_remove(&subscription->in_rule);
    free(subscription);
}
