/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tickets: a table of slots behind a lock. Called by the loop, the worker, and any thread of a
 * plugin's own.
 */
#include "plugin/ticket.h"

#include "base/mem.h"
#include "base/str.h"
#include "plugin/chain.h"
#include "plugin/passage.h"
#include "plugin/state.h"

#include <stdio.h>

void job_fini(struct job *job)
{
    free(job->items);
    free(job->messages);
    job->items = NULL;
    job->messages = NULL;
    passage_free(job->passage);
    job->passage = NULL;
}

const tr_batch *job_seen(const struct job *job)
{
    return job->passage ? &job->passage->batch : &job->batch;
}

void tickets_init(struct tickets *tickets)
{
    *tickets = (struct tickets){0};
    pthread_mutex_init(&tickets->lock, NULL);
}

void tickets_fini(struct tickets *tickets)
{
    pthread_mutex_destroy(&tickets->lock);
    free(tickets->slots);
}

/* What had different remainders has them of the double too. */
static void grow(struct tickets *tickets)
{
    uint32_t cap = tickets->cap ? tickets->cap * 2 : 4;
    struct job **slots = mem_zero(cap, sizeof(*slots));

    for (uint32_t i = 0; i < tickets->cap; i++)
        if (tickets->slots[i])
            slots[tickets->slots[i]->batch.ticket % cap] = tickets->slots[i];
    free(tickets->slots);
    tickets->slots = slots;
    tickets->cap = cap;
}

/* Tickets count up, past those whose slot is taken: no two are ever alike. */
bool tickets_open(struct tickets *tickets, struct job *job)
{
    bool found = false;

    pthread_mutex_lock(&tickets->lock);
    if (tickets->open == tickets->cap && tickets->cap < TICKETS_MAX)
        grow(tickets);
    while (tickets->open < tickets->cap && !found) {
        uint64_t number = ++tickets->issued;
        if (tickets->slots[number % tickets->cap])
            continue;
        job->batch.ticket = number;
        job->running = true;
        job->settled = job->late = false;
        tickets->slots[number % tickets->cap] = job;
        tickets->open++;
        found = true;
    }
    pthread_mutex_unlock(&tickets->lock);
    return found;
}

static struct job *find(struct tickets *tickets, tr_ticket ticket)
{
    struct job *job = tickets->cap > 0 ? tickets->slots[ticket % tickets->cap] : NULL;

    return job && job->batch.ticket == ticket ? job : NULL;
}

static bool is_item_status(int32_t status)
{
    return status == TR_OK || status == TR_RETRY || status == TR_REJECT;
}

static bool is_sound(const struct job *job, tr_status status, const tr_outcome *outcome)
{
    if (!is_item_status(status) && status != TR_FATAL)
        return false;
    if (outcome->items_count == 0)
        return true;
    if (outcome->items_count != job_seen(job)->count || !outcome->items)
        return false;
    for (uint32_t i = 0; i < outcome->items_count; i++)
        if (!is_item_status(outcome->items[i]))
            return false;
    return true;
}

static tr_str clip_message(tr_str message)
{
    return str_clip(message, sizeof(((struct job *)0)->message) - 1);
}

/* With its end; returns what follows it. */
static char *copy_message(char *to, tr_str clipped)
{
    if (clipped.len > 0)
        memcpy(to, clipped.ptr, clipped.len);
    to[clipped.len] = '\0';
    return to + clipped.len + 1;
}

/* One block: the pointers, and the texts behind them. */
static const char **copy_messages(const tr_str *messages, uint32_t count)
{
    size_t room = count * sizeof(char *);
    const char **copies;
    char *to;

    for (uint32_t i = 0; i < count; i++)
        room += clip_message(messages[i]).len + 1;
    copies = mem_alloc(room);
    to = (char *)(copies + count);
    for (uint32_t i = 0; i < count; i++) {
        tr_str message = clip_message(messages[i]);
        copies[i] = message.len > 0 ? to : NULL;
        to = copy_message(to, message);
    }
    return copies;
}

/* Under the lock: the outcome is copied, what was written stays or is taken back, and the
 * ticket is closed. */
