/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages of a database that is flooded, read faster than by one answer after the other: the
 * documents are asked for apart from the rows (documents.h), and while they come, the next
 * page.
 *
 *     page ──▶ its documents ──▶ bytes, as with include_docs
 *        └──▶ next page ──▶ …
 *
 * What it says of trouble is only that there is some: whoever reads pages with documents from
 * the same place meets it too, or does not. Called by changes.c on the loop thread.
 */
#ifndef FEED_APART_H
#define FEED_APART_H

#include "feed/feed.h"

enum apart_state {
    APART_BYTES, /* these are the next, of a page                                          */
    APART_PAGE,  /* a page was given to its end                                            */
    APART_WAIT,  /* for `ready`                                                            */
    APART_FAILED /* there is no way to go on                                               */
};

/* There is more, or it has failed. Never from within one of the functions here; it may free
 * what it is called for. */
typedef void (*apart_ready_fn)(void *ctx);

struct apart;

/* Whether the query is one for which it works. */
bool apart_suits(const struct feed_query *query);

/* Pages that follow `since`, raw JSON, copied. The others are borrowed. Asks for the first. */
struct apart *apart_new(const struct feed_query *query, struct http_pool *pool,
                        const struct url *server, tr_str db, tr_str since, apart_ready_fn ready,
                        void *ctx);

/* `most` bytes or fewer. They live until the next call. */
enum apart_state apart_next(struct apart *apart, size_t most, tr_str *ret_bytes);

/* Another page is known to follow, and is on its way. */
bool apart_has_more(const struct apart *apart);

/* Behind the last page, beyond which it does not ask by itself: asks whether there is more. */
void apart_go_on(struct apart *apart);

/* Nothing follows. NULL is fine. */
void apart_free(struct apart *apart);

#endif
