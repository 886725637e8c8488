/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker: the one thread on which all callbacks of an instance run, one at a time, so that a
 * plugin author needs no lock. Work is done in the order in which it came. Instances of a
 * plugin that never waits may have the same worker (workers.h).
 *
 * A wake-up of a thread costs more than all else on the way, so what crosses is collected on
 * both sides. Work waits for the end of the loop's turn. Tasks for the loop wait until the
 * worker has nothing more to do, or a millisecond has passed: then for one more piece of work
 * at most. Neither waits when there is nothing else going on.
 */
#ifndef PLUGIN_WORKER_H
#define PLUGIN_WORKER_H

#include "base/error.h"
#include "base/loop.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>

/* A piece of work; storage of the caller, on one inbox at a time. */
struct work {
    struct work *next;
    const void *owner; /* the instance                                                     */
    void (*run)(struct work *work);
};

struct work_list {
    struct work *head, **tail;
};

struct worker {
    pthread_t thread;
    bool started;
    struct loop *loop;

    struct work_list collected; /* loop: of this turn                                      */
    struct turn_end hand_over;  /* loop: gives it to the worker                            */

    pthread_mutex_t lock; /* guards the next three                                          */
    bool waiting, ending;
    struct work_list inbox;
    sem_t wake; /* posted once for each time that it waits                                  */

    struct work *taken;              /* worker: out of the inbox, not yet run             */
    struct task *tasks, *tasks_last; /* worker: for the loop                              */
    int64_t tasks_ms;                /* when the first of them came                       */
};

/* Storage of the caller. `name` is shown by ps and gdb (15 bytes of it). Loop thread. */
int worker_start(struct worker *worker, const char *name, struct loop *loop,
                 struct error *error);

/* Loop thread. */
void worker_post(struct worker *worker, struct work *work);

/* A task for the loop, behind all that this thread told it before. Any thread; what the worker
 * itself tells must all go this way, or it would overtake. */
void worker_tell_loop(struct worker *worker, struct task *task);

/* Any thread: whether it is the worker's own. */
bool worker_is_current(const struct worker *worker);

/* On the worker: runs the next piece of this owner; waits for one if there is none. For
 * callbacks that must not return before something else of theirs has run. Work of others keeps
 * its turn: what shares the worker is never called from within a callback of another. */
void worker_run_one(struct worker *worker, const void *owner);

/* Loop thread: runs what is in the inbox, and waits for the thread's end. */
void worker_join(struct worker *worker);

#endif
