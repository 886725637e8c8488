/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hash maps from byte strings to pointers. Keys are copied; values are the caller's.
 *
 * Not thread-safe. Hashing is keyed by a per-process random, since keys come from outside.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/str.h"

#include <stdint.h>

struct map_slot;

struct map {
    struct map_slot *slots;
    size_t count, used, cap; /* used counts the graves of removed keys too                 */
};

/* A keyed 64-bit hash of bytes; differs from process to process. */
uint64_t hash_bytes(const void *bytes, size_t len);

/* A 64-bit hash that is the same everywhere and always (FNV-1a), for names made of content. */
uint64_t hash_stable(const void *bytes, size_t len);

/* The same, and faster, to tell damage by. */
uint64_t hash_sum(const void *bytes, size_t len);

/* A zeroed struct map is an empty one. */
void map_fini(struct map *map);

void *map_get(const struct map *map, tr_str key);

/* Sets `key` to `value` (not NULL); returns what was there before, or NULL. */
void *map_set(struct map *map, tr_str key, void *value);

/* Takes `key` out; returns what was there, or NULL. */
void *map_remove(struct map *map, tr_str key);

/* Walks in no order: start with *cursor = 0; false at the end. Removing what was just returned
 * is allowed, adding is not. */
bool map_next(const struct map *map, size_t *cursor, tr_str *ret_key, void **ret_value);

#endif
