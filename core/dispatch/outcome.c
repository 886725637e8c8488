/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an instance said of a batch, and what follows from it.
 *
 *     ok      settled
 *     retry   the lane backs off and sends its head again; nothing overtakes it
 *     reject  of one change: for good. Of several: half of them are sent again, and so on,
 * until the one is found that the sink does not take fatal   the binding is held
 *
 * A change that fails again and again without the sink saying when to come back counts as
 * poison after max_attempts and is searched for in the same way.
 */
#include "base/failpoint.h"
#include "base/mem.h"
#include "dispatch/private.h"
#include "observe/log.h"

/* The outcome of item `i`: its own, or the batch's. */
static int32_t item_status(const struct batch *batch, uint32_t i)
{
    int32_t status = batch->job.items ? batch->job.items[i] : batch->job.status;

    if (status == TR_RETRY && batch->job.items && PLANTED("lost_partial_outcome"))
        return TR_OK;
    return status;
}

/* Grows back after bisection, so that one bad change does not leave small batches behind. */
static void grow_limit(struct lane *lane)
{
    uint32_t size = lane->cursor->binding->setup.options.batch_size;

    if (lane->limit == 0)
        return;
    lane->limit = lane->limit * 2 >= size ? 0 : lane->limit * 2;
}

/* Taken by the sink, or left out by a transform. */
static void settle(struct item *item, int32_t status)
{
    struct binding_stats *stats = &item->cursor->binding->stats;

    if (item->letter != 0) {
        replay_settled(item);
        return;
    }
    if (status == TR_SKIP)
        stats->filtered++;
    else
        stats->ok++;
    item_settle(item);
}

/* Whether a change that failed in this batch has failed too often. A sink that asks for
 * patience is well and blames nobody, also not those that others have brought under suspicion.
 */
static bool is_poison(const struct batch *batch, const struct item *item)
{
    uint32_t max = batch->lane->cursor->binding->setup.options.max_attempts;

    return max > 0 && batch->job.retry_after_ms == 0 && item->faults >= max;
}

/* Whether each change failed for its own sake. */
static bool blames_each(const struct batch *batch)
{
    return batch->job.items && !batch->job.undecided;
}

/* The one that always fails was found: those that were sent with it start anew. */
static void acquit_others(struct lane *lane)
{
    for (struct item *item = lane->head; item && item->attempts > 0; item = item->lane_next)
        item->faults = 0;
}

static void log_failure(const struct batch *batch, const char *what)
{
    const struct cursor *cursor = batch->lane->cursor;

    log_warn(what, LOG_C("rule", cursor->binding->setup.name), LOG_S("db", cursor->stream.db),
             LOG_I("changes", batch->count), LOG_I("failures", batch->lane->failures + 1),
             LOG_C("reason", batch->job.message));
}

/* Whether an earlier change of the same document is to be sent again. Then a later one must
 * follow it, although it was taken: else the older state would be the last that the sink sees.
 */
static bool must_follow(const struct item *again, uint32_t count, const struct item *item)
{
    for (; count > 0; count--, again = again->lane_next)
        if (str_eq(item_change(again)->id, item_change(item)->id))
            return true;
    return false;
}

/* The changes of a batch that are refused for good, and why each is; arrays with room for all.
 */
struct rejects {
    struct item **items;
    const char **messages; /* of the batch's job                                           */
    uint32_t count;
};

/* Takes the batch's items off the lane and sorts them; those to be sent again go back in front,
 * in their order. Returns how many those are. */
static uint32_t sort_items(struct batch *batch, struct rejects *rejects)
{
    struct lane *lane = batch->lane;
    struct item *again = NULL, **again_tail = &again;
    uint32_t again_count = 0;
    size_t again_bytes = 0;

    for (uint32_t i = 0; i < batch->count; i++) {
        struct item *item = lane_pop(lane);
        int32_t status = item_status(batch, i);

        if (status == TR_SKIP || (status == TR_OK && !must_follow(again, again_count, item))) {
            settle(item, status);
        } else if (status == TR_REJECT ||
                   (status == TR_RETRY && blames_each(batch) && is_poison(batch, item))) {
            rejects->messages[rejects->count] = job_message(&batch->job, i);
            rejects->items[rejects->count++] = item;
        } else {
            *again_tail = item;
            again_tail = &item->lane_next;
            again_count++;
            again_bytes += item->bytes;
        }
    }
    if (again_count > 0) {
        *again_tail = lane->head;
        if (!lane->head)
            lane->tail = again_tail;
        lane->head = again;
        lane->count += again_count;
        lane->bytes += again_bytes;
    }
    return again_count;
}

