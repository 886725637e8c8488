/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded: fsync() and fdatasync() of the store fail with EIO as long as the file exists that
 * TAILRACE_TEST_SYNC_FAILS names, as they do on a disk that has lost what was written. All else
 * is as ever, also the files of plugins. Any thread of the daemon calls.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int fsync(int fd);
int fdatasync(int fd);

static int is_store(int fd)
{
    char link[32], path[4096];
    ssize_t len;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    len = readlink(link, path, sizeof(path) - 1);
    if (len < 0)
        return 0;
    path[len] = '\0';
    return strstr(path, "/tailrace.db") != NULL;
}

static int sync_by(long call, int fd)
{
    const char *switch_file = getenv("TAILRACE_TEST_SYNC_FAILS");

    if (switch_file && access(switch_file, F_OK) == 0 && is_store(fd)) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(call, fd);
}

int fsync(int fd)
{
    return sync_by(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return sync_by(SYS_fdatasync, fd);
}
