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
#include "base/mem.h"
#include "dispatch/private.h"
#include "observe/log.h"

/* The outcome of item `i`: its own, or the batch's. */
static int32_t item_status(const struct batch *batch, uint32_t i)
{
    return batch->job.items ? batch->job.items[i] : batch->job.status;
}

/* Grows back after bisection, so that one bad change does not leave small batches behind. */
static void grow_limit(struct lane *lane)
{
    uint32_t size = lane->cursor->binding->setup.options.batch_size;

    if (lane->limit == 0)
        return;
    lane->limit = lane->limit * 2 >= size ? 0 : lane->limit * 2;
}

static void settle_ok(struct item *item)
{
    item->cursor->binding->stats.ok++;
    if (item->letter != 0)
        replay_settled(item);
    else
        item_settle(item);
}

static bool is_poison(const struct item *item, uint32_t max_attempts)
{
    return max_attempts > 0 && item->faults >= max_attempts;
}

static void log_failure(const struct batch *batch, const char *what)
{
    const struct cursor *cursor = batch->lane->cursor;

    log_warn(what, LOG_C("rule", cursor->binding->setup.name), LOG_S("db", cursor->stream.db),
             LOG_I("changes", batch->count), LOG_I("failures", batch->lane->failures + 1),
             LOG_C("reason", batch->job.message));
}

/* Takes the batch's items off the lane and sorts them; those to be sent again go back in front,
 * in their order. Returns how many those are. */
static uint32_t sort_items(struct batch *batch, struct item **rejected, uint32_t *ret_rejected)
{
    struct lane *lane = batch->lane;
    uint32_t max = lane->cursor->binding->setup.options.max_attempts;
    struct item *again = NULL, **again_tail = &again;
    uint32_t again_count = 0;
    size_t again_bytes = 0;

    for (uint32_t i = 0; i < batch->count; i++) {
        struct item *item = lane_pop(lane);
        int32_t status = item_status(batch, i);

        if (status == TR_OK) {
            settle_ok(item);
        } else if (status == TR_REJECT || (batch->job.items && is_poison(item, max))) {
            rejected[(*ret_rejected)++] = item;
        } else {
            *again_tail = item;
            again_tail = &item->lane_next;
            again_count++;
            again_bytes += item_change(item)->raw.len;
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
    for (uint32_t i = 0; i < batch->count; i++, item = item->lane_next)
        if (item_status(batch, i) == TR_RETRY)
            item->faults++;
}

/* The whole batch failed alike, and it is more than one change: is it time to look for the one?
 */
static bool must_bisect(const struct batch *batch)
{
    uint32_t max = batch->lane->cursor->binding->setup.options.max_attempts;

    if (batch->job.items || batch->count < 2)
        return false;
    return batch->job.status == TR_REJECT ||
           (batch->job.status == TR_RETRY && is_poison(batch->lane->head, max));
}

static void apply(struct batch *batch)
{
    struct lane *lane = batch->lane;
    struct binding *binding = lane->cursor->binding;
    struct item **rejected;
    const char **messages;
    uint32_t rejected_count = 0, again;

    count_faults(batch);
    if (must_bisect(batch)) {
        lane->limit = batch->count / 2;
        log_failure(batch, "batch refused as a whole: sending halves to find the change");
        return;
    }
    if (!batch->job.items && batch->job.status == TR_RETRY &&
        is_poison(lane->head, binding->setup.options.max_attempts))
        batch->job.status = TR_REJECT; /* one change, as bisection ended */
    rejected = mem_new_array(struct item *, batch->count);
    again = sort_items(batch, rejected, &rejected_count);
    if (again > 0) {
        binding->stats.retried += again;
        log_failure(batch, "batch failed: it will be sent again");
        lane_back_off(lane, batch->job.retry_after_ms);
    } else {
        lane->failures = 0;
        grow_limit(lane);
    }
    messages = mem_new_array(const char *, rejected_count);
    for (uint32_t i = 0; i < rejected_count; i++)
        messages[i] = batch->job.message;
    if (rejected_count > 0)
        reject_items(binding, rejected, rejected_count, messages);
    free(messages);
    free(rejected);
}

void outcome_apply(struct job *job)
{
    struct batch *batch = list_entry(job, struct batch, job);
    struct lane *lane = batch->lane;
    struct binding *binding = lane->cursor->binding;

    lane->sent = NULL;
    binding->inflight--;
    if (job->status == TR_FATAL)
        binding_hold(binding,
                     "the plugin says that it cannot go on: %s; mend the cause and "
                     "restart or reload tailrace",
                     job->message[0] ? job->message : "no reason given");
    else
        apply(batch);
    job_fini(job);
    free(batch);
    if (binding->settled >= binding->setup.options.commit_rows)
        commit_flush(binding);
    lane_update(lane);
    binding_pump(binding);
    binding_check(binding);
}
