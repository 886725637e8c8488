/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tr.metrics/1: figures of a plugin's own beside the host's at /metrics.
 *
 * A metric is declared once and set, added to or observed then; each set of label values is a
 * series of its own. The host shows it as tailrace_PLUGIN_NAME with the label `rule` before the
 * declared ones and, of a transform, `transform`, its place in the rule's chain from 1. All of
 * it begins anew with each instance. A call costs a look-up by the label values: for a figure
 * a change that is nothing, for ten of them collect a batch first. Since ABI minor 2.
 */
#ifndef TAILRACE_EXT_METRICS_H
#define TAILRACE_EXT_METRICS_H

#include <tailrace/host.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TR_EXT_METRICS "tr.metrics/1"

enum { TR_METRIC_COUNTER = 1, TR_METRIC_GAUGE = 2, TR_METRIC_HISTOGRAM = 3 };

/* Copied. Names as Prometheus has them: [a-z_][a-z0-9_]*, the base unit at the end, counters
 * and nothing else in _total. `rule`, `transform` and `le` are no names for a label. `buckets`
 * are the rising upper bounds of a histogram, without the infinite one. */
typedef struct tr_metric {
    uint32_t size;
    uint32_t kind; /* TR_METRIC_… */
    const char *name, *help;
    const char *const *labels;
    uint32_t labels_count;  /* 8 at most                                                      */
    uint32_t buckets_count; /* 50 at most                                                  */
    const double *buckets;
} tr_metric;

/* `values` are as many as the metric has labels, in their order; any bytes, of which the first
 * 256 count, shown as UTF-8. NULL where there are no labels. A metric has at most 1,000 series
 * of an instance, and all plugins together 100,000; what comes beyond goes into one whose
 * values are all "other", and the host says so once in its log. TR_EINVAL: there is no such
 * metric, it is of another kind, or a counter would fall. */
typedef struct tr_metrics {
    uint32_t size;

    /* From open() on. The same name again gives the same metric. TR_EINVAL: a name, kind or
     * bucket is wrong, or the name is another metric's, of tailrace or of another kind of an
     * instance of another rule; TR_EAGAIN: 100 are declared.
     *                                                                  [control, worker] */
    tr_status (*declare)(const tr_host *host, const tr_metric *metric, uint32_t *ret_metric);

    /* Of a gauge: it is `value` now.                                            [worker] */
    tr_status (*set)(const tr_host *host, uint32_t metric, const tr_str *values, double value);

    /* Of a counter or gauge: `more` is added; to a counter 0 or more.           [worker] */
    tr_status (*add)(const tr_host *host, uint32_t metric, const tr_str *values, double more);

    /* Of a histogram: one more of `value`.                                      [worker] */
    tr_status (*observe)(const tr_host *host, uint32_t metric, const tr_str *values,
                         double value);

    /* The series is shown no more. TR_ENOENT: there is none.                    [worker] */
    tr_status (*forget)(const tr_host *host, uint32_t metric, const tr_str *values);
} tr_metrics;

#ifdef __cplusplus
}
#endif

#endif
