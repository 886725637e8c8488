/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading whole small files safely. Configuration, passwords and certificates come through
 * here.
 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static int judge(const char *path, const struct stat *st, size_t max_size, unsigned flags,
                 struct error *error)
{
    if (!S_ISREG(st->st_mode))
        return error_set(
            error, ERR_NOINPUT,
            "%s is not a regular file; name a file, not a directory, pipe or device", path);
    if ((flags & FILE_PRIVATE) && (st->st_mode & 077))
        return error_set(
            error, ERR_NOPERM,
            "%s holds secrets and others may open it (mode %03o); run chmod 600 on it", path,
            (unsigned)st->st_mode & 0777);
    if ((uintmax_t)st->st_size > max_size)
        return error_set(error, ERR_DATA, "%s has %jd bytes; at most %zu are read", path,
                         (intmax_t)st->st_size, max_size);
    return 0;
}

static int read_all(int fd, const char *path, size_t max_size, struct buf *buf,
                    struct error *error)
{
    for (;;) {
        ssize_t n = read(fd, buf_reserve(buf, 16384), 16384);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set(error, ERR_IO, "%s cannot be read: %s", path, strerror(errno));
        if (n == 0)
            break;
        buf->len += (size_t)n;
        /* It may have grown, or be a file of /proc that has no size. */
        if (buf->len > max_size)
            return error_set(error, ERR_DATA, "%s has more than %zu bytes", path, max_size);
    }
    buf_reserve(buf, 0)[0] = '\0';
    return 0;
}

int file_read(const char *path, size_t max_size, unsigned flags, struct buf *buf,
              struct error *error)
{
    struct stat st;
    int fd, rc;

    buf_clear(buf);
    /* O_NONBLOCK: the open of a FIFO without a writer would wait for ever. */
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return error_set(error, errno == EACCES ? ERR_NOPERM : ERR_NOINPUT,
                         "%s cannot be opened: %s", path, strerror(errno));
    if (fstat(fd, &st) < 0) {
        rc = error_set(error, ERR_IO, "%s: %s", path, strerror(errno));
        goto out;
    }
    rc = judge(path, &st, max_size, flags, error);
    if (rc == 0)
        rc = read_all(fd, path, max_size, buf, error);
out:
    close(fd);
    return rc;
}
