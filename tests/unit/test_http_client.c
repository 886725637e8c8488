/* SPDX-License-Identifier: Apache-2.0 */
/* http/client.h: connections, deadlines, pausing, cancelling and what is kept of an answer. */
#include "test_http_answers.h"

#include "http/pool.h"

static void a_connection_is_used_again(void **state)
{
    struct fixture f;

    (void)state;
    fixture_begin(&f, answer, (struct http_options){0});
    for (int i = 0; i < 5; i++) {
        struct probe *p = probe_new(&f, "/echo");
        p->call.body = STR("{\"a\":1}");
        p->call.on_data = NULL;
        p->call.keep_max = 10000;
        probe_start(p);
        run_until(&f, i + 1);
        assert_int_equal(p->end, HTTP_ANSWERED);
        assert_int_equal(p->status, 200);
        assert_int_equal(strncmp(p->body.ptr, "POST /echo HTTP/1.1\r\n", 21), 0);
        assert_non_null(strstr(p->body.ptr, "\r\n\r\n{\"a\":1}"));
        assert_non_null(strstr(p->body.ptr, "User-Agent: tailrace/test\r\n"));
        assert_null(strstr(p->body.ptr, "Expect"));
        assert_null(strstr(p->body.ptr, "Accept-Encoding"));
        assert_null(strstr(p->body.ptr, "form-urlencoded"));
        assert_false(http_is_active(&p->call));
        probe_free(p);
    }
    assert_int_equal(server_connections(&f.server), 1);
    fixture_end(&f);
}

static void assert_sends(struct fixture *f, const char *method, const char *body,
                         const char *line, const char *length)
{
    struct probe *p = probe_new(f, "/m");
    struct http_header headers[] = {{STR("X-Empty"), STR("")}, {STR("X-A"), STR("b; c")}};

    p->call.method = method;
    p->call.body = str_c(body);
    p->call.headers = headers;
    p->call.headers_count = 2;
    probe_start(p);
    run_until(f, f->done + 1);
    assert_int_equal(p->end, HTTP_ANSWERED);
    if (strcmp(line, "HEAD") != 0) {
        assert_int_equal(strncmp(p->body.ptr, line, strlen(line)), 0);
        assert_non_null(strstr(p->body.ptr, "X-A: b; c\r\n"));
        assert_non_null(strstr(p->body.ptr, "X-Empty:\r\n"));
        if (length)
            assert_non_null(strstr(p->body.ptr, length));
        else
            assert_null(strstr(p->body.ptr, "Content-Length"));
    }
    probe_free(p);
}

static void one_handle_sends_every_method_after_every_other(void **state)
{
    struct fixture f;

    (void)state;
    fixture_begin(&f, answer, (struct http_options){.max_connections = 1});
    for (int i = 0; i < 2; i++) {
        assert_sends(&f, NULL, "", "GET ", NULL);
        assert_sends(&f, NULL, "x", "POST ", "Content-Length: 1\r\n");
        assert_sends(&f, "HEAD", "", "HEAD", NULL);
        assert_sends(&f, "PUT", "", "PUT ", "Content-Length: 0\r\n");
        assert_sends(&f, "DELETE", "", "DELETE ", NULL);
        assert_sends(&f, "PATCH", "xy", "PATCH ", "Content-Length: 2\r\n");
        assert_sends(&f, "GET", "", "GET ", NULL);
    }
    assert_int_equal(server_connections(&f.server), 1);
    fixture_end(&f);
}

static void a_paused_answer_loses_and_repeats_no_byte(void **state)
{
    struct fixture f;

    (void)state;
    fixture_begin(&f, answer, (struct http_options){0});
    for (int every = 1; every <= 3; every++) {
        struct probe *p = probe_new(&f, "/big");
        int pauses = 0;
        p->pause_every = every;
        p->call.read_size = every == 2 ? 256 * 1024 : 0;
        probe_start(p);
        for (int64_t end = clock_ms() + 30000; f.done < every && clock_ms() < end; pauses++) {
            size_t before = p->body.len;
            int pieces = p->pieces;
            run_for(&f, 1);
            /* However much lies in the socket: a pause holds until it is lifted. */
            if (pieces && p->body.len == before && f.done < every)
                http_resume(&p->call);
        }
        assert_int_equal(p->end, HTTP_ANSWERED);
        assert_int_equal(p->dones, 1);
        assert_int_equal(p->body.len, BIG);
        for (size_t i = 0; i < BIG; i++)
            assert_int_equal(p->body.ptr[i], pattern(i));
        assert_true(pauses > 1);
        probe_free(p);
    }
    fixture_end(&f);
}

