/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the two files of the figures of plugins share: metrics.c has families and what is
 * declared, metrics_series.c the values. Private to observe/.
 */
#ifndef OBSERVE_METRICS_PRIVATE_H
#define OBSERVE_METRICS_PRIVATE_H

#include "base/list.h"
#include "base/map.h"
#include "observe/metrics.h"
#include "observe/prom.h"

#include <pthread.h>
#include <stdatomic.h>

struct metrics {
    pthread_mutex_t lock; /* guards the next two, and what families have                  */
    struct list families; /* in the order in which they were first declared              */
    struct map names;     /* name -> struct family; each name that their lines begin with  */
    atomic_uint_fast32_t series; /* of all owners                                         */
};

/* What has one name, whoever declares it. */
struct family {
    struct list link; /* metrics->families                                                 */
    char *name, *help;
    enum prom_kind kind;
    struct list members; /* struct metric                                                  */
};

/* What one owner has declared. */
struct metric {
    struct list link; /* family->members                                                   */
    struct metrics_owner *owner;
    struct family *family;
    char *labels[METRICS_LABELS_MAX];
    uint32_t labels_count, buckets_count;
    double *bounds;
    char **bounds_text;
    struct map series; /* by the values of its labels: struct series                       */
    bool overflowed;   /* which was logged                                                 */
};

struct metrics_owner {
    struct metrics *metrics;
    char *plugin, *rule;
    uint32_t transform;
    pthread_mutex_t lock; /* guards all below, and the series of its metrics               */
    uint32_t count;
    struct metric *declared[METRICS_DECLARED_MAX];
    struct buf key; /* of the series that is looked for                                    */
};

struct series {
    char *labels; /* as they are written                                                   */
    double value; /* of a histogram: the sum                                               */
    uint64_t beyond;
    struct prom_bucket buckets[]; /* of the metric's buckets_count                         */
};

/* metrics_series.c; the owner's lock is held */
void series_free_all(struct metric *metric);
void series_write_all(const struct metric *metric, struct buf *out);

#endif
