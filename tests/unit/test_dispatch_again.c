/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream that begins again: what the plugin has in hand, what waits, dead letters and
 * commits on their way, none of which may have a word in what comes after.
 */
#include "test_dispatch_lib.h"

/* The row that everything begins at again is settled already: it stands in no checkpoint. */
static void begin_again(struct road *road, int64_t ordinal)
{
    char seq[32];

    snprintf(seq, sizeof(seq), "\"%jd-s\"", (intmax_t)ordinal);
    cursor_retire(road->cursor);
    road->cursor = cursor_again(road->binding, &road_stream, str_c(seq));
}

static void an_outcome_of_before_counts_for_nothing(void **state)
{
    struct sink_batch before;
    struct road road;

    (void)state;
    road_init(&road);
    road_start(&road);
    road_give(&road, 1, 5);
    road_answer(&road, TR_OK);
    before = road_next(&road);
    WAIT(&road, road_position(&road) == 1);
    begin_again(&road, 0);
    WAIT(&road, road_position(&road) == 0);
    sink_answer(&before, TR_OK, NULL, 0);
    WAIT(&road, binding_is_idle(road.binding));
    assert_int_equal(binding_get_stats(road.binding)->ok, 1);
    assert_counted(road.binding);
    assert_int_equal(road_position(&road), 0);
    road_give(&road, 1, 5);
    for (int i = 1; i <= 5; i++)
        assert_int_equal(road_answer(&road, TR_OK).rows[0], i);
    WAIT(&road, road_position(&road) == 5);
    assert_counted(road.binding);
    road_fini(&road);
}

static void what_is_read_again_is_no_repetition(void **state)
{
    struct road road;

    (void)state;
    road_init(&road);
    road.setup.repeats = repeats_new();
    road.setup.options.on_repeat = ON_REPEAT_SKIP;
    road_start(&road);
    for (int round = 0; round < 2; round++) {
        road_give(&road, 1, 3);
        for (int i = 1; i <= 3; i++)
            assert_int_equal(road_answer(&road, TR_OK).rows[0], i);
        WAIT(&road, road_position(&road) == 3);
        begin_again(&road, 0);
        WAIT(&road, road_position(&road) == 0);
    }
    assert_int_equal(binding_get_stats(road.binding)->repeated, 0);
    road_fini(&road);
    repeats_free(road.setup.repeats);
}

static void what_failed_before_is_not_tried_again(void **state)
{
    struct binding_lag lag;
    struct road road;

    (void)state;
    road_init(&road);
    road.setup.options.retry_min_ms = road.setup.options.retry_max_ms = 60000;
    road_start(&road);
    road_give(&road, 1, 3);
    road_answer(&road, TR_RETRY);
    do {
        road_turn(&road);
        binding_get_lag(road.binding, &lag);
    } while (lag.retrying == 0);
    begin_again(&road, 0);
    binding_get_lag(road.binding, &lag);
    assert_int_equal(lag.retrying, 0);
    assert_int_equal(lag.rows, 0);
    road_give(&road, 1, 1);
    assert_int_equal(road_answer(&road, TR_OK).attempts[0], 1);
    WAIT(&road, road_position(&road) == 1);
    road_fini(&road);
}

static void a_window_that_was_full_opens(void **state)
{
    struct sink_batch before;
    struct road road;

    (void)state;
    road_init(&road);
    road.setup.options.window_rows = 4;
    road_start(&road);
    road_give(&road, 1, 4);
    before = road_next(&road);
    assert_false(binding_has_room(road.binding));
    begin_again(&road, 0);
    assert_true(binding_has_room(road.binding));
    assert_int_equal(road.room, 1);
    sink_answer(&before, TR_RETRY, NULL, 0);
    WAIT(&road, binding_is_idle(road.binding));
    road_turns(&road, 20);
    assert_int_equal(sink_count(), 0);
    road_fini(&road);
}

static void dead_letters_on_their_way_stay_dead_letters(void **state)
{
    struct road road;

    (void)state;
    road_init(&road);
    road.setup.options.batch_size = 3;
    road_start(&road);
    road_give(&road, 1, 1);
    road_answer(&road, TR_REJECT);
    WAIT(&road, binding_get_stats(road.binding)->batches == 1 && sink_count() == 0);
    while (road.binding->commits == 0 && road_letters(&road) == 0)
        road_turn(&road);
    begin_again(&road, 0);
    WAIT(&road, road_letters(&road) == 1 && road.binding->commits == 0);
    assert_int_equal(road_position(&road), 0);
    assert_counted(road.binding);
    road_fini(&road);
}

static void a_stop_waits_for_what_the_plugin_has_of_before(void **state)
{
    struct sink_batch before;
    struct road road;

    (void)state;
    road_init(&road);
    road_start(&road);
    road_give(&road, 1, 2);
    before = road_next(&road);
    begin_again(&road, 0);
    binding_drain(road.binding, clock_ms() + 10000);
    road_turns(&road, 10);
    assert_int_equal(road.drained, 0);
    sink_answer(&before, TR_OK, NULL, 0);
    WAIT(&road, road.drained);
    assert_int_equal(road_position(&road), 0);
    road_fini(&road);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_outcome_of_before_counts_for_nothing),
        cmocka_unit_test(what_is_read_again_is_no_repetition),
        cmocka_unit_test(what_failed_before_is_not_tried_again),
        cmocka_unit_test(a_window_that_was_full_opens),
        cmocka_unit_test(dead_letters_on_their_way_stay_dead_letters),
        cmocka_unit_test(a_stop_waits_for_what_the_plugin_has_of_before),
    };

    cmocka_set_test_filter(getenv("TEST_FILTER"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
