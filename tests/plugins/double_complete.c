/* SPDX-License-Identifier: Apache-2.0 */
/*
 * double_complete: settles the batch within process(), and then twice more: by complete()
 * again, and by what process() returns. It counts the refusals of complete(), which it shall
 * see.
 */
#include "common.h"

static tr_status process(tr_self *self, const tr_batch *batch, tr_outcome *outcome)
{
    self->ticket = batch->ticket;
    common_complete(self, TR_OK,
                    self->count ? "the second call was refused" : "the first call");
    self->count = common_complete(self, TR_REJECT, "the second call") == TR_ESTALE;
    return tr_finish(outcome, TR_FATAL, "the third");
}

static const tr_plugin plugin = {COMMON("double_complete", "settles three times"),
                                 .process = process};

TR_PLUGIN(plugin)
