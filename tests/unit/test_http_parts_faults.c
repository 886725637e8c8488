/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/parts.h: what goes wrong on either side, requests that go out twice, and cancelling. No
 * server ever gets a whole body that is not the one that was announced.
 */
#include "test_http_parts_lib.h"

#include "http/session.h"

#include <stdatomic.h>

/* ---- parts that fail ---- */

struct expected {
    const char *how; /* of the part                                                        */
    int status;
    bool differs;
    int retry_after_ms;
    const char *words;
};

static void assert_part_fails(struct fixture *f, const struct expected *e)
{
    struct upload *u = upload_begin(f, "/to", 500000, e->how);

    if (strcmp(e->how, "?digest") == 0)
        u->list[1].digest = STR("md5-k7iFrf4NoInN9jSQT9WfcQ==");
    run_until(f, f->done + 1);
    assert_int_equal(u->probe->end, HTTP_FAILED);
    assert_int_equal(u->probe->status, 0);
    assert_true(u->parts.fault.happened);
    assert_false(u->parts.fault.refused);
    assert_int_equal(u->parts.fault.part, 1);
    assert_int_equal(u->parts.fault.status, e->status);
    assert_int_equal(u->parts.fault.differs, e->differs);
    assert_int_equal(u->parts.fault.retry_after_ms, e->retry_after_ms);
    if (!strstr(u->probe->error, "part 2 of 3") || !strstr(u->probe->error, e->words))
        fail_msg("%s", u->probe->error);
    upload_free(u);
}

static void a_part_that_fails_cuts_off_the_body(void **state)
{
    static const struct expected cases[] = {
        {"?missing", 404, false, 0, "answered 404 instead of 200"},
        {"?busy", 503, false, 7000, "answered 503 instead of 200"},
        {"?longer", 200, true, 0, "sent too much"},
        {"?shorter", 200, true, 0, "sent too little (499999 bytes, announced are 500000)"},
        {"?other", 200, true, 0, "sent another length (500001 bytes"},
        {"?digest", 200, true, 0, "the digest is another"},
        {"?cut", 200, false, 0, "was cut off"},
    };
    struct fixture f;

    (void)state;
    parts_begin(&f, (struct http_options){0});
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_part_fails(&f, &cases[i]);
    fixture_end(&f); /* which waits for the server's threads                               */
    assert_int_equal(seen.whole, 0);
    assert_int_equal(seen.cut, sizeof(cases) / sizeof(cases[0]));
}

/* The last byte is what counts: nothing follows this part. */
static void the_last_byte_waits_for_the_digest(void **state)
{
    struct fixture f;
    struct upload *u;

    (void)state;
    parts_begin(&f, (struct http_options){0});
    u = upload_new(&f, "/to");
    upload_add(u, 2, "");
    u->list[0].digest = STR("md5-k7iFrf4NoInN9jSQT9WfcQ==");
    upload_start(u, 0);
    run_until(&f, 1);
    assert_true(u->parts.fault.differs);
    upload_free(u);
    fixture_end(&f);
    assert_int_equal(seen.whole, 0);
    assert_in_range(seen.bytes, 0, 1);
}

static void assert_not_sent(struct fixture *f, const char *url, bool refused, const char *words)
{
    struct upload *u = upload_new(f, "/to");

    upload_add_bytes(u, STR("x"));
    u->list[u->count++] = (struct http_part){.url = url, .length = 10};
    upload_start(u, 0);
    run_until(f, f->done + 1);
    assert_int_equal(u->probe->end, HTTP_FAILED);
    assert_true(u->parts.fault.happened);
    assert_int_equal(u->parts.fault.refused, refused);
    assert_int_equal(u->parts.fault.status, 0);
    if (!strstr(u->probe->error, words) || strstr(u->probe->error, "s3cret"))
        fail_msg("%s", u->probe->error);
    upload_free(u);
}

