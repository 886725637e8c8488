/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hash maps from byte strings to pointers: open addressing, linear probing. The owner calls.
 */
#include "base/map.h"

#include "base/mem.h"
#include "base/random.h"

#include <endian.h>
#include <pthread.h>

struct map_slot {
    char *key; /* NULL: never used; GRAVE: removed                                         */
    size_t len;
    uint64_t hash;
    void *value;
};

static char grave_mark;
#define GRAVE (&grave_mark)

static uint64_t process_key;
static pthread_once_t process_key_once = PTHREAD_ONCE_INIT;

static void make_process_key(void)
{
    process_key = random_u64() | 1;
}

static uint64_t mix(uint64_t x)
{
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    x ^= x >> 29;
    return x;
}

/* Eight bytes at a time, the first of them the lowest on every machine. */
static uint64_t hash_words(uint64_t key, const unsigned char *bytes, size_t len)
{
    uint64_t h = key ^ (len * 0x9e3779b97f4a7c15u), word = 0;

    for (; len >= sizeof(word); len -= sizeof(word), bytes += sizeof(word)) {
        memcpy(&word, bytes, sizeof(word));
        h = mix(h ^ le64toh(word)) * key;
    }
    if (len > 0) {
        word = 0;
        memcpy(&word, bytes, len);
        h = mix(h ^ le64toh(word)) * key;
    }
    return mix(h);
}

uint64_t hash_bytes(const void *bytes, size_t len)
{
    pthread_once(&process_key_once, make_process_key);
    return hash_words(process_key, bytes, len);
}

uint64_t hash_sum(const void *bytes, size_t len)
{
    return hash_words(0x9e3779b97f4a7c15u, bytes, len);
}

uint64_t hash_stable(const void *bytes, size_t len)
{
    const unsigned char *p = bytes;
    uint64_t h = 0xcbf29ce484222325u;

    while (len-- > 0)
        h = (h ^ *p++) * 0x100000001b3u;
    return h;
}

static bool is_live(const struct map_slot *slot)
{
    return slot->key && slot->key != GRAVE;
}

void map_fini(struct map *map)
{
    for (size_t i = 0; i < map->cap; i++)
        if (is_live(&map->slots[i]))
            free(map->slots[i].key);
    free(map->slots);
    *map = (struct map){0};
}

static struct map_slot *find_slot(const struct map *map, tr_str key, uint64_t hash)
{
    if (map->cap == 0)
        return NULL;
    for (size_t i = hash & (map->cap - 1);; i = (i + 1) & (map->cap - 1)) {
        struct map_slot *slot = &map->slots[i];
        if (!slot->key)
            return NULL;
        if (slot->key != GRAVE && slot->hash == hash &&
            str_eq(str_n(slot->key, slot->len), key))
            return slot;
    }
}

static void place(struct map *map, struct map_slot item)
{
    size_t i = item.hash & (map->cap - 1);

    while (map->slots[i].key)
        i = (i + 1) & (map->cap - 1);
    map->slots[i] = item;
    map->used++;
    map->count++;
}

static void grow(struct map *map)
{
    struct map old = *map;

    map->cap = old.cap == 0 ? 16 : (old.count * 2 >= old.cap ? old.cap * 2 : old.cap);
    map->slots = mem_new_array(struct map_slot, map->cap);
    map->count = map->used = 0;
    for (size_t i = 0; i < old.cap; i++)
        if (is_live(&old.slots[i]))
            place(map, old.slots[i]);
    free(old.slots);
}

void *map_get(const struct map *map, tr_str key)
{
    struct map_slot *slot = find_slot(map, key, hash_bytes(key.ptr, key.len));

    return slot ? slot->value : NULL;
}

void *map_set(struct map *map, tr_str key, void *value)
{
    uint64_t hash = hash_bytes(key.ptr, key.len);
    struct map_slot *slot = find_slot(map, key, hash);

    if (slot) {
        void *old = slot->value;
        slot->value = value;
        return old;
    }
    if ((map->used + 1) * 4 > map->cap * 3)
        grow(map);
    place(map,
          (struct map_slot){.key = str_dup(key), .len = key.len, .hash = hash, .value = value});
    return NULL;
}

void *map_remove(struct map *map, tr_str key)
{
    struct map_slot *slot = find_slot(map, key, hash_bytes(key.ptr, key.len));
    void *old;

    if (!slot)
        return NULL;
    old = slot->value;
    free(slot->key);
    *slot = (struct map_slot){.key = GRAVE};
    map->count--;
    return old;
}

bool map_next(const struct map *map, size_t *cursor, tr_str *ret_key, void **ret_value)
{
    while (*cursor < map->cap) {
        const struct map_slot *slot = &map->slots[(*cursor)++];
        if (!is_live(slot))
            continue;
        if (ret_key)
            *ret_key = str_n(slot->key, slot->len);
        if (ret_value)
            *ret_value = slot->value;
        return true;
    }
    return false;
}
