/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions about a database that are asked before its feed is opened: which incarnation is it,
 * and where is its end now. Loop thread; each answer comes once, never from within the call
 * that asks, unless it is cancelled. `server` and `db` are only read by the call that asks.
 */
#ifndef FEED_IDENTITY_H
#define FEED_IDENTITY_H

#include "base/error.h"
#include "base/loop.h"
#include "http/client.h"
#include "http/url.h"

enum identity_result {
    IDENTITY_KNOWN,  /* `text` is the answer, borrowed; no error                           */
    IDENTITY_GONE,   /* there is no such database (404, asked twice)                       */
    IDENTITY_DENIED, /* 401 or 403, or no password is known                                */
    IDENTITY_LATER   /* no proper answer now: ask again after a backoff                    */
};

struct question;

/* `error` says why when the result is not IDENTITY_KNOWN. May ask the next question. */
typedef void (*identity_fn)(void *ctx, enum identity_result result, tr_str text,
                            const struct error *error);

/* The incarnation: instance_start_time of GET /db where the server gives a real one (seconds;
 * "0" is none, and milliseconds or less are when a server started, not when a database was
 * made), else the id in the document _local/tailrace-incarnation, written when it is not there
 * and may be written, else the empty string (identity unknown: the name alone). The text is 1
 * to 64 bytes of [A-Za-z0-9-], or empty. */
struct question *identity_ask(struct loop *loop, struct http_pool *pool,
                              const struct url *server, tr_str db, identity_fn answer,
                              void *ctx);

/* The position that `since=now` stands for, as raw JSON. */
struct question *identity_ask_now(struct loop *loop, struct http_pool *pool,
                                  const struct url *server, tr_str db, identity_fn answer,
                                  void *ctx);

/* All databases of a server: `text` is the raw JSON array of _all_dbs. */
struct question *identity_ask_names(struct loop *loop, struct http_pool *pool,
                                    const struct url *server, identity_fn answer, void *ctx);

/* No answer will come. NULL is fine; a question that was answered is gone by itself. */
void question_cancel(struct question *question);

#endif
