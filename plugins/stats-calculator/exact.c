/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adding up without error: the digits, their carries, and how they are kept. What becomes of
 * them when they are shown is in round.c.
 */
#include "exact.h"

#include "round.h"

#include <math.h>

enum { CARRIES_MAX = 1 << 30, LEAST = -1074 };

void exact_fini(struct exact *exact)
{
    free(exact->digits);
    *exact = (struct exact){0};
}

/* Digits from `low` up to `end` (not included) are there. */
static bool reserve(struct exact *exact, unsigned low, unsigned end)
{
    unsigned old_end = exact->low + exact->count, below;
    int64_t *digits = exact->digits;

    if (exact->count == 0) {
        exact->low = (uint16_t)low;
        old_end = low;
    }
    if (low > exact->low)
        low = exact->low;
    if (end < old_end)
        end = old_end;
    if (end - low > exact->room) {
        unsigned room = end - low + 2;

        digits = realloc(exact->digits, room * sizeof(*digits));
        if (!digits)
            return false;
        exact->digits = digits;
        exact->room = (uint16_t)room;
    }
    below = exact->low - low;
    if (below > 0) {
        memmove(digits + below, digits, exact->count * sizeof(*digits));
        memset(digits, 0, below * sizeof(*digits));
    }
    memset(digits + below + exact->count, 0, (end - old_end) * sizeof(*digits));
    exact->low = (uint16_t)low;
    exact->count = (uint16_t)(end - low);
    return true;
}

/* Each digit but the highest comes to lie in 0 to 2^32 - 1, the highest between -2^31 and
 * 2^31 - 1, and no digit is there that says nothing: the same sum has the same digits. */
static bool settle(struct exact *exact)
{
    int64_t carry = 0, *digits;
    unsigned zeros = 0;

    exact->carries = 0;
    if (exact->count == 0)
        return true;
    if (!reserve(exact, exact->low, exact->low + exact->count + 2u))
        return false;
    digits = exact->digits;
    for (unsigned i = 0; i < exact->count; i++) {
        int64_t value = digits[i] + carry;

        digits[i] = value & 0xffffffff;
        carry = value >> 32;
    }
    /* What was carried out of two digits that were 0 is the sign. */
    digits[exact->count - 1] += carry * (INT64_C(1) << 32);
    while (exact->count > 1) {
        int64_t top = digits[exact->count - 1], next = digits[exact->count - 2];

        if (top != (next < INT64_C(1) << 31 ? 0 : -1))
            break;
        exact->count--;
        digits[exact->count - 1] = next + top * (INT64_C(1) << 32);
    }
    while (zeros < exact->count && digits[zeros] == 0)
        zeros++;
    exact->count = (uint16_t)(exact->count - zeros);
    exact->low = (uint16_t)(exact->low + zeros);
    memmove(digits, digits + zeros, exact->count * sizeof(*digits));
    return true;
}

/* `bits` times 2^place / 2^EXACT_BIAS. */
static bool add_bits(struct exact *exact, uint64_t bits, unsigned place, int sign)
{
    unsigned shift, at;
    uint64_t low, high;

    if (bits == 0)
        return true;
    shift = (unsigned)__builtin_ctzll(bits);
    bits >>= shift;
    place += shift;
    at = place / 32;
    shift = place % 32;
    low = bits << shift;
    high = shift > 0 ? bits >> (64 - shift) : 0;
    if (++exact->carries >= CARRIES_MAX && !settle(exact))
        return false;
    if ((exact->count == 0 || at < exact->low ||
         at + 3 > (unsigned)exact->low + exact->count) &&
        !reserve(exact, at, at + 3))
        return false;
    at -= exact->low;
    exact->digits[at] += sign * (int64_t)(low & 0xffffffff);
    exact->digits[at + 1] += sign * (int64_t)(low >> 32);
    exact->digits[at + 2] += sign * (int64_t)high;
    return true;
}

/* |value| as a whole number times 2^*ret_exponent. */
static uint64_t split(double value, int *ret_exponent)
{
    uint64_t bits, fraction;
    int exponent;

    memcpy(&bits, &value, sizeof(bits));
    fraction = bits & ((UINT64_C(1) << 52) - 1);
    exponent = (int)(bits >> 52 & 0x7ff);
    if (exponent > 0)
        fraction |= UINT64_C(1) << 52;
    else
        exponent =
            1; /* the small ones have no leading 1, and the unit of the least of others */
    *ret_exponent = exponent - 1 + LEAST;
    return fraction;
}

bool exact_add(struct exact *exact, double value, int sign)
{
    int exponent;
    uint64_t bits = split(value, &exponent);

    return add_bits(exact, bits, (unsigned)(exponent + EXACT_BIAS), value < 0 ? -sign : sign);
}

bool exact_add_square(struct exact *exact, double value, int sign)
{
    int exponent;
    uint64_t bits = split(value, &exponent), high, low, middle;
    unsigned place = (unsigned)(2 * exponent + EXACT_BIAS);

    /* 53 bits by 53, in halves of 27. */
    high = bits >> 27;
    low = bits & ((UINT64_C(1) << 27) - 1);
    middle = high * low;
    return add_bits(exact, low * low, place, sign) &&
           add_bits(exact, middle, place + 28, sign) &&
           add_bits(exact, high * high, place + 54, sign);
}

bool exact_merge(struct exact *exact, const struct exact *more)
{
    if (more->count == 0)
        return true;
    /* Digits of both hold at most CARRIES_MAX additions, and so their sum no more than fit. */
    if (!settle(exact) || !reserve(exact, more->low, more->low + more->count))
        return false;
    for (unsigned i = 0; i < more->count; i++)
        exact->digits[more->low - exact->low + i] += more->digits[i];
    return settle(exact);
}

/* ---- kept ---- */

void exact_write(const struct exact *exact, tr_text *out)
{
    struct magnitude size;
    char bytes[4];

    magnitude_of(exact, &size);
    bytes_add_count(out, (size.count << 1) | size.is_negative);
    if (size.count > 0)
        bytes_add_count(out, size.low);
    for (unsigned i = 0; i < size.count; i++) {
        bytes_put_ordered(bytes, size.digits[i], sizeof(bytes));
        tr_text_add(out, tr_str_n(bytes, sizeof(bytes)));
    }
}

bool exact_read(struct exact *exact, struct reader *reader)
{
    uint64_t head = read_count_to(reader, EXACT_DIGITS << 1 | 1);
    unsigned count = (unsigned)(head >> 1);
    unsigned low = count > 0 ? (unsigned)read_count_to(reader, EXACT_DIGITS - count) : 0;
    tr_str bytes = read_bytes(reader, count * 4ul);

    if (reader->failed)
        return false;
    if (count == 0)
        return true;
    if (!reserve(exact, low, low + count))
        return false;
    for (unsigned i = 0; i < count; i++) {
        int64_t digit = (int64_t)bytes_get_ordered(bytes.ptr + 4ul * i, 4);

        exact->digits[i] = head & 1 ? -digit : digit;
    }
    return true;
}
