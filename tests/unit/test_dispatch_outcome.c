/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of a change: retries, bisection, attempts, rejects, and the order meanwhile.
 */
#include "test_dispatch_lib.h"

static void an_ok_is_committed(void **state)
{
    struct road road;

    (void)state;
    road_init(&road);
    road_start(&road);
    road_give(&road, 1, 3);
    for (int i = 0; i < 3; i++)
        road_answer(&road, TR_OK);
    WAIT(&road, road_position(&road) == 3);
    assert_counted(road.binding);
    road_fini(&road);
}

static void a_retry_keeps_its_place_and_the_position(void **state)
{
    struct road road;

    (void)state;
    road_init(&road);
    road_start(&road);
    road_give(&road, 1, 3);
    for (uint32_t attempt = 1; attempt <= 4; attempt++) {
        struct sink_batch batch = road_answer(&road, TR_RETRY);
        assert_int_equal(batch.rows[0], 1);
        assert_int_equal(batch.attempts[0], attempt);
    }
    assert_int_equal(road_position(&road) > 0, 0);
    for (int64_t row = 1; row <= 3; row++)
        assert_int_equal(road_answer(&road, TR_OK).rows[0], row);
    WAIT(&road, road_position(&road) == 3);
    road_fini(&road);
}

static void bisection_finds_the_poison_and_it_alone(void **state)
{
    struct road road;

    (void)state;
    road_init(&road);
    road.setup.options.batch_size = 8;
    road_start(&road);
    road_give(&road, 1, 32);
    while (!binding_is_idle(road.binding)) {
        struct sink_batch batch;
        bool bad = false;
        if (sink_count() == 0) {
            road_turn(&road);
            continue;
        }
        batch = sink_take(0);
        for (uint32_t i = 0; i < batch.count; i++)
            bad |= batch.rows[i] == 13 || batch.rows[i] == 14;
        sink_answer(&batch, bad ? TR_REJECT : TR_OK, NULL, 0);
    }
    WAIT(&road, road_position(&road) == 32);
    assert_int_equal(road_letters(&road), 2);
    assert_int_equal(binding_get_stats(road.binding)->dead, 2);
    assert_int_equal(binding_get_stats(road.binding)->ok, 30);
    assert_counted(road.binding);
    road_fini(&road);
}

static void max_attempts_ends_a_change_that_always_fails(void **state)
{
    struct road road;
    uint32_t deliveries = 0;

    (void)state;
    road_init(&road);
    road.setup.options.max_attempts = 3;
    road_start(&road);
    road_give(&road, 1, 2);
    for (;;) {
        struct sink_batch batch = road_next(&road);
        deliveries += batch.rows[0] == 1;
        sink_answer(&batch, batch.rows[0] == 1 ? TR_RETRY : TR_OK, NULL, 0);
        if (batch.rows[0] == 2)
            break;
    }
    assert_int_equal(deliveries, 3);
    WAIT(&road, road_position(&road) == 2);
    assert_int_equal(road_letters(&road), 1);
    road_fini(&road);
}

/* Those that shared batches with the poison have its faults on their account. */
static void one_failure_alone_is_not_poison(void **state)
{
    struct road road;
    bool failed_once = false;

    (void)state;
    road_init(&road);
    road.setup.options.max_attempts = 3;
    road.setup.options.batch_size = 4;
    road_start(&road);
    road_give(&road, 1, 4);
    while (!binding_is_idle(road.binding)) {
        struct sink_batch batch;
        bool bad = false;
        if (sink_count() == 0) {
            road_turn(&road);
            continue;
        }
        batch = sink_take(0);
        for (uint32_t i = 0; i < batch.count; i++)
            bad |= batch.rows[i] == 1;
        if (road_letters(&road) > 0 && !failed_once)
            failed_once = bad = true; /* the sink is away for a moment, once */
        sink_answer(&batch, bad ? TR_RETRY : TR_OK, NULL, 0);
    }
    assert_int_equal(road_letters(&road), 1);
    road_fini(&road);
}

static void a_wish_to_come_back_later_is_not_a_fault(void **state)
{
    struct road road;

    (void)state;
    road_init(&road);
    road.setup.options.max_attempts = 2;
    road_start(&road);
    road_give(&road, 1, 1);
    for (int i = 0; i < 10; i++) {
        struct sink_batch batch = road_next(&road);
        sink_answer(&batch, TR_RETRY, NULL, 1);
    }
    road_answer(&road, TR_OK);
    WAIT(&road, road_position(&road) == 1);
    assert_int_equal(road_letters(&road), 0);
    road_fini(&road);
}

