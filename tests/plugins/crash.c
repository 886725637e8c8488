/* SPDX-License-Identifier: Apache-2.0 */
/* crash: takes the whole process down in the middle of a batch, as a bug would. */
#include "common.h"

#include <signal.h>

static tr_status process(tr_self *self, const tr_batch *batch, tr_outcome *outcome)
{
    (void)self;
    (void)batch;
    (void)outcome;
    signal(SIGSEGV, SIG_DFL); /* no report of a sanitizer for what is meant                */
    raise(SIGSEGV);
    return TR_OK;
}

static const tr_plugin plugin = {COMMON("crash", "crashes"), .process = process};

TR_PLUGIN(plugin)
