/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What it costs that a plugin keeps something: for each change one get and one put of 40 bytes
 * under the document's id, all of it durable with the checkpoints.
 *
 *     bench_state [rows]
 *
 * A commit is made after 100,000 rows, which is about what one a second makes; by the clock the
 * figures would depend on what else the machine does. The documents come in no order, all of
 * them twice: first none is there, then each. The times are CPU time of all threads for a
 * change, the commits included, and beside them that of a plugin that keeps nothing. The last
 * line is JSON.
 */
#include "road.h"

#include <tailrace/ext/state.h>
#include <tailrace/sdk.h>

/* ---- the plugins ---- */

static const tr_state *state;

static tr_status keeper_open(const tr_host *host, tr_self **ret_self, tr_error *error)
{
    (void)error;
    state = host->get_ext(host, TR_EXT_STATE);
    *ret_self = (tr_self *)(uintptr_t)host;
    return TR_OK;
}

static tr_status keeper_process(tr_self *self, const tr_batch *batch, tr_outcome *ret_outcome)
{
    const tr_host *host = (const tr_host *)(void *)self;
    uint64_t kept[5] = {0};
    tr_str value;

    for (uint32_t i = 0; i < batch->count; i++) {
        const tr_change *change = tr_batch_at(batch, i);
        if (state->get(host, batch->stream, change->id, &value) == TR_OK &&
            value.len == sizeof(kept))
            memcpy(kept, value.ptr, sizeof(kept));
        kept[i % 5]++;
        if (state->put(host, batch->ticket, change->id,
                       tr_str_n((const char *)kept, sizeof(kept))) != TR_OK)
            return tr_finish(ret_outcome, TR_FATAL, "put");
    }
    return TR_OK;
}

static tr_status nothing_open(const tr_host *host, tr_self **ret_self, tr_error *error)
{
    (void)error;
    *ret_self = (tr_self *)(uintptr_t)host;
    return TR_OK;
}

static tr_status nothing_process(tr_self *self, const tr_batch *batch, tr_outcome *ret_outcome)
{
    (void)self, (void)batch;
    return tr_finish(ret_outcome, TR_OK, NULL);
}

static void no_close(tr_self *self)
{
    (void)self;
}

static char nowhere[] = "/nothing";

static const struct plugin keeper_plugin = {
    .path = nowhere,
    .descriptor = {TR_DESCRIPTOR("keeper", "1", "keeps"), .open = keeper_open,
                   .process = keeper_process, .close = no_close},
};

static const struct plugin nothing_plugin = {
    .path = nowhere,
    .descriptor = {TR_DESCRIPTOR("nothing", "1", "does nothing"), .open = nothing_open,
                   .process = nothing_process, .close = no_close},
};

/* ---- rows ---- */

/* Each id once, in no order: an odd factor only shuffles the numbers of 32 bits. */
static struct segment *make_segment(unsigned from)
{
    struct segment *segment = segment_new(STR("0"), SEGMENT_ROWS);
    struct arena *arena = segment_arena(segment);
    char text[256];

    for (unsigned i = from; i < from + SEGMENT_ROWS; i++) {
        snprintf(text, sizeof(text),
                 "{\"seq\":\"%u-g1AAAACheJzLYWBg\",\"id\":\"%08x%08x\","
                 "\"changes\":[{\"rev\":\"1-0123456789abcdef0123456789abcdef\"}]}",
                 i + 1, i * 2654435761u, i);
        road_add_row(segment, arena_str(arena, str_c(text)));
    }
    segment_finish(segment, segment->rows[SEGMENT_ROWS - 1].seq);
    return segment;
}

/* ---- measuring ---- */

/* CPU time of a change, all threads; making the rows is not counted. */
static double measure(const struct plugin *plugin, struct road *road, unsigned count,
                      const char *what)
{
    double cpu = 0, wall = now_ns(CLOCK_MONOTONIC), start, made = 0;
    double changes = (double)count * SEGMENT_ROWS;

    road_begin(road, plugin, 1);
    start = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (unsigned s = 0; s < count; s++) {
        double before = now_ns(CLOCK_THREAD_CPUTIME_ID);
        struct segment *segment = make_segment(s * SEGMENT_ROWS);
        made += now_ns(CLOCK_THREAD_CPUTIME_ID) - before;
        road_give(road, segment);
        segment_unref(segment);
    }
    road_settle(road);
    road_end(road);
    cpu = (now_ns(CLOCK_PROCESS_CPUTIME_ID) - start - made) / changes;
    wall = (now_ns(CLOCK_MONOTONIC) - wall) / changes;
    printf("%s: %.0f ns of CPU a change, %.0f ns of time\n", what, cpu, wall);
    return cpu;
}

int main(int argc, char **argv)
{
    unsigned count = (argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1000000) / SEGMENT_ROWS;
    double none, fill, update;
    struct road road = {0};

    if (count == 0 || argc > 2) {
        fprintf(stderr, "usage: bench_state [rows], at least %d\n", SEGMENT_ROWS);
        return 64;
    }
    road_options.commit_ms = 3600000;
    road_options.commit_rows = 100000;
    road_open(&road);
    none = measure(&nothing_plugin, &road, count, "keeps nothing");
    fill = measure(&keeper_plugin, &road, count, "all new");
    update = measure(&keeper_plugin, &road, count, "all known");
    printf("{\"bench\":\"state\",\"rows\":%u,\"none_ns\":%.0f,\"fill_ns\":%.0f,"
           "\"update_ns\":%.0f}\n",
           count * SEGMENT_ROWS, none, fill, update);
    return road_close(&road);
}
