/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics: counts what it is given as figures of its own: changes by the first letter of their
 * ids, batches, their sizes as a histogram, and the size of the last as a gauge. What the host
 * must refuse is tried at the start.
 */
#include "common.h"

#include <tailrace/ext/metrics.h>

enum { LETTER, SIZES, LAST, DECLARED };

static const char *const by_letter[] = {"letter"};
static const double sizes[] = {1, 10, 100};

static const tr_metric declared[DECLARED] = {
    [LETTER] = {.size = sizeof(tr_metric),
                .kind = TR_METRIC_COUNTER,
                .name = "changes_total",
                .help = "Changes by the first letter of their ids.",
                .labels = by_letter,
                .labels_count = 1},
    [SIZES] = {.size = sizeof(tr_metric),
               .kind = TR_METRIC_HISTOGRAM,
               .name = "batch_changes",
               .help = "Changes of a batch.",
               .buckets = sizes,
               .buckets_count = 3},
    [LAST] = {.size = sizeof(tr_metric),
              .kind = TR_METRIC_GAUGE,
              .name = "last_batch_changes",
              .help = "Changes of the last batch."},
};

struct figures {
    tr_self common; /* first                                                               */
    const tr_metrics *metrics;
    uint32_t ids[DECLARED];
};

static tr_status declare(struct figures *self, tr_error *error)
{
    const tr_host *host = self->common.host;
    tr_metric wrong = declared[LAST];

    self->metrics = (const tr_metrics *)host->get_ext(host, TR_EXT_METRICS);
    if (!self->metrics)
        return tr_fail(error, TR_ENOSYS, "there is no %s", TR_EXT_METRICS);
    for (int i = 0; i < DECLARED; i++)
        if (self->metrics->declare(host, &declared[i], &self->ids[i]) != TR_OK)
            return tr_fail(error, TR_EINVAL, "%s is refused", declared[i].name);
    wrong.kind = TR_METRIC_HISTOGRAM;
    if (self->metrics->declare(host, &wrong, &self->ids[LAST]) != TR_EINVAL)
        return tr_fail(error, TR_EINVAL, "a name of two kinds is taken");
    return TR_OK;
}

static tr_status metrics_open(const tr_host *host, tr_self **ret_self, tr_error *error)
{
    struct figures *self = (struct figures *)calloc(1, sizeof(*self));
    tr_status status;

    if (!self)
        return tr_fail(error, TR_EAGAIN, "out of memory");
    self->common.host = host;
    sem_init(&self->common.late, 0, 0);
    status = declare(self, error);
    if (status == TR_OK)
        *ret_self = &self->common;
    else
        common_close(&self->common);
    return status;
}

static tr_status process(tr_self *common, const tr_batch *batch, tr_outcome *outcome)
{
    struct figures *self = (struct figures *)common;
    const tr_metrics *metrics = self->metrics;
    const tr_host *host = common->host;

    for (uint32_t i = 0; i < batch->count; i++) {
        const tr_str letter = {tr_batch_at(batch, i)->id.ptr, 1};
        if (metrics->add(host, self->ids[LETTER], &letter, 1) != TR_OK)
            return tr_finish(outcome, TR_FATAL, "a change cannot be counted");
    }
    if (metrics->observe(host, self->ids[SIZES], NULL, batch->count) != TR_OK ||
        metrics->set(host, self->ids[LAST], NULL, batch->count) != TR_OK)
        return tr_finish(outcome, TR_FATAL, "a batch cannot be counted");
    if (metrics->set(host, self->ids[LETTER], NULL, 1) != TR_EINVAL ||
        metrics->add(host, self->ids[LETTER], &(tr_str){"a", 1}, -1) != TR_EINVAL)
        return tr_finish(outcome, TR_FATAL, "a counter can be set, or falls");
    return tr_finish(outcome, TR_OK, "counted");
}

static const tr_plugin plugin = {TR_DESCRIPTOR("metrics", "1.0", "counts as figures"),
                                 .open = metrics_open, .process = process, .stop = common_stop,
                                 .close = common_close};

TR_PLUGIN(plugin)
