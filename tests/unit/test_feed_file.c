/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file feed: rows and documents by lines, positions, files that grow, pipes, bad lines.
 */
#include "test_feed_record.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    struct loop *loop;
    struct record record;
    char path[64];
};

static int set_up(void **state)
{
    struct fixture *fixture = mem_new(struct fixture);
    int fd;

    assert_int_equal(loop_new(&fixture->loop, NULL), 0);
    record_init(&fixture->record, fixture->loop);
    strcpy(fixture->path, "/tmp/tailrace-test-XXXXXX");
    fd = mkstemp(fixture->path);
    assert_true(fd >= 0);
    close(fd);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    record_fini(&fixture->record);
    loop_free(fixture->loop);
    (void)unlink(fixture->path);
    free(fixture);
    return 0;
}

static void append(const char *path, const char *text)
{
    FILE *file = fopen(path, "a");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static struct record *open_at(struct fixture *fixture, const char *path, enum feed_mode mode,
                              const char *since, size_t max_row)
{
    struct feed_options options = {
        .loop = fixture->loop,
        .mode = mode,
        .since = str_c(since),
        .events = &record_events,
        .ctx = &fixture->record,
    };

    fixture->record.feed = feed_file_new(&options, path, max_row);
    feed_start(fixture->record.feed);
    return &fixture->record;
}

static struct record *open_feed(struct fixture *fixture, enum feed_mode mode)
{
    return open_at(fixture, fixture->path, mode, "0", 1 << 20);
}

#define ROW(id) "{\"seq\":\"9-x\",\"id\":\"" id "\",\"changes\":[{\"rev\":\"1-a\"}]}"

static void rows_are_read_to_the_end(void **state)
{
    struct fixture *fixture = *state;
    struct record *record = open_feed(fixture, FEED_ONCE);
    char size[24];

    append(fixture->path, ROW("a") "\n\n" ROW("b") "\r\n  \n" ROW("c") "\n{\"last_seq\":3}\n");
    append(fixture->path, ROW("d"));
    record_until(record, record->end >= 0);
    assert_int_equal(record->end, FEED_COMPLETE);
    assert_string_equal(record->ids.ptr, "a b c d ");
    snprintf(size, sizeof(size), "%d", (int)(4 * strlen(ROW("a")) + 23));
    assert_string_equal(record->last.ptr, size);
}

static void an_empty_file_is_complete(void **state)
{
    struct record *record = open_feed(*state, FEED_ONCE);

    record_until(record, record->end >= 0);
    assert_int_equal(record->end, FEED_COMPLETE);
    assert_int_equal(record->rows, 0);
}

/* Reads the rest from the position behind each row, which is the seq that the row has. */
static void reading_goes_on_at_every_position(void **state)
{
    static const char *const rest[] = {"a b c ", "b c ", "c ", ""};
    struct fixture *fixture = *state;
    char since[4][24] = {"0"};
    size_t len = strlen(ROW("a")) + 1;

    append(fixture->path, ROW("a") "\n" ROW("b") "\n" ROW("c"));
    snprintf(since[1], sizeof(since[1]), "%zu", len);
    snprintf(since[2], sizeof(since[2]), "%zu", 2 * len);
    snprintf(since[3], sizeof(since[3]), "%zu", 3 * len - 1);
    for (int i = 0; i < 4; i++) {
        struct record *record = open_at(fixture, fixture->path, FEED_ONCE, since[i], 1 << 20);
        record_until(record, record->end >= 0);
        assert_string_equal(record->ids.ptr, rest[i]);
        if (i < 3)
            assert_string_equal(record->last.ptr, since[3]);
        record_fini(record);
        record_init(record, fixture->loop);
    }
}

static void check_document(struct record *record, const tr_change *row)
{
    if (record->rows + record->segments > 0 || !str_eq(row->id, STR("x")))
        return;
    assert_true(str_eq(row->rev, STR("3-z")));
    assert_true(str_eq(row->revs, STR("[{\"rev\":\"3-z\"}]")));
    assert_true(str_eq(row->doc, STR("{\"_id\":\"x\",\"_rev\":\"3-z\",\"id\":\"no\"}")));
    assert_true(str_eq(row->raw, row->doc));
    assert_int_equal(row->flags, TR_CHANGE_HAS_DOC);
}

static void documents_are_taken_as_rows(void **state)
{
    struct fixture *fixture = *state;
    struct record *record = open_feed(fixture, FEED_ONCE);

    record->on_row = check_document;
    append(fixture->path, "{\"_id\":\"x\",\"_rev\":\"3-z\",\"id\":\"no\"}\n"
                          "{\"_id\":\"_design/d\",\"error\":\"a member\",\"last_seq\":1}\n"
                          "{\"id\":\"plain\",\"seq\":1}\n");
    record_until(record, record->end >= 0);
    assert_int_equal(record->end, FEED_COMPLETE);
    assert_string_equal(record->ids.ptr, "x _design/d plain ");
}

static void a_bad_line_ends_it_behind_the_last_good_one(void **state)
{
    static const char *const bad[] = {
        "hello\n",       "{\"id\":\"b\"\n", "{}\n", "[1]\n", ROW("b") ROW("c") "\n",
        "{\"id\":\"b\"", "{\"results\":[\n"};
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct record *record;
        assert_int_equal(truncate(fixture->path, 0), 0);
        append(fixture->path, ROW("a") "\n");
        append(fixture->path, bad[i]);
        record = open_feed(fixture, FEED_ONCE);
        record_until(record, record->end >= 0);
        assert_int_equal(record->end, FEED_REFUSED);
        assert_string_equal(record->ids.ptr, "a ");
        assert_non_null(strstr(record->error.text, fixture->path));
        assert_non_null(strstr(record->error.text, "line 2"));
        record_fini(record);
        record_init(record, fixture->loop);
    }
}

