/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding things by a hash: a table of links that stand in the things themselves, so that
 * nothing is allocated for one more. Whoever looks compares, since only he knows the keys. One
 * thread at a time.
 *
 *     for (struct link *link = table_first(&table, hash); link; link = table_next(link))
 *         if (is_mine(link)) …
 */
#ifndef STATS_TABLE_H
#define STATS_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

struct link {
    struct link *next;
    uint64_t hash;
};

struct table {
    struct link **slots;
    uint32_t room, count; /* room is a power of two, or 0                                   */
};

static inline void table_fini(struct table *table)
{
    free(table->slots);
    *table = (struct table){0};
}

static inline struct link *table_first(const struct table *table, uint64_t hash)
{
    struct link *link = table->room > 0 ? table->slots[hash & (table->room - 1)] : NULL;

    while (link && link->hash != hash)
        link = link->next;
    return link;
}

static inline struct link *table_next(const struct link *after)
{
    struct link *link = after->next;

    while (link && link->hash != after->hash)
        link = link->next;
    return link;
}

static inline bool table_grow_(struct table *table)
{
    uint32_t room = table->room > 0 ? 2 * table->room : 16;
    struct link **slots = calloc(room, sizeof(struct link *));

    if (!slots)
        return false;
    for (uint32_t i = 0; i < table->room; i++)
        while (table->slots[i]) {
            struct link *link = table->slots[i];

            table->slots[i] = link->next;
            link->next = slots[link->hash & (room - 1)];
            slots[link->hash & (room - 1)] = link;
        }
    free(table->slots);
    table->slots = slots;
    table->room = room;
    return true;
}

/* False: no memory. */
static inline bool table_add(struct table *table, struct link *link, uint64_t hash)
{
    if (table->count >= table->room && !table_grow_(table))
        return false;
    link->hash = hash;
    link->next = table->slots[hash & (table->room - 1)];
    table->slots[hash & (table->room - 1)] = link;
    table->count++;
    return true;
}

static inline void table_remove(struct table *table, struct link *link)
{
    struct link **at = &table->slots[link->hash & (table->room - 1)];

    while (*at != link)
        at = &(*at)->next;
    *at = link->next;
    table->count--;
}

#endif
