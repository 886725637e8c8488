/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many connections the descriptors of the process allow. Feeds that took them all would
 * leave none for what plugins open, and nothing would be settled any more.
 */
#ifndef ENGINE_DESCRIPTORS_H
#define ENGINE_DESCRIPTORS_H

#include "engine/settings.h"

/* Raises the soft limit to the hard one. If that is not enough for what the sources may have,
 * gives each less, in proportion, and says so. Loop thread, before the sources are made. */
void descriptors_fit(struct settings *settings);

#endif
