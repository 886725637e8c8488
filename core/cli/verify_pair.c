/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compares a database at both ends, step by step. Main thread.
 */
#include "cli/verify_pair.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "json/value.h"
#include "json/write.h"

enum {
    WAIT_FIRST_MS = 2000, /* and then longer: who copies needs a moment                    */
    LOOK_IDS = 100        /* CouchDB reads all of a database for more                      */
};

/* ---- what a row says ---- */

/* Of all leaves, whatever their order. */
static uint64_t hash_leaves(const struct verify_options *options, tr_str revs)
{
    uint64_t hash = 0;
    size_t cursor = 0;
    tr_str key, leaf, rev;

    while (!options->ids_only && json_next(revs, &cursor, &key, &leaf))
        if (json_get(leaf, STR("rev"), &rev))
            hash += hash_bytes(rev.ptr, rev.len);
    return hash;
}

static struct spool_stand stand_of(const struct verify_options *options, const tr_change *row)
{
    return (struct spool_stand){
        .there = true,
        .deleted = row->flags & TR_CHANGE_DELETED,
        .leaves = hash_leaves(options, row->revs),
    };
}

/* VERIFY_KINDS: there is no difference. */
static enum verify_kind kind_of(const struct verify_options *options,
                                const struct spool_stand *source,
                                const struct spool_stand *target)
{
    bool hides = options->ignore_deleted;
    bool at_source = source->there && !(hides && source->deleted);
    bool at_target = target->there && !(hides && target->deleted);

    if (at_source && !at_target)
        return VERIFY_MISSING;
    if (at_target && !at_source)
        return VERIFY_EXTRA;
    if (!at_source)
        return VERIFY_KINDS;
    return source->deleted != target->deleted || source->leaves != target->leaves
               ? VERIFY_DIFFERENT
               : VERIFY_KINDS;
}

/* ---- reading ---- */

static void fail(struct verify_pair *pair, const struct error *error)
{
    if (error != &pair->error)
        pair->error = *error;
    pair->stage = VERIFY_DONE;
    verify_pair_stop(pair);
}

static int by_id(const void *key, const void *member)
{
    return str_cmp(*(const tr_str *)key, ((const struct verify_difference *)member)->id);
}

/* Of a document that is looked at again. */
static void take_look(struct verify_pair *pair, int end, const tr_change *row)
{
    struct verify_difference *it = bsearch(&row->id, pair->differences + pair->looked,
                                           pair->looking, sizeof(*it), by_id);

    if (!it)
        return;
    it->at[end].there = true;
    it->at[end].deleted = row->flags & TR_CHANGE_DELETED;
    it->at[end].revs = arena_str(&pair->arena, row->revs);
}

/* The reader may not be freed in here: what went wrong is seen by the next step. */
static void on_row(void *ctx, int end, const tr_change *row)
{
    struct verify_pair *pair = ctx;
    struct spool_stand stand;

    if (pair->stage == VERIFY_LOOKS) {
        take_look(pair, end, row);
        return;
    }
    if (pair->error.code != 0)
        return;
    stand = stand_of(pair->options, row);
    (void)spool_add(pair->spool, end, row->id, stand.deleted, stand.leaves, pair->round,
                    &pair->error);
}

static uint64_t rows_of(const struct verify_pair *pair)
{
    return pair->readers[REMOTE_SOURCE].rows + pair->readers[REMOTE_TARGET].rows;
}

static void read_on(struct verify_pair *pair)
{
    pair->stage = VERIFY_READS;
    pair->rows_before = rows_of(pair);
    for (int i = 0; i < REMOTES; i++)
        verify_reader_start(&pair->readers[i]);
}

static void on_timer(struct timer *timer)
{
    struct verify_pair *pair = list_entry(timer, struct verify_pair, timer);

    pair->round++;
    read_on(pair);
}

void verify_pair_start(struct verify_pair *pair)
{
    pair->spool = spool_new();
    pair->list.limit = pair->options->limit;
    pair->began_ms = clock_ms();
    pair->wait_ms = WAIT_FIRST_MS;
    pair->timer.fire = on_timer;
    arena_init(&pair->arena, 4096);
    for (int i = 0; i < REMOTES; i++)
        pair->readers[i] = (struct verify_reader){
            .remotes = pair->remotes,
            .end = i,
            .db = pair->db[i],
            .winners = pair->options->winners,
            .row = on_row,
            .ctx = pair,
        };
    read_on(pair);
}

/* ---- joining ---- */

static void judge(void *ctx, const struct spool_entry *entry)
{
    struct verify_pair *pair = ctx;
    struct verify_counts *counts = &pair->counts;
    enum verify_kind kind;

    for (int i = 0; i < REMOTES; i++) {
        counts->documents[i] += entry->at[i].there;
        counts->deleted[i] += entry->at[i].deleted;
    }
    kind = kind_of(pair->options, &entry->at[REMOTE_SOURCE], &entry->at[REMOTE_TARGET]);
    if (kind == VERIFY_KINDS)
        return;
    if (pair->round > 0 && entry->round == pair->round) {
        counts->changing++;
        return;
    }
    counts->kinds[kind]++;
    verify_list_offer(&pair->list, entry->id, kind);
}

uint64_t verify_pair_differing(const struct verify_pair *pair)
{
    uint64_t sum = 0;

    for (int i = 0; i < VERIFY_KINDS; i++)
        sum += pair->counts.kinds[i];
    return sum;
}

