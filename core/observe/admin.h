/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The admin endpoint: HTTP for Prometheus, for probes and for a browser, by libmicrohttpd on a
 * thread of its own.
 *
 *     client ──▶ its thread: is it GET, who is meant? ──asks──▶ loop: render()
 *                              ▲                                  │
 *                              └────────────text, or too late─────┘
 *
 * What only the loop knows is made there, at most a few times a second however many ask;
 * whoever asks waits for ADMIN_DEADLINE_MS and is told then that the loop does not turn.
 * Connections are bounded, and one that is silent is closed. Nothing can be changed through it.
 * The engine makes it, on the loop thread.
 */
#ifndef OBSERVE_ADMIN_H
#define OBSERVE_ADMIN_H

#include "base/buf.h"
#include "base/loop.h"
#include "observe/address.h"

enum {
    ADMIN_CONNECTIONS = 32,
    ADMIN_SILENCE_S = 10,     /* of a connection                                            */
    ADMIN_DEADLINE_MS = 2000, /* for the loop to answer                                     */
    ADMIN_FRESH_MS = 200      /* so long the same text is given again                       */
};

/* What is asked of the loop. */
enum admin_document { ADMIN_HEALTH, ADMIN_READY, ADMIN_STATUS, ADMIN_METRICS, ADMIN_DOCUMENTS };

struct admin;

struct admin_options {
    struct loop *loop;
    struct admin_address address;
    const char *const *hosts; /* other names of this server, ended by NULL; borrowed       */
    int64_t deadline_ms;      /* 0: ADMIN_DEADLINE_MS                                       */
    /* Appends the document; on the loop thread. False: what it says is no good news, the answer
     * is 503. */
    bool (*render)(void *ctx, enum admin_document document, struct buf *out);
    void *ctx;
};

/* Listens. ERR_UNAVAIL: somebody else does there; ERR_CANTCREAT, ERR_NOPERM, ERR_OS. */
int admin_new(const struct admin_options *options, struct admin **ret_admin,
              struct error *error);

/* Closes all connections; does not wait for clients. NULL is fine. */
void admin_free(struct admin *admin);

#endif
