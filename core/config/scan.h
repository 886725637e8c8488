/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A look at a configuration text before libconfig gets it.
 *
 * libconfig 1.5 cannot be handed a text as it comes: an @include opens any path, ends the
 * process on a directory and hangs on a FIFO; a whole number over 32 bits loses its upper half
 * without a word; and all its messages are "syntax error". The scanner follows the same rules
 * for strings, comments and names, reports every mistake that it can name, and writes a text
 * that libconfig may read. Any thread.
 */
#ifndef CONFIG_SCAN_H
#define CONFIG_SCAN_H

#include "config/diag.h"

enum { CONFIG_DEPTH_MAX = 32 /* groups and lists within each other                         */ };

/* Appends to `out` what libconfig may read: the same text, line by line, with all whole numbers
 * marked as 64 bits. 0, or ERR_CONFIG with at least one error in `diags`. */
int config_scan(tr_str text, const char *file, struct diags *diags, struct buf *out);

#endif
