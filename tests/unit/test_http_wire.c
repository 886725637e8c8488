/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/wire.h: requests that pass by libcurl are the same, end the same and are told apart by
 * nothing but their price.
 */
#include "test_http_answers.h"

static const struct http_options direct = {.direct = true}, plain = {.direct = false};

/* A call whose body is kept: only such go by wire. */
static struct probe *kept_new(struct fixture *f, const char *path)
{
    struct probe *p = probe_new(f, path);

    p->call.on_head = NULL;
    p->call.on_data = NULL;
    p->call.keep_max = 8 << 20;
    return p;
}

static struct probe *ask(struct fixture *f, const char *path)
{
    struct probe *p = kept_new(f, path);

    probe_start(p);
    run_until(f, f->done + 1);
    assert_int_equal(p->dones, 1);
    return p;
}

/* ---- the request ---- */

static char *request_to(const struct http_options *options, const char *user, const char *path,
                        const char *method, tr_str body, const struct http_header *headers,
                        size_t count)
{
    struct fixture f;
    struct probe *p;
    char *text, *port;

    fixture_begin(&f, answer, *options);
    p = kept_new(&f, path);
    snprintf(p->url, sizeof(p->url), "HTTP://%s127.0.0.1:%d%s", user, f.server.port, path);
    p->call.method = method;
    p->call.body = body;
    p->call.headers = headers;
    p->call.headers_count = count;
    probe_start(p);
    run_until(&f, 1);
    assert_int_equal(p->end, HTTP_ANSWERED);
    pthread_mutex_lock(&f.server.lock);
    text = str_dup(buf_str(&f.server.log));
    pthread_mutex_unlock(&f.server.lock);
    if ((port = strstr(text, "127.0.0.1:")))
        memset(port + 10, 'p', strspn(port + 10, "0123456789"));
    probe_free(p);
    fixture_end(&f);
    return text;
}

static char *request_of(const struct http_options *options, const char *method, tr_str body,
                        const struct http_header *headers, size_t count)
{
    return request_to(options, "", "/a?b=c%20d#e", method, body, headers, count);
}

static void assert_same_request(const char *method, const char *body,
                                const struct http_header *headers, size_t count)
{
    char *ours = request_of(&direct, method, str_c(body), headers, count);
    char *libcurls = request_of(&plain, method, str_c(body), headers, count);

    assert_string_equal(ours, libcurls);
    free(ours);
    free(libcurls);
}

static void a_request_by_wire_is_the_one_that_libcurl_sends(void **state)
{
    static const char *const methods[] = {NULL,  "GET",    "HEAD",    "POST",
                                          "PUT", "DELETE", "OPTIONS", "PATCH"};
    const struct http_header headers[] = {
        {STR("X-Empty"), STR("")},
        {STR("Content-Type"), STR("application/json")},
        {STR("Authorization"), STR("Bearer x")},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        assert_same_request(methods[i], "", NULL, 0);
        assert_same_request(methods[i], "", headers, 3);
        if (!methods[i] || strcmp(methods[i], "HEAD") != 0)
            assert_same_request(methods[i], "{\"a\":1}", headers, 3);
    }
}

/* libcurl has another order of these. */
static void headers_of_the_call_stand_in_place_of_the_clients_own(void **state)
{
    const struct http_header instead[] = {{STR("user-agent"), STR("mine")},
                                          {STR("ACCEPT"), STR("text/plain")},
                                          {STR("host"), STR("other.example")}};
    char *text = request_of(&direct, "POST", STR("x"), instead, 3);

    (void)state;
    assert_non_null(strstr(text, "user-agent: mine\r\n"));
    assert_non_null(strstr(text, "ACCEPT: text/plain\r\n"));
    assert_non_null(strstr(text, "host: other.example\r\n"));
    assert_null(strstr(text, "User-Agent"));
    assert_null(strstr(text, "*/*"));
    assert_null(strstr(text, "Host:"));
    free(text);
}

static void a_request_by_wire_goes_to_what_the_url_says(void **state)
{
    static const char *const paths[] = {"",
                                        "/",
                                        "?q",
                                        "#f",
                                        "/a/../b/./c",
                                        "//x//",
                                        "/%41%2f%zz",
                                        "/\xc3\xa4?\xc3\xa9=|",
                                        "/a\\b?\\",
                                        "/a?b?c#d?e",
                                        "/a;b=c,d",
                                        "/?a=1&a=\"2\""};
    static const char *const users[] = {"", "user:pass@", "a%40b:c%3Ad@", ":pass@"};
    const struct http_header own = {STR("AUTHORIZATION"), STR("Bearer x")};

    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        for (size_t k = 0; k < sizeof(users) / sizeof(users[0]); k++)
            for (size_t count = 0; count <= 1; count++) {
                char *ours = request_to(&direct, users[k], paths[i], "POST", STR("x"), &own,
                                        count);
                char *libcurls = request_to(&plain, users[k], paths[i], "POST", STR("x"), &own,
                                            count);
                assert_string_equal(ours, libcurls);
                free(ours);
                free(libcurls);
            }
}

