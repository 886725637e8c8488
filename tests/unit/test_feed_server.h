/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server that answers as a test's script says, on the loop of the feed under test: so nothing
 * here runs beside it, and a test sees every request in order.
 */
#ifndef TEST_FEED_SERVER_H
#define TEST_FEED_SERVER_H

#include "base/buf.h"
#include "base/loop.h"
#include "base/mem.h"
#include "http/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum then {
    THEN_KEEP,  /* the answer is whole; the connection waits for the next request          */
    THEN_STAY,  /* more comes by server_push()                                             */
    THEN_CLOSE, /* FIN                                                                     */
    THEN_RESET  /* RST                                                                     */
};

struct server;

struct peer {
    struct server *server;
    struct list link;
    struct watch watch;
    struct buf in, out;
    size_t sent;
    enum then then;
};

struct server {
    struct loop *loop;
    struct watch watch;
    uint16_t port;
    struct list peers;
    struct peer *live; /* the last one that was THEN_STAY                                  */
    struct buf log;    /* "GET /path\n" of each request                                    */
    struct buf body;   /* of the last request                                              */
    void *ctx;
    /* Appends an answer to `out`. */
    enum then (*script)(struct server *server, const char *method, const char *path,
                        struct buf *out);
};

static inline void peer_close(struct peer *peer)
{
    if (peer->server->live == peer)
        peer->server->live = NULL;
    loop_unwatch(peer->server->loop, &peer->watch);
    close(peer->watch.fd);
    list_remove(&peer->link);
    buf_fini(&peer->in);
    buf_fini(&peer->out);
    free(peer);
}

static inline void peer_end(struct peer *peer)
{
    struct linger hard = {.l_onoff = 1, .l_linger = 0};

    if (peer->then == THEN_RESET)
        setsockopt(peer->watch.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    if (peer->then == THEN_CLOSE || peer->then == THEN_RESET)
        peer_close(peer);
}

static inline void peer_flush(struct peer *peer)
{
    while (peer->sent < peer->out.len) {
        ssize_t n = send(peer->watch.fd, peer->out.ptr + peer->sent, peer->out.len - peer->sent,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0) {
            loop_rewatch(peer->server->loop, &peer->watch, EPOLLIN | EPOLLOUT);
            return;
        }
        peer->sent += (size_t)n;
    }
    buf_clear(&peer->out);
    peer->sent = 0;
    loop_rewatch(peer->server->loop, &peer->watch, EPOLLIN);
    peer_end(peer);
}

/* A whole request at the beginning of `in`: its length, or 0. */
static inline size_t request_length(struct peer *peer, size_t *ret_head)
{
    const char *end = peer->in.len ? strstr(peer->in.ptr, "\r\n\r\n") : NULL;
    const char *length = end ? strcasestr(peer->in.ptr, "content-length:") : NULL;
    size_t body = length && length < end ? (size_t)atol(length + 15) : 0;

    if (!end)
        return 0;
    *ret_head = (size_t)(end + 4 - peer->in.ptr);
    return *ret_head + body <= peer->in.len ? *ret_head + body : 0;
}

static inline void peer_ready(struct watch *watch, uint32_t events)
{
    struct peer *peer = list_entry(watch, struct peer, watch);
    struct server *server = peer->server;
    char method[16], path[2048];
    size_t head = 0, length;
    ssize_t n;

    if (events & EPOLLOUT)
        peer_flush(peer);
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        return;
    n = recv(watch->fd, buf_reserve(&peer->in, 65536), 65535, MSG_DONTWAIT);
    if (n <= 0) {
        peer_close(peer);
        return;
    }
    peer->in.len += (size_t)n;
    peer->in.ptr[peer->in.len] = '\0';
    length = request_length(peer, &head);
    if (length == 0)
        return;
    assert_int_equal(sscanf(peer->in.ptr, "%15s %2047s", method, path), 2);
    buf_addf(&server->log, "%s %s\n", method, path);
    buf_clear(&server->body);
    buf_add(&server->body, peer->in.ptr + head, length - head);
    buf_clear(&peer->in);
    peer->then = server->script(server, method, path, &peer->out);
    if (peer->then == THEN_STAY)
        server->live = peer;
    peer_flush(peer);
}

static inline void server_accept(struct watch *watch, uint32_t events)
{
    struct server *server = list_entry(watch, struct server, watch);
    struct peer *peer = mem_new(struct peer);

    (void)events;
    peer->server = server;
    peer->watch = (struct watch){.fd = accept(watch->fd, NULL, NULL), .ready = peer_ready};
    assert_true(peer->watch.fd >= 0);
    list_push_back(&server->peers, &peer->link);
    assert_int_equal(loop_watch(server->loop, &peer->watch, EPOLLIN, NULL), 0);
}

static inline void server_start(struct server *server, struct loop *loop)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    *server = (struct server){.loop = loop};
    list_init(&server->peers);
    buf_add_c(&server->log, "");
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    server->port = ntohs(address.sin_port);
    server->watch = (struct watch){.fd = fd, .ready = server_accept};
    assert_int_equal(loop_watch(loop, &server->watch, EPOLLIN, NULL), 0);
}

static inline void server_stop(struct server *server)
{
    list_each_safe (it, &server->peers)
        peer_close(list_entry(it, struct peer, link));
    loop_unwatch(server->loop, &server->watch);
    close(server->watch.fd);
    buf_fini(&server->log);
    buf_fini(&server->body);
}

/* Where it is, for a user such as "name@" or nobody; what `url` was before is freed. */
static inline void server_url(const struct server *server, const char *user, struct url *url)
{
    char text[64];

    url_fini(url);
    snprintf(text, sizeof(text), "http://%s127.0.0.1:%u", user, server->port);
    assert_int_equal(url_parse(str_c(text), url, NULL), 0);
}

/* The number behind such as "limit=" in what was asked; 0: there is none. */
static inline int number_behind(const char *text, const char *name)
{
    const char *at = strstr(text, name);

    return at ? atoi(at + strlen(name)) : 0;
}

/* ---- answers ---- */

static inline enum then answer(struct buf *out, int status, const char *headers,
                               const char *body)
{
    buf_addf(out,
             "HTTP/1.1 %d X\r\nContent-Type: application/json\r\n%sContent-Length: %zu\r\n"
             "\r\n%s",
             status, headers, strlen(body), body);
    return THEN_KEEP;
}

static inline void begin_chunks(struct buf *out)
{
    buf_add_c(out, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
}

static inline void add_chunk(struct buf *out, const char *text)
{
    buf_addf(out, "%zx\r\n%s\r\n", strlen(text), text);
}

static inline void end_chunks(struct buf *out)
{
    buf_add_c(out, "0\r\n\r\n");
}

/* More of a live answer. */
static inline void server_push(struct server *server, const char *text)
{
    assert_non_null(server->live);
    add_chunk(&server->live->out, text);
    peer_flush(server->live);
}

/* The end of it. */
static inline void server_end_live(struct server *server, enum then then)
{
    struct peer *peer = server->live;

    assert_non_null(peer);
    server->live = NULL;
    if (then == THEN_KEEP)
        end_chunks(&peer->out);
    peer->then = then;
    peer_flush(peer);
}

#endif
