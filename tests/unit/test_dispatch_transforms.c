/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A rule with a transform: what it settles is settled, and of what the sink refuses as a whole
 * the one change is still found. The transform goes by the document's id: "skip…", "bad…".
 */
#include "test_dispatch_lib.h"

static tr_status by_id(tr_self *self, const tr_batch *batch, const tr_change *change,
                       tr_doc *doc, tr_error *error)
{
    (void)self, (void)batch, (void)doc;
    if (str_starts(change->id, STR("skip")))
        return TR_SKIP;
    if (!str_starts(change->id, STR("bad")))
        return TR_OK;
    snprintf(error->buf, error->cap, "it is bad");
    return TR_REJECT;
}

static const struct plugin transform_plugin = {
    .descriptor = {.size = sizeof(tr_plugin),
                   .name = "by-id",
                   .version = "1",
                   .open = sink_open,
                   .close = sink_close,
                   .transform = by_id},
};

static const struct transform_setup transforms[] = {{.plugin = &transform_plugin}};

static void begin(struct road *road, uint32_t batch_size)
{
    road_init(road);
    road->setup.instance.transforms = transforms;
    road->setup.instance.transforms_count = 1;
    road->setup.options.batch_size = batch_size;
    road_start(road);
}

static void what_is_left_out_counts_as_filtered(void **state)
{
    const struct row rows[] = {{.ordinal = 1, .id = "a"},
                               {.ordinal = 2, .id = "skip1"},
                               {.ordinal = 3, .id = "b"},
                               {.ordinal = 4, .id = "skip2"}};
    struct sink_batch batch;
    struct road road;

    (void)state;
    begin(&road, 8);
    road_take(&road, road.cursor, 0, rows, 4);
    batch = road_answer(&road, TR_OK);
    assert_int_equal(batch.count, 2);
    assert_int_equal(batch.rows[0], 1);
    assert_int_equal(batch.rows[1], 3);
    WAIT(&road, road_position(&road) == 4);
    assert_int_equal(binding_get_stats(road.binding)->filtered, 2);
    assert_int_equal(binding_get_stats(road.binding)->ok, 2);
    assert_counted(road.binding);
    road_fini(&road);
}

static void what_is_refused_is_a_dead_letter_without_the_sink(void **state)
{
    const struct row rows[] = {{.ordinal = 1, .id = "bad"}, {.ordinal = 2, .id = "skip"}};
    struct road road;

    (void)state;
    begin(&road, 8);
    road_take(&road, road.cursor, 0, rows, 2);
    WAIT(&road, road_position(&road) == 2);
    assert_int_equal(road_letters(&road), 1);
    assert_int_equal(sink.seen, 0);
    assert_counted(road.binding);
    road_fini(&road);
}

static void a_refusal_of_all_is_bisected_among_those_that_were_sent(void **state)
{
    struct row rows[16];
    char ids[16][8];
    struct road road;

    (void)state;
    begin(&road, 8);
    for (int i = 0; i < 16; i++) {
        snprintf(ids[i], sizeof(ids[i]), i % 3 == 0 ? "skip%d" : "d%d", i);
        rows[i] = (struct row){.ordinal = i + 1, .id = ids[i]};
    }
    road_take(&road, road.cursor, 0, rows, 16);
    while (!binding_is_idle(road.binding)) {
        struct sink_batch batch;
        bool bad = false;
        if (sink_count() == 0) {
            road_turn(&road);
            continue;
        }
        batch = sink_take(0);
        for (uint32_t i = 0; i < batch.count; i++)
            bad |= batch.rows[i] == 6;
        sink_answer(&batch, bad ? TR_REJECT : TR_OK, NULL, 0);
    }
    WAIT(&road, road_position(&road) == 16);
    assert_int_equal(road_letters(&road), 1);
    assert_int_equal(binding_get_stats(road.binding)->dead, 1);
    assert_int_equal(binding_get_stats(road.binding)->filtered, 6);
    assert_int_equal(binding_get_stats(road.binding)->ok, 9);
    assert_counted(road.binding);
    road_fini(&road);
}

static void a_retry_of_all_settles_what_was_left_out(void **state)
{
    const struct row rows[] = {{.ordinal = 1, .id = "a"},
                               {.ordinal = 2, .id = "skip"},
                               {.ordinal = 3, .id = "a"},
                               {.ordinal = 4, .id = "b"}};
    struct sink_batch batch;
    struct road road;

    (void)state;
    begin(&road, 8);
    road_take(&road, road.cursor, 0, rows, 4);
    batch = road_answer(&road, TR_RETRY);
    assert_int_equal(batch.count, 3);
    batch = road_answer(&road, TR_OK);
    assert_int_equal(batch.count, 3);
    assert_int_equal(batch.attempts[0], 2);
    WAIT(&road, road_position(&road) == 4);
    assert_int_equal(binding_get_stats(road.binding)->filtered, 1);
    assert_counted(road.binding);
    road_fini(&road);
}

static void when_all_are_refused_each_is_by_itself(void **state)
{
    const struct row rows[] = {{.ordinal = 1, .id = "a"},
                               {.ordinal = 2, .id = "b"},
                               {.ordinal = 3, .id = "skip"},
                               {.ordinal = 4, .id = "c"}};
    struct road road;

    (void)state;
    begin(&road, 4);
    road_take(&road, road.cursor, 0, rows, 4);
    while (!binding_is_idle(road.binding)) {
        if (sink_count() > 0)
            road_answer(&road, TR_REJECT);
        else
            road_turn(&road);
    }
    WAIT(&road, road_position(&road) == 4);
    assert_int_equal(road_letters(&road), 3);
    assert_counted(road.binding);
    road_fini(&road);
}

static void poison_is_found_by_attempts_too(void **state)
{
    const struct row rows[] = {{.ordinal = 1, .id = "a"},
                               {.ordinal = 2, .id = "skip"},
                               {.ordinal = 3, .id = "b"},
                               {.ordinal = 4, .id = "c"}};
    struct road road;

    (void)state;
    road_init(&road);
    road.setup.instance.transforms = transforms;
    road.setup.instance.transforms_count = 1;
    road.setup.options.batch_size = 4;
    road.setup.options.max_attempts = 2;
    road_start(&road);
    road_take(&road, road.cursor, 0, rows, 4);
    while (!binding_is_idle(road.binding)) {
        struct sink_batch batch;
        bool bad = false;
        if (sink_count() == 0) {
            road_turn(&road);
            continue;
        }
        batch = sink_take(0);
        for (uint32_t i = 0; i < batch.count; i++)
            bad |= batch.rows[i] == 3;
        sink_answer(&batch, bad ? TR_RETRY : TR_OK, NULL, 0);
    }
    WAIT(&road, road_position(&road) == 4);
    assert_int_equal(road_letters(&road), 1);
    assert_int_equal(binding_get_stats(road.binding)->ok, 2);
    assert_counted(road.binding);
    road_fini(&road);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_left_out_counts_as_filtered),
        cmocka_unit_test(what_is_refused_is_a_dead_letter_without_the_sink),
        cmocka_unit_test(a_refusal_of_all_is_bisected_among_those_that_were_sent),
        cmocka_unit_test(a_retry_of_all_settles_what_was_left_out),
        cmocka_unit_test(when_all_are_refused_each_is_by_itself),
        cmocka_unit_test(poison_is_found_by_attempts_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
