/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The figures of a total: what its groups have is put together, and rounded here for the first
 * time. Called when figures are published, for totals that have changed, on the worker.
 */
#include "stats.h"

#include <math.h>

/* One field of one total on its way out. */
struct show {
    tr_self *self;
    const struct total *total;
    const struct measure *measure;
    unsigned at; /* its place                                                                */
    struct tally tally;
    tr_text *out;
    bool is_exact_distinct;
    uint64_t uncounted;
};

static bool has(const struct show *it, enum figure figure)
{
    return it->measure->figures >> figure & 1;
}

static void show_number(struct show *it, const char *name, double value)
{
    tr_text_addf(it->out, ",\"%s\":", name);
    value_show_number(value, it->out);
    series_figure(it->self, it->total, it->measure->name, name, value);
}

static void show_count(struct show *it, const char *comma, const char *name, uint64_t count)
{
    tr_text_addf(it->out, "%s\"%s\":%llu", comma, name, (unsigned long long)count);
    series_figure(it->self, it->total, it->measure->name, name, (double)count);
}

/* ---- the least and the greatest ---- */

static bool take_first(void *user, tr_str number, uint64_t count)
{
    double *found = user;

    (void)count;
    if (number.len == 8)
        *found = value_ordered_number(number.ptr);
    return false;
}

static bool show_extreme(struct show *it, enum figure figure)
{
    bool is_max = figure == FIGURE_MAX;
    double found = NAN;
    const struct group *group = it->total ? it->total->groups : NULL;

    for (; group; group = group->next) {
        double of_group = NAN;

        if (!entry_each(it->self, group, it->at, KIND_ORDER, is_max, take_first, &of_group))
            return false;
        found = is_max ? fmax(found, of_group) : fmin(found, of_group);
    }
    show_number(it, figure_names[figure], found);
    return true;
}

/* ---- sums and quantiles ---- */

static void show_sums(struct show *it)
{
    uint64_t count = it->tally.count;
    double sum = exact_round(&it->tally.sum);

    if (has(it, FIGURE_SUM))
        show_number(it, "sum", sum);
    if (has(it, FIGURE_MEAN))
        show_number(it, "mean", count > 0 ? sum / (double)count : NAN);
    if (has(it, FIGURE_STDDEV))
        show_number(it, "stddev",
                    count > 0 ? exact_deviation(&it->tally.sum, &it->tally.squares, count)
                              : NAN);
    if (has(it, FIGURE_SUMSQR))
        show_number(it, "sumsqr", exact_round(&it->tally.squares));
}

static void show_quantiles(struct show *it)
{
    const struct options *options = &it->self->options;
    char name[48];

    tr_text_add_c(it->out, ",\"quantiles\":{");
    for (uint32_t i = 0; i < options->quantiles_count; i++) {
        double q = options->quantiles[i];
        double value = it->tally.count > 0 ? sketch_quantile(&it->tally.sketch, q) : NAN;

        snprintf(name, sizeof(name), "quantile_%g", q);
        tr_text_addf(it->out, "%s\"%g\":", i > 0 ? "," : "", q);
        value_show_number(value, it->out);
        series_figure(it->self, it->total, it->measure->name, name, value);
    }
    tr_text_add_c(it->out, "}");
}

/* ---- values ---- */

/* Of one database, and exact: the number is known without looking at the values. */
static bool is_known(const struct show *it)
{
    const struct group *group = it->total ? it->total->groups : NULL;

    return !has(it, FIGURE_TOP) && it->tally.others == 0 && (!group || !group->next);
}

static bool show_values(struct show *it)
{
    struct census *census;
    bool is_well;

    if (is_known(it)) {
        show_number(it, "distinct", (double)it->tally.kept);
        return true;
    }
    census = census_new(it->self, it->total, it->at);
    is_well = census != NULL;

    if (census && has(it, FIGURE_DISTINCT))
        show_number(it, "distinct", census_distinct(census, &it->is_exact_distinct));
    if (census && has(it, FIGURE_TOP)) {
        tr_text_add_c(it->out, ",\"top\":");
        is_well = census_show_top(census, it->out, &it->uncounted);
    }
    census_free(census);
    return is_well;
}

/* Which figures are not exact, and by how much. */
static void show_approximate(struct show *it)
{
    const char *comma = "";

    if (!has(it, FIGURE_QUANTILES) && it->is_exact_distinct && it->uncounted == 0)
        return;
    tr_text_add_c(it->out, ",\"approximate\":{");
    if (has(it, FIGURE_QUANTILES)) {
        tr_text_addf(it->out, "\"quantiles\":%g", SKETCH_ERROR);
        comma = ",";
    }
    if (!it->is_exact_distinct) {
        tr_text_addf(it->out, "%s\"distinct\":%g", comma, CENSUS_ERROR);
        comma = ",";
    }
    if (it->uncounted > 0)
        tr_text_addf(it->out, "%s\"top\":%llu", comma, (unsigned long long)it->uncounted);
    tr_text_add_c(it->out, "}");
}

/* ---- one field ---- */

static bool add_up(struct show *it)
{
    const struct group *group = it->total ? it->total->groups : NULL;

    for (; group; group = group->next)
        if (!tally_merge(&it->tally, &group->tallies[it->at]))
            return false;
    return true;
}

static bool show_measure(struct show *it)
{
    bool is_well = add_up(it);

    show_count(it, "{", "count", it->tally.count);
    show_count(it, ",", "missing", it->tally.missing);
    show_count(it, ",", "invalid", it->tally.invalid);
    show_sums(it);
    if (is_well && has(it, FIGURE_MIN))
        is_well = show_extreme(it, FIGURE_MIN);
    if (is_well && has(it, FIGURE_MAX))
        is_well = show_extreme(it, FIGURE_MAX);
    if (has(it, FIGURE_QUANTILES))
        show_quantiles(it);
    if (is_well && (it->measure->keeps & KEEP_VALUES))
        is_well = show_values(it);
    show_approximate(it);
    tr_text_add_c(it->out, "}");
    tally_fini(&it->tally);
    return is_well;
}

bool figures_show(tr_self *self, const struct total *total, tr_text *out)
{
    const struct group *group = total ? total->groups : NULL;
    uint64_t documents = 0;
    bool is_well = true;

    for (; group; group = group->next)
        documents += group->documents;
    series_documents(self, total, documents);
    tr_text_addf(out, "\"documents\":%llu,\"figures\":{", (unsigned long long)documents);
    for (uint32_t i = 0; i < self->options.measures_count && is_well; i++) {
        struct show it = {.self = self,
                          .total = total,
                          .measure = &self->options.measures[i],
                          .at = i,
                          .out = out,
                          .is_exact_distinct = true};

        tr_text_add_c(out, i > 0 ? "," : "");
        tr_text_add_string(out, self->json, tr_str_c(it.measure->name));
        tr_text_add_c(out, ":");
        is_well = show_measure(&it);
    }
    tr_text_add_c(out, "}");
    return is_well && !out->failed;
}
