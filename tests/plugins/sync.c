/* SPDX-License-Identifier: Apache-2.0 */
/* sync: settles each batch before process() returns, and says how many changes it had. */
#include "common.h"

static tr_status process(tr_self *self, const tr_batch *batch, tr_outcome *outcome)
{
    static const char *const numbers[] = {"none", "one", "two", "three"};

    (void)self;
    return tr_finish(outcome, TR_OK, batch->count < 4 ? numbers[batch->count] : "many");
}

static const tr_plugin plugin = {COMMON("sync", "settles at once"), .process = process};

TR_PLUGIN(plugin)
