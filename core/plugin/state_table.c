/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of writes: open addressing, linear probing; keys and values lie in an arena and go
 * with the whole. state.c calls, under its lock.
 */
#include "plugin/state_table.h"

#include "base/mem.h"
#include "store/state.h"

enum { FIRST_SLOTS = 64, ARENA_BYTES = 4096 };

void state_table_init(struct state_table *table)
{
    *table = (struct state_table){0};
    arena_init(&table->arena, ARENA_BYTES);
}

void state_table_fini(struct state_table *table)
{
    arena_fini(&table->arena);
    free(table->slots);
    *table = (struct state_table){0};
}

/* ---- keys ---- */

static struct state_slot *slot_of(const struct state_table *table, tr_str key, uint64_t hash)
{
    for (uint64_t i = hash & (table->cap - 1);; i = (i + 1) & (table->cap - 1)) {
        struct state_slot *slot = &table->slots[i];
        if (!slot->key || (slot->hash == hash && str_eq(state_key_str(slot->key), key)))
            return slot;
    }
}

struct state_key *state_table_find(const struct state_table *table, tr_str key, uint64_t hash)
{
    return table->count > 0 ? slot_of(table, key, hash)->key : NULL;
}

static void grow(struct state_table *table)
{
    struct state_slot *old = table->slots;
    uint32_t old_cap = table->cap;

    table->cap = old_cap ? old_cap * 2 : FIRST_SLOTS;
    table->slots = mem_new_array(struct state_slot, table->cap);
    for (uint32_t i = 0; i < old_cap; i++) {
        uint64_t at = old[i].hash & (table->cap - 1);
        if (!old[i].key)
            continue;
        while (table->slots[at].key)
            at = (at + 1) & (table->cap - 1);
        table->slots[at] = old[i];
    }
    free(old);
}

struct state_key *state_table_key(struct state_table *table, tr_str key, uint64_t hash,
                                  int64_t was)
{
    struct state_slot *slot;

    if (table->count >= table->cap / 4 * 3)
        grow(table);
    slot = slot_of(table, key, hash);
    if (slot->key)
        return slot->key;
    slot->hash = hash;
    slot->key = arena_alloc(&table->arena, sizeof(*slot->key) + key.len);
    *slot->key = (struct state_key){.hash = hash, .was = was, .len = (uint32_t)key.len};
    memcpy(slot->key->bytes, key.ptr, key.len);
    if (table->last)
        table->last->next = slot->key;
    else
        table->first = slot->key;
    table->last = slot->key;
    table->count++;
    table->memory += sizeof(*slot->key) + key.len;
    return slot->key;
}

/* ---- writes ---- */

/* What the key adds to the store's totals goes out of, or comes into, the table's. */
static void count(struct state_table *table, const struct state_key *key, int sign)
{
    if (!key->top)
        return;
    if (!key->top->removed) {
        table->more_entries += sign;
        table->more_bytes += sign * (int64_t)(key->len + key->top->len);
    }
    if (key->was >= 0) {
        table->more_entries -= sign;
        table->more_bytes -= sign * (key->was + key->len);
    }
}

struct state_ticket *state_table_ticket(struct state_table *table)
{
    return arena_zero(&table->arena, sizeof(struct state_ticket));
}

/* One that nobody can see or take back any more, or a new one. */
static struct state_write *new_write(struct state_table *table, struct state_key *key)
{
    struct state_write *top = key->top, *old;

    if (!top || !top->ticket->settled || !top->below || !top->below->ticket->settled) {
        table->memory += sizeof(*old);
        return arena_zero(&table->arena, sizeof(*old));
    }
    old = top->below;
    top->below = old->below;
    return old;
}

static void fill(struct state_table *table, struct state_write *write, tr_str value,
                 bool removed)
{
    if (value.len > write->room) {
        write->bytes = arena_alloc(&table->arena, value.len);
        write->room = (uint32_t)value.len;
        table->memory += value.len;
    }
    if (value.len > 0)
        memcpy(write->bytes, value.ptr, value.len);
    write->len = (uint32_t)value.len;
    write->removed = removed;
}

void state_table_write(struct state_table *table, struct state_ticket *ticket,
                       struct state_key *key, tr_str value, bool removed)
{
    struct state_write *write = key->top;

    count(table, key, -1);
    if (!write || write->ticket != ticket) {
        write = new_write(table, key);
        write->below = key->top;
        write->key = key;
        write->ticket = ticket;
        write->next = ticket->writes;
        ticket->writes = write;
        key->top = write;
    }
    fill(table, write, value, removed);
    count(table, key, 1);
}

void state_table_forget(struct state_table *table, struct state_key *key)
{
    count(table, key, -1);
    key->was = STORE_STATE_UNKNOWN;
    count(table, key, 1);
}

static void unlink_write(struct state_table *table, struct state_write *write)
{
    struct state_key *key = write->key;
    struct state_write **at = &key->top;

    count(table, key, -1);
    while (*at != write)
        at = &(*at)->below;
    *at = write->below;
    count(table, key, 1);
}

void state_table_settle(struct state_table *table, struct state_ticket *ticket, bool stays)
{
    for (struct state_write *it = ticket->writes; !stays && it; it = it->next)
        unlink_write(table, it);
    ticket->writes = NULL;
    ticket->settled = true;
}
