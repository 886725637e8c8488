/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chunks: allocation, and the rule by which their size follows the traffic. Called by frame.c
 * and file.c on the loop thread.
 */
#include "feed/chunk.h"

#include "base/mem.h"

#include <stdbool.h>
#include <string.h>

/* A chunk so much larger than the traffic needs is left behind for a smaller one: a few rows in
 * it would pin all of it. */
enum { OVERSIZE = 8 };

struct chunk *chunk_new(size_t size)
{
    struct chunk *chunk = mem_alloc(sizeof(*chunk) + size);

    chunk->refs = 1;
    chunk->size = size;
    chunk->used = 0;
    return chunk;
}

void chunk_ref(struct chunk *chunk)
{
    chunk->refs++;
}

void chunk_unref(struct chunk *chunk)
{
    if (chunk && --chunk->refs == 0)
        free(chunk);
}

/* Powers of two, so that what is freed fits again and the heap does not give pages back only to
 * ask for them anew. */
static size_t fitting_size(size_t more)
{
    size_t size = CHUNK_MIN;

    while (size < CHUNK_MAX && size < more * 2)
        size *= 2;
    return size;
}

struct chunk *chunk_room(struct chunk *old, size_t *keep, size_t more)
{
    size_t size = fitting_size(more), kept = old ? old->used - *keep : 0;
    bool fits = old && (kept > 0 || old->size / OVERSIZE <= size);
    struct chunk *chunk;

    if (fits && kept == 0 && old->refs == 1)
        old->used = *keep = 0; /* its rows are settled: used anew */
    if (fits && old->used < old->size)
        return old;
    /* What is kept is copied again each time that it fills a chunk; doubling keeps the sum of
     * all copies linear in the row's length. */
    if (size < kept * 2)
        size = kept * 2;
    if (old && old->refs == 1 && *keep == 0) {
        old = mem_resize(old, sizeof(*old) + size);
        old->size = size;
        return old;
    }
    chunk = chunk_new(size);
    if (kept > 0)
        memcpy(chunk->data, old->data + *keep, kept);
    chunk->used = kept;
    chunk_unref(old);
    *keep = 0;
    return chunk;
}
