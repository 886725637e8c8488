/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a plugin keeps (tr.state/1) and the position, on the whole way: at every moment the
 * state that is stored is that of the stored position, whatever a sink answers, whatever
 * batches are made of, and wherever it is stopped.
 *
 * The plugin keeps a list for each document: the ordinals of its rows, in the order in which it
 * took them. So what is stored must be the rows up to the position, each once, in order. In the
 * end the dead letters are sent again, among other rows: then each is there, once. (A row that
 * was rejected just before a stop may be two letters, and is counted for each.)
 * TEST_SEED=n repeats a round that failed.
 *
 * A stream may go away before all that was written is stored. It comes again then, and the
 * plugin is told that what memory has of it is of more.
 */
#include "base/random.h"
#include "test_dispatch_lib.h"

#include <tailrace/ext/state.h>

#include <stdatomic.h>

enum { EARLY = 160, ROWS = 200, DOCS = 12, RUN_MS = 3000, HELD = 32 };

static struct keeper {
    pthread_mutex_t lock;
    uint64_t random;
    atomic_bool well;              /* takes everything */
    atomic_uint rows, rolled_back; /* that came; those of batches that said so             */
    bool poison[ROWS + 1];
    struct {
        const tr_host *host;
        tr_ticket ticket;
        tr_status status;
    } held[HELD]; /* batches whose outcome the test gives                                  */
    uint32_t held_count;
} keeper = {.lock = PTHREAD_MUTEX_INITIALIZER};

static uint64_t roll(uint64_t below)
{
    uint64_t value;

    pthread_mutex_lock(&keeper.lock);
    keeper.random ^= keeper.random << 13;
    keeper.random ^= keeper.random >> 7;
    keeper.random ^= keeper.random << 17;
    value = keeper.random % below;
    pthread_mutex_unlock(&keeper.lock);
    return value;
}

static bool chance(uint64_t percent)
{
    return roll(100) < percent;
}

/* ---- the plugin ---- */

static const tr_state *state_table;

static tr_status keeper_open(const tr_host *host, tr_self **ret_self, tr_error *error)
{
    (void)error;
    state_table = host->get_ext(host, TR_EXT_STATE);
    *ret_self = (tr_self *)(uintptr_t)host;
    return state_table ? TR_OK : TR_EINVAL;
}

static void keeper_close(tr_self *self)
{
    (void)self;
}

/* Adds the row to its document's list. */
static void note(const tr_host *host, const tr_batch *batch, const tr_change *change)
{
    char text[2048];
    size_t len = 0;
    tr_str value;
    tr_status status = state_table->get(host, batch->stream, change->id, &value);

    assert_true(status == TR_OK || status == TR_ENOENT);
    if (status == TR_OK) {
        memcpy(text, value.ptr, value.len);
        len = value.len;
    }
    len += (size_t)snprintf(text + len, sizeof(text) - len, "%d,", atoi(change->rev.ptr));
    assert_int_equal(state_table->put(host, batch->ticket, change->id, (tr_str){text, len}),
                     TR_OK);
}

static bool is_taken_back(const tr_batch *batch, uint32_t i, const int32_t *items)
{
    for (uint32_t before = 0; before < i; before++)
        if (items[before] == TR_RETRY &&
            str_eq(tr_batch_at(batch, before)->id, tr_batch_at(batch, i)->id))
            return true;
    return false;
}

/* Change by change; what it takes behind one that it did not take comes again, so it does not
 * take it. */
static tr_status judge_each(const tr_host *host, const tr_batch *batch, tr_outcome *outcome)
{
    static _Thread_local int32_t items[64];

    for (uint32_t i = 0; i < batch->count; i++) {
        const tr_change *change = tr_batch_at(batch, i);
        items[i] = keeper.poison[atoi(change->rev.ptr)] ? TR_REJECT : TR_OK;
        if (chance(25) || is_taken_back(batch, i, items))
            items[i] = TR_RETRY;
        if (items[i] == TR_OK)
            note(host, batch, change);
    }
    outcome->items = items;
    outcome->items_count = batch->count;
    return TR_OK;
}

