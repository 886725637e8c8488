/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What bench_dispatch and bench_state share: rules between segments made by hand and a plugin
 * inside the program, on a real loop and a real store, with the options that a rule has by
 * default (core/engine/options.c), and CPU time.
 */
#ifndef BENCH_ROAD_H
#define BENCH_ROAD_H

#include "base/clock.h"
#include "dispatch/binding.h"
#include "feed/build.h"
#include "observe/log.h"
#include "json/row.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { SEGMENT_ROWS = 100, BINDINGS_MAX = 8 };

struct road {
    char dir[32];
    struct loop *loop;
    struct store *store;
    struct matcher matcher;
    struct binding *bindings[BINDINGS_MAX];
    struct cursor *cursors[BINDINGS_MAX];
    unsigned count, started, drained;
};

static void road_started(void *ctx)
{
    ((struct road *)ctx)->started++;
}

static void road_drained(void *ctx)
{
    ((struct road *)ctx)->drained++;
}

static void road_held(void *ctx, const char *why)
{
    (void)ctx;
    fprintf(stderr, "bench: held: %s\n", why);
    exit(1);
}

static void road_nothing(void *ctx)
{
    (void)ctx;
}

static const struct binding_events road_events = {.started = road_started,
                                                  .held = road_held,
                                                  .room = road_nothing,
                                                  .idle = road_nothing,
                                                  .replayed = road_nothing,
                                                  .drained = road_drained};

static struct binding_options road_options = {
    .batch_size = 500,
    .batch_bytes = 1 << 20,
    .concurrency = 1,
    .window_rows = 10000,
    .window_bytes = 4 << 20,
    .retry_min_ms = 250,
    .retry_max_ms = 300000,
    .commit_ms = 1000,
    .commit_rows = 10000,
};

static const struct stream_name road_stream = {.key = {"main/bench@1", 12},
                                               .source = {"main", 4},
                                               .db = {"bench", 5},
                                               .incarnation = {"1", 1}};

/* An empty store in a folder of its own. */
static inline void road_open(struct road *road)
{
    struct error error = {0};

    log_set_level(LOG_ERROR);
    snprintf(road->dir, sizeof(road->dir), "/tmp/tailrace-bench-XXXXXX");
    if (mkdtemp(road->dir) && loop_new(&road->loop, &error) == 0 &&
        store_open(road->dir, 0, &road->store, &error) == 0 &&
        store_start(road->store, road->loop, &error) == 0)
        return;
    fprintf(stderr, "bench: %s\n", error.text);
    exit(1);
}

/* Gives the exit code. */
static inline int road_close(struct road *road)
{
    char command[64];

    store_close(road->store);
    loop_free(road->loop);
    snprintf(command, sizeof(command), "rm -rf -- %s", road->dir);
    return system(command) == 0 ? 0 : 1;
}

static inline void road_begin(struct road *road, const struct plugin *plugin, unsigned count)
{
    static const char *const names[BINDINGS_MAX] = {"1", "2", "3", "4", "5", "6", "7", "8"};

    road->count = count;
    road->started = road->drained = 0;
    for (unsigned i = 0; i < count; i++) {
        struct binding_setup setup = {
            .name = names[i],
            .options = road_options,
            .matcher = &road->matcher,
            .loop = road->loop,
            .store = road->store,
            .instance = {.plugin = plugin,
                         .timeout_ms = 60000,
                         .grace_ms = 60000,
                         .store = road->store},
            .events = &road_events,
            .ctx = road,
        };

        road->bindings[i] = binding_new(&setup);
        road->cursors[i] = cursor_new(road->bindings[i], &road_stream, STR("0"), 0);
        binding_start(road->bindings[i]);
    }
    while (road->started < count)
        loop_turn(road->loop, 100);
}

/* Commits what was settled. */
static inline void road_end(struct road *road)
{
    for (unsigned i = 0; i < road->count; i++)
        binding_drain(road->bindings[i], clock_ms() + 10000);
    while (road->drained < road->count)
        loop_turn(road->loop, 100);
    for (unsigned i = 0; i < road->count; i++)
        binding_free(road->bindings[i]);
}

/* To each rule, as fast as it takes them. */
static inline void road_give(struct road *road, struct segment *segment)
{
    for (unsigned i = 0; i < road->count; i++) {
        while (!binding_has_room(road->bindings[i]))
            loop_turn(road->loop, 100);
        cursor_take(road->cursors[i], segment);
    }
}

/* Until all is settled. */
static inline void road_settle(struct road *road)
{
    for (unsigned i = 0; i < road->count; i++)
        while (!binding_is_idle(road->bindings[i]))
            loop_turn(road->loop, 100);
}

/* Scans the row into the segment. */
static inline void road_add_row(struct segment *segment, tr_str row)
{
    struct json_closing closing;
    tr_change change;
    size_t used;

    if (json_row_scan(row, segment_arena(segment), &change, &closing, &used) != JSON_ROW)
        abort();
    segment_add(segment, &change, NULL);
}

static inline double now_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

#endif