static void settle(struct tickets *tickets, struct job *job, tr_status status,
                   const tr_outcome *outcome)
{
    job->status = status;
    job->retry_after_ms = outcome->retry_after_ms;
    if (outcome->items_count > 0 && status != TR_FATAL) {
        job->items = mem_alloc(outcome->items_count * sizeof(*job->items));
        memcpy(job->items, outcome->items, outcome->items_count * sizeof(*job->items));
        if (outcome->messages)
            job->messages = copy_messages(outcome->messages, outcome->items_count);
    }
    copy_message(job->message, clip_message(outcome->message));
    state_settle(job);
    tickets->slots[job->batch.ticket % tickets->cap] = NULL;
    tickets->open--;
    job->settled = true;
}

/* A caller's outcome may be shorter than ours: what it does not have is zero. */
static tr_outcome copy_outcome(const tr_outcome *given)
{
    tr_outcome outcome = {0};

    memcpy(&outcome, given, given->size < sizeof(outcome) ? given->size : sizeof(outcome));
    outcome.size = sizeof(outcome);
    return outcome;
}

tr_status tickets_complete(struct tickets *tickets, tr_ticket ticket, const tr_outcome *given,
                           struct job **ret_ready)
{
    tr_status rc = TR_OK;
    tr_outcome outcome;
    struct job *job;

    *ret_ready = NULL;
    if (!given || given->size < offsetof(tr_outcome, retry_after_ms))
        return TR_EINVAL;
    outcome = copy_outcome(given);
    pthread_mutex_lock(&tickets->lock);
    job = find(tickets, ticket);
    if (!job) {
        rc = TR_ESTALE;
    } else if (!is_sound(job, outcome.status, &outcome)) {
        rc = TR_EINVAL;
    } else {
        settle(tickets, job, outcome.status, &outcome);
        if (!job->running)
            *ret_ready = job;
    }
    pthread_mutex_unlock(&tickets->lock);
    return rc;
}

struct job *tickets_returned(struct tickets *tickets, struct job *job, tr_status status,
                             const tr_outcome *outcome, bool *ret_ignored)
{
    struct job *ready;

    *ret_ignored = false;
    pthread_mutex_lock(&tickets->lock);
    job->running = false;
    if (status != TR_PENDING && job->settled) {
        *ret_ignored = true;
    } else if (status != TR_PENDING && is_sound(job, status, outcome)) {
        settle(tickets, job, status, outcome);
    } else if (status != TR_PENDING) {
        tr_outcome broken = {.size = sizeof(broken)};
        char text[96];
        snprintf(text, sizeof(text),
                 "process() returned %d or an outcome that its batch of %u does not allow",
                 status, job_seen(job)->count);
        broken.message = str_c(text);
        settle(tickets, job, TR_FATAL, &broken);
    }
    ready = job->settled ? job : NULL;
    pthread_mutex_unlock(&tickets->lock);
    return ready;
}

tr_status tickets_with(struct tickets *tickets, tr_ticket ticket,
                       tr_status (*with)(void *context, struct job *job), void *context)
{
    tr_status status = TR_ESTALE;
    struct job *job;

    pthread_mutex_lock(&tickets->lock);
    job = find(tickets, ticket);
    if (job)
        status = with(context, job);
    pthread_mutex_unlock(&tickets->lock);
    return status;
}

struct job *tickets_find(struct tickets *tickets, tr_ticket ticket)
{
    struct job *job;

    if (ticket == 0)
        return NULL;
    pthread_mutex_lock(&tickets->lock);
    job = find(tickets, ticket);
    pthread_mutex_unlock(&tickets->lock);
    return job;
}

bool tickets_hold(struct tickets *tickets, const struct job *job)
{
    bool held;

    pthread_mutex_lock(&tickets->lock);
    held = job->running || !job->settled;
    pthread_mutex_unlock(&tickets->lock);
    return held;
}

uint32_t tickets_count(struct tickets *tickets)
{
    uint32_t open;

    pthread_mutex_lock(&tickets->lock);
    open = tickets->open;
    pthread_mutex_unlock(&tickets->lock);
    return open;
}
