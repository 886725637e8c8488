/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of dispatch and engine share: a plugin inside the test that keeps every batch
 * until the test says what became of it, segments made by hand, and a binding between them on a
 * real loop and a real store.
 *
 * A row is known by its revision, which is its ordinal: row 7 of a stream is "7-r". Its seq is
 * "7-s", or null.
 */
#ifndef TEST_DISPATCH_LIB_H
#define TEST_DISPATCH_LIB_H

#include "base/clock.h"
#include "dispatch/private.h"
#include "feed/build.h"
#include "observe/log.h"
#include "test_store_lib.h"
#include "json/row.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

/* ---- the plugin ---- */

enum { SINK_BATCHES = 64, SINK_ROWS = 64 };

struct sink_batch {
    const tr_host *host; /* of its instance */
    tr_ticket ticket;
    bool replay;
    uint32_t count;
    int64_t rows[SINK_ROWS]; /* ordinals */
    uint32_t attempts[SINK_ROWS];
    char ids[SINK_ROWS][16];
    char stream[32];
};

static struct sink {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct sink_batch batches[SINK_BATCHES]; /* in hand, in the order in which they came */
    uint32_t count;
    uint64_t seen; /* batches so far                                                     */
    bool start_waits, start_fails, configure_fails;
    uint32_t configured, configured_busy; /* calls; those with batches in hand           */
    uint32_t started, stopped, closed, cancelled;
} sink = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static tr_status sink_open(const tr_host *host, tr_self **ret_self, tr_error *error)
{
    (void)error;
    *ret_self = (tr_self *)(uintptr_t)host; /* an instance has no more to remember */
    return TR_OK;
}

static tr_status sink_configure(tr_self *self, const tr_config *config, tr_error *error)
{
    bool fails;

    (void)self, (void)config, (void)error;
    pthread_mutex_lock(&sink.lock);
    sink.configured++;
    sink.configured_busy += sink.count > 0;
    fails = sink.configure_fails;
    pthread_mutex_unlock(&sink.lock);
    return fails ? TR_EINVAL : TR_OK;
}

static tr_status sink_start(tr_self *self, tr_error *error)
{
    bool fails;

    (void)self;
    pthread_mutex_lock(&sink.lock);
    while (sink.start_waits)
        pthread_cond_wait(&sink.changed, &sink.lock);
    sink.started++;
    fails = sink.start_fails;
    pthread_mutex_unlock(&sink.lock);
    if (fails)
        snprintf(error->buf, error->cap, "no such place");
    return fails ? TR_EINVAL : TR_OK;
}

static tr_status sink_process(tr_self *self, const tr_batch *batch, tr_outcome *ret_outcome)
{
    struct sink_batch *kept;

    (void)ret_outcome;
    pthread_mutex_lock(&sink.lock);
    kept = &sink.batches[sink.count++];
    *kept = (struct sink_batch){.host = (const tr_host *)(void *)self,
                                .ticket = batch->ticket,
                                .replay = (batch->flags & TR_BATCH_REPLAY) != 0,
                                .count = batch->count};
    snprintf(kept->stream, sizeof(kept->stream), STR_FMT, STR_ARG(batch->stream));
    for (uint32_t i = 0; i < batch->count; i++) {
        const tr_change *change = tr_batch_at(batch, i);
        kept->rows[i] = atoll(change->rev.ptr);
        kept->attempts[i] = change->attempt;
        snprintf(kept->ids[i], sizeof(kept->ids[i]), STR_FMT, STR_ARG(change->id));
    }
    sink.seen++;
    pthread_mutex_unlock(&sink.lock);
    return TR_PENDING;
}

static void sink_cancel(tr_self *self, tr_ticket ticket)
{
    (void)self, (void)ticket;
    pthread_mutex_lock(&sink.lock);
    sink.cancelled++;
    pthread_mutex_unlock(&sink.lock);
}

static tr_status sink_stop(tr_self *self, int64_t deadline_ms)
{
    (void)self, (void)deadline_ms;
    pthread_mutex_lock(&sink.lock);
    sink.stopped++;
    pthread_mutex_unlock(&sink.lock);
    return TR_OK;
}

static void sink_close(tr_self *self)
{
    (void)self;
    pthread_mutex_lock(&sink.lock);
    sink.closed++;
    pthread_mutex_unlock(&sink.lock);
}

static const struct plugin sink_plugin = {
    .descriptor = {.size = sizeof(tr_plugin),
                   .name = "sink",
                   .version = "1",
                   .caps = TR_CAP_CONCURRENT,
                   .max_inflight = 16,
                   .open = sink_open,
                   .configure = sink_configure,
                   .start = sink_start,
                   .process = sink_process,
                   .cancel = sink_cancel,
                   .stop = sink_stop,
                   .close = sink_close},
};

static inline void sink_init(void)
{
    pthread_mutex_lock(&sink.lock);
    sink.count = 0;
    sink.seen = 0;
    sink.start_waits = sink.start_fails = sink.configure_fails = false;
    sink.configured = sink.configured_busy = 0;
    sink.started = sink.stopped = sink.closed = sink.cancelled = 0;
    pthread_mutex_unlock(&sink.lock);
}

