/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The figures that plugins keep: who has declared which metric, and what its series are now.
 *
 *     instance ──declare, set, add, observe──▶ owner ──▶ series
 *     /metrics ◀──metrics_write()── families, with the series of all owners together
 *
 * tr.metrics/1 (plugin/ext_metrics.c) is all that calls the functions of an owner, from the
 * worker of its instance; the engine makes the registry and has it written on the loop thread.
 * An owner has a lock of its own, which nobody else wants but while it is written. tailrace's
 * own figures are not in here: they are counters where they arise (engine/metrics.c).
 */
#ifndef OBSERVE_METRICS_H
#define OBSERVE_METRICS_H

#include "base/buf.h"

#include <tailrace/ext/metrics.h>

/* What bounds the memory and the answer; of a metric, of an owner, of a label's value in bytes,
 * and of all owners together. */
enum {
    METRICS_SERIES_MAX = 1000,
    METRICS_DECLARED_MAX = 100,
    METRICS_LABELS_MAX = 8,
    METRICS_BUCKETS_MAX = 50,
    METRICS_VALUE_MAX = 256,
    METRICS_SERIES_ALL = 100000
};

struct metrics;
struct metrics_owner;

struct metrics *metrics_new(void);
void metrics_free(struct metrics *metrics); /* after all owners; NULL is fine              */

/* No plugin may have this name: it is one of tailrace's own. `kind` as TR_METRIC_…. Before any
 * owner. */
void metrics_reserve(struct metrics *metrics, const char *name, uint32_t kind);

/* An instance of `plugin` for `rule`; `transform` is its place in the rule's chain from 1, or 0
 * for the rule's plugin itself. All is copied. */
struct metrics_owner *metrics_owner_new(struct metrics *metrics, const char *plugin,
                                        const char *rule, uint32_t transform);
void metrics_owner_free(struct metrics_owner *owner); /* NULL is fine                      */

/* As tr.metrics/1 says. One thread at a time for an owner. */
tr_status metrics_declare(struct metrics_owner *owner, const tr_metric *metric,
                          uint32_t *ret_metric);
tr_status metrics_set(struct metrics_owner *owner, uint32_t metric, const tr_str *values,
                      double value);
tr_status metrics_add(struct metrics_owner *owner, uint32_t metric, const tr_str *values,
                      double more);
tr_status metrics_observe(struct metrics_owner *owner, uint32_t metric, const tr_str *values,
                          double value);
tr_status metrics_forget(struct metrics_owner *owner, uint32_t metric, const tr_str *values);

/* Appends all of them, family by family. Any thread. */
void metrics_write(struct metrics *metrics, struct buf *out);

#endif
