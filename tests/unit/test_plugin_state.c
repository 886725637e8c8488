/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an instance keeps, between its batches and the store: what it reads while batches are
 * open, settled, taken back and stored, against a model that remembers every write; scans in
 * both directions over both; the bound. No plugin runs: the test does what its worker does.
 * TEST_SEED=n repeats a round that failed.
 */
#include "test_store_lib.h"

#include "base/clock.h"
#include "base/random.h"
#include "observe/log.h"
#include "plugin/state.h"
#include "plugin/ticket.h"

#define STREAM STR("main/blog@1")

enum { KEYS = 12, EPOCHS = 3, TICKETS = 4, WRITES = 4000, STEPS = 600, RUN_MS = 1500 };

/* ---- the model ---- */

struct model_write {
    int key, epoch; /* -1: it is in the store, or nowhere                                  */
    int ticket;     /* -1: it stays                                                        */
    bool removed;
    char value[24];
};

struct model {
    struct place place;
    struct state *state;
    uint64_t seed, random;
    struct state_epoch *epochs[EPOCHS]; /* oldest first; NULL behind the newest             */
    struct job jobs[TICKETS];
    int job_epoch[TICKETS]; /* -1: not open                                                */
    struct model_write writes[WRITES];
    int writes_count;
    char stored[KEYS][24];
    bool is_stored[KEYS];
};

static uint64_t roll(struct model *model, uint64_t below)
{
    model->random ^= model->random << 13;
    model->random ^= model->random >> 7;
    model->random ^= model->random << 17;
    return model->random % below;
}

static tr_str key_of(int key)
{
    static char text[8];

    snprintf(text, sizeof(text), "k%02d", key);
    return str_c(text);
}

/* What must be seen; NULL: nothing. */
static const char *wanted(const struct model *model, int key)
{
    const struct model_write *top = NULL;

    for (int i = 0; i < model->writes_count; i++) {
        const struct model_write *it = &model->writes[i];
        if (it->key == key && it->epoch >= 0 && (!top || it->epoch >= top->epoch))
            top = it;
    }
    if (top)
        return top->removed ? NULL : top->value;
    return model->is_stored[key] ? model->stored[key] : NULL;
}

