/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of repeats.h: a table of hashes in sets of four, of which the newest comes first
 * and the oldest goes. A hash has 64 bits and is keyed by the process: that two rows share one
 * is less likely than that the memory of the machine errs. Called by cursor.c, on the loop
 * thread.
 */
#include "dispatch/repeats.h"

#include "base/map.h"
#include "base/mem.h"

enum { SETS = 1 << 12, WAYS = 4 };

struct repeats {
    uint64_t names;
    uint64_t table[SETS][WAYS]; /* 0: none                                                  */
};

struct repeats *repeats_new(void)
{
    return mem_new(struct repeats);
}

void repeats_free(struct repeats *repeats)
{
    free(repeats);
}

uint64_t repeats_name(struct repeats *repeats)
{
    return ++repeats->names;
}

/* Both hashes are keyed and mixed already: to multiply by odd numbers and add loses nothing. */
static uint64_t key_of(uint64_t cursor, const tr_change *row)
{
    uint64_t id = hash_bytes(row->id.ptr, row->id.len);
    uint64_t revs = hash_bytes(row->revs.ptr, row->revs.len);
    uint64_t key = id + revs * 0x9e3779b97f4a7c15u + cursor * 0xd6e8feb86659fd93u +
                   (row->flags & TR_CHANGE_DELETED);

    return key ? key : 1;
}

bool repeats_seen(struct repeats *repeats, uint64_t cursor, const tr_change *row)
{
    uint64_t key = key_of(cursor, row), *set = repeats->table[key % SETS], moved = key;

    for (int i = 0; i < WAYS; i++) {
        uint64_t was = set[i];
        set[i] = moved;
        if (was == key)
            return true;
        moved = was;
    }
    return false;
}
