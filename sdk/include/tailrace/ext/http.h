/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tr.http/1: HTTP requests on the host's own connections.
 *
 * The pool, TLS, proxy, passwords and redaction live in the host, so a plugin that speaks HTTP
 * links nothing. A URL may name a user (https://user@host/); the password comes from the host's
 * passwords file and never passes through the plugin. <tailrace/connection.h> has the options
 * by which users say how a client's connections are made.
 *
 * A request that met the end of a connection which had idled goes out once more, as every
 * client does: it may reach the server twice, so what must not happen twice needs a key that
 * the server knows.
 *
 * A body may be made of parts, and a part may be the answer of another request (since ABI minor
 * 1: an older host would send such a request without a body, so ask tr_host.abi_minor). The
 * host carries the bytes from one server to the other through a buffer of 256 KiB; neither side
 * is read faster than the other one takes, and the plugin sees none of them:
 *
 *     tr_http_part parts[3];                 ... the head of a multipart/related body, an
 *     memset(parts, 0, sizeof(parts));           attachment, and what closes the body
 *     parts[0].bytes = head;
 *     parts[1].url = TR_STR("https://me@from.example.com/db/doc/photo?rev=2-abc");
 *     parts[1].length = 1073741824;
 *     parts[1].digest = TR_STR("md5-Q2hlY2sgSW50ZWdyaXR5IQ==");
 *     parts[2].bytes = tail;
 *     request.method = TR_STR("PUT");
 *     request.parts = parts;
 *     request.parts_count = 3;
 *     request.parts_stride = sizeof(tr_http_part);
 */
#ifndef TAILRACE_EXT_HTTP_H
#define TAILRACE_EXT_HTTP_H

#include <tailrace/host.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TR_EXT_HTTP "tr.http/1"

/* A set of connections with their settings; owned by the host. */
typedef struct tr_http_client tr_http_client;

typedef struct tr_http_options {
    uint32_t size;
    uint32_t max_connections;    /* requests at once, others wait in order; 0: 8           */
    uint32_t connect_timeout_ms; /* 0: 10 s                                                */
    uint32_t max_redirects;      /* 0: none is followed; never with credentials elsewhere  */
    int32_t deny_private;        /* 1: refuse private and loopback addresses after look-up;
                                    link-local ones are always refused                     */
    int32_t insecure_tls;        /* 1: do not verify the server's certificate              */
    tr_str ca_file, proxy;       /* empty: the system's; no proxy                          */
    uint64_t max_response;       /* bytes of a body that are kept; 0: 1 MiB                */
    tr_str share;                /* clients of this plugin's instances with the same name and
                                    the same settings above have their connections, and the
                                    limit of them, together; empty: not shared             */
} tr_http_options;

typedef struct tr_http_header {
    tr_str name, value; /* a byte below 0x20 or 0x7f in either is TR_EINVAL                */
} tr_http_header;

typedef struct tr_http_response {
    uint32_t size;
    int32_t status; /* 0: no answer; `error` says why, without secrets             */
    tr_str error;
    tr_str body;             /* cut at max_response                                         */
    uint32_t retry_after_ms; /* from Retry-After, seconds or date; 0: none                  */
    uint32_t flags;
    uint32_t part;       /* with TR_HTTP_PART_FAILED: its place among the parts, from 0    */
    int32_t part_status; /* and the status of its answer; 0: none came; 200 without
                            TR_HTTP_PART_DIFFERS: it was lost on the way                   */
} tr_http_response;

/* tr_http_response.flags */
enum {
    TR_HTTP_REFUSED = 1 << 0,     /* not sent: the address is not allowed; final for this URL;
                                     with TR_HTTP_PART_FAILED that of the part             */
    TR_HTTP_PART_FAILED = 1 << 1, /* status is 0, for a part of the body did not come as it
                                     was announced; retry_after_ms is of its answer        */
    TR_HTTP_PART_DIFFERS = 1 << 2 /* and its answer was whole and 200, but of another length
                                     or digest: to ask again would bring the same          */
};

/* A piece of a body: bytes, or what a GET of a URL answers. */
typedef struct tr_http_part {
    tr_str bytes; /* without a url                                                         */
    tr_str url;   /* as that of a request, to any host; the client's settings hold         */
    const tr_http_header *headers;
    uint32_t headers_count;
    uint64_t length; /* bytes of the answer, exactly. With 0 it is not asked for           */
    tr_str digest;   /* of the answer as it comes over the line: "md5-" and base 64, as CouchDB
                        writes it; empty: it is not compared                               */
} tr_http_part;

typedef struct tr_http_request {
    uint32_t size;
    uint32_t timeout_ms; /* for the whole request once it has a connection; 0: 30 s. With
                            parts: so long neither side may move a byte, 0: 60 s           */
    tr_str method;       /* empty: GET, or POST with a body                                 */
    tr_str url;          /* absolute, already percent-encoded                               */
    const tr_http_header *headers;
    uint32_t headers_count;
    tr_str body;
    void *user;
    /* The answer; the response lives until it returns. Exactly once for each request that
     * send() accepted, also after cancel() and at the instance's end.            [worker] */
    void (*done)(void *user, const tr_http_response *response);
    /* Instead of `body`; parts_stride is sizeof(tr_http_part). They are asked for one after the
     * other as their turn comes, beyond max_connections, for which they need not wait. The last
     * byte of a part is sent when its length and digest have been compared: if anything is
     * wrong, the connection is closed before the body is whole. A server that answers before it
     * has the whole body, 401 or 413 say, is heard, and the parts end. When the request goes
     * out once more (see above), the parts are asked for once more too. */
    const tr_http_part *parts;
    uint32_t parts_count, parts_stride;
    /* The batch that it is made for, or 0. When that is late the request is cancelled. As long
     * as a body in parts goes out at 16 KiB a second or more, over the rule's timeout, the
     * batch is not late, though its deadline_ms has passed: an attachment may be larger than
     * any deadline, and a server that stands still is not waited for. Since 1.2. */
    tr_ticket ticket;
} tr_http_request;

typedef struct tr_http {
    uint32_t size;

    /* A client with these options (copied). Give it back with client_free().   [control] */
    tr_status (*client_new)(const tr_host *host, const tr_http_options *options,
                            tr_http_client **ret_client, tr_error *error);

    /* Requests still under way are cancelled: their done() is called first.     [control] */
    void (*client_free)(tr_http_client *client);

    /* Queues a request; everything it points to is copied, bytes of parts too. TR_EINVAL: not
     * http or https, a bad header, a body and parts, a part with bytes and a URL, parts without
     * a byte, a digest of another form, or not the worker; TR_ESTALE: the client or its
     * instance ends. What else is wrong with a URL is said by done(), with TR_HTTP_REFUSED.
     *                                                                           [worker] */
    tr_status (*send)(tr_http_client *client, const tr_http_request *request, uint64_t *ret_id);

    /* Ends a request early; its done() follows. TR_ESTALE: it is over.          [worker] */
    tr_status (*cancel)(tr_http_client *client, uint64_t id);
} tr_http;

#ifdef __cplusplus
}
#endif

#endif
