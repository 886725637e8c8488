/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dead letters: kept whole, listed, counted, marked, sent again, purged.
 */
#include "test_store_lib.h"

#define A STR("rule-a")
#define B STR("rule-b")

struct seen {
    int64_t ids[64];
    int count, stop_after;
    size_t row_bytes;
};

static bool see(void *context, const struct store_dead_letter *letter)
{
    struct seen *seen = context;

    seen->ids[seen->count++] = letter->id;
    seen->row_bytes += letter->row.len;
    return seen->count != seen->stop_after;
}

static struct seen list(struct place *place, struct store_filter filter)
{
    struct seen seen = {0};

    assert_int_equal(store_dead_letter_each(place->store, &filter, see, &seen, NULL), 0);
    return seen;
}

static int64_t count_of(struct place *place, tr_str binding)
{
    int64_t count = -1, bytes = -1;

    assert_int_equal(store_dead_letter_count(place->store, binding, &count, &bytes, NULL), 0);
    assert_int_equal(count == 0, bytes == 0);
    return count;
}

static int64_t mark(struct place *place, struct store_filter filter)
{
    int64_t marked = -1;

    assert_int_equal(store_dead_letter_mark(place->store, &filter, &marked, NULL), 0);
    return marked;
}

static int64_t purge(struct place *place, struct store_filter filter)
{
    int64_t purged = -1;

    assert_int_equal(store_dead_letter_purge(place->store, &filter, &purged, NULL), 0);
    return purged;
}

/* Six letters, ids 1 to 6: A B A B A B. */
static void place_with_letters(struct place *place)
{
    place_init(place);
    place_start(place);
    for (int i = 0; i < 6; i++)
        assert_int_equal(add_letter(place, i % 2 ? B : A, STR("doc")), i + 1);
}

static struct store_dead_letter get(struct place *place, int64_t id, struct arena *arena)
{
    struct store_dead_letter letter = {0};
    bool found = false;

    assert_int_equal(store_dead_letter_get(place->store, id, arena, &letter, &found, NULL), 0);
    assert_int_equal(letter.id, found ? id : 0);
    return letter;
}

static void a_letter_comes_back_byte_for_byte(void **state)
{
    tr_str row = str_n("{\"id\":\"\0\xff\"}", 11), doc_id = str_n("nul\0inside", 10);
    struct waited waited = {.ops = {op_dead_letter(doc_id, row)}};
    struct store_dead_letter got;
    struct place place;
    struct arena arena;

    (void)state;
    arena_init(&arena, 1024);
    place_init(&place);
    place_start(&place);
    waited.ops[0].dead_letter.row_cut = true;
    waited_submit(&place, &waited, A, 1);
    assert_int_equal(waited_wait(&place, &waited), STORE_DONE);
    got = get(&place, waited.ops[0].dead_letter.id, &arena);
    assert_true(str_eq(got.binding, A));
    assert_true(str_eq(got.stream, STR("main/blog@1")));
    assert_true(str_eq(got.source, STR("main")));
    assert_true(str_eq(got.db, STR("blog")));
    assert_true(str_eq(got.doc_id, doc_id));
    assert_true(str_eq(got.revs, STR("[{\"rev\":\"1-a\"}]")));
    assert_true(str_eq(got.seq, STR("\"1-x\"")));
    assert_true(str_eq(got.error, STR("400 Bad Request")));
    assert_true(str_eq(got.row, row));
    assert_int_equal(got.row_size, 11);
    assert_true(got.row_cut);
    assert_false(got.replay);
    assert_int_equal(got.attempts, 3);
    assert_int_equal(got.first_ms, 100);
    assert_int_equal(got.last_ms, 200);
    assert_int_equal(get(&place, 999, &arena).id, 0);
    place_fini(&place);
    arena_fini(&arena);
}

static void listing_filters(void **state)
{
    struct place place;
    struct seen seen;

    (void)state;
    place_with_letters(&place);
    assert_int_equal(list(&place, (struct store_filter){0}).count, 6);
    seen = list(&place, (struct store_filter){.binding = B});
    assert_int_equal(seen.count, 3);
    assert_int_equal(seen.ids[0], 2);
    assert_int_equal(seen.row_bytes, 0); /* a listing does not read the rows */
    seen = list(&place, (struct store_filter){.id_from = 3, .id_to = 4});
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.ids[0], 3);
    assert_int_equal(list(&place, (struct store_filter){.limit = 4}).count, 4);
    assert_int_equal(list(&place, (struct store_filter){.db = STR("blog")}).count, 6);
    assert_int_equal(list(&place, (struct store_filter){.db = STR("shop")}).count, 0);
    assert_int_equal(list(&place, (struct store_filter){.before_ms = 200}).count, 0);
    assert_int_equal(list(&place, (struct store_filter){.before_ms = 201}).count, 6);
    place_fini(&place);
}

static void listing_stops_when_told(void **state)
{
    struct seen seen = {.stop_after = 2};
    struct store_filter all = {0};
    struct place place;

    (void)state;
    place_with_letters(&place);
    assert_int_equal(store_dead_letter_each(place.store, &all, see, &seen, NULL), 0);
    assert_int_equal(seen.count, 2);
    place_fini(&place);
}

