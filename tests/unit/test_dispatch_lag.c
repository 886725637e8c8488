/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a binding says that it has in hand: rows and since when, batches, lanes that back off.
 */
#include "test_dispatch_lib.h"

static struct binding_lag lag_of(const struct road *road)
{
    struct binding_lag lag;

    binding_get_lag(road->binding, &lag);
    return lag;
}

/* One row, received when the test says. */
static void give_at(struct road *road, int64_t ordinal, int64_t received_ms)
{
    struct row row = {.ordinal = ordinal, .id = "d"};
    struct segment *segment = make_segment(ordinal - 1, &row, 1);

    segment->received_ms = received_ms;
    cursor_take(road->cursor, segment);
    segment_unref(segment);
}

static void the_oldest_row_that_is_not_settled_counts(void **state)
{
    struct road road;

    (void)state;
    road_init(&road);
    road_start(&road);
    assert_int_equal(lag_of(&road).rows, 0);
    assert_int_equal(lag_of(&road).oldest_ms, 0);
    for (int64_t i = 1; i <= 3; i++)
        give_at(&road, i, 1000 * i);
    assert_int_equal(lag_of(&road).rows, 3);
    assert_int_equal(lag_of(&road).in_flight, 1);
    assert_int_equal(lag_of(&road).oldest_ms, 1000);
    road_answer(&road, TR_OK);
    WAIT(&road, lag_of(&road).rows == 2);
    assert_int_equal(lag_of(&road).oldest_ms, 2000);
    road_answer(&road, TR_OK);
    road_answer(&road, TR_OK);
    WAIT(&road, lag_of(&road).rows == 0);
    assert_int_equal(lag_of(&road).oldest_ms, 0);
    assert_int_equal(lag_of(&road).bytes, 0);
    assert_int_equal(lag_of(&road).in_flight, 0);
    road_fini(&road);
}

static void segments_are_received_when_they_are_made(void **state)
{
    int64_t before = clock_ms();
    struct road road;

    (void)state;
    road_init(&road);
    road_start(&road);
    road_give(&road, 1, 1);
    assert_true(lag_of(&road).oldest_ms >= before && lag_of(&road).oldest_ms <= clock_ms());
    road_answer(&road, TR_OK);
    road_fini(&road);
}

static void lanes_that_back_off_are_counted_with_the_reason(void **state)
{
    struct road road;
    struct sink_batch batch;

    (void)state;
    road_init(&road);
    road_start(&road);
    road_give(&road, 1, 1);
    assert_string_equal(lag_of(&road).failure, "");
    batch = road_next(&road);
    sink_answer(&batch, TR_RETRY, NULL, 500);
    WAIT(&road, lag_of(&road).retrying == 1);
    assert_string_equal(lag_of(&road).failure, "as the test says");
    road_answer(&road, TR_OK);
    WAIT(&road, lag_of(&road).rows == 0);
    assert_int_equal(lag_of(&road).retrying, 0);
    assert_string_equal(lag_of(&road).failure, "");
    road_fini(&road);
}

static void one_that_ends_while_it_backs_off_lets_go_of_all(void **state)
{
    struct road road;
    struct sink_batch batch;

    (void)state;
    road_init(&road);
    road_start(&road);
    road_give(&road, 1, 1);
    batch = road_next(&road);
    sink_answer(&batch, TR_RETRY, NULL, 3600000);
    WAIT(&road, lag_of(&road).retrying == 1);
    road_drain(&road);
    binding_free(road.binding); /* with rows that wait: their holds and lanes go too */
    road.binding = NULL;
    road_fini(&road);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_row_that_is_not_settled_counts),
        cmocka_unit_test(segments_are_received_when_they_are_made),
        cmocka_unit_test(lanes_that_back_off_are_counted_with_the_reason),
        cmocka_unit_test(one_that_ends_while_it_backs_off_lets_go_of_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
