/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Debouncing: changes whose requests are alike in method, URL, headers and body share one.
 *
 * A flight is a request under way and those who wait for it. Whoever comes while it is under
 * way waits for the next one, which speaks for all who came meanwhile: the answer that settles
 * a change is always that of a request which started after the change was there. When a request
 * fails, everybody whom it spoke for is to be sent again. Within a batch, all changes with the
 * same request are settled together. Worker.
 */
#include "webhook.h"

struct flight {
    struct flight *next;
    struct digest alike;
    struct job *riders;  /* the request under way speaks for them; the first one sent it   */
    struct job *waiting; /* those for the next one, in order                               */
};

static void answered(void *user, const tr_http_response *response);

static bool is_alike(const struct digest *a, const struct digest *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

static void push(struct job **list, struct job *job)
{
    while (*list)
        list = &(*list)->link;
    job->link = NULL;
    *list = job;
}

static struct job *pop(struct job **list)
{
    struct job *job = *list;

    if (job)
        *list = job->link;
    return job;
}

void debounce_begin(struct job *job)
{
    uint32_t count = job->batch->count;
    struct verdict verdict;

    if (job->alike_cap < count) {
        free(job->alike);
        job->alike_cap = 0;
        job->alike = calloc(count, sizeof(*job->alike));
        if (!job->alike) {
            verdict = (struct verdict){.status = TR_RETRY, .message = "out of memory"};
            job_apply(job, &verdict);
            return;
        }
        job->alike_cap = count;
    }
    for (uint32_t i = 0; i < count && !job->failed; i++) {
        job->next = i;
        if (request_render(job, &verdict) == TR_OK) {
            request_digest(job, &job->alike[i]);
        } else {
            job->group = 1;
            job_apply(job, &verdict);
        }
    }
    job->next = 0;
}

bool debounce_covers(const struct job *job, uint32_t i)
{
    return job->items[i] == TR_RETRY && is_alike(&job->alike[i], &job->flight->alike);
}

void debounce_each(struct flight *flight, void (*each)(const struct job *job, void *user),
                   void *user)
{
    for (const struct job *job = flight->riders; job; job = job->link)
        each(job, user);
}

static struct flight *find_flight(const tr_self *self, const struct digest *alike)
{
    struct flight *flight = self->flights;

    while (flight && !is_alike(&flight->alike, alike))
        flight = flight->next;
    return flight;
}

static void end_flight(tr_self *self, struct flight *flight)
{
    struct flight **at = &self->flights;

    while (*at != flight)
        at = &(*at)->next;
    *at = flight->next;
    free(flight);
}

/* Sends for the riders; what each of them rendered is the same. */
static tr_status take_off(struct flight *flight, struct verdict *verdict)
{
    uint32_t timeout = UINT32_MAX;

    for (const struct job *job = flight->riders; job; job = job->link)
        if (job_time_left(job) < timeout)
            timeout = job_time_left(job);
    return request_send(flight->riders, timeout, answered, verdict);
}

tr_status debounce_enter(struct job *job, struct verdict *ret_verdict)
{
    tr_self *self = job->self;
    const struct digest *alike = &job->alike[job->next];
    struct flight *flight = find_flight(self, alike);
    tr_status status;

    if (flight) {
        job->flight = flight;
        push(&flight->waiting, job);
        return TR_OK;
    }
    flight = calloc(1, sizeof(*flight));
    if (!flight) {
        *ret_verdict = (struct verdict){.status = TR_RETRY, .message = "out of memory"};
        return TR_RETRY;
    }
    flight->alike = *alike;
    flight->next = self->flights;
    self->flights = flight;
    job->flight = flight;
    push(&flight->riders, job);
    status = take_off(flight, ret_verdict);
    if (status != TR_OK) {
        job->flight = NULL;
        end_flight(self, flight);
    }
    return status;
}

/* Outcomes for a list of jobs that left a flight; NULL: their time is over, which they find by
 * themselves. The flight may be gone already, so `covered` is a stand-in for it. */
static void land(struct job *jobs, struct flight *covered, const struct verdict *verdict)
{
    struct job *job;

    while ((job = pop(&jobs)) != NULL) {
        job->flight = covered;
        if (verdict)
            job_apply(job, verdict);
        job->flight = NULL;
        job_advance(job);
    }
}

static void answered(void *user, const tr_http_response *response)
{
    struct job *sender = user, *job;
    tr_self *self = sender->self;
    struct flight *flight = sender->flight, covered = {.alike = flight->alike};
    struct job *done = flight->riders, *late = NULL, *unsent = NULL, *waiting = flight->waiting;
    struct verdict verdict, failure;

    answer_judge(sender, response, &verdict);
    flight->riders = flight->waiting = NULL;
    while ((job = pop(&waiting)) != NULL)
        push(job_is_late(job) ? &late : &flight->riders, job);
    if (flight->riders && take_off(flight, &failure) != TR_OK) {
        unsent = flight->riders;
        flight->riders = NULL;
    }
    if (!flight->riders)
        end_flight(self, flight);
    land(done, &covered, &verdict);
    land(late, &covered, NULL);
    land(unsent, &covered, &failure);
}
