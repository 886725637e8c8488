/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slices: the operations that are not worth inlining. Called from everywhere, on any thread.
 */
#include "base/str.h"

#include "base/mem.h"

#define ONES UINT64_C(0x0101010101010101)

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

/* Whether `test` says so of some byte: eight at a time, the last eight again if they overlap.
 */
static inline bool any_byte(tr_str s, uint64_t (*test)(uint64_t word))
{
    uint64_t word, found = 0;
    size_t at = 0;

    for (; s.len - at >= sizeof(word); at += sizeof(word)) {
        memcpy(&word, s.ptr + at, sizeof(word));
        found |= test(word);
    }
    if (at > 0 && at < s.len) {
        memcpy(&word, s.ptr + s.len - sizeof(word), sizeof(word));
        return (found | test(word)) != 0;
    }
    for (; at < s.len; at++)
        found |= test(ONES * (unsigned char)s.ptr[at]);
    return found != 0;
}

/* The high bit of a byte that borrows and had none before; sure for the lowest such byte. */
static inline uint64_t control_bits(uint64_t word)
{
    uint64_t del = word ^ ONES * 0x7f;
    uint64_t low = (word - ONES * 0x20) & ~word, is_del = (del - ONES) & ~del;

    return (low | is_del) & ONES * 0x80;
}

static inline uint64_t high_bits(uint64_t word)
{
    return word & ONES * 0x80;
}

bool str_has_control(tr_str s)
{
    return any_byte(s, control_bits);
}

bool str_is_ascii(tr_str s)
{
    return !any_byte(s, high_bits);
}

tr_str str_of_number(uint64_t number, char digits[STR_NUMBER])
{
    size_t at = STR_NUMBER;

    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return str_n(digits + at, STR_NUMBER - at);
}

int str_cmp(tr_str a, tr_str b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n ? memcmp(a.ptr, b.ptr, n) : 0;

    if (order == 0 && a.len != b.len)
        order = a.len < b.len ? -1 : 1;
    return order;
}

tr_status str_copy_out(tr_str s, char *buf, size_t cap, size_t *ret_len)
{
    *ret_len = s.len;
    if (s.len > cap)
        return TR_EINVAL;
    if (s.len > 0)
        memcpy(buf, s.ptr, s.len);
    return TR_OK;
}

char *str_dup(tr_str s)
{
    char *copy = mem_alloc(s.len + 1);

    if (s.len > 0)
        memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    return copy;
}
