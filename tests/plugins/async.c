/* SPDX-License-Identifier: Apache-2.0 */
/* async: settles each batch from a thread of its own, before or after process() has returned.
 */
#include "common.h"

static void *settle(void *arg)
{
    common_complete((tr_self *)arg, TR_OK, "from a thread");
    return NULL;
}

static tr_status process(tr_self *self, const tr_batch *batch, tr_outcome *outcome)
{
    (void)outcome;
    return common_run(self, batch, settle);
}

static const tr_plugin plugin = {COMMON("async", "settles later"), .process = process};

TR_PLUGIN(plugin)
