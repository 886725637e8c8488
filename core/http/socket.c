/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcurl's sockets and timer on the loop.
 *
 * Between two requests on a kept-alive connection libcurl says "no longer interested" and then
 * "interested" again. Our own sockets stay registered meanwhile, which saves two system calls a
 * request; if one does become readable while idle, it is taken off then. Loop thread.
 */
#include "http/pool.h"

#include "base/mem.h"
#include "http/address.h"

#include <sys/epoll.h>
#include <unistd.h>

struct http_socket {
    struct watch watch;
    struct http *http;
    struct http_pool *pool;
    uint32_t registered; /* with epoll; 0: not at all                                      */
    uint32_t wanted;     /* by libcurl                                                     */
    bool ours;           /* we opened it, and so we will hear of its end                   */
};

static void socket_ready(struct watch *watch, uint32_t events)
{
    struct http_socket *socket = list_entry(watch, struct http_socket, watch);
    struct http_pool *pool = socket->pool;
    int mask = 0, running;

    if (socket->wanted == 0) {
        loop_unwatch(socket->http->loop, watch);
        socket->registered = 0;
        return;
    }
    if (events & (EPOLLIN | EPOLLHUP | EPOLLRDHUP))
        mask |= CURL_CSELECT_IN;
    if (events & EPOLLOUT)
        mask |= CURL_CSELECT_OUT;
    if (events & EPOLLERR)
        mask |= CURL_CSELECT_ERR;
    pool->in_curl = true;
    curl_multi_socket_action(pool->multi, watch->fd, mask, &running);
    pool->in_curl = false;
    http_pool_settle(pool);
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
    free(socket);
    http->sockets[fd] = NULL;
}

static void socket_want(struct http_socket *socket, uint32_t events)
{
    struct loop *loop = socket->http->loop;

    socket->wanted = events;
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

    (void)easy;
    (void)unused;
    socket->pool = pool;
    if (what == CURL_POLL_REMOVE && socket->ours)
        socket->wanted = 0;
    else if (what == CURL_POLL_REMOVE)
        socket_forget(pool->http, fd); /* libcurl's own may be closed without a word       */
    else
        socket_want(socket, (what & CURL_POLL_IN ? (uint32_t)EPOLLIN : 0) |
                                (what & CURL_POLL_OUT ? (uint32_t)EPOLLOUT : 0));
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
