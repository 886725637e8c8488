/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checkpoints into the store: cursors whose watermark moved are listed, and all of them go into
 * one commit at the next interval, or sooner when many rows were settled. A checkpoint may be
 * late and never early: its watermark is read when the commit is made, after the effects. Where
 * the plugin keeps state it is the end of a span (span.c), and all that was written up to there
 * goes with it.
 */
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/mem.h"
#include "dispatch/private.h"
#include "observe/log.h"

enum { CURSORS_A_COMMIT = 512 };

/* A cursor of the commit, and its operations. */
struct part {
    struct cursor *cursor;
    struct store_op *state, *checkpoint; /* NULL: none                                     */
    bool is_span;
};

struct checkpoint_commit {
    struct store_commit commit;
    struct binding *binding;
    struct arena arena;
    struct part *parts;
    size_t parts_count;
    struct store_op ops[];
};

void commit_mark(struct cursor *cursor)
{
    struct binding *binding = cursor->binding;

    if (cursor->replays || cursor->dropped || (cursor->stream.transient && !cursor->span))
        return;
    if (list_empty(&cursor->dirty))
        list_push_back(&binding->dirty, &cursor->dirty);
    if (!timer_is_set(&binding->commit_timer)) {
        binding->commit_timer.fire = commit_due;
        loop_set_timer(binding->setup.loop, &binding->commit_timer,
                       binding->setup.options.commit_ms);
    }
}

/* A commit came behind a dead letter that found no room: what it held was not written. Which
 * cursors it was of is not known any more, so all are written once more. */
static void commit_again(struct binding *binding)
{
    list_each (it, &binding->cursors) {
        struct cursor *cursor = list_entry(it, struct cursor, link);
        buf_clear(&cursor->committed);
        commit_mark(cursor);
    }
}

static void tell_plugin(struct binding *binding, const struct store_checkpoint *checkpoint)
{
    const tr_place place = {
        .size = sizeof(place),
        .source = checkpoint->source,
        .db = checkpoint->db,
        .stream = checkpoint->stream,
        .seq = checkpoint->seq,
    };

    instance_settled(binding->instance, &place);
}

/* Whether it stands where its last commit does not. */
static bool is_behind(const struct cursor *cursor)
{
    int64_t ordinal;
    uint64_t seen = list_empty(&cursor->pending) ? cursor->seen : 0;

    if (cursor->stream.transient)
        return false;
    return !str_eq(cursor_watermark(cursor, &ordinal), buf_str(&cursor->committed)) ||
           seen != cursor->seen_committed;
}

static void part_done(struct part *part, enum store_status status)
{
    struct cursor *cursor = part->cursor;

    cursor->commits--;
    if (status == STORE_DONE && part->is_span) {
        span_next(cursor, part->state);
        if (is_behind(cursor))
            commit_mark(cursor);
    }
    if (status == STORE_DONE && part->checkpoint && !cursor->dropped)
        tell_plugin(cursor->binding, &part->checkpoint->checkpoint);
    cursor_reap(cursor);
}

static void commit_done(struct store_commit *done)
{
    struct checkpoint_commit *commit = list_entry(done, struct checkpoint_commit, commit);
    struct binding *binding = commit->binding;

    FAILPOINT("dispatch.checkpoint.durable");
    binding->commits--;
    if (done->status == STORE_FULL)
        commit_again(binding);
    for (size_t i = 0; i < commit->parts_count; i++)
        part_done(&commit->parts[i], done->status);
    arena_fini(&commit->arena);
    free(commit);
    if (binding->ahead && span_is_large(binding))
        commit_flush(binding); /* no outcome will: what is left over is to be stored first   */
    span_wake(binding);
    binding_check(binding);
}

static void fill_checkpoint(struct cursor *cursor, struct arena *arena, tr_str seq,
                            int64_t ordinal, uint64_t seen, struct store_op *op)
{
    cursor->seen_committed = seen;
    op->kind = STORE_PUT_CHECKPOINT;
    op->checkpoint = (struct store_checkpoint){
        .stream = arena_str(arena, cursor->stream.key),
        .source = arena_str(arena, cursor->stream.source),
        .db = arena_str(arena, cursor->stream.db),
        .incarnation = arena_str(arena, cursor->stream.incarnation),
        .seq = arena_str(arena, seq),
        .ordinal = ordinal,
        .updated_ms = clock_wall_ms(),
        .seen = seen,
    };
    buf_clear(&cursor->committed);
    buf_add_str(&cursor->committed, seq);
}