#define HOLDS(model_, condition_)                                                              \
    do {                                                                                       \
        if (!(condition_))                                                                     \
            fail_msg("TEST_SEED=%ju: %s", (uintmax_t)(model_)->seed, #condition_);             \
    } while (0)

/* ---- what is seen ---- */

static void check_gets(struct model *model)
{
    for (int key = 0; key < KEYS; key++) {
        const char *want = wanted(model, key);
        tr_str value = STR("");
        tr_status status = state_get(model->state, STREAM, key_of(key), &value);
        HOLDS(model, status == (want ? TR_OK : TR_ENOENT));
        HOLDS(model, !want || str_eq(value, str_c(want)));
    }
}

struct scan {
    struct model *model;
    int next, step, left; /* `left`: calls until it stops                                  */
    int count;
};

static int32_t see(void *user, tr_str key, tr_str value)
{
    struct scan *scan = user;

    while (scan->next >= 0 && scan->next < KEYS && !wanted(scan->model, scan->next))
        scan->next += scan->step;
    HOLDS(scan->model, scan->next >= 0 && scan->next < KEYS);
    HOLDS(scan->model, str_eq(key, key_of(scan->next)));
    HOLDS(scan->model, str_eq(value, str_c(wanted(scan->model, scan->next))));
    scan->next += scan->step;
    scan->count++;
    return --scan->left > 0;
}

static void check_scan(struct model *model, bool backwards)
{
    int from = (int)roll(model, KEYS), to = from + 1 + (int)roll(model, KEYS), count = 0;
    struct scan scan = {model, backwards ? to - 1 : from, backwards ? -1 : 1,
                        1 + (int)roll(model, KEYS + 4), 0};
    char from_text[8], to_text[8];
    int left = scan.left;

    snprintf(from_text, sizeof(from_text), "k%02d", from % 100);
    snprintf(to_text, sizeof(to_text), "k%02d", to % 100);
    if (scan.next >= KEYS)
        scan.next = KEYS - 1;
    assert_int_equal(state_scan(model->state, STREAM, str_c(from_text),
                                to >= KEYS ? STR("") : str_c(to_text), backwards, see, &scan),
                     TR_OK);
    for (int key = from; key < to && key < KEYS; key++)
        count += wanted(model, key) != NULL;
    HOLDS(model, scan.count == (count < left ? count : left));
}

static void check_usage(struct model *model)
{
    tr_state_usage usage = {.size = sizeof(usage)};
    uint64_t entries = 0, bytes = 0;

    for (int key = 0; key < KEYS; key++) {
        entries += model->is_stored[key];
        bytes += model->is_stored[key] ? 3 + strlen(model->stored[key]) : 0;
    }
    state_usage(model->state, &usage);
    HOLDS(model, usage.entries == entries);
    HOLDS(model, usage.bytes == bytes);
}

/* ---- what happens ---- */

static int epochs_count(const struct model *model)
{
    int count = 0;

    while (count < EPOCHS && model->epochs[count])
        count++;
    return count;
}

static void add_epoch(struct model *model)
{
    int count = epochs_count(model);

    if (count < EPOCHS)
        model->epochs[count] = state_epoch_new(model->state, STREAM, STR("main"), STR("blog"));
}

static void open_ticket(struct model *model, int ticket)
{
    int count = epochs_count(model);

    if (count == 0)
        return;
    model->job_epoch[ticket] = (int)roll(model, (uint64_t)count);
    model->jobs[ticket] = (struct job){.epoch = model->epochs[model->job_epoch[ticket]]};
}

static void write_one(struct model *model, int ticket)
{
    struct model_write *write = &model->writes[model->writes_count];
    size_t len = roll(model, 20);

    if (model->writes_count == WRITES)
        return;
    model->writes_count++;
    *write = (struct model_write){.key = (int)roll(model, KEYS),
                                  .epoch = model->job_epoch[ticket],
                                  .ticket = ticket,
                                  .removed = roll(model, 4) == 0};
    for (size_t i = 0; i < len && !write->removed; i++)
        write->value[i] = (char)('a' + roll(model, 26));
    if (roll(model, 2) == 0) /* as plugins do */
        state_get(model->state, STREAM, key_of(write->key), &(tr_str){0});
    assert_int_equal(state_write(model->state, &model->jobs[ticket], key_of(write->key),
                                 str_c(write->value), write->removed),
                     TR_OK);
}

static void close_ticket(struct model *model, int ticket)
{
    bool stays = roll(model, 3) > 0;

    model->jobs[ticket].status = stays ? TR_OK : TR_RETRY;
    state_settle(&model->jobs[ticket]);
    model->job_epoch[ticket] = -1;
    for (int i = 0; i < model->writes_count; i++) {
        if (model->writes[i].ticket != ticket)
            continue;
        model->writes[i].ticket = -1;
        if (!stays)
            model->writes[i].epoch = -1;
    }
}

/* The model's oldest epoch goes into the store. */
static void store_model(struct model *model)
{
    for (int i = 0; i < model->writes_count; i++) {
        struct model_write *it = &model->writes[i];
        if (it->epoch == 0) {
            model->is_stored[it->key] = !it->removed;
            memcpy(model->stored[it->key], it->value, sizeof(it->value));
        }
        it->epoch--;
        if (it->epoch < -1)
            it->epoch = -1;
    }
}

static void commit_oldest(struct model *model)
{
    struct waited waited = {0};
    bool has_op;

    if (!model->epochs[0])
        return;
    for (int ticket = 0; ticket < TICKETS; ticket++)
        if (model->job_epoch[ticket] == 0)
            close_ticket(model, ticket);
    has_op = state_epoch_freeze(model->epochs[0], &waited.ops[0]);
    if (has_op) {
        waited_submit(&model->place, &waited, STR("rule"), 1);
        assert_int_equal(waited_wait(&model->place, &waited), STORE_DONE);
    }
    if (roll(model, 2) == 0)
        check_gets(model); /* it is in both */
    state_epoch_done(model->epochs[0], has_op ? &waited.ops[0] : NULL);
    store_model(model);
    memmove(model->epochs, model->epochs + 1, (EPOCHS - 1) * sizeof(model->epochs[0]));
    model->epochs[EPOCHS - 1] = NULL;
    for (int ticket = 0; ticket < TICKETS; ticket++)
        if (model->job_epoch[ticket] > 0)
            model->job_epoch[ticket]--;
    if (epochs_count(model) == 0)
        check_usage(model);
}

static void step(struct model *model, bool *in_batch)
{
    int ticket = (int)roll(model, TICKETS);

    switch (roll(model, 12)) {
    case 0: add_epoch(model); break;
    case 1: commit_oldest(model); break;
    case 2: check_gets(model); break;
    case 3: check_scan(model, false); break;
    case 4: check_scan(model, true); break;
    case 5: /* the beginning or the end of process(): a snapshot in between */
        if (*in_batch)
            state_batch_end(model->state);
        else
            state_batch_begin(model->state);
        *in_batch = !*in_batch;
        break;
    case 6:
        if (model->job_epoch[ticket] >= 0)
            close_ticket(model, ticket);
        break;
    default:
        if (model->job_epoch[ticket] < 0)
            open_ticket(model, ticket);
        if (model->job_epoch[ticket] >= 0)
            write_one(model, ticket);
    }
}

static void begin(struct model *model, uint64_t seed)
{
    *model = (struct model){.seed = seed, .random = seed * 2654435761u + 88172645463325252u};
    for (int ticket = 0; ticket < TICKETS; ticket++)
        model->job_epoch[ticket] = -1;
    place_init(&model->place);
    place_start(&model->place);
    model->state = state_new(NULL, model->place.store, "rule", 0);
    assert_int_equal(state_load(model->state, &model->place.error), 0);
}

/* All is stored; another one finds it as this one left it. */
static void end(struct model *model)
{
    while (epochs_count(model) > 0)
        commit_oldest(model);
    state_free(model->state);
    model->state = state_new(NULL, model->place.store, "rule", 0);
    assert_int_equal(state_load(model->state, &model->place.error), 0);
    check_gets(model);
    check_usage(model);
    state_free(model->state);
    place_fini(&model->place);
}

static void it_reads_what_it_wrote(void **state)
{
    const char *given = getenv("TEST_SEED");
    int64_t until = clock_ms() + RUN_MS;
    struct model *model = mem_new(struct model);
    uint32_t rounds = 0;

    (void)state;
    do {
        bool in_batch = false;
        begin(model, given ? strtoull(given, NULL, 10) : random_u64() >> 16);
        for (int i = 0; i < STEPS; i++)
            step(model, &in_batch);
        if (in_batch)
            state_batch_end(model->state);
        end(model);
        rounds++;
    } while (!given && clock_ms() < until);
    print_message("%u rounds\n", rounds);
    free(model);
}

/* ---- the bound, dropping ---- */

static void over_the_bound_nothing_is_written(void **state)
{
    struct model *model = mem_new(struct model);
    struct job job = {0};

    (void)state;
    begin(model, 1);
    log_set_level(0);
    state_free(model->state);
    model->state = state_new(NULL, model->place.store, "rule", 10);
    job.epoch = state_epoch_new(model->state, STREAM, STR("main"), STR("blog"));
    assert_int_equal(state_write(model->state, &job, STR("a"), STR("12345"), false), TR_OK);
    assert_int_equal(state_write(model->state, &job, STR("b"), STR("1234"), false), TR_EAGAIN);
    assert_int_equal(state_write(model->state, &job, STR("b"), STR("123"), false), TR_OK);
    assert_int_equal(state_write(model->state, &job, STR("a"), STR("123456"), false),
                     TR_EAGAIN);
    assert_int_equal(state_write(model->state, &job, STR("a"), STR("54321"), false), TR_OK);
    assert_int_equal(state_write(model->state, &job, STR("a"), STR(""), true), TR_OK);
    assert_int_equal(state_write(model->state, &job, STR("c"), STR("12345"), false), TR_OK);
    job.status = TR_RETRY;
    state_settle(&job);
    assert_int_equal(state_write(model->state, &job, STR("d"), STR("123456789"), false), TR_OK);
    state_free(model->state);
    place_fini(&model->place);
    free(model);
}

static void a_restart_forgets_a_stream(void **state)
{
    struct model *model = mem_new(struct model);
    int64_t until = clock_ms() + 60000;
    struct store_health health = {0};
    uint64_t before;

    (void)state;
    begin(model, 2);
    add_epoch(model);
    open_ticket(model, 0);
    for (int i = 0; i < 20; i++)
        write_one(model, 0);
    commit_oldest(model);
    store_health(model->place.store, &health);
    before = health.commits;
    state_restart(model->state, STREAM);
    memset(model->is_stored, 0, sizeof(model->is_stored));
    check_gets(model);
    check_usage(model);
    while (health.commits == before && clock_ms() < until) {
        loop_turn(model->place.loop, 10);
        store_health(model->place.store, &health);
    }
    loop_turn(model->place.loop, 10);
    end(model);
    free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_reads_what_it_wrote),
        cmocka_unit_test(over_the_bound_nothing_is_written),
        cmocka_unit_test(a_restart_forgets_a_stream),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