static void a_gathered_answer_loses_and_repeats_no_byte(void **state)
{
    static const char *const paths[] = {"/big", "/drip", "/cut"};
    struct fixture f;

    (void)state;
    fixture_begin(&f, answer, (struct http_options){0});
    for (int i = 0; i < 3; i++) {
        struct probe *p = probe_new(&f, paths[i]);
        p->call.gather_ms = 200; /* longer than the pauses of /drip: they are waited out */
        probe_start(p);
        run_until(&f, i + 1);
        assert_int_equal(p->dones, 1);
        assert_int_equal(p->end, i == 2 ? HTTP_FAILED : HTTP_ANSWERED);
        assert_int_equal(p->body.len, i == 1 ? 12 : BIG);
        for (size_t at = 0; i != 1 && at < BIG; at++)
            assert_int_equal(p->body.ptr[at], pattern(at));
        probe_free(p);
    }
    fixture_end(&f);
}

static void nothing_comes_while_paused(void **state)
{
    struct fixture f;
    struct probe *p, *other;
    size_t before;

    (void)state;
    fixture_begin(&f, answer, (struct http_options){0});
    p = probe_new(&f, "/big");
    other = probe_new(&f, "/big");
    p->call.idle_ms = 30;
    probe_start(p);
    while (p->body.len == 0)
        run_for(&f, 1);
    http_pause(&p->call);
    before = p->body.len;
    probe_start(other);
    run_until(&f, 1); /* the other one is not held up                                      */
    usleep(60000);
    run_for(&f, 5);
    assert_int_equal(p->body.len, before);
    assert_int_equal(p->dones, 0);
    p->call.idle_ms = 5000;
    http_resume(&p->call);
    assert_int_equal(p->body.len, before);
    run_until(&f, 2);
    assert_int_equal(p->body.len, BIG);
    assert_int_equal(other->body.len, BIG);
    probe_free(p);
    probe_free(other);
    fixture_end(&f);
}

static void assert_times_out(const char *path, uint32_t total, uint32_t first, uint32_t idle,
                             const char *words)
{
    struct fixture f;
    struct probe *p;

    fixture_begin(&f, answer, (struct http_options){0});
    p = probe_new(&f, path);
    p->call.timeout_ms = total;
    p->call.first_byte_ms = first;
    p->call.idle_ms = idle;
    probe_start(p);
    run_until(&f, 1);
    assert_int_equal(p->end, HTTP_TIMED_OUT);
    assert_non_null(strstr(p->error, words));
    assert_int_equal(p->dones, 1);
    probe_free(p);
    fixture_end(&f);
}

static void every_deadline_ends_a_call_with_its_own_words(void **state)
{
    (void)state;
    assert_times_out("/hang", 50, 0, 0, "did not answer whole within 50 ms");
    assert_times_out("/stall", 50, 10000, 10000, "did not answer whole within 50 ms");
    assert_times_out("/hang", 10000, 50, 0, "did not begin to answer within 50 ms");
    assert_times_out("/stall", 10000, 5000, 50, "sent nothing for 50 ms");
}

static void a_quiet_feed_that_still_drips_lives(void **state)
{
    struct fixture f;
    struct probe *p;

    (void)state;
    fixture_begin(&f, answer, (struct http_options){0});
    p = probe_new(&f, "/drip");
    p->call.first_byte_ms = 400; /* shorter than the whole answer takes                    */
    p->call.idle_ms = 400;
    probe_start(p);
    run_until(&f, 1);
    assert_int_equal(p->end, HTTP_ANSWERED);
    assert_int_equal(p->body.len, 12);
    probe_free(p);
    fixture_end(&f);
}

static void a_cut_answer_is_a_failure_that_says_so(void **state)
{
    static const char *const paths[] = {"/cut", "/short", "/head", "/nothing"};
    struct fixture f;

    (void)state;
    fixture_begin(&f, answer, (struct http_options){0});
    for (int i = 0; i < 4; i++) {
        struct probe *p = probe_new(&f, paths[i]);
        probe_start(p);
        run_until(&f, i + 1);
        assert_int_equal(p->end, HTTP_FAILED);
        assert_non_null(strstr(p->error, "127.0.0.1:"));
        probe_free(p);
    }
    fixture_end(&f);
}

