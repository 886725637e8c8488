/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcurl's sockets and timer on the loop.
 *
 * Between two requests on a kept-alive connection libcurl says "no longer interested" and then
 * "interested" again. Our own sockets stay registered meanwhile, which saves two system calls a
 * request; if one does become readable while idle, it is taken off then.
 *
 * CouchDB sends a feed row by row, and a read for each row costs more than all that is done
 * with it. So while a feed flows, and little of it is there, its socket is left alone for some
 * milliseconds and then read once (gather_ms of the call). Loop thread.
 */
#include "http/pool.h"

#include "base/mem.h"
#include "http/address.h"

#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    GATHERED_ENOUGH = 32 * 1024 /* bytes that are read without waiting for more          */
};

struct http_socket {
    struct watch watch;
    struct http *http;
    struct http_pool *pool;
    uint32_t registered; /* with epoll; 0: not at all                                      */
    uint32_t wanted;     /* by libcurl                                                     */
    bool ours;           /* we opened it, and so we will hear of its end                   */
    uint32_t gather_ms;  /* of the call that reads it                                      */
    int64_t read_ms;     /* when it was read last                                          */
    struct timer gather; /* set: it is left alone until then                               */
};

static void socket_want(struct http_socket *socket, uint32_t events);

static void socket_act(struct http_socket *socket, int mask)
{
    struct http_pool *pool = socket->pool;
    int running;

    socket->read_ms = loop_now(socket->http->loop);
    pool->in_curl = true;
    curl_multi_socket_action(pool->multi, socket->watch.fd, mask, &running);
    pool->in_curl = false;
    http_pool_settle(pool);
}

static void gathered(struct timer *timer)
{
    struct http_socket *socket = list_entry(timer, struct http_socket, gather);

    socket_want(socket, socket->wanted);
    if (socket->wanted & EPOLLIN)
        socket_act(socket, CURL_CSELECT_IN);
}

/* Whether to wait for more: it flows, and there is not much to read yet. */
static bool must_gather(const struct http_socket *socket, uint32_t events)
{
    int there = 0;

    if (socket->gather_ms == 0 || events != EPOLLIN || socket->wanted != EPOLLIN ||
        loop_now(socket->http->loop) - socket->read_ms > 2 * (int64_t)socket->gather_ms)
        return false;
    return ioctl(socket->watch.fd, FIONREAD, &there) == 0 && there > 0 &&
           there < GATHERED_ENOUGH;
}

static void gather(struct http_socket *socket)
{
    struct loop *loop = socket->http->loop;

    /* Still watched for its end: a server that is gone is worth no wait. */
    (void)loop_rewatch(loop, &socket->watch, EPOLLRDHUP);
    socket->registered = EPOLLRDHUP;
    socket->gather.fire = gathered;
    loop_set_timer(loop, &socket->gather, socket->gather_ms);
}

static void socket_ready(struct watch *watch, uint32_t events)
{
    struct http_socket *socket = list_entry(watch, struct http_socket, watch);
    int mask = 0;

    if (socket->wanted == 0) {
        loop_unwatch(socket->http->loop, watch);
        socket->registered = 0;
        return;
    }
    if (must_gather(socket, events)) {
        gather(socket);
        return;
    }
    socket_want(socket, socket->wanted);
    if (events & (EPOLLIN | EPOLLHUP | EPOLLRDHUP))
        mask |= CURL_CSELECT_IN;
    if (events & EPOLLOUT)
        mask |= CURL_CSELECT_OUT;
    if (events & EPOLLERR)
        mask |= CURL_CSELECT_ERR;
    socket_act(socket, mask);
}

static struct http_socket *socket_get(struct http *http, int fd)
{
    size_t place = (size_t)fd;

