/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "Did you mean …?": the known name that a mistyped one is near to.
 *
 * Called for unknown keys, choices, plugins and sources. Pure; any thread.
 */
#ifndef CONFIG_NEAR_H
#define CONFIG_NEAR_H

#include "base/str.h"

/* The closest of `names` that is at most two edits away (a letter added, left out, changed, or
 * two neighbours swapped), else one that begins with `word` or that `word` begins with; NULL:
 * none is near. The first wins among equals. Entries that are NULL are passed over. */
const char *config_nearest(tr_str word, const char *const *names, size_t count);

#endif
