/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request body in parts: bytes that are there, and whole answers of other requests, which
 * flow from one server to the other through a small buffer. So an attachment of any size goes
 * from a database to another in a multipart/related body.
 *
 *     struct http_parts parts;
 *     http_parts_init(&parts, list, count, 60000, error);
 *     call.source = &parts.source;
 *     http_start(pool, &call, error);
 *
 * The requests of parts go one after the other, on the pool of the call, and beyond its
 * max_connections: a call that holds a connection must not wait for a second one that others
 * hold who wait as well. So a pool has at most twice as many connections as it is allowed.
 *
 * Everything here is on the loop thread.
 */
#ifndef HTTP_PARTS_H
#define HTTP_PARTS_H

#include "http/client.h"

struct http_part {
    tr_str bytes;    /* these, when there is no url                                        */
    const char *url; /* what a GET of it answers with 200; as http_call.url                */
    const struct http_header *headers;
    size_t headers_count;
    uint64_t length; /* of the answer. It is not asked for when this is 0                  */
    tr_str digest;   /* of the answer as it comes: "md5-" and 24 letters of base 64, as CouchDB
                        writes it; empty: it is not compared                               */
};

enum { HTTP_PARTS_BUFFER = 256 * 1024 };

struct http_parts {
    struct http_source source; /* for http_call                                            */

    /* Why the body could not be made: the call ended with HTTP_FAILED then. Read in on_done. */
    struct http_parts_fault {
        bool happened;
        bool refused;           /* not sent: a URL or header that never will be            */
        bool differs;           /* a whole answer, but of another length or digest           */
        size_t part;            /* its place in the list                                   */
        int status;             /* of its answer; 0: none came                             */
        int64_t retry_after_ms; /* as http_result has it                                   */
    } fault;

    uint64_t moved; /* bytes that went out, ever                                           */

    /* For tests: the most bytes that were in the buffer at once. */
    size_t most_held;

    /* Its own; do not touch. */
    const struct http_part *parts;
    size_t count;
    uint32_t idle_ms;
    struct http_call *outer; /* the call that has the body                                 */
    struct http_call inner;  /* the part's                                                 */
    enum http_parts_state { PART_WAITS, PART_FLOWS, PART_WHOLE } state;
    size_t at;         /* the part                                                         */
    uint64_t given;    /* bytes of it that went out                                        */
    uint64_t received; /* bytes of it that came                                            */
    char *buffer;      /* a ring; NULL until it is needed                                  */
    size_t begin, held;
    struct evp_md_ctx_st *md5;
};

/* `list`, and what it points to, is borrowed until the call is over; then nothing is left to be
 * freed. `idle_ms`: how long a part's server may send nothing, 0: for ever. ERR_CONFIG: the
 * body is empty, or a digest is not of that form. */
int http_parts_init(struct http_parts *parts, const struct http_part *list, size_t count,
                    uint32_t idle_ms, struct error *error);

#endif
