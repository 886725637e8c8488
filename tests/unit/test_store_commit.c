/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commits: together or not at all, in order, in groups, up to the bound.
 */
#include "test_store_lib.h"

#include <sqlite3.h>

#define BINDING STR("calc-stats")
#define STREAM  STR("main/blog@1")

static int64_t letters_of(struct place *place, tr_str binding)
{
    int64_t count = -1, bytes = -1;

    assert_int_equal(store_dead_letter_count(place->store, binding, &count, &bytes, NULL), 0);
    return count;
}

static void a_commit_is_seen_whole_after_its_callback(void **state)
{
    struct waited waited = {
        .ops = {op_dead_letter(STR("doc"), STR("{}")), op_checkpoint(STREAM, STR("5"), 5)}};
    struct place place;

    (void)state;
    place_init(&place);
    place_start(&place);
    waited_submit(&place, &waited, BINDING, 2);
    assert_int_equal(waited_wait(&place, &waited), STORE_DONE);
    assert_int_equal(ordinal_of(place.store, BINDING, STREAM), 5);
    assert_int_equal(letters_of(&place, BINDING), 1);
    assert_true(waited.ops[0].dead_letter.id > 0);
    place_fini(&place);
}

/* Another connection holds the write lock while many commits queue up: they cannot but come
 * together when it lets go, and the first of them was alone at most. */
static void what_is_queued_commits_as_one_group(void **state)
{
    enum { COUNT = 200 };
    struct waited *waited = mem_new_array(struct waited, COUNT);
    struct store_health health;
    struct place place;
    char path[128];
    sqlite3 *other;

    (void)state;
    place_init(&place);
    place_start(&place);
    place_path(&place, "tailrace.db", path);
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    for (int i = 0; i < COUNT; i++) {
        waited[i].ops[0] = op_checkpoint(STREAM, STR("1"), i + 1);
        waited_submit(&place, &waited[i], BINDING, 1);
    }
    sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close(other);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(waited_wait(&place, &waited[i]), STORE_DONE);
    store_health(place.store, &health);
    assert_int_equal(health.commits, COUNT);
    assert_true(health.groups <= 2);
    assert_int_equal(ordinal_of(place.store, BINDING, STREAM), COUNT);
    place_fini(&place);
    free(waited);
}

struct ordered {
    struct waited waited;
    int *next, number;
};

static void ordered_done(struct store_commit *commit)
{
    struct waited *waited = list_entry(commit, struct waited, commit);
    struct ordered *ordered = list_entry(waited, struct ordered, waited);

    assert_int_equal(ordered->number, *ordered->next);
    ++*ordered->next;
}

static void callbacks_come_in_the_order_of_submission(void **state)
{
    enum { COUNT = 300 };
    struct ordered *all = mem_new_array(struct ordered, COUNT);
    struct place place;
    int next = 0;

    (void)state;
    place_init(&place);
    place_start(&place);
    for (int i = 0; i < COUNT; i++) {
        all[i] = (struct ordered){.next = &next, .number = i};
        all[i].waited.ops[0] = op_checkpoint(STREAM, STR("1"), i + 1);
        all[i].waited.commit = (struct store_commit){.binding = i % 2 ? STR("a") : STR("b"),
                                                     .ops = all[i].waited.ops,
                                                     .ops_count = 1,
                                                     .done = ordered_done};
        store_commit_submit(place.store, &all[i].waited.commit);
        loop_turn(place.loop, 0);
    }
    while (next < COUNT)
        loop_turn(place.loop, 1000);
    place_fini(&place);
    free(all);
}

static void closing_commits_what_is_queued_and_calls_back(void **state)
{
    struct waited waited[20];
    struct place place;

    (void)state;
    place_init(&place);
    place_start(&place);
    for (int i = 0; i < 20; i++) {
        waited[i].ops[0] = op_checkpoint(STREAM, STR("1"), i + 1);
        waited_submit(&place, &waited[i], BINDING, 1);
    }
    place_close(&place);
    for (int i = 0; i < 20; i++) {
        assert_true(waited[i].called);
        assert_int_equal(waited[i].commit.status, STORE_DONE);
    }
    loop_turn(place.loop, 0); /* nothing of the store is left in the loop */
    place_open(&place);
    assert_int_equal(ordinal_of(place.store, BINDING, STREAM), 20);
    place_fini(&place);
}

/* ---- the bound of dead letters ---- */

static void a_commit_over_the_bound_writes_nothing(void **state)
{
    struct store_limits limits = {.count = 2};
    struct waited waited = {
        .ops = {op_checkpoint(STREAM, STR("9"), 9), op_dead_letter(STR("c"), STR("{}"))}};
    struct place place;

    (void)state;
    place_init(&place);
    place_open(&place);
    store_set_limits(place.store, &limits);
    assert_int_equal(store_start(place.store, place.loop, NULL), 0);
    add_letter(&place, BINDING, STR("a"));
    add_letter(&place, BINDING, STR("b"));
    waited_submit(&place, &waited, BINDING, 2);
    assert_int_equal(waited_wait(&place, &waited), STORE_FULL);
    assert_int_equal(ordinal_of(place.store, BINDING, STREAM), -1);
    assert_int_equal(letters_of(&place, BINDING), 2);
    add_letter(&place, STR("other"), STR("a")); /* has a bound of its own */
    place_fini(&place);
}

