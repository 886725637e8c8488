/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making and removing folders. Main thread.
 */
#include "cli/folder.h"

#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int folder_make(const char *path, struct error *error)
{
    char *part = str_dup(str_c(path));
    int rc = 0;

    for (char *at = part + 1; rc == 0; at++) {
        char end = *at;
        if (end != '/' && end != '\0')
            continue;
        *at = '\0';
        if (mkdir(part, 0700) < 0 && errno != EEXIST)
            rc = error_set(error, ERR_CANTCREAT, "folder %s cannot be made: %s", part,
                           strerror(errno));
        *at = end;
        if (end == '\0')
            break;
    }
    free(part);
    return rc;
}

static bool write_all(int fd, tr_str text)
{
    while (text.len > 0) {
        ssize_t n = write(fd, text.ptr, text.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        text = str_from(text, (size_t)n);
    }
    return fsync(fd) == 0;
}

int folder_write(const char *path, tr_str text, struct error *error)
{
    struct buf temporary = {0};
    bool ok;
    int fd, rc = 0;

    buf_addf(&temporary, "%s.new", path);
    fd = open(temporary.ptr, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ok = fd >= 0 && write_all(fd, text);
    if (fd >= 0 && close(fd) < 0)
        ok = false;
    if (!ok || rename(temporary.ptr, path) < 0) {
        rc = error_set(error, ERR_CANTCREAT, "%s cannot be written: %s", path, strerror(errno));
        unlink(temporary.ptr);
    }
    buf_fini(&temporary);
    return rc;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *place)
{
    (void)st;
    (void)kind;
    (void)place;
    (void)remove(path);
    return 0;
}

void folder_remove(const char *path)
{
    nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}
