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

enum { SETS = 1 << 14, WAYS = 4 };

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

static uint64_t key_of(uint64_t cursor, const tr_change *row)
{
    const uint64_t parts[] = {cursor, hash_bytes(row->id.ptr, row->id.len),
                              hash_bytes(row->revs.ptr, row->revs.len),
                              row->flags & TR_CHANGE_DELETED};
    uint64_t key = hash_bytes(parts, sizeof(parts));

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
