/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timer: settles each batch by a timer. Of two more timers it cancels one, and leaves the
 * other, which is an hour away, to the end of the instance. A timer that must not fire ends the
 * process.
 */
#include "common.h"

#include <tailrace/ext/timer.h>

static void never(void *user)
{
    (void)user;
    abort();
}

static void settle(void *user)
{
    common_complete((tr_self *)user, TR_OK, "by a timer");
}

static tr_status process(tr_self *self, const tr_batch *batch, tr_outcome *outcome)
{
    const tr_timer *timer = (const tr_timer *)self->host->get_ext(self->host, TR_EXT_TIMER);
    uint64_t id = 0;

    if (!timer || timer->set(self->host, 3600000, never, self, NULL) != TR_OK ||
        timer->set(self->host, 1, never, self, &id) != TR_OK)
        return tr_finish(outcome, TR_FATAL, "no timer can be set");
    if (timer->cancel(self->host, id) != TR_OK || timer->cancel(self->host, id) != TR_ESTALE)
        return tr_finish(outcome, TR_FATAL, "a timer cannot be cancelled once");
    for (int i = 0; i < 3000; i++) /* what is cancelled does not count                     */
        if (timer->set(self->host, 3600000, never, self, &id) != TR_OK ||
            timer->cancel(self->host, id) != TR_OK)
            return tr_finish(outcome, TR_FATAL, "cancelled timers count");
    self->ticket = batch->ticket;
    if (timer->set(self->host, 2, settle, self, NULL) != TR_OK)
        return tr_finish(outcome, TR_FATAL, "no third timer can be set");
    return TR_PENDING;
}

static const tr_plugin plugin = {COMMON("timer", "settles by a timer"), .process = process};

TR_PLUGIN(plugin)