static struct store_op *next_op(struct checkpoint_commit *commit)
{
    return &commit->ops[commit->commit.ops_count++];
}

/* Of a plugin that keeps state: a span that is over, with all that was written in it. */
static bool fill_span(struct cursor *cursor, struct checkpoint_commit *commit,
                      struct part *part)
{
    struct span *span = cursor->span;
    uint64_t seen = 0;
    bool moves;

    if (cursor->commits > 0 || !span_is_over(cursor))
        return false; /* what is settled, or the end of that commit, comes back here        */
    if (list_empty(&cursor->pending) && span->end == cursor->received_ordinal)
        seen = cursor->seen;
    moves = !cursor->stream.transient &&
            (!str_eq(buf_str(&span->seq), buf_str(&cursor->committed)) ||
             seen != cursor->seen_committed);
    if (span->epoch && state_epoch_freeze(span->epoch, &commit->ops[commit->commit.ops_count]))
        part->state = next_op(commit);
    if (!moves && !part->state) {
        span_next(cursor, NULL);
        if (is_behind(cursor)) /* that end was of long ago */
            commit_mark(cursor);
        return false;
    }
    part->is_span = true;
    if (!cursor->stream.transient) {
        part->checkpoint = next_op(commit);
        fill_checkpoint(cursor, &commit->arena, buf_str(&span->seq), span->end, seen,
                        part->checkpoint);
    }
    return true;
}

/* False when the watermark is where it was. */
static bool fill(struct cursor *cursor, struct checkpoint_commit *commit, struct part *part)
{
    int64_t ordinal;
    tr_str seq;

    part->cursor = cursor;
    if (cursor->span)
        return fill_span(cursor, commit, part);
    if (!is_behind(cursor))
        return false;
    seq = cursor_watermark(cursor, &ordinal);
    part->checkpoint = next_op(commit);
    fill_checkpoint(cursor, &commit->arena, seq, ordinal,
                    list_empty(&cursor->pending) ? cursor->seen : 0, part->checkpoint);
    return true;
}

static size_t count_dirty(const struct binding *binding)
{
    size_t count = 0;

    list_each (it, &binding->dirty) {
        (void)it;
        if (++count == CURSORS_A_COMMIT)
            break;
    }
    return count;
}

/* Of these cursors, each of which may end: they are taken off `from`. */
static void flush_some(struct binding *binding, struct list *from, size_t most)
{
    size_t ops = most * (binding->kept ? 2 : 1);
    struct checkpoint_commit *commit = mem_zero(1, sizeof(*commit) +
                                                       ops * sizeof(struct store_op));
    struct list *link;

    arena_init(&commit->arena, most > 1 ? 8192 : 1024);
    commit->parts = arena_zero(&commit->arena, most * sizeof(*commit->parts));
    commit->binding = binding;
    commit->commit.binding = str_c(binding->setup.name);
    commit->commit.ops = commit->ops;
    commit->commit.done = commit_done;
    while (commit->parts_count < most && (link = list_pop(from))) {
        struct cursor *cursor = list_entry(link, struct cursor, dirty);
        if (fill(cursor, commit, &commit->parts[commit->parts_count])) {
            commit->parts_count++;
            cursor->commits++;
        }
        cursor_reap(cursor);
    }
    if (commit->parts_count == 0) {
        arena_fini(&commit->arena);
        free(commit);
        return;
    }
    FAILPOINT("dispatch.checkpoint.ready");
    binding->commits++;
    store_commit_submit(binding->setup.store, &commit->commit);
}

void commit_cursor(struct cursor *cursor)
{
    struct list one;

    if (list_empty(&cursor->dirty))
        return;
    list_init(&one);
    list_remove(&cursor->dirty);
    list_push_back(&one, &cursor->dirty);
    flush_some(cursor->binding, &one, 1);
}

void commit_flush(struct binding *binding)
{
    loop_clear_timer(binding->setup.loop, &binding->commit_timer);
    binding->settled = 0;
    while (!list_empty(&binding->dirty))
        flush_some(binding, &binding->dirty, count_dirty(binding));
    span_wake(binding); /* spans have ends now: what waited for one may be before it        */
}

void commit_due(struct timer *timer)
{
    commit_flush(list_entry(timer, struct binding, commit_timer));
}
