/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop: one thread waits for sockets, timers, signals and tasks from other threads.
 *
 * Everything on the road of a change up to the hand-over to an instance happens on this thread,
 * so nothing there needs a lock. Only loop_post(), loop_post_all() and loop_stop() may be
 * called from other threads. Watches, timers and tasks are storage of the caller, inside the
 * struct that they serve.
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include "base/error.h"
#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>

struct loop;

/* A file descriptor that is watched. The descriptor stays the caller's. */
struct watch {
    int fd;
    void (*ready)(struct watch *watch, uint32_t events); /* EPOLLIN, EPOLLOUT, … */
};

/* A call later. `place` is the loop's; a timer that is not set has place 0. */
struct timer {
    int64_t due_ms;
    size_t place;
    void (*fire)(struct timer *timer);
};

/* A call on the loop thread, asked for by any thread. */
struct task {
    struct task *next;
    void (*run)(struct task *task);
};

/* A call at the end of a turn: for what is done once for all that the turn brought. */
struct turn_end {
    struct list link; /* list_init() it                                                    */
    void (*run)(struct turn_end *end);
};

int loop_new(struct loop **ret_loop, struct error *error);
void loop_free(struct loop *loop);

/* Runs until loop_stop(). */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop); /* any thread */

/* Runs what is due now and waits at most `wait_ms` for more; for tests and for shutting down.
 */
void loop_turn(struct loop *loop, int64_t wait_ms);

int loop_watch(struct loop *loop, struct watch *watch, uint32_t events, struct error *error);
int loop_rewatch(struct loop *loop, struct watch *watch, uint32_t events);
void loop_unwatch(struct loop *loop, struct watch *watch);

/* Sets (again) a timer; `after_ms` 0 fires in the next turn. */
void loop_set_timer(struct loop *loop, struct timer *timer, int64_t after_ms);
void loop_clear_timer(struct loop *loop, struct timer *timer);
static inline bool timer_is_set(const struct timer *timer)
{
    return timer->place != 0;
}

/* Hands a task over; it must not be posted again before it ran. Any thread. The loop is woken
 * only if it sleeps. */
void loop_post(struct loop *loop, struct task *task);

/* The same for a chain of tasks, of which `last` is the last. */
void loop_post_all(struct loop *loop, struct task *first, struct task *last);

/* Calls end->run() before the loop sleeps again, once however often it is asked for. Take the
 * link off its list to undo it. */
void loop_at_turn_end(struct loop *loop, struct turn_end *end);

/* Which turn this is, or was when the loop is not in one. */
uint64_t loop_turn_number(const struct loop *loop);

/* Whether this is still that turn, or a later one that has told all watches that were ready
 * when it began. Then a watch that had nothing to read in that turn, and was not told since,
 * had nothing when this turn began either. */
bool loop_heard_since(const struct loop *loop, uint64_t turn);

/* Milliseconds of CLOCK_MONOTONIC as of the begin of this turn: cheap. */
int64_t loop_now(const struct loop *loop);

#endif
