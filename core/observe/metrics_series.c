/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The series of plugins' metrics: found by the values of their labels, changed, written. On the
 * worker of the instance that has them, but for the writing.
 */
#include "base/mem.h"
#include "observe/log.h"
#include "observe/metrics_private.h"

#include <math.h>

/* ---- finding one ---- */

/* The values, each with its length before it, so that no two lists of them are alike. */
static tr_str make_key(struct buf *key, const tr_str *values, uint32_t count)
{
    buf_clear(key);
    for (uint32_t i = 0; i < count; i++) {
        tr_str value = str_clip(values[i], METRICS_VALUE_MAX);
        uint32_t len = (uint32_t)value.len;

        buf_add(key, &len, sizeof(len));
        buf_add_str(key, value);
    }
    return buf_str(key);
}

static char *make_labels(const struct metric *metric, const tr_str *values)
{
    const struct metrics_owner *owner = metric->owner;
    struct buf labels = {0};
    char digits[STR_NUMBER];

    prom_label(&labels, "rule", str_c(owner->rule));
    if (owner->transform > 0)
        prom_label(&labels, "transform", str_of_number(owner->transform, digits));
    for (uint32_t i = 0; i < metric->labels_count; i++)
        prom_label(&labels, metric->labels[i], str_clip(values[i], METRICS_VALUE_MAX));
    return labels.ptr;
}

static struct series *series_new(struct metric *metric, tr_str key, const tr_str *values)
{
    struct series *series = mem_zero(1, sizeof(*series) +
                                            metric->buckets_count * sizeof(series->buckets[0]));

    series->labels = make_labels(metric, values);
    for (uint32_t i = 0; i < metric->buckets_count; i++)
        series->buckets[i].bound = metric->bounds_text[i];
    map_set(&metric->series, key, series);
    atomic_fetch_add(&metric->owner->metrics->series, 1);
    return series;
}

static bool is_full(const struct metric *metric)
{
    return metric->series.count >= METRICS_SERIES_MAX ||
           atomic_load(&metric->owner->metrics->series) >= METRICS_SERIES_ALL;
}

/* The one for all that find no room. */
static struct series *other(struct metric *metric)
{
    struct metrics_owner *owner = metric->owner;
    tr_str values[METRICS_LABELS_MAX], key;
    struct series *series;

    if (!metric->overflowed)
        log_warn("a plugin's metric has too many series: what comes beyond is shown as "
                 "\"other\"",
                 LOG_C("rule", owner->rule), LOG_C("plugin", owner->plugin),
                 LOG_C("metric", metric->family->name), LOG_I("series", metric->series.count));
    metric->overflowed = true;
    for (uint32_t i = 0; i < metric->labels_count; i++)
        values[i] = STR("other");
    key = make_key(&owner->key, values, metric->labels_count);
    series = map_get(&metric->series, key);
    return series ? series : series_new(metric, key, values);
}

static struct series *find(struct metric *metric, const tr_str *values)
{
    tr_str key = make_key(&metric->owner->key, values, metric->labels_count);
    struct series *series = map_get(&metric->series, key);

    if (series)
        return series;
    return is_full(metric) && metric->labels_count > 0 ? other(metric)
                                                       : series_new(metric, key, values);
}

/* NULL: there is no such metric, or it lacks values. */
static struct metric *metric_of(struct metrics_owner *owner, uint32_t id, const tr_str *values)
{
    struct metric *metric = id > 0 && id <= owner->count ? owner->declared[id - 1] : NULL;

    return metric && (values || metric->labels_count == 0) ? metric : NULL;
}

/* ---- changing it ---- */

static tr_status change(struct metrics_owner *owner, uint32_t id, const tr_str *values,
                        tr_status (*apply)(const struct metric *, struct series *, double),
                        bool (*may)(enum prom_kind kind, double number), double number)
{
    tr_status status = TR_EINVAL;
    struct metric *metric;

    pthread_mutex_lock(&owner->lock);
    metric = metric_of(owner, id, values);
    if (metric && may(metric->family->kind, number))
        status = apply(metric, find(metric, values), number);
    pthread_mutex_unlock(&owner->lock);
    return status;
}

static bool may_set(enum prom_kind kind, double value)
{
    (void)value;
    return kind == PROM_GAUGE;
}

static tr_status apply_set(const struct metric *metric, struct series *series, double value)
{
    (void)metric;
    series->value = value;
    return TR_OK;
}

static bool may_add(enum prom_kind kind, double more)
{
    return kind == PROM_GAUGE || (kind == PROM_COUNTER && more >= 0 && isfinite(more));
}

static tr_status apply_add(const struct metric *metric, struct series *series, double more)
{
    (void)metric;
    series->value += more;
    return TR_OK;
}

static bool may_observe(enum prom_kind kind, double value)
{
    return kind == PROM_HISTOGRAM && !isnan(value);
}

static tr_status apply_observe(const struct metric *metric, struct series *series, double value)
{
    uint32_t i = 0;

    while (i < metric->buckets_count && value > metric->bounds[i])
        i++;
    if (i < metric->buckets_count)
        series->buckets[i].count++;
    else
        series->beyond++;
    series->value += value;
    return TR_OK;
}

tr_status metrics_set(struct metrics_owner *owner, uint32_t metric, const tr_str *values,
                      double value)
{
    return change(owner, metric, values, apply_set, may_set, value);
}

tr_status metrics_add(struct metrics_owner *owner, uint32_t metric, const tr_str *values,
                      double more)
{
    return change(owner, metric, values, apply_add, may_add, more);
}

tr_status metrics_observe(struct metrics_owner *owner, uint32_t metric, const tr_str *values,
                          double value)
{
    return change(owner, metric, values, apply_observe, may_observe, value);
}

/* ---- ending it ---- */

static void series_free(struct metric *metric, struct series *series)
{
    atomic_fetch_sub(&metric->owner->metrics->series, 1);
    free(series->labels);
    free(series);
}

tr_status metrics_forget(struct metrics_owner *owner, uint32_t id, const tr_str *values)
{
    struct series *series = NULL;
    struct metric *metric;

    pthread_mutex_lock(&owner->lock);
    metric = metric_of(owner, id, values);
    if (metric)
        series = map_remove(&metric->series,
                            make_key(&owner->key, values, metric->labels_count));
    if (series)
        series_free(metric, series);
    pthread_mutex_unlock(&owner->lock);
    return !metric ? TR_EINVAL : series ? TR_OK : TR_ENOENT;
}

void series_free_all(struct metric *metric)
{
    size_t cursor = 0;
    tr_str key;
    void *series;

    while (map_next(&metric->series, &cursor, &key, &series))
        series_free(metric, series);
    map_fini(&metric->series);
}

/* ---- writing ---- */

void series_write_all(const struct metric *metric, struct buf *out)
{
    const struct family *family = metric->family;
    size_t cursor = 0;
    tr_str key;
    void *value;

    while (map_next(&metric->series, &cursor, &key, &value)) {
        const struct series *series = value;
        if (family->kind == PROM_HISTOGRAM)
            prom_histogram(out, family->name, str_c(series->labels), series->buckets,
                           metric->buckets_count, series->beyond, series->value);
        else
            prom_sample(out, family->name, str_c(series->labels), series->value);
    }
}
