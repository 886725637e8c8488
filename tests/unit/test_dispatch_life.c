/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A binding's life: starting, its window, holding, new options, draining at every moment, and
 * cursors that come and go meanwhile.
 */
#include "test_dispatch_lib.h"

/* ---- the window ---- */

static void the_window_closes_and_opens_again(void **state)
{
    struct road road;

    (void)state;
    road_init(&road);
    road.setup.options.window_rows = 10;
    road_start(&road);
    road_give(&road, 1, 9);
    assert_true(binding_has_room(road.binding));
    road_give(&road, 10, 1);
    assert_false(binding_has_room(road.binding));
    for (int i = 0; i < 4; i++)
        road_answer(&road, TR_OK);
    road_turns(&road, 5);
    assert_int_equal(road.room, 0); /* half empty first */
    for (int i = 0; i < 6; i++)
        road_answer(&road, TR_OK);
    WAIT(&road, road.idle > 0);
    assert_int_equal(road.room, 1);
    assert_true(binding_has_room(road.binding));
    road_fini(&road);
}

static void the_window_counts_bytes_too(void **state)
{
    struct road road;

    (void)state;
    road_init(&road);
    road.setup.options.window_bytes = 1;
    road_start(&road);
    road_give(&road, 1, 1);
    assert_false(binding_has_room(road.binding));
    road_answer(&road, TR_OK);
    WAIT(&road, road.room == 1);
    assert_int_equal(road.binding->bytes, 0);
    road_fini(&road);
}

/* What fills the window may be settled before the instance has started. */
static void the_window_opens_although_it_was_filled_while_starting(void **state)
{
    static const struct row row = {.ordinal = 1, .id = "a"};
    struct segment *segment;
    struct road road;

    (void)state;
    road_init(&road);
    road.setup.options.window_rows = 1;
    sink.start_waits = true;
    road_begin(&road);
    segment = make_segment(0, &row, 1);
    segment->rows[0].flags |= FEED_ROW_CUT;
    cursor_take(road.cursor, segment);
    segment_unref(segment);
    assert_false(binding_has_room(road.binding));
    WAIT(&road, road_position(&road) == 1);
    sink_let_start();
    WAIT(&road, road.started);
    road_turns(&road, 3);
    assert_int_equal(road.room, 1);
    assert_true(road.idle > 0);
    road_fini(&road);
}

/* A kill repeats them: so there are no more of them than the window has rows. */
static void what_is_settled_behind_a_row_that_waits_stays_in_the_window(void **state)
{
    struct sink_batch first;
    struct road road;

    (void)state;
    road_init(&road);
    road.setup.options.window_rows = 20;
    road.setup.options.concurrency = 8;
    road_start(&road);
    road_give(&road, 1, 20);
    for (first = road_next(&road); first.rows[0] != 1; first = road_next(&road))
        sink_answer(&first, TR_OK, NULL, 0);
    for (int turns = 0; turns < 50; turns++) {
        road_turns(&road, 1);
        while (sink_count() > 0)
            road_answer(&road, TR_OK);
    }
    assert_true(road.binding->passed > 0);
    assert_int_equal(road.binding->rows + road.binding->passed, 20);
    assert_counted(road.binding);
    assert_false(binding_has_room(road.binding));
    assert_int_equal(road.room, 0);
    sink_answer(&first, TR_OK, NULL, 0);
    while (!binding_is_idle(road.binding)) {
        road_turns(&road, 1);
        while (sink_count() > 0)
            road_answer(&road, TR_OK);
    }
    assert_int_equal(road.binding->passed, 0);
    assert_int_equal(road.room, 1);
    road_fini(&road);
}

/* ---- batches ---- */

static void a_batch_waits_for_more_and_not_for_ever(void **state)
{
    struct sink_batch batch;
    struct road road;

    (void)state;
    road_init(&road);
    road.setup.options.batch_size = 4;
    road.setup.options.batch_wait_ms = 3600000;
    road_start(&road);
    road_give(&road, 1, 3);
    road_turns(&road, 5);
    assert_int_equal(sink_count(), 0);
    road_give(&road, 4, 1);
    batch = road_answer(&road, TR_OK);
    assert_int_equal(batch.count, 4);
    road.binding->setup.options.batch_wait_ms = 1;
    road_give(&road, 5, 1);
    assert_int_equal(road_answer(&road, TR_OK).count, 1);
    road_fini(&road);
}

static void a_batch_keeps_to_its_bytes_and_takes_one_that_is_larger(void **state)
{
    struct road road;

    (void)state;
    road_init(&road);
    road.setup.options.batch_size = 10;
    road.setup.options.batch_bytes = 10;
    road_start(&road);
    road_give(&road, 1, 2);
    assert_int_equal(road_answer(&road, TR_OK).count, 1);
    assert_int_equal(road_answer(&road, TR_OK).count, 1);
    road_fini(&road);
}

