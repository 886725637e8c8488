/* SPDX-License-Identifier: Apache-2.0 */
/* late_complete: settles a batch only after its deadline, when cancel() was called. */
#include "common.h"

static void *settle(void *arg)
{
    tr_self *self = (tr_self *)arg;

    while (sem_wait(&self->late) != 0)
        ;
    common_complete(self, TR_OK, "late");
    return NULL;
}

static tr_status process(tr_self *self, const tr_batch *batch, tr_outcome *outcome)
{
    (void)outcome;
    return common_run(self, batch, settle);
}

static const tr_plugin plugin = {COMMON("late_complete", "settles after the deadline"),
                                 .process = process, .cancel = common_cancel};

TR_PLUGIN(plugin)
