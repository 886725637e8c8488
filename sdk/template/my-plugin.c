/* SPDX-License-Identifier: Apache-2.0 */
/* my-plugin: counts changes and logs every so many. All its callbacks run on one thread. */
#include <tailrace/sdk.h>

struct tr_self {
    const tr_host *host;
    int64_t every; /* filled by tr_bind(), as the table says */
    uint64_t changes;
};

static const tr_option options[] = {
    {.name = "every",
     .type = TR_TYPE_INT,
     .dflt = "1000",
     .min = 1,
     .max = 1000000000,
     .offset = offsetof(struct tr_self, every),
     .help = "log each time so many more changes came"},
};

static tr_status my_open(const tr_host *host, tr_self **ret_self, tr_error *error)
{
    tr_self *self = calloc(1, sizeof(*self));

    if (!self)
        return tr_fail(error, TR_EAGAIN, "out of memory");
    self->host = host;
    *ret_self = self;
    return TR_OK;
}

static tr_status my_configure(tr_self *self, const tr_config *config, tr_error *error)
{
    return tr_bind(self->host, config, options, 1, self, error);
}

static tr_status my_process(tr_self *self, const tr_batch *batch, tr_outcome *outcome)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        const tr_change *change = tr_batch_at(batch, i);
        if (++self->changes % (uint64_t)self->every == 0)
            tr_logf(self->host, TR_LOG_INFO, "%llu changes, the last of them %.*s",
                    (unsigned long long)self->changes, (int)change->id.len, change->id.ptr);
    }
    return tr_finish(outcome, TR_OK, NULL);
}

static void my_close(tr_self *self)
{
    tr_unbind(options, 1, self);
    free(self);
}

static const tr_plugin my_plugin = {TR_DESCRIPTOR("my-plugin", "0.1.0", "counts changes"),
                                    TR_OPTIONS(options),
                                    .open = my_open,
                                    .configure = my_configure,
                                    .process = my_process,
                                    .close = my_close};

TR_PLUGIN(my_plugin)