static void a_body_goes_out_whole_whatever_its_size(void **state)
{
    static const size_t sizes[] = {1, 4096, 4097, 100000, 5000000};
    struct fixture f;

    (void)state;
    fixture_begin(&f, answer, direct);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct probe *p = kept_new(&f, "/echo");
        char *body = mem_alloc(sizes[i] + 1);
        for (size_t k = 0; k < sizes[i]; k++)
            body[k] = pattern(k);
        body[sizes[i]] = '\0';
        p->call.body = str_n(body, sizes[i]);
        probe_start(p);
        run_until(&f, (int)i + 1);
        assert_int_equal(p->status, 200);
        assert_string_equal(strstr(p->body.ptr, "\r\n\r\n") + 4, body);
        free(body);
        probe_free(p);
    }
    assert_int_equal(server_connections(&f.server), 1);
    fixture_end(&f);
}

/* ---- connections ---- */

static void a_connection_carries_one_request_after_the_other(void **state)
{
    struct fixture f;

    (void)state;
    fixture_begin(&f, answer, direct);
    for (int i = 0; i < 20; i++) {
        struct probe *p = ask(&f, "/echo");
        assert_int_equal(p->end, HTTP_ANSWERED);
        assert_int_equal(p->status, 200);
        probe_free(p);
    }
    assert_int_equal(server_connections(&f.server), 1);
    fixture_end(&f);
}

/* Answers once a connection and then closes: at once, or when the next request comes. */
static void answer_once(struct request *request)
{
    server_reply(request, "200 OK",
                 strcmp(request->path, "/say") == 0 ? "Connection: close\r\n" : "", "x");
    if (strcmp(request->path, "/next") != 0)
        request->close_after = true;
    else
        strcpy(request->path, "");
    if (strcmp(request->path, "") == 0 && server_read(request)) {
        pthread_mutex_lock(&request->server->lock);
        request->server->requests++;
        pthread_mutex_unlock(&request->server->lock);
        request->close_after = true;
    }
}

static void a_connection_that_the_server_closed_is_not_used_again(void **state)
{
    static const char *const paths[] = {"/say", "/silent"};
    struct fixture f;

    (void)state;
    for (int way = 0; way < 2; way++) {
        fixture_begin(&f, answer_once, direct);
        for (int i = 0; i < 3; i++) {
            struct probe *p = ask(&f, paths[way]);
            assert_int_equal(p->end, HTTP_ANSWERED);
            run_for(&f, 10);
            probe_free(p);
        }
        assert_int_equal(server_connections(&f.server), 3);
        assert_int_equal(server_requests(&f.server), 3);
        fixture_end(&f);
    }
}

static void a_request_that_met_the_end_of_its_connection_goes_out_again(void **state)
{
    struct fixture f;
    struct probe *p;

    (void)state;
    fixture_begin(&f, answer_once, direct);
    p = ask(&f, "/next");
    probe_free(p);
    p = ask(&f, "/next");
    assert_int_equal(p->end, HTTP_ANSWERED);
    assert_int_equal(server_connections(&f.server), 2);
    assert_int_equal(server_requests(&f.server), 3);
    probe_free(p);
    fixture_end(&f);
}

static void on_a_new_connection_it_does_not(void **state)
{
    struct fixture f;
    struct probe *p;

    (void)state;
    fixture_begin(&f, answer, direct);
    p = ask(&f, "/nothing");
    assert_int_equal(p->end, HTTP_FAILED);
    assert_int_equal(server_requests(&f.server), 1);
    probe_free(p);
    fixture_end(&f);
}

static void idle_connections_to_one_host_make_room_for_another(void **state)
{
    struct http_options options = {.direct = true, .max_connections = 2};
    struct fixture f, other;

    (void)state;
    fixture_begin(&f, answer, options);
    fixture_begin(&other, answer, options);
    for (int i = 0; i < 3; i++) {
        struct probe *p[4];
        for (int k = 0; k < 4; k++) {
            p[k] = kept_new(&f, "/echo");
            if (k >= 2)
                snprintf(p[k]->url, sizeof(p[k]->url), "http://127.0.0.1:%d/",
                         other.server.port);
            probe_start(p[k]);
        }
        run_until(&f, (i + 1) * 4);
        for (int k = 0; k < 4; k++) {
            assert_int_equal(p[k]->end, HTTP_ANSWERED);
            probe_free(p[k]);
        }
    }
    assert_int_equal(server_requests(&f.server), 6);
    assert_int_equal(server_requests(&other.server), 6);
    fixture_end(&other);
    fixture_end(&f);
}