static void no_more_batches_are_in_hand_than_the_rule_says(void **state)
{
    struct road road;

    (void)state;
    road_init(&road);
    road.setup.options.concurrency = 3;
    road_start(&road);
    road_give(&road, 1, 100);
    for (int i = 0; i < 100; i++) {
        road_turns(&road, 1);
        assert_true(sink_count() <= 3);
        road_answer(&road, TR_OK);
    }
    road_fini(&road);
}

/* ---- the end ---- */

static void a_drain_waits_for_what_is_in_flight(void **state)
{
    struct sink_batch batch;
    struct road road;

    (void)state;
    road_init(&road);
    road_start(&road);
    road_give(&road, 1, 5);
    batch = road_next(&road);
    binding_drain(road.binding, clock_ms() + 10000);
    road_turns(&road, 5);
    assert_int_equal(road.drained, 0);
    sink_answer(&batch, TR_OK, NULL, 0);
    WAIT(&road, road.drained);
    assert_int_equal(road_position(&road), 1);
    assert_int_equal(sink_number(&sink.stopped), 1);
    assert_int_equal(sink_number(&sink.closed), 1);
    assert_int_equal(sink.seen, 1); /* nothing new was sent */
    road_fini(&road);
}

/* The answer and the task of the drain come in one turn: it must not be stopped twice. */
static void a_drain_ends_once(void **state)
{
    for (int i = 0; i < 50; i++) {
        struct sink_batch batch;
        struct road road;

        (void)state;
        road_init(&road);
        road_start(&road);
        road_give(&road, 1, 1);
        batch = road_next(&road);
        road_turns(&road, 3);
        sink_answer(&batch, i % 2 ? TR_RETRY : TR_OK, NULL, 0);
        binding_drain(road.binding, clock_ms() + 10000);
        WAIT(&road, road.drained);
        road_turns(&road, 3);
        assert_int_equal(sink_number(&sink.stopped), 1);
        road_fini(&road);
    }
}

static void a_drain_does_not_wait_for_a_retry(void **state)
{
    struct road road;

    (void)state;
    road_init(&road);
    road.setup.options.retry_min_ms = road.setup.options.retry_max_ms = 3600000;
    road_start(&road);
    road_give(&road, 1, 2);
    road_answer(&road, TR_RETRY);
    road_turns(&road, 5);
    road_drain(&road);
    assert_true(road_position(&road) <= 0);
    road_fini(&road);
}

static void a_drain_keeps_the_letters_of_the_last_batch(void **state)
{
    struct sink_batch batch;
    struct road road;

    (void)state;
    road_init(&road);
    road_start(&road);
    road_give(&road, 1, 2);
    batch = road_next(&road);
    binding_drain(road.binding, clock_ms() + 10000);
    sink_answer(&batch, TR_REJECT, NULL, 0);
    WAIT(&road, road.drained);
    assert_int_equal(road_letters(&road), 1);
    assert_int_equal(road_position(&road), 1);
    road_fini(&road);
}

static void a_drain_while_starting_ends(void **state)
{
    struct road road;

    (void)state;
    road_init(&road);
    sink.start_waits = true;
    road_begin(&road);
    road_give(&road, 1, 2);
    cursor_touch(road.cursor);
    binding_commit(road.binding);
    binding_drain(road.binding, clock_ms() + 10000);
    WAIT(&road, road_position(&road) == 0); /* a commit comes back meanwhile */
    road_turns(&road, 5);
    assert_int_equal(road.drained, 0);
    sink_let_start();
    WAIT(&road, road.drained);
    assert_int_equal(road.started, 0);
    assert_int_equal(sink_number(&sink.closed), 1);
    road_fini(&road);
}

static void a_start_that_fails_holds_and_drains(void **state)
{
    struct road road;

    (void)state;
    road_init(&road);
    sink.start_fails = true;
    road_begin(&road);
    WAIT(&road, road.held);
    assert_non_null(strstr(binding_held(road.binding), "no such place"));
    road_drain(&road);
    assert_int_equal(sink_number(&sink.closed), 1);
    road_fini(&road);
}

/* Held by a row while the plugin still starts, and then ended by a reload. */
static void a_drain_of_a_rule_that_was_held_while_starting_ends(void **state)
{
    static const struct row row = {.ordinal = 1, .id = "a"};
    struct segment *segment;
    struct road road;

    (void)state;
    road_init(&road);
    road.setup.options.on_reject = ON_REJECT_STOP;
    sink.start_waits = true;
    road_begin(&road);
    segment = make_segment(0, &row, 1);
    segment->rows[0].flags |= FEED_ROW_CUT;
    cursor_take(road.cursor, segment);
    segment_unref(segment);
    assert_int_equal(road.held, 1);
    binding_drain(road.binding, clock_ms() + 10000);
    road_turns(&road, 10);
    assert_int_equal(road.drained, 0);
    sink_let_start();
    WAIT(&road, road.drained);
    road_turns(&road, 3);
    assert_int_equal(road.drained, 1);
    assert_int_equal(sink_number(&sink.closed), 1);
    assert_true(road_position(&road) <= 0);
    road_fini(&road);
}