static void count_faults(struct batch *batch)
{
    struct item *item = batch->lane->head;

    if (batch->job.retry_after_ms > 0)
        return; /* the sink is well and asks for patience: nobody's fault                  */
    if (batch->job.undecided && batch->job.status == TR_REJECT)
        return; /* refused, but it is not known who: they are asked for by themselves       */
    for (uint32_t i = 0; i < batch->count; i++, item = item->lane_next)
        if (item_status(batch, i) == TR_RETRY)
            item->faults++;
}

/* The whole batch failed alike, and it is more than one change: is it time to look for the one?
 */
static bool must_bisect(const struct batch *batch)
{
    if (batch->job.items || batch->count < 2)
        return false;
    return batch->job.status == TR_REJECT ||
           (batch->job.status == TR_RETRY && is_poison(batch, batch->lane->head));
}

/* So many of the batch's changes wait in front of the lane. */
static void retry(struct batch *batch, uint32_t again)
{
    struct lane *lane = batch->lane;
    struct binding *binding = lane->cursor->binding;

    binding->stats.retried += again;
    free(binding->failure);
    binding->failure = str_dup(str_c(batch->job.message));
    if (batch->job.retry_after_ms == 0 || batch->job.message[0]) /* else: only later */
        log_failure(batch, "batch failed: it will be sent again");
    lane_back_off(lane, batch->job.retry_after_ms);
}

/* The common case: all of it was taken. */
static void settle_all(struct batch *batch)
{
    struct lane *lane = batch->lane;

    for (uint32_t i = 0; i < batch->count; i++)
        settle(lane_pop(lane), TR_OK);
    lane->failures = 0;
    grow_limit(lane);
}

static void apply(struct batch *batch)
{
    struct lane *lane = batch->lane;
    struct binding *binding = lane->cursor->binding;
    struct rejects rejects = {.count = 0};
    uint32_t again;
    bool found;

    if (batch->job.status == TR_OK && !batch->job.items) {
        settle_all(batch);
        return;
    }
    count_faults(batch);
    if (must_bisect(batch)) {
        lane->limit = batch->count / 2;
        log_failure(batch, "batch refused as a whole: sending halves to find the change");
        return;
    }
    found = !batch->job.items && batch->job.status == TR_RETRY && is_poison(batch, lane->head);
    if (found)
        batch->job.status = TR_REJECT; /* one change, as bisection ended */
    rejects.items = mem_new_array(struct item *, batch->count);
    rejects.messages = mem_new_array(const char *, batch->count);
    again = sort_items(batch, &rejects);
    if (found)
        acquit_others(lane);
    if (batch->job.undecided)
        lane->limit = again; /* those alone, for a verdict that is about them                */
    if (again > 0 && !(batch->job.undecided && batch->job.status == TR_REJECT)) {
        retry(batch, again);
    } else if (again == 0) {
        lane->failures = 0;
        grow_limit(lane);
    }
    if (rejects.count > 0)
        reject_items(binding, rejects.items, rejects.count, rejects.messages);
    free(rejects.messages);
    free(rejects.items);
}

/* Of a stream that has begun again meanwhile nothing follows. */
static void forget(struct batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++)
        item_forget(lane_pop(batch->lane));
}

void outcome_apply(struct job *job)
{
    struct batch *batch = list_entry(job, struct batch, job);
    struct lane *lane = batch->lane;
    struct cursor *cursor = lane->cursor;
    struct binding *binding = cursor->binding;

    FAILPOINT("dispatch.acked");
    lane->sent = NULL;
    binding->inflight--;
    count_batch(binding, batch->sent_ms);
    if (job->status == TR_FATAL)
        binding_hold(binding,
                     "the plugin says that it cannot go on: %s; mend the cause and "
                     "restart or reload tailrace",
                     job->message[0] ? job->message : "no reason given");
    else if (cursor->dropped)
        forget(batch);
    else
        apply(batch);
    count_end(binding);
    if (job->epoch && lane->cursor->replays)
        replay_keep(binding, job->epoch);
    FAILPOINT("dispatch.settled");
    job_fini(job);
    free(batch);
    lane_update(lane);
    /* Each may end a cursor that was retired, and its lanes with it. */
    if (cursor->dropped)
        cursor_reap(cursor);
    else if (span_is_due(cursor))
        commit_cursor(cursor);
    if (binding->settled >= binding->setup.options.commit_rows || span_is_large(binding))
        commit_flush(binding);
    binding_pump(binding);
    binding_check(binding);
}
