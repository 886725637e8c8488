/* SPDX-License-Identifier: Apache-2.0 */
/* retry: asks for each change once more, in 250 ms; takes it the second time. */
#include "common.h"

static tr_status process(tr_self *self, const tr_batch *batch, tr_outcome *outcome)
{
    (void)self;
    if (tr_batch_at(batch, 0)->attempt > 1)
        return tr_finish(outcome, TR_OK, NULL);
    outcome->retry_after_ms = 250;
    return tr_finish(outcome, TR_RETRY, "not the first time");
}

static const tr_plugin plugin = {COMMON("retry", "wants everything twice"), .process = process};

TR_PLUGIN(plugin)
