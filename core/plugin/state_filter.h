/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which keys the store surely does not have, so that nobody looks for them there: most of what
 * a feed brings for the first time is asked for in vain, and such a look costs more than all
 * else that is done for the change. For state*.c of plugin/, under their lock.
 *
 * It is a Bloom filter. What is written sets four bits of a word, and a key that lacks one of
 * its bits was never written. Others may have set them, so of those that were not one in fifty
 * is looked for all the same, and so is what was removed since. Layers, each of eight times the
 * room of the one before, make a few keys cheap; the last one takes all that comes, and says
 * "maybe" more and more often.
 */
#ifndef PLUGIN_STATE_FILTER_H
#define PLUGIN_STATE_FILTER_H

#include <stdbool.h>
#include <stdint.h>

enum { STATE_FILTER_LAYERS = 6 }; /* 18 MB, 10 million keys                               */

/* Storage of the caller; a zeroed one has no keys. */
struct state_filter {
    uint64_t *layers[STATE_FILTER_LAYERS];
    uint32_t count;
    uint64_t room; /* keys for which the last layer was made and that have not come        */
};

void state_filter_fini(struct state_filter *filter);

/* `hash`: any good 64 bits of the key. */
void state_filter_add(struct state_filter *filter, uint64_t hash);
bool state_filter_may_have(const struct state_filter *filter, uint64_t hash);

#endif