static void a_part_that_cannot_be_asked_for_says_why(void **state)
{
    struct fixture f;

    (void)state;
    parts_begin(&f, (struct http_options){.connect_timeout_ms = 5000});
    assert_not_sent(&f, "http://u:s3cret@127.0.0.1:1/", false, "cannot connect to 127.0.0.1:1");
    assert_not_sent(&f, "http://169.254.0.1/", true, "may not reach");
    assert_not_sent(&f, "ftp://a:s3cret@b/", true, "part 2 of 2");
    assert_not_sent(&f, "http://nobody@127.0.0.1/", false, "no password is known");
    fixture_end(&f);
    assert_int_equal(seen.whole, 0);
}

static void a_silent_part_ends_by_its_own_deadline(void **state)
{
    static const char *const hows[] = {"?hang", "?hold"};
    struct fixture f;

    (void)state;
    parts_begin(&f, (struct http_options){0});
    for (int i = 0; i < 2; i++) {
        struct upload *u = upload_new(&f, "/to");
        u->probe->call.idle_ms = 60000;
        upload_add_bytes(u, STR("x"));
        upload_add(u, 1000, hows[i]);
        upload_start(u, 100);
        run_until(&f, i + 1);
        assert_int_equal(u->probe->end, HTTP_FAILED);
        assert_int_equal(u->parts.fault.status, i == 0 ? 0 : 200);
        assert_false(u->parts.fault.differs);
        assert_non_null(strstr(u->probe->error, i == 0 ? "within 100 ms" : "for 100 ms"));
        upload_free(u);
    }
    fixture_end(&f);
    assert_int_equal(seen.whole, 0);
}

/* ---- servers of the body that fail ---- */

static void an_early_answer_is_delivered_and_the_download_ends(void **state)
{
    struct fixture f;

    (void)state;
    parts_begin(&f, (struct http_options){0});
    for (int i = 0; i < 2; i++) {
        /* Once while bytes flow, once while the body waits for bytes that do not come. */
        struct upload *u = upload_begin(&f, "/to?early", 64 << 20, i == 0 ? "" : "?hold");
        run_until(&f, i + 1);
        assert_int_equal(u->probe->end, HTTP_ANSWERED);
        assert_int_equal(u->probe->status, 413);
        assert_string_equal(u->probe->body.ptr, "too large");
        assert_false(u->parts.fault.happened);
        upload_free(u);
        assert_int_equal(http_pool_running(f.pool), 0);
    }
    fixture_end(&f);
    assert_int_equal(seen.whole, 0);
    assert_int_equal(seen.cut, 2);
}

static void a_connection_that_breaks_is_a_failure_of_the_request(void **state)
{
    struct fixture f;
    struct upload *u;

    (void)state;
    parts_begin(&f, (struct http_options){0});
    u = upload_begin(&f, "/to?reset", 64 << 20, "");
    run_until(&f, 1);
    assert_int_equal(u->probe->end, HTTP_FAILED);
    assert_false(u->parts.fault.happened);
    assert_non_null(strstr(u->probe->error, "was lost"));
    upload_free(u);
    assert_int_equal(http_pool_running(f.pool), 0);
    fixture_end(&f);
}

static void a_server_that_takes_nothing_is_given_up(void **state)
{
    struct fixture f;
    struct upload *u;

    (void)state;
    parts_begin(&f, (struct http_options){0});
    u = upload_new(&f, "/to?gate");
    u->probe->call.idle_ms = 200;
    upload_add(u, 64 << 20, "");
    upload_start(u, 60000);
    run_until(&f, 1);
    assert_int_equal(u->probe->end, HTTP_TIMED_OUT);
    assert_false(u->parts.fault.happened);
    assert_non_null(strstr(u->probe->error, "took and sent nothing for 200 ms"));
    upload_free(u);
    fixture_end(&f);
    assert_int_equal(seen.whole, 0);
}

