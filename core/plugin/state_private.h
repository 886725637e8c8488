/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of an instance's state, for the files state*.c of plugin/ only.
 */
#ifndef PLUGIN_STATE_PRIVATE_H
#define PLUGIN_STATE_PRIVATE_H

#include "base/buf.h"
#include "base/map.h"
#include "plugin/state.h"
#include "plugin/state_filter.h"
#include "plugin/state_table.h"

#include <pthread.h>

struct state_stream {
    char *key, *source, *db;
    int64_t scope, entries, bytes; /* in the store; 0: none                                */
    bool filtered;                 /* the filter has all keys that the store has of it     */
    uint64_t salt;                 /* of these keys in there                               */
    struct state_epoch *epochs;    /* newest first                                            */
    bool rolled_back; /* an epoch with writes went, and no other was begun since           */
};

struct state_epoch {
    struct state *state;
    struct state_stream *stream;
    struct state_epoch *older;
    struct state_table table;
    bool frozen, done, hidden;
    bool rolled_back; /* that of the stream was, when it was begun                         */
    struct store_state_entry *entries; /* of the operation; NULL: not frozen               */
    size_t entries_count;
};

struct state {
    struct instance *instance;
    struct store *store;
    const char *binding; /* borrowed                                                       */
    uint64_t bytes_max;  /* 0: none                                                        */

    /* The worker's. */
    bool warned; /* that it is at its bound                                                */
    struct store_reader *reader;
    uint32_t batches; /* within process(), or within one that runs in another             */
    struct buf value; /* that get() gave                                                  */
    struct { /* what get() found in the store: as a rule it is written next                */
        const struct state_stream *stream;
        uint64_t hash;
        int64_t was;
    } seen;

    pthread_mutex_t lock; /* guards all below                                              */
    bool snapshot;        /* the reader has one: what is durable since is not seen by it   */
    struct map streams;
    struct state_filter filter; /* of streams that began with nothing                      */
    uint32_t done; /* epochs that are in the store and still there for the snapshot        */
    int64_t entries, bytes;           /* in the store                                      */
    int64_t more_entries, more_bytes; /* of the epochs that are not                        */
    size_t memory;                    /* the same                                          */
};

/* state.c: frees what was kept for a snapshot that did not show it; takes the lock. Of one
 * stream: under the lock. */
void state_forget_done(struct state *state);
void state_stream_forget_done(struct state_stream *stream);

/* One that the store has. Under the lock. */
void state_stream_add(struct state *state, const struct store_scope *scope);

/* NULL: nothing is known of it. Under the lock. */
struct state_stream *state_stream_find(struct state *state, tr_str stream);

/* False: nobody ever wrote the key, neither to an epoch nor to the store. Under the lock. */
bool state_stream_may_know(const struct state *state, const struct state_stream *stream,
                           uint64_t hash);

/* The key of an epoch, if it shows there. Under the lock. */
const struct state_key *state_epoch_find(const struct state_epoch *epoch, tr_str key,
                                         uint64_t hash);

/* The write that shows, or NULL: the store counts. Under the lock. */
const struct state_write *state_stream_top(const struct state_stream *stream, tr_str key,
                                           uint64_t hash);

#endif
