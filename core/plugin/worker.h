/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker: the one thread on which all callbacks of an instance run, one at a time, so that a
 * plugin author needs no lock. Work is done in the order in which it came.
 */
#ifndef PLUGIN_WORKER_H
#define PLUGIN_WORKER_H

#include "base/error.h"

#include <pthread.h>
#include <stdbool.h>

/* A piece of work; storage of the caller, on one inbox at a time. */
struct work {
    struct work *next;
    void (*run)(struct work *work);
};

struct worker {
    pthread_t thread;
    bool started, ending;
    pthread_mutex_t lock; /* guards what follows                                           */
    pthread_cond_t more;
    struct work *head, **tail;
};

/* Storage of the caller. `name` is shown by ps and gdb (15 bytes of it). */
int worker_start(struct worker *worker, const char *name, struct error *error);

/* Any thread. */
void worker_post(struct worker *worker, struct work *work);

/* Any thread: whether it is the worker's own. */
bool worker_is_current(const struct worker *worker);

/* On the worker: takes one piece and runs it; waits for one if there is none. For callbacks
 * that must not return before something else has run on this worker. */
void worker_run_one(struct worker *worker);

/* On the worker: no more than what is in the inbox now will be run. */
void worker_end(struct worker *worker);

/* Not on the worker: waits for its end. */
void worker_join(struct worker *worker);

#endif
