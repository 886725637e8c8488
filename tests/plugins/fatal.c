/* SPDX-License-Identifier: Apache-2.0 */
/* fatal: declares itself broken at the first batch. */
#include "common.h"

static tr_status process(tr_self *self, const tr_batch *batch, tr_outcome *outcome)
{
    (void)self;
    (void)batch;
    return tr_finish(outcome, TR_FATAL, "the disk is gone");
}

static const tr_plugin plugin = {COMMON("fatal", "breaks at once"), .process = process};

TR_PLUGIN(plugin)
