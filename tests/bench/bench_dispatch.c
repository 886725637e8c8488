/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a change costs between the feed and the plugin: matched, queued, batched, handed to a
 * plugin that does nothing, settled and committed to a store.
 *
 *     bench_dispatch [rows [rounds]]
 *
 * Rows of a made-up feed are scanned once, before the clock starts; then each round gives all
 * of them to 1 binding and to 8. The times are CPU time for a change and binding: of the loop
 * thread, and of all threads (workers and store too). The last line is JSON.
 */
#include "base/clock.h"
#include "dispatch/binding.h"
#include "feed/build.h"
#include "observe/log.h"
#include "json/row.h"

#include <tailrace/sdk.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { SEGMENT_ROWS = 100, BINDINGS_MAX = 8 };

/* ---- the plugin ---- */

static char nothing[] = "/nothing"; /* the path, and the instance, which has no state */

static tr_status nothing_open(const tr_host *host, tr_self **ret_self, tr_error *error)
{
    (void)host, (void)error;
    *ret_self = (tr_self *)(void *)nothing;
    return TR_OK;
}

static tr_status nothing_process(tr_self *self, const tr_batch *batch, tr_outcome *ret_outcome)
{
    (void)self, (void)batch;
    return tr_finish(ret_outcome, TR_OK, NULL);
}

static void nothing_close(tr_self *self)
{
    (void)self;
}

static const struct plugin nothing_plugin = {
    .path = nothing,
    .descriptor = {TR_DESCRIPTOR("nothing", "1", "does nothing"), .open = nothing_open,
                   .process = nothing_process, .close = nothing_close},
};

/* ---- rows ---- */

static tr_str make_row(struct arena *arena, unsigned i)
{
    struct buf out = {0};
    tr_str row;

    buf_addf(&out,
             "{\"seq\":\"%u-g1AAAACheJzLYWBg\",\"id\":\"post-%08u\","
             "\"changes\":[{\"rev\":\"1-0123456789abcdef0123456789abcdef\"}],"
             "\"doc\":{\"_id\":\"post-%08u\",\"type\":\"post\",\"title\":\"%0900u\"}}",
             i + 1, i, i, i);
    row = arena_str(arena, buf_str(&out));
    buf_fini(&out);
    return row;
}

static struct segment *make_segment(unsigned from)
{
    struct segment *segment = segment_new(STR("0"), SEGMENT_ROWS);
    struct arena *arena = segment_arena(segment);

    for (unsigned i = from; i < from + SEGMENT_ROWS; i++) {
        struct json_closing closing;
        tr_change change;
        size_t used;

        if (json_row_scan(make_row(arena, i), arena, &change, &closing, &used) != JSON_ROW)
            abort();
        segment_add(segment, &change, NULL);
    }
    segment_finish(segment, segment->rows[SEGMENT_ROWS - 1].seq);
    return segment;
}

/* ---- the road ---- */

struct road {
    struct loop *loop;
    struct store *store;
    struct matcher matcher;
    struct binding *bindings[BINDINGS_MAX];
    struct cursor *cursors[BINDINGS_MAX];
    unsigned count, started, drained;
};

static void on_started(void *ctx)
{
    ((struct road *)ctx)->started++;
}

static void on_drained(void *ctx)
{
    ((struct road *)ctx)->drained++;
}

static void on_held(void *ctx, const char *why)
{
    (void)ctx;
    fprintf(stderr, "bench_dispatch: held: %s\n", why);
    exit(1);
}

static void on_nothing(void *ctx)
{
    (void)ctx;
}

static const struct binding_events events = {.started = on_started,
                                             .held = on_held,
                                             .room = on_nothing,
                                             .idle = on_nothing,
                                             .replayed = on_nothing,
                                             .drained = on_drained};