/* ---- the answer ---- */

static void answer_oddly(struct request *request)
{
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok",
        "220 smtp.example.com ESMTP\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    };

    server_say(request, answers[atoi(request->path + 1)]);
    request->close_after = request->path[1] >= '3';
}

static void odd_answers_are_understood_or_refused(void **state)
{
    struct fixture f;

    (void)state;
    fixture_begin(&f, answer_oddly, direct);
    for (int i = 0; i < 6; i++) {
        char path[] = {'/', (char)('0' + i), '\0'};
        struct probe *p = ask(&f, path);
        assert_int_equal(p->end, i < 4 ? HTTP_ANSWERED : HTTP_FAILED);
        if (i < 4)
            assert_string_equal(p->body.ptr, "ok");
        else
            assert_non_null(strstr(p->error, "does not speak HTTP"));
        probe_free(p);
    }
    /* 0 said more than it was asked for, 3 to 5 closed: 1 and 2 share one with 3. */
    assert_int_equal(server_connections(&f.server), 4);
    fixture_end(&f);
}

static void assert_same_end(const char *path, uint32_t timeout_ms, size_t keep_max)
{
    char error[2][512];
    enum http_end end[2];
    int status[2];
    size_t len[2];

    for (int i = 0; i < 2; i++) {
        struct fixture f;
        struct probe *p;
        char *colon;

        fixture_begin(&f, answer, i ? direct : plain);
        p = kept_new(&f, path);
        p->call.timeout_ms = timeout_ms;
        p->call.keep_max = keep_max;
        p->call.keep_strict = keep_max < 1000;
        probe_start(p);
        run_until(&f, 1);
        snprintf(error[i], sizeof(error[i]), "%s", p->error);
        if ((colon = strstr(error[i], "127.0.0.1:")))
            memset(colon + 10, 'p', strspn(colon + 10, "0123456789"));
        end[i] = p->end;
        status[i] = p->status;
        len[i] = p->body.len;
        probe_free(p);
        fixture_end(&f);
    }
    assert_string_equal(error[1], error[0]);
    assert_int_equal(end[1], end[0]);
    assert_int_equal(status[1], status[0]);
    assert_int_equal(len[1], len[0]);
}

static void a_call_ends_in_the_same_words(void **state)
{
    (void)state;
    assert_same_end("/cut", 0, 8 << 20);
    assert_same_end("/short", 0, 8 << 20);
    assert_same_end("/head", 0, 8 << 20);
    assert_same_end("/nothing", 0, 8 << 20);
    assert_same_end("/big", 0, 8 << 20);
    assert_same_end("/big", 0, 100000);
    assert_same_end("/big", 0, 100);
    assert_same_end("/hang", 50, 8 << 20);
    assert_same_end("/stall", 50, 8 << 20);
    assert_same_end("/busy", 0, 8 << 20);
    assert_same_end("/drip", 0, 8 << 20);
    assert_same_end("/redirect/302?/echo", 0, 8 << 20);
}

static void check_headers(struct http_call *call, const struct http_result *result)
{
    tr_str value;

    assert_true(http_answer_header(call, "x-ONE", &value));
    assert_true(str_eq(value, STR("2")));
    assert_false(http_answer_header(call, "X-Two", &value));
    probe_done(call, result);
}

static void headers_of_the_answer_are_found_and_retry_after_is_read(void **state)
{
    struct fixture f;
    struct probe *p;

    (void)state;
    fixture_begin(&f, answer, direct);
    p = ask(&f, "/busy");
    assert_int_equal(p->retry_after_ms, 7000);
    probe_free(p);
    p = kept_new(&f, "/echo");
    p->call.on_done = check_headers;
    probe_start(p);
    run_until(&f, 2);
    probe_free(p);
    fixture_end(&f);
}

/* ---- what must not be reached, and the end ---- */