static void an_unreachable_server_is_named_with_the_reason(void **state)
{
    struct fixture f;
    struct probe *p;

    (void)state;
    fixture_begin(&f, answer, (struct http_options){0});
    p = probe_new(&f, "/");
    snprintf(p->url, sizeof(p->url), "http://127.0.0.1:1/?token=canary");
    probe_start(p);
    assert_int_equal(p->dones, 0);
    run_until(&f, 1);
    assert_int_equal(p->end, HTTP_FAILED);
    assert_string_equal(p->error, "cannot connect to 127.0.0.1:1: Connection refused");
    probe_free(p);
    fixture_end(&f);
}

static void no_more_calls_run_than_allowed_and_the_rest_go_in_order(void **state)
{
    struct fixture f;
    struct probe *p[9];

    (void)state;
    fixture_begin(&f, answer, (struct http_options){.max_connections = 3});
    for (int i = 0; i < 9; i++) {
        p[i] = probe_new(&f, "/hang");
        probe_start(p[i]);
    }
    assert_int_equal(http_pool_running(f.pool), 3);
    assert_int_equal(http_pool_waiting(f.pool), 6);
    while (server_requests(&f.server) < 3)
        run_for(&f, 1);
    run_for(&f, 5);
    assert_int_equal(server_requests(&f.server), 3);
    assert_null(p[3]->call.slot);
    server_release(&f.server);
    run_until(&f, 9);
    for (int i = 0; i < 9; i++) {
        assert_int_equal(p[i]->end, HTTP_ANSWERED);
        probe_free(p[i]);
    }
    assert_int_equal(f.server.most_inside, 3);
    assert_int_equal(http_pool_running(f.pool) + http_pool_waiting(f.pool), 0);
    fixture_end(&f);
}

static void a_cancelled_call_is_never_heard_of_again(void **state)
{
    struct fixture f;
    struct probe *run, *wait, *head, *data, *none, *last;

    (void)state;
    fixture_begin(&f, answer, (struct http_options){.max_connections = 1});
    run = probe_new(&f, "/hang");
    wait = probe_new(&f, "/echo");
    head = probe_new(&f, "/big");
    data = probe_new(&f, "/big");
    none = probe_new(&f, "/echo");
    last = probe_new(&f, "/echo");
    head->cancel_in_head = true;
    data->cancel_in_data = true;
    http_cancel(&none->call);
    probe_start(run);
    probe_start(wait);
    probe_start(head);
    probe_start(data);
    probe_start(last);
    http_cancel(&wait->call);
    while (server_requests(&f.server) < 1)
        run_for(&f, 1);
    http_cancel(&run->call);
    http_cancel(&run->call);
    probe_free(run);
    run_until(&f, 1); /* the last                                                          */
    assert_int_equal(last->status, 200);
    assert_int_equal(head->heads + data->heads, 2);
    assert_int_equal(wait->heads + wait->dones + head->dones + data->dones, 0);
    assert_true(data->body.len > 0 && data->body.len <= 16384);
    probe_free(wait);
    probe_free(head);
    probe_free(data);
    probe_free(none);
    probe_free(last);
    fixture_end(&f);
}

static void freeing_a_pool_ends_calls_in_every_state(void **state)
{
    struct fixture f;
    struct probe *p[4];

    (void)state;
    fixture_begin(&f, answer, (struct http_options){.max_connections = 3});
    p[0] = probe_new(&f, "/hang");
    p[1] = probe_new(&f, "/big");
    p[1]->pause_every = 1;
    p[2] = probe_new(&f, "/stall");
    p[3] = probe_new(&f, "/echo");
    for (int i = 0; i < 4; i++)
        probe_start(p[i]);
    while (p[1]->body.len == 0 || p[2]->body.len == 0)
        run_for(&f, 1);
    http_resume(&p[1]->call);
    http_pool_free(f.pool);
    f.pool = NULL;
    run_for(&f, 3);
    assert_int_equal(f.done, 0);
    for (int i = 0; i < 4; i++) {
        assert_false(http_is_active(&p[i]->call));
        probe_free(p[i]);
    }
    fixture_end(&f);
}

static void a_kept_body_is_bounded(void **state)
{
    struct fixture f;
    struct probe *p;

    (void)state;
    fixture_begin(&f, answer, (struct http_options){0});
    p = probe_new(&f, "/big");
    p->call.on_data = NULL;
    p->call.keep_max = 1000;
    probe_start(p);
    run_until(&f, 1);
    assert_int_equal(p->end, HTTP_ANSWERED);
    assert_int_equal(p->body.len, 1000);
    assert_true(p->body_cut);
    p->call.keep_strict = true;
    probe_start(p);
    run_until(&f, 2);
    assert_int_equal(p->end, HTTP_TOO_LONG);
    probe_free(p);
    fixture_end(&f);
}

