/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time. All timers and deadlines are monotonic, so that a clock set a year ahead moves none of
 * them; wall time is only for what a person reads. Any thread.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* Milliseconds of CLOCK_MONOTONIC. */
int64_t clock_ms(void);
int64_t clock_us(void); /* microseconds of it                                              */

/* Milliseconds since 1970, UTC. */
int64_t clock_wall_ms(void);

/* Room for clock_format()'s text and its NUL. */
#define CLOCK_TEXT 32

/* "2026-01-31T12:00:00.123Z". */
void clock_format(int64_t wall_ms, char text[CLOCK_TEXT]);

#endif