/* Half a second is slow for the part, but its silence is not that of the body's server. */
static void who_waits_for_a_part_is_not_idle(void **state)
{
    struct fixture f;
    struct upload *u;

    (void)state;
    parts_begin(&f, (struct http_options){0});
    u = upload_new(&f, "/to");
    u->probe->call.idle_ms = 50;
    upload_add(u, 100000, "?hold");
    upload_start(u, 60000);
    for (int64_t end = clock_ms() + 500; clock_ms() < end;)
        loop_turn(f.loop, 20);
    assert_int_equal(f.done, 0);
    server_release(&f.server);
    run_until(&f, 1);
    assert_arrived(u);
    upload_free(u);
    fixture_end(&f);
}

/* ---- requests that go out twice ---- */

static atomic_int repeats; /* requests to /to so far                                       */

static void take_or_close(struct request *request)
{
    if (strncmp(request->path, "/part/", 6) == 0) {
        answer_part(request);
    } else if (atomic_fetch_add(&repeats, 1) == 1 || has(request, "always")) {
        take_body(request, 100000, NULL);
        request->close_after = true;
    } else {
        answer_body(request);
    }
}

static void a_kept_connection_that_died_is_replaced_and_all_sent_again(void **state)
{
    struct fixture f;

    (void)state;
    for (uint64_t length = 10; length < 10000000; length *= 10) {
        repeats = 0;
        parts_begin(&f, (struct http_options){0});
        f.server.answer = take_or_close;
        for (int i = 0; i < 2; i++) {
            struct upload *u = upload_begin(&f, "/to", length, "");
            run_until(&f, i + 1);
            assert_arrived(u);
            upload_free(u);
        }
        assert_int_equal(repeats, 3);
        fixture_end(&f);
    }
}

static void a_server_that_always_closes_is_not_asked_for_ever(void **state)
{
    struct fixture f;

    (void)state;
    for (uint64_t length = 10; length < 10000000; length *= 10) {
        repeats = 0;
        parts_begin(&f, (struct http_options){0});
        f.server.answer = take_or_close;
        for (int i = 0; i < 2; i++) {
            struct upload *u = upload_begin(&f, i == 0 ? "/to" : "/to?always", length, "");
            run_until(&f, i + 1);
            assert_int_equal(u->probe->end, i == 0 ? HTTP_ANSWERED : HTTP_FAILED);
            assert_false(u->parts.fault.happened);
            upload_free(u);
        }
        assert_int_equal(repeats, 3); /* the second on the kept connection, then on another   */
        fixture_end(&f);
    }
}

static void log_in_or_refuse(struct request *request)
{
    static atomic_int logins;
    char header[64];

    if (strcmp(request->path, "/_session") == 0) {
        take_body(request, UINT64_MAX, NULL);
        snprintf(header, sizeof(header), "Set-Cookie: AuthSession=cookie%d\r\n", ++logins);
        server_reply(request, "200 OK", header, "{}");
    } else if (strncmp(request->path, "/part/", 6) == 0) {
        answer_part(request);
    } else if (strstr(request->text.ptr, "AuthSession=cookie1\r\n")) {
        server_reply(request, "401 Unauthorized", "Connection: close\r\n", "{}");
        take_body(request, UINT64_MAX, NULL);
        request->close_after = true;
    } else {
        answer_body(request);
    }
}

static void a_session_that_ended_is_renewed_and_all_sent_again(void **state)
{
    struct session *session;
    struct fixture f;
    struct upload *u;
    char base[64];

    (void)state;
    parts_begin(&f, (struct http_options){.max_connections = 1});
    f.server.answer = log_in_or_refuse;
    snprintf(base, sizeof(base), "http://user:word@127.0.0.1:%d", f.server.port);
    assert_int_equal(session_new(f.pool, base, 0, &session, NULL), 0);
    u = upload_begin(&f, "/to", 8 << 20, "");
    run_until(&f, 1);
    assert_arrived(u);
    upload_free(u);
    session_free(session);
    fixture_end(&f);
}

static void move(struct request *request)
{
    if (strcmp(request->path, "/moved") != 0) {
        answer_parts(request);
        return;
    }
    take_body(request, UINT64_MAX, NULL);
    server_reply(request, "307 Moved", "Location: /to\r\n", "");
}