static tr_status keeper_process(tr_self *self, const tr_batch *batch, tr_outcome *outcome)
{
    const tr_host *host = (const tr_host *)(void *)self;
    tr_status status = TR_OK;

    keeper.rows += batch->count;
    if (batch->flags & TR_BATCH_ROLLED_BACK)
        keeper.rolled_back += batch->count;
    if (!keeper.well && chance(30))
        return judge_each(host, batch, outcome);
    for (uint32_t i = 0; i < batch->count; i++) {
        const tr_change *change = tr_batch_at(batch, i);
        if (keeper.poison[atoi(change->rev.ptr)])
            status = TR_REJECT;
        note(host, batch, change);
    }
    if (!keeper.well && chance(20))
        status = TR_RETRY;
    if (keeper.well || chance(50))
        return status;
    pthread_mutex_lock(&keeper.lock);
    keeper.held[keeper.held_count].host = host;
    keeper.held[keeper.held_count].ticket = batch->ticket;
    keeper.held[keeper.held_count++].status = status;
    pthread_mutex_unlock(&keeper.lock);
    return TR_PENDING;
}

static const struct plugin keeper_plugin = {
    .descriptor = {.size = sizeof(tr_plugin),
                   .name = "keeper",
                   .version = "1",
                   .caps = TR_CAP_CONCURRENT,
                   .max_inflight = 16,
                   .open = keeper_open,
                   .process = keeper_process,
                   .close = keeper_close},
};

/* Gives the outcome of one of those that wait. */
static void answer_one(void)
{
    tr_outcome outcome = {.size = sizeof(outcome), .message = STR("late")};
    uint32_t count, i;
    const tr_host *host;
    tr_ticket ticket;

    pthread_mutex_lock(&keeper.lock);
    count = keeper.held_count;
    pthread_mutex_unlock(&keeper.lock);
    if (count == 0)
        return;
    i = (uint32_t)roll(count);
    pthread_mutex_lock(&keeper.lock);
    host = keeper.held[i].host;
    ticket = keeper.held[i].ticket;
    outcome.status = keeper.held[i].status;
    keeper.held[i] = keeper.held[--keeper.held_count];
    pthread_mutex_unlock(&keeper.lock);
    assert_int_equal(host->complete(host, ticket, &outcome), TR_OK);
}

/* ---- what must hold ---- */

struct model {
    struct road road;
    uint64_t seed;
    char ids[ROWS + 1][4];
    bool no_seq[ROWS + 1];
    int64_t next, known, last; /* no row behind `last` is given yet                         */
    bool replays;
    uint32_t letters[ROWS + 1]; /* that are sent again                                      */
    int64_t position; /* the last that was seen                                            */
    uint32_t lives, checks;
};

static void wanted_list(const struct model *model, int64_t position, int doc, char *text,
                        size_t room)
{
    size_t len = 0;

    text[0] = '\0';
    for (int64_t row = 1; row <= position; row++)
        if (atoi(model->ids[row]) == doc && !keeper.poison[row])
            len += (size_t)snprintf(text + len, room - len, "%jd,", (intmax_t)row);
}

static void check_docs(const struct model *model, struct store_reader *reader, int64_t scope,
                       int64_t position)
{
    char wanted[2048], key[16];
    bool found;

    for (int doc = 0; doc < DOCS; doc++) {
        tr_str value = STR("");
        snprintf(key, sizeof(key), "%d", doc);
        wanted_list(model, position, doc, wanted, sizeof(wanted));
        assert_int_equal(store_reader_get(reader, scope, str_c(key), &value, &found, NULL), 0);
        if (!str_eq(found ? value : STR(""), str_c(wanted)))
            fail_msg("TEST_SEED=%ju: at %jd document %d has " STR_FMT " and not %s",
                     (uintmax_t)model->seed, (intmax_t)position, doc, STR_ARG(value), wanted);
    }
}

static int64_t position_of(struct model *model)
{
    int64_t at = road_position(&model->road);

    return at < 0 ? 0 : at;
}

