/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The local socket on the loop: accepts, renders, writes. One client is accepted a turn, so
 * that a crowd of them does not hold up what the daemon is there for. Loop thread.
 */
#include "observe/socket.h"

#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    QUEUE = 16,      /* that wait to be accepted                                            */
    PAUSE_MS = 1000, /* before the next try when the process has no descriptor left         */
    GROUP_OPEN = S_IRGRP | S_IXGRP
};

struct client {
    struct list link; /* server->clients                                                    */
    struct observe_socket *server;
    struct watch watch;
    struct timer deadline;
    struct buf document;
    size_t written;
};

struct observe_socket {
    struct observe_options options;
    struct sockaddr_un address;
    struct watch watch;
    bool listening; /* the watch is set                                                     */
    struct timer pause;
    struct list clients;
    int count;
};

/* ---- listening ---- */

static void come(struct watch *watch, uint32_t events);

static void listen_on(struct observe_socket *server)
{
    if (!server->listening)
        server->listening = loop_watch(server->options.loop, &server->watch, EPOLLIN, NULL) ==
                            0;
}

static void listen_no_more(struct observe_socket *server)
{
    if (server->listening)
        loop_unwatch(server->options.loop, &server->watch);
    server->listening = false;
}

static void paused(struct timer *timer)
{
    listen_on(list_entry(timer, struct observe_socket, pause));
}

/* ---- a client ---- */

static void client_free(struct client *client)
{
    struct observe_socket *server = client->server;

    loop_unwatch(server->options.loop, &client->watch);
    loop_clear_timer(server->options.loop, &client->deadline);
    close(client->watch.fd);
    list_remove(&client->link);
    buf_fini(&client->document);
    free(client);
    server->count--;
    if (!timer_is_set(&server->pause))
        listen_on(server);
}

/* A client that does not read in time, or went away, is let go: nobody else is to blame. */
static void client_late(struct timer *timer)
{
    client_free(list_entry(timer, struct client, deadline));
}

static void client_write(struct watch *watch, uint32_t events)
{
    struct client *client = list_entry(watch, struct client, watch);
    tr_str rest = str_from(buf_str(&client->document), client->written);
    ssize_t n = send(watch->fd, rest.ptr, rest.len, MSG_NOSIGNAL | MSG_DONTWAIT);

    (void)events;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    client->written += n > 0 ? (size_t)n : 0;
    if (n < 0 || client->written == client->document.len)
        client_free(client);
}

static void client_new(struct observe_socket *server, int fd)
{
    const struct observe_options *options = &server->options;
    struct client *client = mem_new(struct client);

    client->server = server;
    client->watch = (struct watch){.fd = fd, .ready = client_write};
    client->deadline.fire = client_late;
    list_push_back(&server->clients, &client->link);
    if (++server->count == OBSERVE_CLIENTS)
        listen_no_more(server);
    loop_set_timer(options->loop, &client->deadline,
                   options->deadline_ms > 0 ? options->deadline_ms : OBSERVE_DEADLINE_MS);
    if (loop_watch(options->loop, &client->watch, EPOLLOUT, NULL) < 0) {
        client_free(client);
        return;
    }
    options->render(options->ctx, &client->document);
    client_write(&client->watch, EPOLLOUT);
}

static void come(struct watch *watch, uint32_t events)
{
    struct observe_socket *server = list_entry(watch, struct observe_socket, watch);
    int fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    (void)events;
    if (fd >= 0) {
        client_new(server, fd);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        /* The client stays in the queue, and the loop would come here again at once. */
        listen_no_more(server);
        loop_set_timer(server->options.loop, &server->pause, PAUSE_MS);
    }
}

/* ---- the file ---- */

int observe_socket_address(const char *dir, struct sockaddr_un *ret_address,
                           struct error *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int len = snprintf(address.sun_path, sizeof(address.sun_path), "%s/tailrace.sock", dir);

    if (len < 0 || (size_t)len >= sizeof(address.sun_path))
        return error_set(error, ERR_CANTCREAT,
                         "%s/tailrace.sock is longer than the %zu bytes that a socket's path "
                         "can have; choose a shorter state_dir for \"tailrace status\"",
                         dir, sizeof(address.sun_path) - 1);
    *ret_address = address;
    return 0;
}

static int remove_stale(const char *path, struct error *error)
{
    struct stat st;

    if (lstat(path, &st) < 0)
        return 0; /* bind() has the better word */
    if (!S_ISSOCK(st.st_mode))
        return error_set(error, ERR_CANTCREAT,
                         "%s is there and is no socket; remove it for \"tailrace status\"",
                         path);
    if (unlink(path) < 0)
        return error_set(error, ERR_CANTCREAT,
                         "%s of a tailrace that died cannot be removed: %s", path,
                         strerror(errno));
    return 0;
}

/* What the group of the directory may see anyway, if the socket belongs to the same group. */
static mode_t choose_mode(const struct observe_socket *server)
{
    struct stat dir, file;

    if (stat(server->options.dir, &dir) == 0 && stat(server->address.sun_path, &file) == 0 &&
        (dir.st_mode & GROUP_OPEN) == GROUP_OPEN && dir.st_gid == file.st_gid)
        return 0660;
    return 0600;
}

/* Nobody can connect before listen(), so its mode is right from the first moment. */
static int open_file(struct observe_socket *server, struct error *error)
{
    const char *path = server->address.sun_path;
    int fd = server->watch.fd;

    if (bind(fd, (const struct sockaddr *)&server->address, sizeof(server->address)) < 0)
        return error_set(error, ERR_CANTCREAT, "%s cannot be made: %s", path, strerror(errno));
    if (chmod(path, choose_mode(server)) < 0 || listen(fd, QUEUE) < 0) {
        error_set(error, ERR_CANTCREAT, "%s cannot be opened: %s", path, strerror(errno));
        unlink(path);
        return ERR_CANTCREAT;
    }
    return 0;
}

/* ---- the whole ---- */

static int open_socket(struct observe_socket *server, struct error *error)
{
    int rc = observe_socket_address(server->options.dir, &server->address, error);

    if (rc == 0)
        rc = remove_stale(server->address.sun_path, error);
    if (rc < 0)
        return rc;
    server->watch.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (server->watch.fd < 0)
        return error_set(error, ERR_OS, "no socket can be made: %s", strerror(errno));
    return open_file(server, error);
}

int observe_socket_new(const struct observe_options *options,
                       struct observe_socket **ret_socket, struct error *error)
{
    struct observe_socket *server = mem_new(struct observe_socket);
    int rc;

    server->options = *options;
    server->watch = (struct watch){.fd = -1, .ready = come};
    server->pause.fire = paused;
    list_init(&server->clients);
    rc = open_socket(server, error);
    if (rc < 0) {
        if (server->watch.fd >= 0)
            close(server->watch.fd);
        free(server);
        return rc;
    }
    listen_on(server);
    *ret_socket = server;
    return 0;
}

void observe_socket_free(struct observe_socket *server)
{
    if (!server)
        return;
    list_each_safe (it, &server->clients)
        client_free(list_entry(it, struct client, link));
    listen_no_more(server);
    loop_clear_timer(server->options.loop, &server->pause);
    unlink(server->address.sun_path);
    close(server->watch.fd);
    free(server);
}
