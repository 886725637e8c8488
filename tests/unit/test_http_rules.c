/* SPDX-License-Identifier: Apache-2.0 */
/* http/client.h: what is never sent, where nothing goes, and what goes with a redirect. */
#include "test_http_answers.h"

static void control_bytes_are_refused_before_anything_is_sent(void **state)
{
    const struct {
        tr_str name, value;
    } bad[] = {{STR("X"), STR("a\r\nY: b")},
               {STR("X"), STR("a\nb")},
               {STR("X"), STR("a\tb")},
               {STR("X"), STR("a\0b")},
               {STR("X\r\nY"), STR("")},
               {STR("X:"), STR("")},
               {STR(""), STR("a")},
               {STR("X"), STR("\x7f")},
               {STR("X Y"), STR("")},
               {STR("content-length"), STR("5")},
               {STR("Transfer-Encoding"), STR("chunked")}};
    static const char *const methods[] = {"GE T", "GET\r\nX: y", "", "CONNECT"};
    struct fixture f;
    struct probe *p;

    (void)state;
    fixture_begin(&f, answer, (struct http_options){0});
    p = probe_new(&f, "/");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct http_header header = {bad[i].name, bad[i].value};
        p->call.headers = &header;
        p->call.headers_count = 1;
        assert_int_equal(http_start(f.pool, &p->call, NULL), ERR_CONFIG);
    }
    p->call.headers = (struct http_header[]){{STR("Host"), STR("a")}, {STR("host"), STR("b")}};
    p->call.headers_count = 2;
    assert_int_equal(http_start(f.pool, &p->call, NULL), ERR_CONFIG);
    p->call.headers_count = 0;
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        p->call.method = methods[i];
        assert_int_equal(http_start(f.pool, &p->call, NULL), ERR_CONFIG);
    }
    p->call.method = NULL;
    for (const char *at = " \r\n\t\x7f"; *at; at++) {
        sprintf(strrchr(p->url, '/'), "/%cx", *at);
        assert_int_equal(http_start(f.pool, &p->call, NULL), ERR_CONFIG);
    }
    p->call.url = "file:///etc/passwd";
    assert_int_equal(http_start(f.pool, &p->call, NULL), ERR_CONFIG);
    assert_false(http_is_active(&p->call));
    assert_int_equal(p->dones, 0);
    assert_int_equal(server_connections(&f.server), 0);
    probe_free(p);
    fixture_end(&f);
}

static struct probe *get_redirected(struct fixture *f, const char *path, const char *method)
{
    const struct http_header headers[] = {{STR("X-Secret"), STR("canary")},
                                          {STR("Content-Type"), STR("text/x")},
                                          {STR("Authorization"), STR("canary")},
                                          {STR("Cookie"), STR("canary")}};
    struct probe *p = probe_new(f, path);

    p->call.method = method;
    p->call.body = str_c(strcmp(method, "GET") == 0 ? "" : "body");
    p->call.headers = headers;
    p->call.headers_count = 4;
    probe_start(p);
    run_until(f, f->done + 1);
    assert_int_equal(p->heads, 1);
    return p;
}

static void a_redirect_is_an_answer_unless_following_was_asked_for(void **state)
{
    struct fixture f;
    struct probe *p;

    (void)state;
    fixture_begin(&f, answer, (struct http_options){0});
    p = get_redirected(&f, "/redirect/302?/echo", "GET");
    assert_int_equal(p->status, 302);
    assert_string_equal(p->body.ptr, "moved");
    assert_int_equal(server_requests(&f.server), 1);
    probe_free(p);
    fixture_end(&f);
}

static void redirects_are_followed_three_times_at_most(void **state)
{
    struct fixture f;
    struct probe *p;

    (void)state;
    fixture_begin(&f, answer, (struct http_options){.max_redirects = 50});
    p = get_redirected(&f, "/redirect/302?/redirect/301?/redirect/307?/echo", "GET");
    assert_int_equal(p->status, 200);
    assert_non_null(strstr(p->body.ptr, "X-Secret: canary"));
    probe_free(p);
    p = get_redirected(&f, "/redirect/302?/redirect/302?/redirect/302?/redirect/302?/echo",
                       "GET");
    assert_int_equal(p->status, 302);
    assert_int_equal(server_requests(&f.server), 8);
    probe_free(p);
    fixture_end(&f);
}

static void a_redirected_post_keeps_its_body_only_where_it_should(void **state)
{
    struct fixture f;
    struct probe *p;

    (void)state;
    fixture_begin(&f, answer, (struct http_options){.max_redirects = 1});
    p = get_redirected(&f, "/redirect/307?/echo", "POST");
    assert_int_equal(strncmp(p->body.ptr, "POST /echo", 10), 0);
    assert_non_null(strstr(p->body.ptr, "\r\n\r\nbody"));
    probe_free(p);
    p = get_redirected(&f, "/redirect/303?/echo", "POST");
    assert_int_equal(strncmp(p->body.ptr, "GET /echo", 9), 0);
    assert_null(strstr(p->body.ptr, "\r\n\r\nbody"));
    probe_free(p);
    fixture_end(&f);
}

static void credentials_never_follow_a_redirect_to_another_origin(void **state)
{
    struct server other;
    struct fixture f;
    struct probe *p;
    char path[128];

    (void)state;
    server_start(&other, answer);
    fixture_begin(&f, answer, (struct http_options){.max_redirects = 3});
    snprintf(path, sizeof(path), "/redirect/307?http://u:p@127.0.0.1:%d/echo", other.port);
    p = get_redirected(&f, path, "POST");
    assert_int_equal(p->status, 200);
    assert_int_equal(server_requests(&other), 1);
    assert_false(server_saw(&other, "canary"));
    assert_false(server_saw(&other, "Authorization"));
    assert_true(server_saw(&other, "Content-Type: text/x"));
    probe_free(p);
    fixture_end(&f);
    server_stop(&other);
}

