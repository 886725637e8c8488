/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What plugins keep, in the store: with its checkpoint or not at all, read by readers, dropped
 * with what it belongs to, swept away after, and told when it is damaged.
 */
#include "test_store_lib.h"

#include <sqlite3.h>

#define RULE STR("calc-stats")
#define BLOG STR("main/blog@1")
#define NEWS STR("main/news@1")

static struct store_op op_state(tr_str stream, struct store_state_entry *entries, size_t count)
{
    return (struct store_op){.kind = STORE_PUT_STATE,
                             .state = {.stream = stream,
                                       .source = STR("main"),
                                       .db = str_eq(stream, BLOG) ? STR("blog") : STR("news"),
                                       .entries = entries,
                                       .count = count}};
}

static struct store_state_entry entry(const char *key, const char *value)
{
    return (struct store_state_entry){
        .key = str_c(key), .value = str_c(value), .was = STORE_STATE_UNKNOWN};
}

static struct store_state put(struct place *place, tr_str stream,
                              struct store_state_entry *entries, size_t count)
{
    struct waited waited = {
        .ops = {op_state(stream, entries, count), op_checkpoint(stream, STR("5"), 5)}};

    waited_submit(place, &waited, RULE, 2);
    assert_int_equal(waited_wait(place, &waited), STORE_DONE);
    return waited.ops[0].state;
}

static void put_one(struct place *place, tr_str stream, const char *key, const char *value)
{
    struct store_state_entry it = entry(key, value);

    put(place, stream, &it, 1);
}

/* "entries/bytes" of each scope. */
static bool add_scope(void *context, const struct store_scope *scope)
{
    char *text = context;
    size_t len = strlen(text);

    snprintf(text + len, 256 - len, STR_FMT ":%jd/%jd ", STR_ARG(scope->db),
             (intmax_t)scope->entries, (intmax_t)scope->bytes);
    return true;
}

static const char *scopes(struct place *place)
{
    static char text[256];

    text[0] = '\0';
    assert_int_equal(store_scope_each(place->store, RULE, add_scope, text, NULL), 0);
    return text;
}

/* The value, or "-". */
static const char *value_of(struct place *place, tr_str stream, const char *key)
{
    static char text[64];
    struct store_reader *reader;
    struct store_scope scope;
    tr_str value = STR("-");
    bool found;

    assert_int_equal(store_reader_take(place->store, &reader, NULL), 0);
    assert_int_equal(store_reader_scope(reader, RULE, stream, &scope, &found, NULL), 0);
    if (found)
        assert_int_equal(store_reader_get(reader, scope.id, str_c(key), &value, &found, NULL),
                         0);
    snprintf(text, sizeof(text), STR_FMT, STR_ARG(value));
    store_reader_give(place->store, reader);
    return text;
}

