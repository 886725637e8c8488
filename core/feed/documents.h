/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A page of rows whose documents are asked for apart, by several requests at once:
 *
 *     a page without ──▶ rows ──▶ groups ──▶ _bulk_get, all at once ──▶ the page with documents
 *
 * One answer is the work of one process of the server, which has its turn beside those of all
 * writers: with documents in it the feed falls behind a loader that takes all of the server.
 * Its rows alone cost little, and groups of documents are read by as many processes as there
 * are.
 *
 * What comes out is what the server would have sent with include_docs. Where that cannot be
 * had, since a document is not there any more, is large, or the server has no _bulk_get, the
 * page has to be read with its documents. Called by apart.c on the loop thread.
 */
#ifndef FEED_DOCUMENTS_H
#define FEED_DOCUMENTS_H

#include "feed/frame.h"
#include "http/client.h"
#include "http/url.h"

enum {
    DOCUMENTS_PAGE_ROWS = 2000 /* what a page may bring, at most                         */
};

enum documents_state {
    DOCUMENTS_BYTES, /* these are the next                                                 */
    DOCUMENTS_WAIT,  /* for `ready`                                                        */
    DOCUMENTS_END,   /* all was given                                                      */
    DOCUMENTS_FAILED /* see above                                                          */
};

/* There is more, or it has failed. Never from within one of the functions here; it may free the
 * documents. */
typedef void (*documents_ready_fn)(void *ctx);

struct documents;

/* For the page that follows `since`, raw JSON, copied. Pool, server and name are borrowed. */
struct documents *documents_new(struct http_pool *pool, const struct url *server, tr_str db,
                                tr_str since, documents_ready_fn ready, void *ctx);

/* Bytes of the page, as frame_take(). */
enum frame_result documents_take(struct documents *documents, tr_str bytes,
                                 struct error *error);

/* The page has come: asks for its documents. False: it is not whole. */
bool documents_ask(struct documents *documents);

/* What the page said, after that: its closing, and how many rows there were. `pending` below 0:
 * nothing. */
tr_str documents_last_seq(const struct documents *documents);
int64_t documents_pending(const struct documents *documents);
uint64_t documents_rows(const struct documents *documents);

/* Of the page with documents, `most` bytes or fewer. They live until the next call. */
enum documents_state documents_next(struct documents *documents, size_t most,
                                    tr_str *ret_bytes);

/* Nothing follows. NULL is fine. */
void documents_free(struct documents *documents);

#endif
