/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random numbers for jitter, hash keys and markers. Any thread.
 */
#include "base/random.h"

#include <stddef.h>
#include <sys/random.h>
#include <time.h>

uint64_t random_u64(void)
{
    uint64_t value;

    if (getrandom(&value, sizeof(value), 0) != (ssize_t)sizeof(value)) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        value = (uint64_t)now.tv_nsec * 0x9e3779b97f4a7c15u ^ (uint64_t)(uintptr_t)&value;
    }
    return value;
}

uint64_t random_below(uint64_t below)
{
    return below ? random_u64() % below : 0;
}

int64_t backoff_ms(uint32_t attempt, int64_t base, int64_t cap)
{
    int64_t bound = base;

    while (attempt-- > 0 && bound > 0 && bound < cap)
        bound *= 2;
    if (bound > cap)
        bound = cap;
    return bound / 10 + (int64_t)random_below((uint64_t)(bound - bound / 10 + 1));
}
