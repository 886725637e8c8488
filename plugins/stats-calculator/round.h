/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Long whole numbers with a sign, of a fixed room, for the moment in which a sum is shown or
 * kept. Any thread.
 */
#ifndef STATS_ROUND_H
#define STATS_ROUND_H

#include "exact.h"

/* Room for the square of a sum, and for a sum of squares times a count. */
enum { MAGNITUDE_DIGITS = 2 * EXACT_DIGITS + 4 };

/* Digit number i counts 2^(32 (low + i)) of whatever unit; the highest is not 0. */
struct magnitude {
    bool is_negative;
    unsigned low, count;
    uint32_t digits[MAGNITUDE_DIGITS];
};

void magnitude_of(const struct exact *exact, struct magnitude *ret_size);

#endif
