/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a plugin is handed: changes, in batches.
 *
 * A change is one row of a `_changes` feed. All its strings are slices of memory that the host
 * read from the network; nothing was copied or re-encoded for the plugin. The memory of a batch
 * lives until process() returns something other than TR_PENDING or, after TR_PENDING, until
 * complete() was called with its ticket.
 */
#ifndef TAILRACE_CHANGE_H
#define TAILRACE_CHANGE_H

#include <tailrace/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bits of tr_change.flags. */
enum {
    TR_CHANGE_DELETED = 1 << 0,    /* the row says "deleted":true                          */
    TR_CHANGE_HAS_DOC = 1 << 1,    /* `doc` holds the document                             */
    TR_CHANGE_DESIGN = 1 << 2,     /* the id starts with "_design/"                        */
    TR_CHANGE_TRANSFORMED = 1 << 3 /* `doc` (and so `raw`) is not what the source has: a
                                      transform of the rule has changed it; since 1.1     */
};

typedef struct tr_change {
    tr_str raw;  /* the whole row as the server sent it, byte for byte, the document put in
                    where it came by itself; after transforms, as they left it           */
    tr_str id;   /* the document's id, JSON escapes decoded                              */
    tr_str rev;  /* the winning revision (the first of `revs`), decoded                  */
    tr_str seq;  /* raw JSON, opaque: never compare, sort or parse it; may be `null`     */
    tr_str revs; /* raw JSON of the row's `changes` array: all leaves if they were asked */
    tr_str doc;  /* raw JSON of the document, or empty                                   */
    uint32_t flags;
    uint32_t attempt; /* counts deliveries of this change to this instance, from 1       */
} tr_change;

/* Bits of tr_batch.flags. */
enum {
    TR_BATCH_REPLAY = 1 << 0,     /* sent again by hand from the dead letters                */
    TR_BATCH_ROLLED_BACK = 1 << 1 /* what was kept of the stream (ext/state.h) since its
                                     last checkpoint is gone and comes again: what memory
                                     has of it is to be read anew; since 1.2             */
};

/* Changes of one stream for one instance. Read the changes through tr_batch_at() only. */
typedef struct tr_batch {
    uint32_t size, flags;
    tr_ticket ticket;
    tr_str source; /* the source's name in the configuration                              */
    tr_str db;     /* the database's name, not percent-encoded                            */
    tr_str rule;   /* the rule's name                                                     */
    const void *changes;
    uint32_t count, stride; /* stride is the host's sizeof(tr_change)                     */
    int64_t deadline_ms;    /* CLOCK_MONOTONIC: cancel() is called when it has passed     */
    tr_str stream;          /* names the database's incarnation; stable across restarts   */
} tr_batch;

/* The change number `i`, 0 <= i < count. A stride walks rows that a newer host made longer. */
static inline const tr_change *tr_batch_at(const tr_batch *batch, uint32_t i)
{
    return (const tr_change *)(const void *)((const char *)batch->changes +
                                             (size_t)i * batch->stride);
}

/* What became of a batch. The host zeroes it and sets `size`; process() or the caller of
 * complete() fills it. `items`, `message` and `messages` are copied before the call returns. */
typedef struct tr_outcome {
    uint32_t size;
    tr_status status;        /* TR_OK, TR_RETRY, TR_REJECT, TR_FATAL, or TR_PENDING       */
    uint32_t retry_after_ms; /* with TR_RETRY: the sink's own wish; 0 leaves it to us     */
    uint32_t items_count;    /* 0: `status` speaks for all; else it equals batch->count   */
    const int32_t *items;    /* one of TR_OK, TR_RETRY, TR_REJECT for each change         */
    tr_str message;          /* why, for logs and dead letters; one line, no secrets      */
    const tr_str *messages;  /* beside `items`: one for each change, why this one was refused;
                                an empty one leaves it to `message`; NULL: so do all; since
                                1.1. 255 bytes of each are kept.                  */
} tr_outcome;

#ifdef __cplusplus
}
#endif

#endif