static void nobody_gets_around_the_refusal_of_private_addresses(void **state)
{
    static const char *const hosts[] = {"127.0.0.1", "localhost"};
    struct fixture f;

    (void)state;
    fixture_begin(&f, answer, (struct http_options){.direct = true, .deny_private = true});
    for (int i = 0; i < 2; i++) {
        struct probe *p = kept_new(&f, "/");
        snprintf(p->url, sizeof(p->url), "http://%s:%d/", hosts[i], f.server.port);
        probe_start(p);
        run_until(&f, i + 1);
        assert_int_equal(p->end, HTTP_REFUSED);
        probe_free(p);
    }
    assert_int_equal(server_connections(&f.server), 0);
    fixture_end(&f);
}

static void an_unreachable_server_is_named_with_the_reason(void **state)
{
    struct fixture f;
    struct probe *p;

    (void)state;
    fixture_begin(&f, answer, direct);
    p = kept_new(&f, "/");
    snprintf(p->url, sizeof(p->url), "http://127.0.0.1:1/?token=canary");
    probe_start(p);
    assert_int_equal(p->dones, 0);
    run_until(&f, 1);
    assert_int_equal(p->end, HTTP_FAILED);
    assert_string_equal(p->error, "cannot connect to 127.0.0.1:1: Connection refused");
    probe_free(p);
    fixture_end(&f);
}

static void calls_are_cancelled_in_every_state(void **state)
{
    static const char *const paths[] = {"/hang", "/stall", "/echo"};
    struct fixture f;

    (void)state;
    fixture_begin(&f, answer, direct);
    for (int turns = 0; turns < 6; turns++)
        for (int i = 0; i < 3; i++) {
            struct probe *p = kept_new(&f, paths[i]), *next;
            probe_start(p);
            run_for(&f, turns);
            http_cancel(&p->call);
            next = ask(&f, "/echo");
            assert_int_equal(next->status, 200);
            probe_free(p);
            probe_free(next);
            f.done = 0;
        }
    fixture_end(&f);
}

static void freeing_a_pool_ends_calls_in_every_state(void **state)
{
    static const char *const paths[] = {"/hang", "/stall", "/echo", "/echo"};
    struct fixture f;

    (void)state;
    for (int turns = 0; turns < 6; turns++) {
        struct probe *p[4];
        fixture_begin(&f, answer, (struct http_options){.direct = true, .max_connections = 3});
        for (int i = 0; i < 4; i++) {
            p[i] = kept_new(&f, paths[i]);
            probe_start(p[i]);
        }
        run_for(&f, turns);
        http_pool_free(f.pool);
        f.pool = NULL;
        run_for(&f, 2);
        assert_int_equal(p[0]->dones + p[1]->dones, 0);
        for (int i = 0; i < 4; i++) {
            assert_false(http_is_active(&p[i]->call));
            probe_free(p[i]);
        }
        fixture_end(&f);
    }
}

static void calls_that_stream_go_by_libcurl_in_the_same_pool(void **state)
{
    struct fixture f;

    (void)state;
    fixture_begin(&f, answer, direct);
    for (int i = 0; i < 6; i++) {
        struct probe *p = i % 2 ? probe_new(&f, "/big") : kept_new(&f, "/big");
        probe_start(p);
        run_until(&f, i + 1);
        assert_int_equal(p->end, HTTP_ANSWERED);
        assert_int_equal(p->body.len, BIG);
        probe_free(p);
    }
    assert_int_equal(server_connections(&f.server), 2);
    fixture_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_by_wire_is_the_one_that_libcurl_sends),
        cmocka_unit_test(headers_of_the_call_stand_in_place_of_the_clients_own),
        cmocka_unit_test(a_request_by_wire_goes_to_what_the_url_says),
        cmocka_unit_test(a_body_goes_out_whole_whatever_its_size),
        cmocka_unit_test(a_connection_carries_one_request_after_the_other),
        cmocka_unit_test(a_connection_that_the_server_closed_is_not_used_again),
        cmocka_unit_test(a_request_that_met_the_end_of_its_connection_goes_out_again),
        cmocka_unit_test(on_a_new_connection_it_does_not),
        cmocka_unit_test(idle_connections_to_one_host_make_room_for_another),
        cmocka_unit_test(odd_answers_are_understood_or_refused),
        cmocka_unit_test(a_call_ends_in_the_same_words),
        cmocka_unit_test(headers_of_the_answer_are_found_and_retry_after_is_read),
        cmocka_unit_test(nobody_gets_around_the_refusal_of_private_addresses),
        cmocka_unit_test(an_unreachable_server_is_named_with_the_reason),
        cmocka_unit_test(calls_are_cancelled_in_every_state),
        cmocka_unit_test(freeing_a_pool_ends_calls_in_every_state),
        cmocka_unit_test(calls_that_stream_go_by_libcurl_in_the_same_pool),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
