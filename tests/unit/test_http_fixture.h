/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the tests of http/: a loop, a client, a pool, a server, and calls that remember what
 * came.
 */
#ifndef TEST_HTTP_FIXTURE_H
#define TEST_HTTP_FIXTURE_H

#include "base/clock.h"
#include "http/client.h"
#include "test_http_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

struct fixture {
    struct loop *loop;
    struct http *http;
    struct http_pool *pool;
    struct server server;
    int done; /* calls that are over                                                       */
};

/* A call and what became of it. */
struct probe {
    struct http_call call;
    struct fixture *fixture;
    char url[256];
    int heads, dones, status;
    enum http_end end;
    char error[512];
    int64_t retry_after_ms;
    bool body_cut;
    struct buf body;
    int pause_every; /* pause at each n-th piece                                           */
    int pieces;
    bool cancel_in_head, cancel_in_data;
};

static inline void fixture_begin(struct fixture *f, void (*answer)(struct request *),
                                 struct http_options options)
{
    *f = (struct fixture){0};
    server_start(&f->server, answer);
    assert_int_equal(loop_new(&f->loop, NULL), 0);
    assert_int_equal(http_new(f->loop, "tailrace/test", &f->http, NULL), 0);
    assert_int_equal(http_pool_new(f->http, &options, &f->pool, NULL), 0);
}

static inline void fixture_end(struct fixture *f)
{
    http_pool_free(f->pool);
    http_free(f->http);
    loop_free(f->loop);
    server_stop(&f->server);
}

static inline void probe_head(struct http_call *call, int status)
{
    struct probe *p = list_entry(call, struct probe, call);

    p->heads++;
    p->status = status;
    if (p->cancel_in_head)
        http_cancel(call);
}

static inline int probe_data(struct http_call *call, tr_str bytes)
{
    struct probe *p = list_entry(call, struct probe, call);

    assert_int_equal(p->heads, 1);
    buf_add_str(&p->body, bytes);
    if (p->cancel_in_data)
        http_cancel(call);
    return p->pause_every && ++p->pieces % p->pause_every == 0 ? HTTP_PAUSE : 0;
}

static inline void probe_done(struct http_call *call, const struct http_result *result)
{
    struct probe *p = list_entry(call, struct probe, call);

    p->dones++;
    p->status = result->status;
    p->end = result->end;
    p->retry_after_ms = result->retry_after_ms;
    p->body_cut = result->body_cut;
    snprintf(p->error, sizeof(p->error), "%s", result->error);
    if (!call->on_data)
        buf_add_str(&p->body, result->body);
    p->fixture->done++;
}

/* Fills a call to the fixture's server that streams its body. */
static inline struct probe *probe_new(struct fixture *f, const char *path)
{
    struct probe *p = mem_new(struct probe);

    p->fixture = f;
    snprintf(p->url, sizeof(p->url), "http://127.0.0.1:%d%s", f->server.port, path);
    p->call = (struct http_call){
        .url = p->url, .on_head = probe_head, .on_data = probe_data, .on_done = probe_done};
    return p;
}

static inline void probe_free(struct probe *p)
{
    buf_fini(&p->body);
    free(p);
}

static inline void probe_start(struct probe *p)
{
    struct error error = {0};

    if (http_start(p->fixture->pool, &p->call, &error) < 0)
        fail_msg("%s", error.text);
}

/* Turns the loop until so many calls are over. */
static inline void run_until(struct fixture *f, int done)
{
    int64_t end = clock_ms() + 20000;

    while (f->done < done && clock_ms() < end)
        loop_turn(f->loop, 50);
    assert_int_equal(f->done, done);
}

static inline void run_for(struct fixture *f, int turns)
{
    for (int i = 0; i < turns; i++)
        loop_turn(f->loop, 5);
}

#endif
