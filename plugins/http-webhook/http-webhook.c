/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http-webhook: sends changes to an HTTP endpoint, one request a change or one for many.
 *
 * Here is its descriptor and the life of an instance; webhook.h says what stands where. All
 * runs on the instance's worker, but for check() and for cancel(), which only leaves a mark,
 * and nothing waits.
 */
#include "webhook.h"

#include <tailrace/ext/explain.h>

static tr_status webhook_open(const tr_host *host, tr_self **ret_self, tr_error *error)
{
    tr_self *self = calloc(1, sizeof(*self));

    if (!self)
        return pieces_no_memory(error);
    self->host = host;
    self->http = host->get_ext(host, TR_EXT_HTTP);
    self->secrets = host->get_ext(host, TR_EXT_SECRETS);
    self->tables.tmpl = host->get_ext(host, TR_EXT_TEMPLATE);
    self->tables.json = host->get_ext(host, TR_EXT_JSON);
    self->hasher = hasher_new();
    if (self->http && self->secrets && self->tables.tmpl && self->tables.json && self->hasher) {
        *ret_self = self;
        return TR_OK;
    }
    hasher_free(self->hasher);
    free(self);
    return tr_fail(error, TR_ENOSYS,
                   "this host lacks an extension: tr.http/1, tr.secrets/1, tr.template/1 and "
                   "tr.json/1 are needed");
}

static tr_status webhook_configure(tr_self *self, const tr_config *config, tr_error *error)
{
    for (struct job *job = atomic_load(&self->jobs); job; job = job->all) {
        free(job->headers); /* another plan has another number of them */
        job->headers = NULL;
    }
    options_free(self);
    return options_load(self, config, error);
}

/* An instance that is never opened: it has no hasher, and so no secret is looked at. */
static tr_status webhook_check(const tr_host *host, const tr_config *config, tr_error *error)
{
    tr_self *self = calloc(1, sizeof(*self));
    tr_status status;

    if (!self)
        return pieces_no_memory(error);
    self->host = host;
    self->tables.tmpl = host->get_ext(host, TR_EXT_TEMPLATE);
    self->tables.json = host->get_ext(host, TR_EXT_JSON);
    if (self->tables.tmpl && self->tables.json)
        status = options_load(self, config, error);
    else
        status = tr_fail(error, TR_ENOSYS, "this host lacks tr.template/1 or tr.json/1");
    options_free(self);
    free(self);
    return status;
}

static tr_status webhook_start(tr_self *self, tr_error *error)
{
    tr_http_options http = tr_connection_http(&self->options.connection);

    http.max_redirects = (uint32_t)self->options.max_redirects;
    http.max_response = 4096; /* the begin of it is shown, no more */
    if (self->missing[0])
        return tr_fail(error, TR_EINVAL, "%s", self->missing);
    return self->http->client_new(self->host, &http, &self->client, error);
}

static tr_status webhook_process(tr_self *self, const tr_batch *batch, tr_outcome *ret_outcome)
{
    struct job *job = job_take(self, batch), **last = &self->waiting;

    if (!job)
        return tr_finish(ret_outcome, TR_RETRY, "out of memory, or of places for batches");
    if (self->options.debounce)
        debounce_begin(job);
    if (self->options.block && self->active > 0) {
        while (*last)
            last = &(*last)->link;
        *last = job;
        return TR_PENDING;
    }
    self->active++;
    job_advance(job);
    return TR_PENDING;
}

static void webhook_cancel(tr_self *self, tr_ticket ticket)
{
    for (struct job *job = atomic_load(&self->jobs); job; job = job->all)
        if (atomic_load(&job->ticket) == ticket)
            atomic_store(&job->cancelled, ticket);
}

static tr_status webhook_stop(tr_self *self, int64_t deadline_ms)
{
    (void)deadline_ms;
    if (self->client)
        self->http->client_free(self->client);
    self->client = NULL;
    return TR_OK;
}

static void webhook_close(tr_self *self)
{
    struct job *job = atomic_load(&self->jobs), *next;

    (void)webhook_stop(self, 0);
    for (; job; job = next) {
        next = job->all;
        job_free(job);
    }
    options_free(self);
    hasher_free(self->hasher);
    free(self);
}

static const void *webhook_get_ext(const char *id)
{
    return strcmp(id, TR_EXT_EXPLAIN) == 0 ? explain_table() : NULL;
}

static const tr_plugin webhook = {
    TR_DESCRIPTOR("http-webhook", "1.0.0", "sends changes to an HTTP endpoint"),
    .license = "Apache-2.0",
    .caps = TR_CAP_CONCURRENT | TR_CAP_NEVER_BLOCKS,
    .max_inflight = JOBS_MAX,
    TR_OPTIONS(webhook_options),
    .check = webhook_check,
    .open = webhook_open,
    .configure = webhook_configure,
    .start = webhook_start,
    .process = webhook_process,
    .cancel = webhook_cancel,
    .stop = webhook_stop,
    .close = webhook_close,
    .get_ext = webhook_get_ext,
};

TR_PLUGIN(webhook)
