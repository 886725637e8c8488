/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state: counts the changes of each stream in what it keeps, and the documents. At its start it
 * logs what it finds. Every seventh batch it counts and then has sent again; of every eleventh
 * it takes the first half only.
 */
#include "common.h"

#include <tailrace/ext/state.h>

#include <inttypes.h>

static const tr_state *state; /* of the host: the same for all instances */

static tr_status state_open(const tr_host *host, tr_self **ret_self, tr_error *error)
{
    state = (const tr_state *)host->get_ext(host, TR_EXT_STATE);
    return common_open(host, ret_self, error);
}

static uint64_t number_of(tr_str value)
{
    uint64_t number = 0;

    if (value.len == sizeof(number))
        memcpy(&number, value.ptr, sizeof(number));
    return number;
}

/* ---- at the start ---- */

static int32_t count_key(void *user, tr_str key, tr_str value)
{
    (void)key, (void)value;
    ++*(uint64_t *)user;
    return 1;
}

static int32_t tell(void *user, const tr_state_stream *stream)
{
    tr_self *self = (tr_self *)user;
    uint64_t documents = 0;
    tr_str rows = {NULL, 0}, from = {"d/", 2}, to = {"d0", 2};

    state->get(self->host, stream->stream, tr_str_c("rows"), &rows);
    state->scan(self->host, stream->stream, from, to, 0, count_key, &documents);
    tr_logf(self->host, TR_LOG_NOTICE, "kept of %.*s: %" PRIu64 " rows, %" PRIu64 " documents",
            (int)stream->db.len, stream->db.ptr, number_of(rows), documents);
    return 1;
}

static tr_status start(tr_self *self, tr_error *error)
{
    (void)error;
    state->streams(self->host, tell, self);
    return TR_OK;
}

/* ---- batches ---- */

static tr_status add(tr_self *self, const tr_batch *batch, tr_str key)
{
    uint64_t number = 0;
    tr_str value;
    tr_status status = state->get(self->host, batch->stream, key, &value);

    if (status != TR_OK && status != TR_ENOENT)
        return status;
    if (status == TR_OK)
        number = number_of(value);
    number++;
    value.ptr = (const char *)&number;
    value.len = sizeof(number);
    return state->put(self->host, batch->ticket, key, value);
}

static tr_status count(tr_self *self, const tr_batch *batch, const tr_change *change)
{
    char key[TR_STATE_KEY_BYTES];
    tr_status status = add(self, batch, tr_str_c("rows"));

    if (change->id.len > sizeof(key) - 2)
        return TR_EINVAL;
    memcpy(key, "d/", 2);
    memcpy(key + 2, change->id.ptr, change->id.len);
    if (status == TR_OK)
        status = add(self, batch, tr_str_n(key, change->id.len + 2));
    return status;
}

static tr_status process(tr_self *self, const tr_batch *batch, tr_outcome *outcome)
{
    uint32_t taken = ++self->count % 11 == 0 ? batch->count / 2 : batch->count;
    int32_t items[1000];

    for (uint32_t i = 0; i < taken; i++)
        if (count(self, batch, tr_batch_at(batch, i)) != TR_OK)
            return tr_finish(outcome, TR_RETRY, "nothing can be kept now");
    if (self->count % 7 == 0)
        return tr_finish(outcome, TR_RETRY, "once more");
    if (taken == batch->count || batch->count > 1000)
        return TR_OK;
    for (uint32_t i = 0; i < batch->count; i++)
        items[i] = i < taken ? TR_OK : TR_RETRY;
    outcome->items = items;
    outcome->items_count = batch->count;
    self->host->complete(self->host, batch->ticket, outcome); /* while they stand there    */
    return TR_PENDING;
}

static const tr_plugin plugin = {TR_DESCRIPTOR("state", "1.0", "counts in what it keeps"),
                                 .open = state_open,
                                 .start = start,
                                 .process = process,
                                 .stop = common_stop,
                                 .close = common_close};

TR_PLUGIN(plugin)
