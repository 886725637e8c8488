/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tr.position/1: for plugins that keep a position of their own, as a replicator does in the
 * databases that it copies between.
 *
 * A plugin offers a tr_position through its get_ext(). Before the host reads a stream for an
 * instance it asks where to begin, and tells of what it has of its own; after each checkpoint
 * it tells how far all is settled. The host offers a tr_position_host by the same id, for
 * answers, and for a plugin that finds that what was settled is not there any more.
 *
 * Positions are seqs, raw JSON and opaque: one may be kept, given back and compared for being
 * the same bytes, and nothing else.
 */
#ifndef TAILRACE_EXT_POSITION_H
#define TAILRACE_EXT_POSITION_H

#include <tailrace/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TR_EXT_POSITION "tr.position/1"

/* A stream that is about to be read. Strings live until begin() returns. */
typedef struct tr_begin {
    uint32_t size;
    int32_t has_checkpoint; /* 1: `seq` is the host's checkpoint, or where someone asked the
                               rule to begin again; 0: where the rule says that it begins  */
    uint64_t question;      /* names it in the answer                                       */
    tr_str source, db;
    tr_str stream; /* names the database's incarnation, as tr_batch.stream                  */
    tr_str seq;    /* where the host would begin                                            */
    tr_str rule;   /* the rule's name                                                       */
} tr_begin;

/* A position on a stream; the names are those of tr_batch. */
typedef struct tr_place {
    uint32_t size;
    tr_str source, db, stream;
    tr_str seq; /* whoever reads the feed goes on behind it                                 */
} tr_place;

/* Offered by the plugin; a function that is NULL is not called. */
typedef struct tr_position {
    uint32_t size;

    /* Where to begin? tr_position_host.answer() says so, now or later, exactly once; until then
     * nothing of the stream is read. Asked between start() and stop(), for each stream when it
     * is taken up: of one of many databases each time that it has changed, so remember what was
     * found out.                                                                [worker] */
    void (*begin)(tr_self *self, const tr_begin *begin);

    /* All up to this place is settled, and the host's checkpoint that says so is durable: what
     * the plugin writes of it is never ahead of that. By its batches a plugin could not know:
     * with several in flight a later change may be settled before an earlier one, and what the
     * rule leaves out it never sees. The last call of a stream counts; they come about as often
     * as the rule's commit.interval, and all of them before flush().            [worker] */
    void (*settled)(tr_self *self, const tr_place *place);
} tr_position;

/* Offered by the host. */
typedef struct tr_position_host {
    uint32_t size;

    /* Begin at `seq` (copied); empty: where the host would. TR_ESTALE: nobody waits for it any
     * more. TR_EINVAL: it is not a JSON value, or null; the question stays open.   [any] */
    tr_status (*answer)(const tr_host *host, uint64_t question, tr_str seq);

    /* Have a stream begin again: what was settled of it is not in the sink any more. The host's
     * checkpoint becomes `seq` (copied), what it has of the stream for this rule is dropped,
     * and the stream is taken up anew: begin() asks, with that checkpoint. A batch that is in
     * hand is given back as always; its outcome counts for nothing. No settled() comes of the
     * reading before once this has returned. TR_EINVAL: `seq` is not a JSON value, or null, or
     * this is not the worker; TR_ESTALE: the instance ends. Since 1.2.          [worker] */
    tr_status (*again)(const tr_host *host, tr_str stream, tr_str seq);
} tr_position_host;

#ifdef __cplusplus
}
#endif

#endif
