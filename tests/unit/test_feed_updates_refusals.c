/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The updates feed against a server that has none, or not now, or is no CouchDB: what is
 * waited for and what is unavailable.
 */
#include "test_feed_updates_lib.h"

/* ---- what is no feed ---- */

static void what_is_no_row_is_an_error_of_the_protocol(void **state)
{
    static const char *const junk[] = {
        "<html><body>no line end at all",
        "{\"db_name\":\"a\"\n",
        "{\"results\":[\n",
        "[]\n",
        "{\"ok\":true}\n",
        "{\"db_name\":5,\"type\":\"created\",\"seq\":\"1\"}\n",
        "{\"db_name\":\"\",\"type\":\"created\",\"seq\":\"1\"}\n",
        "{\"db_name\":\"a\",\"seq\":\"1\"} {\"db_name\":\"b\",\"seq\":\"2\"}\n",
        "\n\nnull\n",
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(junk) / sizeof(junk[0]); i++) {
        buf_clear(&f->log);
        f->asked_live = 0;
        f->live = junk[i];
        start(f, "\"5\"", 0);
        until(f, saw(f, "(waiting)"));
        assert_int_equal(f->error.code, ERR_PROTOCOL);
        assert_position(f, "\"5\"");
        f->live = ROW("end", "updated", "12");
        until(f, saw(f, "=end"));
        assert_string_equal(f->log.ptr,
                            "(connecting) (live) (waiting) (connecting) (live) =end ");
        stop(f);
    }
}

static void a_line_without_end_is_given_up(void **state)
{
    struct fixture *f = *state;
    struct buf text = {0};

    buf_add_c(&text, "{\"db_name\":\"");
    while (text.len < 70000)
        buf_add_c(&text, "0123456789");
    f->live = text.ptr;
    start(f, "", 0);
    until(f, saw(f, "(waiting)"));
    assert_int_equal(f->error.code, ERR_PROTOCOL);
    buf_fini(&text);
}

static void an_error_in_the_feed_is_told_in_the_servers_words(void **state)
{
    struct fixture *f = *state;

    f->live = ROW("a", "updated", "10") "{\"error\":\"timeout\",\"reason\":\"too slow\"}\n";
    start(f, "", 0);
    until(f, saw(f, "(waiting)"));
    assert_non_null(strstr(f->error.text, "too slow"));
    assert_position(f, "\"10\"");
}

/* ---- refusals ---- */

static void where_there_is_none_it_is_unavailable_until_there_is(void **state)
{
    static const int statuses[] = {400, 401, 403, 404, 405, 410, 501};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        buf_clear(&f->log);
        f->now_status = statuses[i];
        start(f, "", 0);
        until(f, saw(f, "(unavailable) (connecting) (unavailable)"));
        assert_non_null(strstr(f->error.text, "because"));
        assert_false(saw(f, "(waiting)"));
        f->now_status = 200;
        until(f, saw(f, "(live)"));
        stop(f);
    }
}

static void a_feed_that_goes_away_is_unavailable_and_comes_back_where_it_was(void **state)
{
    static const int statuses[] = {401, 403, 404, 405, 410, 501};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        buf_clear(&f->log);
        f->asked_now = 0;
        f->refuse = 2;
        f->status = statuses[i];
        start(f, "\"5\"", 0);
        until(f, saw(f, "(unavailable) (connecting) (unavailable) (connecting) (live)"));
        assert_non_null(strstr(f->error.text, "because"));
        assert_position(f, "\"5\"");
        assert_int_equal(f->asked_now, 0);
        stop(f);
    }
}

static void without_a_password_it_is_unavailable(void **state)
{
    struct fixture *f = *state;

    server_url(&f->ends.server, "nobody@", &f->ends.url);
    start(f, "", 0);
    until(f, saw(f, "(unavailable)"));
    assert_int_equal(f->error.code, ERR_NOPERM);
    updates_free(f->updates);
    buf_clear(&f->log);
    start(f, "\"5\"", 0);
    until(f, saw(f, "(unavailable)"));
    assert_int_equal(f->error.code, ERR_NOPERM);
}

static void trouble_of_the_server_is_waited_for(void **state)
{
    static const int statuses[] = {302, 408, 429, 500, 502, 503};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        buf_clear(&f->log);
        f->refuse = 1;
        f->status = statuses[i];
        start(f, "\"5\"", 0);
        until(f, saw(f, "(live)"));
        assert_string_equal(f->log.ptr, "(connecting) (waiting) (connecting) (live) ");
        stop(f);
        buf_clear(&f->log);
        f->now_status = statuses[i];
        start(f, "", 0);
        until(f, saw(f, "(waiting) (connecting) (waiting)"));
        f->now_status = 200;
        until(f, saw(f, "(live)"));
        stop(f);
    }
}

static void a_since_that_is_not_understood_is_lost_and_now_is_begun_at(void **state)
{
    struct fixture *f = *state;

    f->refuse = 1;
    f->status = 400;
    f->live = ROW("a", "updated", "10");
    start(f, "\"of-another-feed\"", 0);
    until(f, saw(f, "=a"));
    assert_string_equal(f->log.ptr, "(connecting) (waiting) (connecting) (live) =a ");
    assert_string_equal(
        f->ends.server.log.ptr,
        "GET /_db_updates?feed=continuous&heartbeat=2000&since=of-another-feed\n"
        "GET /_db_updates?since=now&limit=0\n"
        "GET /_db_updates?feed=continuous&heartbeat=2000&since=9-now\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_no_row_is_an_error_of_the_protocol),
        TEST(a_line_without_end_is_given_up),
        TEST(an_error_in_the_feed_is_told_in_the_servers_words),
        TEST(where_there_is_none_it_is_unavailable_until_there_is),
        TEST(a_feed_that_goes_away_is_unavailable_and_comes_back_where_it_was),
        TEST(without_a_password_it_is_unavailable),
        TEST(trouble_of_the_server_is_waited_for),
        TEST(a_since_that_is_not_understood_is_lost_and_now_is_begun_at),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
