/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flush: flushes by timers, three of them one after the other, and ends the process when it is
 * stopped before; with rounds = 0 it is never done.
 */
#include "common.h"

#include <tailrace/ext/timer.h>

static const tr_option options[] = {
    {.name = "rounds",
     .type = TR_TYPE_INT,
     .dflt = "3",
     .offset = TR_NO_OFFSET,
     .help = "timers"},
};

static int64_t rounds;

static tr_status configure(tr_self *self, const tr_config *config, tr_error *error)
{
    tr_value value = {.size = sizeof(value)};
    tr_status status = self->host->config_get(config, "rounds", 0, &value);

    (void)error;
    rounds = value.i;
    return status;
}

static void fired(void *user)
{
    ((tr_self *)user)->count++;
}

static tr_status flush(tr_self *self, int64_t deadline_ms)
{
    const tr_timer *timer = (const tr_timer *)self->host->get_ext(self->host, TR_EXT_TIMER);

    (void)deadline_ms;
    if (rounds > 0 && self->count == rounds)
        return TR_OK;
    return timer->set(self->host, 2, fired, self, NULL) == TR_OK ? TR_PENDING : TR_FATAL;
}

static tr_status stop(tr_self *self, int64_t deadline_ms)
{
    (void)deadline_ms;
    if (rounds > 0 && self->count != rounds)
        abort();
    return TR_OK;
}

static tr_status process(tr_self *self, const tr_batch *batch, tr_outcome *outcome)
{
    (void)self, (void)batch;
    return tr_finish(outcome, TR_OK, "");
}

static const tr_plugin plugin = {
    TR_DESCRIPTOR("flush", "1.0", "flushes by timers"),
    TR_OPTIONS(options),
    .open = common_open,
    .configure = configure,
    .process = process,
    .flush = flush,
    .stop = stop,
    .close = common_close,
};

TR_PLUGIN(plugin)