static void a_redirect_that_is_followed_takes_the_body_along(void **state)
{
    struct fixture f;
    struct upload *u;

    (void)state;
    parts_begin(&f, (struct http_options){.max_redirects = 1});
    f.server.answer = move;
    u = upload_begin(&f, "/moved", 300000, "");
    run_until(&f, 1);
    assert_arrived(u);
    upload_free(u);
    fixture_end(&f);
}

/* ---- cancelling ---- */

static const char *const stages[][2] = {
    {"/to", ""},         {"/to", "?slow"},  {"/to", "?hang"}, {"/to", "?hold"},
    {"/to?gate", ""},    {"/to?slow", ""},  {"/to?late", ""}, {"/to?early", ""},
    {"/to", "?missing"}, {"/to?reset", ""},
};

enum { STAGES = sizeof(stages) / sizeof(stages[0]) };

static void a_call_can_be_cancelled_at_any_time(void **state)
{
    (void)state;
    for (int i = 0; i < STAGES; i++) {
        struct fixture f;
        parts_begin(&f, (struct http_options){0});
        for (int turns = 0; turns < 12; turns++) {
            struct upload *u = upload_begin(&f, stages[i][0], 2000000, stages[i][1]);
            run_for(&f, turns);
            http_cancel(&u->probe->call);
            run_for(&f, 1);
            assert_in_range(u->probe->dones, 0, 1);
            upload_free(u);
            assert_int_equal(http_pool_running(f.pool), 0);
        }
        fixture_end(&f);
    }
}

static void a_pool_can_be_freed_at_any_time(void **state)
{
    (void)state;
    for (int turns = 0; turns < 12; turns++) {
        struct upload *uploads[STAGES];
        struct fixture f;

        parts_begin(&f, (struct http_options){.max_connections = 6});
        for (int i = 0; i < STAGES; i++)
            uploads[i] = upload_begin(&f, stages[i][0], 2000000, stages[i][1]);
        run_for(&f, turns);
        http_pool_free(f.pool);
        f.pool = NULL;
        for (int i = 0; i < STAGES; i++)
            upload_free(uploads[i]);
        fixture_end(&f);
    }
}

/* ---- in on_done ---- */

static void start_again(struct http_call *call, const struct http_result *result)
{
    struct probe *p = list_entry(call, struct probe, call);

    (void)result;
    p->call.on_done = probe_done;
    probe_start(p);
}

static void a_call_may_be_started_anew_when_it_is_over(void **state)
{
    struct fixture f;
    struct upload *u;

    (void)state;
    parts_begin(&f, (struct http_options){0});
    u = upload_begin(&f, "/to", 300000, "");
    u->probe->call.on_done = start_again;
    run_until(&f, 1);
    assert_arrived(u);
    assert_int_equal(seen.whole, 2);
    upload_free(u);
    fixture_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_part_that_fails_cuts_off_the_body),
        cmocka_unit_test(the_last_byte_waits_for_the_digest),
        cmocka_unit_test(a_part_that_cannot_be_asked_for_says_why),
        cmocka_unit_test(a_silent_part_ends_by_its_own_deadline),
        cmocka_unit_test(an_early_answer_is_delivered_and_the_download_ends),
        cmocka_unit_test(a_connection_that_breaks_is_a_failure_of_the_request),
        cmocka_unit_test(a_server_that_takes_nothing_is_given_up),
        cmocka_unit_test(who_waits_for_a_part_is_not_idle),
        cmocka_unit_test(a_kept_connection_that_died_is_replaced_and_all_sent_again),
        cmocka_unit_test(a_server_that_always_closes_is_not_asked_for_ever),
        cmocka_unit_test(a_session_that_ended_is_renewed_and_all_sent_again),
        cmocka_unit_test(a_redirect_that_is_followed_takes_the_body_along),
        cmocka_unit_test(a_call_can_be_cancelled_at_any_time),
        cmocka_unit_test(a_pool_can_be_freed_at_any_time),
        cmocka_unit_test(a_call_may_be_started_anew_when_it_is_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
