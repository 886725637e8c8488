/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The updates feed against a scripted server: names and types, cuts anywhere, where it begins
 * and goes on when a connection ends or goes silent, and an owner who frees it.
 */
#include "test_feed_updates_lib.h"

/* ---- rows ---- */

static void rows_are_told_by_name_and_type(void **state)
{
    struct fixture *f = *state;

    f->live = ROW("a", "created", "10-x") ROW("a", "updated", "11-x")
        ROW("b", "deleted", "12-x");
    start(f, "", 0);
    until(f, saw(f, "-b"));
    assert_string_equal(f->log.ptr, "(connecting) (live) +a =a -b ");
    assert_position(f, "\"12-x\"");
}

static void without_a_since_it_begins_at_the_end_that_the_server_names(void **state)
{
    struct fixture *f = *state;

    start(f, "", 0);
    assert_position(f, "");
    until(f, saw(f, "(live)"));
    assert_string_equal(f->ends.server.log.ptr,
                        "GET /_db_updates?since=now&limit=0\n"
                        "GET /_db_updates?feed=continuous&heartbeat=2000&since=9-now\n");
    assert_position(f, "\"9-now\"");
}

static void with_a_since_it_begins_there(void **state)
{
    struct fixture *f = *state;

    start(f, "\"3-a+b\"", 500);
    until(f, saw(f, "(live)"));
    assert_string_equal(f->ends.server.log.ptr,
                        "GET /_db_updates?feed=continuous&heartbeat=500&since=3-a%2Bb\n");
}

static void names_are_decoded(void **state)
{
    struct fixture *f = *state;

    f->live = ROW("a/b", "updated", "1") ROW("c\\/d", "updated", "2")
        ROW("e+$(f)", "updated", "3") ROW("\xc3\xa9\\u00e9", "updated", "4");
    start(f, "", 0);
    until(f, saw(f, "\xc3\xa9"));
    assert_string_equal(f->log.ptr, "(connecting) (live) =a/b =c/d =e+$(f) =\xc3\xa9\xc3\xa9 ");
}

static void the_list_of_databases_is_no_database(void **state)
{
    struct fixture *f = *state;

    f->live = ROW("_dbs", "updated", "10") ROW("_users", "updated", "11")
        ROW("_dbs", "updated", "12");
    start(f, "", 0);
    until(f, str_eq(updates_position(f->updates), STR("\"12\"")));
    assert_string_equal(f->log.ptr, "(connecting) (live) =_users ");
}

static void an_unknown_type_is_an_update_and_a_row_without_a_seq_counts(void **state)
{
    struct fixture *f = *state;

    f->live = ROW("a", "ddoc_updated", "10") "{\"db_name\":\"b\",\"ok\":true,\"type\":"
                                             "\"created\"}\n{\"db_name\":\"c\",\"seq\":null}\n";
    start(f, "", 0);
    until(f, saw(f, "=c"));
    assert_string_equal(f->log.ptr, "(connecting) (live) =a +b =c ");
    assert_position(f, "\"10\"");
}

static void heartbeats_and_line_ends_of_any_kind_are_nothing(void **state)
{
    struct fixture *f = *state;

    f->live = "\n\r\n  \n" ROW("a", "updated", "1") "\n\n{ \"seq\" : [ 1 , \"}\" ] , \"type\":"
                                                    "\"created\",\t\"db_name\" : \"b\" }\r\n";
    start(f, "", 0);
    until(f, saw(f, "+b"));
    server_push(&f->ends.server, "\n");
    server_push(&f->ends.server, "\n" ROW("c", "deleted", "3"));
    until(f, saw(f, "-c"));
    assert_string_equal(f->log.ptr, "(connecting) (live) =a +b -c ");
}