static void a_growing_file_is_followed(void **state)
{
    struct fixture *fixture = *state;
    struct record *record = open_feed(fixture, FEED_FOLLOW);

    append(fixture->path, ROW("a") "\n{\"seq\":1,\"id\":");
    record_until(record, record->states & 1u << FEED_LIVE);
    assert_string_equal(record->ids.ptr, "a ");
    append(fixture->path, "\"b\",\"changes\":[]}\n");
    record_until(record, record->rows == 2);
    append(fixture->path, ROW("c"));
    record_until(record, record->rows == 3);
    append(fixture->path, "\n" ROW("d") "\n");
    record_until(record, record->rows == 4);
    assert_string_equal(record->ids.ptr, "a b c d ");
    assert_int_equal(record->end, -1);
}

static void a_file_that_shrank_is_another_one(void **state)
{
    struct fixture *fixture = *state;
    struct record *record = open_feed(fixture, FEED_FOLLOW);

    append(fixture->path, ROW("a") "\n");
    record_until(record, record->states & 1u << FEED_LIVE);
    assert_int_equal(truncate(fixture->path, 3), 0);
    record_until(record, record->end >= 0);
    assert_int_equal(record->end, FEED_REPLACED);
}

static void a_file_that_was_replaced_is_read_to_its_end_first(void **state)
{
    struct fixture *fixture = *state;
    struct record *record = open_feed(fixture, FEED_FOLLOW);
    char other[80];

    append(fixture->path, ROW("a") "\n");
    record_until(record, record->states & 1u << FEED_LIVE);
    append(fixture->path, ROW("b") "\n");
    snprintf(other, sizeof(other), "%s.new", fixture->path);
    append(other, ROW("c") "\n" ROW("c") "\n" ROW("c") "\n");
    assert_int_equal(rename(other, fixture->path), 0);
    record_until(record, record->end >= 0);
    assert_int_equal(record->end, FEED_REPLACED);
    assert_string_equal(record->ids.ptr, "a b ");
}

static void a_position_behind_the_end_is_of_another_file(void **state)
{
    struct fixture *fixture = *state;
    struct record *record = open_at(fixture, fixture->path, FEED_FOLLOW, "17", 1000);

    record_until(record, record->end >= 0);
    assert_int_equal(record->end, FEED_REPLACED);
}

static void what_cannot_be_read_says_why(void **state)
{
    struct fixture *fixture = *state;
    struct record *record = open_at(fixture, "/tmp", FEED_ONCE, "0", 1000);

    record_until(record, record->end >= 0);
    assert_int_equal(record->end, FEED_REFUSED);
    record_fini(record);
    record_init(record, fixture->loop);
    open_at(fixture, "/nonexistent/rows.ndjson", FEED_ONCE, "0", 1000);
    record_until(record, record->end >= 0);
    assert_int_equal(record->end, FEED_GONE);
    assert_non_null(strstr(record->error.text, "/nonexistent/rows.ndjson"));
    record_fini(record);
    record_init(record, fixture->loop);
    open_at(fixture, fixture->path, FEED_ONCE, "\"5-g1AA\"", 1000);
    record_until(record, record->end >= 0);
    assert_int_equal(record->end, FEED_REFUSED);
}

static void note_cut(struct record *record, const tr_change *row)
{
    if (row->flags & FEED_ROW_CUT) {
        assert_true(str_eq(row->rev, STR("1-a")));
        buf_add_c(&record->log, "cut; ");
    }
}

