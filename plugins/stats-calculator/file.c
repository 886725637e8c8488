/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The figures in a file: written beside it and renamed over it, so that whoever reads it has
 * all of one time. Worker.
 */
#include "stats.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static bool write_all(int fd, const char *at, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, at, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

static bool write_beside(const tr_self *self, const char *beside)
{
    const tr_text *page = &self->publisher.page;
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    bool is_written;
    int error;

    if (fd < 0)
        return false;
    is_written = write_all(fd, page->ptr, page->len) && write_all(fd, "\n", 1) &&
                 fsync(fd) == 0;
    error = errno;
    if (close(fd) != 0 && is_written)
        return false;
    errno = error;
    return is_written;
}

const char *file_write(const tr_self *self, char why[WHY_BYTES])
{
    const char *file = self->options.file;
    tr_text beside = {0};
    const char *name;
    bool is_written;

    tr_text_add_c(&beside, file);
    tr_text_add_c(&beside, ".new");
    name = tr_text_end(&beside);
    errno = ENOMEM;
    is_written = name && write_beside(self, name) && rename(name, file) == 0;
    if (!is_written)
        snprintf(why, WHY_BYTES, "%.150s cannot be written: %s", file, strerror(errno));
    tr_text_fini(&beside);
    return is_written ? NULL : why;
}
