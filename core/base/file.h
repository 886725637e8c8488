/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading whole small files safely: regular files only, of bounded size. Any thread.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/buf.h"
#include "base/error.h"

enum {
    FILE_PRIVATE = 1 << 0 /* refuse a file that group or others may read or write          */
};

/* Reads `path` into `buf` (cleared first). A FIFO, device, socket or directory is refused and
 * never blocks. ERR_NOINPUT, ERR_NOPERM, ERR_DATA (over max_size), ERR_IO. */
int file_read(const char *path, size_t max_size, unsigned flags, struct buf *buf,
              struct error *error);

#endif
