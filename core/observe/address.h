/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the admin endpoint listens: "unix:/run/tailrace/admin.sock", "127.0.0.1:9464",
 * "[::1]:9464" or "localhost:9464". No name is looked up. Any thread.
 */
#ifndef OBSERVE_ADDRESS_H
#define OBSERVE_ADDRESS_H

#include "base/error.h"
#include "base/str.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

struct admin_address {
    union {
        struct sockaddr any;
        struct sockaddr_un local;
        struct sockaddr_in inet;
        struct sockaddr_in6 inet6;
    } at;
    socklen_t size;
    bool is_loopback; /* a path, or an address that only this machine reaches              */
};

/* ERR_CONFIG: it is none of these. */
int admin_address_parse(tr_str text, struct admin_address *ret_address, struct error *error);

/* A socket that listens there. One that a process left behind which died is replaced. Whoever
 * stops listening removes the path. ERR_UNAVAIL: it is taken; ERR_CANTCREAT, ERR_NOPERM,
 * ERR_OS. */
int admin_address_listen(const struct admin_address *address, int *ret_fd, struct error *error);

/* Whether a Host header can be of somebody who means this server: an address, localhost, or one
 * of `hosts` (ended by NULL). A page of elsewhere whose name was made to point here, to read
 * what it may not, has its own name there. */
bool admin_address_is_host(tr_str host, const char *const *hosts);

#endif
