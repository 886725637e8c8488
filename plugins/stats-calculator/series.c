/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The figures as metrics (tr.metrics/1): how many documents a group has, and the value of each
 * figure that is one number. Worker.
 */
#include "stats.h"

#include <math.h>

enum { LABEL_BYTES = 200 };

static const char *const group_labels[] = {"group", "time"};
static const char *const value_labels[] = {"group", "time", "stat", "figure"};

static const tr_metric documents_metric = {
    .size = sizeof(documents_metric),
    .kind = TR_METRIC_GAUGE,
    .name = "documents",
    .help = "Documents of a group.",
    .labels = group_labels,
    .labels_count = sizeof(group_labels) / sizeof(group_labels[0]),
};

static const tr_metric value_metric = {
    .size = sizeof(value_metric),
    .kind = TR_METRIC_GAUGE,
    .name = "value",
    .help = "Figures of the documents of a group.",
    .labels = value_labels,
    .labels_count = sizeof(value_labels) / sizeof(value_labels[0]),
};

tr_status series_begin(tr_self *self, tr_error *error)
{
    struct publisher *publisher = &self->publisher;

    if (!self->options.metrics)
        return TR_OK;
    self->metrics = tr_need_ext(self->host, TR_EXT_METRICS, error);
    if (!self->metrics)
        return TR_ENOSYS;
    if (self->metrics->declare(self->host, &documents_metric, &publisher->documents_metric) !=
            TR_OK ||
        self->metrics->declare(self->host, &value_metric, &publisher->value_metric) != TR_OK)
        return tr_fail(error, TR_EINVAL, "the host does not take the metrics of this plugin");
    return TR_OK;
}

/* The values of a group's fields, one behind the other, and its time. */
static void make_labels(tr_self *self, const struct total *total, tr_str ret_values[2])
{
    tr_text *text = &self->scratch;
    struct reader fields = reader_of(total ? tr_str_n(total->key, total->key_len)
                                           : tr_str_n(NULL, 0));
    size_t len;

    tr_text_clear(text);
    for (uint32_t i = 0; i < self->options.group_by_count && total != self->other; i++) {
        tr_text_add_c(text, i > 0 ? ", " : "");
        value_show_plain(read_text(&fields), text);
    }
    if (total && total == self->other)
        tr_text_add_c(text, "other");
    len = text->len < LABEL_BYTES ? text->len : LABEL_BYTES;
    while (len > 0 && len < text->len && ((unsigned char)text->ptr[len] & 0xc0) == 0x80)
        len--;
    text->len = len;
    if (self->options.time_field && total && total != self->other) {
        tr_str time = read_text(&fields);

        if (time.len == 8)
            bucket_show(bucket_get(time.ptr), text);
    }
    ret_values[0] = tr_str_n(text->ptr, len);
    ret_values[1] = tr_str_n(text->len > len ? text->ptr + len : NULL, text->len - len);
}

void series_documents(tr_self *self, const struct total *total, uint64_t documents)
{
    tr_str values[2];

    if (!self->metrics)
        return;
    make_labels(self, total, values);
    (void)self->metrics->set(self->host, self->publisher.documents_metric, values,
                             (double)documents);
}

void series_figure(tr_self *self, const struct total *total, const char *stat,
                   const char *figure, double value)
{
    tr_str values[4];

    if (!self->metrics)
        return;
    make_labels(self, total, values);
    values[2] = tr_str_c(stat);
    values[3] = tr_str_c(figure);
    if (isnan(value))
        (void)self->metrics->forget(self->host, self->publisher.value_metric, values);
    else
        (void)self->metrics->set(self->host, self->publisher.value_metric, values, value);
}

void series_forget(tr_self *self, const struct total *total)
{
    static const char *const always[] = {"count", "missing", "invalid"};
    const struct options *options = &self->options;
    char name[48];
    tr_str values[2];

    if (!self->metrics)
        return;
    make_labels(self, total, values);
    (void)self->metrics->forget(self->host, self->publisher.documents_metric, values);
    for (uint32_t i = 0; i < options->measures_count; i++) {
        const char *stat = options->measures[i].name;

        for (size_t k = 0; k < sizeof(always) / sizeof(always[0]); k++)
            series_figure(self, total, stat, always[k], NAN);
        for (int figure = 0; figure < FIGURES_COUNT; figure++)
            series_figure(self, total, stat, figure_names[figure], NAN);
        for (uint32_t k = 0; k < options->quantiles_count; k++) {
            snprintf(name, sizeof(name), "quantile_%g", options->quantiles[k]);
            series_figure(self, total, stat, name, NAN);
        }
    }
}
