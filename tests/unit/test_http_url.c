/* SPDX-License-Identifier: Apache-2.0 */
/* http/url.h and http/address.h: what a URL is, how it is joined and shown, where it may go. */
#include "http/address.h"
#include "http/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void a_url_comes_apart(void **state)
{
    struct url url;

    (void)state;
    assert_int_equal(
        url_parse(STR("HTTPS://tail%40race:p%2Fw@Couch.Example.COM:6984/a/%2F?x=1#f"), &url,
                  NULL),
        0);
    assert_true(url.tls);
    assert_string_equal(url.host, "couch.example.com");
    assert_int_equal(url.port, 6984);
    assert_string_equal(url.user, "tail@race");
    assert_string_equal(url.password, "p/w");
    assert_string_equal(url.origin, "https://couch.example.com:6984");
    assert_string_equal(url.path, "/a/%2F");
    assert_string_equal(url.query, "x=1");
    url_fini(&url);
}

static void the_origin_has_no_default_port_and_brackets_where_needed(void **state)
{
    struct url url;

    (void)state;
    assert_int_equal(url_parse(STR("http://[::1]:80"), &url, NULL), 0);
    assert_string_equal(url.host, "::1");
    assert_string_equal(url.origin, "http://[::1]");
    assert_string_equal(url.path, "/");
    assert_null(url.user);
    url_fini(&url);
}

static void what_is_no_http_url_is_refused_without_showing_its_password(void **state)
{
    static const char *const bad[] = {"",
                                      "couch",
                                      "ftp://u:canary@h/",
                                      "http://",
                                      "http://h:0/",
                                      "http://h:99999/",
                                      "http://u:canary@h/a b",
                                      "http://u:canary@h/\r\nX: y",
                                      "file:///etc/passwd",
                                      "http://u:can/canary@h/",
                                      "http://u:canary%00@h/",
                                      "http://u%0a:canary@h/",
                                      "http://u:canary@h%7f/",
                                      "http://u:canary@h%2541/",
                                      "http://u:canary@127%252E0.0.1/",
                                      "http://u:canary@%3130706433/",
                                      "http:///u:canary@h/",
                                      "http:/u:canary@h/",
                                      "http:////u:canary@h/",
                                      "http://u:canary@"};
    struct error error;
    struct url url;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(url_parse(str_c(bad[i]), &url, &error), -2);
        assert_null(strstr(error.text, "canary"));
    }
    assert_int_equal(url_parse(str_n("http://h/\0x", 11), &url, &error), -2);
}

static void assert_joined(const char *base, const char *db, const char *rest, const char *query,
                          const char *want)
{
    struct buf out = {0};
    struct url url;

    assert_int_equal(url_parse(str_c(base), &url, NULL), 0);
    url_join(&url, str_c(db), str_c(rest), str_c(query), &out);
    assert_string_equal(out.ptr, want);
    buf_fini(&out);
    url_fini(&url);
}

static void a_database_name_is_one_segment(void **state)
{
    (void)state;
    assert_joined("http://u@h:5984/", "a/b+$(c)", "_changes", "feed=normal",
                  "http://u@h:5984/a%2Fb%2B%24%28c%29/_changes?feed=normal");
    assert_joined("http://h/base/?old=1", "db", "", "", "http://h/base/db");
    assert_joined("http://h", "", "_all_dbs", "", "http://h/_all_dbs");
    assert_joined("http://h", "..", "_changes", "", "http://h/%2E%2E/_changes");
    assert_joined("http://a%40b@h", "x?y#z@w", "", "", "http://a%40b@h/x%3Fy%23z%40w");
    assert_joined("http://h", "\xc3\xa9\r\n", "", "", "http://h/%C3%A9%0D%0A");
}

static void a_url_survives_being_written(void **state)
{
    struct buf out = {0};
    struct url url;

    (void)state;
    assert_int_equal(url_parse(STR("http://u%3Av@h:81/p%2Fq?a=b%26"), &url, NULL), 0);
    url_write(&url, &out);
    assert_string_equal(out.ptr, "http://u%3Av@h:81/p%2Fq?a=b%26");
    url_fini(&url);
    buf_fini(&out);
}

static void assert_shown(const char *text, const char *want)
{
    struct buf out = {0};

    url_redact(&out, str_c(text));
    assert_string_equal(out.ptr, want);
    buf_fini(&out);
}

