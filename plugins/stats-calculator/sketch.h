/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quantiles of numbers that come and go: how many of them lie in each of the bins that an
 * octave, from 2^e to 2^(e + 1), is divided into. A bin is 1/64 of its lower end wide, so what
 * is said to be a quantile differs from the number that it is by at most 1/128 of it (0.79 %).
 * Counts can be taken back, which neither t-digest nor KLL could: they forget what they were
 * made of. The bin of a number is some of its bits, so it is the same on every machine.
 *
 * Numbers nearer to 0 than 2.3e-308 are 0. A zeroed struct is empty. One thread at a time.
 */
#ifndef STATS_SKETCH_H
#define STATS_SKETCH_H

#include "bytes.h"

struct bin {
    int32_t place; /* rises with the number; 0 holds 0                                     */
    uint64_t count;
};

struct sketch {
    struct bin *bins; /* by place, none of them empty                                       */
    uint32_t count, room;
    uint32_t last; /* the bin that was found last: the next number is often near            */
};

void sketch_fini(struct sketch *sketch);

/* False: no memory. */
bool sketch_add(struct sketch *sketch, double value);
bool sketch_merge(struct sketch *sketch, const struct sketch *more);

/* Takes back one that was added. */
void sketch_take(struct sketch *sketch, double value);

/* Of the numbers in order the one at place floor(q (count - 1)), 0 <= q <= 1, or one near it;
 * 0 if there is none. */
double sketch_quantile(const struct sketch *sketch, double q);

void sketch_write(const struct sketch *sketch, tr_text *out);
/* Into a zeroed one. False: no memory, or reader->failed. */
bool sketch_read(struct sketch *sketch, struct reader *reader);

#endif
