/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a segment is made: the half of segment.c that only the feeds see. Whoever builds a
 * segment is its one owner until it is finished and handed out. Loop thread only.
 */
#ifndef FEED_BUILD_H
#define FEED_BUILD_H

#include "base/arena.h"
#include "feed/chunk.h"
#include "feed/segment.h"

/* Empty, with one reference. `since` is copied; `room` says how many rows are expected. */
struct segment *segment_new(tr_str since, uint32_t room);

/* One more row, whose bytes lie in `chunk` (NULL: in the segment's arena). */
void segment_add(struct segment *segment, const tr_change *row, struct chunk *chunk);

/* For what is not a slice of a chunk: decoded ids, made-up members. */
struct arena *segment_arena(struct segment *segment);

/* The rows from `from` on, as a segment of their own that begins at `since`; they are taken off
 * this one. `from` may be the count; then the new one is empty. */
struct segment *segment_split(struct segment *segment, uint32_t from, tr_str since);

/* Ready to be handed out. `last` is copied. */
void segment_finish(struct segment *segment, tr_str last);

/* How much is kept of a row that is longer than max_row. */
enum { ROW_HEAD_MAX = 64 << 10 };

/* The row of which only this beginning was kept, with FEED_ROW_CUT and what members are whole
 * in it: in the order in which servers write them, seq, id and changes come before the
 * document.
 */
tr_change row_of_head(tr_str head, struct arena *arena);

/* Whether a seq is one: there, and not `null`. */
bool seq_is_known(tr_str seq);

#endif
