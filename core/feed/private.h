/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the feeds have in common: the functions of each kind, and how their owner is called. An
 * owner may free the feed in any of its callbacks, so every way into a feed goes through
 * feed_enter() and feed_leave(), and the memory goes with the outermost of them.
 *
 *     feed.c        the face of the two kinds
 *     changes.c     a database of a server; changes_request.c  what it asks for
 *     apart.c       its pages while it is flooded; documents.c  the documents of one,
 *                   join.c  put in their places
 *     frame.c       bytes of an answer to rows; chunk.c  where these bytes lie
 *     file.c        lines of a file; file_row.c  lines to rows
 *     segment.c     rows that were read together, and what keeps their bytes
 *     identity*.c   is a database still the same incarnation?
 *     updates.c     which databases of a server change: no struct feed, it has no rows
 *
 * Used by feed.c, changes.c and file.c on the loop thread.
 */
#ifndef FEED_PRIVATE_H
#define FEED_PRIVATE_H

#include "feed/feed.h"

struct feed_kind {
    void (*start)(struct feed *feed);
    void (*pause)(struct feed *feed);
    void (*resume)(struct feed *feed);
    void (*stop)(struct feed *feed); /* nothing is under way any more; may come twice      */
    void (*free)(struct feed *feed); /* after stop                                         */
};

/* The first member of struct changes and struct file_feed. */
struct feed {
    const struct feed_kind *kind;
    struct loop *loop;
    enum feed_mode mode;
    int64_t retry_min_ms, retry_max_ms;
    const struct feed_events *events;
    void *ctx;

    uint32_t inside; /* depth of feed_enter()                                              */
    bool started, paused;
    bool over;       /* ended() was said: nothing follows                                    */
    bool freed;      /* feed_free() was called; the memory goes on the way out               */
    int state;       /* enum feed_state as it was said last, or -1                           */
    int64_t pending; /* see feed_pending(); below 0 is none                              */
};

void feed_init(struct feed *feed, const struct feed_kind *kind,
               const struct feed_options *options);

/* Whatever reads or writes the feed after a callback lies between these two, and asks
 * feed_is_done() before it goes on. */
void feed_enter(struct feed *feed);
void feed_leave(struct feed *feed);
static inline bool feed_is_done(const struct feed *feed)
{
    return feed->freed || feed->over;
}

/* Call the owner, unless the feed is done. The segment's reference is let go. */
void feed_say_rows(struct feed *feed, struct segment *segment);
void feed_say_position(struct feed *feed, tr_str seq);
void feed_say_end(struct feed *feed, enum feed_end end, const struct error *error);

/* Only when the state is another one or there is an error to tell. */
void feed_say_state(struct feed *feed, enum feed_state state, const struct error *error);

#endif
