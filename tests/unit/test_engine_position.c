/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plugins that have a word in where a stream begins: it counts over the rule and over a
 * checkpoint, and nothing is read before it was said.
 */
#include "test_engine_lib.h"

#define RULE                                                                                   \
    "r: { source = \"f\"; databases = \"^rows$\"; plugin = \"placed\"; options: { where = "    \
    "\"x\"; }; };"

enum { ROW = 38 /* bytes of rows 1 to 9, with their line ends */ };

static void set_up(struct site *site, int rows)
{
    struct stat st;
    char path[160];

    site_init(site);
    placed.never = false;
    placed.seq[0] = placed.settled[0] = placed.again[0] = '\0';
    site_configure(site, RULE);
    site_add_rows(site, 1, rows);
    snprintf(path, sizeof(path), "%s/rows", site->dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, rows * ROW);
}

static void set_seq(int row)
{
    snprintf(placed.seq, sizeof(placed.seq), "%d", row * ROW);
}

static struct sink_batch once(struct site *site)
{
    struct sink_batch batch;

    site_start(site, ENGINE_ONCE);
    batch = site_answer(site, TR_OK);
    SITE_WAIT(site, site->finished);
    assert_int_equal(site->exit_code, 0);
    site_stop(site);
    return batch;
}

static void its_position_counts_over_the_rule(void **state)
{
    struct sink_batch batch;
    struct site site;

    (void)state;
    set_up(&site, 5);
    set_seq(3);
    batch = once(&site);
    assert_int_equal(batch.count, 2);
    assert_int_equal(batch.rows[0], 4);
    assert_int_equal(atoi(placed.settled), 5 * ROW);
    site_fini(&site);
}

static void its_position_counts_over_a_checkpoint(void **state)
{
    struct sink_batch batch;
    struct site site;

    (void)state;
    set_up(&site, 5);
    assert_int_equal(once(&site).count, 5);
    set_seq(2);
    batch = once(&site);
    assert_int_equal(batch.count, 3);
    assert_int_equal(batch.rows[0], 3);
    placed.seq[0] = '\0';
    site_add_rows(&site, 6, 6);
    batch = once(&site);
    assert_int_equal(batch.count, 1);
    assert_int_equal(batch.rows[0], 6);
    site_fini(&site);
}

static void nothing_is_read_before_it_has_answered(void **state)
{
    struct binding_stats stats;
    struct site site;

    (void)state;
    set_up(&site, 5);
    placed.never = true;
    site_start(&site, ENGINE_FOLLOW);
    site_turns(&site, 50);
    engine_get_stats(site.engine, &stats);
    assert_int_equal(stats.received, 0);
    site_stop(&site);
    site_fini(&site);
}

static void it_may_have_a_stream_begin_again(void **state)
{
    struct binding_stats stats;
    struct sink_batch batch;
    struct site site;

    (void)state;
    set_up(&site, 5);
    snprintf(placed.again, sizeof(placed.again), "%d", 2 * ROW);
    site_start(&site, ENGINE_FOLLOW);
    assert_int_equal(site_answer(&site, TR_OK).count, 5);
    batch = site_answer(&site, TR_OK);
    assert_int_equal(batch.count, 3);
    assert_int_equal(batch.rows[0], 3);
    engine_get_stats(site.engine, &stats);
    assert_int_equal(stats.received, 8);
    site_stop(&site);
    assert_int_equal(atoi(placed.settled), 5 * ROW);
    site_start(&site, ENGINE_ONCE); /* it stands where it was in the end                     */
    SITE_WAIT(&site, site.finished);
    engine_get_stats(site.engine, &stats);
    assert_int_equal(stats.received, 0);
    site_stop(&site);
    site_fini(&site);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_position_counts_over_the_rule),
        cmocka_unit_test(its_position_counts_over_a_checkpoint),
        cmocka_unit_test(nothing_is_read_before_it_has_answered),
        cmocka_unit_test(it_may_have_a_stream_begin_again),
    };

    cmocka_set_test_filter(getenv("TEST_FILTER"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
