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

/* buf_reserve() where there is no room. */
char *buf_grow(struct buf *buf, size_t more);

/* Room for `more` bytes behind what is there; returns where they go. Then add to `len`. */
static inline char *buf_reserve(struct buf *buf, size_t more)
{
    return more < buf->cap - buf->len ? buf->ptr + buf->len : buf_grow(buf, more);
}

static inline void buf_add(struct buf *buf, const void *bytes, size_t len)
{
    char *to = buf_reserve(buf, len);

    if (len > 0)
        memcpy(to, bytes, len);
    to[len] = '\0';
    buf->len += len;
}

static inline void buf_add_str(struct buf *buf, tr_str s)
{
    buf_add(buf, s.ptr, s.len);
}

static inline void buf_add_c(struct buf *buf, const char *text)
{
    buf_add(buf, text, strlen(text));
}

static inline void buf_add_char(struct buf *buf, char c)
{
    buf_add(buf, &c, 1);
}

void buf_addf(struct buf *buf, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), nonnull(2)));

static inline tr_str buf_str(const struct buf *buf)
{
    return str_n(buf->ptr ? buf->ptr : "", buf->len);
}

#endif
