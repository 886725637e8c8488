/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line of a file as a row: rows of a feed as they are, documents as rows that hold them.
 * Called by file.c on the loop thread, and by segment.c for rows that were kept as text.
 */
#ifndef FEED_FILE_ROW_H
#define FEED_FILE_ROW_H

#include "base/arena.h"
#include "base/error.h"
#include "feed/segment.h"

enum file_row {
    FILE_ROW,    /* *ret_row: slices of the line, and of the arena                         */
    FILE_NO_ROW, /* a closing line of a saved feed: nothing to hand on                     */
    FILE_PART,   /* the beginning of an object, without its end                            */
    FILE_BAD     /* `error` says what is wrong with it                                     */
};

/* `line` has no white space around it and is not empty. The row's seq is the position behind
 * the line, whatever the line itself says. */
enum file_row file_row_read(tr_str line, int64_t behind, struct arena *arena,
                            tr_change *ret_row, struct error *error);

/* The same of a line of which only the head was kept. */
tr_change file_row_of_head(tr_str head, int64_t behind, struct arena *arena);

#endif