/* As a rule has them by default (core/engine/options.c). */
static const struct binding_options defaults = {
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

static const struct stream_name stream = {.key = {"main/bench@1", 12},
                                          .source = {"main", 4},
                                          .db = {"bench", 5},
                                          .incarnation = {"1", 1}};

static void road_begin(struct road *road, unsigned count)
{
    static const char *const names[BINDINGS_MAX] = {"1", "2", "3", "4", "5", "6", "7", "8"};

    road->count = count;
    road->started = road->drained = 0;
    for (unsigned i = 0; i < count; i++) {
        struct binding_setup setup = {
            .name = names[i],
            .options = defaults,
            .matcher = &road->matcher,
            .loop = road->loop,
            .store = road->store,
            .instance = {.plugin = &nothing_plugin, .timeout_ms = 60000, .grace_ms = 60000},
            .events = &events,
            .ctx = road,
        };

        road->bindings[i] = binding_new(&setup);
        road->cursors[i] = cursor_new(road->bindings[i], &stream, STR("0"), 0);
        binding_start(road->bindings[i]);
    }
    while (road->started < count)
        loop_turn(road->loop, 100);
}

static void road_end(struct road *road)
{
    for (unsigned i = 0; i < road->count; i++)
        binding_drain(road->bindings[i], clock_ms() + 10000);
    while (road->drained < road->count)
        loop_turn(road->loop, 100);
    for (unsigned i = 0; i < road->count; i++)
        binding_free(road->bindings[i]);
}

static void give(struct road *road, struct segment **segments, unsigned count)
{
    for (unsigned s = 0; s < count; s++)
        for (unsigned i = 0; i < road->count; i++) {
            while (!binding_has_room(road->bindings[i]))
                loop_turn(road->loop, 100);
            cursor_take(road->cursors[i], segments[s]);
        }
    for (unsigned i = 0; i < road->count; i++)
        while (!binding_is_idle(road->bindings[i]))
            loop_turn(road->loop, 100);
}

/* ---- measuring ---- */

static double now_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

struct cost {
    double loop, all; /* ns a change and binding */
};

static struct cost measure(struct road *road, struct segment **segments, unsigned count)
{
    double loop = now_ns(CLOCK_THREAD_CPUTIME_ID), all = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    double changes = (double)count * SEGMENT_ROWS * road->count;

    give(road, segments, count);
    return (struct cost){(now_ns(CLOCK_THREAD_CPUTIME_ID) - loop) / changes,
                         (now_ns(CLOCK_PROCESS_CPUTIME_ID) - all) / changes};
}

/* The fastest of the rounds. */
static struct cost measure_best(struct road *road, unsigned bindings, struct segment **segments,
                                unsigned count, unsigned rounds)
{
    struct cost best = {1e18, 1e18};

    road_begin(road, bindings);
    for (unsigned round = 1; round <= rounds; round++) {
        struct cost cost = measure(road, segments, count);

        printf("%u binding%s, round %u: loop %.0f ns, all threads %.0f ns\n", bindings,
               bindings == 1 ? "" : "s", round, cost.loop, cost.all);
        if (cost.all < best.all)
            best = cost;
    }
    road_end(road);
    return best;
}

static void open_road(struct road *road, const char *dir)
{
    struct error error = {0};

    if (loop_new(&road->loop, &error) < 0 || store_open(dir, 0, &road->store, &error) < 0 ||
        store_start(road->store, road->loop, &error) < 0) {
        fprintf(stderr, "bench_dispatch: %s\n", error.text);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    unsigned rows = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 100000;
    unsigned rounds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 5;
    unsigned count = rows / SEGMENT_ROWS;
    struct road road = {0};
    struct segment **segments;
    struct cost one, eight;
    char dir[] = "/tmp/tailrace-bench-XXXXXX", command[64];

    if (count == 0 || rounds == 0 || argc > 3 || !mkdtemp(dir)) {
        fprintf(stderr, "usage: bench_dispatch [rows [rounds]], at least %d and 1\n",
                SEGMENT_ROWS);
        return 64;
    }
    log_set_level(LOG_ERROR);
    open_road(&road, dir);
    segments = calloc(count, sizeof(*segments));
    for (unsigned i = 0; segments && i < count; i++)
        segments[i] = make_segment(i * SEGMENT_ROWS);
    one = measure_best(&road, 1, segments, count, rounds);
    eight = measure_best(&road, 8, segments, count, rounds);
    printf("{\"bench\":\"dispatch\",\"rows\":%u,\"rounds\":%u,"
           "\"loop_ns_1\":%.0f,\"all_ns_1\":%.0f,\"loop_ns_8\":%.0f,\"all_ns_8\":%.0f}\n",
           count * SEGMENT_ROWS, rounds, one.loop, one.all, eight.loop, eight.all);
    for (unsigned i = 0; i < count; i++)
        segment_unref(segments[i]);
    free(segments);
    store_close(road.store);
    loop_free(road.loop);
    snprintf(command, sizeof(command), "rm -rf -- %s", dir);
    return system(command) == 0 ? 0 : 1;
}
