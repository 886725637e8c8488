/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table that is made to fit a width: columns that matter less are left out, the first one and
 * a last one of long texts are cut. `top` draws with it. Main thread.
 */
#ifndef CLI_GRID_H
#define CLI_GRID_H

#include "base/arena.h"
#include "base/buf.h"

enum { GRID_COLUMNS = 12 };

/* How text is shown, where there are colours. */
enum tone { TONE_PLAIN, TONE_SOFT, TONE_BOLD, TONE_GOOD, TONE_WARN, TONE_BAD, TONE_HEAD };

struct grid_cell {
    tr_str text; /* of any bytes: those that a terminal obeys become "?"                   */
    enum tone tone;
};

struct grid_column {
    const char *head;
    bool left;   /* else a column of numbers                                               */
    int matters; /* those with the smallest go first, where there is no room; 0: never     */
};

struct grid {
    const struct grid_column *columns;
    size_t count;
    struct grid_cell *cells; /* row by row                                                 */
    size_t rows;
    bool colours;
};

/* Appends the heads and the rows, a line each, none wider than `width`. */
void grid_draw(const struct grid *grid, int width, struct buf *out);

/* Appends the text in its tone, cut to `width` characters; gives how many those are. */
int grid_text(struct buf *out, tr_str text, enum tone tone, int width, bool colours);

#endif
