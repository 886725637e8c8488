/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Failpoints: the places where dying hurts, by name, so that a test can die there.
 *
 *     TAILRACE_FAILPOINTS=dispatch.acked:3:kill,store.commit.durable:1:delay=200
 *
 * is the third time that a thread comes to the first place, and the first time to the second:
 *
 *     kill        SIGKILL, at once
 *     kill=MS     the same after a while in which the other threads go on
 *     stop        SIGSTOP: whoever started it lets it go on
 *     delay=MS    the thread waits here, once
 *     step=MS     of a clock: it stands so far ahead (or, with a minus, behind) from now on
 *
 * Before it acts it says so on stderr. And planted bugs, TAILRACE_PLANT=name: what the tests
 * that prove delivery must find. All of it is in builds with -DTAILRACE_FAILPOINTS=ON only
 * (tests/ledger uses them); in others the macros are nothing. Any thread.
 */
#ifndef BASE_FAILPOINT_H
#define BASE_FAILPOINT_H

#include <stdbool.h>
#include <stdint.h>

#ifdef TAILRACE_FAILPOINTS

#define FAILPOINT(name)      failpoint_pass(name)
#define FAILPOINT_STEP(name) failpoint_step(name)
#define PLANTED(name)        failpoint_is_planted(name)

void failpoint_pass(const char *name);
int64_t failpoint_step(const char *name);
bool failpoint_is_planted(const char *name);

#else

#define FAILPOINT(name)      ((void)0)
#define FAILPOINT_STEP(name) 0
#define PLANTED(name)        false

#endif

#endif
