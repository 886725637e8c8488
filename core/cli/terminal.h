/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The terminal behind stdin and stdout as a screen of its own: what was there before comes back
 * at the end. Keys come one by one and are not shown. One a process; main thread.
 */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include "base/buf.h"

#include <stdbool.h>

/* Both are a terminal that can do it. */
bool terminal_possible(void);

/* Until terminal_close(), which exit() calls too. False: it refuses. */
bool terminal_open(void);
void terminal_close(void);

/* 80 by 24 where it does not say. */
void terminal_size(int *ret_width, int *ret_height);

/* Puts a frame in the place of the one before: lines that end with "\n", none wider than the
 * terminal and no more of them than it is high. */
void terminal_draw(const struct buf *frame);

/* Keys that are no character. */
enum { KEY_NONE = 0, KEY_UP = 256, KEY_DOWN, KEY_PAGE_UP, KEY_PAGE_DOWN, KEY_HOME, KEY_END };

/* The next key of what is there to be read; KEY_NONE: none that has a meaning. False: stdin has
 * ended. */
bool terminal_key(int *ret_key);

#endif
