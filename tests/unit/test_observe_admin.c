/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The admin endpoint without an engine: addresses and Host headers, what the loop is asked and
 * how often, and what clients hear when it does not turn.
 */
#include "base/clock.h"
#include "observe/admin.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- addresses ---- */

static int parse(const char *text, struct admin_address *ret_address)
{
    return admin_address_parse(str_c(text), ret_address, NULL);
}

static void addresses_say_who_reaches_them(void **state)
{
    static const struct {
        const char *text;
        int family;
        bool is_loopback;
    } good[] = {
        {"unix:/run/x.sock", AF_UNIX, true}, {"127.0.0.1:9464", AF_INET, true},
        {"127.7.0.1:1", AF_INET, true},      {"localhost:80", AF_INET, true},
        {"0.0.0.0:80", AF_INET, false},      {"10.0.0.1:65535", AF_INET, false},
        {"[::1]:80", AF_INET6, true},        {"[::]:80", AF_INET6, false},
    };
    struct admin_address address;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(parse(good[i].text, &address), 0);
        assert_int_equal(address.at.any.sa_family, good[i].family);
        assert_int_equal(address.is_loopback, good[i].is_loopback);
    }
}

static void what_is_no_address_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "9464",
        ":9464",
        "127.0.0.1",
        "127.0.0.1:0",
        "127.0.0.1:x",
        "127.0.0.1:65536",
        "host.example:80",
        "::1:80",
        "[::1]",
        "[::1]80",
        "[x]:80",
        "[::1",
        "unix:",
        "unix:relative",
        "unix:@name",
        "*:80",
        "127.1:80",
        "127.0.0.1:80 ",
        "unix:/a\nb",
    };
    struct admin_address address = {.size = 77};
    char text[200];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(parse(bad[i], &address), ERR_CONFIG);
    snprintf(text, sizeof(text), "unix:/%0120d", 1);
    assert_int_equal(parse(text, &address), ERR_CONFIG);
    assert_int_equal(address.size, 77);
}

static void a_host_is_an_address_or_a_name_that_was_given(void **state)
{
    static const char *const hosts[] = {"metrics.example.com", NULL};
    static const char *const good[] = {
        "localhost", "LOCALHOST:9464",          "127.0.0.1", "10.1.2.3:80", "[::1]:80",
        "[fe80::1]", "Metrics.Example.com:9464"};
    static const char *const bad[] = {"",
                                      "evil.example",
                                      "localhost.evil.example",
                                      "127.0.0.1.evil.example",
                                      "[::1].evil.example",
                                      "::1",
                                      "127.0.0.1:80:80",
                                      "localhost:",
                                      "metrics.example.com.",
                                      "user@localhost"};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(admin_address_is_host(str_c(good[i]), hosts));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(admin_address_is_host(str_c(bad[i]), hosts));
    assert_false(admin_address_is_host(STR("metrics.example.com"), NULL));
}

/* ---- an endpoint ---- */

static struct loop *loop;
static struct admin *admin;
static char dir[64], path[128];
static int rendered[ADMIN_DOCUMENTS];

static bool render(void *ctx, enum admin_document document, struct buf *out)
{
    (void)ctx;
    buf_addf(out, "document %d for the %d. time\n", (int)document, ++rendered[document]);
    return document != ADMIN_READY;
}

static int set_up(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/tailrace-test-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "unix:%s/a.sock", dir);
    memset(rendered, 0, sizeof(rendered));
    admin = NULL;
    return loop_new(&loop, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    admin_free(admin);
    loop_free(loop);
    return rmdir(dir); /* nothing is left in there                                          */
}

static int start(int64_t deadline_ms, struct error *error)
{
    struct admin_options options = {.loop = loop, .deadline_ms = deadline_ms, .render = render};

    assert_int_equal(parse(path, &options.address), 0);
    return admin_new(&options, &admin, error);
}