static void the_bound_counts_bytes_too(void **state)
{
    struct store_limits limits = {.bytes = 1000};
    char row[600] = {0};
    struct waited waited = {.ops = {op_dead_letter(STR("a"), str_n(row, sizeof(row)))}};
    struct place place;

    (void)state;
    place_init(&place);
    place_open(&place);
    store_set_limits(place.store, &limits);
    assert_int_equal(store_start(place.store, place.loop, NULL), 0);
    waited_submit(&place, &waited, BINDING, 1);
    assert_int_equal(waited_wait(&place, &waited), STORE_DONE);
    waited_submit(&place, &waited, BINDING, 1);
    assert_int_equal(waited_wait(&place, &waited), STORE_FULL);
    place_fini(&place);
}

/* The checkpoint of the second commit covers the row whose dead letter the first could not
 * keep. */
static void a_later_checkpoint_never_passes_a_letter_without_room(void **state)
{
    struct store_limits limits = {.count = 1};
    struct waited first = {.ops = {op_dead_letter(STR("lost?"), STR("{}"))}, .called = false};
    struct waited second = {.ops = {op_checkpoint(STREAM, STR("9"), 9)}};
    struct waited third = {.ops = {op_checkpoint(STREAM, STR("9"), 9)}};
    struct place place;

    (void)state;
    place_init(&place);
    place_open(&place);
    store_set_limits(place.store, &limits);
    assert_int_equal(store_start(place.store, place.loop, NULL), 0);
    add_letter(&place, BINDING, STR("a"));
    waited_submit(&place, &first, BINDING, 1);
    waited_submit(&place, &second, BINDING, 1);
    waited_submit(&place, &third, STR("other"), 1);
    assert_int_equal(waited_wait(&place, &first), STORE_FULL);
    assert_int_equal(waited_wait(&place, &second), STORE_FULL);
    assert_int_equal(waited_wait(&place, &third), STORE_DONE);
    assert_int_equal(ordinal_of(place.store, BINDING, STREAM), -1);
    place_fini(&place);
}

static void a_binding_goes_on_once_all_its_commits_came_back(void **state)
{
    struct store_limits limits = {.count = 1};
    struct store_filter all = {0};
    struct waited waited = {.ops = {op_dead_letter(STR("b"), STR("{}"))}};
    struct place place;
    int64_t purged;

    (void)state;
    place_init(&place);
    place_open(&place);
    store_set_limits(place.store, &limits);
    assert_int_equal(store_start(place.store, place.loop, NULL), 0);
    add_letter(&place, BINDING, STR("a"));
    waited_submit(&place, &waited, BINDING, 1);
    assert_int_equal(waited_wait(&place, &waited), STORE_FULL);
    assert_int_equal(store_dead_letter_purge(place.store, &all, &purged, NULL), 0);
    assert_int_equal(purged, 1);
    waited_submit(&place, &waited, BINDING, 1);
    assert_int_equal(waited_wait(&place, &waited), STORE_DONE);
    place_fini(&place);
}

/* ---- what others write ---- */

static bool look_until_changed(struct store *store, int times)
{
    while (times-- > 0) {
        if (store_changed(store))
            return true;
        usleep(1000);
    }
    return false;
}

static void what_another_process_wrote_is_noticed_once(void **state)
{
    struct store_filter all = {0};
    struct store *beside = NULL;
    struct place place;
    int64_t marked = 0;

    (void)state;
    place_init(&place);
    place_start(&place);
    add_letter(&place, BINDING, STR("a"));
    assert_false(look_until_changed(place.store, 50)); /* its own commits do not count */
    assert_int_equal(store_open(place.dir, STORE_BESIDE, &beside, NULL), 0);
    assert_int_equal(store_dead_letter_mark(beside, &all, &marked, NULL), 0);
    assert_int_equal(marked, 1);
    assert_true(look_until_changed(place.store, 20000));
    assert_false(look_until_changed(place.store, 50));
    store_close(beside);
    place_fini(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_commit_is_seen_whole_after_its_callback),
        cmocka_unit_test(what_is_queued_commits_as_one_group),
        cmocka_unit_test(callbacks_come_in_the_order_of_submission),
        cmocka_unit_test(closing_commits_what_is_queued_and_calls_back),
        cmocka_unit_test(a_commit_over_the_bound_writes_nothing),
        cmocka_unit_test(the_bound_counts_bytes_too),
        cmocka_unit_test(a_later_checkpoint_never_passes_a_letter_without_room),
        cmocka_unit_test(a_binding_goes_on_once_all_its_commits_came_back),
        cmocka_unit_test(what_another_process_wrote_is_noticed_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