static void rows_may_come_byte_by_byte(void **state)
{
    struct fixture *f = *state;
    static const char text[] = ROW("a\\\"b", "created", "10") "\n" ROW("c", "deleted", "11");

    start(f, "", 0);
    until(f, saw(f, "(live)"));
    for (size_t i = 0; i + 1 < sizeof(text); i++) {
        server_push(&f->ends.server, (char[]){text[i], '\0'});
        loop_turn(f->ends.loop, 0);
    }
    until(f, saw(f, "-c"));
    assert_string_equal(f->log.ptr, "(connecting) (live) +a\"b -c ");
}

static void a_row_of_64_kb_is_a_row(void **state)
{
    struct fixture *f = *state;
    struct buf text = {0};

    buf_add_c(&text, "{\"db_name\":\"a\",\"seq\":\"");
    while (text.len < 65000)
        buf_add_c(&text, "0123456789");
    buf_add_c(&text, "\",\"type\":\"created\"}\n");
    f->live = text.ptr;
    start(f, "", 0);
    until(f, saw(f, "+a"));
    assert_true(updates_position(f->updates).len > 64000);
    buf_fini(&text);
}

/* ---- ends ---- */

/* Wherever a connection ends: what was whole is told, what was not is told once it came again,
 * and it goes on behind the last row that was whole. */
static void a_feed_cut_at_any_byte_goes_on_behind_the_last_whole_row(void **state)
{
    struct fixture *f = *state;
    static const char rows[] = ROW("a", "created", "10") ROW("b", "updated", "11");
    size_t first = strlen(ROW("a", "created", "10"));

    for (size_t cut = 1; cut < sizeof(rows); cut++) {
        bool one = cut >= first, both = cut == sizeof(rows) - 1;
        const char *since = both ? "since=11\n" : one ? "since=10\n" : "since=5\n";

        buf_clear(&f->log);
        buf_clear(&f->ends.server.log);
        f->live = rows;
        f->live_len = cut;
        f->live_then = cut % 2 ? THEN_CLOSE : THEN_RESET;
        f->asked_live = 0;
        start(f, "\"5\"", 0);
        until(f, f->asked_live > 0);
        f->live = ROW("end", "updated", "12");
        f->live_len = 0;
        f->live_then = THEN_STAY;
        until(f, saw(f, "=end"));
        /* A reset may take with it what was sent, and then even the head. */
        if (cut % 2) {
            assert_string_equal(f->log.ptr,
                                both  ? "(connecting) (live) +a =b (waiting) (connecting) "
                                        "(live) =end "
                                : one ? "(connecting) (live) +a (waiting) (connecting) (live) "
                                        "=end "
                                      : "(connecting) (live) (waiting) (connecting) (live) "
                                        "=end ");
            assert_non_null(strstr(strchr(f->ends.server.log.ptr, '\n'), since));
        }
        stop(f);
    }
}

static void a_clean_end_goes_on_at_once_and_is_no_loss(void **state)
{
    struct fixture *f = *state;

    f->live = ROW("a", "updated", "10") "{\"last_seq\":\"11\"}\n\n";
    f->live_then = THEN_KEEP;
    f->retry_min_ms = f->retry_max_ms = 600000;
    start(f, "", 0);
    until(f, f->asked_live == 1 && str_eq(updates_position(f->updates), STR("\"11\"")));
    f->live = ROW("b", "updated", "12");
    f->live_then = THEN_STAY;
    until(f, saw(f, "=b"));
    assert_string_equal(f->log.ptr, "(connecting) (live) =a =b ");
    assert_true(asked(&f->ends, "since=11\n"));
}

/* As a server or a proxy may that answers every request with the same. */
static void ends_that_bring_nothing_new_are_backed_off_from(void **state)
{
    struct fixture *f = *state;
    int64_t end;

    f->live = ROW("a", "updated", "10") "{\"last_seq\":\"11\"}\n\n";
    f->live_then = THEN_KEEP;
    f->retry_max_ms = 1000000;
    start(f, "", 0);
    until(f, f->asked_live >= 3);
    /* Each wait is a tenth of 2^n ms at least: so many do not fit into that time. */
    end = clock_ms() + 500;
    while (clock_ms() < end)
        loop_turn(f->ends.loop, 20);
    assert_true(f->asked_live < 20);
    until(f, saw(f, "(waiting)")); /* it tells of no change: that must be known            */
}

