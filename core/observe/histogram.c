/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Histograms of durations, see histogram.h. Dispatch has them on the loop thread, the store on
 * its own.
 */
#include "observe/histogram.h"

const int64_t histogram_bounds_ms[HISTOGRAM_BOUNDS] = {
    1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 120000};

/* The same in seconds. */
static const char *const bounds_s[HISTOGRAM_BOUNDS] = {
    "0.001", "0.002", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25",
    "0.5",   "1",     "2.5",   "5",    "10",    "30",   "120"};

void histogram_merge(struct histogram *sum, const struct histogram *more)
{
    for (uint32_t i = 0; i <= HISTOGRAM_BOUNDS; i++)
        sum->counts[i] += more->counts[i];
    sum->sum_ms += more->sum_ms;
}

void histogram_write(struct buf *out, const char *name, tr_str labels,
                     const struct histogram *histogram)
{
    struct prom_bucket buckets[HISTOGRAM_BOUNDS];

    for (uint32_t i = 0; i < HISTOGRAM_BOUNDS; i++)
        buckets[i] = (struct prom_bucket){.bound = bounds_s[i], .count = histogram->counts[i]};
    prom_histogram(out, name, labels, buckets, HISTOGRAM_BOUNDS,
                   histogram->counts[HISTOGRAM_BOUNDS], (double)histogram->sum_ms / 1000);
}
