/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Growing byte buffers. The thread that owns the buffer calls.
 */
#include "base/buf.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>

void buf_fini(struct buf *buf)
{
    free(buf->ptr);
    *buf = (struct buf){0};
}

void buf_clear(struct buf *buf)
{
    buf->len = 0;
    if (buf->ptr)
        buf->ptr[0] = '\0';
}

char *buf_grow(struct buf *buf, size_t more)
{
    size_t need = buf->len + more + 1, cap = buf->cap ? buf->cap : 128;

    while (cap < need)
        cap *= 2;
    buf->ptr = mem_resize(buf->ptr, cap);
    buf->cap = cap;
    return buf->ptr + buf->len;
}

void buf_addf(struct buf *buf, const char *fmt, ...)
{
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(buf_reserve(buf, 256), 257, fmt, args);
    va_end(args);
    if (n > 256) {
        va_start(args, fmt);
        n = vsnprintf(buf_reserve(buf, (size_t)n), (size_t)n + 1, fmt, args);
        va_end(args);
    }
    if (n > 0)
        buf->len += (size_t)n;
}