static void a_wedged_plugin_holds_and_its_late_answer_still_counts(void **state)
{
    struct sink_batch batch;
    struct road road;

    (void)state;
    road_init(&road);
    road.setup.instance.timeout_ms = road.setup.instance.grace_ms = 5;
    road_start(&road);
    road_give(&road, 1, 2);
    batch = road_next(&road);
    WAIT(&road, road.held);
    assert_int_equal(sink_number(&sink.cancelled), 1);
    sink_answer(&batch, TR_OK, NULL, 0);
    WAIT(&road, road_position(&road) == 1);
    road_turns(&road, 5);
    assert_int_equal(sink_count(), 0); /* held: nothing more is sent */
    road_fini(&road);
}

/* ---- new options ---- */

/* <tailrace/plugin.h>: configure() comes "on a quiet instance". */
static void new_options_wait_until_nothing_is_in_hand(void **state)
{
    struct sink_batch batch;
    struct road road;

    (void)state;
    road_init(&road);
    road_start(&road);
    road_give(&road, 1, 3);
    batch = road_next(&road);
    pthread_mutex_lock(&sink.lock); /* it is still in hand */
    sink.batches[sink.count++] = batch;
    pthread_mutex_unlock(&sink.lock);
    assert_true(binding_reconfigure(road.binding, NULL));
    assert_false(binding_reconfigure(road.binding, NULL));
    road_turns(&road, 5);
    batch = sink_take(0);
    sink_answer(&batch, TR_OK, NULL, 0);
    WAIT(&road, sink_number(&sink.configured) == 2);
    assert_int_equal(sink_number(&sink.configured_busy), 0);
    assert_int_equal(road_answer(&road, TR_OK).rows[0], 2); /* and it goes on */
    assert_int_equal(road_answer(&road, TR_OK).rows[0], 3);
    road_fini(&road);
}

static void new_options_are_taken_by_an_idle_rule(void **state)
{
    struct road road;

    (void)state;
    road_init(&road);
    road_start(&road);
    assert_true(binding_reconfigure(road.binding, NULL));
    WAIT(&road, sink_number(&sink.configured) == 2);
    WAIT(&road, binding_reconfigure(road.binding, NULL));
    road_give(&road, 1, 1);
    assert_int_equal(road_answer(&road, TR_OK).rows[0], 1);
    road_fini(&road);
}

static void options_that_the_plugin_refuses_hold_the_rule(void **state)
{
    struct road road;

    (void)state;
    road_init(&road);
    road_start(&road);
    sink.configure_fails = true;
    assert_true(binding_reconfigure(road.binding, NULL));
    WAIT(&road, road.held);
    road_fini(&road);
}

static void a_drain_in_the_midst_of_new_options_ends(void **state)
{
    struct sink_batch batch;
    struct road road;

    (void)state;
    for (int in_flight = 0; in_flight < 2; in_flight++) {
        road_init(&road);
        road_start(&road);
        if (in_flight) {
            road_give(&road, 1, 2);
            batch = road_next(&road);
        }
        assert_true(binding_reconfigure(road.binding, NULL));
        binding_drain(road.binding, clock_ms() + 10000);
        if (in_flight)
            sink_answer(&batch, TR_OK, NULL, 0);
        WAIT(&road, road.drained);
        road_turns(&road, 3);
        assert_int_equal(sink_number(&sink.closed), 1);
        road_fini(&road);
    }
}

/* ---- cursors that go ---- */

static void a_retired_cursor_settles_what_it_has(void **state)
{
    struct road road;

    (void)state;
    road_init(&road);
    road_start(&road);
    road_give(&road, 1, 3);
    cursor_retire(road.cursor);
    for (int i = 0; i < 3; i++)
        road_answer(&road, TR_OK);
    WAIT(&road, road_position(&road) == 3);
    WAIT(&road, list_empty(&road.binding->cursors));
    road_fini(&road);
}

/* The commit that ends it may be made while the outcome is still being worked on. */
static void a_retired_cursor_ends_with_the_commit_of_its_last_batch(void **state)
{
    struct road road;

    (void)state;
    road_init(&road);
    road.setup.options.commit_rows = 1;
    road_start(&road);
    road_give(&road, 1, 1);
    cursor_retire(road.cursor);
    road_answer(&road, TR_OK);
    WAIT(&road, list_empty(&road.binding->cursors));
    WAIT(&road, road_position(&road) == 1);
    road_fini(&road);
}