static void retry_after_is_read_in_both_forms_and_capped(void **state)
{
    int64_t wall = 1445412480000; /* Wed, 21 Oct 2015 07:28:00 GMT                         */
    struct fixture f;
    struct probe *p;

    (void)state;
    assert_int_equal(http_retry_after(STR("120"), wall), 120000);
    assert_int_equal(http_retry_after(STR(" 0 "), wall), 0);
    assert_int_equal(http_retry_after(STR("99999999999999999999"), wall), 3600000);
    assert_int_equal(http_retry_after(STR("Wed, 21 Oct 2015 07:28:30 GMT"), wall), 30000);
    assert_int_equal(http_retry_after(STR("Wednesday, 21-Oct-15 07:28:30 GMT"), wall), 30000);
    assert_int_equal(http_retry_after(STR("Wed Oct 21 07:28:30 2015"), wall), 30000);
    assert_int_equal(http_retry_after(STR("Wed, 21 Oct 2014 07:28:30 GMT"), wall), 0);
    assert_int_equal(http_retry_after(STR("Wed, 21 Oct 2020 07:28:30 GMT"), wall), 3600000);
    assert_int_equal(http_retry_after(STR("-5"), wall), 0);
    assert_int_equal(http_retry_after(STR("12x"), wall), 0);
    assert_int_equal(http_retry_after(STR(""), wall), 0);
    fixture_begin(&f, answer, (struct http_options){0});
    p = probe_new(&f, "/busy");
    probe_start(p);
    run_until(&f, 1);
    assert_int_equal(p->status, 429);
    assert_int_equal(p->retry_after_ms, 7000);
    probe_free(p);
    fixture_end(&f);
}

static void check_header(struct http_call *call, const struct http_result *result)
{
    tr_str value;

    assert_true(http_answer_header(call, "x-ONE", &value));
    assert_true(str_eq(value, STR("2")));
    assert_false(http_answer_header(call, "X-Two", &value));
    probe_done(call, result);
}

static void headers_of_the_answer_are_found_in_any_case(void **state)
{
    struct fixture f;
    struct probe *p;

    (void)state;
    fixture_begin(&f, answer, (struct http_options){0});
    p = probe_new(&f, "/echo");
    p->call.on_done = check_header;
    probe_start(p);
    run_until(&f, 1);
    probe_free(p);
    fixture_end(&f);
}

static void start_again(struct http_call *call, const struct http_result *result)
{
    struct probe *p = list_entry(call, struct probe, call);

    probe_done(call, result);
    if (p->fixture->done < 10)
        probe_start(p);
}

static void a_call_may_start_itself_again_when_it_is_over(void **state)
{
    struct fixture f;
    struct probe *p;

    (void)state;
    fixture_begin(&f, answer, (struct http_options){0});
    p = probe_new(&f, "/echo");
    p->call.on_done = start_again;
    p->call.on_head = NULL;
    p->call.on_data = NULL;
    probe_start(p);
    run_until(&f, 10);
    assert_int_equal(p->dones, 10);
    assert_int_equal(server_requests(&f.server), 10);
    assert_int_equal(server_connections(&f.server), 1);
    probe_free(p);
    fixture_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_is_used_again),
        cmocka_unit_test(one_handle_sends_every_method_after_every_other),
        cmocka_unit_test(a_paused_answer_loses_and_repeats_no_byte),
        cmocka_unit_test(a_gathered_answer_loses_and_repeats_no_byte),
        cmocka_unit_test(nothing_comes_while_paused),
        cmocka_unit_test(every_deadline_ends_a_call_with_its_own_words),
        cmocka_unit_test(a_quiet_feed_that_still_drips_lives),
        cmocka_unit_test(a_cut_answer_is_a_failure_that_says_so),
        cmocka_unit_test(an_unreachable_server_is_named_with_the_reason),
        cmocka_unit_test(no_more_calls_run_than_allowed_and_the_rest_go_in_order),
        cmocka_unit_test(a_cancelled_call_is_never_heard_of_again),
        cmocka_unit_test(freeing_a_pool_ends_calls_in_every_state),
        cmocka_unit_test(a_kept_body_is_bounded),
        cmocka_unit_test(retry_after_is_read_in_both_forms_and_capped),
        cmocka_unit_test(headers_of_the_answer_are_found_in_any_case),
        cmocka_unit_test(a_call_may_start_itself_again_when_it_is_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
