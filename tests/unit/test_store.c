/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening a store: who may, what is refused and how, and what lasts. Bindings and checkpoints.
 */
#include "test_store_lib.h"

#include "store/schema.h"

#include <fcntl.h>
#include <sys/stat.h>

#define BINDING STR("calc-stats")
#define STREAM  STR("main/blog@1")

static void run_sql(const struct place *place, const char *text)
{
    char path[128];
    sqlite3 *handle;

    place_path(place, "tailrace.db", path);
    assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
    assert_int_equal(sqlite3_exec(handle, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(handle);
}

static void put_file(const struct place *place, const char *name, const char *text)
{
    char path[128];
    FILE *file;

    place_path(place, name, path);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void assert_refused(struct place *place, unsigned flags, int code, const char *word)
{
    struct store *store = NULL;
    int rc = store_open(place->dir, flags, &store, &place->error);

    assert_null(store);
    assert_int_equal(rc, code);
    if (!strstr(place->error.text, word))
        fail_msg("no \"%s\" in: %s", word, place->error.text);
}

static void assert_mode(const struct place *place, const char *name)
{
    char path[128];
    struct stat st;

    place_path(place, name, path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void files_are_private(void **state)
{
    struct waited waited = {.ops = {op_checkpoint(STREAM, STR("1"), 1)}};
    struct place place;

    (void)state;
    place_init(&place);
    place_start(&place);
    waited_submit(&place, &waited, BINDING, 1);
    waited_wait(&place, &waited);
    assert_mode(&place, "tailrace.db");
    assert_mode(&place, "tailrace.db-wal");
    assert_mode(&place, "lock");
    place_fini(&place);
}

static void a_second_daemon_is_refused_by_pid(void **state)
{
    struct place place;
    char pid[32];

    (void)state;
    place_init(&place);
    place_open(&place);
    snprintf(pid, sizeof(pid), "pid %ld ", (long)getpid());
    assert_refused(&place, 0, ERR_TEMP, pid);
    place_close(&place);
    place_open(&place);
    place_fini(&place);
}

static void readers_come_in_beside_a_daemon(void **state)
{
    struct waited waited = {.ops = {op_checkpoint(STREAM, STR("7"), 7)}};
    struct store *reader = NULL;
    struct place place;

    (void)state;
    place_init(&place);
    place_start(&place);
    waited_submit(&place, &waited, BINDING, 1);
    waited_wait(&place, &waited);
    assert_int_equal(store_open(place.dir, STORE_READ_ONLY, &reader, &place.error), 0);
    assert_int_equal(ordinal_of(reader, BINDING, STREAM), 7);
    store_close(reader);
    place_fini(&place);
}

static void reading_where_no_store_is_says_so_and_makes_none(void **state)
{
    struct place place;

    (void)state;
    place_init(&place);
    assert_refused(&place, STORE_READ_ONLY, ERR_NOINPUT, "no store");
    assert_refused(&place, STORE_BESIDE, ERR_NOINPUT, "no store");
    place_fini(&place);
}

static void reading_changes_nothing(void **state)
{
    struct store_filter all = {0};
    struct store *reader = NULL;
    struct place place;
    int64_t count;

    (void)state;
    place_init(&place);
    place_open(&place);
    place_close(&place);
    assert_int_equal(store_open(place.dir, STORE_READ_ONLY, &reader, NULL), 0);
    assert_true(store_dead_letter_purge(reader, &all, &count, NULL) < 0);
    store_close(reader);
    place_fini(&place);
}

static void a_newer_store_is_refused(void **state)
{
    struct place place;

    (void)state;
    place_init(&place);
    place_open(&place);
    place_close(&place);
    run_sql(&place, "PRAGMA user_version=99");
    assert_refused(&place, 0, ERR_DATA, "newer");
    assert_refused(&place, STORE_READ_ONLY, ERR_DATA, "newer");
    place_fini(&place);
}

static void foreign_files_are_refused(void **state)
{
    struct place place;
    char path[128];

    (void)state;
    place_init(&place);
    place_path(&place, "tailrace.db", path);
    put_file(&place, "tailrace.db", "");
    assert_refused(&place, 0, ERR_DATA, "empty");
    put_file(&place, "tailrace.db", "dear diary");
    assert_refused(&place, 0, ERR_DATA, "backup");
    unlink(path);
    run_sql(&place, "CREATE TABLE cats(name); PRAGMA user_version=1");
    assert_refused(&place, 0, ERR_DATA, "mark");
    assert_refused(&place, STORE_READ_ONLY, ERR_DATA, "mark");
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_refused(&place, 0, ERR_DATA, "regular");
    rmdir(path);
    place_fini(&place);
}

static void a_store_that_went_away_from_its_log_is_refused(void **state)
{
    struct place place;

    (void)state;
    place_init(&place);
    put_file(&place, "tailrace.db-wal", "something");
    assert_refused(&place, 0, ERR_DATA, "-wal");
    place_fini(&place);
}

static void a_start_that_was_cut_short_is_made_good(void **state)
{
    struct place place;

    (void)state;
    place_init(&place);
    put_file(&place, "tailrace.db.new", "half a st");
    place_open(&place);
    place_fini(&place);
}

static void an_older_store_is_brought_up_to_date(void **state)
{
    static const char *const steps[] = {"CREATE TABLE a(x); INSERT INTO a VALUES(41)",
                                        "ALTER TABLE a ADD COLUMN y; UPDATE a SET y = x + 1"};
    struct place place;
    char path[128];
    int64_t number = 0;
    struct sq sq;

    (void)state;
    place_init(&place);
    place_path(&place, "tailrace.db", path);
    put_file(&place, "tailrace.db", "");
    assert_int_equal(sq_open(&sq, path, SQLITE_OPEN_READWRITE, NULL), 0);
    assert_int_equal(schema_migrate(&sq, steps, 1, NULL), 0);
    assert_int_equal(schema_migrate(&sq, steps, 2, NULL), 0);
    assert_int_equal(schema_migrate(&sq, steps, 2, NULL), 0);
    assert_int_equal(sq_number(&sq, "SELECT y FROM a", &number), SQLITE_OK);
    assert_int_equal(number, 42);
    assert_int_equal(schema_migrate(&sq, steps, 1, &place.error), ERR_DATA);
    sq_close(&sq);
    place_fini(&place);
}

static void a_step_that_fails_leaves_the_old_version(void **state)
{
    static const char *const steps[] = {"CREATE TABLE a(x)",
                                        "CREATE TABLE b(x); CREATE TABLE a(x)"};
    struct place place;
    char path[128];
    int64_t number = 0;
    struct sq sq;

    (void)state;
    place_init(&place);
    place_path(&place, "tailrace.db", path);
    put_file(&place, "tailrace.db", "");
    assert_int_equal(sq_open(&sq, path, SQLITE_OPEN_READWRITE, NULL), 0);
    assert_true(schema_migrate(&sq, steps, 2, &place.error) < 0);
    assert_int_equal(sq_number(&sq, "PRAGMA user_version", &number), SQLITE_OK);
    assert_int_equal(number, 1);
    assert_int_equal(sq_number(&sq, "SELECT count(*) FROM sqlite_schema", &number), SQLITE_OK);
    assert_int_equal(number, 1);
    sq_close(&sq);
    place_fini(&place);
}

/* ---- bindings and checkpoints ---- */

static void a_binding_keeps_when_it_first_started(void **state)
{
    struct store_binding binding = {0};
    struct waited waited = {
        .ops = {{.kind = STORE_PUT_BINDING,
                 .binding = {.created_ms = 1234567890123, .discovered = true}}}};
    struct arena arena;
    struct place place;
    bool found = true;

    (void)state;
    place_init(&place);
    place_start(&place);
    arena_init(&arena, 64);
    assert_int_equal(store_binding_get(place.store, BINDING, &arena, &binding, &found, NULL),
                     0);
    assert_false(found);
    waited_submit(&place, &waited, BINDING, 1);
    assert_int_equal(waited_wait(&place, &waited), STORE_DONE);
    place_close(&place);
    place_open(&place);
    assert_int_equal(store_binding_get(place.store, BINDING, &arena, &binding, &found, NULL),
                     0);
    assert_true(found);
    arena_fini(&arena);
    assert_int_equal(binding.created_ms, 1234567890123);
    assert_true(binding.discovered);
    place_fini(&place);
}

static void a_checkpoint_comes_back_byte_for_byte(void **state)
{
    tr_str seq = STR("\"7-g1AAAACheJ\\u00e4\"");
    struct waited waited = {.ops = {op_checkpoint(STREAM, seq, 7)}};
    struct store_checkpoint got;
    struct place place;
    struct arena arena;
    bool found = false;

    (void)state;
    arena_init(&arena, 1024);
    place_init(&place);
    place_start(&place);
    waited_submit(&place, &waited, BINDING, 1);
    assert_int_equal(waited_wait(&place, &waited), STORE_DONE);
    place_close(&place);
    place_open(&place);
    assert_int_equal(
        store_checkpoint_get(place.store, BINDING, STREAM, &arena, &got, &found, NULL), 0);
    assert_true(found);
    assert_true(str_eq(got.binding, BINDING));
    assert_true(str_eq(got.stream, STREAM));
    assert_true(str_eq(got.source, STR("main")));
    assert_true(str_eq(got.db, STR("blog")));
    assert_true(str_eq(got.incarnation, STR("1")));
    assert_true(str_eq(got.seq, seq));
    assert_int_equal(got.ordinal, 7);
    assert_int_equal(got.updated_ms, 1000);
    assert_int_equal(ordinal_of(place.store, STR("other"), STREAM), -1);
    place_fini(&place);
    arena_fini(&arena);
}

static void a_checkpoint_that_was_tampered_with_is_never_used(void **state)
{
    struct store_checkpoint checkpoint = op_checkpoint(STREAM, STR("\"7-abc\""), 7).checkpoint;
    struct place place;

    (void)state;
    checkpoint.binding = BINDING;
    place_init(&place);
    place_open(&place);
    assert_int_equal(store_checkpoint_set(place.store, &checkpoint, NULL), 0);
    place_close(&place);
    run_sql(&place, "UPDATE checkpoint SET seq = '\"9-abc\"'");
    assert_refused(&place, 0, ERR_DATA, "wrong sum");
    run_sql(&place, "UPDATE checkpoint SET seq = '\"7-abc\"', stream = 'main/blog@2'");
    assert_refused(&place, 0, ERR_DATA, "wrong sum");
    place_fini(&place);
}

static void a_binding_that_was_tampered_with_is_never_used(void **state)
{
    struct waited waited = {
        .ops = {{.kind = STORE_PUT_BINDING, .binding = {.created_ms = 1, .discovered = true}}}};
    struct place place;

    (void)state;
    place_init(&place);
    place_start(&place);
    waited_submit(&place, &waited, BINDING, 1);
    waited_wait(&place, &waited);
    place_close(&place);
    run_sql(&place, "UPDATE binding SET name = 'calc-statt'");
    assert_refused(&place, 0, ERR_DATA, "wrong sum");
    run_sql(&place, "UPDATE binding SET name = 'calc-stats', discovered = 0");
    assert_refused(&place, 0, ERR_DATA, "wrong sum");
    place_fini(&place);
}

static bool count_one(void *context, const struct store_checkpoint *checkpoint)
{
    int *count = context;

    assert_true(checkpoint->ordinal > 0);
    return ++*count < 1000000;
}

static void each_walks_one_binding_or_all(void **state)
{
    struct store_checkpoint checkpoint = op_checkpoint(STREAM, STR("1"), 1).checkpoint;
    tr_str names[] = {STR("a"), STR("a"), STR("b")};
    tr_str streams[] = {STR("main/x@1"), STR("main/y@1"), STR("main/x@1")};
    struct place place;
    int64_t deleted = 0;
    int count = 0;

    (void)state;
    place_init(&place);
    place_open(&place);
    for (int i = 0; i < 3; i++) {
        checkpoint.binding = names[i];
        checkpoint.stream = streams[i];
        assert_int_equal(store_checkpoint_set(place.store, &checkpoint, NULL), 0);
    }
    store_checkpoint_each(place.store, STR("a"), count_one, &count, NULL);
    assert_int_equal(count, 2);
    store_checkpoint_each(place.store, STR(""), count_one, &count, NULL);
    assert_int_equal(count, 5);
    store_checkpoint_delete(place.store, STR("a"), STR("main/x@1"), &deleted, NULL);
    assert_int_equal(deleted, 1);
    assert_int_equal(ordinal_of(place.store, STR("a"), STR("main/y@1")), 1);
    store_checkpoint_delete(place.store, STR("a"), STR(""), &deleted, NULL);
    assert_int_equal(ordinal_of(place.store, STR("a"), STR("main/y@1")), -1);
    assert_int_equal(ordinal_of(place.store, STR("b"), STR("main/x@1")), 1);
    place_fini(&place);
}

static void checkpoints_are_not_set_beside_a_daemon(void **state)
{
    struct store_checkpoint checkpoint = op_checkpoint(STREAM, STR("1"), 1).checkpoint;
    struct store *beside = NULL;
    struct place place;
    int64_t deleted;

    (void)state;
    place_init(&place);
    place_open(&place);
    assert_int_equal(store_open(place.dir, STORE_BESIDE, &beside, NULL), 0);
    assert_int_equal(store_checkpoint_set(beside, &checkpoint, &place.error), ERR_USAGE);
    assert_int_equal(store_checkpoint_delete(beside, BINDING, STREAM, &deleted, NULL),
                     ERR_USAGE);
    store_close(beside);
    place_fini(&place);
}

/* A hundred thousand streams must not make a start long; the time itself is the bench's. */
static void a_hundred_thousand_checkpoints_are_walked(void **state)
{
    enum { COUNT = 100000 };
    struct store_op *ops = mem_new_array(struct store_op, COUNT);
    char(*streams)[24] = mem_zero(COUNT, sizeof(*streams));
    struct waited waited = {0};
    struct place place;
    int count = 0;

    (void)state;
    place_init(&place);
    place_start(&place);
    for (int i = 0; i < COUNT; i++) {
        snprintf(streams[i], sizeof(*streams), "main/user-%06d@1", i);
        ops[i] = op_checkpoint(str_c(streams[i]), STR("\"5-g1AAAACheJzLYWBg\""), i + 1);
    }
    waited.commit = (struct store_commit){
        .binding = BINDING, .ops = ops, .ops_count = COUNT, .done = waited_done};
    store_commit_submit(place.store, &waited.commit);
    assert_int_equal(waited_wait(&place, &waited), STORE_DONE);
    place_close(&place);
    place_open(&place);
    assert_int_equal(store_checkpoint_each(place.store, STR(""), count_one, &count, NULL), 0);
    assert_int_equal(count, COUNT);
    place_fini(&place);
    free(streams);
    free(ops);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_private),
        cmocka_unit_test(a_second_daemon_is_refused_by_pid),
        cmocka_unit_test(readers_come_in_beside_a_daemon),
        cmocka_unit_test(reading_where_no_store_is_says_so_and_makes_none),
        cmocka_unit_test(reading_changes_nothing),
        cmocka_unit_test(a_newer_store_is_refused),
        cmocka_unit_test(foreign_files_are_refused),
        cmocka_unit_test(a_store_that_went_away_from_its_log_is_refused),
        cmocka_unit_test(a_start_that_was_cut_short_is_made_good),
        cmocka_unit_test(an_older_store_is_brought_up_to_date),
        cmocka_unit_test(a_step_that_fails_leaves_the_old_version),
        cmocka_unit_test(a_binding_keeps_when_it_first_started),
        cmocka_unit_test(a_checkpoint_comes_back_byte_for_byte),
        cmocka_unit_test(a_checkpoint_that_was_tampered_with_is_never_used),
        cmocka_unit_test(a_binding_that_was_tampered_with_is_never_used),
        cmocka_unit_test(each_walks_one_binding_or_all),
        cmocka_unit_test(checkpoints_are_not_set_beside_a_daemon),
        cmocka_unit_test(a_hundred_thousand_checkpoints_are_walked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
