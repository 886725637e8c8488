/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop: epoll for sockets, a binary heap for timers, a list behind an eventfd for tasks.
 * Runs on the loop thread; loop_post(), loop_post_all() and loop_stop() on any.
 */
#include "base/loop.h"

#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { EVENTS_A_TURN = 64 };

struct loop {
    int epoll_fd;
    struct watch wake; /* the eventfd that other threads write to                          */
    atomic_bool stopping;
    int64_t now;

    struct epoll_event events[EVENTS_A_TURN]; /* of this turn                              */
    int events_len;
    uint64_t turn;
    bool in_turn, told_all; /* there were no more events than have room here                */

    bool firing;         /* within fire_timers()                                             */
    struct timer **heap; /* heap[1] is the next to fire; heap[0] is not used               */
    size_t heap_len, heap_cap;

    struct list turn_ends;

    pthread_mutex_t lock; /* guards tasks_* only                                           */
    struct task *tasks_head, **tasks_tail;
    atomic_bool asleep; /* whoever adds a task must write to the eventfd                   */
};

/* Every write is an event of its own (EPOLLET): the count need never be read. */
static void wake_ready(struct watch *watch, uint32_t events)
{
    (void)watch;
    (void)events;
}

int loop_new(struct loop **ret_loop, struct error *error)
{
    struct loop *loop = mem_new(struct loop);
    int rc;

    pthread_mutex_init(&loop->lock, NULL);
    loop->tasks_tail = &loop->tasks_head;
    list_init(&loop->turn_ends);
    loop->now = clock_ms();
    loop->wake = (struct watch){.fd = -1, .ready = wake_ready};
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd >= 0)
        loop->wake.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->wake.fd < 0) {
        rc = error_set(error, ERR_OS, "epoll or eventfd: %s; raise the limit of open files",
                       strerror(errno));
        goto fail;
    }
    rc = loop_watch(loop, &loop->wake, EPOLLIN | EPOLLET, error);
    if (rc < 0)
        goto fail;
    *ret_loop = loop;
    return 0;
fail:
    loop_free(loop);
    return rc;
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    if (loop->wake.fd >= 0)
        close(loop->wake.fd);
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
    pthread_mutex_destroy(&loop->lock);
    free(loop->heap);
    free(loop);
}

static int epoll_change(struct loop *loop, int op, struct watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};

    return epoll_ctl(loop->epoll_fd, op, watch->fd, &event);
}

int loop_watch(struct loop *loop, struct watch *watch, uint32_t events, struct error *error)
{
    if (epoll_change(loop, EPOLL_CTL_ADD, watch, events) < 0)
        return error_set(error, ERR_OS, "descriptor %d cannot be watched: %s", watch->fd,
                         strerror(errno));
    return 0;
}

int loop_rewatch(struct loop *loop, struct watch *watch, uint32_t events)
{
    return epoll_change(loop, EPOLL_CTL_MOD, watch, events);
}

void loop_unwatch(struct loop *loop, struct watch *watch)
{
    (void)epoll_change(loop, EPOLL_CTL_DEL, watch, 0);
    /* An event of this turn may still wait for the watch, whose memory goes away now. */
    for (int i = 0; i < loop->events_len; i++)
        if (loop->events[i].data.ptr == watch)
            loop->events[i].data.ptr = NULL;
}

/* ---- timers: a heap in which each timer knows its place, so that clearing needs no search
 * ---- */

static void heap_put(struct loop *loop, size_t place, struct timer *timer)
{
    loop->heap[place] = timer;
    timer->place = place;
}

static void heap_up(struct loop *loop, size_t place, struct timer *timer)
{
    while (place > 1 && loop->heap[place / 2]->due_ms > timer->due_ms) {
        heap_put(loop, place, loop->heap[place / 2]);
        place /= 2;
    }
    heap_put(loop, place, timer);
}

static void heap_down(struct loop *loop, size_t place, struct timer *timer)
{
    for (;;) {
        size_t child = place * 2;
        if (child > loop->heap_len)
            break;
        if (child < loop->heap_len && loop->heap[child + 1]->due_ms < loop->heap[child]->due_ms)
            child++;
        if (loop->heap[child]->due_ms >= timer->due_ms)
            break;
        heap_put(loop, place, loop->heap[child]);
        place = child;
    }
    heap_put(loop, place, timer);
}

void loop_set_timer(struct loop *loop, struct timer *timer, int64_t after_ms)
{
    loop_clear_timer(loop, timer);
    if (loop->heap_len + 2 > loop->heap_cap) {
        loop->heap_cap = loop->heap_cap ? loop->heap_cap * 2 : 64;
        loop->heap = mem_resize(loop->heap, loop->heap_cap * sizeof(*loop->heap));
    }
    /* The real time and not loop_now(): a long turn must not make a deadline come early. */
    timer->due_ms = clock_ms() + (after_ms > 0 ? after_ms : 0);
    /* What is set while timers fire waits for the next turn, also within the same millisecond:
     * a timer that sets itself again must not keep the sockets waiting. */
    if (loop->firing && timer->due_ms <= loop->now)
        timer->due_ms = loop->now + 1;
    heap_up(loop, ++loop->heap_len, timer);
}

