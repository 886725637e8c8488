/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tr.http/1: HTTP requests on the host's own connections.
 *
 * The pool, TLS, proxy, passwords and redaction live in the host, so a plugin that speaks HTTP
 * links nothing. A URL may name a user (https://user@host/); the password comes from the host's
 * passwords file and never passes through the plugin.
 *
 * A request that met the end of a connection which had idled goes out once more, as every
 * client does: it may reach the server twice, so what must not happen twice needs a key that
 * the server knows.
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
} tr_http_response;

/* tr_http_response.flags */
enum {
    TR_HTTP_REFUSED = 1 << 0 /* not sent: the address is not allowed; final for this URL    */
};

typedef struct tr_http_request {
    uint32_t size;
    uint32_t timeout_ms; /* for the whole request once it has a connection; 0: 30 s         */
    tr_str method;       /* empty: GET, or POST with a body                                 */
    tr_str url;          /* absolute, already percent-encoded                               */
    const tr_http_header *headers;
    uint32_t headers_count;
    tr_str body;
    void *user;
    /* The answer; the response lives until it returns. Exactly once for each request that
     * send() accepted, also after cancel() and at the instance's end.            [worker] */
    void (*done)(void *user, const tr_http_response *response);
} tr_http_request;

typedef struct tr_http {
    uint32_t size;

    /* A client with these options (copied). Give it back with client_free().   [control] */
    tr_status (*client_new)(const tr_host *host, const tr_http_options *options,
                            tr_http_client **ret_client, tr_error *error);

    /* Requests still under way are cancelled: their done() is called first.     [control] */
    void (*client_free)(tr_http_client *client);

    /* Queues a request; everything it points to is copied. TR_EINVAL: not http or https, a bad
     * header, or not the worker; TR_ESTALE: the client or its instance ends. What else is wrong
     * with a URL is said by done(), with TR_HTTP_REFUSED.
     *                                                                           [worker] */
    tr_status (*send)(tr_http_client *client, const tr_http_request *request, uint64_t *ret_id);

    /* Ends a request early; its done() follows. TR_ESTALE: it is over.          [worker] */
    tr_status (*cancel)(tr_http_client *client, uint64_t id);
} tr_http;

#ifdef __cplusplus
}
#endif

#endif