static inline uint32_t sink_count(void)
{
    uint32_t count;

    pthread_mutex_lock(&sink.lock);
    count = sink.count;
    pthread_mutex_unlock(&sink.lock);
    return count;
}

/* A number of the sink, read under its lock. */
static inline uint32_t sink_number(const uint32_t *number)
{
    uint32_t value;

    pthread_mutex_lock(&sink.lock);
    value = *number;
    pthread_mutex_unlock(&sink.lock);
    return value;
}

static inline void sink_let_start(void)
{
    pthread_mutex_lock(&sink.lock);
    sink.start_waits = false;
    pthread_cond_broadcast(&sink.changed);
    pthread_mutex_unlock(&sink.lock);
}

/* Takes a batch out of the sink's hand, to be answered. */
static inline struct sink_batch sink_take(uint32_t i)
{
    struct sink_batch batch;

    pthread_mutex_lock(&sink.lock);
    assert_true(i < sink.count);
    batch = sink.batches[i];
    memmove(&sink.batches[i], &sink.batches[i + 1],
            (--sink.count - i) * sizeof(sink.batches[0]));
    pthread_mutex_unlock(&sink.lock);
    return batch;
}

static inline void sink_answer(const struct sink_batch *batch, tr_status status,
                               const int32_t *items, uint32_t retry_after_ms)
{
    tr_outcome outcome = {.size = sizeof(outcome),
                          .status = status,
                          .retry_after_ms = retry_after_ms,
                          .items = items,
                          .items_count = items ? batch->count : 0,
                          .message = STR("as the test says")};

    assert_int_equal(batch->host->complete(batch->host, batch->ticket, &outcome), TR_OK);
}

/* ---- segments ---- */

struct row {
    int64_t ordinal;
    const char *id;
    bool no_seq, deleted;
};

static inline tr_str seq_text(struct arena *arena, int64_t ordinal)
{
    char text[32];

    snprintf(text, sizeof(text), ordinal == 0 ? "0" : "\"%jd-s\"", (intmax_t)ordinal);
    return arena_str(arena, str_c(text));
}

static inline void add_row(struct segment *segment, const struct row *row)
{
    struct arena *arena = segment_arena(segment);
    struct json_closing closing;
    tr_change change;
    char seq[32] = "null", text[256];
    size_t used;

    if (!row->no_seq)
        snprintf(seq, sizeof(seq), "\"%jd-s\"", (intmax_t)row->ordinal);
    snprintf(text, sizeof(text),
             "{\"seq\":%s,\"id\":\"%s\",\"changes\":[{\"rev\":\"%jd-r\"}]%s}", seq, row->id,
             (intmax_t)row->ordinal, row->deleted ? ",\"deleted\":true" : "");
    assert_int_equal(
        json_row_scan(arena_str(arena, str_c(text)), arena, &change, &closing, &used),
        JSON_ROW);
    segment_add(segment, &change, NULL);
}

/* Rows behind the position `since` (an ordinal with a seq). The last row may have none. */
static inline struct segment *make_segment(int64_t since, const struct row *rows,
                                           uint32_t count)
{
    struct arena arena;
    struct segment *segment;
    int64_t last = since;

    arena_init(&arena, 256);
    segment = segment_new(seq_text(&arena, since), count);
    for (uint32_t i = 0; i < count; i++) {
        add_row(segment, &rows[i]);
        if (!rows[i].no_seq)
            last = rows[i].ordinal;
    }
    segment_finish(segment, seq_text(&arena, last));
    arena_fini(&arena);
    return segment;
}

/* ---- a binding ---- */

struct road {
    struct place place;
    struct matcher matcher;
    struct binding_setup setup;
    struct binding *binding;
    struct cursor *cursor;
    uint32_t started, held, room, idle, replayed, drained;
};

static inline void on_started(void *ctx)
{
    ((struct road *)ctx)->started++;
}

static inline void on_held(void *ctx, const char *why)
{
    assert_true(why[0]);
    ((struct road *)ctx)->held++;
}

static inline void on_room(void *ctx)
{
    ((struct road *)ctx)->room++;
}

static inline void on_idle(void *ctx)
{
    ((struct road *)ctx)->idle++;
}

static inline void on_drained(void *ctx)
{
    ((struct road *)ctx)->drained++;
}

static inline void on_replayed(void *ctx)
{
    ((struct road *)ctx)->replayed++;
}

static const struct binding_events road_events = {.started = on_started,
                                                  .held = on_held,
                                                  .room = on_room,
                                                  .idle = on_idle,
                                                  .replayed = on_replayed,
                                                  .drained = on_drained};

