/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spans: which rows of a stream share a checkpoint, where the plugin keeps state (tr.state/1).
 * Called by lane.c and commit.c, on the loop thread.
 *
 * What a batch writes must become durable with the first checkpoint that covers all its rows,
 * and no checkpoint may lie among them. With several lanes the rows of batches interleave, and
 * a change that is sent again is in a batch with later ones; so a position between two batches
 * may never come by itself. It is made: when a commit is due, an end is set behind all rows
 * that were sent, at a position that is known, and from then on no batch has rows on both sides
 * of it. When all rows up to there are settled, the span is committed with what its batches
 * wrote, which is apart from what those behind it write. There is no waiting: these go on
 * meanwhile. With one lane the end falls between two batches anyway.
 *
 * Rows that have no seq (seq_interval) end no span: a start from the position before them
 * would bring them again.
 *
 * One span is committed at a time; the next gets its end after that. What it writes meanwhile
 * is bounded: beyond AHEAD_BYTES nothing is sent that lies behind the end.
 *
 * Dead letters that are sent again have no position: what they write is committed with their
 * end. They read what others wrote, and these read what they write, so a batch of them is
 * alone: all before it is durable, and nothing is sent until it is.
 *
 * Of standard input there is no checkpoint: what is kept begins with nothing.
 */
#include "base/mem.h"
#include "dispatch/private.h"

/* Memory of what waits to be stored. */
enum { AHEAD_BYTES = 64 << 20 };

/* ---- batches ---- */

static bool is_past_end(const struct cursor *cursor, const struct item *item)
{
    return cursor->span && cursor->span->end >= 0 && item->ordinal > cursor->span->end;
}

static void begin(struct cursor *cursor)
{
    cursor->span = mem_new(struct span);
    cursor->span->end = -1;
    if (cursor->stream.transient)
        state_restart(cursor->binding->kept, cursor->stream.key);
}

struct state_epoch *span_epoch(struct cursor *cursor, const struct item *first)
{
    const struct stream_name *stream = &cursor->stream;
    struct state_epoch **epoch;

    if (!cursor->binding->kept)
        return NULL;
    if (cursor->replays)
        return state_epoch_new(cursor->binding->kept, stream->key, stream->source, stream->db);
    if (!cursor->span)
        begin(cursor);
    epoch = is_past_end(cursor, first) ? &cursor->span->next : &cursor->span->epoch;
    if (!*epoch)
        *epoch = state_epoch_new(cursor->binding->kept, stream->key, stream->source,
                                 stream->db);
    return *epoch;
}

bool span_joins(const struct cursor *cursor, const struct item *first, const struct item *item)
{
    return is_past_end(cursor, first) == is_past_end(cursor, item);
}

/* ---- how far it is ahead of the store ---- */

static bool is_over_half(const struct binding *binding)
{
    return state_memory(binding->kept) >= AHEAD_BYTES / 2;
}

/* Dead letters may read what anything before them wrote: all that is durable then. */
static bool is_quiet(const struct binding *binding)
{
    return binding->inflight == 0 && binding->replaying == 0 &&
           state_memory(binding->kept) == 0;
}

/* Without it the span that was begun cannot end. */
static bool is_needed(const struct cursor *cursor, const struct item *item)
{
    if (!cursor->span)
        return false;
    return cursor->span->end >= 0 ? item->ordinal <= cursor->span->end
                                  : item->ordinal <= cursor->sent_ordinal;
}

bool span_may_send(const struct cursor *cursor, const struct item *item)
{
    struct binding *binding = cursor->binding;

    if (!binding->kept)
        return true;
    if (cursor->replays)
        return is_quiet(binding);
    if (binding->quiet_wanted > 0 || binding->replaying > 0)
        return is_needed(cursor, item);
    if (!is_past_end(cursor, item) || state_memory(binding->kept) < AHEAD_BYTES)
        return true;
    binding->ahead = true;
    return false;
}

void span_want_quiet(struct lane *lane, bool wants)
{
    struct binding *binding = lane->cursor->binding;

    if (!binding->kept || !lane->cursor->replays || wants == lane->wants_quiet)
        return;
    lane->wants_quiet = wants;
    if (wants)
        binding->quiet_wanted++;
    else
        binding->quiet_wanted--;
}

bool span_is_large(const struct binding *binding)
{
    return binding->kept && is_over_half(binding);
}

void span_wake(struct binding *binding)
{
    if (binding->quiet_wanted == 0 && (!binding->ahead || is_over_half(binding)))
        return;
    binding->ahead = false;
    binding_update_lanes(binding);
    binding_pump(binding);
}

/* ---- its end ---- */

/* Also while it is being committed: then it is over, but not for long. */
static bool is_settled(const struct cursor *cursor)
{
    return list_empty(&cursor->pending) ||
           list_entry(cursor->pending.next, struct item, pending)->ordinal > cursor->span->end;
}

static void set_end(struct cursor *cursor)
{
    struct span *span = cursor->span;
    tr_str seq;

    span->end = cursor_known_end(cursor, &seq);
    span->wants_end = span->end < 0;
    if (span->wants_end)
        return;
    buf_clear(&span->seq);
    buf_add_str(&span->seq, seq);
}

void span_grew(struct cursor *cursor)
{
    if (cursor->span && cursor->span->wants_end)
        set_end(cursor);
}

bool span_is_over(struct cursor *cursor)
{
    if (cursor->span->end < 0)
        set_end(cursor);
    return cursor->span->end >= 0 && is_settled(cursor);
}

bool span_is_due(const struct cursor *cursor)
{
    return cursor->span && cursor->span->end >= 0 && cursor->commits == 0 && is_settled(cursor);
}

void span_next(struct cursor *cursor, const struct store_op *op)
{
    struct span *span = cursor->span;

    if (span->epoch)
        state_epoch_done(span->epoch, op);
    span->epoch = span->next;
    span->next = NULL;
    span->end = -1;
}

/* What is being stored stays: it is of a position that was. */
void span_hide(struct cursor *cursor)
{
    if (!cursor->span)
        return;
    if (cursor->commits == 0)
        state_epoch_hide(cursor->span->epoch);
    state_epoch_hide(cursor->span->next);
}

void span_free(struct cursor *cursor)
{
    struct span *span = cursor->span;

    if (!span)
        return;
    if (cursor->binding->kept) {
        state_epoch_drop(span->epoch);
        state_epoch_drop(span->next);
    }
    buf_fini(&span->seq);
    free(span);
}
