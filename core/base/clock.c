/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time. Any thread.
 */
#include "base/clock.h"
#include "base/failpoint.h"

#include <stdio.h>
#include <time.h>

static int64_t read_ms(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_ms(void)
{
    return read_ms(CLOCK_MONOTONIC);
}

int64_t clock_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_wall_ms(void)
{
    return read_ms(CLOCK_REALTIME) + FAILPOINT_STEP("clock.wall");
}

void clock_format(int64_t wall_ms, char text[CLOCK_TEXT])
{
    int ms = (int)(wall_ms % 1000);
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm parts;
    size_t n;

    if (ms < 0) { /* a clock before 1970 */
        ms += 1000;
        seconds--;
    }
    gmtime_r(&seconds, &parts);
    n = strftime(text, CLOCK_TEXT, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text + n, CLOCK_TEXT - n, ".%03dZ", ms);
}
