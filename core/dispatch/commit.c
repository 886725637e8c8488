/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checkpoints into the store: cursors whose watermark moved are listed, and all of them go into
 * one commit at the next interval, or sooner when many rows were settled. A checkpoint may be
 * late and never early: its watermark is read when the commit is made, after the effects.
 */
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/mem.h"
#include "dispatch/private.h"
#include "observe/log.h"

enum { OPS_A_COMMIT = 512 };

struct checkpoint_commit {
    struct store_commit commit;
    struct binding *binding;
    struct arena arena;
    struct cursor **cursors; /* of the operations                                          */
    struct store_op ops[];
};

void commit_mark(struct cursor *cursor)
{
    struct binding *binding = cursor->binding;

    if (cursor->replays || cursor->dropped || cursor->stream.transient)
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

static void commit_done(struct store_commit *done)
{
    struct checkpoint_commit *commit = list_entry(done, struct checkpoint_commit, commit);
    struct binding *binding = commit->binding;

    FAILPOINT("dispatch.checkpoint.durable");
    binding->commits--;
    if (done->status == STORE_FULL)
        commit_again(binding);
    for (size_t i = 0; i < done->ops_count; i++) {
        if (done->status == STORE_DONE && !commit->cursors[i]->dropped)
            tell_plugin(binding, &done->ops[i].checkpoint);
        commit->cursors[i]->commits--;
        cursor_reap(commit->cursors[i]);
    }
    arena_fini(&commit->arena);
    free(commit);
    binding_check(binding);
}

/* Fills an operation; false when the watermark is where it was. */
static bool fill(struct cursor *cursor, struct checkpoint_commit *commit, struct store_op *op)
{
    int64_t ordinal;
    tr_str seq = cursor_watermark(cursor, &ordinal);
    uint64_t seen = list_empty(&cursor->pending) ? cursor->seen : 0;

    if (str_eq(seq, buf_str(&cursor->committed)) && seen == cursor->seen_committed)
        return false;
    cursor->seen_committed = seen;
    buf_clear(&cursor->committed);
    buf_add_str(&cursor->committed, seq);
    op->kind = STORE_PUT_CHECKPOINT;
    op->checkpoint = (struct store_checkpoint){
        .stream = arena_str(&commit->arena, cursor->stream.key),
        .source = arena_str(&commit->arena, cursor->stream.source),
        .db = arena_str(&commit->arena, cursor->stream.db),
        .incarnation = arena_str(&commit->arena, cursor->stream.incarnation),
        .seq = arena_str(&commit->arena, seq),
        .ordinal = ordinal,
        .updated_ms = clock_wall_ms(),
        .seen = seen,
    };
    return true;
}

static size_t count_dirty(const struct binding *binding)
{
    size_t count = 0;

    list_each (it, &binding->dirty) {
        (void)it;
        if (++count == OPS_A_COMMIT)
            break;
    }
    return count;
}

static void flush_some(struct binding *binding)
{
    size_t most = count_dirty(binding);
    struct checkpoint_commit *commit = mem_zero(1, sizeof(*commit) +
                                                       most * sizeof(struct store_op));
    struct list *link;

    arena_init(&commit->arena, most > 1 ? 8192 : 1024);
    commit->cursors = arena_zero(&commit->arena, most * sizeof(*commit->cursors));
    commit->binding = binding;
    commit->commit.binding = str_c(binding->setup.name);
    commit->commit.ops = commit->ops;
    commit->commit.done = commit_done;
    while (commit->commit.ops_count < most && (link = list_pop(&binding->dirty))) {
        struct cursor *cursor = list_entry(link, struct cursor, dirty);
        if (fill(cursor, commit, &commit->ops[commit->commit.ops_count])) {
            commit->cursors[commit->commit.ops_count++] = cursor;
            cursor->commits++;
        }
        cursor_reap(cursor);
    }
    if (commit->commit.ops_count == 0) {
        arena_fini(&commit->arena);
        free(commit);
        return;
    }
    FAILPOINT("dispatch.checkpoint.ready");
    binding->commits++;
    store_commit_submit(binding->setup.store, &commit->commit);
}

void commit_flush(struct binding *binding)
{
    loop_clear_timer(binding->setup.loop, &binding->commit_timer);
    binding->settled = 0;
    while (!list_empty(&binding->dirty))
        flush_some(binding);
}

void commit_due(struct timer *timer)
{
    commit_flush(list_entry(timer, struct binding, commit_timer));
}
