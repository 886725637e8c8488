/* SPDX-License-Identifier: Apache-2.0 */
/* slow: holds its worker within process() until the batch is cancelled, then settles it. */
#include "common.h"

static tr_status process(tr_self *self, const tr_batch *batch, tr_outcome *outcome)
{
    (void)batch;
    while (sem_wait(&self->late) != 0)
        ;
    return tr_finish(outcome, TR_OK, "slow");
}

static const tr_plugin plugin = {COMMON("slow", "takes all the time it has"),
                                 .process = process, .cancel = common_cancel};

TR_PLUGIN(plugin)
