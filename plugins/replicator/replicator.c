/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replicator: copies what changes in a database to another, with all its leaves and their
 * histories, as CouchDB's own replicator does; or has a server do it, by POST /_replicate.
 *
 * Here is its descriptor and the life of an instance; replicator.h says what stands where. All
 * runs on the instance's worker and never waits.
 */
#include "replicator.h"

#include <tailrace/ext/explain.h>
#include <tailrace/ext/position.h>

static tr_status replicator_open(const tr_host *host, tr_self **ret_self, tr_error *error)
{
    tr_self *self = calloc(1, sizeof(*self));

    if (!self)
        return tr_fail(error, TR_EAGAIN, "out of memory");
    self->host = host;
    self->http = host->get_ext(host, TR_EXT_HTTP);
    self->json = host->get_ext(host, TR_EXT_JSON);
    self->secrets = host->get_ext(host, TR_EXT_SECRETS);
    self->timer = host->get_ext(host, TR_EXT_TIMER);
    self->tmpl = host->get_ext(host, TR_EXT_TEMPLATE);
    self->position = host->get_ext(host, TR_EXT_POSITION);
    if (self->http && self->json && self->secrets && self->timer && self->tmpl) {
        *ret_self = self;
        return TR_OK;
    }
    free(self);
    return tr_fail(error, TR_ENOSYS,
                   "this host lacks an extension: tr.http/1, tr.json/1, tr.secrets/1, "
                   "tr.template/1 and tr.timer/1 are needed");
}

static tr_status replicator_configure(tr_self *self, const tr_config *config, tr_error *error)
{
    tr_status status = tr_bind(self->host, config, replicator_options, OPTIONS_COUNT,
                               &self->options, error);

    return status == TR_OK ? options_judge(self, error) : status;
}

static tr_status replicator_check(const tr_host *host, const tr_config *config, tr_error *error)
{
    tr_self self = {.host = host,
                    .json = host->get_ext(host, TR_EXT_JSON),
                    .tmpl = host->get_ext(host, TR_EXT_TEMPLATE)};
    tr_status status;

    if (!self.json || !self.tmpl)
        return tr_fail(error, TR_ENOSYS, "this host lacks tr.json/1 or tr.template/1");
    status = replicator_configure(&self, config, error);
    tr_unbind(replicator_options, OPTIONS_COUNT, &self.options);
    return status;
}

/* All instances that ask the same server as the same user do it over the same few connections.
 */
static tr_status start_server(tr_self *self, tr_error *error)
{
    const struct options *options = &self->options;
    char server[1024];
    struct out share = {.ptr = server, .cap = sizeof(server)};
    tr_http_options http = tr_connection_http(&options->connection);

    endpoint_add_server(&share, options);
    if (share.len <= share.cap)
        http.share = tr_str_n(share.ptr, share.len);
    return self->http->client_new(self->host, &http, &self->client, error);
}

static tr_status replicator_start(tr_self *self, tr_error *error)
{
    return self->options.mode == MODE_SERVER ? start_server(self, error)
                                             : native_start(self, error);
}

static tr_status replicator_process(tr_self *self, const tr_batch *batch,
                                    tr_outcome *ret_outcome)
{
    return self->options.mode == MODE_SERVER ? run_process(self, batch, ret_outcome)
                                             : native_process(self, batch, ret_outcome);
}

static tr_status replicator_flush(tr_self *self, int64_t deadline_ms)
{
    return native_flush(self, deadline_ms);
}

static tr_status replicator_stop(tr_self *self, int64_t deadline_ms)
{
    (void)deadline_ms;
    native_stop(self);
    if (self->client)
        self->http->client_free(self->client);
    self->client = NULL;
    return TR_OK;
}

static void replicator_close(tr_self *self)
{
    (void)replicator_stop(self, 0);
    tr_unbind(replicator_options, OPTIONS_COUNT, &self->options);
    free(self);
}

static const void *replicator_get_ext(const char *id)
{
    if (strcmp(id, TR_EXT_POSITION) == 0)
        return native_position_table();
    return strcmp(id, TR_EXT_EXPLAIN) == 0 ? explain_table() : NULL;
}

static const tr_plugin replicator = {
    TR_DESCRIPTOR("replicator", "1.0.0", "copies databases with all their revisions"),
    .license = "Apache-2.0",
    .caps = TR_CAP_CONCURRENT | TR_CAP_NEVER_BLOCKS | TR_CAP_NEEDS_ALL_LEAVES,
    .max_inflight = 512,
    TR_OPTIONS(replicator_options),
    .check = replicator_check,
    .open = replicator_open,
    .configure = replicator_configure,
    .start = replicator_start,
    .process = replicator_process,
    .flush = replicator_flush,
    .stop = replicator_stop,
    .close = replicator_close,
    .get_ext = replicator_get_ext,
};

TR_PLUGIN(replicator)
