/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The updates feed: which databases of a server were created, written or deleted, from one
 * continuous `_db_updates`.
 *
 *     socket ──▶ http ──▶ lines ──▶ changed(db, type)
 *
 * It is a hint where to look, not the truth: a server keeps one row for each type and database
 * only, may send them out of order, up to a second late, and some that are older than `since`.
 * It reconnects by itself, behind the last whole row, so that nothing that happened between is
 * missed; where that cannot be (the feed of the server was made anew) it says UPDATES_WAITING
 * and begins at now, and whoever wants to be sure looks at every database when it is
 * UPDATES_LIVE again. The loop thread owns it; all callbacks come there, never from within
 * updates_new() or updates_start(), and may free it.
 */
#ifndef FEED_UPDATES_H
#define FEED_UPDATES_H

#include "base/error.h"
#include "base/loop.h"
#include "http/client.h"
#include "http/url.h"

struct updates;

enum updates_type { UPDATES_CREATED, UPDATES_UPDATED, UPDATES_DELETED };

enum updates_state {
    UPDATES_CONNECTING,
    UPDATES_LIVE,       /* the server answers: rows come as databases change                */
    UPDATES_WAITING,    /* lost: tried again after a backoff; `error` says why              */
    UPDATES_UNAVAILABLE /* this server or user has none (401, 403, 404, 405, 501 and the
                           like): tried again every retry_max                              */
};

struct updates_events {
    /* `db` is the name as it is, decoded, and valid during the call. `_dbs` never comes. */
    void (*changed)(void *ctx, tr_str db, enum updates_type type);
    /* `error` is NULL when CONNECTING or LIVE, and borrowed. */
    void (*state)(void *ctx, enum updates_state state, const struct error *error);
};

struct updates_options {
    struct loop *loop;
    tr_str since;          /* raw JSON seq of this server, copied; empty: now              */
    uint32_t heartbeat_ms; /* a connection is dead after three without a byte; 0: 30 s     */
    int64_t retry_min_ms, retry_max_ms;  /* backoff with full jitter; 0: 250 ms, and
                                            no growth                                       */
    const struct updates_events *events; /* borrowed                                       */
    void *ctx;
};

/* Pool and server are borrowed for the feed's life; it takes one connection of the pool for
 * ever. Nothing happens before updates_start(). */
struct updates *updates_new(const struct updates_options *options, struct http_pool *pool,
                            const struct url *server);

void updates_start(struct updates *updates);

/* Raw JSON: behind the last row that was handed out whole, or the closing of an answer. Empty:
 * unknown yet. Valid until the next turn of the loop. */
tr_str updates_position(const struct updates *updates);

/* Ends it at once, without a further callback. NULL is fine. */
void updates_free(struct updates *updates);

#endif
