/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A feed: the rows of one database incarnation from a position on, for as long as it takes.
 *
 *     socket ──▶ http ──▶ frame (bytes to rows) ──▶ segments ──▶ rows()
 *
 * It reads pages until it has caught up and then, in FOLLOW mode, a continuous feed; it
 * reconnects by itself with backoff, watches for heartbeats that do not come, and asks before
 * each reconnect whether the database is still the same incarnation. It knows nothing of rules,
 * plugins or checkpoints. The loop thread owns it; all callbacks come there, never from within
 * feed_start(), feed_pause() or feed_resume(), and may free the feed.
 */
#ifndef FEED_FEED_H
#define FEED_FEED_H

#include "base/error.h"
#include "base/loop.h"
#include "feed/segment.h"
#include "http/client.h"
#include "http/url.h"

#include <stdbool.h>

struct feed;

enum feed_mode {
    FEED_ONCE,  /* to the end as it was seen there, then ended(FEED_COMPLETE)              */
    FEED_FOLLOW /* for ever                                                                */
};

enum feed_end {
    FEED_COMPLETE, /* ONCE: read to the end                                                */
    FEED_GONE,     /* the database is not there: 404, confirmed twice                      */
    FEED_REPLACED, /* another incarnation has its name now                                 */
    FEED_REFUSED   /* it can never work as asked: bad since, missing filter, bad selector;
                      `error` says what to change                                          */
};

enum feed_state {
    FEED_CONNECTING,
    FEED_CATCHING_UP, /* pages                                                             */
    FEED_LIVE,        /* continuous, or at the end of a file that is followed              */
    FEED_WAITING,     /* backing off; `error` in on_state says why                         */
    FEED_DENIED       /* 401 or 403: backing off too, for a person to mend                 */
};

/* After a 401 or 403 the first delay is so many times retry_min: a server may lock an account
 * after a few wrong passwords, as CouchDB 3.5 does. */
enum { FEED_DENIED_FACTOR = 40 };

struct feed_events {
    /* Rows in the order received, never empty. The segment is borrowed: segment_ref() it. */
    void (*rows)(void *ctx, struct segment *segment);
    /* Everything up to this position was delivered (the last_seq of an answer): it may lie
     * behind rows that a server-side filter left out. Borrowed. Also while paused. */
    void (*position)(void *ctx, tr_str seq);
    void (*state)(void *ctx, enum feed_state state, const struct error *error);
    /* Nothing follows; the feed may be freed here. */
    void (*ended)(void *ctx, enum feed_end end, const struct error *error);
};

/* What to read of a database. Strings are borrowed for the feed's life. A zero stands for the
 * default that is named. */
struct feed_query {
    bool include_docs;
    bool all_leaves;       /* style=all_docs                                                */
    bool conflicts;        /* with include_docs                                             */
    bool attachments;      /* with include_docs                                             */
    tr_str filter;         /* name of a server-side filter ("design/name"), or empty        */
    tr_str filter_params;  /* further query parameters, encoded, "a=1&b=2"                  */
    tr_str doc_ids;        /* raw JSON array, or empty: POST filter=_doc_ids                */
    tr_str selector;       /* raw JSON object, or empty: POST filter=_selector              */
    uint32_t seq_interval; /* while catching up; 0: a seq for each row                     */
    uint32_t page_rows;    /* rows of a page; 10,000                                       */
    uint32_t heartbeat_ms; /* a connection is dead after three without a byte; 30 s        */
    uint32_t read_size;    /* bytes at a time, see http_call.read_size; rows are given on at
                              the latest when so many of them wait                         */
    size_t max_row;        /* a longer row is delivered with FEED_ROW_CUT; 64 MB           */
};

struct feed_options {
    struct loop *loop;
    enum feed_mode mode;
    tr_str since; /* raw JSON, copied; "0" (also when empty) is the beginning              */
    int64_t retry_min_ms, retry_max_ms; /* backoff with full jitter; 0: 250 ms, and
                                           no growth                                       */
    const struct feed_events *events;
    void *ctx;
};

/* A database's `_changes`. `incarnation` is what identity_ask() said, compared before each
 * reconnect; empty: it is unknown, and never compared. Pool, server and strings are borrowed
 * for the feed's life. Nothing happens before feed_start(). */
struct feed *feed_changes_new(const struct feed_options *options,
                              const struct feed_query *query, struct http_pool *pool,
                              const struct url *server, tr_str db, tr_str incarnation);

/* A file of rows, one a line (NDJSON), or "-" for stdin. Lines that are documents and not rows
 * ({"_id":…} without "changes") are taken as rows with that document. The position is the byte
 * offset behind a row, as a JSON number, and that is also the row's `seq` whatever its line
 * says; stdin and pipes start at their beginning whatever `since` says. FOLLOW waits at the end
 * of a file for more; a file that shrank or was replaced is FEED_REPLACED, one that is not
 * there FEED_GONE. A line that is neither row nor document is FEED_REFUSED, behind all rows
 * before it.
 */
struct feed *feed_file_new(const struct feed_options *options, const char *path,
                           size_t max_row);

void feed_start(struct feed *feed);

/* Back-pressure: reading stops, also at the socket, and goes on where it was. rows() may still
 * be called once with what had been read when feed_pause() was called from outside of rows().
 */
void feed_pause(struct feed *feed);
void feed_resume(struct feed *feed);

/* Rows that wait to be read by what the server last said, for status; 0 where it says nothing,
 * and once the feed is live. */
int64_t feed_pending(const struct feed *feed);

/* Ends it at once, without ended(). NULL is fine. */
void feed_free(struct feed *feed);

#endif
