/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tr.http/1 against a small server on loopback. The plugin itself ends the process if a done()
 * is missing when it is closed.
 */
#include "test_http_server.h"
#include "test_plugin_lib.h"

static void greet(struct request *request)
{
    server_reply(request, "200 OK", "", "hello");
}

static void hold(struct request *request)
{
    server_wait(request->server);
    request->close_after = true;
}

static void start(struct bench *b, struct server *server, const char *mode)
{
    char options[128];

    snprintf(options, sizeof(options), "url = \"http://127.0.0.1:%d/x\"; mode = \"%s\";",
             server->port, mode);
    bench_start(b, "http", options);
    assert_int_equal(b->error.code, 0);
}

static void an_answer_comes_back_on_the_worker(void **state)
{
    struct bench b = {0};
    struct server server;
    struct delivery d;

    (void)state;
    server_start(&server, greet);
    start(&b, &server, "wait");
    for (int i = 0; i < 5; i++) {
        delivery_settle(&b, &d, 1);
        assert_outcome(&d, TR_OK, "200 hello");
    }
    bench_end(&b);
    server_stop(&server);
}

static void a_cancelled_request_ends_without_an_answer(void **state)
{
    struct bench b = {0};
    struct server server;
    struct delivery d;

    (void)state;
    server_start(&server, hold);
    start(&b, &server, "cancel");
    delivery_settle(&b, &d, 1);
    assert_outcome(&d, TR_OK, "0 cancelled");
    bench_end(&b);
    server_stop(&server);
}

static void requests_under_way_end_with_the_instance(void **state)
{
    struct bench b = {0};
    struct server server;
    struct delivery d;

    (void)state;
    server_start(&server, hold);
    start(&b, &server, "leave");
    for (int i = 0; i < 20; i++) {
        delivery_settle(&b, &d, 1);
        assert_outcome(&d, TR_OK, "left");
    }
    bench_end(&b);
    server_stop(&server);
}

static void answers_on_the_way_end_with_the_instance(void **state)
{
    (void)state;
    for (int round = 0; round < 50; round++) {
        struct bench b = {0};
        struct server server;
        struct delivery d;

        server_start(&server, greet);
        start(&b, &server, "leave");
        delivery_settle(&b, &d, 1);
        for (int turn = 0; turn < round % 10; turn++)
            loop_turn(b.loop, 1);
        bench_end(&b);
        server_stop(&server);
    }
}

static void a_class_makes_requests(void **state)
{
    struct bench b = {0};
    struct server server;
    struct delivery d;
    char options[96];

    (void)state;
    server_start(&server, greet);
    snprintf(options, sizeof(options), "url = \"http://127.0.0.1:%d/x\";", server.port);
    bench_start(&b, "cxx_http", options);
    assert_int_equal(b.error.code, 0);
    delivery_settle(&b, &d, 1);
    assert_outcome(&d, TR_OK, "200 hello");
    bench_end(&b);
    server_stop(&server);
}

/* The options of its connections are those of the table. */
static void a_class_may_be_kept_from_private_addresses(void **state)
{
    struct bench b = {0};
    struct delivery d;

    (void)state;
    bench_start(&b, "cxx_http", "url = \"http://127.0.0.1:9/x\"; deny_private = true;");
    assert_int_equal(b.error.code, 0);
    delivery_settle(&b, &d, 1);
    assert_int_equal(d.job.status, TR_OK);
    assert_non_null(strstr(d.job.message, "deny_private is on"));
    bench_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_comes_back_on_the_worker),
        cmocka_unit_test(a_cancelled_request_ends_without_an_answer),
        cmocka_unit_test(requests_under_way_end_with_the_instance),
        cmocka_unit_test(answers_on_the_way_end_with_the_instance),
        cmocka_unit_test(a_class_makes_requests),
        cmocka_unit_test(a_class_may_be_kept_from_private_addresses),
    };

    return cmocka_run_group_tests(tests, place_begin, place_end);
}