static void counts_follow_every_change(void **state)
{
    struct place place;

    (void)state;
    place_with_letters(&place);
    assert_int_equal(count_of(&place, A), 3);
    assert_int_equal(count_of(&place, STR("")), 6);
    assert_int_equal(count_of(&place, STR("none")), 0);
    assert_int_equal(purge(&place, (struct store_filter){.binding = A, .limit = 2}), 2);
    assert_int_equal(count_of(&place, A), 1);
    assert_int_equal(purge(&place, (struct store_filter){0}), 4);
    assert_int_equal(count_of(&place, STR("")), 0);
    place_fini(&place);
}

static void marked_letters_are_taken_in_pieces_with_their_rows(void **state)
{
    struct place place;
    struct seen seen;

    (void)state;
    place_with_letters(&place);
    assert_int_equal(mark(&place, (struct store_filter){.binding = A}), 3);
    assert_int_equal(mark(&place, (struct store_filter){.binding = A}), 0);
    seen = list(&place, (struct store_filter){.binding = A, .marked = true, .limit = 2});
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.ids[1], 3);
    assert_true(seen.row_bytes > 0);
    seen = list(&place,
                (struct store_filter){.binding = A, .marked = true, .limit = 2, .id_from = 4});
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.ids[0], 5);
    assert_int_equal(list(&place, (struct store_filter){.binding = B, .marked = true}).count,
                     0);
    place_fini(&place);
}

static void a_letter_sent_again_goes_away_with_its_mark(void **state)
{
    struct waited waited = {
        .ops = {{.kind = STORE_DELETE_DEAD_LETTER, .dead_letter = {.id = 3}}}};
    struct place place;
    struct arena arena;

    (void)state;
    arena_init(&arena, 1024);
    place_with_letters(&place);
    mark(&place, (struct store_filter){.binding = A});
    waited_submit(&place, &waited, A, 1);
    assert_int_equal(waited_wait(&place, &waited), STORE_DONE);
    assert_int_equal(get(&place, 3, &arena).id, 0);
    assert_int_equal(count_of(&place, A), 2);
    assert_int_equal(list(&place, (struct store_filter){.binding = A, .marked = true}).count,
                     2);
    place_fini(&place);
    arena_fini(&arena);
}

static void a_letter_that_failed_again_stays_without_its_mark(void **state)
{
    struct waited waited = {
        .ops = {{.kind = STORE_FAIL_DEAD_LETTER,
                 .dead_letter = {
                     .id = 3, .error = STR("410 Gone"), .attempts = 2, .last_ms = 900}}}};
    struct store_dead_letter got;
    struct place place;
    struct arena arena;

    (void)state;
    arena_init(&arena, 1024);
    place_with_letters(&place);
    mark(&place, (struct store_filter){.id_from = 3, .id_to = 3});
    assert_true(get(&place, 3, &arena).replay);
    waited_submit(&place, &waited, A, 1);
    assert_int_equal(waited_wait(&place, &waited), STORE_DONE);
    got = get(&place, 3, &arena);
    assert_false(got.replay);
    assert_true(str_eq(got.error, STR("410 Gone")));
    assert_int_equal(got.attempts, 5);
    assert_int_equal(got.first_ms, 100);
    assert_int_equal(got.last_ms, 900);
    assert_true(str_eq(got.row, STR("{\"id\":\"x\"}")));
    place_fini(&place);
    arena_fini(&arena);
}

static void purging_filters(void **state)
{
    struct place place;

    (void)state;
    place_with_letters(&place);
    assert_int_equal(purge(&place, (struct store_filter){.before_ms = 200}), 0);
    mark(&place, (struct store_filter){.id_from = 5, .id_to = 6});
    assert_int_equal(purge(&place, (struct store_filter){.binding = A, .marked = true}), 1);
    assert_int_equal(purge(&place, (struct store_filter){.id_to = 2}), 2);
    assert_int_equal(list(&place, (struct store_filter){0}).ids[0], 3);
    assert_int_equal(purge(&place, (struct store_filter){.before_ms = 201}), 3);
    place_fini(&place);
}

static void ids_are_never_used_again(void **state)
{
    struct place place;

    (void)state;
    place_with_letters(&place);
    purge(&place, (struct store_filter){0});
    place_close(&place);
    place_start(&place);
    assert_int_equal(add_letter(&place, A, STR("doc")), 7);
    place_fini(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_letter_comes_back_byte_for_byte),
        cmocka_unit_test(listing_filters),
        cmocka_unit_test(listing_stops_when_told),
        cmocka_unit_test(counts_follow_every_change),
        cmocka_unit_test(marked_letters_are_taken_in_pieces_with_their_rows),
        cmocka_unit_test(a_letter_sent_again_goes_away_with_its_mark),
        cmocka_unit_test(a_letter_that_failed_again_stays_without_its_mark),
        cmocka_unit_test(purging_filters),
        cmocka_unit_test(ids_are_never_used_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
