/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Folders that a command makes for itself: with the configuration that it writes, and the state
 * of the run on it. Main thread.
 */
#ifndef CLI_FOLDER_H
#define CLI_FOLDER_H

#include "base/error.h"
#include "base/str.h"

/* Makes the path, and what is missing above it, for its owner alone. ERR_CANTCREAT. */
int folder_make(const char *path, struct error *error);

/* Writes a file, in one step: whoever looks sees the old one or all of the new. ERR_CANTCREAT.
 */
int folder_write(const char *path, tr_str text, struct error *error);

/* It and all that is in it. */
void folder_remove(const char *path);

#endif
