/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcurl's sockets and timer on the loop.
 *
 * Between two requests on a kept-alive connection libcurl says "no longer interested" and then
 * "interested" again. Our own sockets stay registered meanwhile, which saves two system calls a
 * request; if one does become readable while idle, it is taken off then.
 *
 * CouchDB sends a feed row by row, and to wake up and read for each row costs more than all
 * that is done with it. So while an answer flows the kernel is told to say nothing of its
 * socket before there is a lot to read (SO_RCVLOWAT), or its other end has closed; a timer ends
 * that in time for what trickles (gather_ms of the call). The wait grows by a millisecond from
 * read to read and is never much longer than the time that the bytes before took: what comes
 * after a silence, a lone change, waits for nothing, and the end of a short answer hardly.
 * Loop thread.
 */
#include "http/pool.h"

#include "base/mem.h"
#include "http/address.h"

#include <sys/epoll.h>
#include <unistd.h>

enum {
    GATHERED_ENOUGH = 256 * 1024, /* bytes that are read without waiting for more; the kernel
                                     makes room for twice as many                        */
    AGAIN_MS = 50
};

struct http_socket {
    struct watch watch;
    struct http *http;
    struct http_pool *pool;
    uint32_t registered; /* with epoll; 0: not at all                                      */
    uint32_t wanted;     /* by libcurl                                                     */
    bool ours;           /* we opened it, and so we will hear of its end                   */
    uint32_t gather_ms;  /* of the call that reads it                                      */
    int64_t read_ms;     /* when it was read last; 0: not in this call                     */
    struct timer gather; /* set: the kernel waits for GATHERED_ENOUGH, until then          */
};

/* ---- gathering ---- */

/* From how many bytes on the socket counts as readable. */
static int speak_from(const struct http_socket *socket, int bytes)
{
    return setsockopt(socket->watch.fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof(bytes));
}

/* Of a socket that could not be told so nothing would be heard: it is told again. */
static void speak_at_once(struct http_socket *socket)
{
    if (speak_from(socket, 1) < 0)
        loop_set_timer(socket->http->loop, &socket->gather, AGAIN_MS);
}

static void gather_end(struct http_socket *socket)
{
    if (!timer_is_set(&socket->gather))
        return;
    loop_clear_timer(socket->http->loop, &socket->gather);
    speak_at_once(socket);
}

/* What has come meanwhile shows in the next turn of the loop. */
static void gather_due(struct timer *timer)
{
    speak_at_once(list_entry(timer, struct http_socket, gather));
}

/* It was read; the time before was `before_ms`. */
static void gather_more(struct http_socket *socket, int64_t before_ms)
{
    int64_t gap = socket->read_ms - before_ms, wait = gap + 1;

    if (socket->gather_ms == 0 || socket->wanted != EPOLLIN || socket->read_ms == 0 ||
        gap > 2 * (int64_t)socket->gather_ms || speak_from(socket, GATHERED_ENOUGH) < 0)
        return;
    socket->gather.fire = gather_due;
    loop_set_timer(socket->http->loop, &socket->gather,
                   wait < socket->gather_ms ? wait : socket->gather_ms);
}

/* ---- libcurl's turn ---- */

static void act(struct http_pool *pool, curl_socket_t fd, int mask)
{
    CURLMcode code;
    int running;

    pool->in_curl = true;
    code = curl_multi_socket_action(pool->multi, fd, mask, &running);
    pool->in_curl = false;
    http_pool_settle(pool);
    if (code != CURLM_OK)
        http_pool_abandon(pool, curl_multi_strerror(code));
}

/* ---- sockets ---- */

static void socket_act(struct http_socket *socket, int mask)
{
    struct http *http = socket->http;
    int fd = socket->watch.fd;
    int64_t before_ms = socket->read_ms;

    if (mask & CURL_CSELECT_IN)
        socket->read_ms = loop_now(http->loop);
    gather_end(socket); /* libcurl asks poll() whether there is more                       */
    act(socket->pool, fd, mask);
    if ((size_t)fd < http->sockets_len && http->sockets[fd] == socket)
        gather_more(socket, before_ms);
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
    if (events & (EPOLLIN | EPOLLHUP))
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

static void socket_unwatch(struct http_socket *socket)
{
    if (socket->registered)
        loop_unwatch(socket->http->loop, &socket->watch);
    socket->registered = 0;
}

static void socket_forget(struct http *http, int fd)
{
    struct http_socket *socket;

    if ((size_t)fd >= http->sockets_len || !http->sockets[fd])
        return;
    socket = http->sockets[fd];
    socket_unwatch(socket);
    loop_clear_timer(http->loop, &socket->gather);
    free(socket);
    http->sockets[fd] = NULL;
}

static int socket_want(struct http_socket *socket, uint32_t events)
{
    struct loop *loop = socket->http->loop;

    socket->wanted = events;
    gather_end(socket);
    if (events == socket->registered)
        return 0;
    if ((socket->registered ? loop_rewatch(loop, &socket->watch, events)
                            : loop_watch(loop, &socket->watch, events, NULL)) < 0)
        return -1;
    socket->registered = events;
    return 0;
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
        if (socket->wanted == EPOLLOUT) /* a connect that is given up closes without a word  */
            socket_unwatch(socket);
        socket->wanted = 0;
        socket->read_ms = 0;
        gather_end(socket);
    } else if (what == CURL_POLL_REMOVE) {
        socket_forget(pool->http, fd); /* libcurl's own may be closed without a word       */
    } else if (socket_want(socket, (what & CURL_POLL_IN ? (uint32_t)EPOLLIN : 0) |
                                       (what & CURL_POLL_OUT ? (uint32_t)EPOLLOUT : 0)) < 0 &&
               slot) {
        http_slot_abandon(slot, "the kernel watches no more sockets");
    }
    return 0;
}

static void timer_fired(struct timer *timer)
{
    act(list_entry(timer, struct http_pool, timer), CURL_SOCKET_TIMEOUT, 0);
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

void http_sockets_forget(const struct http_pool *pool)
{
    struct http *http = pool->http;

    for (size_t i = 0; i < http->sockets_len; i++)
        if (http->sockets[i] && http->sockets[i]->pool == pool)
            socket_forget(http, (int)i);
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
    struct http *http = slot->pool->http;
    struct http_socket *own;
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
    socket_forget(http, fd);
    own = socket_get(http, fd);
    own->pool = slot->pool;
    own->ours = true;
    return fd;
}

int http_socket_close(void *data, curl_socket_t fd)
{
    socket_forget(data, fd);
    return close(fd);
}
