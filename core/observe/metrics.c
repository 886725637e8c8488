/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Families of plugins' metrics, and what each instance has declared, see metrics.h. A name is
 * one family whoever declares it, and none of its lines may look like another's.
 */
#include "observe/metrics.h"

#include "base/mem.h"
#include "observe/metrics_private.h"

#include <math.h>

enum { NAME_MAX_BYTES = 200 };

static struct family reserved; /* stands behind the names of tailrace's own                */

/* ---- the registry ---- */

struct metrics *metrics_new(void)
{
    struct metrics *metrics = mem_new(struct metrics);

    pthread_mutex_init(&metrics->lock, NULL);
    list_init(&metrics->families);
    return metrics;
}

void metrics_free(struct metrics *metrics)
{
    if (!metrics)
        return;
    map_fini(&metrics->names);
    pthread_mutex_destroy(&metrics->lock);
    free(metrics);
}

/* What the lines of a family begin with: as many as it has kinds of them. */
static const char *const suffixes[] = {"", "_bucket", "_sum", "_count"};

static uint32_t suffixes_of(enum prom_kind kind)
{
    return kind == PROM_HISTOGRAM ? 4 : 1;
}

static tr_str join(struct buf *into, const char *name, const char *suffix)
{
    buf_clear(into);
    buf_add_c(into, name);
    buf_add_c(into, suffix);
    return buf_str(into);
}

void metrics_reserve(struct metrics *metrics, const char *name, uint32_t kind)
{
    struct buf full = {0};

    for (uint32_t i = 0; i < suffixes_of((enum prom_kind)kind); i++)
        map_set(&metrics->names, join(&full, name, suffixes[i]), &reserved);
    buf_fini(&full);
}

/* ---- families; the registry's lock is held ---- */

static bool is_taken(const struct metrics *metrics, const char *name, enum prom_kind kind)
{
    struct buf full = {0};
    bool taken = false;

    for (uint32_t i = 0; i < suffixes_of(kind); i++)
        taken |= map_get(&metrics->names, join(&full, name, suffixes[i])) != NULL;
    buf_fini(&full);
    return taken;
}

static struct family *family_new(struct metrics *metrics, const char *name,
                                 const tr_metric *metric)
{
    struct family *family = mem_new(struct family);
    struct buf full = {0};

    family->name = str_dup(str_c(name));
    family->help = str_dup(str_c(metric->help ? metric->help : ""));
    family->kind = (enum prom_kind)metric->kind;
    list_init(&family->members);
    list_push_back(&metrics->families, &family->link);
    for (uint32_t i = 0; i < suffixes_of(family->kind); i++)
        map_set(&metrics->names, join(&full, name, suffixes[i]), family);
    buf_fini(&full);
    return family;
}

static void family_free(struct metrics *metrics, struct family *family)
{
    struct buf full = {0};

    for (uint32_t i = 0; i < suffixes_of(family->kind); i++)
        map_remove(&metrics->names, join(&full, family->name, suffixes[i]));
    buf_fini(&full);
    list_remove(&family->link);
    free(family->name);
    free(family->help);
    free(family);
}

/* NULL: the name is that of something else. */
static struct family *family_get(struct metrics *metrics, const char *name,
                                 const tr_metric *metric)
{
    struct family *family = map_get(&metrics->names, str_c(name));

    if (family == &reserved || (family && (strcmp(family->name, name) != 0 ||
                                           family->kind != (enum prom_kind)metric->kind)))
        return NULL;
    if (family)
        return family;
    return is_taken(metrics, name, (enum prom_kind)metric->kind)
               ? NULL
               : family_new(metrics, name, metric);
}

/* ---- owners ---- */

struct metrics_owner *metrics_owner_new(struct metrics *metrics, const char *plugin,
                                        const char *rule, uint32_t transform)
{
    struct metrics_owner *owner = mem_new(struct metrics_owner);

    owner->metrics = metrics;
    owner->plugin = str_dup(str_c(plugin));
    owner->rule = str_dup(str_c(rule));
    owner->transform = transform;
    pthread_mutex_init(&owner->lock, NULL);
    return owner;
}

static void metric_free(struct metrics *metrics, struct metric *metric)
{
    series_free_all(metric);
    list_remove(&metric->link);
    if (list_empty(&metric->family->members))
        family_free(metrics, metric->family);
    for (uint32_t i = 0; i < metric->labels_count; i++)
        free(metric->labels[i]);
    for (uint32_t i = 0; i < metric->buckets_count; i++)
        free(metric->bounds_text[i]);
    free(metric->bounds_text);
    free(metric->bounds);
    free(metric);
}

void metrics_owner_free(struct metrics_owner *owner)
{
    if (!owner)
        return;
    pthread_mutex_lock(&owner->metrics->lock);
    for (uint32_t i = 0; i < owner->count; i++)
        metric_free(owner->metrics, owner->declared[i]);
    pthread_mutex_unlock(&owner->metrics->lock);
    pthread_mutex_destroy(&owner->lock);
    buf_fini(&owner->key);
    free(owner->plugin);
    free(owner->rule);
    free(owner);
}

/* ---- declaring ---- */

static bool is_name(const char *name)
{
    size_t len = name ? strlen(name) : 0;

    if (len == 0 || len > NAME_MAX_BYTES || (*name >= '0' && *name <= '9'))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!((name[i] >= 'a' && name[i] <= 'z') || (name[i] >= '0' && name[i] <= '9') ||
              name[i] == '_'))
            return false;
    return true;
}

