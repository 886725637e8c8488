/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lock on a state directory: one daemon at a time. Called by store_open().
 *
 * The file stays behind when its holder ends, with an old pid in it; only the lock that the
 * kernel keeps counts, and that goes away with the process however it ends.
 */
#include "store/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

static int refuse(const char *path, int fd, struct error *error)
{
    char pid[24];
    ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);

    pid[n > 0 ? n : 0] = '\0';
    pid[strcspn(pid, "\n")] = '\0';
    return error_set(
        error, ERR_TEMP,
        "another tailrace%s%s has this state directory in use (%s is locked); stop "
        "it first, or give this one another state_dir",
        pid[0] ? " with pid " : "", pid, path);
}

static int write_pid(const char *path, int fd, struct error *error)
{
    char pid[24];
    int len = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());

    if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, (size_t)len, 0) != len) {
        /* The pid is for people; a full disk must not keep a daemon from resuming. */
        if (errno != ENOSPC && errno != EDQUOT)
            return error_set(error, ERR_IO, "%s cannot be written: %s", path, strerror(errno));
    }
    return 0;
}

int store_lock_dir(const char *dir, int *ret_fd, struct error *error)
{
    char path[4096];
    int fd, rc;

    snprintf(path, sizeof(path), "%s/lock", dir);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd < 0)
        return error_set(error, errno == EACCES ? ERR_NOPERM : ERR_CANTCREAT,
                         "%s cannot be opened: %s; state_dir must be writable by the user that "
                         "tailrace runs as",
                         path, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        rc = errno == EWOULDBLOCK
                 ? refuse(path, fd, error)
                 : error_set(error, ERR_OS, "%s cannot be locked: %s", path, strerror(errno));
    else
        rc = write_pid(path, fd, error);
    if (rc < 0)
        close(fd);
    else
        *ret_fd = fd;
    return rc;
}
