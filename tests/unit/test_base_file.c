/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading small files: what is read, and what is refused without waiting.
 */
#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static char dir[64];

static int set_up(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/tailrace-file-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf -- '%s'", dir);
    return system(command);
}

static const char *path_of(const char *name)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

static void write_file(const char *name, size_t size)
{
    FILE *file = fopen(path_of(name), "wb");

    assert_non_null(file);
    for (size_t i = 0; i < size; i++)
        fputc('a' + (int)(i % 26), file);
    assert_int_equal(fclose(file), 0);
}

static void assert_refused(const char *path, unsigned flags, int code, const char *reason)
{
    struct error error = {0};
    struct buf buf = {0};

    assert_int_equal(file_read(path, 1000, flags, &buf, &error), code);
    assert_int_equal(error.code, code);
    assert_non_null(strstr(error.text, path));
    if (!strstr(error.text, reason))
        fail_msg("\"%s\" is not in: %s", reason, error.text);
    buf_fini(&buf);
}

static void a_file_is_read_whole(void **state)
{
    struct buf buf = {0};

    (void)state;
    buf_add_c(&buf, "what was there before");
    write_file("whole", 100000);
    assert_int_equal(file_read(path_of("whole"), 100000, 0, &buf, NULL), 0);
    assert_int_equal(buf.len, 100000);
    assert_int_equal(strlen(buf.ptr), 100000);
    assert_int_equal(buf.ptr[99999], 'a' + 99999 % 26);
    write_file("empty", 0);
    assert_int_equal(file_read(path_of("empty"), 0, 0, &buf, NULL), 0);
    assert_int_equal(buf.len, 0);
    buf_fini(&buf);
}

static void a_file_of_unknown_size_is_bounded_too(void **state)
{
    struct buf buf = {0};

    (void)state;
    assert_int_equal(file_read("/proc/self/status", 1 << 20, 0, &buf, NULL), 0);
    assert_true(buf.len > 0);
    assert_int_equal(file_read("/proc/self/status", 10, 0, &buf, NULL), ERR_DATA);
    buf_fini(&buf);
}

static void a_file_over_the_bound_is_refused(void **state)
{
    (void)state;
    write_file("big", 1001);
    assert_refused(path_of("big"), 0, ERR_DATA, "has 1001 bytes; at most 1000 are read");
}

static void a_pipe_is_refused_without_waiting(void **state)
{
    (void)state;
    assert_int_equal(mkfifo(path_of("pipe"), 0600), 0);
    assert_refused(path_of("pipe"), 0, ERR_NOINPUT, "not a regular file");
}

static void a_folder_device_or_socket_is_refused(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)state;
    assert_refused(dir, 0, ERR_NOINPUT, "not a regular file");
    assert_refused("/dev/zero", 0, ERR_NOINPUT, "not a regular file");
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", dir);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_refused(path_of("socket"), 0, ERR_NOINPUT, "cannot be opened");
    close(fd);
}

static void a_missing_file_is_reported(void **state)
{
    (void)state;
    assert_refused(path_of("missing"), 0, ERR_NOINPUT, "No such file");
}

static void a_private_file_that_others_may_open_is_refused(void **state)
{
    static const mode_t open_modes[] = {0640, 0604, 0620, 0601, 0666};
    struct buf buf = {0};

    (void)state;
    write_file("secret", 10);
    for (size_t i = 0; i < sizeof(open_modes) / sizeof(open_modes[0]); i++) {
        assert_int_equal(chmod(path_of("secret"), open_modes[i]), 0);
        assert_refused(path_of("secret"), FILE_PRIVATE, ERR_NOPERM, "run chmod 600");
    }
    assert_int_equal(chmod(path_of("secret"), 0600), 0);
    assert_int_equal(file_read(path_of("secret"), 10, FILE_PRIVATE, &buf, NULL), 0);
    assert_int_equal(chmod(path_of("secret"), 0644), 0);
    assert_int_equal(file_read(path_of("secret"), 10, 0, &buf, NULL), 0);
    buf_fini(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_read_whole),
        cmocka_unit_test(a_file_of_unknown_size_is_bounded_too),
        cmocka_unit_test(a_file_over_the_bound_is_refused),
        cmocka_unit_test(a_pipe_is_refused_without_waiting),
        cmocka_unit_test(a_folder_device_or_socket_is_refused),
        cmocka_unit_test(a_missing_file_is_reported),
        cmocka_unit_test(a_private_file_that_others_may_open_is_refused),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
