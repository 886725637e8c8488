/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tiny HTTP server on loopback for the tests of http/: a thread a connection, answers chosen
 * by the test's own function. It counts connections and keeps the text of the requests.
 */
#ifndef TEST_HTTP_SERVER_H
#define TEST_HTTP_SERVER_H

#include "base/buf.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

struct server;

struct request {
    struct server *server;
    int fd;
    struct buf text;  /* head and body                                                   */
    char path[256];   /* with its query                                                  */
    bool close_after; /* set by the answer                                               */
    size_t body_left; /* bytes of the body that are not in `text`, see heads_only        */
};

struct server {
    void (*answer)(struct request *request); /* on a thread of the connection              */
    bool heads_only; /* the answer reads what is left of the body, by server_read_on()    */
    int fd, port;
    pthread_t thread, workers[256];
    int fds[256], count;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int requests, inside, most_inside; /* under lock, as is all below                      */
    bool open_gate, stopping;
    struct buf log; /* all requests                                                        */
};

static inline bool server_send(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        text += n;
        len -= (size_t)n;
    }
    return true;
}

static inline void server_say(struct request *request, const char *text)
{
    server_send(request->fd, text, strlen(text));
}

static inline void server_reply(struct request *request, const char *status,
                                const char *headers, const char *body)
{
    struct buf out = {0};

    buf_addf(&out, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n%s\r\n%s", status, strlen(body),
             headers, body);
    server_send(request->fd, out.ptr, out.len);
    buf_fini(&out);
}

/* Blocks until server_release() or the end. */
static inline void server_wait(struct server *server)
{
    pthread_mutex_lock(&server->lock);
    if (++server->inside > server->most_inside)
        server->most_inside = server->inside;
    while (!server->open_gate && !server->stopping)
        pthread_cond_wait(&server->changed, &server->lock);
    server->inside--;
    pthread_mutex_unlock(&server->lock);
}

static inline void server_release(struct server *server)
{
    pthread_mutex_lock(&server->lock);
    server->open_gate = true;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
}

static inline int server_requests(struct server *server)
{
    int n;

    pthread_mutex_lock(&server->lock);
    n = server->requests;
    pthread_mutex_unlock(&server->lock);
    return n;
}

static inline int server_connections(struct server *server)
{
    int n;

    pthread_mutex_lock(&server->lock);
    n = server->count;
    pthread_mutex_unlock(&server->lock);
    return n;
}

static inline bool server_saw(struct server *server, const char *text)
{
    bool seen;

    pthread_mutex_lock(&server->lock);
    seen = server->log.ptr && strstr(server->log.ptr, text);
    pthread_mutex_unlock(&server->lock);
    return seen;
}

static inline bool server_read(struct request *request)
{
    struct buf *text = &request->text;
    char *end = NULL, *length;
    size_t need = 0;

    buf_clear(text);
    while (!end || text->len < need) {
        ssize_t n = recv(request->fd, buf_reserve(text, 65536), 65536, 0);
        if (n <= 0)
            return false;
        text->len += (size_t)n;
        text->ptr[text->len] = '\0';
        if (!end && (end = strstr(text->ptr, "\r\n\r\n"))) {
            length = strstr(text->ptr, "Content-Length: ");
            need = (size_t)(end + 4 - text->ptr) +
                   (length ? strtoul(length + 16, NULL, 10) : 0);
            end = text->ptr;
            if (request->server->heads_only)
                break;
        }
    }
    request->body_left = need > text->len ? need - text->len : 0;
    return sscanf(text->ptr, "%*s %255s", request->path) == 1;
}

/* More of a body, up to `size` bytes; 0: it ends here, whole when body_left is 0. */
static inline size_t server_read_on(struct request *request, char *to, size_t size)
{
    ssize_t n = 0;

    if (request->body_left > 0)
        n = recv(request->fd, to, request->body_left < size ? request->body_left : size, 0);
    if (n <= 0)
        return 0;
    request->body_left -= (size_t)n;
    return (size_t)n;
}

static inline void *server_connection(void *data)
{
    struct request *request = data;
    struct server *server = request->server;

    while (!request->close_after && server_read(request)) {
        pthread_mutex_lock(&server->lock);
        server->requests++;
        buf_add_str(&server->log, buf_str(&request->text));
        pthread_mutex_unlock(&server->lock);
        server->answer(request);
    }
    shutdown(request->fd, SHUT_RDWR);
    buf_fini(&request->text);
    free(request);
    return NULL;
}

static inline void *server_accept(void *data)
{
    struct server *server = data;

    for (;;) {
        struct request *request;
        int one = 1, fd = accept(server->fd, NULL, NULL);
        if (fd < 0)
            return NULL;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        request = mem_new(struct request);
        request->server = server;
        request->fd = fd;
        pthread_mutex_lock(&server->lock);
        server->fds[server->count] = fd;
        pthread_create(&server->workers[server->count++], NULL, server_connection, request);
        pthread_mutex_unlock(&server->lock);
    }
}

static inline void server_start(struct server *server, void (*answer)(struct request *))
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);

    *server = (struct server){.answer = answer};
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->changed, NULL);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(server->fd, (struct sockaddr *)&address, len) < 0 || listen(server->fd, 64) < 0)
        abort();
    getsockname(server->fd, (struct sockaddr *)&address, &len);
    server->port = ntohs(address.sin_port);
    pthread_create(&server->thread, NULL, server_accept, server);
}

static inline void server_stop(struct server *server)
{
    pthread_mutex_lock(&server->lock);
    server->stopping = true;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
    shutdown(server->fd, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    for (int i = 0; i < server->count; i++)
        shutdown(server->fds[i], SHUT_RDWR);
    for (int i = 0; i < server->count; i++) {
        pthread_join(server->workers[i], NULL);
        close(server->fds[i]);
    }
    close(server->fd);
    buf_fini(&server->log);
}

#endif