void loop_clear_timer(struct loop *loop, struct timer *timer)
{
    size_t place = timer->place;
    struct timer *last;

    if (place == 0)
        return;
    timer->place = 0;
    last = loop->heap[loop->heap_len--];
    if (last == timer)
        return;
    if (place > 1 && loop->heap[place / 2]->due_ms > last->due_ms)
        heap_up(loop, place, last);
    else
        heap_down(loop, place, last);
}

static void fire_timers(struct loop *loop)
{
    loop->firing = true;
    while (loop->heap_len > 0 && loop->heap[1]->due_ms <= loop->now) {
        struct timer *timer = loop->heap[1];
        loop_clear_timer(loop, timer);
        timer->fire(timer);
        if (atomic_load_explicit(&loop->stopping, memory_order_relaxed))
            break;
    }
    loop->firing = false;
}

/* ---- tasks ---- */

static void wake_up(struct loop *loop)
{
    uint64_t one = 1;
    ssize_t n = write(loop->wake.fd, &one, sizeof(one));

    (void)n;
}

void loop_post_all(struct loop *loop, struct task *first, struct task *last)
{
    last->next = NULL;
    pthread_mutex_lock(&loop->lock);
    *loop->tasks_tail = first;
    loop->tasks_tail = &last->next;
    pthread_mutex_unlock(&loop->lock);
    if (atomic_exchange(&loop->asleep, false))
        wake_up(loop);
}

void loop_post(struct loop *loop, struct task *task)
{
    loop_post_all(loop, task, task);
}

/* False: there are tasks. `asleep` is set before they are looked for, both under the lock that
 * a task is added under: either it is seen here, or whoever adds it sees `asleep`. */
static bool may_sleep(struct loop *loop)
{
    bool none;

    pthread_mutex_lock(&loop->lock);
    atomic_store(&loop->asleep, true);
    none = loop->tasks_head == NULL;
    pthread_mutex_unlock(&loop->lock);
    return none;
}

static void run_tasks(struct loop *loop)
{
    struct task *task;

    pthread_mutex_lock(&loop->lock);
    task = loop->tasks_head;
    loop->tasks_head = NULL;
    loop->tasks_tail = &loop->tasks_head;
    pthread_mutex_unlock(&loop->lock);
    while (task) {
        struct task *next = task->next;
        task->run(task);
        task = next;
    }
}

/* ---- turns ---- */

static int wait_bound(const struct loop *loop, int64_t wait_ms)
{
    if (loop->heap_len > 0) {
        int64_t due = loop->heap[1]->due_ms - clock_ms();
        if (due < 0)
            due = 0;
        if (wait_ms < 0 || due < wait_ms)
            wait_ms = due;
    }
    return wait_ms < 0 ? -1 : (int)(wait_ms > 3600000 ? 3600000 : wait_ms);
}

void loop_at_turn_end(struct loop *loop, struct turn_end *end)
{
    if (list_empty(&end->link))
        list_push_back(&loop->turn_ends, &end->link);
}

static void end_turn(struct loop *loop)
{
    struct list *link;

    while ((link = list_pop(&loop->turn_ends)) != NULL) {
        struct turn_end *end = list_entry(link, struct turn_end, link);
        end->run(end);
    }
}

void loop_turn(struct loop *loop, int64_t wait_ms)
{
    int wait;

    end_turn(loop); /* what was asked for outside of a turn                                */
    wait = wait_bound(loop, wait_ms);
    if (wait != 0 && !may_sleep(loop))
        wait = 0;
    loop->turn++;
    loop->in_turn = true;
    loop->events_len = epoll_wait(loop->epoll_fd, loop->events, EVENTS_A_TURN, wait);
    atomic_store_explicit(&loop->asleep, false, memory_order_relaxed);
    loop->now = clock_ms();
    for (int i = 0; i < loop->events_len; i++) {
        struct watch *watch = loop->events[i].data.ptr;
        if (watch)
            watch->ready(watch, loop->events[i].events);
    }
    loop->told_all = loop->events_len >= 0 && loop->events_len < EVENTS_A_TURN;
    loop->events_len = 0;
    run_tasks(loop);
    fire_timers(loop);
    end_turn(loop);
    loop->in_turn = loop->told_all = false;
}

void loop_run(struct loop *loop)
{
    while (!atomic_load(&loop->stopping))
        loop_turn(loop, -1);
    atomic_store(&loop->stopping, false);
}

void loop_stop(struct loop *loop)
{
    atomic_store(&loop->stopping, true);
    wake_up(loop);
}

uint64_t loop_turn_number(const struct loop *loop)
{
    return loop->turn;
}

bool loop_heard_since(const struct loop *loop, uint64_t turn)
{
    return loop->in_turn && (loop->turn == turn || loop->told_all);
}

int64_t loop_now(const struct loop *loop)
{
    return loop->now;
}
