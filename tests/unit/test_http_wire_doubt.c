/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/wire.h: the answer of one request is never taken for another's, and a request goes out a
 * second time only where it may.
 */
#include "test_http_answers.h"

static const struct http_options direct = {.direct = true};

static struct probe *kept_new(struct fixture *f, const char *path)
{
    struct probe *p = probe_new(f, path);

    p->call.on_head = NULL;
    p->call.on_data = NULL;
    p->call.keep_max = 8 << 20;
    return p;
}

static void ask(struct fixture *f, const char *path, enum http_end end, const char *body)
{
    struct probe *p = kept_new(f, path);

    probe_start(p);
    run_until(f, f->done + 1);
    assert_int_equal(p->dones, 1);
    assert_int_equal(p->end, end);
    assert_string_equal(p->body.ptr ? p->body.ptr : "", body);
    probe_free(p);
}

static void count_one_more(struct server *server)
{
    pthread_mutex_lock(&server->lock);
    server->requests++;
    pthread_mutex_unlock(&server->lock);
}

/* ---- what nobody asked for ---- */

/* Answers, and when the gate is open says more than it was asked for. */
static void answer_and_go_on(struct request *request)
{
    server_reply(request, "200 OK", "", request->path);
    if (strcmp(request->path, "/first") != 0)
        return;
    server_wait(request->server);
    server_say(request, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong");
    count_one_more(request->server);
}

static void an_answer_without_a_question_closes_its_connection(void **state)
{
    (void)state;
    /* Seen by the loop, or only when the next request is about to go out. */
    for (int seen = 0; seen < 2; seen++) {
        struct fixture f;

        fixture_begin(&f, answer_and_go_on, direct);
        ask(&f, "/first", HTTP_ANSWERED, "/first");
        server_release(&f.server);
        while (server_requests(&f.server) < 2)
            usleep(1000);
        if (seen)
            run_for(&f, 3);
        ask(&f, "/second", HTTP_ANSWERED, "/second");
        assert_int_equal(server_connections(&f.server), 2);
        fixture_end(&f);
    }
}

/* Announces a body that must not come, and sends it when the gate is open. */
static void answer_with_a_body_too_many(struct request *request)
{
    if (strcmp(request->path, "/first") != 0) {
        server_reply(request, "200 OK", "", request->path);
        return;
    }
    server_say(request, "HTTP/1.1 204 None\r\nContent-Length: 43\r\n\r\n");
    server_wait(request->server);
    server_say(request, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong");
}

static void a_body_that_must_not_come_is_nobodys_answer(void **state)
{
    struct fixture f;

    (void)state;
    fixture_begin(&f, answer_with_a_body_too_many, direct);
    ask(&f, "/first", HTTP_ANSWERED, "");
    server_release(&f.server);
    ask(&f, "/second", HTTP_ANSWERED, "/second");
    assert_int_equal(server_connections(&f.server), 2);
    fixture_end(&f);
}

/* Answers the next request on the connection when it has read only some of it. */
static void answer_half(struct request *request)
{
    char some[1000];

    server_reply(request, "200 OK", "", request->path);
    if (strcmp(request->path, "/first") != 0)
        return;
    if (recv(request->fd, some, sizeof(some), 0) > 0)
        server_reply(request, "413 Much", "", "much");
    server_wait(request->server);
    request->close_after = true;
}

static void an_answer_to_half_a_request_ends_its_connection(void **state)
{
    enum { LONG = 32 << 20 };
    char *body = mem_zero(1, LONG);
    struct fixture f;
    struct probe *p;

    (void)state;
    fixture_begin(&f, answer_half, direct);
    ask(&f, "/first", HTTP_ANSWERED, "/first");
    p = kept_new(&f, "/second");
    p->call.body = str_n(body, LONG);
    probe_start(p);
    run_until(&f, 2);
    assert_int_equal(p->status, 413);
    assert_string_equal(p->body.ptr, "much");
    assert_int_equal(server_connections(&f.server), 1);
    ask(&f, "/third", HTTP_ANSWERED, "/third");
    assert_int_equal(server_connections(&f.server), 2);
    probe_free(p);
    free(body);
    fixture_end(&f);
}

/* ---- once more ---- */

/* The first is answered; of the next so many are lost, in the way that the path says. */
static int lost;

static void answer_or_lose(struct request *request)
{
    int number = server_requests(request->server);

    if (number == 1 || number > 1 + lost || strcmp(request->path, "/after") == 0) {
        if (strcmp(request->path, "/hang") == 0 && number > 1)
            server_wait(request->server);
        server_reply(request, "200 OK", "", "x");
        return;
    }
    if (strcmp(request->path, "/part") == 0)
        server_say(request, "H");
    if (strcmp(request->path, "/informed") == 0)
        server_say(request, "HTTP/1.1 100 Continue\r\n\r\n");
    request->close_after = true;
}

static const struct http_header key = {{"Idempotency-Key", 15}, {"stream/id/rev", 13}};

static struct probe *post_new(struct fixture *f, const char *path)
{
    struct probe *p = kept_new(f, path);

    p->call.method = "POST";
    p->call.body = STR("{\"a\":1}");
    p->call.headers = &key;
    p->call.headers_count = 1;
    return p;
}

static enum http_end post(struct fixture *f, const char *path, uint32_t timeout_ms)
{
    struct probe *p = post_new(f, path);
    enum http_end end;

    p->call.timeout_ms = timeout_ms;
    probe_start(p);
    run_until(f, f->done + 1);
    assert_int_equal(p->dones, 1);
    end = p->end;
    probe_free(p);
    return end;
}

static void begin_with_one(struct fixture *f, const char *path, int to_lose)
{
    lost = to_lose;
    fixture_begin(f, answer_or_lose, direct);
    assert_int_equal(post(f, path, 0), HTTP_ANSWERED);
}

static void what_goes_out_again_is_the_same_to_the_byte(void **state)
{
    struct fixture f;
    size_t third;

    (void)state;
    begin_with_one(&f, "/", 1);
    assert_int_equal(post(&f, "/", 0), HTTP_ANSWERED);
    assert_int_equal(server_requests(&f.server), 3);
    assert_int_equal(server_connections(&f.server), 2);
    third = f.server.log.len / 3;
    assert_memory_equal(f.server.log.ptr + third, f.server.log.ptr + 2 * third, third);
    assert_true(server_saw(&f.server, "Idempotency-Key: stream/id/rev\r\n"));
    fixture_end(&f);
}

static void it_goes_out_again_once_and_no_more(void **state)
{
    struct fixture f;

    (void)state;
    begin_with_one(&f, "/", 2);
    assert_int_equal(post(&f, "/", 0), HTTP_FAILED);
    assert_int_equal(server_requests(&f.server), 3);
    assert_int_equal(server_connections(&f.server), 2);
    fixture_end(&f);
}

static void not_once_more_after_a_byte_of_an_answer(void **state)
{
    static const char *const paths[] = {"/part", "/informed"};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct fixture f;
        begin_with_one(&f, paths[i], 1);
        assert_int_equal(post(&f, paths[i], 0), HTTP_FAILED);
        assert_int_equal(server_requests(&f.server), 2);
        assert_int_equal(server_connections(&f.server), 1);
        fixture_end(&f);
    }
}

static void the_deadline_holds_for_both_times(void **state)
{
    struct fixture f;

    (void)state;
    begin_with_one(&f, "/hang", 1);
    assert_int_equal(post(&f, "/hang", 300), HTTP_TIMED_OUT);
    assert_int_equal(server_requests(&f.server), 3);
    fixture_end(&f);
}

static void it_is_cancelled_whatever_became_of_it(void **state)
{
    (void)state;
    for (int turns = 0; turns < 8; turns++) {
        struct fixture f;
        struct probe *p;

        begin_with_one(&f, "/hang", 1);
        p = post_new(&f, "/hang");
        probe_start(p);
        run_for(&f, turns);
        http_cancel(&p->call);
        assert_int_equal(p->dones, 0);
        assert_int_equal(http_pool_running(f.pool), 0);
        server_release(&f.server);
        ask(&f, "/after", HTTP_ANSWERED, "x");
        probe_free(p);
        fixture_end(&f);
    }
}

/* ---- as libcurl judges ---- */

static const char *const answers[] = {
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "HTTP/1.1 200 OK\r\nHTTP/9: 1 503\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nContent-Length : 1\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n"
    "2\r\nok\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"
    "2\r\nok\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\nX: 1\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nz\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n",
    "HTTP/1.0 200 OK\r\n\r\nok",
    "HTTP/1.1 204 None\r\nContent-Length: 2\r\n\r\n",
    "HTTP/1.1 304 Same\r\nContent-Length: 2\r\n\r\n",
    "HTTP/1.1 205 Reset\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 103 Hint\r\nX: y\r\n\r\nHTTP/1.1 200 OK\r\n\r\nok",
    "HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.7 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "hello",
};

static void answer_from_the_table(struct request *request)
{
    server_say(request, answers[atoi(request->path + 1)]);
    request->close_after = true;
}

static void odd_answers_are_judged_as_by_libcurl(void **state)
{
    struct fixture f[2];

    (void)state;
    fixture_begin(&f[0], answer_from_the_table, direct);
    fixture_begin(&f[1], answer_from_the_table, (struct http_options){0});
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        struct probe *p[2];
        char path[16];

        snprintf(path, sizeof(path), "/%zu", i);
        for (int k = 0; k < 2; k++) {
            p[k] = kept_new(&f[k], path);
            probe_start(p[k]);
            run_until(&f[k], (int)i + 1);
        }
        assert_int_equal(p[0]->end, p[1]->end);
        assert_int_equal(p[0]->status, p[1]->status);
        assert_int_not_equal(p[0]->status, 503); /* that was a header                     */
        assert_true(str_eq(buf_str(&p[0]->body), buf_str(&p[1]->body)));
        probe_free(p[0]);
        probe_free(p[1]);
    }
    fixture_end(&f[0]);
    fixture_end(&f[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_without_a_question_closes_its_connection),
        cmocka_unit_test(a_body_that_must_not_come_is_nobodys_answer),
        cmocka_unit_test(an_answer_to_half_a_request_ends_its_connection),
        cmocka_unit_test(what_goes_out_again_is_the_same_to_the_byte),
        cmocka_unit_test(it_goes_out_again_once_and_no_more),
        cmocka_unit_test(not_once_more_after_a_byte_of_an_answer),
        cmocka_unit_test(the_deadline_holds_for_both_times),
        cmocka_unit_test(it_is_cancelled_whatever_became_of_it),
        cmocka_unit_test(odd_answers_are_judged_as_by_libcurl),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