/* A database that was away for a moment is the same stream: what waited still waits, and a
 * second cursor beside the first would overtake it. */
static void a_stream_that_comes_back_goes_on_with_its_cursor(void **state)
{
    static const struct row rows[] = {{.ordinal = 1, .id = "x"}, {.ordinal = 2, .id = "x"}};
    struct sink_batch batch;
    struct cursor *again;
    struct road road;

    (void)state;
    road_init(&road);
    road.setup.options.concurrency = 2;
    road_start(&road);
    road_take(&road, road.cursor, 0, rows, 1);
    batch = road_next(&road);
    cursor_retire(road.cursor);
    again = cursor_new(road.binding, &road_stream, STR("0"), 0);
    if (str_eq(cursor_received(again), STR("0")))
        road_take(&road, again, 0, rows, 2);
    else
        road_take(&road, again, 1, &rows[1], 1);
    road_turns(&road, 5);
    assert_int_equal(sink_count(), 0); /* nothing of x while x is in hand */
    sink_answer(&batch, TR_RETRY, NULL, 0);
    assert_int_equal(road_answer(&road, TR_OK).rows[0], 1);
    assert_int_equal(road_answer(&road, TR_OK).rows[0], 2);
    WAIT(&road, road_position(&road) == 2);
    road_turns(&road, 5);
    assert_int_equal(sink.seen, 3);
    assert_false(list_empty(&road.binding->cursors));
    road_fini(&road);
}

static void a_position_that_is_touched_is_written_at_once(void **state)
{
    struct road road;

    (void)state;
    road_init(&road);
    road_start(&road);
    assert_int_equal(road_position(&road), -1);
    cursor_touch(road.cursor);
    WAIT(&road, road_position(&road) == 0);
    road_fini(&road);
}

static void a_position_moves_over_rows_that_nobody_wants(void **state)
{
    static const struct row rows[] = {{.ordinal = 1, .id = "a", .deleted = true},
                                      {.ordinal = 2, .id = "b"},
                                      {.ordinal = 3, .id = "c", .deleted = true}};
    struct road road;

    (void)state;
    road_init(&road);
    road_start(&road);
    road_take(&road, road.cursor, 0, rows, 3);
    WAIT(&road, road_position(&road) == 1);
    cursor_advance(road.cursor, STR("\"9-s\""));
    road_turns(&road, 5);
    assert_int_equal(road_position(&road), 1);
    road_answer(&road, TR_OK);
    WAIT(&road, road_position(&road) == 9);
    assert_int_equal(binding_get_stats(road.binding)->filtered, 2);
    assert_counted(road.binding);
    road_fini(&road);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_window_closes_and_opens_again),
        cmocka_unit_test(the_window_counts_bytes_too),
        cmocka_unit_test(the_window_opens_although_it_was_filled_while_starting),
        cmocka_unit_test(what_is_settled_behind_a_row_that_waits_stays_in_the_window),
        cmocka_unit_test(a_batch_waits_for_more_and_not_for_ever),
        cmocka_unit_test(a_batch_keeps_to_its_bytes_and_takes_one_that_is_larger),
        cmocka_unit_test(no_more_batches_are_in_hand_than_the_rule_says),
        cmocka_unit_test(a_drain_waits_for_what_is_in_flight),
        cmocka_unit_test(a_drain_ends_once),
        cmocka_unit_test(a_drain_does_not_wait_for_a_retry),
        cmocka_unit_test(a_drain_keeps_the_letters_of_the_last_batch),
        cmocka_unit_test(a_drain_while_starting_ends),
        cmocka_unit_test(a_start_that_fails_holds_and_drains),
        cmocka_unit_test(a_drain_of_a_rule_that_was_held_while_starting_ends),
        cmocka_unit_test(a_wedged_plugin_holds_and_its_late_answer_still_counts),
        cmocka_unit_test(new_options_wait_until_nothing_is_in_hand),
        cmocka_unit_test(new_options_are_taken_by_an_idle_rule),
        cmocka_unit_test(options_that_the_plugin_refuses_hold_the_rule),
        cmocka_unit_test(a_drain_in_the_midst_of_new_options_ends),
        cmocka_unit_test(a_retired_cursor_settles_what_it_has),
        cmocka_unit_test(a_retired_cursor_ends_with_the_commit_of_its_last_batch),
        cmocka_unit_test(a_stream_that_comes_back_goes_on_with_its_cursor),
        cmocka_unit_test(a_position_that_is_touched_is_written_at_once),
        cmocka_unit_test(a_position_moves_over_rows_that_nobody_wants),
    };

    cmocka_set_test_filter(getenv("TEST_FILTER"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