    if (place >= http->sockets_len) {
        size_t len = http->sockets_len ? http->sockets_len : 64;
        while (len <= place)
            len *= 2;
        http->sockets = mem_resize(http->sockets, len * sizeof(*http->sockets));
        memset(http->sockets + http->sockets_len, 0,
               (len - http->sockets_len) * sizeof(*http->sockets));
        http->sockets_len = len;
    }
    if (!http->sockets[place]) {
        struct http_socket *socket = mem_new(struct http_socket);
        socket->http = http;
        socket->watch = (struct watch){.fd = fd, .ready = socket_ready};
        http->sockets[place] = socket;
    }
    return http->sockets[place];
}

static void socket_forget(struct http *http, int fd)
{
    struct http_socket *socket;

    if ((size_t)fd >= http->sockets_len || !http->sockets[fd])
        return;
    socket = http->sockets[fd];
    if (socket->registered)
        loop_unwatch(http->loop, &socket->watch);
    loop_clear_timer(http->loop, &socket->gather);
    free(socket);
    http->sockets[fd] = NULL;
}

static void socket_want(struct http_socket *socket, uint32_t events)
{
    struct loop *loop = socket->http->loop;

    socket->wanted = events;
    loop_clear_timer(loop, &socket->gather);
    if (events == socket->registered)
        return;
    if (socket->registered)
        (void)loop_rewatch(loop, &socket->watch, events);
    else if (loop_watch(loop, &socket->watch, events, NULL) < 0)
        return; /* the deadlines of the call end it                                        */
    socket->registered = events;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *data, void *unused)
{
    struct http_pool *pool = data;
    struct http_socket *socket = socket_get(pool->http, fd);
    struct http_slot *slot = NULL;

    (void)unused;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&slot);
    socket->gather_ms = slot && slot->call ? slot->call->gather_ms : 0;
    socket->pool = pool;
    if (what == CURL_POLL_REMOVE && socket->ours) {
        socket->wanted = 0;
        loop_clear_timer(pool->http->loop, &socket->gather);
    } else if (what == CURL_POLL_REMOVE) {
        socket_forget(pool->http, fd); /* libcurl's own may be closed without a word       */
    } else {
        socket_want(socket, (what & CURL_POLL_IN ? (uint32_t)EPOLLIN : 0) |
                                (what & CURL_POLL_OUT ? (uint32_t)EPOLLOUT : 0));
    }
    return 0;
}

static void timer_fired(struct timer *timer)
{
    struct http_pool *pool = list_entry(timer, struct http_pool, timer);
    int running;

    pool->in_curl = true;
    curl_multi_socket_action(pool->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    pool->in_curl = false;
    http_pool_settle(pool);
}

static int on_timer(CURLM *multi, long after_ms, void *data)
{
    struct http_pool *pool = data;

    (void)multi;
    if (after_ms < 0)
        loop_clear_timer(pool->http->loop, &pool->timer);
    else
        loop_set_timer(pool->http->loop, &pool->timer, after_ms);
    return 0;
}

void http_sockets_attach(struct http_pool *pool)
{
    pool->timer.fire = timer_fired;
    curl_multi_setopt(pool->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(pool->multi, CURLMOPT_SOCKETDATA, pool);
    curl_multi_setopt(pool->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(pool->multi, CURLMOPT_TIMERDATA, pool);
}

void http_sockets_fini(struct http *http)
{
    for (size_t i = 0; i < http->sockets_len; i++)
        socket_forget(http, (int)i);
    free(http->sockets);
}

curl_socket_t http_socket_open(void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct http_slot *slot = data;
    enum address_kind kind = address_judge(&address->addr);
    int fd;

    (void)purpose;
    /* With a proxy it is the proxy that we connect to, and the operator named it. */
    if (kind == ADDRESS_LOCAL ||
        (kind == ADDRESS_PRIVATE && slot->pool->deny_private && !slot->pool->proxy[0])) {
        slot->refused = true;
        return CURL_SOCKET_BAD;
    }
    fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd < 0)
        return CURL_SOCKET_BAD;
    socket_forget(slot->pool->http, fd);
    socket_get(slot->pool->http, fd)->ours = true;
    return fd;
}

int http_socket_close(void *data, curl_socket_t fd)
{
    socket_forget(data, fd);
    return close(fd);
}
