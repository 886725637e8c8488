/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plugin that only counts, so that what is measured is the road to it. It logs "counted N" at
 * its end, and earlier when it has seen `report_at` changes; with `stall` it takes its first
 * batch and never gives it back, as a sink that hangs. On its worker.
 */
#include <tailrace/sdk.h>

struct tr_self {
    const tr_host *host;
    uint64_t seen;
    struct {
        int64_t report_at;
        int32_t stall;
    } options;
};

static const tr_option options[] = {
    {.name = "report_at",
     .type = TR_TYPE_INT,
     .dflt = "0",
     .max = INT64_MAX,
     .offset = offsetof(struct tr_self, options.report_at) - offsetof(struct tr_self, options),
     .help = "log a line when so many changes were seen; 0: do not"},
    {.name = "stall",
     .type = TR_TYPE_BOOL,
     .dflt = "false",
     .offset = offsetof(struct tr_self, options.stall) - offsetof(struct tr_self, options),
     .help = "never answer"},
};

static tr_status count_open(const tr_host *host, tr_self **ret_self, tr_error *error)
{
    tr_self *self = calloc(1, sizeof(*self));

    if (!self)
        return tr_fail(error, TR_EAGAIN, "no memory");
    self->host = host;
    *ret_self = self;
    return TR_OK;
}

static tr_status count_configure(tr_self *self, const tr_config *config, tr_error *error)
{
    return tr_bind(self->host, config, options, sizeof(options) / sizeof(options[0]),
                   &self->options, error);
}

static void report(const tr_self *self)
{
    tr_logf(self->host, TR_LOG_NOTICE, "counted %llu", (unsigned long long)self->seen);
}

static tr_status count_process(tr_self *self, const tr_batch *batch, tr_outcome *ret_outcome)
{
    uint64_t before = self->seen, at = (uint64_t)self->options.report_at;

    if (self->options.stall)
        return TR_PENDING;
    self->seen += batch->count;
    if (before < at && self->seen >= at)
        report(self);
    return tr_finish(ret_outcome, TR_OK, NULL);
}

static void count_close(tr_self *self)
{
    report(self);
    free(self);
}

static const tr_plugin count = {
    TR_DESCRIPTOR("count", "1", "Counts changes, for benchmarks"),
    TR_OPTIONS(options),
    .open = count_open,
    .configure = count_configure,
    .process = count_process,
    .close = count_close,
};

TR_PLUGIN(count)
