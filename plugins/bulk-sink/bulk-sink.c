/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bulk-sink: writes documents to a database of a CouchDB, many in one request.
 *
 * Here is its descriptor and the life of an instance; bulk.h says what stands where. All runs
 * on the instance's worker and never waits.
 */
#include "bulk.h"

#include <tailrace/ext/explain.h>

static tr_status bulk_open(const tr_host *host, tr_self **ret_self, tr_error *error)
{
    tr_self *self = calloc(1, sizeof(*self));

    if (!self)
        return tr_fail(error, TR_EAGAIN, "out of memory");
    self->host = host;
    self->http = host->get_ext(host, TR_EXT_HTTP);
    self->json = host->get_ext(host, TR_EXT_JSON);
    self->timer = host->get_ext(host, TR_EXT_TIMER);
    if (self->http && self->json && self->timer) {
        *ret_self = self;
        return TR_OK;
    }
    free(self);
    return tr_fail(error, TR_ENOSYS,
                   "this host lacks an extension: tr.http/1, tr.json/1 and tr.timer/1 are "
                   "needed");
}

static tr_status bulk_configure(tr_self *self, const tr_config *config, tr_error *error)
{
    options_free(self);
    return options_load(self, config, error);
}

static tr_status bulk_check(const tr_host *host, const tr_config *config, tr_error *error)
{
    tr_self self = {.host = host};
    tr_status status = options_load(&self, config, error);

    options_free(&self);
    return status;
}

/* All instances that write to the same server as the same user do it over the same few
 * connections. */
static tr_status bulk_start(tr_self *self, tr_error *error)
{
    tr_http_options http = tr_connection_http(&self->options.connection);

    http.max_response = ANSWER_MAX;
    http.share = address_server(self->options.url);
    return self->http->client_new(self->host, &http, &self->client, error);
}

/* A batch that cannot go to its database at all: each change by itself, so that the host does
 * not look for the one that is to blame. */
static void refuse(struct job *job, tr_status status, const char *why)
{
    if (status == TR_RETRY) {
        tr_bulk_fail(&job->bulk, 0, "out of memory");
        return;
    }
    for (uint32_t i = 0; i < job->batch->count; i++)
        tr_bulk_reject(&job->bulk, i, "%s", why);
}

static tr_status bulk_process(tr_self *self, const tr_batch *batch, tr_outcome *ret_outcome)
{
    struct job *job = job_new(self, batch);
    char why[MESSAGE_MAX];
    tr_status status;

    if (!job)
        return tr_finish(ret_outcome, TR_RETRY, "out of memory");
    status = address_make(job, why);
    if (status != TR_OK)
        refuse(job, status, why);
    job_advance(job);
    return TR_PENDING;
}

static tr_status bulk_stop(tr_self *self, int64_t deadline_ms)
{
    (void)deadline_ms;
    if (self->client)
        self->http->client_free(self->client);
    self->client = NULL;
    return TR_OK;
}

static void bulk_close(tr_self *self)
{
    (void)bulk_stop(self, 0);
    options_free(self);
    free(self);
}

static const void *bulk_get_ext(const char *id)
{
    return strcmp(id, TR_EXT_EXPLAIN) == 0 ? explain_table() : NULL;
}

static const tr_plugin bulk_sink = {
    TR_DESCRIPTOR("bulk-sink", "1.0.0", "writes documents to a CouchDB, many in one request"),
    .license = "Apache-2.0",
    .caps = TR_CAP_CONCURRENT | TR_CAP_NEVER_BLOCKS | TR_CAP_NEEDS_DOC,
    .max_inflight = INFLIGHT_MAX,
    .batch_changes = 2000,
    .batch_bytes = 4 << 20,
    .concurrency = 4,
    TR_OPTIONS(bulk_options),
    .check = bulk_check,
    .open = bulk_open,
    .configure = bulk_configure,
    .start = bulk_start,
    .process = bulk_process,
    .stop = bulk_stop,
    .close = bulk_close,
    .get_ext = bulk_get_ext,
};

TR_PLUGIN(bulk_sink)
