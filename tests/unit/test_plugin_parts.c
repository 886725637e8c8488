/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies in parts by tr.http/1: the plugin of the same name against a small server. It sends
 * nonsense first, each time, and ends the process if a done() is missing when it is closed.
 */
#include "test_http_server.h"
#include "test_plugin_lib.h"

static void serve(struct request *request)
{
    const char *path = request->path;

    if (strncmp(path, "/to", 3) == 0)
        server_reply(request, "201 Created", "", strstr(request->text.ptr, "\r\n\r\n") + 4);
    else if (strcmp(path, "/busy") == 0)
        server_reply(request, "503 Busy", "Retry-After: 3\r\n", "");
    else if (strcmp(path, "/five") == 0)
        server_reply(request, "200 OK", "", "12345");
    else
        server_wait(request->server);
}

static void start(struct bench *b, struct server *server, const char *part, const char *more)
{
    struct buf options = {0};

    server_start(server, serve);
    buf_addf(&options,
             "url = \"http://127.0.0.1:%d/to\"; part = \"http://127.0.0.1:%d/%s\"; %s",
             server->port, server->port, part, more);
    bench_start(b, "parts", options.ptr);
    assert_int_equal(b->error.code, 0);
    buf_fini(&options);
}

static void end(struct bench *b, struct server *server)
{
    bench_end(b);
    server_stop(server);
}

static void a_body_goes_from_one_server_to_the_other(void **state)
{
    struct bench b = {0};
    struct server server;
    struct delivery d;

    (void)state;
    start(&b, &server, "five", "length = 5; digest = \"md5-gnzLDuqKcGxMNKFokfhOew==\";");
    for (int i = 0; i < 5; i++) {
        delivery_settle(&b, &d, 1);
        assert_outcome(&d, TR_OK, "201 0 0 0 0 head12345tail");
        job_fini(&d.job);
    }
    assert_true(server_saw(&server, "Content-Length: 13\r\n"));
    end(&b, &server);
}

static void assert_fails(const char *part, const char *more, const char *said, const char *why)
{
    struct bench b = {0};
    struct server server;
    struct delivery d;

    start(&b, &server, part, more);
    delivery_settle(&b, &d, 1);
    assert_int_equal(d.job.status, TR_REJECT);
    if (strncmp(d.job.message, said, strlen(said)) != 0 || !strstr(d.job.message, why))
        fail_msg("%s", d.job.message);
    job_fini(&d.job);
    end(&b, &server);
}

static void a_request_whose_bytes_stand_still_ends_with_its_batch(void **state)
{
    struct bench b = {.timeout_ms = 50};
    struct server server;
    struct delivery d;

    (void)state;
    start(&b, &server, "never", "length = 5;");
    delivery_settle(&b, &d, 1);
    assert_outcome(&d, TR_REJECT,
                   "0 0 0 0 0 cancelled: the batch is late, its bytes stand still");
    assert_true(d.job.late);
    assert_int_equal(b.wedged, 0);
    job_fini(&d.job);
    end(&b, &server);
}

/* Status, flags, part, its status, when to try again. */
static void a_part_that_fails_is_named(void **state)
{
    (void)state;
    assert_fails("busy", "length = 5;", "0 2 1 503 3000 part 2 of 3", "answered 503");
    assert_fails("five", "length = 6;", "0 6 1 200 0 part 2 of 3", "another length");
    assert_fails("five", "length = 5; digest = \"md5-k7iFrf4NoInN9jSQT9WfcQ==\";",
                 "0 6 1 200 0 part 2 of 3", "digest");
}

static void a_part_whose_address_is_not_allowed_is_refused(void **state)
{
    struct bench b = {0};
    struct server server;
    struct delivery d;

    (void)state;
    server_start(&server, serve);
    char options[200];
    snprintf(options, sizeof(options),
             "url = \"http://127.0.0.1:%d/to\"; part = \"http://169.254.0.1/\"; length = 1;",
             server.port);
    bench_start(&b, "parts", options);
    delivery_settle(&b, &d, 1);
    assert_int_equal(strncmp(d.job.message, "0 3 1 0 0 ", 10), 0);
    job_fini(&d.job);
    end(&b, &server);
}

static void a_cancelled_request_ends_without_an_answer(void **state)
{
    struct bench b = {0};
    struct server server;
    struct delivery d;

    (void)state;
    start(&b, &server, "hang", "length = 5; mode = \"cancel\";");
    delivery_settle(&b, &d, 1);
    assert_outcome(&d, TR_REJECT, "0 0 0 0 0 cancelled");
    job_fini(&d.job);
    end(&b, &server);
}

static void requests_under_way_end_with_the_instance(void **state)
{
    static const char *const parts[] = {"hang", "five"};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct bench b = {0};
        struct server server;
        struct delivery d;
        start(&b, &server, parts[i], "length = 5; mode = \"leave\";");
        for (int n = 0; n < 20; n++) {
            delivery_settle(&b, &d, 1);
            assert_outcome(&d, TR_OK, "left");
            job_fini(&d.job);
        }
        end(&b, &server); /* by close() all twenty done() were called                      */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_goes_from_one_server_to_the_other),
        cmocka_unit_test(a_part_that_fails_is_named),
        cmocka_unit_test(a_request_whose_bytes_stand_still_ends_with_its_batch),
        cmocka_unit_test(a_part_whose_address_is_not_allowed_is_refused),
        cmocka_unit_test(a_cancelled_request_ends_without_an_answer),
        cmocka_unit_test(requests_under_way_end_with_the_instance),
    };

    return cmocka_run_group_tests(tests, place_begin, place_end);
}
