/* SPDX-License-Identifier: Apache-2.0 */
/* wrong_thread: calls functions of the worker on a thread of its own; says if they refused. */
#include "common.h"

#include <tailrace/ext/timer.h>

static void never(void *user)
{
    (void)user;
    abort();
}

static void *trespass(void *arg)
{
    tr_self *self = (tr_self *)arg;
    const tr_timer *timer = (const tr_timer *)self->host->get_ext(self->host, TR_EXT_TIMER);
    uint64_t id = 0;

    if (timer->set(self->host, 0, never, self, &id) == TR_EINVAL &&
        timer->cancel(self->host, id) == TR_EINVAL)
        common_complete(self, TR_OK, "refused");
    else
        common_complete(self, TR_FATAL, "not refused");
    return NULL;
}

static tr_status process(tr_self *self, const tr_batch *batch, tr_outcome *outcome)
{
    (void)outcome;
    return common_run(self, batch, trespass);
}

static const tr_plugin plugin = {COMMON("wrong_thread", "trespasses"), .process = process};

TR_PLUGIN(plugin)
