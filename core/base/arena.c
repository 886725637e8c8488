/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arenas: bump allocation out of a chain of blocks. The thread that owns the arena calls.
 */
#include "base/arena.h"

#include "base/mem.h"

#include <stdalign.h>
#include <stdint.h>

struct arena_block {
    struct arena_block *next;
    size_t size;
    alignas(max_align_t) char data[];
};

void arena_init(struct arena *arena, size_t block_size)
{
    *arena = (struct arena){.block_size = block_size};
}

static void free_chain(struct arena_block *block)
{
    while (block) {
        struct arena_block *next = block->next;
        free(block);
        block = next;
    }
}

void arena_fini(struct arena *arena)
{
    free_chain(arena->blocks);
    arena->blocks = NULL;
    arena->at = arena->end = NULL;
}

void arena_reset(struct arena *arena)
{
    struct arena_block *keep = arena->blocks;

    if (!keep)
        return;
    free_chain(keep->next);
    keep->next = NULL;
    arena->at = keep->data;
    arena->end = keep->data + keep->size;
}

static void add_block(struct arena *arena, size_t size)
{
    struct arena_block *block = mem_alloc(sizeof(*block) + size);

    block->size = size;
    block->next = arena->blocks;
    arena->blocks = block;
    arena->at = block->data;
    arena->end = block->data + size;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    size_t need = ((size ? size : 1) + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    void *piece;

    if (need > (size_t)(arena->end - arena->at))
        add_block(arena, need > arena->block_size ? need : arena->block_size);
    piece = arena->at;
    arena->at += need;
    return piece;
}

void *arena_zero(struct arena *arena, size_t size)
{
    return memset(arena_alloc(arena, size), 0, size);
}

tr_str arena_str(struct arena *arena, tr_str s)
{
    char *copy = arena_alloc(arena, s.len + 1);

    if (s.len > 0)
        memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    return str_n(copy, s.len);
}

const char *arena_cstr(struct arena *arena, tr_str s)
{
    return arena_str(arena, s).ptr;
}
