/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the options mean: texts become numbers, and what a table cannot say is refused here.
 * [control], by check() also on an instance that is never opened.
 */
#include "stats.h"

/* What the state is made of is another thing since: what was kept before is counted anew. */
enum { FORMAT = 1 };

static const uint32_t keeps[] = {
    [FIGURE_COUNT] = 0,
    [FIGURE_SUM] = KEEP_SUM,
    [FIGURE_MIN] = KEEP_ORDER,
    [FIGURE_MAX] = KEEP_ORDER,
    [FIGURE_MEAN] = KEEP_SUM,
    [FIGURE_STDDEV] = KEEP_SUM | KEEP_SQUARES,
    [FIGURE_SUMSQR] = KEEP_SQUARES,
    [FIGURE_QUANTILES] = KEEP_SKETCH,
    [FIGURE_DISTINCT] = KEEP_VALUES,
    [FIGURE_TOP] = KEEP_VALUES,
};

struct loader {
    const tr_host *host;
    const tr_config *config;
    tr_error *error;
    struct options *options;
};

static tr_status no_memory(const struct loader *it)
{
    return tr_fail(it->error, TR_EAGAIN, "out of memory");
}

/* The value number `idx` of an option; false: it has no more. */
static bool get(const struct loader *it, const char *path, uint32_t idx, tr_value *ret_value)
{
    *ret_value = (tr_value){.size = sizeof(*ret_value)};
    return it->host->config_get(it->config, path, idx, ret_value) == TR_OK;
}

static char *copy(tr_str text)
{
    char *made = malloc(text.len + 1);

    if (made) {
        memcpy(made, text.ptr, text.len);
        made[text.len] = '\0';
    }
    return made;
}

static tr_status load_texts(const struct loader *it, const char *path, char ***ret_texts,
                            uint32_t *ret_count)
{
    uint32_t count = tr_list_count(it->host, it->config, path);
    tr_value value;

    *ret_texts = calloc(count + 1, sizeof(char *));
    if (!*ret_texts)
        return no_memory(it);
    while (*ret_count < count && get(it, path, *ret_count, &value)) {
        (*ret_texts)[*ret_count] = copy(value.s);
        if (!(*ret_texts)[(*ret_count)++])
            return no_memory(it);
    }
    return TR_OK;
}

/* ---- paths ---- */

static tr_status check_path(const struct loader *it, const char *option, const char *path)
{
    size_t len = strlen(path);

    if (len == 0 || path[0] == '.' || path[len - 1] == '.' || strstr(path, ".."))
        return tr_fail(it->error, TR_EINVAL,
                       "%s: \"%.100s\" is no path; write \"order.amount\", with a dot between "
                       "names",
                       option, path);
    if (len > PATH_BYTES)
        return tr_fail(it->error, TR_EINVAL, "%s: a path has %zu bytes, more than %d", option,
                       len, PATH_BYTES);
    return TR_OK;
}

/* ---- stats ---- */

static tr_status load_figures(const struct loader *it, uint32_t idx, struct measure *measure)
{
    char path[64];
    tr_value value;

    snprintf(path, sizeof(path), "stats.%u.figures", (unsigned)idx);
    for (uint32_t i = 0; get(it, path, i, &value); i++) {
        measure->figures |= 1u << value.i;
        measure->keeps |= keeps[value.i];
    }
    if (measure->figures == 0)
        return tr_fail(it->error, TR_EINVAL,
                       "stats: \"%.100s\" has no figures; write figures = [\"count\", \"sum\"]",
                       measure->name);
    return TR_OK;
}

static tr_status load_measure(const struct loader *it, uint32_t idx)
{
    struct measure *measure = &it->options->measures[idx];
    tr_status status = tr_bind_item(it->host, it->config, "stats", idx, measure_options,
                                    MEASURE_OPTIONS, measure, it->error);

    if (status != TR_OK)
        return status;
    if (!measure->field)
        measure->field = copy(tr_str_c(measure->name));
    if (!measure->field)
        return no_memory(it);
    if (measure->name[0] == '\0')
        return tr_fail(it->error, TR_EINVAL, "stats: a name is empty; give it one");
    for (uint32_t i = 0; i < idx; i++)
        if (strcmp(it->options->measures[i].name, measure->name) == 0)
            return tr_fail(it->error, TR_EINVAL,
                           "stats: \"%.100s\" is there twice; name one otherwise",
                           measure->name);
    status = check_path(it, "stats", measure->field);
    return status == TR_OK ? load_figures(it, idx, measure) : status;
}

