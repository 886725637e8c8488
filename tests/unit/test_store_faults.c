/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk that is full, one whose fsync fails, and a process without a descriptor in the moment
 * in which a file is opened. SQLite opens, writes and syncs through functions of this file: the
 * first two by its own table of system calls, the syncs because a program's fsync and fdatasync
 * come before those of libc.
 */
#include "store/sqlite.h"
#include "test_store_lib.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>

#define BINDING STR("calc-stats")
#define STREAM  STR("main/blog@1")

#define VISIBLE __attribute__((visibility("default")))

static atomic_int write_errno, sync_errno;

static ssize_t failing_write(int fd, const void *bytes, size_t len)
{
    int code = atomic_load(&write_errno);

    if (code == 0)
        return write(fd, bytes, len);
    errno = code;
    return -1;
}

static ssize_t failing_pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
    int code = atomic_load(&write_errno);

    if (code == 0)
        return pwrite(fd, bytes, len, offset);
    errno = code;
    return -1;
}

/* How many files are opened for writing until one is not; 0: all are. */
static atomic_int opens_left;

static int failing_open(const char *path, int flags, int mode)
{
    if ((flags & O_ACCMODE) == O_RDWR && atomic_load(&opens_left) > 0 &&
        atomic_fetch_sub(&opens_left, 1) == 1) {
        errno = EMFILE;
        return -1;
    }
    return open(path, flags, mode);
}

static int sync_by(long call, int fd)
{
    int code = atomic_load(&sync_errno);

    if (code == 0)
        return (int)syscall(call, fd);
    errno = code;
    return -1;
}

VISIBLE int fsync(int fd);
VISIBLE int fdatasync(int fd);

int fsync(int fd)
{
    return sync_by(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return sync_by(SYS_fdatasync, fd);
}

static int take_over(void **state)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

    (void)state;
    vfs->xSetSystemCall(vfs, "open", (sqlite3_syscall_ptr)failing_open);
    vfs->xSetSystemCall(vfs, "write", (sqlite3_syscall_ptr)failing_write);
    vfs->xSetSystemCall(vfs, "pwrite", (sqlite3_syscall_ptr)failing_pwrite);
    vfs->xSetSystemCall(vfs, "pwrite64", (sqlite3_syscall_ptr)failing_pwrite);
    return 0;
}

static int give_back(void **state)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

    (void)state;
    vfs->xSetSystemCall(vfs, NULL, NULL);
    return 0;
}

static void wait_until_stalled(struct place *place, struct store_health *ret_health)
{
    do {
        loop_turn(place->loop, 1);
        store_health(place->store, ret_health);
    } while (!ret_health->stalled);
}

static void stalls_and_goes_on_unaided(int code, const char *word)
{
    struct waited waited = {
        .ops = {op_dead_letter(STR("doc"), STR("{}")), op_checkpoint(STREAM, STR("5"), 5)}};
    struct store_health health;
    struct place place;
    int64_t count, bytes;

    place_init(&place);
    place_start(&place);
    store_health(place.store, &health);
    assert_false(health.stalled);
    atomic_store(&write_errno, code);
    waited_submit(&place, &waited, BINDING, 2);
    wait_until_stalled(&place, &health);
    if (!strstr(health.error, word))
        fail_msg("no \"%s\" in: %s", word, health.error);
    assert_false(waited.called);
    assert_int_equal(ordinal_of(place.store, BINDING, STREAM), -1);
    atomic_store(&write_errno, 0);
    assert_int_equal(waited_wait(&place, &waited), STORE_DONE);
    store_health(place.store, &health);
    assert_false(health.stalled);
    assert_string_equal(health.error, "");
    assert_int_equal(ordinal_of(place.store, BINDING, STREAM), 5);
    assert_int_equal(store_dead_letter_count(place.store, BINDING, &count, &bytes, NULL), 0);
    assert_int_equal(count, 1); /* tried again is not written twice */
    place_fini(&place);
}

static void a_full_disk_is_waited_for(void **state)
{
    (void)state;
    stalls_and_goes_on_unaided(ENOSPC, "full");
}

static void a_failing_write_is_waited_for(void **state)
{
    (void)state;
    stalls_and_goes_on_unaided(EIO, "disk");
}

/* SQLite goes on with a file that it can only read then. */
static void a_file_that_could_not_be_opened_for_writing_is_opened_again(void **state)
{
    struct waited waited = {.ops = {op_checkpoint(STREAM, STR("5"), 5)}};
    struct place place;

    (void)state;
    for (int nth = 1;; nth++) { /* the store, its log                                      */
        place_init(&place);
        place_open(&place);
        atomic_store(&opens_left, nth);
        assert_int_equal(store_start(place.store, place.loop, &place.error), 0);
        waited_submit(&place, &waited, BINDING, 1);
        assert_int_equal(waited_wait(&place, &waited), STORE_DONE);
        assert_int_equal(ordinal_of(place.store, BINDING, STREAM), 5);
        place_fini(&place);
        waited.called = false;
        if (atomic_exchange(&opens_left, 0) > 0)
            break;
        assert_true(nth < 10);
    }
}

static void closing_a_stalled_store_ends_and_says_lost(void **state)
{
    struct waited waited = {.ops = {op_checkpoint(STREAM, STR("5"), 5)}};
    struct store_health health;
    struct place place;

    (void)state;
    place_init(&place);
    place_start(&place);
    atomic_store(&write_errno, ENOSPC);
    waited_submit(&place, &waited, BINDING, 1);
    wait_until_stalled(&place, &health);
    place_close(&place);
    assert_true(waited.called);
    assert_int_equal(waited.commit.status, STORE_LOST);
    atomic_store(&write_errno, 0);
    place_open(&place);
    assert_int_equal(ordinal_of(place.store, BINDING, STREAM), -1);
    place_fini(&place);
}

static _Noreturn void commit_with_a_failing_sync(struct place *place)
{
    struct waited waited = {.ops = {op_checkpoint(STREAM, STR("6"), 6)}};

    if (store_open(place->dir, 0, &place->store, NULL) < 0 ||
        store_start(place->store, place->loop, NULL) < 0)
        _exit(1);
    atomic_store(&sync_errno, EIO);
    waited_submit(place, &waited, BINDING, 1);
    while (!waited.called)
        loop_turn(place->loop, 1000);
    _exit(2); /* it must not be told that it is durable */
}

static void a_failing_fsync_ends_the_process(void **state)
{
    struct place place;
    int status;
    pid_t pid;

    (void)state;
    place_init(&place);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        commit_with_a_failing_sync(&place);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), EX_IOERR);
    place_open(&place); /* and a new start goes on */
    place_fini(&place);
}

static void a_lack_of_memory_is_told_from_damage(void **state)
{
    struct sq sq = {.path = (char[]){"/state/tailrace.db"}};
    struct error error;

    (void)state;
    assert_int_equal(sq_error(&sq, SQLITE_NOMEM, "commit", &error), ERR_OS);
    assert_string_equal(error.text, "cannot commit: /state/tailrace.db: out of memory; give "
                                    "the service more memory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failing_fsync_ends_the_process),
        cmocka_unit_test(a_full_disk_is_waited_for),
        cmocka_unit_test(a_lack_of_memory_is_told_from_damage),
        cmocka_unit_test(a_failing_write_is_waited_for),
        cmocka_unit_test(a_file_that_could_not_be_opened_for_writing_is_opened_again),
        cmocka_unit_test(closing_a_stalled_store_ends_and_says_lost),
    };

    return cmocka_run_group_tests(tests, take_over, give_back);
}
