/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must hold whatever a sink answers and however often all is stopped and begun again: a
 * stored position never passes a row that is not settled, nothing overtakes an earlier change
 * of its document, nothing is lost, and the counters add up.
 *
 * Rounds of random answers (ok, retry, reject, for all or one by one, soon or late) on several
 * streams and lanes, with rows that have no seq. TEST_SEED=n repeats a round that failed.
 */
#include "base/random.h"
#include "test_dispatch_lib.h"

enum { STREAMS = 3, ROWS = 150, DOCS = 9, RUN_MS = 3000 };

enum order { UNSENT, QUEUED, DONE };

struct model_row {
    char id[8];
    bool no_seq, deleted;
    bool poison;  /* the sink never takes it                                               */
    bool ok;      /* the sink has taken it once                                            */
    bool skipped; /* the rule may have skipped it                                          */
    enum order order;
};

struct model_stream {
    struct stream_name name;
    char key[16];
    struct cursor *cursor;
    struct model_row rows[ROWS + 1]; /* by ordinal, from 1                                 */
    int64_t next, known;             /* to be given next; the last seq that was given      */
    int64_t last_ok[DOCS];
};

struct model {
    struct road road;
    uint64_t seed, random;
    struct model_stream streams[STREAMS];
    uint32_t lives;
};

static uint64_t roll(struct model *model, uint64_t below)
{
    model->random ^= model->random << 13;
    model->random ^= model->random >> 7;
    model->random ^= model->random << 17;
    return model->random % below;
}

static bool chance(struct model *model, uint64_t percent)
{
    return roll(model, 100) < percent;
}

#define HOLDS(model_, condition_)                                                              \
    do {                                                                                       \
        if (!(condition_))                                                                     \
            fail_msg("TEST_SEED=%ju: %s", (uintmax_t)(model_)->seed, #condition_);             \
    } while (0)

/* ---- what must hold ---- */

struct wanted_letter {
    const struct model_stream *stream;
    int64_t ordinal;
    bool found;
};

static bool compare_letter(void *context, const struct store_dead_letter *letter)
{
    struct wanted_letter *wanted = context;
    char rev[32];

    snprintf(rev, sizeof(rev), "\"%jd-r\"", (intmax_t)wanted->ordinal);
    wanted->found = str_eq(letter->stream, wanted->stream->name.key) &&
                    memmem(letter->revs.ptr, letter->revs.len, rev, strlen(rev)) != NULL;
    return !wanted->found;
}

static bool is_settled(struct model *model, const struct model_stream *stream, int64_t ordinal)
{
    const struct model_row *row = &stream->rows[ordinal];
    struct wanted_letter wanted = {.stream = stream, .ordinal = ordinal};
    struct store_filter filter = {.binding = STR("rule")};

    if (row->ok || row->deleted || row->skipped)
        return true;
    assert_int_equal(
        store_dead_letter_each(model->road.place.store, &filter, compare_letter, &wanted, NULL),
        0);
    return wanted.found;
}

static int64_t position_of(struct model *model, const struct model_stream *stream)
{
    int64_t at = stored_position(model->road.place.store, STR("rule"), stream->name.key);

    return at < 0 ? 0 : at;
}

static void check(struct model *model)
{
    for (int s = 0; s < STREAMS; s++) {
        const struct model_stream *stream = &model->streams[s];
        int64_t at = position_of(model, stream);
        for (int64_t ordinal = 1; ordinal <= at; ordinal++)
            HOLDS(model, is_settled(model, stream, ordinal));
    }
    assert_counted(model->road.binding);
}

static bool is_in(const struct sink_batch *batch, uint32_t before, int64_t ordinal)
{
    for (uint32_t i = 0; i < before; i++)
        if (batch->rows[i] == ordinal)
            return true;
    return false;
}

static struct model_stream *stream_of(struct model *model, const struct sink_batch *batch)
{
    for (int s = 0; s < STREAMS; s++)
        if (strcmp(model->streams[s].key, batch->stream) == 0)
            return &model->streams[s];
    fail_msg("a batch of no stream: %s", batch->stream);
    return NULL;
}

/* Nothing overtakes an earlier change of its document. */
static void check_order(struct model *model, const struct model_stream *stream,
                        const struct sink_batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct model_row *row = &stream->rows[batch->rows[i]];
        for (int64_t before = 1; before < batch->rows[i]; before++)
            if (stream->rows[before].order == QUEUED &&
                strcmp(stream->rows[before].id, row->id) == 0)
                HOLDS(model, is_in(batch, i, before));
    }
}

/* ---- the sink ---- */

