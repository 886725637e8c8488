/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stats-calculator: statistics of documents that stay exact while the documents change, and are
 * published.
 *
 * Here is its descriptor and the life of an instance; stats.h says what stands where. All runs
 * on the instance's worker.
 */
#include "stats.h"

#include <tailrace/ext/explain.h>

static tr_status stats_open(const tr_host *host, tr_self **ret_self, tr_error *error)
{
    tr_self *self = calloc(1, sizeof(*self));

    if (!self)
        return tr_fail(error, TR_EAGAIN, "out of memory");
    self->host = host;
    self->json = tr_need_ext(host, TR_EXT_JSON, error);
    self->state = tr_need_ext(host, TR_EXT_STATE, error);
    self->timer = tr_need_ext(host, TR_EXT_TIMER, error);
    self->http = tr_need_ext(host, TR_EXT_HTTP, error);
    self->position = host->get_ext(host, TR_EXT_POSITION);
    if (self->json && self->state && self->timer && self->http) {
        *ret_self = self;
        return TR_OK;
    }
    free(self);
    return TR_ENOSYS;
}

static tr_status stats_configure(tr_self *self, const tr_config *config, tr_error *error)
{
    settings_free(&self->options);
    return settings_load(self, config, error);
}

static tr_status stats_check(const tr_host *host, const tr_config *config, tr_error *error)
{
    tr_self *self = calloc(1, sizeof(*self));
    tr_status status;

    if (!self)
        return tr_fail(error, TR_EAGAIN, "out of memory");
    self->host = host;
    status = settings_load(self, config, error);
    settings_free(&self->options);
    free(self);
    return status;
}

static tr_status stats_start(tr_self *self, tr_error *error)
{
    tr_status status = streams_load(self, error);

    return status == TR_OK ? publish_begin(self, error) : status;
}

static tr_status stats_process(tr_self *self, const tr_batch *batch, tr_outcome *ret_outcome)
{
    return apply_batch(self, batch, ret_outcome);
}

static tr_status stats_flush(tr_self *self, int64_t deadline_ms)
{
    (void)deadline_ms;
    return publish_flush(self);
}

static tr_status stats_stop(tr_self *self, int64_t deadline_ms)
{
    (void)deadline_ms;
    publish_end(self);
    return TR_OK;
}

static void stats_close(tr_self *self)
{
    publish_end(self);
    self->metrics = NULL; /* what is freed now is still shown by the host until it ends      */
    streams_free(self);
    table_fini(&self->groups);
    table_fini(&self->totals);
    settings_free(&self->options);
    tr_text_fini(&self->before.bytes);
    tr_text_fini(&self->after.bytes);
    tr_text_fini(&self->after.group_key);
    tr_text_fini(&self->scratch);
    tr_text_fini(&self->record);
    tr_text_fini(&self->key);
    free(self);
}

static const void *stats_get_ext(const char *id)
{
    if (strcmp(id, TR_EXT_EXPLAIN) == 0)
        return explain_table();
    return strcmp(id, TR_EXT_POSITION) == 0 ? begin_table() : NULL;
}

static const tr_plugin stats_calculator = {
    TR_DESCRIPTOR("stats-calculator", "1.0.0",
                  "statistics of documents, exact while they change"),
    .license = "Apache-2.0",
    .caps = TR_CAP_NEEDS_DOC | TR_CAP_ORDERED,
    .max_inflight = 1,
    .batch_changes = 5000,
    .batch_bytes = 8 << 20,
    .concurrency = 1,
    TR_OPTIONS(stats_options),
    .check = stats_check,
    .open = stats_open,
    .configure = stats_configure,
    .start = stats_start,
    .process = stats_process,
    .flush = stats_flush,
    .stop = stats_stop,
    .close = stats_close,
    .get_ext = stats_get_ext,
};

TR_PLUGIN(stats_calculator)
