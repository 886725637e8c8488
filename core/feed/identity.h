/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions about databases that are asked before a feed is opened: which incarnation is it,
 * where is its end now, has it changed since it was last read. Loop thread; each answer comes
 * once, never from within the call that asks, unless it is cancelled. `server` and the names
 * are only read by the call that asks.
 */
#ifndef FEED_IDENTITY_H
#define FEED_IDENTITY_H

#include "base/error.h"
#include "base/loop.h"
#include "http/client.h"
#include "http/url.h"

#include <stdbool.h>
#include <stdint.h>

enum identity_result {
    IDENTITY_KNOWN,  /* `text` is the answer, borrowed; no error                           */
    IDENTITY_GONE,   /* there is no such database (404, asked twice), or no such question  */
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

/* The position of `_db_updates` that is the end now, as raw JSON. IDENTITY_GONE: this server
 * has no such feed (400, 404, 405, 410, 501; asked once). */
struct question *identity_ask_updates_now(struct loop *loop, struct http_pool *pool,
                                          const struct url *server, identity_fn answer,
                                          void *ctx);

/* What the server knows of many databases, with one request: POST _dbs_info. `keys` is a raw
 * JSON array of up to 100 names; `text` is the raw JSON array of the answer, an entry a name in
 * the same order: {"key":…,"info":{…}} or {"key":…,"error":"not_found"}. IDENTITY_GONE: this
 * server has no such question, or not for so many names (statuses as above). */
struct question *identity_ask_infos(struct loop *loop, struct http_pool *pool,
                                    const struct url *server, tr_str keys, identity_fn answer,
                                    void *ctx);

/* What GET /db says of a database beside its incarnation. */
struct identity_facts {
    uint64_t token; /* hash_stable() of the raw update_seq: what is different has changed (what
                       is equal has not, where one_copy); 0: none                          */
    bool one_copy;  /* cluster.n is 1: whoever answers, it is the same copy that speaks    */
    bool empty;     /* no document is there, and none was deleted                          */
};

/* The facts in the answer to identity_ask(); NULL where nothing was said. Inside the callback
 * only. */
const struct identity_facts *question_facts(const struct question *question);

/* The same from a raw JSON object: the body of GET /db, or an `info` of _dbs_info. False: it is
 * not such information, and nothing is filled. `*ret_incarnation` is the time the database was
 * made, empty where the object has no real one (then only identity_ask() tells);
 * `*ret_update_seq` is raw JSON, empty where there is none. Slices of `info`; each may be NULL.
 */
bool identity_read_info(tr_str info, struct identity_facts *ret_facts, tr_str *ret_incarnation,
                        tr_str *ret_update_seq);

/* No answer will come. NULL is fine; a question that was answered is gone by itself. */
void question_cancel(struct question *question);

#endif
