/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an exact sum is as a double, and the deviation of which two of them tell. Called where
 * figures are shown, on the worker.
 */
#include "round.h"

#include <math.h>

enum { MANTISSA = 53, LEAST_EXPONENT = -1022 };

static void trim(struct magnitude *size)
{
    while (size->count > 0 && size->digits[size->count - 1] == 0)
        size->count--;
    if (size->count == 0)
        size->is_negative = false;
}

void magnitude_of(const struct exact *exact, struct magnitude *ret_size)
{
    int64_t carry = 0;
    uint64_t borrow = 1;

    *ret_size = (struct magnitude){.low = exact->low, .count = exact->count + 2u};
    for (unsigned i = 0; i < ret_size->count; i++) {
        int64_t value = (i < exact->count ? exact->digits[i] : 0) + carry;

        ret_size->digits[i] = (uint32_t)(value & 0xffffffff);
        carry = value >> 32;
    }
    ret_size->is_negative = carry < 0;
    for (unsigned i = 0; carry < 0 && i < ret_size->count; i++) {
        borrow += ~ret_size->digits[i];
        ret_size->digits[i] = (uint32_t)borrow;
        borrow >>= 32;
    }
    trim(ret_size);
    if (ret_size->count > 0) { /* and below */
        unsigned zeros = 0;

        while (ret_size->digits[zeros] == 0)
            zeros++;
        ret_size->count -= zeros;
        ret_size->low += zeros;
        memmove(ret_size->digits, ret_size->digits + zeros,
                ret_size->count * sizeof(ret_size->digits[0]));
    }
}

/* The highest 64 bits, of which the highest is set, of a number that is not 0: it lies in
 * [top, top + 1) times 2^*ret_exponent, and *ret_rest says whether it is not top itself. */
static uint64_t top_bits(const struct magnitude *size, int bias, int *ret_exponent,
                         bool *ret_rest)
{
    unsigned at = size->count - 1, shift = (unsigned)__builtin_clz(size->digits[at]);
    uint32_t next[3];
    uint64_t top;

    for (unsigned i = 0; i < 3; i++)
        next[i] = at >= i ? size->digits[at - i] : 0;
    top = (uint64_t)next[0] << 32 | next[1];
    top <<= shift;
    if (shift > 0)
        top |= next[2] >> (32 - shift);
    *ret_rest = shift > 0 ? (uint32_t)(next[2] << shift) != 0 : next[2] != 0;
    for (unsigned i = 3; i <= at && !*ret_rest; i++)
        *ret_rest = size->digits[at - i] != 0;
    *ret_exponent = (int)(32 * (size->low + at)) - 32 - (int)shift - bias;
    return top;
}

double exact_round(const struct exact *exact)
{
    struct magnitude size;
    uint64_t top, kept, half;
    int exponent, keep = MANTISSA;
    bool rest;
    double value;

    magnitude_of(exact, &size);
    if (size.count == 0)
        return 0;
    top = top_bits(&size, EXACT_BIAS, &exponent, &rest);
    if (exponent + 63 < LEAST_EXPONENT)
        keep -= LEAST_EXPONENT - (exponent + 63);
    if (keep < 0)
        return 0;
    /* `keep` may be none of 64, so in two steps. */
    kept = keep > 0 ? top >> (64 - keep) : 0;
    half = UINT64_C(1) << (63 - keep);
    rest = rest || (top & (half - 1)) != 0;
    if ((top & half) && (rest || (kept & 1)))
        kept++;
    value = ldexp((double)kept, exponent + 64 - keep);
    return size.is_negative ? -value : value;
}

/* ---- the deviation ---- */

/* Adds `factor` times a number, `shift` digits up, into digits that have room for it. */
static void add_times(struct magnitude *into, const struct magnitude *size, uint32_t factor,
                      unsigned shift)
{
    uint64_t carry = 0;
    unsigned i = 0;

    for (; (i < size->count || carry > 0) && i + shift < MAGNITUDE_DIGITS; i++) {
        uint64_t value = carry + into->digits[i + shift];

        if (i < size->count)
            value += (uint64_t)factor * size->digits[i];
        into->digits[i + shift] = (uint32_t)value;
        carry = value >> 32;
    }
}

static void subtract(struct magnitude *from, const struct magnitude *less)
{
    int64_t borrow = 0;

    for (unsigned i = 0; i < MAGNITUDE_DIGITS; i++) {
        int64_t value = (int64_t)from->digits[i] - less->digits[i] + borrow;

        from->digits[i] = (uint32_t)(value & 0xffffffff);
        borrow = value >> 32;
    }
}

double exact_deviation(const struct exact *sum, const struct exact *squares, uint64_t count)
{
    /* Both in units of 2^(-2 EXACT_BIAS). */
    struct magnitude s1, s2, square = {.count = MAGNITUDE_DIGITS},
                             spread = {.count = MAGNITUDE_DIGITS};
    int exponent;
    bool rest;
    double top;

    magnitude_of(sum, &s1);
    magnitude_of(squares, &s2);
    for (unsigned i = 0; i < s1.count; i++)
        add_times(&square, &s1, s1.digits[i], 2 * s1.low + i);
    add_times(&spread, &s2, (uint32_t)count, s2.low + EXACT_BIAS / 32);
    add_times(&spread, &s2, (uint32_t)(count >> 32), s2.low + EXACT_BIAS / 32 + 1);
    subtract(&spread, &square); /* never below 0, by the inequality of Cauchy and Schwarz   */
    trim(&spread);
    if (spread.count == 0)
        return 0;
    top = (double)top_bits(&spread, 2 * EXACT_BIAS, &exponent, &rest);
    if (exponent % 2 != 0) {
        top *= 2;
        exponent--;
    }
    return ldexp(sqrt(top) / (double)count, exponent / 2);
}