/* A 429 says nothing of the change, not even of one that others have brought under suspicion.
 */
static void a_wish_does_not_condemn_a_suspect(void **state)
{
    struct road road;

    (void)state;
    road_init(&road);
    road.setup.options.max_attempts = 2;
    road.setup.options.batch_size = 2;
    road_start(&road);
    road_give(&road, 1, 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(road_answer(&road, TR_RETRY).count, 2);
    for (int i = 0; i < 5; i++) { /* the half */
        struct sink_batch batch = road_next(&road);
        assert_int_equal(batch.count, 1);
        assert_int_equal(batch.rows[0], 1);
        sink_answer(&batch, TR_RETRY, NULL, 1);
    }
    for (int64_t row = 1; row <= 2; row++)
        assert_int_equal(road_answer(&road, TR_OK).rows[0], row);
    WAIT(&road, road_position(&road) == 2);
    assert_int_equal(road_letters(&road), 0);
    road_fini(&road);
}

static void items_are_judged_each_by_itself(void **state)
{
    static const int32_t items[] = {TR_OK, TR_RETRY, TR_REJECT, TR_OK};
    struct sink_batch batch;
    struct road road;

    (void)state;
    road_init(&road);
    road.setup.options.batch_size = 4;
    road_start(&road);
    road_give(&road, 1, 5);
    batch = road_next(&road);
    sink_answer(&batch, TR_RETRY, items, 0);
    WAIT(&road, road_letters(&road) == 1);
    batch = road_answer(&road, TR_OK);
    assert_int_equal(batch.count, 2);
    assert_int_equal(batch.rows[0], 2);
    assert_int_equal(batch.rows[1], 5);
    WAIT(&road, road_position(&road) == 5);
    assert_int_equal(binding_get_stats(road.binding)->ok, 4);
    assert_counted(road.binding);
    road_fini(&road);
}

struct reasons {
    char of[3][64]; /* by the number of the document                                        */
    uint32_t count;
};

static bool take_reason(void *context, const struct store_dead_letter *letter)
{
    struct reasons *reasons = context;
    int number = letter->doc_id.ptr[1] - '0';

    assert_in_range(number, 0, 2);
    snprintf(reasons->of[number], sizeof(reasons->of[number]), STR_FMT, STR_ARG(letter->error));
    reasons->count++;
    return true;
}

static void each_dead_letter_has_its_own_reason(void **state)
{
    static const struct row rows[] = {
        {.ordinal = 1, .id = "d0"}, {.ordinal = 2, .id = "d1"}, {.ordinal = 3, .id = "d2"}};
    static const int32_t items[] = {TR_REJECT, TR_REJECT, TR_REJECT};
    const tr_str messages[] = {STR("no title"), {NULL, 0}, STR("no date")};
    tr_outcome outcome = {.size = sizeof(outcome),
                          .status = TR_REJECT,
                          .items = items,
                          .items_count = 3,
                          .messages = messages,
                          .message = STR("bad")};
    struct reasons reasons = {.count = 0};
    struct sink_batch batch;
    struct road road;

    (void)state;
    road_init(&road);
    road.setup.options.batch_size = 3;
    road_start(&road);
    road_take(&road, road.cursor, 0, rows, 3);
    batch = road_next(&road);
    assert_int_equal(batch.host->complete(batch.host, batch.ticket, &outcome), TR_OK);
    WAIT(&road, road_letters(&road) == 3);
    assert_int_equal(store_dead_letter_each(road.place.store, &(struct store_filter){0},
                                            take_reason, &reasons, NULL),
                     0);
    assert_int_equal(reasons.count, 3);
    assert_string_equal(reasons.of[0], "no title");
    assert_string_equal(reasons.of[1], "bad");
    assert_string_equal(reasons.of[2], "no date");
    assert_counted(road.binding);
    road_fini(&road);
}

/* What the sink has at the end must be the newer one. */
static void an_older_change_of_a_document_never_comes_last(void **state)
{
    static const struct row rows[] = {{.ordinal = 1, .id = "x"}, {.ordinal = 2, .id = "x"}};
    static const int32_t items[] = {TR_RETRY, TR_OK};
    struct sink_batch batch;
    struct road road;

    (void)state;
    road_init(&road);
    road.setup.options.batch_size = 2;
    road_start(&road);
    road_take(&road, road.cursor, 0, rows, 2);
    batch = road_next(&road);
    assert_int_equal(batch.count, 2);
    sink_answer(&batch, TR_RETRY, items, 0);
    do
        batch = road_answer(&road, TR_OK);
    while (!binding_is_idle(road.binding) && batch.rows[batch.count - 1] != 2);
    assert_int_equal(batch.rows[batch.count - 1], 2);
    WAIT(&road, road_position(&road) == 2);
    assert_counted(road.binding);
    road_fini(&road);
}

static void a_reject_stops_the_rule_that_says_so(void **state)
{
    struct road road;

    (void)state;
    road_init(&road);
    road.setup.options.on_reject = ON_REJECT_STOP;
    road_start(&road);
    road_give(&road, 1, 3);
    road_answer(&road, TR_OK);
    road_answer(&road, TR_REJECT);
    WAIT(&road, road.held);
    assert_non_null(binding_held(road.binding));
    assert_false(binding_has_room(road.binding));
    road_drain(&road);
    assert_int_equal(road_position(&road), 1);
    assert_int_equal(road_letters(&road), 0);
    assert_int_equal(sink_count(), 0);
    assert_counted(road.binding);
    road_fini(&road);
}

static void a_reject_is_skipped_where_the_rule_says_so(void **state)
{
    struct road road;

    (void)state;
    road_init(&road);
    road.setup.options.on_reject = ON_REJECT_SKIP;
    road_start(&road);
    road_give(&road, 1, 2);
    road_answer(&road, TR_REJECT);
    road_answer(&road, TR_OK);
    WAIT(&road, road_position(&road) == 2);
    assert_int_equal(road_letters(&road), 0);
    assert_int_equal(binding_get_stats(road.binding)->skipped, 1);
    assert_counted(road.binding);
    road_fini(&road);
}

static void a_dead_letter_is_durable_before_the_position_passes(void **state)
{
    struct road road;

    (void)state;
    road_init(&road);
    road_start(&road);
    road_give(&road, 1, 20);
    for (int i = 0; i < 20; i++) {
        road_answer(&road, TR_REJECT);
        for (int turn = 0; turn < 3; turn++) {
            int64_t at = road_position(&road);
            assert_true(at <= road_letters(&road));
            assert_counted(road.binding);
            road_turn(&road);
        }
    }
    WAIT(&road, road_position(&road) == 20);
    assert_int_equal(road_letters(&road), 20);
    road_fini(&road);
}

static void full_dead_letters_hold_the_rule(void **state)
{
    static const struct store_limits limits = {.count = 2};
    struct road road;

    (void)state;
    road_init(&road);
    store_set_limits(road.place.store, &limits);
    road_start(&road);
    road_give(&road, 1, 5);
    for (int i = 0; i < 3; i++)
        road_answer(&road, TR_REJECT);
    WAIT(&road, road.held);
    assert_counted(road.binding); /* the one without room is not dead: it waits */
    road_answer(&road, TR_OK);    /* what was on its way meanwhile */
    road_drain(&road);
    assert_int_equal(road_letters(&road), 2);
    /* None after a stop that drained: what was settled before is not read again. */
    assert_int_equal(road_position(&road), 2);
    road_fini(&road);
}

/* A commit that came behind the letter that found no room fails with it. */
static void a_position_that_failed_with_a_full_letter_is_written_again(void **state)
{
    static const struct store_limits limits = {.count = 1};
    static const int32_t items[] = {TR_OK, TR_REJECT, TR_REJECT};
    struct sink_batch batch;
    struct road road;

    (void)state;
    road_init(&road);
    road.setup.options.batch_size = 3;
    road.setup.options.commit_ms = 3600000;
    road.setup.options.commit_rows = 1; /* right behind the letters */
    store_set_limits(road.place.store, &limits);
    road_start(&road);
    road_give(&road, 1, 3);
    batch = road_next(&road);
    sink_answer(&batch, TR_RETRY, items, 0);
    WAIT(&road, road.held);
    road_drain(&road);
    assert_int_equal(road_position(&road), 1);
    road_fini(&road);
}

static void rows_that_are_cut_become_dead_letters(void **state)
{
    static const struct row rows[] = {{.ordinal = 1, .id = "a"}, {.ordinal = 2, .id = "b"}};
    struct segment *segment;
    struct road road;

    (void)state;
    road_init(&road);
    road_start(&road);
    segment = make_segment(0, rows, 2);
    segment->rows[0].flags |= FEED_ROW_CUT;
    cursor_take(road.cursor, segment);
    segment_unref(segment);
    assert_int_equal(road_answer(&road, TR_OK).rows[0], 2);
    WAIT(&road, road_position(&road) == 2);
    assert_int_equal(road_letters(&road), 1);
    assert_counted(road.binding);
    road_fini(&road);
}

static void fatal_holds_and_keeps_the_position(void **state)
{
    struct road road;

    (void)state;
    road_init(&road);
    road_start(&road);
    road_give(&road, 1, 3);
    road_answer(&road, TR_OK);
    road_answer(&road, TR_FATAL);
    WAIT(&road, road.held);
    road_turns(&road, 5);
    assert_int_equal(sink_count(), 0);
    road_drain(&road);
    assert_int_equal(road_position(&road), 1);
    assert_int_equal(road.held, 1);
    road_fini(&road);
}

/* One document fails for ever; the others of its lane wait, those of other lanes do not. */
static void a_retry_holds_up_its_lane_only(void **state)
{
    struct road road;
    uint64_t seen = 0;

    (void)state;
    road_init(&road);
    road.setup.options.concurrency = 4;
    road_start(&road);
    road_give(&road, 1, 100);
    while (binding_get_stats(road.binding)->ok < 50) { /* of 75 expected in other lanes */
        struct sink_batch batch = road_next(&road);
        sink_answer(&batch, batch.rows[0] == 1 ? TR_RETRY : TR_OK, NULL, 0);
        if (++seen > 100000)
            fail_msg("the other lanes do not go on");
        road_turn(&road);
        if (sink_count() == 0 && binding_get_stats(road.binding)->ok > 40)
            break;
    }
    assert_true(road_position(&road) <= 0);
    while (!binding_is_idle(road.binding)) {
        if (sink_count() > 0) {
            struct sink_batch batch = sink_take(0);
            sink_answer(&batch, TR_OK, NULL, 0);
        }
        road_turn(&road);
    }
    WAIT(&road, road_position(&road) == 100);
    road_fini(&road);
}

/* The stream that brings rows all the time must not lose its turn each time that it does. */
static void a_busy_stream_has_its_turn(void **state)
{
    struct stream_name names[3];
    struct cursor *cursors[3];
    struct road road;
    char keys[3][20];
    uint32_t turns_of_first = 0;
    int64_t next[3] = {1, 1, 1};

    (void)state;
    road_init(&road);
    road_start(&road);
    for (int s = 0; s < 3; s++) {
        snprintf(keys[s], sizeof(keys[s]), "m/%d@1", s);
        names[s] = road_stream;
        names[s].key = str_c(keys[s]);
        cursors[s] = cursor_new(road.binding, &names[s], STR("0"), 0);
        for (int i = 0; i < 40; i++, next[s]++)
            road_take(&road, cursors[s], next[s] - 1,
                      &(struct row){.ordinal = next[s], .id = "x"}, 1);
    }
    for (int i = 0; i < 60; i++) {
        struct sink_batch batch = road_next(&road);
        turns_of_first += strcmp(batch.stream, keys[0]) == 0;
        road_take(&road, cursors[0], next[0] - 1, &(struct row){.ordinal = next[0], .id = "x"},
                  1);
        next[0]++;
        sink_answer(&batch, TR_OK, NULL, 0);
    }
    assert_true(turns_of_first >= 15);
    road_fini(&road);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ok_is_committed),
        cmocka_unit_test(a_retry_keeps_its_place_and_the_position),
        cmocka_unit_test(bisection_finds_the_poison_and_it_alone),
        cmocka_unit_test(max_attempts_ends_a_change_that_always_fails),
        cmocka_unit_test(one_failure_alone_is_not_poison),
        cmocka_unit_test(a_wish_to_come_back_later_is_not_a_fault),
        cmocka_unit_test(a_wish_does_not_condemn_a_suspect),
        cmocka_unit_test(items_are_judged_each_by_itself),
        cmocka_unit_test(each_dead_letter_has_its_own_reason),
        cmocka_unit_test(an_older_change_of_a_document_never_comes_last),
        cmocka_unit_test(a_reject_stops_the_rule_that_says_so),
        cmocka_unit_test(a_reject_is_skipped_where_the_rule_says_so),
        cmocka_unit_test(a_dead_letter_is_durable_before_the_position_passes),
        cmocka_unit_test(full_dead_letters_hold_the_rule),
        cmocka_unit_test(a_position_that_failed_with_a_full_letter_is_written_again),
        cmocka_unit_test(rows_that_are_cut_become_dead_letters),
        cmocka_unit_test(fatal_holds_and_keeps_the_position),
        cmocka_unit_test(a_retry_holds_up_its_lane_only),
        cmocka_unit_test(a_busy_stream_has_its_turn),
    };

    cmocka_set_test_filter(getenv("TEST_FILTER"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
