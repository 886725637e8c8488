/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The filter of keys that were written. state*.c of plugin/ call, under their lock.
 */
#include "plugin/state_filter.h"

#include "base/mem.h"

enum { FIRST_WORDS = 64, GROWTH = 8, KEYS_A_WORD = 4 };

static uint64_t words_of(uint32_t layer)
{
    uint64_t words = FIRST_WORDS;

    while (layer-- > 0)
        words *= GROWTH;
    return words;
}

/* Four bits by 24 of the hash; the others say in which word. */
static uint64_t bits_of(uint64_t hash)
{
    return UINT64_C(1) << (hash & 63) | UINT64_C(1) << (hash >> 6 & 63) |
           UINT64_C(1) << (hash >> 12 & 63) | UINT64_C(1) << (hash >> 18 & 63);
}

static uint64_t *word_of(const struct state_filter *filter, uint32_t layer, uint64_t hash)
{
    return &filter->layers[layer][hash >> 24 & (words_of(layer) - 1)];
}

void state_filter_fini(struct state_filter *filter)
{
    for (uint32_t i = 0; i < filter->count; i++)
        free(filter->layers[i]);
    *filter = (struct state_filter){0};
}

bool state_filter_may_have(const struct state_filter *filter, uint64_t hash)
{
    uint64_t bits = bits_of(hash);

    for (uint32_t i = filter->count; i-- > 0;)
        if ((*word_of(filter, i, hash) & bits) == bits)
            return true;
    return false;
}

void state_filter_add(struct state_filter *filter, uint64_t hash)
{
    uint64_t bits = bits_of(hash), *word;

    if (filter->room == 0 && filter->count < STATE_FILTER_LAYERS) {
        uint64_t words = words_of(filter->count);

        filter->layers[filter->count++] = mem_new_array(uint64_t, words);
        filter->room = words * KEYS_A_WORD;
    }
    word = word_of(filter, filter->count - 1, hash);
    if ((*word & bits) == bits)
        return;
    *word |= bits;
    if (filter->room > 0)
        filter->room--;
}
