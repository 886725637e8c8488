/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shares: says that it never blocks, and names the thread of each batch. With `lies` it waits
 * in process() until the batch is cancelled.
 */
#include "common.h"

static const tr_option options[] = {{.name = "lies", .type = TR_TYPE_BOOL, .dflt = "false"}};

static tr_status configure(tr_self *self, const tr_config *config, tr_error *error)
{
    tr_value value;

    (void)error;
    value.size = (uint32_t)sizeof(value);
    self->host->config_get(config, "lies", 0, &value);
    self->count = (uint32_t)value.i;
    return TR_OK;
}

static tr_status process(tr_self *self, const tr_batch *batch, tr_outcome *outcome)
{
    static _Thread_local char name[32];

    (void)batch;
    if (self->count)
        sem_wait(&self->late);
    snprintf(name, sizeof(name), "%lx", (unsigned long)pthread_self());
    return tr_finish(outcome, TR_OK, name);
}

static const tr_plugin plugin = {COMMON("shares", "shares worker threads"),
                                 .caps = TR_CAP_NEVER_BLOCKS,
                                 TR_OPTIONS(options),
                                 .configure = configure,
                                 .process = process,
                                 .cancel = common_cancel};

TR_PLUGIN(plugin)
