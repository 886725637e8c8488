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
#include "road.h"

#include <tailrace/sdk.h>

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

    for (unsigned i = from; i < from + SEGMENT_ROWS; i++)
        road_add_row(segment, make_row(arena, i));
    segment_finish(segment, segment->rows[SEGMENT_ROWS - 1].seq);
    return segment;
}

/* ---- measuring ---- */

struct cost {
    double loop, all; /* ns a change and binding */
};

static struct cost measure(struct road *road, struct segment **segments, unsigned count)
{
    double loop = now_ns(CLOCK_THREAD_CPUTIME_ID), all = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    double changes = (double)count * SEGMENT_ROWS * road->count;

    for (unsigned s = 0; s < count; s++)
        road_give(road, segments[s]);
    road_settle(road);
    return (struct cost){(now_ns(CLOCK_THREAD_CPUTIME_ID) - loop) / changes,
                         (now_ns(CLOCK_PROCESS_CPUTIME_ID) - all) / changes};
}

/* The fastest of the rounds. */
static struct cost measure_best(struct road *road, unsigned bindings, struct segment **segments,
                                unsigned count, unsigned rounds)
{
    struct cost best = {1e18, 1e18};

    road_begin(road, &nothing_plugin, bindings);
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

int main(int argc, char **argv)
{
    unsigned rows = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 100000;
    unsigned rounds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 5;
    unsigned count = rows / SEGMENT_ROWS;
    struct road road = {0};
    struct segment **segments;
    struct cost one, eight;

    if (count == 0 || rounds == 0 || argc > 3) {
        fprintf(stderr, "usage: bench_dispatch [rows [rounds]], at least %d and 1\n",
                SEGMENT_ROWS);
        return 64;
    }
    road_open(&road);
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
    return road_close(&road);
}
