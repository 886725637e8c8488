/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Growing byte buffers, for text that is put together: requests, log lines, rendered templates.
 *
 * A zeroed struct buf is an empty one. Not thread-safe. What buf_str() gives is valid until the
 * next append. After every call that appends, a NUL that does not count stands behind the
 * bytes.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/str.h"

struct buf {
    char *ptr;
    size_t len, cap;
};

void buf_fini(struct buf *buf);

/* Empties it and keeps its room. */
void buf_clear(struct buf *buf);

/* Room for `more` bytes behind what is there; returns where they go. Then add to `len`. */
char *buf_reserve(struct buf *buf, size_t more);

void buf_add(struct buf *buf, const void *bytes, size_t len);
void buf_add_str(struct buf *buf, tr_str s);
void buf_add_c(struct buf *buf, const char *text);
void buf_add_char(struct buf *buf, char c);
void buf_addf(struct buf *buf, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), nonnull(2)));

static inline tr_str buf_str(const struct buf *buf)
{
    return str_n(buf->ptr ? buf->ptr : "", buf->len);
}

#endif
