/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prometheus' text format, and the figures of plugins: names, series and their bounds.
 */
#include "base/mem.h"
#include "observe/histogram.h"
#include "observe/metrics.h"
#include "observe/prom.h"

#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static struct buf out;
static struct metrics *metrics;
static struct metrics_owner *owner;

static int set_up(void **state)
{
    (void)state;
    metrics = metrics_new();
    metrics_reserve(metrics, "tailrace_rule_ok_total", TR_METRIC_COUNTER);
    owner = metrics_owner_new(metrics, "some-plugin", "r", 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    metrics_owner_free(owner);
    metrics_free(metrics);
    buf_fini(&out);
    return 0;
}

static const char *written(void)
{
    buf_clear(&out);
    metrics_write(metrics, &out);
    return buf_str(&out).ptr;
}

static void assert_has(const char *line)
{
    if (!strstr(written(), line))
        fail_msg("no \"%s\" in:\n%s", line, out.ptr);
}

static tr_status declare_as(uint32_t kind, const char *name, const char *label,
                            uint32_t *ret_metric)
{
    const tr_metric metric = {.size = sizeof(metric),
                              .kind = kind,
                              .name = name,
                              .help = "Some help.",
                              .labels = &label,
                              .labels_count = label != NULL};

    return metrics_declare(owner, &metric, ret_metric);
}

/* ---- the format ---- */

static void numbers_are_written_in_few_digits_whatever_the_locale(void **state)
{
    static const struct {
        double value;
        const char *text;
    } numbers[] = {
        {0, "0"},
        {-3, "-3"},
        {0.1, "0.1"},
        {1e300, "1e+300"},
        {2.5e-7, "2.5e-07"},
        {INFINITY, "+Inf"},
        {NAN, "NaN"},
        {-INFINITY, "-Inf"},
        {1.0 / 3, "0.33333333333333331"},
        {123456789012345.0, "123456789012345"},
    };

    (void)state;
    (void)setlocale(LC_ALL, "de_DE.UTF-8");
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        buf_clear(&out);
        prom_number(&out, numbers[i].value);
        assert_string_equal(out.ptr, numbers[i].text);
    }
    (void)setlocale(LC_ALL, "C");
}

static void labels_are_escaped_and_always_utf8(void **state)
{
    (void)state;
    prom_label(&out, "a", STR("q\"b\\s\nl\x01"));
    prom_label(&out, "b", STR("\xff\xc3\xa4\xed\xa0\x80"));
    prom_label(&out, "c", (tr_str){0});
    assert_string_equal(out.ptr,
                        "a=\"q\\\"b\\\\s\\nl\x01\","
                        "b=\"\xef\xbf\xbd\xc3\xa4\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\","
                        "c=\"\"");
}

static void a_help_of_several_lines_stays_on_one(void **state)
{
    (void)state;
    prom_head(&out, "x", PROM_GAUGE, "one\ntwo \\");
    assert_string_equal(out.ptr, "# HELP x one\\ntwo \\\\\n# TYPE x gauge\n");
}

static void buckets_are_sums_of_those_below(void **state)
{
    struct histogram histogram = {.sum_ms = 0}, more = {.sum_ms = 0};

    (void)state;
    histogram_add(&histogram, 0, 2);
    histogram_add(&histogram, 3, 1);
    histogram_add(&more, 3600000, 1);
    histogram_merge(&histogram, &more);
    histogram_write(&out, "t_seconds", STR("a=\"b\""), &histogram);
    assert_non_null(strstr(out.ptr, "t_seconds_bucket{a=\"b\",le=\"0.001\"} 2\n"));
    assert_non_null(strstr(out.ptr, "t_seconds_bucket{a=\"b\",le=\"0.005\"} 3\n"));
    assert_non_null(strstr(out.ptr, "t_seconds_bucket{a=\"b\",le=\"120\"} 3\n"));
    assert_non_null(strstr(out.ptr, "t_seconds_bucket{a=\"b\",le=\"+Inf\"} 4\n"));
    assert_non_null(strstr(out.ptr, "t_seconds_sum{a=\"b\"} 3600.003\n"));
    assert_non_null(strstr(out.ptr, "t_seconds_count{a=\"b\"} 4\n"));
}

/* ---- declaring ---- */

static void names_that_prometheus_has_not_are_refused(void **state)
{
    static const struct {
        uint32_t kind;
        const char *name, *label;
    } wrong[] = {
        {TR_METRIC_GAUGE, "", NULL},           {TR_METRIC_GAUGE, "1x", NULL},
        {TR_METRIC_GAUGE, "Rows", NULL},       {TR_METRIC_GAUGE, "a-b", NULL},
        {TR_METRIC_GAUGE, NULL, NULL},         {TR_METRIC_COUNTER, "rows", NULL},
        {TR_METRIC_GAUGE, "rows_total", NULL}, {4, "rows", NULL},
        {TR_METRIC_GAUGE, "rows", "rule"},     {TR_METRIC_GAUGE, "rows", "__x"},
        {TR_METRIC_GAUGE, "rows", "le"},       {TR_METRIC_GAUGE, "rows", "a b"},
    };
    uint32_t id = 77;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(declare_as(wrong[i].kind, wrong[i].name, wrong[i].label, &id),
                         TR_EINVAL);
    assert_int_equal(id, 77);
    assert_string_equal(written(), "");
}

