/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client under test and the server that it asks, on one loop: what the fixture of every
 * test of a feed from a server begins with.
 */
#ifndef TEST_FEED_ENDS_H
#define TEST_FEED_ENDS_H

#include "http/client.h"

#include "test_feed_server.h"

/* Storage of the caller. */
struct ends {
    struct loop *loop;
    struct http *http;
    struct http_pool *pool;
    struct server server;
    struct url url; /* of the server                                                       */
};

static inline void ends_open(struct ends *ends,
                             enum then (*script)(struct server *server, const char *method,
                                                 const char *path, struct buf *out),
                             void *ctx)
{
    *ends = (struct ends){0};
    assert_int_equal(loop_new(&ends->loop, NULL), 0);
    assert_int_equal(http_new(ends->loop, "test", &ends->http, NULL), 0);
    assert_int_equal(http_pool_new(ends->http, &(struct http_options){0}, &ends->pool, NULL),
                     0);
    server_start(&ends->server, ends->loop);
    ends->server.script = script;
    ends->server.ctx = ctx;
    server_url(&ends->server, "", &ends->url);
}

/* The feed is freed before. */
static inline void ends_close(struct ends *ends)
{
    http_pool_free(ends->pool);
    http_free(ends->http);
    server_stop(&ends->server);
    url_fini(&ends->url);
    loop_free(ends->loop);
}

static inline bool asked(const struct ends *ends, const char *what)
{
    return strstr(ends->server.log.ptr, what) != NULL;
}

#endif
