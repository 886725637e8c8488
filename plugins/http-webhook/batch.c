/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A batch on its way: its changes go out one request after the other, in order, and the first
 * that has to be sent again ends it, so that nothing overtakes. Worker.
 */
#include "webhook.h"

#include <time.h>

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- jobs ---- */

static struct job *job_new(tr_self *self)
{
    struct job *job;

    if (self->jobs_count == JOBS_MAX)
        return NULL;
    job = calloc(1, sizeof(*job));
    if (!job)
        return NULL;
    job->self = self;
    job->all = atomic_load(&self->jobs);
    atomic_store(&self->jobs, job);
    self->jobs_count++;
    return job;
}

void job_free(struct job *job)
{
    text_fini(&job->url);
    text_fini(&job->body);
    text_fini(&job->values);
    text_fini(&job->other);
    free(job->headers);
    free(job->items);
    free(job->alike);
    free(job);
}

static bool fit(struct job *job, uint32_t count)
{
    int32_t *items;

    if (job->items_cap >= count)
        return true;
    items = realloc(job->items, count * sizeof(*items));
    if (!items)
        return false;
    job->items = items;
    job->items_cap = count;
    return true;
}

struct job *job_take(tr_self *self, const tr_batch *batch)
{
    struct job *job = self->idle;

    if (job)
        self->idle = job->link;
    else
        job = job_new(self);
    if (!job)
        return NULL;
    if (!fit(job, batch->count)) {
        job->link = self->idle;
        self->idle = job;
        return NULL;
    }
    job->link = NULL;
    job->batch = batch;
    job->enough_ms = -1;
    job->next = job->group = job->limit = 0;
    job->settled = job->rejected = 0;
    job->failed = false;
    job->retry_after_ms = 0;
    job->message[0] = job->origin[0] = '\0';
    job->flight = NULL;
    for (uint32_t i = 0; i < batch->count; i++)
        job->items[i] = TR_RETRY;
    atomic_store(&job->ticket, batch->ticket);
    return job;
}

/* ---- time ---- */

/* For a request: at least a millisecond, which is as good as none. */
static uint32_t clip(const struct job *job, int64_t left)
{
    int64_t most = job->self->options.timeout_ms;

    return (uint32_t)(left < 1 ? 1 : left < most ? left : most);
}

uint32_t job_time_left(const struct job *job)
{
    return clip(job, job->batch->deadline_ms - now_ms());
}

/* A batch that got on in time gives back the rest before its deadline, rather than send a
 * request that has less time than it may need. */
bool job_is_late(struct job *job)
{
    int64_t left = job->batch->deadline_ms - now_ms();

    if (job->enough_ms < 0)
        job->enough_ms = clip(job, left / 2);
    job->left_ms = clip(job, left);
    if (atomic_load(&job->cancelled) == job->batch->ticket || job->left_ms <= 1)
        return true;
    return job->settled > 0 && job->left_ms < job->enough_ms;
}

static void give_up_late(struct job *job)
{
    job->failed = true;
    /* An endpoint that got on is slow, not broken: go on at once. */
    job->retry_after_ms = job->settled > 0 ? 1 : 0;
    snprintf(job->message, MESSAGE_MAX,
             "the batch's time is over after %u of %u changes; raise the rule's timeout or "
             "concurrency, or lower its batch_size",
             job->settled, job->batch->count);
}

/* ---- outcomes ---- */

static void outcome_of(const struct job *job, tr_outcome *outcome)
{
    *outcome = (tr_outcome){
        .size = sizeof(*outcome),
        .status = job->failed     ? TR_RETRY
                  : job->rejected ? TR_REJECT
                                  : TR_OK,
        .retry_after_ms = job->failed ? job->retry_after_ms : 0,
        .message = tr_str_c(job->message),
    };
    /* Nothing settled and one change alone say the same without items, and so does all well. */
    if ((job->failed && job->settled == 0) || (!job->failed && job->rejected == 0))
        return;
    outcome->items = job->items;
    outcome->items_count = job->batch->count;
}

static void finish(struct job *job)
{
    tr_self *self = job->self;
    tr_ticket ticket = job->batch->ticket;
    tr_outcome outcome;

    outcome_of(job, &outcome);
    atomic_store(&job->ticket, 0);
    self->host->complete(self->host, ticket, &outcome);
    job->batch = NULL;
    job->link = self->idle;
    self->idle = job;
    self->active--;
    if (!self->waiting || self->active > 0)
        return;
    job = self->waiting;
    self->waiting = job->link;
    self->active++;
    job_advance(job);
}

static void settle(struct job *job, uint32_t i, const struct verdict *verdict)
{
    job->items[i] = verdict->status;
    job->settled++;
    if (verdict->status != TR_REJECT)
        return;
    if (job->rejected++ == 0)
        snprintf(job->message, MESSAGE_MAX, "%s", verdict->message);
}

/* The half of what was refused goes next. No waiting, no second try of the same: the host
 * cannot do it, since it does not know which changes made the request. */
static bool halve(struct job *job, const struct verdict *verdict)
{
    if (verdict->status != TR_REJECT || job->group < 2)
        return false;
    job->limit = job->group / 2;
    return true;
}

static void grow_limit(struct job *job)
{
    if (job->limit > 0)
        job->limit *= 2;
    if (job->limit >= job->self->options.batch_changes)
        job->limit = 0;
}

void job_apply(struct job *job, const struct verdict *verdict)
{
    uint32_t end = job->flight ? job->batch->count : job->next + job->group;

    if (verdict->status == TR_RETRY) {
        job->failed = true;
        job->retry_after_ms = verdict->retry_after_ms;
        snprintf(job->message, MESSAGE_MAX, "%s", verdict->message);
        return;
    }
    if (halve(job, verdict))
        return;
    for (uint32_t i = job->next; i < end; i++)
        if (!job->flight || debounce_covers(job, i))
            settle(job, i, verdict);
    grow_limit(job);
}

/* ---- the road ---- */

static void answered(void *user, const tr_http_response *response)
{
    struct job *job = user;
    struct verdict verdict;

    answer_judge(job, response, &verdict);
    job_apply(job, &verdict);
    job_advance(job);
}

/* True: a request is under way, or waited for. */
static bool send_next(struct job *job)
{
    struct verdict verdict;
    tr_status status = request_render(job, &verdict);

    if (status == TR_OK && job->self->options.debounce)
        status = debounce_enter(job, &verdict);
    else if (status == TR_OK)
        status = request_send(job, job->left_ms, answered, &verdict);
    if (status == TR_OK)
        return true;
    job->group = 1;
    job_apply(job, &verdict);
    return false;
}

void job_advance(struct job *job)
{
    while (!job->failed) {
        while (job->next < job->batch->count && job->items[job->next] != TR_RETRY)
            job->next++;
        if (job->next == job->batch->count)
            break;
        if (job_is_late(job))
            give_up_late(job);
        else if (send_next(job))
            return;
    }
    finish(job);
}
