/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lane: changes of one stream in the order in which they must be handled, one batch of them
 * in flight at a time. A batch is made of the first changes of the queue, which stay there
 * until the outcome is known; so a retry is nothing but sending the head of the queue again,
 * and what comes behind it waits.
 */
#include "base/failpoint.h"
#include "base/mem.h"
#include "base/random.h"
#include "dispatch/private.h"

enum { RETRY_AFTER_MAX_MS = 3600000 };

void lane_push(struct lane *lane, struct item *item)
{
    item->lane_next = NULL;
    *lane->tail = item;
    lane->tail = &item->lane_next;
    lane->count++;
    lane->bytes += item->bytes;
}

struct item *lane_pop(struct lane *lane)
{
    struct item *item = lane->head;

    if (!item)
        return NULL;
    lane->head = item->lane_next;
    if (!lane->head)
        lane->tail = &lane->head;
    lane->count--;
    lane->bytes -= item->bytes;
    item->lane_next = NULL;
    return item;
}

static void set_backing_off(struct lane *lane, bool backs_off)
{
    struct binding *binding = lane->cursor->binding;

    if (backs_off && !lane->backing_off)
        binding->retrying++;
    else if (!backs_off && lane->backing_off)
        binding->retrying--;
    lane->backing_off = backs_off;
}

void lane_fini(struct lane *lane)
{
    lane_clear(lane);
    set_backing_off(lane, false);
}

void lane_drop(struct lane *lane)
{
    uint32_t sent = lane->sent ? lane->sent->count : 0;
    struct item **at = &lane->head, *item;

    lane_fini(lane);
    while (sent-- > 0)
        at = &(*at)->lane_next;
    item = *at;
    *at = NULL;
    lane->tail = at;
    while (item) {
        struct item *next = item->lane_next;

        lane->count--;
        lane->bytes -= item->bytes;
        item_forget(item);
        item = next;
    }
}

void lane_clear(struct lane *lane)
{
    struct binding *binding = lane->cursor->binding;

    loop_clear_timer(binding->setup.loop, &lane->timer);
    list_remove(&lane->ready);
    span_want_quiet(lane, false);
}

static bool is_full(const struct lane *lane, const struct binding_options *options)
{
    return lane->count >= options->batch_size || lane->bytes >= options->batch_bytes;
}

static void timer_due(struct timer *timer)
{
    struct lane *lane = list_entry(timer, struct lane, timer);

    if (!lane->backing_off)
        lane->waited = true;
    set_backing_off(lane, false);
    lane_update(lane);
    binding_pump(lane->cursor->binding);
}

/* Whether the lane's head may go: in a drain only if the position needs it. */
static bool is_wanted(const struct lane *lane, const struct item *item)
{
    enum binding_state state = lane->cursor->binding->state;

    return (state == BINDING_RUNNING ||
            (state == BINDING_DRAINING && item->ordinal <= lane->cursor->drain_to)) &&
           span_may_send(lane->cursor, item);
}

bool lane_may_send(const struct lane *lane)
{
    return lane->head && is_wanted(lane, lane->head);
}

void lane_update(struct lane *lane)
{
    struct binding *binding = lane->cursor->binding;
    const struct binding_options *options = &binding->setup.options;
    bool has_work = !lane->sent && !lane->backing_off && lane->head;

    span_want_quiet(lane, has_work && binding->state == BINDING_RUNNING);
    if (!has_work || !is_wanted(lane, lane->head)) {
        list_remove(&lane->ready);
        return;
    }
    if (!list_empty(&lane->ready))
        return; /* it keeps its turn, however often new changes come in */
    if (options->batch_wait_ms == 0 || lane->waited || lane->limit > 0 ||
        binding->state == BINDING_DRAINING || is_full(lane, options)) {
        loop_clear_timer(binding->setup.loop, &lane->timer);
        list_push_back(&binding->ready, &lane->ready);
    } else if (!timer_is_set(&lane->timer)) {
        lane->timer.fire = timer_due;
        loop_set_timer(binding->setup.loop, &lane->timer, options->batch_wait_ms);
    }
}