static void bounds_of_a_histogram_rise(void **state)
{
    double bounds[] = {1, 1};
    tr_metric metric = {.size = sizeof(metric),
                        .kind = TR_METRIC_HISTOGRAM,
                        .name = "x",
                        .buckets = bounds,
                        .buckets_count = 2};
    uint32_t id;

    (void)state;
    assert_int_equal(metrics_declare(owner, &metric, &id), TR_EINVAL);
    bounds[1] = INFINITY;
    assert_int_equal(metrics_declare(owner, &metric, &id), TR_EINVAL);
    bounds[1] = 2;
    assert_int_equal(metrics_declare(owner, &metric, &id), TR_OK);
    metric.size = offsetof(tr_metric, buckets);
    assert_int_equal(metrics_declare(owner, &metric, &id), TR_EINVAL);
}

static void no_line_of_one_metric_looks_like_anothers(void **state)
{
    struct metrics_owner *rule = metrics_owner_new(metrics, "rule", "r", 0);
    tr_metric ok = {.size = sizeof(ok), .kind = TR_METRIC_COUNTER, .name = "ok_total"};
    uint32_t id;

    (void)state;
    assert_int_equal(metrics_declare(rule, &ok, &id), TR_EINVAL); /* tailrace's own        */
    assert_int_equal(declare_as(TR_METRIC_HISTOGRAM, "x", NULL, &id), TR_OK);
    assert_int_equal(declare_as(TR_METRIC_GAUGE, "x_sum", NULL, &id), TR_EINVAL);
    assert_int_equal(declare_as(TR_METRIC_GAUGE, "x", NULL, &id), TR_EINVAL);
    assert_int_equal(declare_as(TR_METRIC_GAUGE, "y_count", NULL, &id), TR_OK);
    assert_int_equal(declare_as(TR_METRIC_HISTOGRAM, "y", NULL, &id), TR_EINVAL);
    metrics_owner_free(rule);
}

static void the_same_again_is_the_same_metric(void **state)
{
    uint32_t first, second, third;

    (void)state;
    assert_int_equal(declare_as(TR_METRIC_GAUGE, "x", "l", &first), TR_OK);
    assert_int_equal(declare_as(TR_METRIC_GAUGE, "x", "l", &second), TR_OK);
    assert_int_equal(first, second);
    assert_int_equal(declare_as(TR_METRIC_GAUGE, "x", "m", &third), TR_EINVAL);
    assert_int_equal(declare_as(TR_METRIC_GAUGE, "x", NULL, &third), TR_EINVAL);
}

static void a_hundred_metrics_are_enough(void **state)
{
    char name[16];
    uint32_t id;

    (void)state;
    for (int i = 0; i < METRICS_DECLARED_MAX; i++) {
        snprintf(name, sizeof(name), "x%d", i);
        assert_int_equal(declare_as(TR_METRIC_GAUGE, name, NULL, &id), TR_OK);
    }
    assert_int_equal(declare_as(TR_METRIC_GAUGE, "y", NULL, &id), TR_EAGAIN);
    assert_int_equal(declare_as(TR_METRIC_GAUGE, "x0", NULL, &id), TR_OK);
}

/* ---- series ---- */

static void series_are_told_apart_by_their_labels(void **state)
{
    uint32_t rows, level;
    const tr_str a = STR("a"), b = STR("b");

    (void)state;
    assert_int_equal(declare_as(TR_METRIC_COUNTER, "rows_total", "kind", &rows), TR_OK);
    assert_int_equal(declare_as(TR_METRIC_GAUGE, "level", NULL, &level), TR_OK);
    assert_int_equal(metrics_add(owner, rows, &a, 2), TR_OK);
    assert_int_equal(metrics_add(owner, rows, &a, 0.5), TR_OK);
    assert_int_equal(metrics_add(owner, rows, &b, 1), TR_OK);
    assert_int_equal(metrics_set(owner, level, NULL, NAN), TR_OK);
    assert_has("# HELP tailrace_some_plugin_rows_total Some help.\n"
               "# TYPE tailrace_some_plugin_rows_total counter\n");
    assert_has("tailrace_some_plugin_rows_total{rule=\"r\",kind=\"a\"} 2.5\n");
    assert_has("tailrace_some_plugin_rows_total{rule=\"r\",kind=\"b\"} 1\n");
    assert_has("tailrace_some_plugin_level{rule=\"r\"} NaN\n");
    assert_int_equal(metrics_forget(owner, rows, &a), TR_OK);
    assert_int_equal(metrics_forget(owner, rows, &a), TR_ENOENT);
    assert_null(strstr(written(), "kind=\"a\""));
}

