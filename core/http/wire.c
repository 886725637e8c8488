/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wires. One is under a slot while a request is on it, else it is idle: in pool->wires, the
 * last used first, still watched, so that its end is heard of. Loop thread.
 *
 * A server may close an idle connection just as a request goes out. When not a byte of an
 * answer came on a connection that was used before, the request is sent once more, byte for
 * byte the same, on a new one.
 *
 * An answer belongs to the request that was sent last, for nothing in it says to which. So what
 * comes while nothing was asked ends a connection, also when it is only seen as the next
 * request is about to go out.
 */
#include "http/wire.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    READ_SIZE = 16384,
    IDLE_MAX_MS = 118000, /* what waits longer has mostly been closed by a firewall         */
};

struct http_wire {
    struct list link; /* pool->wires, while it is idle                                     */
    struct http_pool *pool;
    struct http_slot *slot;
    struct watch watch;
    tr_str origin; /* its own                                                              */
    bool used;     /* it carried a request before this one                                    */
    bool spoilt;   /* the request did not go out whole: no other may follow                 */
    bool is_dry;   /* the last read took all that there was                                 */
    int64_t idle_ms;
    uint64_t idle_turn; /* of the loop                                                      */
    size_t sent; /* bytes of the request                                                    */
    size_t received;
    struct http_framing framing;
};

/* ---- connections ---- */

static void wire_close(struct http_wire *wire)
{
    struct http_pool *pool = wire->pool;

    if (wire->slot)
        wire->slot->wire = NULL;
    else
        pool->wires_idle--;
    list_remove(&wire->link);
    loop_unwatch(pool->http->loop, &wire->watch);
    close(wire->watch.fd);
    http_framing_fini(&wire->framing);
    free((char *)(uintptr_t)wire->origin.ptr);
    free(wire);
}

void http_wire_drop(struct http_slot *slot)
{
    if (slot->wire)
        wire_close(slot->wire);
}

void http_wires_fini(struct http_pool *pool)
{
    list_each_safe (it, &pool->wires)
        wire_close(list_entry(it, struct http_wire, link));
}

/* The oldest idle ones go, so that with those in use there are never more than allowed. */
static void make_room(struct http_pool *pool)
{
    while (pool->wires_idle > 0 && pool->wires_idle + pool->running > pool->max_connections)
        wire_close(list_entry(pool->wires.prev, struct http_wire, link));
}

/* Whether the server has said nothing, not even that it closes, that was not read. Mostly the
 * loop knows: it was read dry in this turn, or the loop would have heard since. */