static void lines_longer_than_the_bound_are_cut(void **state)
{
    struct fixture *fixture = *state;
    struct record *record;
    struct buf text = {0};

    for (int i = 0; i < 3; i++) {
        size_t filler = i == 1 ? 3 << 20 : 100000;
        buf_addf(&text, "{\"_id\":\"d%d\",\"_rev\":\"1-a\",\"x\":\"", i);
        memset(buf_reserve(&text, filler), 'x', filler);
        text.len += filler;
        buf_add_c(&text, "\"}\n");
    }
    append(fixture->path, text.ptr);
    record = &fixture->record;
    record->on_row = note_cut;
    open_at(fixture, fixture->path, FEED_ONCE, "0", 1 << 20);
    record_until(record, record->end >= 0);
    assert_string_equal(record->ids.ptr, "d0 d1 d2 ");
    assert_non_null(strstr(record->log.ptr, "cut; "));
    assert_int_equal(atol(record->last.ptr), (long)text.len);
    buf_fini(&text);
}

static void a_paused_feed_is_silent_and_goes_on_in_order(void **state)
{
    struct fixture *fixture = *state;
    struct record *record = &fixture->record;
    struct buf text = {0}, ids = {0};
    uint32_t before;

    for (int i = 0; i < 20000; i++) {
        buf_addf(&text, "{\"seq\":1,\"id\":\"r%d\",\"changes\":[{\"rev\":\"1-abcdef\"}]}\n", i);
        buf_addf(&ids, "r%d ", i);
    }
    append(fixture->path, text.ptr);
    record->pause_in_rows = true;
    open_feed(fixture, FEED_ONCE);
    while (record->end < 0) {
        before = record->segments;
        record_until(record, record->segments > before || record->end >= 0);
        before = record->segments;
        for (int i = 0; i < 3 && record->end < 0; i++)
            loop_turn(record->loop, 1);
        assert_int_equal(record->segments, before);
        feed_resume(record->feed);
    }
    assert_true(record->segments > 2);
    assert_string_equal(record->ids.ptr, ids.ptr);
    buf_fini(&text);
    buf_fini(&ids);
}

static void the_owner_may_free_it_in_any_callback(void **state)
{
    struct fixture *fixture = *state;
    struct record *record = &fixture->record;

    append(fixture->path, ROW("a") "\nbad\n");
    record->free_in_rows = true;
    open_feed(fixture, FEED_ONCE);
    record_until(record, record->rows > 0);
    record_idle(record);
    assert_int_equal(record->end, -1);
}

/* Standard input is a pipe during `body`. */
static void with_stdin(struct fixture *fixture, void (*body)(struct fixture *, int to))
{
    int pipes[2], saved = dup(STDIN_FILENO);

    assert_true(saved >= 0);
    assert_int_equal(pipe(pipes), 0);
    assert_true(dup2(pipes[0], STDIN_FILENO) >= 0);
    close(pipes[0]);
    body(fixture, pipes[1]);
    record_free_feed(&fixture->record);
    assert_true(dup2(saved, STDIN_FILENO) >= 0);
    close(saved);
}

static void put(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void read_pipe(struct fixture *fixture, int to)
{
    struct record *record = open_at(fixture, "-", FEED_FOLLOW, "12345", 1 << 20);

    put(to, ROW("a") "\n{\"seq\":1,");
    record_until(record, record->rows == 1);
    record_idle(record);
    put(to, "\"id\":\"b\"}\n");
    record_until(record, record->rows == 2);
    feed_pause(record->feed);
    put(to, ROW("c"));
    record_idle(record);
    assert_int_equal(record->rows, 2);
    feed_resume(record->feed);
    close(to);
    record_until(record, record->end >= 0);
    assert_int_equal(record->end, FEED_COMPLETE);
    assert_string_equal(record->ids.ptr, "a b c ");
}

static void standard_input_is_read_until_it_closes(void **state)
{
    with_stdin(*state, read_pipe);
}

static void open_and_free(struct fixture *fixture, int to)
{
    struct record *record = open_at(fixture, "-", FEED_FOLLOW, "0", 1 << 20);

    record_until(record, record->states != 0);
    record_free_feed(record);
    put(to, "x\n");
    close(to);
    record_idle(record);
    assert_int_equal(record->end, -1);
}

static void a_freed_feed_leaves_standard_input_open(void **state)
{
    with_stdin(*state, open_and_free);
    assert_true(fcntl(STDIN_FILENO, F_GETFD) >= 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_are_read_to_the_end),
        TEST(an_empty_file_is_complete),
        TEST(reading_goes_on_at_every_position),
        TEST(documents_are_taken_as_rows),
        TEST(a_bad_line_ends_it_behind_the_last_good_one),
        TEST(a_growing_file_is_followed),
        TEST(a_file_that_shrank_is_another_one),
        TEST(a_file_that_was_replaced_is_read_to_its_end_first),
        TEST(a_position_behind_the_end_is_of_another_file),
        TEST(what_cannot_be_read_says_why),
        TEST(lines_longer_than_the_bound_are_cut),
        TEST(a_paused_feed_is_silent_and_goes_on_in_order),
        TEST(the_owner_may_free_it_in_any_callback),
        TEST(standard_input_is_read_until_it_closes),
        TEST(a_freed_feed_leaves_standard_input_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
