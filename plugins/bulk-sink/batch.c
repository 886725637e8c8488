/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A batch on its way: round after round until each change has an outcome, or until something
 * has to wait, which is the host's. Worker.
 */
#include "bulk.h"

#include <time.h>

int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- jobs ---- */

void job_free(struct job *job)
{
    text_fini(&job->target);
    text_fini(&job->source);
    text_fini(&job->body);
    text_fini(&job->notes);
    text_fini(&job->scratch);
    free(job->items);
    free(job->keys);
    free(job->group);
    free(job->outcomes);
    free(job);
}

struct job *job_new(tr_self *self, const tr_batch *batch)
{
    struct job *job = calloc(1, sizeof(*job));

    if (!job)
        return NULL;
    job->self = self;
    job->batch = batch;
    job->items = calloc(batch->count, sizeof(*job->items));
    job->keys = calloc(batch->count, sizeof(*job->keys));
    job->group = calloc(batch->count, sizeof(*job->group));
    job->outcomes = calloc(batch->count, sizeof(*job->outcomes));
    if (!job->items || !job->keys || !job->group || !job->outcomes) {
        job_free(job);
        return NULL;
    }
    for (uint32_t i = 0; i < batch->count; i++)
        plan_item(job, i);
    index_make(job);
    return job;
}

uint32_t job_time_left(const struct job *job)
{
    int64_t left = job->batch->deadline_ms - now_ms();

    left -= left > 10000 ? 1000 : left / 10;
    return left < 1 ? 0 : left > INT32_MAX ? INT32_MAX : (uint32_t)left;
}

/* ---- outcomes ---- */

static void accept_one(struct job *job, uint32_t i)
{
    struct item *item = &job->items[i];

    if (item->outcome != TR_RETRY)
        return;
    item->outcome = TR_OK;
    item->in_group = false;
    job->settled++;
}

void job_accept(struct job *job, uint32_t i)
{
    const struct key *key;
    uint32_t count;

    accept_one(job, i);
    if (!job->self->options.new_edits)
        return;
    /* What came before it in the same batch is settled by it: the target has a later state. */
    key = index_find(job, tr_batch_at(job->batch, i)->id, &count);
    for (; key && count > 0 && key->i < i; key++, count--)
        accept_one(job, key->i);
}

void job_reject(struct job *job, uint32_t i, const char *what, tr_str why)
{
    struct item *item = &job->items[i];

    item->outcome = TR_REJECT;
    item->in_group = false;
    item->why.at = job->notes.len;
    if (what) {
        text_add_c(&job->notes, what);
        text_add_c(&job->notes, why.len > 0 ? ": " : "");
    }
    text_add(&job->notes, why);
    item->why.len = job->notes.len - item->why.at;
    job->settled++;
}

void job_fail(struct job *job, uint32_t retry_after_ms, const char *format, ...)
{
    va_list args;

    job->failed = true;
    if (retry_after_ms > job->retry_after_ms)
        job->retry_after_ms = retry_after_ms;
    va_start(args, format);
    vsnprintf(job->message, MESSAGE_MAX, format, args);
    va_end(args);
}

/* A message speaks for the whole batch, and a dead letter shall say why it is one. So those
 * that were refused for another reason than the first go back once more, at once. */
static bool take_one_reason(struct job *job, uint32_t *ret_rejected)
{
    tr_str first = tr_str_n(NULL, 0);
    bool others = false;

    *ret_rejected = 0;
    for (uint32_t i = 0; i < job->batch->count; i++) {
        struct item *item = &job->items[i];
        tr_str why = text_part(&job->notes, item->why);

        if (item->outcome != TR_REJECT)
            continue;
        if (*ret_rejected == 0)
            first = why;
        if (tr_str_eq(why, first)) {
            ++*ret_rejected;
            continue;
        }
        item->outcome = TR_RETRY;
        job->settled--;
        others = true;
    }
    if (*ret_rejected == 0)
        return false;
    text_show(first, job->message, MESSAGE_MAX);
    return others;
}

static void finish(struct job *job)
{
    tr_outcome outcome = {.size = sizeof(outcome), .status = TR_OK};
    uint32_t rejected;

    if (take_one_reason(job, &rejected) && !job->failed) {
        job->failed = true;
        job->retry_after_ms = 1;
    }
    if (job->failed)
        outcome.status = TR_RETRY;
    else if (rejected > 0)
        outcome.status = TR_REJECT;
    outcome.retry_after_ms = job->failed ? job->retry_after_ms : 0;
    outcome.message = tr_str_c(job->message);
    /* Nothing settled says the same without items, and so does all well. */
    if ((job->failed && job->settled > 0) || rejected > 0) {
        for (uint32_t i = 0; i < job->batch->count; i++)
            job->outcomes[i] = job->items[i].outcome;
        outcome.items = job->outcomes;
        outcome.items_count = job->batch->count;
    }
    (void)job->self->host->complete(job->self->host, job->batch->ticket, &outcome);
    job_free(job);
}

/* ---- rounds ---- */

static uint32_t limit_of(const struct job *job)
{
    uint32_t limit = job->batch->count;

    if (job->limit > 0 && job->limit < limit)
        limit = job->limit;
    if (job->self->most > 0 && job->self->most < limit)
        limit = job->self->most;
    return limit;
}

bool job_pick(struct job *job)
{
    bool new_edits = job->self->options.new_edits;
    uint32_t limit = limit_of(job);

    job->group_count = 0;
    for (uint32_t i = 0; i < job->batch->count; i++) {
        struct item *item = &job->items[i];

        item->in_group = job->group_count < limit && item->outcome == TR_RETRY &&
                         !(new_edits && index_is_overtaken(job, i));
        if (item->in_group)
            job->group[job->group_count++] = i;
    }
    return job->group_count > 0;
}

static void post_group(struct job *job)
{
    const char *comma = "";
    size_t len = 64;

    text_clear(&job->body);
    for (uint32_t k = 0; k < job->group_count; k++)
        len += tr_batch_at(job->batch, job->group[k])->raw.len + 128;
    text_reserve(&job->body, len); /* so that it is written once */
    text_add_c(&job->body, "{\"docs\":[");
    for (uint32_t k = 0; k < job->group_count; k++) {
        text_add_c(&job->body, comma);
        plan_add_doc(job, &job->body, job->group[k]);
        comma = ",";
    }
    text_add_c(&job->body, "]}");
    answer_post(job);
}

void job_advance(struct job *job)
{
    if (!job->failed && job_pick(job)) {
        if (job_time_left(job) <= 1)
            /* A server that got on is slow, not broken: it goes on at once. */
            job_fail(job, job->settled > 0 ? 1 : 0,
                     "the batch's time is over after %u of %u changes; raise the rule's "
                     "timeout, or lower its batch.size",
                     job->settled, job->batch->count);
        else if (look_is_needed(job))
            look_send(job);
        else if (!job->self->options.new_edits)
            fetch_send(job);
        else
            post_group(job);
        if (!job->failed)
            return;
    }
    finish(job);
}
