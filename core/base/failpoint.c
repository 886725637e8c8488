/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Failpoints. The environment is read before main(), when there is one thread; after that only
 * the counters change. A plugin that has failpoints has a copy of this file, and reads the
 * same.
 */
#include "base/failpoint.h"

#ifdef TAILRACE_FAILPOINTS

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { POINTS_MAX = 16, NAME_MAX_LEN = 63 };

struct point {
    char name[NAME_MAX_LEN + 1], action[8];
    unsigned hit; /* acts at this one, from 1                                              */
    long ms;
    atomic_uint passed;
};

static struct point points[POINTS_MAX];
static unsigned points_count;
static const char *plant;

static bool parse(const char *text, struct point *point)
{
    point->ms = 0;
    return sscanf(text, "%63[^:]:%u:%7[a-z]=%ld", point->name, &point->hit, point->action,
                  &point->ms) >= 3 &&
           point->hit > 0;
}

static __attribute__((constructor)) void read_environment(void)
{
    const char *text = getenv("TAILRACE_FAILPOINTS");

    plant = getenv("TAILRACE_PLANT");
    while (text && *text) {
        if (points_count == POINTS_MAX || !parse(text, &points[points_count])) {
            dprintf(STDERR_FILENO, "TAILRACE_FAILPOINTS: not understood: %s\n", text);
            _exit(2);
        }
        points_count++;
        text = strchr(text, ',');
        text += text ? 1 : 0;
    }
}

static void sleep_ms(long ms)
{
    const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    nanosleep(&time, NULL);
}

static void act(const struct point *point)
{
    dprintf(STDERR_FILENO, "failpoint %s: %s\n", point->name, point->action);
    if (strcmp(point->action, "stop") == 0) {
        kill(getpid(), SIGSTOP);
        return;
    }
    sleep_ms(point->ms);
    if (strcmp(point->action, "kill") == 0)
        kill(getpid(), SIGKILL);
}

void failpoint_pass(const char *name)
{
    for (unsigned i = 0; i < points_count; i++)
        if (strcmp(points[i].name, name) == 0 &&
            atomic_fetch_add(&points[i].passed, 1) + 1 == points[i].hit)
            act(&points[i]);
}

int64_t failpoint_step(const char *name)
{
    int64_t step = 0;

    for (unsigned i = 0; i < points_count; i++) {
        if (strcmp(points[i].name, name) != 0)
            continue;
        unsigned passed = atomic_fetch_add(&points[i].passed, 1) + 1;
        if (passed == points[i].hit)
            dprintf(STDERR_FILENO, "failpoint %s: step\n", name);
        if (passed >= points[i].hit)
            step += points[i].ms;
    }
    return step;
}

bool failpoint_is_planted(const char *name)
{
    return plant && strcmp(plant, name) == 0;
}

#endif
