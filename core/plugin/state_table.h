/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the batches of an instance wrote and the store does not have yet: a hash table of keys,
 * and for each the writes that may still count. For state.c, which holds its lock.
 *
 * A write belongs to a ticket until the batch is settled. Then it stays, or it is taken back
 * and what was there before it shows again; so a key has a chain of writes, the last one on
 * top. Below a write that stays nothing can show any more, and its room is used again: a key
 * that every batch writes does not grow.
 */
#ifndef PLUGIN_STATE_TABLE_H
#define PLUGIN_STATE_TABLE_H

#include "base/arena.h"

struct state_write;

struct state_key {
    uint64_t hash;
    struct state_key *next;  /* that was made after it                                     */
    struct state_write *top; /* NULL: all were taken back                                  */
    int64_t was;             /* of struct store_state_entry                                */
    uint32_t len;
    char bytes[];
};

/* The writes of a batch; in the table's memory. */
struct state_ticket {
    struct state_write *writes;
    bool settled;
};

struct state_write {
    struct state_write *below, *next; /* of the key; of the ticket                         */
    struct state_key *key;
    struct state_ticket *ticket;
    char *bytes;
    uint32_t len, room;
    bool removed;
};

struct state_slot {
    uint64_t hash;
    struct state_key *key; /* NULL: free                                                   */
};

struct state_table {
    struct arena arena;
    struct state_slot *slots;
    uint32_t cap, count;
    struct state_key *first, *last; /* in the order in which they were made                  */
    size_t memory;                  /* of keys and values, about                            */
    int64_t more_entries, more_bytes; /* than the store has, as far as that is known       */
};

/* Storage of the caller. */
void state_table_init(struct state_table *table);
void state_table_fini(struct state_table *table);

/* NULL: nobody wrote it. `hash` is hash_bytes() of the key, here and below. */
struct state_key *state_table_find(const struct state_table *table, tr_str key, uint64_t hash);

/* The key, made if it is not there; then `was` is what the store is known to have. */
struct state_key *state_table_key(struct state_table *table, tr_str key, uint64_t hash,
                                  int64_t was);

struct state_ticket *state_table_ticket(struct state_table *table);

/* A value (removed: none) on top; copied. */
void state_table_write(struct state_table *table, struct state_ticket *ticket,
                       struct state_key *key, tr_str value, bool removed);

/* What the store has is not known any more. */
void state_table_forget(struct state_table *table, struct state_key *key);

/* The end of a ticket: its writes stay, or are taken back. */
void state_table_settle(struct state_table *table, struct state_ticket *ticket, bool stays);

static inline tr_str state_key_str(const struct state_key *key)
{
    return (tr_str){key->bytes, key->len};
}

static inline tr_str state_write_str(const struct state_write *write)
{
    return (tr_str){write->bytes, write->len};
}

#endif