static bool is_silent(const struct http_wire *wire)
{
    char byte;

    if (wire->is_dry && loop_heard_since(wire->pool->http->loop, wire->idle_turn))
        return true;
    return recv(wire->watch.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

static struct http_wire *find_idle(struct http_pool *pool, tr_str origin)
{
    int64_t now = loop_now(pool->http->loop);

    list_each_safe (it, &pool->wires) {
        struct http_wire *wire = list_entry(it, struct http_wire, link);
        if (!str_eq(wire->origin, origin))
            continue;
        if (now - wire->idle_ms < IDLE_MAX_MS && is_silent(wire))
            return wire;
        wire_close(wire);
    }
    return NULL;
}

static void put_under(struct http_wire *wire, struct http_slot *slot)
{
    wire->slot = slot;
    slot->wire = wire;
    wire->sent = wire->received = 0;
    wire->spoilt = false;
    http_framing_reset(&wire->framing, slot->to_head);
}

static void make_idle(struct http_wire *wire)
{
    struct http_pool *pool = wire->pool;

    wire->slot->wire = NULL;
    wire->slot = NULL;
    wire->used = true;
    wire->idle_ms = loop_now(pool->http->loop);
    wire->idle_turn = loop_turn_number(pool->http->loop);
    list_push_front(&pool->wires, &wire->link);
    pool->wires_idle++;
}

/* ---- sending ---- */

static struct iovec part_of(tr_str bytes)
{
    return (struct iovec){.iov_base = (char *)(uintptr_t)bytes.ptr, .iov_len = bytes.len};
}

static ssize_t send_parts(int fd, tr_str head, tr_str body)
{
    struct iovec parts[] = {part_of(head), part_of(body)};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    int flags = MSG_NOSIGNAL | MSG_DONTWAIT;

    return body.len > 0 ? sendmsg(fd, &message, flags) : send(fd, head.ptr, head.len, flags);
}

/* As much as the socket takes. False: it is broken. */
static bool write_more(struct http_wire *wire)
{
    struct http_slot *slot = wire->slot;
    size_t head_len = slot->lines.len;
    tr_str head = str_from(buf_str(&slot->lines), wire->sent);
    tr_str body = str_from(slot->payload, wire->sent > head_len ? wire->sent - head_len : 0);
    ssize_t n = send_parts(wire->watch.fd, head, body);

    if (n >= 0) {
        wire->sent += (size_t)n;
        return true;
    }
    if (errno == EAGAIN || errno == EINTR)
        return true;
    slot->os_error = errno;
    return false;
}

static bool is_sent(const struct http_wire *wire)
{
    return wire->sent == wire->slot->lines.len + wire->slot->payload.len;
}

/* What is broken shows when the answer is read: there may be one, sent before the end. */
static void start_writing(struct http_wire *wire)
{
    if (!write_more(wire))
        wire->spoilt = true;
    else if (!is_sent(wire))
        (void)loop_rewatch(wire->pool->http->loop, &wire->watch, EPOLLIN | EPOLLOUT);
}

static void write_on(struct http_wire *wire)
{
    if (!write_more(wire))
        wire->spoilt = true;
    if (wire->spoilt || is_sent(wire))
        (void)loop_rewatch(wire->pool->http->loop, &wire->watch, EPOLLIN);
}

bool http_wire_send(struct http_slot *slot)
{
    struct http_wire *wire = find_idle(slot->pool, str_n(slot->url.ptr, slot->origin_len));

    if (wire) {
        list_remove(&wire->link);
        slot->pool->wires_idle--;
        put_under(wire, slot);
        start_writing(wire);
        return true;
    }
    make_room(slot->pool);
    return http_slot_connect(slot);
}

/* ---- the answer ---- */

static size_t take_line(char *line, size_t size, size_t count, void *data)
{
    struct http_slot *slot = data;

    if (slot->status < 200)
        buf_clear(&slot->head); /* of 100 Continue, or what was here before                */
    buf_add(&slot->head, line, size * count);
    return http_take_head(line, size, count, slot);
}

static bool take_head(tr_str head, int status, void *data)
{
    struct http_slot *slot = data;

    buf_clear(&slot->head);
    buf_add_str(&slot->head, head);
    return http_take_whole_head(slot, status);
}

static const struct http_framing_sink sink = {
    .line = take_line,
    .head = take_head,
    .body = http_take_body,
};

/* The answer is there, or what came of it is all there will be. */
static void wire_over(struct http_wire *wire, bool keep, CURLcode code)
{
    struct http_slot *slot = wire->slot;
    struct http_pool *pool = wire->pool;

    if (keep)
        make_idle(wire);
    else
        wire_close(wire);
    http_slot_over(slot, code);
    http_pool_pump(pool);
}

/* Nothing came although the request may have gone out. */
static void wire_lost(struct http_wire *wire, CURLcode code)
{
    struct http_slot *slot = wire->slot;

    if (!wire->used || wire->received > 0) {
        wire_over(wire, false, code);
        return;
    }
    wire_close(wire);
    slot->os_error = 0;
    if (http_slot_connect(slot))
        return;
    http_slot_over(slot, CURLE_FAILED_INIT);
    http_pool_pump(slot->pool);
}

static void wire_ended(struct http_wire *wire)
{
    struct http_slot *slot = wire->slot;

    if (http_framing_end(&wire->framing))
        wire_over(wire, false, CURLE_OK);
    else if (wire->received == 0)
        wire_lost(wire, wire->spoilt ? CURLE_SEND_ERROR : CURLE_GOT_NOTHING);
    else /* within its headers is a case of its own: http_slot_over() has words for it      */
        wire_over(wire, false, slot->head_done ? CURLE_PARTIAL_FILE : CURLE_OK);
}

static void wire_read(struct http_wire *wire)
{
    struct http_slot *slot = wire->slot;
    char bytes[READ_SIZE];
    ssize_t n = recv(wire->watch.fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    size_t used;
    int rc;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) {
        slot->os_error = errno;
        wire_lost(wire, CURLE_RECV_ERROR);
        return;
    }
    if (n == 0) {
        wire_ended(wire);
        return;
    }
    wire->received += (size_t)n;
    wire->is_dry = (size_t)n < sizeof(bytes);
    rc = http_framing_take(&wire->framing, &sink, slot, bytes, (size_t)n, &used);
    if (rc < 0)
        wire_over(wire, false,
                  rc == FRAMING_STOPPED ? CURLE_WRITE_ERROR : CURLE_UNSUPPORTED_PROTOCOL);
    else if (wire->framing.state == FRAMING_WHOLE)
        wire_over(wire, wire->framing.keep && is_sent(wire) && used == (size_t)n, CURLE_OK);
}

static void wire_ready(struct watch *watch, uint32_t events)
{
    struct http_wire *wire = list_entry(watch, struct http_wire, watch);

    if (!wire->slot) { /* closed by the server, or it says what nobody asked for            */
        wire_close(wire);
        return;
    }
    if (events & EPOLLOUT)
        write_on(wire);
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        wire_read(wire);
}

/* ---- a new connection ---- */

bool http_wire_adopt(struct http_slot *slot)
{
    struct http_pool *pool = slot->pool;
    struct http_wire *wire;
    curl_socket_t theirs = CURL_SOCKET_BAD;
    int fd = -1;

    /* A descriptor of our own: libcurl closes its own with the handle. */
    if (curl_easy_getinfo(slot->easy, CURLINFO_ACTIVESOCKET, &theirs) == CURLE_OK &&
        theirs != CURL_SOCKET_BAD)
        fd = fcntl(theirs, F_DUPFD_CLOEXEC, 0);
    http_slot_remove(slot);
    if (fd < 0) {
        http_fault_own(slot, HTTP_FAILED,
                       "cannot be asked: no descriptor is left; raise the "
                       "limit of open files");
        return false;
    }
    wire = mem_new(struct http_wire);
    list_init(&wire->link);
    wire->pool = pool;
    wire->origin = str_n(str_dup(str_n(slot->url.ptr, slot->origin_len)), slot->origin_len);
    wire->watch = (struct watch){.fd = fd, .ready = wire_ready};
    wire->framing.memory = &pool->heads;
    put_under(wire, slot);
    if (loop_watch(pool->http->loop, &wire->watch, EPOLLIN, NULL) < 0) {
        wire_close(wire);
        http_fault_own(slot, HTTP_FAILED, "cannot be watched");
        return false;
    }
    start_writing(wire);
    return true;
}