static int32_t judge_item(struct model *model, const struct model_row *row)
{
    if (chance(model, 20))
        return TR_RETRY;
    return row->poison ? TR_REJECT : TR_OK;
}

/* A rule may give up a row that failed too often; which deliveries count is the rule's
 * business. */
static bool may_give_up(const struct model *model, const struct sink_batch *batch, uint32_t i)
{
    uint32_t max = model->road.setup.options.max_attempts;

    return max > 0 && batch->attempts[i] >= max;
}

/* What the answer makes of a row. */
static void note(struct model *model, struct model_stream *stream,
                 const struct sink_batch *batch, uint32_t i, const int32_t *items,
                 int32_t status)
{
    struct model_row *row = &stream->rows[batch->rows[i]];
    int32_t own = items ? items[i] : status;
    bool given_up = (items || batch->count == 1) &&
                    (own == TR_REJECT || may_give_up(model, batch, i));

    if (own == TR_OK) {
        row->ok = true;
        stream->last_ok[row->id[0] - 'a'] = batch->rows[i];
        row->order = DONE;
        for (uint32_t before = 0; before < i && items; before++)
            if (items[before] == TR_RETRY && !may_give_up(model, batch, before) &&
                strcmp(batch->ids[before], batch->ids[i]) == 0)
                row->order = QUEUED; /* it is sent again, behind that one */
    } else if (given_up) {
        row->order = DONE;
        row->skipped |= model->road.setup.options.on_reject == ON_REJECT_SKIP;
    }
}

static void answer(struct model *model, uint32_t place, bool well)
{
    struct sink_batch batch = sink_take(place);
    struct model_stream *stream = stream_of(model, &batch);
    int32_t items[SINK_ROWS], status = TR_OK;
    bool each = false;

    check_order(model, stream, &batch);
    for (uint32_t i = 0; i < batch.count; i++)
        if (stream->rows[batch.rows[i]].poison)
            status = TR_REJECT;
    if (!well && chance(model, 25))
        status = TR_RETRY;
    else if (!well && chance(model, 40))
        each = true;
    for (uint32_t i = 0; i < batch.count && each; i++)
        items[i] = judge_item(model, &stream->rows[batch.rows[i]]);
    for (uint32_t i = 0; i < batch.count; i++)
        note(model, stream, &batch, i, each ? items : NULL, status);
    sink_answer(&batch, status, each ? items : NULL,
                status == TR_RETRY && chance(model, 30) ? 1 : 0);
}

/* ---- the streams ---- */

static void give_rows(struct model *model, struct model_stream *stream)
{
    struct row rows[12];
    uint32_t count = 0, wanted = 1 + (uint32_t)roll(model, 12);
    int64_t since = stream->known;

    for (; count < wanted && stream->next <= ROWS; count++, stream->next++) {
        struct model_row *row = &stream->rows[stream->next];
        rows[count] = (struct row){.ordinal = stream->next,
                                   .id = row->id,
                                   .no_seq = row->no_seq,
                                   .deleted = row->deleted};
        row->order = row->deleted ? DONE : QUEUED;
        if (!row->no_seq)
            stream->known = stream->next;
    }
    if (count > 0)
        road_take(&model->road, stream->cursor, since, rows, count);
}

static int64_t ordinal_in(tr_str seq)
{
    return atoll(seq.ptr + (seq.ptr[0] == '"'));
}

/* A cursor from where the store says, as the engine makes one. */
static void follow(struct model *model, struct model_stream *stream)
{
    struct arena arena;
    int64_t at = position_of(model, stream);

    arena_init(&arena, 256);
    stream->cursor = cursor_new(model->road.binding, &stream->name, seq_text(&arena, at), at);
    stream->known = ordinal_in(cursor_received(stream->cursor));
    stream->next = stream->known + 1;
    arena_fini(&arena);
}

static void lose_stream(struct model *model, struct model_stream *stream)
{
    if (stream->known != stream->next - 1)
        return; /* rows without a seq would come twice, which the model cannot tell apart */
    cursor_retire(stream->cursor);
    if (chance(model, 50))
        road_turns(&model->road, (int)roll(model, 4));
    follow(model, stream);
}

/* ---- lives ---- */

static void begin_life(struct model *model)
{
    struct binding_options *options = &model->road.setup.options;

    sink_init();
    options->batch_size = 1 + (uint32_t)roll(model, 8);
    options->batch_bytes = chance(model, 20) ? 200 : 1 << 20;
    options->batch_wait_ms = chance(model, 20);
    options->concurrency = 1 + (uint32_t)roll(model, 5);
    options->window_rows = 5 + (uint32_t)roll(model, 60);
    options->commit_ms = 1 + (int64_t)roll(model, 5);
    options->commit_rows = 1 + (uint32_t)roll(model, 30);
    model->road.setup.store = model->road.place.store;
    model->road.binding = binding_new(&model->road.setup);
    for (int s = 0; s < STREAMS; s++) {
        struct model_stream *stream = &model->streams[s];
        for (int64_t ordinal = 1; ordinal <= ROWS; ordinal++)
            stream->rows[ordinal].order = UNSENT;
        follow(model, stream);
    }
    binding_start(model->road.binding);
    model->lives++;
}

