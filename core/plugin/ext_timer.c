/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tr.timer/1: timers of an instance. They are set and fire on its worker; the loop keeps the
 * time.
 *
 * A timer crosses to the loop to be armed and comes back when it is due. Cancelling sends a
 * second traveller after it, since it may be on its way back already; it is freed when both are
 * home.
 */
#include "base/mem.h"
#include "plugin/private.h"

#include <tailrace/ext/timer.h>

enum { TIMERS_MAX = 1024 };

struct instance_timer {
    struct list link; /* worker: instance->timers                                          */
    struct instance *instance;
    uint64_t id;
    uint32_t after_ms;
    void (*fire)(void *user);
    void *user;
    uint32_t on_the_way; /* worker: what is to come back before it may be freed            */
    bool cancelled;
    struct task arm, disarm;   /* worker to loop                                           */
    struct timer timer;        /* on the loop                                              */
    struct work due, disarmed; /* loop to worker                                           */
};

/* ---- on the worker ---- */

static void timer_release(struct instance_timer *timer)
{
    if (--timer->on_the_way > 0)
        return;
    list_remove(&timer->link);
    free(timer);
}

static void timer_due(struct work *work)
{
    struct instance_timer *timer = list_entry(work, struct instance_timer, due);
    struct instance *instance = timer->instance;

    if (instance->timers_ending)
        return;
    if (!timer->cancelled) {
        timer->cancelled = true; /* from here on it cannot be                              */
        instance->timers_count--;
        timer->fire(timer->user);
    }
    timer_release(timer);
    instance_came_back(instance);
}

static void timer_disarmed(struct work *work)
{
    struct instance_timer *timer = list_entry(work, struct instance_timer, disarmed);

    if (!timer->instance->timers_ending)
        timer_release(timer);
}

/* ---- on the loop ---- */

static void timer_fired(struct timer *fired)
{
    struct instance_timer *timer = list_entry(fired, struct instance_timer, timer);

    instance_post(timer->instance, &timer->due);
}

static void timer_disarm(struct task *task)
{
    struct instance_timer *timer = list_entry(task, struct instance_timer, disarm);

    if (timer_is_set(&timer->timer)) {
        loop_clear_timer(timer->instance->setup.loop, &timer->timer);
        instance_post(timer->instance, &timer->due);
    }
    instance_post(timer->instance, &timer->disarmed);
}

static void timer_arm(struct task *task)
{
    struct instance_timer *timer = list_entry(task, struct instance_timer, arm);

    timer->timer.fire = timer_fired;
    loop_set_timer(timer->instance->setup.loop, &timer->timer, timer->after_ms);
}

/* ---- what plugins call ---- */

static tr_status timer_set(const tr_host *host, uint32_t after_ms, void (*fire)(void *user),
                           void *user, uint64_t *ret_id)
{
    struct instance *instance = instance_of(host);
    struct instance_timer *timer;

    if (!fire || !host_on_worker(instance, "tr_timer.set"))
        return TR_EINVAL;
    if (instance->timers_ending)
        return TR_ESTALE;
    if (instance->timers_count >= TIMERS_MAX)
        return TR_EAGAIN;
    timer = mem_new(struct instance_timer);
    timer->instance = instance;
    timer->id = ++instance->ids;
    timer->after_ms = after_ms;
    timer->fire = fire;
    timer->user = user;
    timer->on_the_way = 1;
    timer->arm.run = timer_arm;
    timer->disarm.run = timer_disarm;
    timer->due.run = timer_due;
    timer->disarmed.run = timer_disarmed;
    list_push_back(&instance->timers, &timer->link);
    instance->timers_count++;
    if (ret_id)
        *ret_id = timer->id;
    instance_tell_loop(instance, &timer->arm);
    return TR_OK;
}

static tr_status timer_cancel(const tr_host *host, uint64_t id)
{
    struct instance *instance = instance_of(host);

    if (!host_on_worker(instance, "tr_timer.cancel"))
        return TR_EINVAL;
    list_each (it, &instance->timers) {
        struct instance_timer *timer = list_entry(it, struct instance_timer, link);
        if (timer->id != id || timer->cancelled)
            continue;
        timer->cancelled = true;
        timer->on_the_way++;
        instance->timers_count--;
        instance_tell_loop(instance, &timer->disarm);
        return TR_OK;
    }
    return TR_ESTALE;
}

/* ---- the end of an instance: nothing of a timer may be left on the loop ---- */

struct ending {
    struct instance *instance;
    struct task disarm; /* worker to loop, behind every arm task                          */
    struct work done;   /* and back, behind every timer that was due                      */
    bool over;
};

static void ending_disarm(struct task *task)
{
    struct ending *ending = list_entry(task, struct ending, disarm);
    struct instance *instance = ending->instance;

    list_each (it, &instance->timers) {
        struct instance_timer *timer = list_entry(it, struct instance_timer, link);
        loop_clear_timer(instance->setup.loop, &timer->timer);
    }
    instance_post(instance, &ending->done);
}

static void ending_done(struct work *work)
{
    list_entry(work, struct ending, done)->over = true;
}

void ext_timer_end(struct instance *instance)
{
    struct ending ending = {.instance = instance, .done.run = ending_done};
    struct list *link;

    instance->timers_ending = true; /* the loop walks the list meanwhile: it stays as it is */
    if (list_empty(&instance->timers))
        return;
    ending.disarm.run = ending_disarm;
    instance_tell_loop(instance, &ending.disarm);
    while (!ending.over)
        instance_run_one(instance);
    while ((link = list_pop(&instance->timers)) != NULL)
        free(list_entry(link, struct instance_timer, link));
    instance->timers_count = 0;
}

const void *ext_timer_table(void)
{
    static const tr_timer table = {
        .size = sizeof(table),
        .set = timer_set,
        .cancel = timer_cancel,
    };

    return &table;
}
