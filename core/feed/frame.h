/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Framing: the bytes of a `_changes` answer in, segments of whole rows out.
 *
 *     normal       {"results":[  row ,  row ,  …  ],"last_seq":…,"pending":…}
 *     continuous   row LF  row LF  LF (a heartbeat)  …  {"last_seq":…,"pending":…} LF
 *
 * Which of the two it is shows in the first bytes. White space and line ends may stand anywhere
 * between tokens, and the bytes may be cut anywhere. Only the JSON says that something is
 * whole: a row when its closing brace was read, an answer when its closing last_seq was read
 * and the object closed; how the transport ended means nothing here.
 *
 * Every byte is copied once. A row that lies whole in what came is scanned once; one that comes
 * in pieces three times at most, however many the pieces.
 *
 * Called by changes.c on the loop thread. Storage of the caller.
 */
#ifndef FEED_FRAME_H
#define FEED_FRAME_H

#include "base/buf.h"
#include "base/error.h"
#include "feed/build.h"
#include "json/skip.h"

enum frame_result {
    FRAME_MORE,   /* so far so good                                                        */
    FRAME_CLOSED, /* the answer is whole; what may follow is not looked at                 */
    FRAME_ERROR, /* {"error":…,"reason":…} stood in place of a row                        */
    FRAME_JUNK   /* not a `_changes` answer                                               */
};

struct frame {
    /* Where it stands, as JSON: behind the last row that frame_cut() gave, or the answer's
     * last_seq after that. */
    struct buf position;
    struct buf last_seq; /* of the closing; empty before it                                */
    int64_t pending; /* of the closing; -1: it said nothing                                */
    uint64_t rows;   /* whole rows since frame_begin()                                     */

    /* Of frame.c. */
    size_t max_row;
    bool hold;
    int place;           /* in the answer, enum place                                      */
    struct chunk *chunk; /* what lies in it from `at` on is not taken yet                  */
    size_t at;
    size_t line_end; /* the first LF at or behind `at`, once searched for            */
    bool line_known; /* line_end was searched for in all bytes                       */
    bool split;      /* the row at `at` is not whole: `skip` went over it to `seen`  */
    bool cutting;    /* it is too long, too: `chunk` is its head, the rest is skipped */
    size_t seen;
    struct json_skip skip;
    uint32_t stray;       /* heartbeats in the middle of a row, one after the other       */
    struct segment *open; /* whole rows that wait for frame_cut()                         */
    uint32_t known;       /* how many of them are followed by a known position            */
    uint32_t room;        /* rows of a segment, by experience                             */
    size_t flow;          /* and their bytes                                              */
};

/* `since`: where the first answer will begin, raw JSON, copied. Rows longer than max_row are
 * cut (FEED_ROW_CUT). */
void frame_init(struct frame *frame, tr_str since, size_t max_row);
void frame_fini(struct frame *frame);

/*
 * Another answer begins, at `position`. Rows of the answer before that were not cut yet go
 * away: they will be read again.
 *
 * `hold`: a row whose seq is null waits until a position behind it is known, from a row behind
 * it or the closing, so that every segment ends where a read can begin anew. Without, and when
 * too many bytes would wait, it is given out as it comes, and the position stays where it was.
 */
void frame_begin(struct frame *frame, bool hold);

/* Takes bytes of the answer. After a result other than FRAME_MORE it takes no more and repeats
 * it. FRAME_ERROR and FRAME_JUNK fill `error`, the first time. */
enum frame_result frame_take(struct frame *frame, tr_str bytes, struct error *error);

/* The rows that can be given out now, with a reference for the caller, or NULL. Moves
 * `position`. Call it after each frame_take(). */
struct segment *frame_cut(struct frame *frame);

#endif
