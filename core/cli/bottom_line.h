/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines that stay at the bottom of the terminal behind stderr, while whatever is written there
 * scrolls above them.
 *
 * The terminal itself keeps them apart: the last rows are left out of the region that scrolls.
 * So log lines of any thread, or what a plugin prints, need not know of them, and none of those
 * is ever erased or written over. The region is given back at the end, before a crash, and
 * while the program is stopped or in the background. One of them a process; main thread.
 */
#ifndef CLI_BOTTOM_LINE_H
#define CLI_BOTTOM_LINE_H

#include <stdbool.h>

enum { BOTTOM_LINES = 9 }; /* at most                                                       */

/* stderr is a terminal that can do it, and says how large it is. */
bool bottom_line_possible(void);

/* Columns that there are now; 0: it is too small, or this is a background job. */
int bottom_line_width(void);

/* How many lines there is room for: some, but not most of the terminal. */
int bottom_line_count(void);

/* Shows so many lines, each of at most so many columns and without control characters. Nothing
 * happens where the width is 0. */
void bottom_line_draw(const char *const *lines, int count);

/* Takes them away, and leaves the cursor where it was. As often as one likes. */
void bottom_line_end(void);

#endif
