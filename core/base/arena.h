/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arenas: memory that is handed out piece by piece and given back all at once.
 *
 * One arena per config generation, per compiled rule, per feed read. Not thread-safe: an arena
 * belongs to one thread at a time. Reset keeps the first block, so a steady user stops
 * allocating.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/str.h"

struct arena_block;

struct arena {
    struct arena_block *blocks; /* newest first                                            */
    char *at, *end;             /* free room in the newest                                 */
    size_t block_size;
};

/* Storage of the caller. `block_size` is how much is taken from the heap at a time. */
void arena_init(struct arena *arena, size_t block_size);
void arena_fini(struct arena *arena);

/* Gives back all pieces; keeps the room of one block. */
void arena_reset(struct arena *arena);

/* `size` bytes, aligned for anything; not zeroed. Never NULL (base/mem.h). */
void *arena_alloc(struct arena *arena, size_t size);
void *arena_zero(struct arena *arena, size_t size);

/* A copy with a NUL behind it that does not count in its length. */
tr_str arena_str(struct arena *arena, tr_str s);
const char *arena_cstr(struct arena *arena, tr_str s);

#endif