static void what_makes_no_sense_changes_nothing(void **state)
{
    uint32_t rows, level, sizes;
    const tr_str a = STR("a");

    (void)state;
    assert_int_equal(declare_as(TR_METRIC_COUNTER, "rows_total", "kind", &rows), TR_OK);
    assert_int_equal(declare_as(TR_METRIC_GAUGE, "level", NULL, &level), TR_OK);
    assert_int_equal(declare_as(TR_METRIC_HISTOGRAM, "sizes", NULL, &sizes), TR_OK);
    assert_int_equal(metrics_add(owner, 0, &a, 1), TR_EINVAL);
    assert_int_equal(metrics_add(owner, 4, &a, 1), TR_EINVAL);
    assert_int_equal(metrics_add(owner, rows, NULL, 1), TR_EINVAL);
    assert_int_equal(metrics_add(owner, rows, &a, -1), TR_EINVAL);
    assert_int_equal(metrics_add(owner, rows, &a, NAN), TR_EINVAL);
    assert_int_equal(metrics_set(owner, rows, &a, 1), TR_EINVAL);
    assert_int_equal(metrics_observe(owner, level, NULL, 1), TR_EINVAL);
    assert_int_equal(metrics_add(owner, sizes, NULL, 1), TR_EINVAL);
    assert_int_equal(metrics_observe(owner, sizes, NULL, NAN), TR_EINVAL);
    assert_null(strchr(written(), '{'));
}

static void series_beyond_the_bound_are_one(void **state)
{
    char text[16];
    uint32_t rows;

    (void)state;
    assert_int_equal(declare_as(TR_METRIC_COUNTER, "rows_total", "kind", &rows), TR_OK);
    for (int i = 0; i < METRICS_SERIES_MAX + 50; i++) {
        snprintf(text, sizeof(text), "k%d", i);
        const tr_str value = str_c(text);
        assert_int_equal(metrics_add(owner, rows, &value, 1), TR_OK);
    }
    assert_has("{rule=\"r\",kind=\"other\"} 50\n");
    assert_null(strstr(written(), "k1000\""));
}

static void of_a_long_value_the_beginning_counts(void **state)
{
    char text[2 * METRICS_VALUE_MAX];
    tr_str value = {text, sizeof(text)};
    uint32_t rows;

    (void)state;
    memset(text, 'x', sizeof(text));
    assert_int_equal(declare_as(TR_METRIC_COUNTER, "rows_total", "kind", &rows), TR_OK);
    assert_int_equal(metrics_add(owner, rows, &value, 1), TR_OK);
    text[sizeof(text) - 1] = 'y';
    assert_int_equal(metrics_add(owner, rows, &value, 1), TR_OK);
    assert_has("x\"} 2\n");
}

static void families_of_several_instances_stand_together(void **state)
{
    struct metrics_owner *second = metrics_owner_new(metrics, "some-plugin", "s", 0);
    struct metrics_owner *third = metrics_owner_new(metrics, "some-plugin", "s", 2);
    const tr_metric level = {.size = sizeof(level), .kind = TR_METRIC_GAUGE, .name = "level"};
    uint32_t a, b, c;

    (void)state;
    assert_int_equal(declare_as(TR_METRIC_GAUGE, "level", NULL, &a), TR_OK);
    assert_int_equal(metrics_declare(second, &level, &b), TR_OK);
    assert_int_equal(metrics_declare(third, &level, &c), TR_OK);
    assert_int_equal(metrics_set(owner, a, NULL, 1), TR_OK);
    assert_int_equal(metrics_set(second, b, NULL, 2), TR_OK);
    assert_int_equal(metrics_set(third, c, NULL, 3), TR_OK);
    assert_has("tailrace_some_plugin_level{rule=\"r\"} 1\n"
               "tailrace_some_plugin_level{rule=\"s\"} 2\n"
               "tailrace_some_plugin_level{rule=\"s\",transform=\"2\"} 3\n");
    metrics_owner_free(second);
    metrics_owner_free(third);
    assert_null(strstr(written(), "rule=\"s\""));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(numbers_are_written_in_few_digits_whatever_the_locale),
        TEST(labels_are_escaped_and_always_utf8),
        TEST(a_help_of_several_lines_stays_on_one),
        TEST(buckets_are_sums_of_those_below),
        TEST(names_that_prometheus_has_not_are_refused),
        TEST(bounds_of_a_histogram_rise),
        TEST(no_line_of_one_metric_looks_like_anothers),
        TEST(the_same_again_is_the_same_metric),
        TEST(a_hundred_metrics_are_enough),
        TEST(series_are_told_apart_by_their_labels),
        TEST(what_makes_no_sense_changes_nothing),
        TEST(series_beyond_the_bound_are_one),
        TEST(of_a_long_value_the_beginning_counts),
        TEST(families_of_several_instances_stand_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