static void a_redirect_to_another_scheme_is_not_followed(void **state)
{
    struct fixture f;
    struct probe *p;

    (void)state;
    fixture_begin(&f, answer, (struct http_options){.max_redirects = 3});
    p = get_redirected(&f, "/redirect/302?file:///etc/passwd", "GET");
    assert_true(p->end != HTTP_ANSWERED || p->status == 302);
    probe_free(p);
    p = get_redirected(&f, "/redirect/302?/echo", "GET");
    assert_int_equal(p->status, 200);
    probe_free(p);
    fixture_end(&f);
}

static void assert_refused(struct http_pool *pool, struct fixture *f, const char *url)
{
    struct probe *p = probe_new(f, "/");

    p->call.url = url;
    assert_int_equal(http_start(pool, &p->call, NULL), 0);
    run_until(f, f->done + 1);
    assert_int_equal(p->end, HTTP_REFUSED);
    assert_int_equal(p->status, 0);
    assert_non_null(strstr(p->error, "private or link-local"));
    probe_free(p);
}

static void link_local_addresses_are_refused_always(void **state)
{
    static const char *const urls[] = {
        "http://169.254.169.254/latest",    "http://2852039166/",       "http://0xa9fea9fe/",
        "http://[::ffff:169.254.169.254]/", "http://0251.254.169.254/", "http://[fe80::1]/"};
    struct fixture f;

    (void)state;
    fixture_begin(&f, answer, (struct http_options){0});
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++)
        assert_refused(f.pool, &f, urls[i]);
    fixture_end(&f);
}

static void private_addresses_are_refused_on_demand_also_behind_a_name(void **state)
{
    struct fixture f;
    struct http_pool *strict;
    struct probe *p;
    char url[64];

    (void)state;
    fixture_begin(&f, answer, (struct http_options){0});
    assert_int_equal(
        http_pool_new(f.http, &(struct http_options){.deny_private = true, .max_redirects = 1},
                      &strict, NULL),
        0);
    p = probe_new(&f, "/echo");
    probe_start(p);
    run_until(&f, 1); /* now another pool has a connection there                           */
    assert_int_equal(p->status, 200);
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/", f.server.port);
    assert_refused(strict, &f, url);
    snprintf(url, sizeof(url), "http://localhost:%d/", f.server.port);
    assert_refused(strict, &f, url);
    assert_refused(strict, &f, "http://[::1]:1/");
    assert_int_equal(server_connections(&f.server), 1);
    http_pool_free(strict);
    probe_free(p);
    fixture_end(&f);
}

static void the_password_of_the_file_goes_with_the_user_of_the_url(void **state)
{
    char path[] = "/tmp/tailrace-passwords-XXXXXX";
    struct secrets *secrets = secrets_new();
    struct error error;
    struct fixture f;
    struct probe *p;
    int fd = mkstemp(path);

    (void)state;
    dprintf(fd, "{\"127.0.0.1\": {\"aladdin\": \"open sesame\"}}");
    close(fd);
    assert_int_equal(secrets_load(secrets, path, NULL), 0);
    unlink(path);
    fixture_begin(&f, answer, (struct http_options){.secrets = secrets});
    p = probe_new(&f, "/echo");
    snprintf(p->url, sizeof(p->url), "http://aladdin@127.0.0.1:%d/a?q=1&r=2#f", f.server.port);
    probe_start(p);
    run_until(&f, 1);
    assert_non_null(
        strstr(p->body.ptr, "Authorization: Basic YWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"));
    assert_int_equal(strncmp(p->body.ptr, "GET /a?q=1&r=2 HTTP/1.1\r\n", 25), 0);
    snprintf(p->url, sizeof(p->url), "http://jafar@127.0.0.1:%d/", f.server.port);
    assert_int_equal(http_start(f.pool, &p->call, &error), ERR_NOPERM);
    assert_non_null(strstr(error.text, "jafar"));
    probe_free(p);
    fixture_end(&f);
    secrets_free(secrets);
}

static void a_redirect_to_a_link_local_address_is_refused(void **state)
{
    struct fixture f;
    struct probe *p;

    (void)state;
    fixture_begin(&f, answer, (struct http_options){.max_redirects = 3});
    p = probe_new(&f, "/redirect/302?http://0xa9fea9fe/latest");
    probe_start(p);
    run_until(&f, 1);
    assert_int_equal(p->end, HTTP_REFUSED);
    assert_int_equal(p->status, 0);
    assert_int_equal(p->heads, 0);
    probe_free(p);
    fixture_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(control_bytes_are_refused_before_anything_is_sent),
        cmocka_unit_test(a_redirect_is_an_answer_unless_following_was_asked_for),
        cmocka_unit_test(redirects_are_followed_three_times_at_most),
        cmocka_unit_test(a_redirected_post_keeps_its_body_only_where_it_should),
        cmocka_unit_test(credentials_never_follow_a_redirect_to_another_origin),
        cmocka_unit_test(a_redirect_to_another_scheme_is_not_followed),
        cmocka_unit_test(link_local_addresses_are_refused_always),
        cmocka_unit_test(private_addresses_are_refused_on_demand_also_behind_a_name),
        cmocka_unit_test(the_password_of_the_file_goes_with_the_user_of_the_url),
        cmocka_unit_test(a_redirect_to_a_link_local_address_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
