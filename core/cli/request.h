/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request of a command to a server: the loop turns until the answer is there, and whatever
 * else is on it goes on meanwhile. Main thread, not from within a callback of the loop.
 */
#ifndef CLI_REQUEST_H
#define CLI_REQUEST_H

#include "base/loop.h"
#include "http/client.h"
#include "http/url.h"

struct request {
    struct loop *loop;
    struct http_pool *pool;
    const struct url *server;
    const char *method; /* NULL: GET, or POST with a body                                  */
    tr_str db;          /* empty: of the server itself                                     */
    const char *rest;   /* "_changes"; encoded                                             */
    tr_str query;       /* encoded                                                         */
    tr_str body;        /* JSON                                                            */
    const int *stopped; /* not 0 at some time: it is given up; NULL: nothing stops it      */
};

/* Appends the answer to `body`, one whole JSON object or array. What is not 2xx is an error:
 * ERR_NOPERM (401, 403), ERR_NOINPUT (404), ERR_UNAVAIL; ERR_PROTOCOL for what is no CouchDB's;
 * ERR_TEMP: stopped.
 * *ret_status, if wanted, is the status, 0 without an answer, in either case. */
int request_send(const struct request *request, struct buf *body, int *ret_status,
                 struct error *error);

#endif