/* The host's own labels, and what Prometheus keeps for itself. */
static bool is_label(const tr_metric *metric, uint32_t at)
{
    static const char *const taken[] = {"rule", "transform", "le"};
    const char *name = metric->labels[at];

    if (!is_name(name) || strncmp(name, "__", 2) == 0)
        return false;
    for (uint32_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
        if (strcmp(name, taken[i]) == 0)
            return false;
    for (uint32_t i = 0; i < at; i++)
        if (strcmp(name, metric->labels[i]) == 0)
            return false;
    return true;
}

static bool has_good_buckets(const tr_metric *metric)
{
    if (metric->kind != TR_METRIC_HISTOGRAM)
        return metric->buckets_count == 0;
    if (metric->buckets_count > METRICS_BUCKETS_MAX ||
        (metric->buckets_count > 0 && !metric->buckets))
        return false;
    for (uint32_t i = 0; i < metric->buckets_count; i++)
        if (!isfinite(metric->buckets[i]) ||
            (i > 0 && metric->buckets[i] <= metric->buckets[i - 1]))
            return false;
    return true;
}

static bool is_good(const tr_metric *metric)
{
    if (!metric || !TR_ROOM(metric, tr_metric, buckets) || !is_name(metric->name) ||
        metric->kind < TR_METRIC_COUNTER || metric->kind > TR_METRIC_HISTOGRAM ||
        metric->labels_count > METRICS_LABELS_MAX ||
        (metric->labels_count > 0 && !metric->labels) || !has_good_buckets(metric))
        return false;
    for (uint32_t i = 0; i < metric->labels_count; i++)
        if (!is_label(metric, i))
            return false;
    return (metric->kind == TR_METRIC_COUNTER) == str_ends(str_c(metric->name), STR("_total"));
}

static bool is_same(const struct metric *metric, const tr_metric *other)
{
    if (metric->family->kind != (enum prom_kind)other->kind ||
        metric->labels_count != other->labels_count ||
        metric->buckets_count != other->buckets_count)
        return false;
    for (uint32_t i = 0; i < metric->labels_count; i++)
        if (strcmp(metric->labels[i], other->labels[i]) != 0)
            return false;
    for (uint32_t i = 0; i < metric->buckets_count; i++)
        if (metric->bounds[i] != other->buckets[i])
            return false;
    return true;
}

static struct metric *metric_new(struct metrics_owner *owner, struct family *family,
                                 const tr_metric *declared)
{
    struct metric *metric = mem_new(struct metric);

    metric->owner = owner;
    metric->family = family;
    metric->labels_count = declared->labels_count;
    for (uint32_t i = 0; i < declared->labels_count; i++)
        metric->labels[i] = str_dup(str_c(declared->labels[i]));
    metric->buckets_count = declared->buckets_count;
    metric->bounds = mem_new_array(double, declared->buckets_count + 1);
    metric->bounds_text = mem_new_array(char *, declared->buckets_count + 1);
    for (uint32_t i = 0; i < declared->buckets_count; i++) {
        struct buf text = {0};
        prom_number(&text, declared->buckets[i]);
        metric->bounds[i] = declared->buckets[i];
        metric->bounds_text[i] = text.ptr;
    }
    list_push_back(&family->members, &metric->link);
    return metric;
}

/* Both locks are held. */
static tr_status declare(struct metrics_owner *owner, const char *name,
                         const tr_metric *declared, uint32_t *ret_metric)
{
    struct family *family;

    for (uint32_t i = 0; i < owner->count; i++) {
        if (strcmp(owner->declared[i]->family->name, name) != 0)
            continue;
        if (!is_same(owner->declared[i], declared))
            return TR_EINVAL;
        *ret_metric = i + 1;
        return TR_OK;
    }
    if (owner->count == METRICS_DECLARED_MAX)
        return TR_EAGAIN;
    family = family_get(owner->metrics, name, declared);
    if (!family)
        return TR_EINVAL;
    owner->declared[owner->count++] = metric_new(owner, family, declared);
    *ret_metric = owner->count;
    return TR_OK;
}

tr_status metrics_declare(struct metrics_owner *owner, const tr_metric *metric,
                          uint32_t *ret_metric)
{
    struct buf name = {0};
    tr_status status;

    if (!ret_metric || !is_good(metric))
        return TR_EINVAL;
    buf_addf(&name, "tailrace_%s_%s", owner->plugin, metric->name);
    for (char *at = name.ptr; *at; at++)
        if (*at == '-')
            *at = '_';
    pthread_mutex_lock(&owner->metrics->lock);
    pthread_mutex_lock(&owner->lock);
    status = declare(owner, name.ptr, metric, ret_metric);
    pthread_mutex_unlock(&owner->lock);
    pthread_mutex_unlock(&owner->metrics->lock);
    buf_fini(&name);
    return status;
}

/* ---- writing ---- */

/* A head without a sample is left out. */
static void write_family(const struct family *family, struct buf *out)
{
    const size_t before = out->len;
    size_t behind_head;

    prom_head(out, family->name, family->kind, family->help);
    behind_head = out->len;
    list_each (at, &family->members) {
        const struct metric *metric = list_entry(at, struct metric, link);
        pthread_mutex_lock(&metric->owner->lock);
        series_write_all(metric, out);
        pthread_mutex_unlock(&metric->owner->lock);
    }
    if (out->len > behind_head)
        return;
    out->len = before;
    out->ptr[before] = '\0';
}

void metrics_write(struct metrics *metrics, struct buf *out)
{
    pthread_mutex_lock(&metrics->lock);
    list_each (it, &metrics->families)
        write_family(list_entry(it, struct family, link), out);
    pthread_mutex_unlock(&metrics->lock);
}
