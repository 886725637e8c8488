/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prometheus' text format 0.0.4, line by line: a head for each family of metrics, then its
 * samples. Whoever calls keeps the samples of a family together. Any thread.
 *
 *     prom_head(out, "tailrace_rule_ok_total", PROM_COUNTER, "Changes that were taken.");
 *     prom_label(&labels, "rule", name);
 *     prom_sample(out, "tailrace_rule_ok_total", buf_str(&labels), 17);
 */
#ifndef OBSERVE_PROM_H
#define OBSERVE_PROM_H

#include "base/buf.h"

/* The numbers of TR_METRIC_… */
enum prom_kind { PROM_COUNTER = 1, PROM_GAUGE = 2, PROM_HISTOGRAM = 3 };

/* A bound as prom_number() writes it, and what lies within it and above the one before. */
struct prom_bucket {
    const char *bound;
    uint64_t count;
};

void prom_head(struct buf *out, const char *name, enum prom_kind kind, const char *help);

/* Appends key="value" to a list of labels; any bytes, those that are not UTF-8 as U+FFFD. */
void prom_label(struct buf *labels, const char *key, tr_str value);

/* `labels` as prom_label() makes them; empty: none. */
void prom_sample(struct buf *out, const char *name, tr_str labels, double value);

/* The lines of a histogram. `beyond` lie above the last bound. */
void prom_histogram(struct buf *out, const char *name, tr_str labels,
                    const struct prom_bucket *buckets, uint32_t count, uint64_t beyond,
                    double sum);

/* A number as the format has it, whatever the locale, in the fewest digits that mean it. */
void prom_number(struct buf *out, double value);

#endif
