/* SPDX-License-Identifier: Apache-2.0 */
/* reject: refuses every change for good. */
#include "common.h"

static tr_status process(tr_self *self, const tr_batch *batch, tr_outcome *outcome)
{
    (void)self;
    (void)batch;
    return tr_finish(outcome, TR_REJECT, "not this one");
}

static const tr_plugin plugin = {COMMON("reject", "refuses everything"), .process = process};

TR_PLUGIN(plugin)
