/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker: an inbox behind a lock, and the thread that empties it. instance.c starts one each.
 */
#include "plugin/worker.h"

#include <signal.h>
#include <string.h>

static struct work *take(struct worker *worker)
{
    struct work *work;

    pthread_mutex_lock(&worker->lock);
    while (!worker->head && !worker->ending)
        pthread_cond_wait(&worker->more, &worker->lock);
    work = worker->head;
    if (work) {
        worker->head = work->next;
        if (!worker->head)
            worker->tail = &worker->head;
    }
    pthread_mutex_unlock(&worker->lock);
    return work;
}

void worker_run_one(struct worker *worker)
{
    struct work *work = take(worker);

    if (work)
        work->run(work);
}

static void *worker_main(void *arg)
{
    struct worker *worker = arg;
    struct work *work;

    while ((work = take(worker)) != NULL)
        work->run(work);
    return NULL;
}

int worker_start(struct worker *worker, const char *name, struct error *error)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
    sigset_t all, old;
    char short_name[16];
    int rc;

    *worker = (struct worker){0};
    worker->tail = &worker->head;
    pthread_mutex_init(&worker->lock, NULL);
    pthread_cond_init(&worker->more, NULL);
    /* Signals are the main thread's: a plugin's system calls shall not be interrupted. Faults
     * stay the thread's own, or no crash handler would see them. */
    sigfillset(&all);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
        sigdelset(&all, faults[i]);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(&worker->thread, NULL, worker_main, worker);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc != 0)
        return error_set(error, ERR_OS, "a worker thread cannot be started: %s", strerror(rc));
    worker->started = true;
    strncpy(short_name, name, sizeof(short_name) - 1);
    short_name[sizeof(short_name) - 1] = '\0';
    pthread_setname_np(worker->thread, short_name);
    return 0;
}

void worker_post(struct worker *worker, struct work *work)
{
    bool first;

    work->next = NULL;
    pthread_mutex_lock(&worker->lock);
    first = worker->head == NULL;
    *worker->tail = work;
    worker->tail = &work->next;
    pthread_mutex_unlock(&worker->lock);
    if (first)
        pthread_cond_signal(&worker->more);
}

bool worker_is_current(const struct worker *worker)
{
    return worker->started && pthread_equal(worker->thread, pthread_self());
}

void worker_end(struct worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    worker->ending = true;
    pthread_mutex_unlock(&worker->lock);
}

void worker_join(struct worker *worker)
{
    if (!worker->started)
        return;
    pthread_join(worker->thread, NULL);
    worker->started = false;
    pthread_cond_destroy(&worker->more);
    pthread_mutex_destroy(&worker->lock);
}
