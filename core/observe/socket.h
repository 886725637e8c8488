/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's local socket: whoever connects is written one document, and that is all.
 *
 *     connect ──▶ render() ──▶ as the socket takes it ──▶ closed
 *
 * Nothing is read from a client, so there is nothing that one could ask for. At most
 * OBSERVE_CLIENTS are served at once, each for OBSERVE_DEADLINE_MS; whoever comes beside them
 * waits in the queue of the kernel. The engine makes it, on the loop thread; `tailrace status`
 * only wants its address.
 */
#ifndef OBSERVE_SOCKET_H
#define OBSERVE_SOCKET_H

#include "base/buf.h"
#include "base/error.h"
#include "base/loop.h"

#include <stdint.h>
#include <sys/un.h>

enum { OBSERVE_CLIENTS = 8, OBSERVE_DEADLINE_MS = 5000 };

struct observe_socket;

struct observe_options {
    struct loop *loop;
    const char *dir; /* the state directory, whose lock the caller holds; borrowed          */
    int64_t deadline_ms; /* 0: OBSERVE_DEADLINE_MS                                          */
    /* Appends the document; on the loop thread, so it must be quick. */
    void (*render)(void *ctx, struct buf *out);
    void *ctx;
};

/*
 * Makes DIR/tailrace.sock and listens. One that a process left behind which died is replaced:
 * the lock on the directory says that no other lives. Only the daemon's user may connect; its
 * group too where the directory is open to that group (r-x), as PostgreSQL does with the files
 * of a data directory. ERR_CANTCREAT, ERR_OS: it cannot be, as with a path that is too long for
 * a socket; nothing that matters to the daemon depends on it.
 */
int observe_socket_new(const struct observe_options *options,
                       struct observe_socket **ret_socket, struct error *error);

/* Closes the clients and removes the file. NULL is fine. */
void observe_socket_free(struct observe_socket *socket);

/* DIR/tailrace.sock; ERR_CANTCREAT when that is longer than a socket's address can be. */
int observe_socket_address(const char *dir, struct sockaddr_un *ret_address,
                           struct error *error);

#endif