/* Both are read at one moment only if the position is the same before and after. */
static void check(struct model *model)
{
    struct store *store = model->road.place.store;
    int64_t before = position_of(model);
    struct store_scope scope = {0};
    struct store_reader *reader;
    bool found;

    if (before == model->position || model->replays)
        return;
    assert_int_equal(store_reader_take(store, &reader, NULL), 0);
    assert_int_equal(store_reader_begin(reader, NULL), 0);
    assert_int_equal(
        store_reader_scope(reader, STR("rule"), road_stream.key, &scope, &found, NULL), 0);
    if (position_of(model) == before) {
        check_docs(model, reader, found ? scope.id : 0, before);
        model->position = before;
        model->checks++;
    }
    store_reader_give(store, reader);
}

/* ---- lives ---- */

static void begin_life(struct model *model)
{
    struct binding_options *options = &model->road.setup.options;
    struct arena arena;

    keeper.held_count = 0;
    options->batch_size = 1 + (uint32_t)roll(12);
    options->concurrency = chance(40) ? 1 : 2 + (uint32_t)roll(4);
    options->window_rows = 10 + (uint32_t)roll(60);
    options->commit_ms = 1 + (int64_t)roll(5);
    options->commit_rows = 1 + (uint32_t)roll(40);
    model->road.started = 0;
    model->road.setup.store = model->road.setup.instance.store = model->road.place.store;
    model->road.binding = binding_new(&model->road.setup);
    arena_init(&arena, 64);
    model->known = position_of(model);
    model->road.cursor = cursor_new(model->road.binding, &road_stream,
                                    seq_text(&arena, model->known), model->known);
    arena_fini(&arena);
    model->next = model->known + 1;
    binding_start(model->road.binding);
    WAIT(&model->road, model->road.started);
    model->lives++;
}

static void end_life(struct model *model)
{
    model->road.drained = 0;
    binding_drain(model->road.binding, clock_ms() + 10000);
    while (model->road.drained == 0) {
        road_turn(&model->road);
        answer_one();
        check(model);
    }
    check(model);
    binding_free(model->road.binding);
    model->road.binding = NULL;
}

static void give_rows(struct model *model)
{
    struct row rows[12];
    uint32_t count = 0, wanted = 1 + (uint32_t)roll(12);
    int64_t since = model->known;

    for (; count < wanted && model->next <= model->last; count++, model->next++) {
        rows[count] = (struct row){.ordinal = model->next,
                                   .id = model->ids[model->next],
                                   .no_seq = model->no_seq[model->next]};
        if (!model->no_seq[model->next])
            model->known = model->next;
    }
    if (count > 0)
        road_take(&model->road, model->road.cursor, since, rows, count);
}

static void live(struct model *model)
{
    uint32_t turn = 0;

    keeper.well = false;
    while (model->next <= model->last || !binding_is_idle(model->road.binding) ||
           binding_is_replaying(model->road.binding)) {
        keeper.well = ++turn > 2000;
        if (binding_has_room(model->road.binding) && chance(50))
            give_rows(model);
        if (chance(60))
            answer_one();
        loop_turn(model->road.place.loop, chance(50));
        check(model);
        if (model->lives < 5 && !model->replays && chance(2)) {
            end_life(model);
            begin_life(model);
        }
    }
}

/* ---- dead letters ---- */

static bool send_again(void *context, const struct store_dead_letter *letter)
{
    struct model *model = context;

    model->letters[atoi(strstr(letter->revs.ptr, "\"rev\":\"") + 7)]++;
    binding_replay(model->road.binding, letter);
    return true;
}

/* With the cause mended. */
static void replay_all(struct model *model)
{
    struct store *store = model->road.place.store;
    struct store_filter filter = {.binding = STR("rule")};
    int64_t marked;

    memset(keeper.poison, 0, sizeof(keeper.poison));
    model->replays = true;
    assert_int_equal(store_dead_letter_mark(store, &filter, &marked, NULL), 0);
    filter.marked = true;
    assert_int_equal(store_dead_letter_each(store, &filter, send_again, model, NULL), 0);
}

