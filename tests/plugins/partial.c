/* SPDX-License-Identifier: Apache-2.0 */
/* partial: says change by change what became of it: in turn taken, to be retried, refused. */
#include "common.h"

static tr_status process(tr_self *self, const tr_batch *batch, tr_outcome *outcome)
{
    static const int32_t verdicts[] = {TR_OK, TR_RETRY, TR_REJECT};
    int32_t items[64];

    (void)self;
    if (batch->count > 64)
        return tr_finish(outcome, TR_RETRY, "more than 64 changes");
    for (uint32_t i = 0; i < batch->count; i++)
        items[i] = verdicts[i % 3];
    /* The host copies the items before complete() returns: they may stand on the stack. */
    self->ticket = batch->ticket;
    outcome->status = TR_OK;
    outcome->items = items;
    outcome->items_count = batch->count;
    self->host->complete(self->host, batch->ticket, outcome);
    return TR_PENDING;
}

static const tr_plugin plugin = {COMMON("partial", "takes every third change"),
                                 .process = process};

TR_PLUGIN(plugin)