/* What is in hand is answered, what waits is dropped, and all is committed. */
static void end_life(struct model *model, bool well)
{
    model->road.drained = 0;
    binding_drain(model->road.binding, clock_ms() + 10000);
    while (model->road.drained == 0) {
        road_turn(&model->road);
        if (sink_count() > 0)
            answer(model, 0, well);
    }
    check(model);
    binding_free(model->road.binding);
    model->road.binding = NULL;
}

static bool is_all_given(const struct model *model)
{
    for (int s = 0; s < STREAMS; s++)
        if (model->streams[s].next <= ROWS)
            return false;
    return true;
}

static void live(struct model *model)
{
    bool well = false;

    for (uint32_t turn = 0;; turn++) {
        struct model_stream *stream = &model->streams[roll(model, STREAMS)];
        uint32_t in_hand = sink_count();

        well |= turn > 3000; /* to an end, also with a lot of retries */
        if (binding_has_room(model->road.binding) && chance(model, 50))
            give_rows(model, stream);
        if (in_hand > 0 && chance(model, 80))
            answer(model, (uint32_t)roll(model, in_hand), well);
        loop_turn(model->road.place.loop, chance(model, 50));
        check(model);
        if (chance(model, 2))
            lose_stream(model, stream);
        if (model->lives < 4 && chance(model, 1)) {
            end_life(model, false);
            begin_life(model);
        }
        if (is_all_given(model) && binding_is_idle(model->road.binding))
            return;
    }
}

/* ---- a round ---- */

static void init_streams(struct model *model)
{
    for (int s = 0; s < STREAMS; s++) {
        struct model_stream *stream = &model->streams[s];
        snprintf(stream->key, sizeof(stream->key), "main/%c@1", 'x' + s);
        stream->name = road_stream;
        stream->name.key = str_c(stream->key);
        for (int64_t ordinal = 1; ordinal <= ROWS; ordinal++) {
            struct model_row *row = &stream->rows[ordinal];
            snprintf(row->id, sizeof(row->id), "%c", (char)('a' + roll(model, DOCS)));
            row->no_seq = chance(model, 40);
            row->deleted = chance(model, 10);
            row->poison = chance(model, 6);
        }
    }
}

static void check_end(struct model *model)
{
    for (int s = 0; s < STREAMS; s++) {
        const struct model_stream *stream = &model->streams[s];
        int64_t newest[DOCS] = {0};

        HOLDS(model, position_of(model, stream) == stream->known);
        for (int64_t ordinal = 1; ordinal <= ROWS; ordinal++) {
            HOLDS(model, is_settled(model, stream, ordinal));
            if (stream->rows[ordinal].ok)
                newest[stream->rows[ordinal].id[0] - 'a'] = ordinal;
        }
        /* With max_attempts a change that was taken in one life may be given up in another. */
        for (int doc = 0; doc < DOCS && model->road.setup.options.max_attempts == 0; doc++)
            HOLDS(model, stream->last_ok[doc] == newest[doc]);
    }
}

static void play(uint64_t seed)
{
    struct model *model = mem_new(struct model);

    model->seed = seed;
    model->random = seed * 2654435761u + 88172645463325252u;
    road_init(&model->road);
    alarm(120);
    assert_int_equal(store_start(model->road.place.store, model->road.place.loop, NULL), 0);
    init_streams(model);
    model->road.setup.options.max_attempts = chance(model, 50) ? 0
                                                               : 2 + (uint32_t)roll(model, 3);
    model->road.setup.options.on_reject = chance(model, 70) ? ON_REJECT_DEAD_LETTER
                                                            : ON_REJECT_SKIP;
    begin_life(model);
    live(model);
    end_life(model, true);
    check_end(model);
    place_fini(&model->road.place);
    alarm(0);
    free(model);
}

static void a_position_never_passes_what_is_not_settled(void **state)
{
    const char *given = getenv("TEST_SEED");
    int64_t end = clock_ms() + RUN_MS;
    int rounds = 0;

    (void)state;
    do {
        play(given ? strtoull(given, NULL, 10) : random_u64() >> 16);
        rounds++;
    } while (!given && clock_ms() < end);
    print_message("%d rounds\n", rounds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_position_never_passes_what_is_not_settled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
