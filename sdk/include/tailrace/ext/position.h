/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tr.position/1, offered by a plugin: it is told where the rule stands on a stream, for books
 * of its own, such as the `_local` documents of a replication.
 *
 * A plugin cannot know that by its batches: with several of them in flight a later change may
 * be settled before an earlier one was sent, and changes that the rule leaves out it never
 * sees.
 */
#ifndef TAILRACE_EXT_POSITION_H
#define TAILRACE_EXT_POSITION_H

#include <tailrace/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TR_EXT_POSITION "tr.position/1"

/* A position on a stream; the names are those of tr_batch. */
typedef struct tr_place {
    uint32_t size;
    tr_str source, db, stream;
    tr_str seq; /* raw JSON, opaque: a reader of the feed goes on behind it                 */
} tr_place;

typedef struct tr_position {
    uint32_t size;

    /* All up to this position is settled, and the host's checkpoint that says so is durable:
     * what the plugin writes of it is never ahead of that. The last call of a stream counts;
     * they come about as often as the rule's commit.interval, and all of them before flush().
     *                                                                           [worker] */
    void (*settled)(tr_self *self, const tr_place *place);
} tr_position;

#ifdef __cplusplus
}
#endif

#endif
