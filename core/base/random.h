/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random numbers for jitter, hash keys and markers. Any thread. Not for secrets.
 */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stdint.h>

/* 64 bits from the kernel. */
uint64_t random_u64(void);

/* From 0 to below - 1, each alike; 0 if below is 0. */
uint64_t random_below(uint64_t below);

/* The delay before try number `attempt` (from 0) in milliseconds: full jitter, that is anything
 * from 0 up to `base * 2^attempt`, itself at most `cap`; never less than a tenth of that bound,
 * so that a crowd spreads out but nobody spins. */
int64_t backoff_ms(uint32_t attempt, int64_t base, int64_t cap);

#endif