static void check_each_once(const struct model *model)
{
    uint32_t times[ROWS + 1] = {0};
    struct store *store = model->road.place.store;
    struct store_scope scope;
    struct store_reader *reader;
    char key[16];
    bool found;

    assert_int_equal(store_reader_take(store, &reader, NULL), 0);
    assert_int_equal(
        store_reader_scope(reader, STR("rule"), road_stream.key, &scope, &found, NULL), 0);
    assert_true(found);
    for (int doc = 0; doc < DOCS; doc++) {
        tr_str list = STR("");
        snprintf(key, sizeof(key), "%d", doc);
        assert_int_equal(store_reader_get(reader, scope.id, str_c(key), &list, &found, NULL),
                         0);
        while (list.len > 0)
            times[atoi(str_cut(list, ',', &list).ptr)]++;
    }
    for (int row = 1; row <= ROWS; row++)
        if (times[row] != (model->letters[row] ? model->letters[row] : 1))
            fail_msg("TEST_SEED=%ju: row %d is there %u times, of %u letters",
                     (uintmax_t)model->seed, row, times[row], model->letters[row]);
    store_reader_give(store, reader);
}

static void play(uint64_t seed, uint32_t *checks)
{
    struct model *model = mem_new(struct model);

    model->seed = seed;
    keeper.random = seed * 2654435761u + 88172645463325252u;
    road_init(&model->road);
    model->road.setup.instance.plugin = &keeper_plugin;
    alarm(120);
    assert_int_equal(store_start(model->road.place.store, model->road.place.loop, NULL), 0);
    for (int row = 1; row <= ROWS; row++) {
        snprintf(model->ids[row], sizeof(model->ids[row]), "%d", (int)roll(DOCS));
        model->no_seq[row] = row < ROWS && chance(40);
        keeper.poison[row] = row <= EARLY && chance(4);
    }
    model->last = EARLY;
    model->no_seq[EARLY] = false;
    begin_life(model);
    live(model);
    WAIT(&model->road, position_of(model) == EARLY);
    check(model);
    assert_int_equal(model->position, EARLY);
    model->last = ROWS;
    replay_all(model);
    live(model);
    end_life(model);
    assert_int_equal(position_of(model), ROWS);
    assert_int_equal(road_letters(&model->road), 0);
    check_each_once(model);
    *checks += model->checks;
    place_fini(&model->road.place);
    alarm(0);
    free(model);
}

static void the_state_that_is_stored_is_that_of_the_position(void **state)
{
    const char *given = getenv("TEST_SEED");
    int64_t end = clock_ms() + RUN_MS;
    uint32_t rounds = 0, checks = 0;

    (void)state;
    do {
        play(given ? strtoull(given, NULL, 10) : random_u64() >> 16, &checks);
        rounds++;
    } while (!given && clock_ms() < end);
    print_message("%u rounds, %u positions\n", rounds, checks);
}

/* Rows that have no seq: no checkpoint can be behind them. */
static void what_is_gone_with_its_stream_is_told(void **state)
{
    static const struct row rows[] = {{.ordinal = 1, .id = "1", .no_seq = true},
                                      {.ordinal = 2, .id = "2", .no_seq = true},
                                      {.ordinal = 3, .id = "3"},
                                      {.ordinal = 4, .id = "4"}};
    struct road road;

    (void)state;
    keeper.well = true;
    road_init(&road);
    road.setup.instance.plugin = &keeper_plugin;
    road.setup.instance.store = road.place.store;
    keeper.rows = keeper.rolled_back = 0;
    road_start(&road);
    road_take(&road, road.cursor, 0, rows, 2);
    WAIT(&road, keeper.rows == 2);
    cursor_retire(road.cursor);
    WAIT(&road, list_empty(&road.binding->cursors));
    assert_int_equal(keeper.rolled_back, 0);
    road.cursor = cursor_new(road.binding, &road_stream, STR("0"), 0);
    road_take(&road, road.cursor, 0, rows, 3);
    WAIT(&road, road_position(&road) == 3);
    assert_int_equal(keeper.rows, 5);
    assert_int_equal(keeper.rolled_back, 3);
    road_take(&road, road.cursor, 3, &rows[3], 1);
    WAIT(&road, road_position(&road) == 4);
    assert_int_equal(keeper.rolled_back, 3);
    road_fini(&road);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_gone_with_its_stream_is_told),
        cmocka_unit_test(the_state_that_is_stored_is_that_of_the_position),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
