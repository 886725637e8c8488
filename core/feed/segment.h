/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segments: rows that arrived together, and a hold on the memory in which their bytes lie.
 *
 * The feed copies what the socket gives once, into a chunk; rows are slices of it. A segment
 * keeps its chunks alive, and whoever needs a row after the callback that brought it keeps the
 * segment: a batch on its way to a plugin, until the last of its bindings has settled it.
 *
 * Loop thread only; reference counts are plain numbers.
 */
#ifndef FEED_SEGMENT_H
#define FEED_SEGMENT_H

#include "base/str.h"

#include <tailrace/change.h>

/* A bit of tr_change.flags that never reaches a plugin: the row was longer than max_row; `raw`
 * is only its head and there is no document. */
#define FEED_ROW_CUT (1u << 31)

struct segment {
    uint32_t refs;
    uint32_t count;
    tr_change *rows; /* `attempt` is 0; `seq` may be `null` or empty                       */
    size_t bytes;    /* its share of the memory that it holds on to, for windows           */
    int64_t received_ms; /* clock_ms() when the first of them came                         */
    tr_str since; /* position before the first row: raw JSON, never `null`              */
    tr_str last;  /* position behind the last row: raw JSON, never `null`. Where the server
                     tells none, the last one known: a read from there repeats rows     */
};

void segment_ref(struct segment *segment);
void segment_unref(struct segment *segment); /* NULL is fine                               */

/* The position just before row `i`: the seq of the nearest row before it that has one, else
 * `since`. A checkpoint there repeats row i and loses none. */
tr_str segment_before(const struct segment *segment, uint32_t i);

/* One row that did not come from a feed (a dead letter on replay), or a document that a file
 * had in the place of a row; the bytes are copied. `seq` (raw JSON) is what a row without one
 * gets. NULL: it is neither. */
struct segment *segment_of_row(tr_str row, tr_str seq);

#endif
