/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The local socket: whole documents however slowly they are read, clients that do not behave,
 * and what lies where its file should be.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "observe/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { SMALL = 100, LARGE = 4 << 20 };

static struct loop *loop;
static struct observe_socket *server;
static char dir[64], path[128];
static size_t size; /* of the document                                                      */
static int rendered;

static void render(void *ctx, struct buf *out)
{
    assert_ptr_equal(ctx, &rendered);
    memset(buf_reserve(out, size), 'a' + rendered++, size);
    out->len += size;
}

static int start(int64_t deadline_ms)
{
    struct observe_options options = {.loop = loop,
                                      .dir = dir,
                                      .deadline_ms = deadline_ms,
                                      .render = render,
                                      .ctx = &rendered};

    return observe_socket_new(&options, &server, NULL);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/tailrace-test-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/tailrace.sock", dir);
    size = SMALL;
    rendered = 0;
    server = NULL;
    return loop_new(&loop, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    observe_socket_free(server);
    loop_free(loop);
    return rmdir(dir); /* nothing is left in there                                          */
}

/* ---- a client ---- */

static int reach(void)
{
    struct sockaddr_un address;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(observe_socket_address(dir, &address, NULL), 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* Takes what is there, `most` bytes at a time; false: the other side has closed. */
static bool take(int fd, size_t most, size_t *ret_taken)
{
    static char bytes[1 << 16];
    ssize_t n = read(fd, bytes, most < sizeof(bytes) ? most : sizeof(bytes));

    *ret_taken = 0;
    if (n < 0 && errno == EAGAIN)
        return true;
    for (ssize_t i = 1; i < n; i++)
        assert_int_equal(bytes[i], bytes[0]);
    if (n > 0)
        *ret_taken = (size_t)n;
    return n > 0;
}

/* Reads to the end while the loop turns; gives how much there was. */
static size_t read_all(int fd, size_t most)
{
    int64_t end = clock_ms() + 60000;
    size_t sum = 0, taken;

    do {
        loop_turn(loop, 0);
        assert_true(clock_ms() < end);
        if (!take(fd, most, &taken))
            break;
        sum += taken;
    } while (true);
    close(fd);
    return sum;
}

static void turn(int times)
{
    while (times-- > 0)
        loop_turn(loop, 1);
}

/* ---- documents ---- */

static void a_client_reads_a_document_and_its_end(void **state)
{
    (void)state;
    assert_int_equal(start(0), 0);
    assert_int_equal(read_all(reach(), SMALL), SMALL);
    assert_int_equal(rendered, 1);
}

static void each_client_has_a_document_of_its_own_moment(void **state)
{
    int first, second;

    (void)state;
    assert_int_equal(start(0), 0);
    first = reach();
    second = reach();
    assert_int_equal(read_all(second, SMALL), SMALL);
    assert_int_equal(read_all(first, SMALL), SMALL);
    assert_int_equal(rendered, 2);
}

static void a_slow_reader_has_all_of_it(void **state)
{
    (void)state;
    size = LARGE;
    assert_int_equal(start(60000), 0);
    assert_int_equal(read_all(reach(), 3001), LARGE);
}

static void an_empty_document_is_only_an_end(void **state)
{
    (void)state;
    size = 0;
    assert_int_equal(start(0), 0);
    assert_int_equal(read_all(reach(), SMALL), 0);
}

/* ---- clients that do not behave ---- */

static void who_does_not_read_is_let_go(void **state)
{
    int fd;
    size_t sum;

    (void)state;
    size = LARGE;
    assert_int_equal(start(30), 0);
    fd = reach();
    for (int64_t end = clock_ms() + 200; clock_ms() < end;)
        loop_turn(loop, 10);
    sum = read_all(fd, LARGE);
    assert_true(sum > 0 && sum < LARGE);
    size = SMALL;
    assert_int_equal(read_all(reach(), SMALL), SMALL);
}

static void who_goes_away_hurts_nobody(void **state)
{
    int gone;

    (void)state;
    size = LARGE;
    assert_int_equal(start(60000), 0);
    gone = reach();
    turn(5);
    close(gone);
    close(reach()); /* before it was even accepted */
    turn(5);
    assert_int_equal(read_all(reach(), LARGE), LARGE);
}

static void what_a_client_sends_is_not_read(void **state)
{
    int fd;

    (void)state;
    size = LARGE;
    assert_int_equal(start(60000), 0);
    fd = reach();
    assert_int_equal(write(fd, "GET / HTTP/1.1\r\n", 16), 16);
    assert_int_equal(read_all(fd, LARGE), LARGE);
}

static void the_ninth_waits_until_one_has_left(void **state)
{
    int fds[OBSERVE_CLIENTS + 1];

    (void)state;
    size = LARGE;
    assert_int_equal(start(60000), 0);
    for (int i = 0; i <= OBSERVE_CLIENTS; i++)
        fds[i] = reach();
    turn(3 * OBSERVE_CLIENTS);
    assert_int_equal(rendered, OBSERVE_CLIENTS);
    assert_int_equal(read_all(fds[3], LARGE), LARGE);
    turn(5);
    assert_int_equal(rendered, OBSERVE_CLIENTS + 1);
    assert_int_equal(read_all(fds[OBSERVE_CLIENTS], LARGE), LARGE);
    for (int i = 0; i < OBSERVE_CLIENTS; i++)
        if (i != 3)
            close(fds[i]);
}

static void it_ends_in_the_middle_of_documents(void **state)
{
    int fds[OBSERVE_CLIENTS + 1];

    (void)state;
    size = LARGE;
    assert_int_equal(start(60000), 0);
    for (int i = 0; i <= OBSERVE_CLIENTS; i++)
        fds[i] = reach();
    turn(3 * OBSERVE_CLIENTS);
    observe_socket_free(server);
    server = NULL;
    for (int i = 0; i <= OBSERVE_CLIENTS; i++)
        assert_true(read_all(fds[i], LARGE) < LARGE);
    assert_int_equal(access(path, F_OK), -1);
}

/* ---- the file ---- */

static mode_t mode_of(const char *name)
{
    struct stat st;

    assert_int_equal(lstat(name, &st), 0);
    return st.st_mode & 0777;
}

static void only_the_user_may_connect(void **state)
{
    (void)state;
    assert_int_equal(start(0), 0);
    assert_int_equal(mode_of(path), 0600);
}

static void the_group_may_connect_where_it_may_enter(void **state)
{
    mode_t old = umask(077);

    (void)state;
    assert_int_equal(chmod(dir, 0750), 0);
    assert_int_equal(start(0), 0);
    umask(old);
    assert_int_equal(mode_of(path), 0660);
    observe_socket_free(server);
    assert_int_equal(chmod(dir, 0710), 0); /* it may pass, and see nothing */
    assert_int_equal(start(0), 0);
    assert_int_equal(mode_of(path), 0600);
}

static void a_socket_that_a_dead_one_left_is_replaced(void **state)
{
    struct sockaddr_un address;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)state;
    assert_int_equal(observe_socket_address(dir, &address, NULL), 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    close(fd);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(start(0), 0);
    assert_int_equal(read_all(reach(), SMALL), SMALL);
}

static void what_is_no_socket_stays(void **state)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    (void)state;
    close(fd);
    assert_true(start(0) < 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_true(start(0) < 0);
    assert_int_equal(unlink(path), 0);
}

static void a_place_that_cannot_be_looked_into_is_told(void **state)
{
    struct observe_options options = {.loop = loop, .dir = "/dev/null", .render = render};
    struct error error = {0};

    (void)state;
    assert_int_equal(observe_socket_new(&options, &server, &error), ERR_CANTCREAT);
    assert_null(server);
    assert_non_null(strstr(error.text, "Not a directory"));
}

static void a_path_that_is_too_long_is_told(void **state)
{
    struct sockaddr_un address = {.sun_family = 7};
    struct error error = {0};
    char name[sizeof(address.sun_path)];

    (void)state;
    memset(name, 'x', sizeof(name));
    name[sizeof(name) - sizeof("/tailrace.sock")] = '\0';
    assert_int_equal(observe_socket_address(name, &address, NULL), 0); /* exactly fits */
    assert_int_equal(strlen(address.sun_path), sizeof(address.sun_path) - 1);
    name[sizeof(name) - sizeof("/tailrace.sock")] = 'x';
    name[sizeof(name) - sizeof("/tailrace.sock") + 1] = '\0';
    assert_int_equal(observe_socket_address(name, &address, &error), ERR_CANTCREAT);
    assert_non_null(strstr(error.text, "state_dir"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_client_reads_a_document_and_its_end, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(each_client_has_a_document_of_its_own_moment, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_slow_reader_has_all_of_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_empty_document_is_only_an_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_does_not_read_is_let_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_goes_away_hurts_nobody, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_client_sends_is_not_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_ninth_waits_until_one_has_left, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_ends_in_the_middle_of_documents, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_the_user_may_connect, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_group_may_connect_where_it_may_enter, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_socket_that_a_dead_one_left_is_replaced, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_socket_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_place_that_cannot_be_looked_into_is_told, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_path_that_is_too_long_is_told, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