void lane_back_off(struct lane *lane, uint32_t retry_after_ms)
{
    const struct binding_options *options = &lane->cursor->binding->setup.options;
    int64_t delay = backoff_ms(lane->failures, options->retry_min_ms, options->retry_max_ms);

    /* The sink's own wish counts, within reason, with a little spread so that lanes do not come
     * back as one. */
    if (retry_after_ms > RETRY_AFTER_MAX_MS)
        retry_after_ms = RETRY_AFTER_MAX_MS;
    if (retry_after_ms > 0)
        delay = retry_after_ms + (int64_t)random_below(retry_after_ms / 8 + 1);
    else
        lane->failures++;
    set_backing_off(lane, true);
    if (lane->cursor->binding->state == BINDING_DRAINING) {
        lane->cursor->drain_to = -1; /* a stop does not wait for a sink that is down         */
        return;
    }
    lane->timer.fire = timer_due;
    loop_set_timer(lane->cursor->binding->setup.loop, &lane->timer, delay);
}

/* How many changes of the queue's head go into the next batch. */
static uint32_t batch_count(const struct lane *lane)
{
    const struct binding_options *options = &lane->cursor->binding->setup.options;
    uint32_t most = lane->limit > 0 ? lane->limit : options->batch_size;
    uint32_t count = 0;
    size_t bytes = 0;

    for (const struct item *item = lane->head; item && count < most; item = item->lane_next) {
        bytes += item->bytes;
        if (count > 0 && (bytes > options->batch_bytes || !is_wanted(lane, item) ||
                          !span_joins(lane->cursor, lane->head, item)))
            break;
        count++;
    }
    return count;
}

static uint32_t batch_flags(const struct cursor *cursor, const struct state_epoch *epoch)
{
    bool is_rolled_back = epoch && state_epoch_is_rolled_back(epoch);

    return (cursor->replays ? (uint32_t)TR_BATCH_REPLAY : 0) |
           (is_rolled_back ? (uint32_t)TR_BATCH_ROLLED_BACK : 0);
}

static struct batch *make_batch(struct lane *lane, uint32_t count)
{
    struct cursor *cursor = lane->cursor;
    struct batch *batch = mem_alloc(sizeof(*batch) + count * sizeof(tr_change));
    struct item *item = lane->head;

    batch->lane = lane;
    batch->count = count;
    batch->sent_ms = loop_now(cursor->binding->setup.loop);
    for (uint32_t i = 0; i < count; i++, item = item->lane_next) {
        batch->changes[i] = *item_change(item);
        batch->changes[i].attempt = ++item->attempts;
        if (item->attempts == 1)
            item->first_ms = batch->sent_ms;
        if (item->ordinal > cursor->sent_ordinal)
            cursor->sent_ordinal = item->ordinal;
    }
    batch->job.done = outcome_apply;
    batch->job.epoch = span_epoch(cursor, lane->head);
    batch->job.batch = (tr_batch){
        .flags = batch_flags(cursor, batch->job.epoch),
        .source = cursor->stream.source,
        .db = cursor->stream.db,
        .rule = str_c(cursor->binding->setup.name),
        .stream = cursor->stream.key,
        .changes = batch->changes,
        .count = count,
        .stride = sizeof(tr_change),
    };
    return batch;
}

bool lane_send(struct lane *lane)
{
    struct binding *binding = lane->cursor->binding;
    struct batch *batch = make_batch(lane, batch_count(lane));

    if (!instance_submit(binding->instance, &batch->job)) {
        free(batch);
        return false;
    }
    FAILPOINT("dispatch.sent");
    lane->sent = batch;
    lane->waited = false;
    span_want_quiet(lane, false);
    if (lane->cursor->replays && binding->kept)
        binding->replaying++;
    binding->inflight++;
    binding->stats.batches++;
    return true;
}
