/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long something took, as a histogram of milliseconds with bounds that are the same
 * everywhere: plain counters of the thread that has them. To add to one costs a few compares.
 */
#ifndef OBSERVE_HISTOGRAM_H
#define OBSERVE_HISTOGRAM_H

#include "observe/prom.h"

enum { HISTOGRAM_BOUNDS = 15 };

struct histogram {
    uint64_t counts[HISTOGRAM_BOUNDS + 1]; /* the last: beyond all bounds                  */
    uint64_t sum_ms;
};

extern const int64_t histogram_bounds_ms[HISTOGRAM_BOUNDS];

/* `times` things took `ms` each. */
static inline void histogram_add(struct histogram *histogram, int64_t ms, uint64_t times)
{
    uint32_t i = 0;

    while (i < HISTOGRAM_BOUNDS && ms > histogram_bounds_ms[i])
        i++;
    histogram->counts[i] += times;
    if (ms > 0)
        histogram->sum_ms += (uint64_t)ms * times;
}

void histogram_merge(struct histogram *sum, const struct histogram *more);

/* In seconds. */
void histogram_write(struct buf *out, const char *name, tr_str labels,
                     const struct histogram *histogram);

#endif
