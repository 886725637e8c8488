/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker: an inbox behind a lock, and the thread that empties it. workers.c starts them.
 */
#include "plugin/worker.h"

#include "base/clock.h"

#include <signal.h>
#include <string.h>

static void list_reset(struct work_list *list)
{
    *list = (struct work_list){.tail = &list->head};
}

/* ---- on the worker ---- */

static void flush_tasks(struct worker *worker)
{
    struct task *first = worker->tasks;

    worker->tasks = NULL;
    if (first)
        loop_post_all(worker->loop, first, worker->tasks_last);
}

/* Empties the inbox. False: there is nothing, and whoever puts something in wakes the worker.
 */
static bool empty_inbox(struct worker *worker, struct work **ret_taken)
{
    bool waits;

    pthread_mutex_lock(&worker->lock);
    *ret_taken = worker->inbox.head;
    list_reset(&worker->inbox);
    waits = worker->waiting = !*ret_taken && !worker->ending;
    pthread_mutex_unlock(&worker->lock);
    return !waits;
}

/* A semaphore and not a condition: that takes its lock again as one that others wait for, and
 * so costs one more system call each time. */
static struct work *wait_for_work(struct worker *worker)
{
    struct work *taken;

    while (!empty_inbox(worker, &taken))
        while (sem_wait(&worker->wake) < 0)
            continue; /* interrupted */
    return taken;
}

static struct work *take(struct worker *worker)
{
    struct work *work;

    if (!worker->taken || (worker->tasks && clock_ms() > worker->tasks_ms))
        flush_tasks(worker);
    if (!worker->taken)
        worker->taken = wait_for_work(worker);
    work = worker->taken;
    if (work)
        worker->taken = work->next;
    return work;
}

static struct work *take_of(struct worker *worker, const void *owner)
{
    struct work **at = &worker->taken;

    flush_tasks(worker);
    for (;; at = &(*at)->next) {
        struct work *work = *at;

        if (!work)
            work = *at = wait_for_work(worker);
        if (!work)
            return NULL;
        if (work->owner == owner) {
            *at = work->next;
            return work;
        }
    }
}

void worker_run_one(struct worker *worker, const void *owner)
{
    struct work *work = take_of(worker, owner);

    if (work)
        work->run(work);
}

void worker_tell_loop(struct worker *worker, struct task *task)
{
    if (!worker_is_current(worker)) {
        loop_post(worker->loop, task);
        return;
    }
    task->next = NULL;
    if (worker->tasks) {
        worker->tasks_last->next = task;
    } else {
        worker->tasks = task;
        worker->tasks_ms = clock_ms();
    }
    worker->tasks_last = task;
}

static void *worker_main(void *arg)
{
    struct worker *worker = arg;
    struct work *work;

    while ((work = take(worker)) != NULL)
        work->run(work);
    return NULL;
}

/* ---- on the loop ---- */

static void unlock_and_wake(struct worker *worker)
{
    bool wake = worker->waiting;

    worker->waiting = false;
    pthread_mutex_unlock(&worker->lock);
    if (wake)
        sem_post(&worker->wake);
}

static void hand_over(struct turn_end *end)
{
    struct worker *worker = list_entry(end, struct worker, hand_over);

    pthread_mutex_lock(&worker->lock);
    *worker->inbox.tail = worker->collected.head;
    worker->inbox.tail = worker->collected.tail;
    unlock_and_wake(worker);
    list_reset(&worker->collected);
}

void worker_post(struct worker *worker, struct work *work)
{
    work->next = NULL;
    *worker->collected.tail = work;
    worker->collected.tail = &work->next;
    loop_at_turn_end(worker->loop, &worker->hand_over);
}

int worker_start(struct worker *worker, const char *name, struct loop *loop,
                 struct error *error)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
    sigset_t all, old;
    char short_name[16];
    int rc;

    *worker = (struct worker){0};
    worker->loop = loop;
    list_reset(&worker->collected);
    list_reset(&worker->inbox);
    list_init(&worker->hand_over.link);
    worker->hand_over.run = hand_over;
    pthread_mutex_init(&worker->lock, NULL);
    sem_init(&worker->wake, 0, 0);
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

bool worker_is_current(const struct worker *worker)
{
    return worker->started && pthread_equal(worker->thread, pthread_self());
}

void worker_join(struct worker *worker)
{
    if (!worker->started)
        return;
    list_remove(&worker->hand_over.link);
    pthread_mutex_lock(&worker->lock);
    worker->ending = true;
    unlock_and_wake(worker);
    pthread_join(worker->thread, NULL);
    worker->started = false;
    sem_destroy(&worker->wake);
    pthread_mutex_destroy(&worker->lock);
}
