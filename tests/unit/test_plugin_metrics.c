/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tr.metrics/1 as a plugin has it: on its worker, as long as it lives.
 */
#include "test_plugin_lib.h"

#include "observe/metrics.h"

#include <tailrace/ext/metrics.h>

static void a_plugins_figures_are_shown_while_it_lives(void **state)
{
    struct bench b = {.metrics = metrics_new()};
    struct buf out = {0};
    struct delivery d;

    (void)state;
    bench_start(&b, "metrics", "");
    assert_int_equal(b.error.code, 0);
    delivery_settle(&b, &d, 3);
    assert_outcome(&d, TR_OK, "counted");
    delivery_settle(&b, &d, 1);
    assert_outcome(&d, TR_OK, "counted");
    metrics_write(b.metrics, &out);
    assert_non_null(
        strstr(out.ptr, "\ntailrace_metrics_changes_total{rule=\"rule\",letter=\"a\"} 4\n"));
    assert_non_null(
        strstr(out.ptr, "\ntailrace_metrics_batch_changes_bucket{rule=\"rule\",le=\"1\"} 1\n"));
    assert_non_null(strstr(out.ptr, "\ntailrace_metrics_batch_changes_sum{rule=\"rule\"} 4\n"));
    assert_non_null(
        strstr(out.ptr, "\ntailrace_metrics_last_batch_changes{rule=\"rule\"} 1\n"));
    bench_end(&b);
    buf_clear(&out);
    metrics_write(b.metrics, &out);
    assert_int_equal(out.len, 0);
    metrics_free(b.metrics);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plugins_figures_are_shown_while_it_lives),
    };

    return cmocka_run_group_tests(tests, place_begin, place_end);
}
