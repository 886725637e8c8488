/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slices: the tr_str of the plugin ABI is the one string type of the whole core, so that a byte
 * read from a socket reaches a plugin without being converted or copied on the way.
 *
 * Any thread. A tr_str owns nothing; whoever makes one says whose memory it points into.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <tailrace/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A slice of a string literal, of a NUL-ended string (NULL gives an empty one), of bytes. */
#define STR(lit) ((tr_str){"" lit "", sizeof(lit) - 1})

/* For printf: printf(STR_FMT, STR_ARG(s)). */
#define STR_FMT    "%.*s"
#define STR_ARG(s) (int)(s).len, (s).ptr

static inline tr_str str_n(const char *ptr, size_t len)
{
    return (tr_str){ptr, len};
}

static inline tr_str str_c(const char *text)
{
    return (tr_str){text, text ? strlen(text) : 0};
}

static inline bool str_eq(tr_str a, tr_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool str_starts(tr_str s, tr_str prefix)
{
    return s.len >= prefix.len &&
           (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

static inline bool str_ends(tr_str s, tr_str suffix)
{
    return s.len >= suffix.len && (suffix.len == 0 || memcmp(s.ptr + (s.len - suffix.len),
                                                             suffix.ptr, suffix.len) == 0);
}

/* The part of `s` from byte `from` on; empty past the end. */
static inline tr_str str_from(tr_str s, size_t from)
{
    if (from > s.len)
        from = s.len;
    return from > 0 ? str_n(s.ptr + from, s.len - from) : s;
}

/* The place of the first `c`, or s.len. */
size_t str_find(tr_str s, char c);

/* Cuts `s` at the first `c`: the part before is returned, `*rest` is what lies behind it. */
tr_str str_cut(tr_str s, char c, tr_str *rest);

/* `s` without spaces, tabs and line ends around it. */
tr_str str_trim(tr_str s);

/* At most `max` bytes of `s`, with no UTF-8 character cut in two; empty when it points nowhere.
 */
tr_str str_clip(tr_str s, size_t max);

/* Whether a byte of it is below 0x20 or 0x7f; one is 0x80 or above. */
bool str_has_control(tr_str s);
bool str_is_ascii(tr_str s);

/* A number in decimal digits, written into `digits`. */
enum { STR_NUMBER = 20 };
tr_str str_of_number(uint64_t number, char digits[STR_NUMBER]);

/* memcmp order, shorter first when one is the beginning of the other. For qsort-like uses. */
int str_cmp(tr_str a, tr_str b);

/* Copies `s` into `buf` by the rule of the ABI: *ret_len is its length, TR_EINVAL and nothing
 * copied if that is more than `cap`. */
tr_status str_copy_out(tr_str s, char *buf, size_t cap, size_t *ret_len);

/* A NUL-ended copy on the heap; free() it. */
char *str_dup(tr_str s);

#endif
