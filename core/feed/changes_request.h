/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The requests of a changes feed: what is asked for, as URL and body. Called by changes.c on
 * the loop thread; how `since` and the heartbeat are written, by updates.c too.
 */
#ifndef FEED_CHANGES_REQUEST_H
#define FEED_CHANGES_REQUEST_H

#include "feed/feed.h"

enum { CHANGES_HEARTBEAT_MS = 30000, CHANGES_PAGE_ROWS = 10000 };

struct changes_request {
    struct buf url;
    struct buf body; /* empty: GET                                                         */
};

/* `live`: the continuous feed, else one page. `since`: raw JSON. What was in `request` is
 * replaced. */
void changes_request_write(struct changes_request *request, const struct feed_query *query,
                           const struct url *server, tr_str db, tr_str since, bool live);
void changes_request_fini(struct changes_request *request);

/* Appends a raw seq as the value of `since`. Seqs are opaque: a string goes back without its
 * quotes, as CouchDB wants it; a number, array or object as the JSON that it was. */
void changes_write_since(struct buf *out, tr_str since);

/* The query with its zeros replaced by what they stand for. */
struct feed_query changes_query_complete(const struct feed_query *query);

#endif
