/* SPDX-License-Identifier: Apache-2.0 */
/* http/parts.h: bodies that arrive, however slow either side is, in bounded memory. */
#include "test_http_parts_lib.h"

static void bytes_alone_arrive_in_their_order(void **state)
{
    struct fixture f;
    struct upload *u;

    (void)state;
    parts_begin(&f, (struct http_options){0});
    u = upload_new(&f, "/to");
    for (int i = 0; i < 6; i++)
        upload_add_bytes(u, i == 3 ? STR("") : STR("some bytes, and more"));
    upload_start(u, 0);
    run_until(&f, 1);
    assert_arrived(u);
    assert_true(server_saw(&f.server, "PUT /to HTTP/1.1\r\n"));
    assert_true(server_saw(&f.server, "Content-Length: 100\r\n"));
    assert_false(server_saw(&f.server, "Expect"));
    assert_false(server_saw(&f.server, "Transfer-Encoding"));
    upload_free(u);
    fixture_end(&f);
}

static void answers_of_other_requests_stand_in_their_places(void **state)
{
    static const uint64_t lengths[] = {1, 1000, 16384, 262144, 262145, 3000000};
    struct fixture f;
    struct upload *u;

    (void)state;
    parts_begin(&f, (struct http_options){0});
    u = upload_new(&f, "/to");
    for (size_t i = 0; i < 6; i++)
        upload_add(u, lengths[i], "");
    upload_start(u, 0);
    run_until(&f, 1);
    assert_arrived(u);
    assert_int_equal(server_requests(&f.server), 7);
    assert_int_equal(server_connections(&f.server), 2); /* both are kept                    */
    upload_free(u);
    fixture_end(&f);
}

static void an_empty_part_is_not_asked_for(void **state)
{
    struct fixture f;
    struct upload *u;

    (void)state;
    parts_begin(&f, (struct http_options){0});
    u = upload_new(&f, "/to");
    upload_add(u, 0, "?missing");
    upload_add_bytes(u, STR("x"));
    upload_add(u, 0, "?missing");
    upload_start(u, 0);
    run_until(&f, 1);
    assert_arrived(u);
    assert_int_equal(server_requests(&f.server), 1);
    upload_free(u);
    fixture_end(&f);
}

static void a_part_has_headers_and_a_user_of_its_own(void **state)
{
    struct http_header header = {STR("X-Part"), STR("yes")};
    struct fixture f;
    struct upload *u;

    (void)state;
    parts_begin(&f, (struct http_options){0});
    u = upload_new(&f, "/to");
    upload_add(u, 500, "");
    snprintf(u->urls[0], sizeof(u->urls[0]), "http://user:word@localhost:%d/part/500",
             f.server.port);
    u->list[0].headers = &header;
    u->list[0].headers_count = 1;
    upload_start(u, 0);
    run_until(&f, 1);
    assert_arrived(u);
    assert_true(server_saw(&f.server, "GET /part/500 HTTP/1.1\r\n"));
    assert_true(server_saw(&f.server, "Authorization: Basic dXNlcjp3b3Jk\r\n"));
    assert_true(server_saw(&f.server, "X-Part: yes\r\n"));
    pthread_mutex_lock(&f.server.lock);
    assert_null(strstr(strstr(f.server.log.ptr, "PUT /to") + 1, "PUT /to"));
    pthread_mutex_unlock(&f.server.lock);
    upload_free(u);
    fixture_end(&f);
}

static void a_right_digest_passes(void **state)
{
    struct fixture f;
    struct upload *u;

    (void)state;
    parts_begin(&f, (struct http_options){0});
    u = upload_new(&f, "/to");
    upload_add(u, 1, "");
    upload_add(u, 300000, "");
    u->list[0].digest = STR("md5-k7iFrf4NoInN9jSQT9WfcQ=="); /* of a zero byte              */
    upload_start(u, 0);
    run_until(&f, 1);
    assert_arrived(u);
    upload_free(u);
    fixture_end(&f);
}

/* All are slow in their own way. */
static void a_slow_side_is_waited_for(void **state)
{
    static const char *const to[] = {"/to", "/to?slow", "/to?slow"};
    static const char *const part[] = {"?slow", "", "?slow"};
    struct fixture f;

    (void)state;
    parts_begin(&f, (struct http_options){0});
    for (int i = 0; i < 3; i++) {
        struct upload *u = upload_begin(&f, to[i], i == 1 ? 3000000 : 200000, part[i]);
        run_until(&f, i + 1);
        assert_arrived(u);
        upload_free(u);
    }
    fixture_end(&f);
}

