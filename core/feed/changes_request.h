/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The requests of a changes feed: what is asked for, as URL and body. Called by changes.c on
 * the loop thread; how `since` and the heartbeat are written, by updates.c too.
 */
#ifndef FEED_CHANGES_REQUEST_H
#define FEED_CHANGES_REQUEST_H

#include "feed/feed.h"
#include "http/client.h"

enum { CHANGES_HEARTBEAT_MS = 30000, CHANGES_PAGE_ROWS = 10000 };

struct changes_request {
    struct buf url;
    struct buf body; /* empty: GET                                                         */
    struct http_header header;
};

/* `live`: the continuous feed, else one page. `since`: raw JSON. What was in `request` is
 * replaced. */
void changes_request_write(struct changes_request *request, const struct feed_query *query,
                           const struct url *server, tr_str db, tr_str since, bool live);

/* The call for it, with its deadlines and without its callbacks; borrows `request`. */
void changes_request_call(struct changes_request *request, const struct feed_query *query,
                          bool live, struct http_call *ret_call);
void changes_request_fini(struct changes_request *request);

/* Appends a raw seq as the value of `since`. Seqs are opaque: a string goes back without its
 * quotes, as CouchDB wants it; a number, array or object as the JSON that it was. */
void changes_write_since(struct buf *out, tr_str since);

/* Rows behind a page that said so many; -1: nobody knows. What the server says is of no use
 * under filters. */
int64_t changes_pending(const struct feed_query *query, int64_t said);

/* A page with so many rows was the last one. Rows alone are not enough where something else
 * bounds a page; a page without a row always is the end. */
bool changes_is_last_page(const struct feed_query *query, uint64_t rows, int64_t said);

/* The query with its zeros replaced by what they stand for. */
struct feed_query changes_query_complete(const struct feed_query *query);

#endif