static void a_feed_that_is_silent_is_lost(void **state)
{
    struct fixture *f = *state;

    f->live = ROW("a", "updated", "10");
    start(f, "", 50);
    until(f, saw(f, "=a"));
    f->live = ROW("b", "updated", "11");
    until(f, saw(f, "=b"));
    assert_string_equal(f->log.ptr, "(connecting) (live) =a (waiting) (connecting) (live) =b ");
    assert_true(asked(&f->ends, "heartbeat=50&since=10\n"));
}

static void a_server_that_is_not_there_is_tried_again(void **state)
{
    struct fixture *f = *state;
    const struct server nobody = {.port = 1};

    server_url(&nobody, "", &f->ends.url);
    start(f, "", 0);
    until(f, saw(f, "(waiting)"));
    server_url(&f->ends.server, "", &f->ends.url);
    until(f, saw(f, "(live)"));
}

/* ---- its owner ---- */

static void it_may_be_freed_in_a_row(void **state)
{
    struct fixture *f = *state;

    f->free_in_changed = true;
    f->live = ROW("a/b", "updated", "10") ROW("c\\/d", "updated", "11");
    start(f, "", 0);
    until(f, saw(f, "freed"));
    idle(f);
    assert_string_equal(f->log.ptr, "(connecting) (live) =a/b freeda/b ");
}

static void it_may_be_freed_in_any_state(void **state)
{
    struct fixture *f = *state;

    f->free_in_state = true;
    start(f, "", 0);
    until(f, saw(f, "(connecting)"));
    for (int kind = 0; kind < 4; kind++) {
        f->free_in_state = false;
        buf_clear(&f->log);
        f->refuse = kind == 1 || kind == 2;
        f->status = kind == 1 ? 503 : 404;
        f->live = kind == 3 ? "<html>" : "";
        start(f, "\"5\"", 0);
        until(f, saw(f, "(connecting)"));
        f->free_in_state = kind != 3;
        until(f, saw(f, kind == 1 ? "(waiting)" : kind == 2 ? "(unavailable)" : "(live)"));
        f->free_in_state = true;
        until(f, f->updates == NULL);
        idle(f);
    }
}

static void it_may_be_freed_at_any_time(void **state)
{
    struct fixture *f = *state;

    f->live = ROW("a", "updated", "10");
    for (int turns = 0; turns < 12; turns++) {
        start(f, "", 0);
        updates_start(f->updates);
        for (int i = 0; i < turns; i++)
            loop_turn(f->ends.loop, 1);
        stop(f);
        buf_clear(&f->log);
        idle(f);
        assert_int_equal(f->log.len, 0);
    }
    updates_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_are_told_by_name_and_type),
        TEST(without_a_since_it_begins_at_the_end_that_the_server_names),
        TEST(with_a_since_it_begins_there),
        TEST(names_are_decoded),
        TEST(the_list_of_databases_is_no_database),
        TEST(an_unknown_type_is_an_update_and_a_row_without_a_seq_counts),
        TEST(heartbeats_and_line_ends_of_any_kind_are_nothing),
        TEST(rows_may_come_byte_by_byte),
        TEST(a_row_of_64_kb_is_a_row),
        TEST(a_feed_cut_at_any_byte_goes_on_behind_the_last_whole_row),
        TEST(a_clean_end_goes_on_at_once_and_is_no_loss),
        TEST(ends_that_bring_nothing_new_are_backed_off_from),
        TEST(a_feed_that_is_silent_is_lost),
        TEST(a_server_that_is_not_there_is_tried_again),
        TEST(it_may_be_freed_in_a_row),
        TEST(it_may_be_freed_in_any_state),
        TEST(it_may_be_freed_at_any_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
