/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chunks: the memory into which a feed copies what the socket gives, once.
 *
 * A chunk is filled from its beginning and never changed where rows lie, so that they can be
 * slices of it. The feed that fills it holds one reference and each segment with rows in it one
 * more; the last to let go frees it. Loop thread only; reference counts are plain numbers.
 */
#ifndef FEED_CHUNK_H
#define FEED_CHUNK_H

#include <stddef.h>
#include <stdint.h>

enum { CHUNK_MIN = 4096, CHUNK_MAX = 512 << 10 };

struct chunk {
    uint32_t refs;
    size_t size, used;
    char data[];
};

/* Empty, with one reference. */
struct chunk *chunk_new(size_t size);
void chunk_ref(struct chunk *chunk);
void chunk_unref(struct chunk *chunk); /* NULL is fine                                     */

/*
 * Room for reading `more` bytes: `old` itself when it has some, else another chunk that begins
 * with the bytes of `old` from *keep on (a row that is not whole yet). Then *keep becomes 0 and
 * the reference to `old` is let go. NULL for `old` is fine.
 *
 * Sizes follow the traffic: about two reads, within the bounds above, so that a quiet feed
 * pins little and a busy one allocates rarely. A row that outgrows that gets room that doubles.
 */
struct chunk *chunk_room(struct chunk *old, size_t *keep, size_t more);

#endif