static void passwords_and_secret_parameters_are_never_shown(void **state)
{
    (void)state;
    assert_shown("https://u:canary@h:1/p?since=5&api_key=canary&X-Amz-Signature=canary#canary",
                 "https://u:***@h:1/p?since=5&api_key=***&X-Amz-Signature=***");
    assert_shown("https://u@h/p@q", "https://u@h/p@q");
    assert_shown("http://u:can@nary@h/", "http://u:***@h/");
    assert_shown("http://u:can/canary@h/", "http://u:***@h/");
    assert_shown("http://u:c?a#n@h/", "http://u:***@h/");
    assert_shown("u:canary@h", "u:***@h");
    assert_shown("http://h/?%74oken=canary", "http://h/?%74oken=***");
    assert_shown("http://:canary@h/", "http://:***@h/");
    assert_shown("http://u\\x:canary@h/", "http://u\\x:***@h/");
    assert_shown("http:///u:canary@h/", "http:///u:***@h/");
    assert_shown("http:/u:canary@h/", "http:/u:***@h/");
    assert_shown("http://[::1]:5984/db?flag", "http://[::1]:5984/db?flag");
    assert_shown("", "");
}

static enum address_kind judge(const char *host)
{
    enum address_kind kind = ADDRESS_PUBLIC;

    assert_true(address_judge_text(host, &kind));
    return kind;
}

static void link_local_addresses_are_known_in_every_dress(void **state)
{
    static const char *const spellings[] = {"http://169.254.169.254/",
                                            "http://2852039166/",
                                            "http://0xa9fea9fe/",
                                            "http://0251.0376.0251.0376/",
                                            "http://169.16689662/",
                                            "http://0xa9.254.0251.254/",
                                            "http://[::ffff:169.254.169.254]/",
                                            "http://[::ffff:a9fe:a9fe]/",
                                            "http://[::169.254.169.254]/",
                                            "http://[64:ff9b::a9fe:a9fe]/",
                                            "http://[2002:a9fe:a9fe::1]/",
                                            "http://[fe80::1]/",
                                            "http://[fd00:ec2::254]/",
                                            "http://169.254.169%2e254/"};
    struct url url;

    (void)state;
    for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
        assert_int_equal(url_parse(str_c(spellings[i]), &url, NULL), 0);
        assert_int_equal(judge(url.host), ADDRESS_LOCAL);
        url_fini(&url);
    }
}

static void private_ranges_end_where_they_end(void **state)
{
    static const char *const in[] = {"0.0.0.0",
                                     "0.1.2.3",
                                     "10.0.0.1",
                                     "100.64.0.0",
                                     "100.127.255.255",
                                     "127.0.0.1",
                                     "127.255.255.254",
                                     "172.16.0.0",
                                     "172.31.255.255",
                                     "192.0.0.1",
                                     "192.168.0.1",
                                     "198.18.0.1",
                                     "198.19.255.255",
                                     "224.0.0.1",
                                     "255.255.255.255",
                                     "::",
                                     "::1",
                                     "fc00::1",
                                     "fdff::1",
                                     "fec0::1",
                                     "ff02::1",
                                     "::ffff:10.0.0.1",
                                     "64:ff9b::a00:1",
                                     "2002:a00:1::"};
    static const char *const out[] = {
        "1.1.1.1",        "9.255.255.255", "11.0.0.0",   "100.63.255.255",  "100.128.0.0",
        "126.1.1.1",      "128.0.0.1",     "172.15.0.1", "172.32.0.0",      "192.0.1.1",
        "192.167.1.1",    "198.17.0.1",    "198.20.0.0", "223.255.255.255", "2606:4700::1111",
        "::ffff:8.8.8.8", "169.253.1.1"};
    enum address_kind kind;

    (void)state;
    for (size_t i = 0; i < sizeof(in) / sizeof(in[0]); i++)
        assert_int_equal(judge(in[i]), ADDRESS_PRIVATE);
    for (size_t i = 0; i < sizeof(out) / sizeof(out[0]); i++)
        assert_int_equal(judge(out[i]), ADDRESS_PUBLIC);
    assert_false(address_judge_text("example.com", &kind));
}

static void a_segment_is_decoded_and_a_stray_percent_stays(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, 256);
    assert_true(str_eq(url_decode(STR("a%2Fb%2bc"), &arena), STR("a/b+c")));
    assert_true(str_eq(url_decode(STR("plain"), &arena), STR("plain")));
    assert_true(str_eq(url_decode(STR("100%"), &arena), STR("100%")));
    assert_true(str_eq(url_decode(STR("%zz%2"), &arena), STR("%zz%2")));
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_segment_is_decoded_and_a_stray_percent_stays),
        cmocka_unit_test(a_url_comes_apart),
        cmocka_unit_test(the_origin_has_no_default_port_and_brackets_where_needed),
        cmocka_unit_test(what_is_no_http_url_is_refused_without_showing_its_password),
        cmocka_unit_test(a_database_name_is_one_segment),
        cmocka_unit_test(a_url_survives_being_written),
        cmocka_unit_test(passwords_and_secret_parameters_are_never_shown),
        cmocka_unit_test(link_local_addresses_are_known_in_every_dress),
        cmocka_unit_test(private_ranges_end_where_they_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
