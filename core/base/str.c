/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slices: the operations that are not worth inlining. Called from everywhere, on any thread.
 */
#include "base/str.h"

#include "base/mem.h"

size_t str_find(tr_str s, char c)
{
    const char *hit = s.len ? memchr(s.ptr, c, s.len) : NULL;

    return hit ? (size_t)(hit - s.ptr) : s.len;
}

tr_str str_cut(tr_str s, char c, tr_str *rest)
{
    size_t at = str_find(s, c);

    *rest = str_from(s, at + 1);
    return str_n(s.ptr, at);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

tr_str str_trim(tr_str s)
{
    while (s.len > 0 && is_space(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && is_space(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

tr_str str_clip(tr_str s, size_t max)
{
    size_t n = s.ptr ? s.len : 0;

    if (n <= max)
        return str_n(s.ptr, n);
    n = max;
    while (n > 0 && ((unsigned char)s.ptr[n] & 0xc0) == 0x80)
        n--;
    return str_n(s.ptr, n);
}

int str_cmp(tr_str a, tr_str b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n ? memcmp(a.ptr, b.ptr, n) : 0;

    if (order == 0 && a.len != b.len)
        order = a.len < b.len ? -1 : 1;
    return order;
}

char *str_dup(tr_str s)
{
    char *copy = mem_alloc(s.len + 1);

    if (s.len > 0)
        memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    return copy;
}