/* Turns the loop until nothing moves any more. */
static void run_until_full(struct fixture *f, const struct upload *u)
{
    int64_t end = clock_ms() + 20000;
    uint64_t before;

    do {
        before = u->parts.received;
        run_for(f, 20);
    } while ((u->parts.received > before || before == 0) && clock_ms() < end);
    assert_int_equal(f->done, 0);
}

static void sixty_four_megabytes_need_a_small_buffer(void **state)
{
    struct fixture f;
    struct upload *u;

    (void)state;
    parts_begin(&f, (struct http_options){0});
    u = upload_begin(&f, "/to?gate", 64 << 20, "");
    /* Nobody reads: the buffer is full and stays so, and the download waits. */
    run_until_full(&f, u);
    assert_in_range(u->parts.held, HTTP_PARTS_BUFFER / 2, HTTP_PARTS_BUFFER);
    assert_true(u->parts.received < 32 << 20);
    server_release(&f.server);
    run_until(&f, 1);
    assert_arrived(u);
    upload_free(u);
    fixture_end(&f);
}

static void many_at_once_do_not_wait_for_each_other(void **state)
{
    enum { MANY = 30 };
    struct upload *uploads[MANY];
    struct fixture f;

    (void)state;
    parts_begin(&f, (struct http_options){.max_connections = 2});
    for (int i = 0; i < MANY; i++) {
        uploads[i] = upload_new(&f, "/to");
        for (int k = 0; k < 4; k++)
            upload_add(uploads[i], 50000, "");
        upload_start(uploads[i], 0);
    }
    run_until(&f, MANY);
    for (int i = 0; i < MANY; i++) {
        assert_arrived(uploads[i]);
        upload_free(uploads[i]);
    }
    assert_in_range(seen.most, 2, 4);
    assert_int_equal(http_pool_running(f.pool), 0);
    assert_int_equal(http_pool_waiting(f.pool), 0);
    fixture_end(&f);
}

static void a_handle_that_sent_parts_sends_all_else_as_before(void **state)
{
    struct fixture f;

    (void)state;
    parts_begin(&f, (struct http_options){.max_connections = 1});
    for (int i = 0; i < 2; i++) {
        struct upload *u = upload_begin(&f, "/to", 1000, "");
        struct probe *p = probe_new(&f, "/to");
        p->call.body = STR("abc");
        p->call.method = "PUT";
        probe_start(p);
        run_until(&f, 2 * i + 2);
        assert_arrived(u);
        assert_int_equal(p->status, 201);
        assert_int_equal(strncmp(p->body.ptr, "3 ", 2), 0);
        probe_free(p);
        upload_free(u);
    }
    fixture_end(&f);
}

static void what_cannot_be_a_body_is_refused(void **state)
{
    struct http_part part = {.bytes = STR("")};
    struct http_parts parts;
    struct error error;

    (void)state;
    assert_int_equal(http_parts_init(&parts, &part, 1, 0, &error), ERR_CONFIG);
    assert_int_equal(http_parts_init(&parts, NULL, 0, 0, &error), ERR_CONFIG);
    part = (struct http_part){.url = "http://a/", .length = 1, .digest = STR("sha1-x")};
    assert_int_equal(http_parts_init(&parts, &part, 1, 0, &error), ERR_CONFIG);
    assert_non_null(strstr(error.text, "sha1-x"));
    part = (struct http_part){.url = "http://a/", .length = UINT64_MAX};
    assert_int_equal(http_parts_init(&parts, &part, 1, 0, &error), ERR_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_alone_arrive_in_their_order),
        cmocka_unit_test(answers_of_other_requests_stand_in_their_places),
        cmocka_unit_test(an_empty_part_is_not_asked_for),
        cmocka_unit_test(a_part_has_headers_and_a_user_of_its_own),
        cmocka_unit_test(a_right_digest_passes),
        cmocka_unit_test(a_slow_side_is_waited_for),
        cmocka_unit_test(sixty_four_megabytes_need_a_small_buffer),
        cmocka_unit_test(many_at_once_do_not_wait_for_each_other),
        cmocka_unit_test(a_handle_that_sent_parts_sends_all_else_as_before),
        cmocka_unit_test(what_cannot_be_a_body_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
