/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tr.state/1: keys and values that a plugin keeps from run to run, written with a batch.
 *
 * What is written with the ticket of a batch becomes durable in the same transaction as the
 * first checkpoint that covers the batch, or not at all: after a crash the state is that of the
 * checkpoint, and what is delivered again meets the state that it met the first time. So a
 * counter that is read, raised and written is exact, whatever dies when.
 *
 * A stream may go away while the plugin runs, as when its database does not answer. What was
 * written since its last checkpoint is gone then, and its changes come again when it is back.
 * The first batches of then have TR_BATCH_ROLLED_BACK: a plugin that has something of the state
 * in memory reads that anew before it takes them.
 *
 * State belongs to a rule and one of its streams; no other sees it. An instance reads what it
 * wrote, durable or not yet. The writes of a batch whose outcome as a whole is not TR_OK are
 * taken back as it gives the outcome. Where items have outcomes of their own the writes stay: a
 * plugin writes for those items only that it takes. And it takes none behind one of the same
 * document that it does not take, since that one is sent again after it.
 *
 * With several batches in flight, a value that two of them write is that of the later write, or
 * of the batch that is later in the feed, and it stays if the other's is taken back. So a
 * plugin with TR_CAP_CONCURRENT keeps under keys of single documents, whose changes never are
 * in two batches at once, or leaves that flag out.
 *
 * A rule that is made to begin again (`tailrace backfill`), or whose checkpoint someone
 * deletes, begins with no state on those streams. The state of standard input is forgotten when
 * that is read anew. Keys are compared as bytes.
 *
 * Ask for the table in open(): later the functions answer TR_ENOSYS, as they do for transforms
 * and outside of a running rule.
 */
#ifndef TAILRACE_EXT_STATE_H
#define TAILRACE_EXT_STATE_H

#include <tailrace/host.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TR_EXT_STATE "tr.state/1"

/* Bounds of one entry. */
enum { TR_STATE_KEY_BYTES = 1024, TR_STATE_VALUE_BYTES = 16 << 20 };

/* A stream of the rule that has state; the names are those of tr_batch. */
typedef struct tr_state_stream {
    uint32_t size;
    tr_str source, db, stream;
} tr_state_stream;

/* How much there is, written and not yet durable included, and the bound (0: none). */
typedef struct tr_state_usage {
    uint32_t size;
    uint64_t entries, bytes, bytes_max;
} tr_state_usage;

/* Calls are made between start() and stop(), both included, on the worker. */
typedef struct tr_state {
    uint32_t size;

    /* The value of a key: borrowed until the next call of this table by the instance, or until
     * the callback returns. TR_ENOENT: there is none. TR_EAGAIN: the store cannot be read now;
     * answer the batch with TR_RETRY.                                           [worker] */
    tr_status (*get)(const tr_host *host, tr_str stream, tr_str key, tr_str *ret_value);

    /* Writes one, replacing what is there, to the stream of the batch; copied. TR_ESTALE: the
     * batch is not open. TR_EINVAL: over the bounds of an entry, or an empty key. TR_EAGAIN:
     * the rule's state is at its bound, nothing was written.                    [worker] */
    tr_status (*put)(const tr_host *host, tr_ticket ticket, tr_str key, tr_str value);

    /* Removes one; no error if there is none.                                   [worker] */
    tr_status (*remove)(const tr_host *host, tr_ticket ticket, tr_str key);

    /* Calls `each` for the keys from `from` (included) up to `to` (not included; empty: to the
     * end), in order of their bytes or, if `backwards`, against it, until it returns 0. It must
     * make no call of this table; what it is given lives until it returns.      [worker] */
    tr_status (*scan)(const tr_host *host, tr_str stream, tr_str from, tr_str to,
                      int32_t backwards, int32_t (*each)(void *user, tr_str key, tr_str value),
                      void *user);

    /* Calls `each` for the streams of the rule that have state, until it returns 0: for a
     * start, where no batch has come yet. The same limits as scan().            [worker] */
    tr_status (*streams)(const tr_host *host,
                         int32_t (*each)(void *user, const tr_state_stream *stream),
                         void *user);

    /* Removes all of a stream, of an incarnation of a database that was deleted, which no batch
     * will name again. Nothing of it is seen any more; it is durable soon after, and until then
     * a crash brings all of it back. TR_EAGAIN: it has writes that are not durable yet.
     *                                                                           [worker] */
    tr_status (*drop)(const tr_host *host, tr_str stream);

    tr_status (*usage)(const tr_host *host, tr_state_usage *ret_usage); /* [worker] */
} tr_state;

#ifdef __cplusplus
}
#endif

#endif
