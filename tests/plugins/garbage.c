/* SPDX-License-Identifier: Apache-2.0 */
/*
 * garbage: gives outcomes that make no sense. Which one depends on the number of changes; with
 * seven of them it talks nonsense to complete() first and then gives a good outcome after all.
 */
#include "common.h"

static tr_status complete(tr_self *self, const tr_batch *batch, tr_status status,
                          const int32_t *items, uint32_t count, uint32_t size)
{
    tr_outcome outcome;

    memset(&outcome, 0, sizeof(outcome));
    outcome.size = size;
    outcome.status = status;
    outcome.items = items;
    outcome.items_count = count;
    return self->host->complete(self->host, batch->ticket, &outcome);
}

static tr_status talk_nonsense(tr_self *self, const tr_batch *batch)
{
    static const int32_t pending[7] = {TR_OK, TR_PENDING}, fatal[7] = {TR_FATAL};
    const uint32_t size = (uint32_t)sizeof(tr_outcome);

    if (complete(self, batch, 77, NULL, 0, size) != TR_EINVAL ||
        complete(self, batch, TR_PENDING, NULL, 0, size) != TR_EINVAL ||
        complete(self, batch, TR_OK, NULL, 7, size) != TR_EINVAL ||
        complete(self, batch, TR_OK, pending, 6, size) != TR_EINVAL ||
        complete(self, batch, TR_OK, pending, 7, size) != TR_EINVAL ||
        complete(self, batch, TR_OK, fatal, 7, size) != TR_EINVAL ||
        complete(self, batch, TR_OK, NULL, 0, 4) != TR_EINVAL ||
        self->host->complete(self->host, batch->ticket, NULL) != TR_EINVAL ||
        self->host->complete(self->host, 0, NULL) != TR_EINVAL)
        return complete(self, batch, TR_FATAL, NULL, 0, size);
    return complete(self, batch, TR_OK, NULL, 0, size);
}

static tr_status process(tr_self *self, const tr_batch *batch, tr_outcome *outcome)
{
    static const int32_t nonsense[] = {77, -5, TR_PENDING, TR_FATAL};

    outcome->status = TR_OK;
    switch (batch->count) {
    case 1: return 77;
    case 2: return TR_ENOSYS;
    case 3:
        outcome->items = nonsense;
        outcome->items_count = 4;
        return TR_OK;
    case 4:
        outcome->items = nonsense;
        outcome->items_count = 4;
        return TR_OK;
    case 5: outcome->items_count = 5; return TR_OK;
    case 6: outcome->message.len = 1000; return TR_OK;
    default: talk_nonsense(self, batch); return TR_PENDING;
    }
}

static const tr_plugin plugin = {COMMON("garbage", "talks nonsense"), .process = process};

TR_PLUGIN(plugin)
