/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sums of doubles, and of their squares, without any error: every double is a whole multiple of
 * 2^-1074, so a sum of them is one long whole number. Adding and taking away in any order gives
 * the same sum, and it is rounded once, where it is shown.
 *
 * The number is kept in digits of 32 bits, only those between its highest and its lowest. Each
 * stands in 64 bits and may be negative, so that an addition touches three digits and carries
 * wait. A zeroed struct is the sum of nothing. One thread at a time.
 */
#ifndef STATS_EXACT_H
#define STATS_EXACT_H

#include "bytes.h"

/* The digit number d counts 2^(32 d - EXACT_BIAS): the square of the least double fits below,
 * and 2^64 squares of the greatest above. */
enum { EXACT_BIAS = 2176, EXACT_DIGITS = (EXACT_BIAS + 2048 + 64) / 32 + 2 };

struct exact {
    int64_t *digits; /* of `low` and up                                                     */
    uint16_t low, count, room;
    uint32_t carries; /* additions since carries were settled                              */
};

void exact_fini(struct exact *exact);

/* Adds a finite number, or its square, `sign` (1 or -1) times. False: no memory. */
bool exact_add(struct exact *exact, double value, int sign);
bool exact_add_square(struct exact *exact, double value, int sign);
bool exact_merge(struct exact *exact, const struct exact *more);

/* The nearest double, of two the even one; infinite if it is beyond them. */
double exact_round(const struct exact *exact);

/* The standard deviation of `count` numbers (count > 0), by their exact sum and sum of squares:
 * no digits are lost where the numbers are large and close together. */
double exact_deviation(const struct exact *sum, const struct exact *squares, uint64_t count);

void exact_write(const struct exact *exact, tr_text *out);
/* Into a zeroed one. False: no memory, or reader->failed. */
bool exact_read(struct exact *exact, struct reader *reader);

#endif
