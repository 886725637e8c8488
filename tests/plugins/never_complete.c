/* SPDX-License-Identifier: Apache-2.0 */
/* never_complete: takes a batch and never says what became of it, not even when cancelled. */
#include "common.h"

static tr_status process(tr_self *self, const tr_batch *batch, tr_outcome *outcome)
{
    (void)outcome;
    self->ticket = batch->ticket;
    return TR_PENDING;
}

static const tr_plugin plugin = {COMMON("never_complete", "never settles"), .process = process,
                                 .cancel = common_cancel};

TR_PLUGIN(plugin)
