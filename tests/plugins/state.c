/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state: counts in what it keeps the changes of each document and, with the option `total`, all
 * of a stream. At its start it logs what it finds. Every seventh batch it counts and then has
 * sent again; of every eleventh it takes the first half only.
 */
#include "common.h"

#include <tailrace/ext/state.h>

#include <inttypes.h>

static const tr_state *state; /* of the host: the same for all instances */
static int32_t has_total;     /* the option */

static tr_status state_open(const tr_host *host, tr_self **ret_self, tr_error *error)
{
    state = (const tr_state *)host->get_ext(host, TR_EXT_STATE);
    return common_open(host, ret_self, error);
}

static tr_status configure(tr_self *self, const tr_config *config, tr_error *error)
{
    tr_value value;

    (void)error;
    value.size = sizeof(value);
    has_total = self->host->config_get(config, "total", 0, &value) == TR_OK && value.i != 0;
    return TR_OK;
}

static uint64_t number_of(tr_str value)
{
    uint64_t number = 0;

    if (value.len == sizeof(number))
        memcpy(&number, value.ptr, sizeof(number));
    return number;
}

/* ---- at the start ---- */

struct found {
    uint64_t documents, changes;
};

static int32_t add_document(void *user, tr_str key, tr_str value)
{
    struct found *found = (struct found *)user;

    (void)key;
    found->documents++;
    found->changes += number_of(value);
    return 1;
}

static int32_t tell(void *user, const tr_state_stream *stream)
{
    tr_self *self = (tr_self *)user;
    struct found found = {0, 0};
    tr_str total = {NULL, 0}, from = {"d/", 2}, to = {"d0", 2};

    state->get(self->host, stream->stream, tr_str_c("total"), &total);
    state->scan(self->host, stream->stream, from, to, 0, add_document, &found);
    tr_logf(self->host, TR_LOG_NOTICE,
            "kept of %.*s: %" PRIu64 " documents, %" PRIu64 " changes, total %" PRIu64,
            (int)stream->db.len, stream->db.ptr, found.documents, found.changes,
            number_of(total));
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
    tr_status status = has_total ? add(self, batch, tr_str_c("total")) : TR_OK;

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

static const tr_option options[] = {{.name = "total",
                                     .type = TR_TYPE_BOOL,
                                     .dflt = "true",
                                     .offset = TR_NO_OFFSET,
                                     .help = "all of a stream too: for one batch at a time"}};

static const tr_plugin plugin = {TR_DESCRIPTOR("state", "1.0", "counts in what it keeps"),
                                 .caps = TR_CAP_CONCURRENT,
                                 .max_inflight = 16,
                                 TR_OPTIONS(options),
                                 .open = state_open,
                                 .configure = configure,
                                 .start = start,
                                 .process = process,
                                 .stop = common_stop,
                                 .close = common_close};

TR_PLUGIN(plugin)
