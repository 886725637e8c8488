/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tickets: which batches an instance has in hand, and how their outcomes come back.
 *
 * complete() may be called from any thread, before process() has returned, twice, late, or with
 * nonsense. So a ticket is a number and not a pointer, it is closed by the first outcome that
 * makes sense, and a batch's memory goes back to dispatch only when both process() has returned
 * and the outcome is there.
 */
#ifndef PLUGIN_TICKET_H
#define PLUGIN_TICKET_H

#include "base/loop.h"
#include "plugin/worker.h"

#include <tailrace/change.h>

struct instance;
struct passage;
struct state_epoch;
struct state_ticket;

/* One batch on its way through an instance. Storage of dispatch; it fills `batch` (all but the
 * ticket), `epoch` and `done`, and leaves the rest alone until done() is called on the loop
 * thread. */
struct job {
    tr_batch batch;
    struct state_epoch *epoch; /* that it writes to (state.h); NULL: it cannot             */
    void (*done)(struct job *job);

    tr_status status;        /* TR_OK, TR_RETRY, TR_REJECT or TR_FATAL                      */
    uint32_t retry_after_ms; /* with TR_RETRY; 0: no wish                                   */
    int32_t *items;          /* one for each change, or NULL; job_fini() frees it           */
    const char **messages; /* beside items: one for each change, NULL where `message` speaks; or
                        NULL; job_fini() frees it                                           */

    bool undecided; /* items were made of a verdict on all that the plugin saw             */

    struct instance *instance;
    struct state_ticket *writes; /* of the epoch, until it is settled; NULL: it wrote nothing */
    struct passage *passage; /* what transforms made of the batch (chain.h); NULL: nothing  */
    struct work work;        /* to the worker                                                 */
    struct task task;        /* and back                                                      */
    struct timer deadline;   /* the loop's                                                    */
    bool late;               /* the deadline has passed once                                  */
    uint64_t moved;          /* loop: bytes of its requests since the deadline was set        */
    bool running, settled;   /* process() has not returned; the outcome is there              */
    char message[256];       /* last: of a batch that was taken only its begin is touched     */
};

void job_fini(struct job *job);

/* The batch as the plugin sees it; what its outcome is about. */
const tr_batch *job_seen(const struct job *job);

/* Why change `i` was not taken. */
static inline const char *job_message(const struct job *job, uint32_t i)
{
    return job->messages && job->messages[i] ? job->messages[i] : job->message;
}

enum { TICKETS_MAX = 1024 };

struct tickets {
    pthread_mutex_t lock;
    uint64_t issued; /* so that no number comes twice                                       */
    uint32_t open, cap;
    struct job **slots; /* by the ticket's remainder; grows up to TICKETS_MAX              */
};

void tickets_init(struct tickets *tickets);
void tickets_fini(struct tickets *tickets);

/* Gives the job a ticket. Loop thread. False: too many are open. */
bool tickets_open(struct tickets *tickets, struct job *job);

/* The outcome of a ticket; any thread. When it was the last thing missing, *ret_ready is the
 * job, to be handed back to the loop; else NULL. TR_ESTALE, TR_EINVAL as tr_host.complete(). */
tr_status tickets_complete(struct tickets *tickets, tr_ticket ticket, const tr_outcome *outcome,
                           struct job **ret_ready);

/* process() has returned `status` for the job; worker. The job when it is ready, else NULL.
 * *ret_ignored: the outcome came a second time and was dropped. */
struct job *tickets_returned(struct tickets *tickets, struct job *job, tr_status status,
                             const tr_outcome *outcome, bool *ret_ignored);

/* The job of an open ticket, or NULL; of 0 there is none. Loop thread, where it lives until the
 * turn is over. */
struct job *tickets_find(struct tickets *tickets, tr_ticket ticket);
/* Calls back with the open job of a ticket, which is not closed meanwhile. Any thread. */
tr_status tickets_with(struct tickets *tickets, tr_ticket ticket,
                       tr_status (*with)(void *context, struct job *job), void *context);

/* Whether something is missing of a submitted job: its outcome, or the end of process(). */
bool tickets_hold(struct tickets *tickets, const struct job *job);

uint32_t tickets_count(struct tickets *tickets);

#endif