static tr_status load_measures(const struct loader *it)
{
    struct options *options = it->options;
    uint32_t count = tr_list_count(it->host, it->config, "stats");
    tr_status status = TR_OK;

    if (count == 0 || count > MEASURES_MAX)
        return tr_fail(it->error, TR_EINVAL,
                       "stats has %u members, and must have 1 to %d: write "
                       "( { name = \"amount\"; figures = [\"sum\"]; } )",
                       (unsigned)count, MEASURES_MAX);
    options->measures = calloc(count, sizeof(*options->measures));
    if (!options->measures)
        return no_memory(it);
    while (options->measures_count < count && status == TR_OK)
        status = load_measure(it, options->measures_count++);
    return status;
}

/* ---- groups, times, conditions ---- */

static tr_status load_groups(const struct loader *it)
{
    struct options *options = it->options;
    tr_status status = load_texts(it, "group_by", &options->group_by, &options->group_by_count);

    if (status == TR_OK && options->group_by_count > GROUP_BY_MAX)
        return tr_fail(it->error, TR_EINVAL, "group_by has %u fields; at most %d may be there",
                       (unsigned)options->group_by_count, GROUP_BY_MAX);
    for (uint32_t i = 0; i < options->group_by_count && status == TR_OK; i++) {
        status = check_path(it, "group_by", options->group_by[i]);
        for (uint32_t k = 0; k < i && status == TR_OK; k++)
            if (strcmp(options->group_by[i], options->group_by[k]) == 0)
                status = tr_fail(it->error, TR_EINVAL,
                                 "group_by: \"%.100s\" is there twice; take one out",
                                 options->group_by[i]);
    }
    return status;
}

static tr_status load_time(const struct loader *it)
{
    struct options *options = it->options;
    tr_status status = tr_bind_at_(it->host, it->config, "time.", time_options, TIME_OPTIONS,
                                   options, it->error);

    if (status != TR_OK || !options->time_field)
        return status;
    if (!bucket_parse(options->time_bucket, &options->bucket))
        return tr_fail(it->error, TR_EINVAL,
                       "time.bucket: \"%.40s\" is no width; write \"15m\", \"1h\", \"1d\", "
                       "\"1w\", \"month\" or \"year\"",
                       options->time_bucket);
    return check_path(it, "time.field", options->time_field);
}

static tr_status load_where(const struct loader *it)
{
    struct options *options = it->options;
    uint32_t count = tr_list_count(it->host, it->config, "where");
    tr_status status = TR_OK;

    options->where = calloc(count + 1, sizeof(*options->where));
    if (!options->where)
        return no_memory(it);
    while (options->where_count < count && status == TR_OK) {
        uint32_t idx = options->where_count++;
        struct condition *condition = &options->where[idx];
        char path[64];

        snprintf(path, sizeof(path), "where.%u.is", (unsigned)idx);
        status = tr_bind_item(it->host, it->config, "where", idx, condition_options,
                              CONDITION_OPTIONS, condition, it->error);
        if (status == TR_OK)
            status = check_path(it, "where", condition->field);
        if (status == TR_OK)
            status = load_texts(it, path, &condition->values, &condition->values_count);
    }
    return status;
}

static tr_status load_quantiles(const struct loader *it)
{
    static const double usual[] = {0.5, 0.9, 0.99};
    struct options *options = it->options;
    uint32_t count = tr_list_count(it->host, it->config, "quantiles");
    tr_value value;

    options->quantiles_count = count > 0 ? count : sizeof(usual) / sizeof(usual[0]);
    options->quantiles = calloc(options->quantiles_count, sizeof(double));
    if (!options->quantiles)
        return no_memory(it);
    if (count == 0)
        memcpy(options->quantiles, usual, sizeof(usual));
    for (uint32_t i = 0; i < count && get(it, "quantiles", i, &value); i++) {
        if (!(value.f >= 0 && value.f <= 1))
            return tr_fail(it->error, TR_EINVAL,
                           "quantiles: %g is not between 0 and 1; the median is 0.5", value.f);
        options->quantiles[i] = value.f;
    }
    return TR_OK;
}

