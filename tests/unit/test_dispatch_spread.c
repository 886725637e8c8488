/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which lane a change goes to: neighbours side by side, and the changes of a document behind
 * each other, however many documents are pending.
 */
#include "test_dispatch_lib.h"

/* But for those whose document shares a place with another's, by its hash. */
static void neighbours_share_a_batch(void **state)
{
    struct sink_batch batches[2];
    struct road road;
    int side_by_side = 0;

    (void)state;
    road_init(&road);
    road.setup.options.batch_size = 40;
    road.setup.options.concurrency = 2;
    road_start(&road);
    road_give(&road, 1, 40);
    for (int i = 0; i < 2; i++) {
        batches[i] = road_next(&road);
        for (uint32_t k = 1; k < batches[i].count; k++)
            side_by_side += batches[i].rows[k] == batches[i].rows[k - 1] + 1;
    }
    assert_int_equal(batches[0].count + batches[1].count, 40);
    assert_true(batches[0].count >= 10 && batches[1].count >= 10);
    assert_true(side_by_side >= 26);
    for (int i = 0; i < 2; i++)
        sink_answer(&batches[i], TR_OK, NULL, 0);
    road_drain(&road);
    road_fini(&road);
}

/* More than there are places for at first. */
static void a_document_keeps_its_order_while_more_and_more_are_pending(void **state)
{
    enum { DOCUMENTS = 150, ROWS = 900, PORTION = 180 };
    int64_t last[DOCUMENTS] = {0};
    char ids[PORTION][16];
    struct row rows[PORTION];
    struct road road;
    uint32_t seen = 0;

    (void)state;
    road_init(&road);
    road.setup.options.batch_size = 7;
    road.setup.options.concurrency = 3;
    road_start(&road);
    for (int64_t from = 1; from <= ROWS; from += PORTION) {
        for (int64_t i = 0; i < PORTION; i++) {
            (void)snprintf(ids[i], sizeof(ids[i]), "d%jd", (intmax_t)((from + i) % DOCUMENTS));
            rows[i] = (struct row){.ordinal = from + i, .id = ids[i]};
        }
        road_take(&road, road.cursor, from - 1, rows, PORTION);
    }
    while (seen < ROWS) {
        struct sink_batch batch = road_next(&road);
        for (uint32_t i = 0; i < batch.count; i++, seen++) {
            int document = (int)(batch.rows[i] % DOCUMENTS);
            assert_true(batch.rows[i] > last[document]);
            last[document] = batch.rows[i];
        }
        sink_answer(&batch, TR_OK, NULL, 0);
        road_turns(&road, 1);
    }
    assert_true(road.binding->places_count > 1024);
    road_drain(&road);
    road_fini(&road);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(neighbours_share_a_batch),
        cmocka_unit_test(a_document_keeps_its_order_while_more_and_more_are_pending),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
