/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dead letters on their way back: marked in the store, given to the binding, taken or refused.
 */
#include "test_dispatch_lib.h"

/* Three rows that were rejected. */
static void begin_with_letters(struct road *road)
{
    road_start(road);
    road_give(road, 1, 3);
    for (int i = 0; i < 3; i++)
        road_answer(road, TR_REJECT);
    WAIT(road, road_position(road) == 3 && road_letters(road) == 3);
}

struct found {
    struct binding *binding;
    int64_t count, ids[8], attempts[8];
    char errors[8][64];
};

static bool take_letter(void *context, const struct store_dead_letter *letter)
{
    struct found *found = context;

    found->ids[found->count] = letter->id;
    found->attempts[found->count] = letter->attempts;
    snprintf(found->errors[found->count++], sizeof(found->errors[0]), STR_FMT,
             STR_ARG(letter->error));
    if (found->binding)
        binding_replay(found->binding, letter);
    return true;
}

/* As the cli does, and then the engine. */
static struct found look(struct road *road, bool marked, bool replay)
{
    struct found found = {.binding = replay ? road->binding : NULL};
    struct store_filter filter = {.binding = STR("rule"), .marked = marked};

    assert_int_equal(
        store_dead_letter_each(road->place.store, &filter, take_letter, &found, NULL), 0);
    return found;
}

static void mark_all(struct road *road)
{
    struct store_filter filter = {.binding = STR("rule")};
    int64_t marked;

    assert_int_equal(store_dead_letter_mark(road->place.store, &filter, &marked, NULL), 0);
}

static void a_letter_that_is_taken_is_gone(void **state)
{
    struct sink_batch batch;
    struct road road;

    (void)state;
    road_init(&road);
    begin_with_letters(&road);
    mark_all(&road);
    look(&road, true, true);
    for (int64_t row = 1; row <= 3; row++) {
        batch = road_answer(&road, TR_OK);
        assert_true(batch.replay);
        assert_int_equal(batch.rows[0], row);
    }
    WAIT(&road, road_letters(&road) == 0 && binding_is_idle(road.binding));
    assert_int_equal(road_position(&road), 3);
    assert_int_equal(binding_get_stats(road.binding)->ok, 3);
    assert_counted(road.binding);
    road_fini(&road);
}

static void a_letter_that_is_refused_stays_and_is_not_marked(void **state)
{
    struct found found;
    struct road road;

    (void)state;
    road_init(&road);
    begin_with_letters(&road);
    mark_all(&road);
    look(&road, true, true);
    for (int i = 0; i < 3; i++)
        road_answer(&road, i == 1 ? TR_OK : TR_REJECT);
    WAIT(&road, binding_is_idle(road.binding));
    assert_int_equal(look(&road, true, false).count, 0);
    found = look(&road, false, false);
    assert_int_equal(found.count, 2);
    assert_int_equal(found.attempts[0], 2);
    assert_counted(road.binding);

    /* And again. */
    mark_all(&road);
    look(&road, true, true);
    road_answer(&road, TR_OK);
    road_answer(&road, TR_OK);
    WAIT(&road, road_letters(&road) == 0 && binding_is_idle(road.binding));
    assert_counted(road.binding);
    road_fini(&road);
}

static void a_letter_waits_for_a_sink_that_is_away(void **state)
{
    struct road road;

    (void)state;
    road_init(&road);
    begin_with_letters(&road);
    mark_all(&road);
    look(&road, true, true);
    for (int i = 0; i < 4; i++)
        road_answer(&road, TR_RETRY);
    assert_int_equal(look(&road, true, false).count, 3);
    for (int i = 0; i < 3; i++)
        road_answer(&road, TR_OK);
    WAIT(&road, road_letters(&road) == 0 && binding_is_idle(road.binding));
    road_fini(&road);
}

/* No position depends on it: there is nothing to stop for, and nothing is skipped. */
static void a_letter_that_is_refused_neither_stops_nor_goes(void **state)
{
    struct road road;

    (void)state;
    for (int stop = 0; stop < 2; stop++) {
        road_init(&road);
        begin_with_letters(&road);
        road.binding->setup.options.on_reject = stop ? ON_REJECT_STOP : ON_REJECT_SKIP;
        mark_all(&road);
        look(&road, true, true);
        for (int i = 0; i < 3; i++)
            road_answer(&road, TR_REJECT);
        WAIT(&road, binding_is_idle(road.binding));
        assert_int_equal(road.held, 0);
        assert_int_equal(look(&road, true, false).count, 0);
        assert_int_equal(road_letters(&road), 3);
        road_fini(&road);
    }
}

static void a_drain_keeps_letters_that_were_not_sent(void **state)
{
    struct sink_batch batch;
    struct road road;

    (void)state;
    road_init(&road);
    begin_with_letters(&road);
    mark_all(&road);
    look(&road, true, true);
    batch = road_next(&road);
    binding_drain(road.binding, clock_ms() + 10000);
    sink_answer(&batch, TR_OK, NULL, 0);
    WAIT(&road, road.drained);
    assert_int_equal(look(&road, true, false).count, 2);
    road_fini(&road);
}

static void a_letter_of_a_row_that_was_cut_is_not_sent(void **state)
{
    static const struct row row = {.ordinal = 1, .id = "a"};
    struct segment *segment;
    struct found found;
    struct road road;

    (void)state;
    road_init(&road);
    road_start(&road);
    segment = make_segment(0, &row, 1);
    segment->rows[0].flags |= FEED_ROW_CUT;
    cursor_take(road.cursor, segment);
    segment_unref(segment);
    WAIT(&road, road_letters(&road) == 1);
    mark_all(&road);
    look(&road, true, true);
    WAIT(&road, look(&road, true, false).count == 0);
    found = look(&road, false, false);
    assert_non_null(strstr(found.errors[0], "only the head"));
    assert_int_equal(sink_count(), 0);
    WAIT(&road, road.binding->commits == 0);
    assert_counted(road.binding);
    road_fini(&road);
}

/* The cursor of the replays is none of the stream's own, also when that one has retired. */
static void replays_leave_the_position_alone(void **state)
{
    struct sink_batch batch;
    struct road road;

    (void)state;
    road_init(&road);
    begin_with_letters(&road);
    road_give(&road, 4, 1);
    batch = road_next(&road);
    cursor_retire(road.cursor);
    mark_all(&road);
    look(&road, true, true);
    road_turns(&road, 3);
    assert_int_equal(road_position(&road), 3);
    sink_answer(&batch, TR_OK, NULL, 0);
    for (int i = 0; i < 3; i++)
        assert_true(road_answer(&road, TR_OK).replay);
    WAIT(&road, road_position(&road) == 4 && road_letters(&road) == 0);
    road_fini(&road);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_letter_that_is_taken_is_gone),
        cmocka_unit_test(a_letter_that_is_refused_stays_and_is_not_marked),
        cmocka_unit_test(a_letter_waits_for_a_sink_that_is_away),
        cmocka_unit_test(a_letter_that_is_refused_neither_stops_nor_goes),
        cmocka_unit_test(a_drain_keeps_letters_that_were_not_sent),
        cmocka_unit_test(a_letter_of_a_row_that_was_cut_is_not_sent),
        cmocka_unit_test(replays_leave_the_position_alone),
    };

    cmocka_set_test_filter(getenv("TEST_FILTER"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