static tr_status load_publish(const struct loader *it)
{
    struct options *options = it->options;
    tr_status status = tr_bind_at_(it->host, it->config, "publish.", publish_options,
                                   PUBLISH_OPTIONS, options, it->error);

    if (status == TR_OK && options->url)
        status = couch_check(options->url, &options->own_db, it->error);
    if (status != TR_OK)
        return status;
    if (!options->url && !options->file && !options->metrics)
        return tr_fail(it->error, TR_EINVAL,
                       "publish: the figures go nowhere; set url, file or metrics");
    if (options->url && (options->document[0] == '\0' || options->document[0] == '_'))
        return tr_fail(it->error, TR_EINVAL,
                       "publish.document: \"%.100s\" is no id that a document can have here; "
                       "write \"stats\"",
                       options->document);
    return TR_OK;
}

/* When the others are loaded. */
static tr_status load_fields(const struct loader *it)
{
    struct options *options = it->options;
    uint32_t most = options->where_count + options->group_by_count + 1 +
                    options->measures_count;
    tr_str *field;

    options->fields = field = calloc(most, sizeof(*options->fields));
    options->found = calloc(most, sizeof(*options->found));
    if (!options->fields || !options->found)
        return no_memory(it);
    for (uint32_t i = 0; i < options->where_count; i++)
        *field++ = tr_str_c(options->where[i].field);
    for (uint32_t i = 0; i < options->group_by_count; i++)
        *field++ = tr_str_c(options->group_by[i]);
    if (options->time_field)
        *field++ = tr_str_c(options->time_field);
    for (uint32_t i = 0; i < options->measures_count; i++)
        *field++ = tr_str_c(options->measures[i].field);
    options->fields_count = (uint32_t)(field - options->fields);
    return TR_OK;
}

/* ---- the fingerprint ---- */

static void add_text(tr_text *out, const char *text)
{
    bytes_add_count(out, text != NULL);
    bytes_add_text(out, tr_str_c(text));
}

/* What is shown of what is counted, and the bounds, do not matter to what was counted. */
static bool take_fingerprint(const struct options *options, uint64_t *ret_fingerprint)
{
    tr_text text = {0};
    bool is_whole;

    bytes_add_count(&text, FORMAT);
    bytes_add_count(&text, options->measures_count);
    for (uint32_t i = 0; i < options->measures_count; i++) {
        add_text(&text, options->measures[i].field);
        bytes_add_count(&text, options->measures[i].keeps);
    }
    bytes_add_count(&text, options->group_by_count);
    for (uint32_t i = 0; i < options->group_by_count; i++)
        add_text(&text, options->group_by[i]);
    add_text(&text, options->time_field);
    bytes_add_signed(&text, options->bucket.seconds);
    bytes_add_signed(&text, options->bucket.months);
    bytes_add_count(&text, options->where_count);
    for (uint32_t i = 0; i < options->where_count; i++) {
        add_text(&text, options->where[i].field);
        bytes_add_count(&text, options->where[i].values_count);
        for (uint32_t k = 0; k < options->where[i].values_count; k++)
            add_text(&text, options->where[i].values[k]);
    }
    is_whole = !text.failed;
    if (is_whole)
        *ret_fingerprint = value_hash(tr_text_str(&text));
    tr_text_fini(&text);
    return is_whole;
}

/* ---- all ---- */

tr_status settings_load(tr_self *self, const tr_config *config, tr_error *error)
{
    static tr_status (*const parts[])(const struct loader *) = {
        load_measures,  load_groups,  load_time,  load_where,
        load_quantiles, load_publish, load_fields};
    struct loader it = {
        .host = self->host, .config = config, .error = error, .options = &self->options};
    tr_status status = tr_bind(self->host, config, stats_options, OPTIONS_COUNT, &self->options,
                               error);

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && status == TR_OK; i++)
        status = parts[i](&it);
    if (status == TR_OK && !take_fingerprint(&self->options, &self->fingerprint))
        status = no_memory(&it);
    return status;
}

static void free_texts(char **texts, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        free(texts[i]);
    free(texts);
}

void settings_free(struct options *options)
{
    for (uint32_t i = 0; i < options->measures_count; i++)
        tr_unbind(measure_options, MEASURE_OPTIONS, &options->measures[i]);
    for (uint32_t i = 0; i < options->where_count; i++) {
        tr_unbind(condition_options, CONDITION_OPTIONS, &options->where[i]);
        free_texts(options->where[i].values, options->where[i].values_count);
    }
    free(options->measures);
    free(options->where);
    free(options->quantiles);
    free(options->fields);
    free(options->found);
    free(options->own_db);
    free_texts(options->group_by, options->group_by_count);
    tr_unbind(time_options, TIME_OPTIONS, options);
    tr_unbind(publish_options, PUBLISH_OPTIONS, options);
    tr_unbind(stats_options, OPTIONS_COUNT, options);
    *options = (struct options){0};
}