static int64_t rows(struct place *place)
{
    char path[128];
    sqlite3 *other;
    sqlite3_stmt *stmt;
    int64_t count;

    place_path(place, "tailrace.db", path);
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(other, "SELECT count(*) FROM state", -1, &stmt, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    count = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(other);
    return count;
}

static void what_is_put_is_there_and_counted(void **state)
{
    struct store_state_entry first[] = {entry("b", "two"), entry("a", "one"), entry("c", "")};
    struct store_state_entry then[] = {entry("a", "longer"), entry("b", ""), entry("d", "x")};
    struct store_state op;
    struct place place;

    (void)state;
    place_init(&place);
    place_start(&place);
    op = put(&place, BLOG, first, 3);
    assert_int_equal(op.more_entries, 3);
    assert_int_equal(op.more_bytes, 9);
    assert_string_equal(value_of(&place, BLOG, "b"), "two");
    assert_string_equal(value_of(&place, BLOG, "c"), "");
    assert_string_equal(value_of(&place, NEWS, "b"), "-");
    then[0].was = 3;
    then[1].removed = true;
    then[2].was = STORE_STATE_ABSENT;
    op = put(&place, BLOG, then, 3);
    assert_int_equal(op.more_entries, 0);
    assert_int_equal(op.more_bytes, 3 - 4 + 2);
    assert_string_equal(value_of(&place, BLOG, "a"), "longer");
    assert_string_equal(value_of(&place, BLOG, "b"), "-");
    assert_string_equal(scopes(&place), "blog:3/10 ");
    place_close(&place);
    place_start(&place);
    assert_string_equal(scopes(&place), "blog:3/10 ");
    assert_string_equal(value_of(&place, BLOG, "d"), "x");
    place_fini(&place);
}

/* A dead letter that finds no room takes the rest of its commit with it. */
static void a_commit_that_fails_keeps_nothing(void **state)
{
    struct store_limits limits = {.count = 1};
    struct store_state_entry it = entry("a", "one");
    struct waited waited = {
        .ops = {op_state(BLOG, &it, 1), op_dead_letter(STR("d"), STR("{}"))}};
    struct place place;

    (void)state;
    place_init(&place);
    place_open(&place);
    store_set_limits(place.store, &limits);
    assert_int_equal(store_start(place.store, place.loop, &place.error), 0);
    add_letter(&place, RULE, STR("first"));
    waited_submit(&place, &waited, RULE, 2);
    assert_int_equal(waited_wait(&place, &waited), STORE_FULL);
    assert_string_equal(scopes(&place), "");
    assert_int_equal(rows(&place), 0);
    place_fini(&place);
}

static void a_snapshot_does_not_see_what_comes_after(void **state)
{
    struct store_reader *reader;
    struct store_scope scope;
    struct place place;
    tr_str value = STR("-");
    bool found;

    (void)state;
    place_init(&place);
    place_start(&place);
    put_one(&place, BLOG, "a", "one");
    assert_int_equal(store_reader_take(place.store, &reader, NULL), 0);
    assert_int_equal(store_reader_begin(reader, NULL), 0);
    assert_int_equal(store_reader_scope(reader, RULE, BLOG, &scope, &found, NULL), 0);
    put_one(&place, BLOG, "a", "two");
    assert_int_equal(store_reader_get(reader, scope.id, STR("a"), &value, &found, NULL), 0);
    assert_true(str_eq(value, STR("one")));
    store_reader_end(reader);
    assert_int_equal(store_reader_get(reader, scope.id, STR("a"), &value, &found, NULL), 0);
    assert_true(str_eq(value, STR("two")));
    store_reader_give(place.store, reader);
    place_fini(&place);
}

static void what_is_dropped_is_gone_at_once_and_swept_later(void **state)
{
    enum { COUNT = 5000 };
    static char keys[COUNT][8];
    struct store_state_entry *many = mem_new_array(struct store_state_entry, COUNT);
    struct waited waited = {
        .ops = {{.kind = STORE_DROP_STATE, .state = {.binding = RULE, .stream = BLOG}}}};
    struct place place;

    (void)state;
    place_init(&place);
    place_start(&place);
    for (int i = 0; i < COUNT; i++) {
        snprintf(keys[i], sizeof(keys[i]), "%d", i * 7919 % COUNT);
        many[i] = entry(keys[i], "value");
    }
    put(&place, BLOG, many, COUNT);
    put_one(&place, NEWS, "a", "one");
    waited_submit(&place, &waited, STR(""), 1);
    assert_int_equal(waited_wait(&place, &waited), STORE_DONE);
    assert_string_equal(value_of(&place, BLOG, "1"), "-");
    put_one(&place, BLOG, "1", "new");
    assert_string_equal(scopes(&place), "blog:1/4 news:1/4 ");
    while (rows(&place) > 2)
        usleep(10000);
    assert_string_equal(value_of(&place, BLOG, "1"), "new");
    place_fini(&place);
    free(many);
}

static void a_checkpoint_that_is_deleted_takes_it_along(void **state)
{
    struct place place;
    int64_t deleted;

    (void)state;
    place_init(&place);
    place_start(&place);
    put_one(&place, BLOG, "a", "one");
    put_one(&place, NEWS, "a", "one");
    place_close(&place);
    place_open(&place);
    assert_int_equal(store_checkpoint_delete(place.store, RULE, BLOG, &deleted, NULL), 0);
    assert_int_equal(deleted, 1);
    assert_string_equal(scopes(&place), "news:1/4 ");
    assert_int_equal(store_checkpoint_delete(place.store, RULE, STR(""), &deleted, NULL), 0);
    assert_string_equal(scopes(&place), "");
    place_fini(&place);
}

static void backfill(struct place *place, tr_str db)
{
    struct store_backfill request = {
        .binding = RULE, .db = db, .since = STR("0"), .asked_ms = 1};
    int64_t taken = 0;

    assert_int_equal(store_backfill_ask(place->store, &request, &place->error), 0);
    assert_int_equal(store_backfill_take_all(place->store, &taken, &place->error), 0);
    assert_int_equal(taken, 1);
}

/* op_checkpoint() is of the database blog, whatever the stream. */
static void a_backfill_takes_it_along(void **state)
{
    struct place place;

    (void)state;
    place_init(&place);
    place_start(&place);
    put_one(&place, BLOG, "a", "one");
    put_one(&place, NEWS, "a", "one");
    backfill(&place, STR("blog"));
    assert_string_equal(scopes(&place), "news:1/4 ");
    put_one(&place, BLOG, "a", "one");
    backfill(&place, STR(""));
    assert_string_equal(scopes(&place), "");
    place_fini(&place);
}

static void only_a_stopped_daemon_lets_it_be_deleted(void **state)
{
    struct store *beside;
    struct place place;
    int64_t deleted;

    (void)state;
    place_init(&place);
    place_start(&place);
    put_one(&place, BLOG, "a", "one");
    assert_int_equal(store_open(place.dir, STORE_BESIDE, &beside, NULL), 0);
    assert_int_equal(store_scope_delete(beside, RULE, BLOG, &deleted, &place.error), ERR_USAGE);
    store_close(beside);
    place_close(&place);
    place_open(&place);
    assert_int_equal(store_scope_delete(place.store, RULE, BLOG, &deleted, NULL), 0);
    assert_int_equal(deleted, 1);
    assert_int_equal(ordinal_of(place.store, RULE, BLOG), 5);
    place_fini(&place);
}

static void run_sql(struct place *place, const char *text)
{
    char path[128];
    sqlite3 *other;

    place_path(place, "tailrace.db", path);
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
}

static void a_bit_that_turned_is_told(void **state)
{
    struct store_reader *reader;
    struct store_scope scope;
    struct place place;
    tr_str value;
    bool found;

    (void)state;
    place_init(&place);
    place_start(&place);
    put_one(&place, BLOG, "a", "one");
    run_sql(&place, "UPDATE state SET value = CAST('onf' AS BLOB)");
    assert_int_equal(store_reader_take(place.store, &reader, NULL), 0);
    assert_int_equal(store_reader_scope(reader, RULE, BLOG, &scope, &found, NULL), 0);
    assert_int_equal(store_reader_get(reader, scope.id, STR("a"), &value, &found, &place.error),
                     ERR_DATA);
    store_reader_give(place.store, reader);
    place_close(&place);
    run_sql(&place, "UPDATE state_scope SET entries = 7");
    assert_int_equal(store_open(place.dir, 0, &place.store, &place.error), ERR_DATA);
    place_fini(&place);
}

/* As the version before this one left it. */
static void a_store_of_version_2_is_brought_up_to_date(void **state)
{
    struct place place;

    (void)state;
    place_init(&place);
    place_start(&place);
    put_one(&place, BLOG, "a", "one");
    place_close(&place);
    run_sql(&place, "DROP TABLE state; DROP TABLE state_scope; DROP TABLE state_dropped;"
                    "PRAGMA user_version=2");
    assert_int_equal(store_open(place.dir, STORE_READ_ONLY, &place.store, &place.error),
                     ERR_TEMP);
    place_start(&place);
    assert_int_equal(ordinal_of(place.store, RULE, BLOG), 5);
    assert_string_equal(scopes(&place), "");
    put_one(&place, BLOG, "a", "one");
    assert_string_equal(value_of(&place, BLOG, "a"), "one");
    place_fini(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_is_there_and_counted),
        cmocka_unit_test(a_commit_that_fails_keeps_nothing),
        cmocka_unit_test(a_snapshot_does_not_see_what_comes_after),
        cmocka_unit_test(what_is_dropped_is_gone_at_once_and_swept_later),
        cmocka_unit_test(a_checkpoint_that_is_deleted_takes_it_along),
        cmocka_unit_test(a_backfill_takes_it_along),
        cmocka_unit_test(only_a_stopped_daemon_lets_it_be_deleted),
        cmocka_unit_test(a_bit_that_turned_is_told),
        cmocka_unit_test(a_store_of_version_2_is_brought_up_to_date),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