static int ask(const char *line)
{
    struct admin_address address;
    char text[256];
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int n = snprintf(text, sizeof(text), "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                     line);

    assert_int_equal(parse(path, &address), 0);
    assert_int_equal(connect(fd, &address.at.any, address.size), 0);
    assert_int_equal(write(fd, text, (size_t)n), n);
    return fd;
}

/* The whole answer; the loop turns meanwhile, or not. */
static const char *answer(int fd, bool turns)
{
    static char text[8192];
    size_t len = 0;
    int64_t end = clock_ms() + 60000;
    ssize_t n = -1;

    while (n != 0 && clock_ms() < end) {
        if (turns)
            loop_turn(loop, 1);
        else
            usleep(1000);
        n = read(fd, text + len, sizeof(text) - 1 - len);
        len += n > 0 ? (size_t)n : 0;
    }
    assert_int_equal(n, 0);
    text[len] = '\0';
    close(fd);
    return text;
}

static void the_loop_makes_what_is_asked_for(void **state)
{
    const char *text;

    (void)state;
    assert_int_equal(start(60000, NULL), 0);
    text = answer(ask("GET /status"), true);
    assert_non_null(strstr(text, "HTTP/1.1 200 "));
    assert_non_null(strstr(text, "document 2 for the 1. time\n"));
    text = answer(ask("GET /readyz"), true);
    assert_non_null(strstr(text, "HTTP/1.1 503 "));
    assert_non_null(strstr(text, "document 1 for the 1. time\n"));
    text = answer(ask("GET /metrics"), true);
    assert_non_null(strstr(text, "document 3 for the 1. time\n"));
    assert_non_null(strstr(text, "\nprocess_cpu_seconds_total "));
    assert_int_equal(rendered[ADMIN_HEALTH], 0);
}

static void a_loop_that_does_not_turn_is_told_of(void **state)
{
    const char *text;

    (void)state;
    assert_int_equal(start(20, NULL), 0);
    for (int i = 0; i < 3; i++) {
        text = answer(ask("GET /healthz"), false);
        assert_non_null(strstr(text, "HTTP/1.1 503 "));
        assert_non_null(strstr(text, "does not turn"));
    }
    assert_int_equal(rendered[ADMIN_HEALTH], 0);
    loop_turn(loop, 0);
    assert_int_equal(rendered[ADMIN_HEALTH], 1);
}

static void the_page_needs_no_loop(void **state)
{
    const char *text;

    (void)state;
    assert_int_equal(start(20, NULL), 0);
    text = answer(ask("GET /"), false);
    assert_non_null(strstr(text, "HTTP/1.1 200 "));
    assert_non_null(strstr(text, "<title>tailrace</title>"));
}

static void many_who_ask_at_once_cost_the_loop_little(void **state)
{
    enum { CLIENTS = 20 };
    int fds[CLIENTS];

    (void)state;
    assert_int_equal(start(60000, NULL), 0);
    for (int i = 0; i < CLIENTS; i++)
        fds[i] = ask("GET /metrics");
    for (int i = 0; i < CLIENTS; i++)
        assert_non_null(strstr(answer(fds[i], true), "HTTP/1.1 200 "));
    assert_in_range(rendered[ADMIN_METRICS], 1, CLIENTS);
}

static void an_end_waits_for_nobody(void **state)
{
    int fd;

    (void)state;
    assert_int_equal(start(3600000, NULL), 0);
    fd = ask("GET /status");
    usleep(20000); /* it may be waiting for the loop by now, or not                        */
    admin_free(admin);
    admin = NULL;
    (void)answer(fd, false);
    assert_int_equal(rendered[ADMIN_STATUS], 0);
}

static void what_lies_in_its_place_is_judged(void **state)
{
    const char *file = path + strlen("unix:");
    struct admin *first;
    struct error error;
    FILE *other;

    (void)state;
    assert_int_equal(start(20, NULL), 0);
    first = admin;
    assert_int_equal(start(20, &error), ERR_UNAVAIL);
    assert_non_null(strstr(error.text, "another process listens there"));
    admin_free(first);
    admin = NULL;
    other = fopen(file, "w");
    assert_non_null(other);
    fclose(other);
    assert_int_equal(start(20, &error), ERR_CANTCREAT);
    assert_int_equal(unlink(file), 0);
}

static void what_one_that_died_has_left_is_replaced(void **state)
{
    struct admin_address address;
    int fd;

    (void)state;
    assert_int_equal(parse(path, &address), 0);
    assert_int_equal(admin_address_listen(&address, &fd, NULL), 0);
    close(fd); /* and the path stays                                                       */
    assert_int_equal(start(20, NULL), 0);
    assert_non_null(strstr(answer(ask("GET /"), false), "HTTP/1.1 200 "));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_say_who_reaches_them),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(a_host_is_an_address_or_a_name_that_was_given),
        TEST(the_loop_makes_what_is_asked_for),
        TEST(a_loop_that_does_not_turn_is_told_of),
        TEST(the_page_needs_no_loop),
        TEST(many_who_ask_at_once_cost_the_loop_little),
        TEST(an_end_waits_for_nobody),
        TEST(what_lies_in_its_place_is_judged),
        TEST(what_one_that_died_has_left_is_replaced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