static void begin_join(struct verify_pair *pair)
{
    pair->stage = VERIFY_JOINS;
    pair->bucket = 0;
    pair->counts = (struct verify_counts){.changing = 0};
    verify_list_clear(&pair->list);
}

/* ---- looking again by id ---- */

static void begin_look(struct verify_pair *pair)
{
    size_t left = pair->list.count - pair->looked;
    struct buf ids = {0};

    pair->looking = left < LOOK_IDS ? left : LOOK_IDS;
    json_begin(&ids, NULL, '[');
    for (size_t i = 0; i < pair->looking; i++)
        json_str(&ids, NULL, pair->list.items[pair->looked + i].id);
    json_end(&ids, ']');
    for (int i = 0; i < REMOTES; i++)
        verify_reader_start_ids(&pair->readers[i], buf_str(&ids));
    buf_fini(&ids);
}

static void begin_looks(struct verify_pair *pair)
{
    pair->stage = VERIFY_LOOKS;
    verify_list_sort(&pair->list);
    pair->differences = mem_new_array(struct verify_difference, pair->list.count);
    for (size_t i = 0; i < pair->list.count; i++)
        pair->differences[i].id = arena_str(&pair->arena, pair->list.items[i].id);
    begin_look(pair);
}

static enum verify_kind kind_now(const struct verify_pair *pair,
                                 const struct verify_difference *it)
{
    struct spool_stand stands[REMOTES];

    for (int i = 0; i < REMOTES; i++)
        stands[i] = (struct spool_stand){
            .there = it->at[i].there,
            .deleted = it->at[i].deleted,
            .leaves = hash_leaves(pair->options, it->at[i].revs),
        };
    return kind_of(pair->options, &stands[REMOTE_SOURCE], &stands[REMOTE_TARGET]);
}

/* What is as it was, or is another difference by now, or none. */
static void end_look(struct verify_pair *pair)
{
    for (size_t i = pair->looked; i < pair->looked + pair->looking; i++) {
        struct verify_difference *it = &pair->differences[i];
        it->kind = kind_now(pair, it);
        pair->counts.kinds[pair->list.items[i].tag]--;
        if (it->kind == VERIFY_KINDS)
            continue;
        pair->counts.kinds[it->kind]++;
        pair->differences[pair->differences_count++] = *it;
    }
    pair->looked += pair->looking;
}

/* ---- step by step ---- */

static void finish(struct verify_pair *pair)
{
    pair->stage = VERIFY_DONE;
    verify_pair_stop(pair);
}

/* After a join, or instead of one that would say the same. */
static void decide(struct verify_pair *pair)
{
    const struct verify_options *options = pair->options;
    bool quiet = pair->round > 0 && rows_of(pair) == pair->rows_before;
    int64_t left_ms = pair->began_ms + options->settle_ms - clock_ms();

    if (verify_pair_differing(pair) + pair->counts.changing == 0) {
        finish(pair);
    } else if (options->settle_ms > 0 && !quiet && (pair->round == 0 || left_ms > 0)) {
        pair->stage = VERIFY_WAITS;
        loop_set_timer(pair->remotes->loop, &pair->timer, pair->wait_ms);
        pair->wait_ms *= 2;
    } else if (pair->list.count > 0) {
        begin_looks(pair);
    } else {
        finish(pair);
    }
}

static void step_join(struct verify_pair *pair)
{
    struct error error;

    if (spool_each(pair->spool, pair->bucket, judge, pair, &error) < 0)
        fail(pair, &error);
    else if (++pair->bucket == SPOOL_BUCKETS)
        decide(pair);
}

static void step_reads(struct verify_pair *pair)
{
    if (pair->stage == VERIFY_LOOKS) {
        end_look(pair);
        if (pair->looked < pair->list.count)
            begin_look(pair);
        else
            finish(pair);
    } else if (pair->round > 0 && rows_of(pair) == pair->rows_before &&
               pair->counts.changing == 0) {
        decide(pair);
    } else {
        begin_join(pair);
    }
}

/* An end that failed ends both. */
static bool has_failed(struct verify_pair *pair)
{
    if (pair->error.code != 0) {
        fail(pair, &pair->error);
        return true;
    }
    for (int i = 0; i < REMOTES; i++)
        if (pair->readers[i].over && pair->readers[i].error.code != 0) {
            pair->failed = i;
            fail(pair, &pair->readers[i].error);
            return true;
        }
    return false;
}

bool verify_pair_step(struct verify_pair *pair)
{
    switch (pair->stage) {
    case VERIFY_READS:
    case VERIFY_LOOKS:
        if (!has_failed(pair) && pair->readers[REMOTE_SOURCE].over &&
            pair->readers[REMOTE_TARGET].over)
            step_reads(pair);
        break;
    case VERIFY_JOINS: step_join(pair); break;
    case VERIFY_WAITS:
    case VERIFY_DONE: break;
    }
    return pair->stage == VERIFY_JOINS;
}

void verify_pair_stop(struct verify_pair *pair)
{
    loop_clear_timer(pair->remotes->loop, &pair->timer);
    for (int i = 0; i < REMOTES; i++)
        verify_reader_fini(&pair->readers[i]);
    verify_list_clear(&pair->list);
    spool_free(pair->spool);
    pair->spool = NULL;
}

void verify_pair_fini(struct verify_pair *pair)
{
    verify_pair_stop(pair);
    free(pair->differences);
    arena_fini(&pair->arena);
}