/* One batch at a time of one change, retried at once, committed at once. */
static inline void road_init(struct road *road)
{
    *road = (struct road){.matcher = {.deleted = MATCH_EXCLUDE}};
    log_set_level(getenv("TEST_LOG") ? LOG_DEBUG : 0);
    sink_init();
    place_init(&road->place);
    place_open(&road->place);
    road->setup = (struct binding_setup){
        .name = "rule",
        .options = {.batch_size = 1,
                    .batch_bytes = 1 << 20,
                    .concurrency = 1,
                    .window_rows = 1000,
                    .window_bytes = 1 << 24,
                    .retry_min_ms = 1,
                    .retry_max_ms = 2,
                    .commit_ms = 1,
                    .commit_rows = 1000000},
        .matcher = &road->matcher,
        .loop = road->place.loop,
        .instance = {.plugin = &sink_plugin, .timeout_ms = 60000, .grace_ms = 60000},
        .events = &road_events,
        .ctx = road,
    };
}

static inline void road_turn(struct road *road)
{
    loop_turn(road->place.loop, 1);
}

/* Turns the loop until it holds; a test that hangs here is killed by alarm(). */
#define WAIT(road_, condition_)                                                                \
    do {                                                                                       \
        while (!(condition_))                                                                  \
            road_turn(road_);                                                                  \
    } while (0)

static inline void road_turns(struct road *road, int turns)
{
    while (turns-- > 0)
        road_turn(road);
}

static const struct stream_name road_stream = {.key = {"main/blog@1", 11},
                                               .source = {"main", 4},
                                               .db = {"blog", 4},
                                               .incarnation = {"1", 1}};

/* The store is started here, so that a test can set limits before. */
static inline void road_begin(struct road *road)
{
    alarm(getenv("TEST_ALARM") ? 5 : 60);
    if (!road->setup.store)
        assert_int_equal(store_start(road->place.store, road->place.loop, &road->place.error),
                         0);
    road->setup.store = road->place.store;
    road->binding = binding_new(&road->setup);
    road->cursor = cursor_new(road->binding, &road_stream, STR("0"), 0);
    binding_start(road->binding);
}

static inline void road_start(struct road *road)
{
    road_begin(road);
    WAIT(road, road->started);
}

static inline void road_drain(struct road *road)
{
    uint32_t before = road->drained;

    binding_drain(road->binding, clock_ms() + 10000);
    WAIT(road, road->drained > before);
}

static inline void road_fini(struct road *road)
{
    if (road->binding && road->drained == 0)
        road_drain(road);
    binding_free(road->binding);
    assert_true(road->drained <= 1);
    place_fini(&road->place);
    alarm(0);
}

static inline void road_take(struct road *road, struct cursor *cursor, int64_t since,
                             const struct row *rows, uint32_t count)
{
    struct segment *segment = make_segment(since, rows, count);

    (void)road;
    cursor_take(cursor, segment);
    segment_unref(segment);
}

/* `count` rows from ordinal `from` on, each of a document of its own. */
static inline void road_give(struct road *road, int64_t from, uint32_t count)
{
    static char ids[256][16];
    struct row rows[256];

    for (uint32_t i = 0; i < count; i++) {
        snprintf(ids[i], sizeof(ids[i]), "d%jd", (intmax_t)(from + i));
        rows[i] = (struct row){.ordinal = from + i, .id = ids[i]};
    }
    road_take(road, road->cursor, from - 1, rows, count);
}

/* The next batch that reaches the sink. */
static inline struct sink_batch road_next(struct road *road)
{
    WAIT(road, sink_count() > 0);
    return sink_take(0);
}

/* The next batch, answered; returns it. */
static inline struct sink_batch road_answer(struct road *road, tr_status status)
{
    struct sink_batch batch = road_next(road);

    sink_answer(&batch, status, NULL, 0);
    return batch;
}

/* ---- what the store says ---- */

/* The position that is stored, as an ordinal; -1: none. */
static inline int64_t stored_position(struct store *store, tr_str binding, tr_str stream)
{
    struct store_checkpoint checkpoint;
    struct arena arena;
    bool found = false;
    int64_t at = -1;

    arena_init(&arena, 256);
    assert_int_equal(
        store_checkpoint_get(store, binding, stream, &arena, &checkpoint, &found, NULL), 0);
    if (found) {
        assert_true(checkpoint.seq.len > 0);
        at = atoll(checkpoint.seq.ptr + (checkpoint.seq.ptr[0] == '"'));
    }
    arena_fini(&arena);
    return at;
}

static inline int64_t road_position(struct road *road)
{
    return stored_position(road->place.store, STR("rule"), road_stream.key);
}

static inline int64_t road_letters(struct road *road)
{
    int64_t count, bytes;

    assert_int_equal(
        store_dead_letter_count(road->place.store, STR("rule"), &count, &bytes, NULL), 0);
    return count;
}

/* What was settled behind one that waits, by the items themselves. */
static inline uint32_t count_passed(const struct binding *binding)
{
    uint32_t passed = 0;

    list_each (it, &binding->cursors)
        list_each (at, &list_entry(it, struct cursor, link)->pending)
            passed += list_entry(at, struct item, pending)->passed;
    return passed;
}

/* received = filtered + ok + dead + skipped + what still waits. */
static inline void assert_counted(const struct binding *binding)
{
    const struct binding_stats *stats = binding_get_stats(binding);

    assert_int_equal(stats->received, stats->filtered + stats->ok + stats->dead +
                                          stats->skipped + binding->rows);
    assert_int_equal(count_passed(binding), binding->passed);
}

#endif
