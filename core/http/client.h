/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP client: libcurl's multi interface on the loop, and beside it a way for many small
 * requests on which libcurl only connects (wire.h).
 *
 * A pool is a set of connections with settings: one for each source, one for each client of a
 * plugin. Pools share nothing, so that what one may reach is never reached by another over a
 * connection that is open already. A call is one request and its answer; it is storage of the
 * caller. Everything here, callbacks too, is on the loop thread.
 *
 * A whole answer only means that the transport ended well. It does not mean that the body is
 * whole: a server that closes to end a body cannot be told from one that died. Look for the
 * closing bracket in the JSON. No encoding is asked for and none is undone.
 *
 * A request that meets the end of a kept connection, before a byte of an answer came, goes out
 * once more, whatever its method: a server may see it twice, with the same headers. A body that
 * has a source is asked for anew then.
 */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include "base/buf.h"
#include "base/error.h"
#include "base/list.h"
#include "base/loop.h"
#include "http/secrets.h"

struct http;      /* one for a daemon                                                      */
struct http_pool; /* connections with settings                                             */
struct http_slot; /* of the client: an easy handle under a call                            */
struct http_call; /* a request and its answer                                              */

int http_new(struct loop *loop, const char *user_agent, struct http **ret_http,
             struct error *error);
void http_free(struct http *http); /* after all of its pools                               */

/* Tells of each request that was answered 2xx and was neither GET nor HEAD: `origin` is
 * "https://host:port" (or without the scheme's own port), `path` what follows, with the query,
 * as it was sent; both borrowed. In the call's turn, before its on_done. */
void http_watch_writes(struct http *http,
                       void (*wrote)(void *ctx, tr_str origin, const char *method, tr_str path),
                       void *ctx);

struct http_options {
    struct secrets *secrets;     /* passwords for URLs that name a user; NULL: none. Borrowed */
    tr_str ca_file;              /* PEM; empty: the system's                               */
    tr_str proxy;                /* URL; empty: none. The environment is never asked        */
    bool insecure;               /* do not verify certificates                             */
    bool deny_private;           /* refuse loopback and private addresses, after look-up; link-
                                    local ones always are. Behind a proxy only addresses written
                                    in the URL can be judged                               */
    bool direct;                 /* many small requests: those to http:// without on_head and
                                    on_data pass by libcurl once they are connected (wire.h) */
    uint32_t connect_timeout_ms; /* name look-up, TCP and TLS; 0: 10 s                     */
    uint32_t max_connections;    /* calls under way at once, others wait in order; 0: 8    */
    uint32_t max_redirects;      /* 0: a redirect is an answer like others; at most 3      */
};

/* The options are copied. ERR_CONFIG: a bad proxy; ERR_NOINPUT: no such ca_file; ERR_OS. */
int http_pool_new(struct http *http, const struct http_options *options,
                  struct http_pool **ret_pool, struct error *error);

/* Cancels what is under way (no on_done follows) and closes the connections. NULL is fine. Not
 * from within a callback of one of its calls. */
void http_pool_free(struct http_pool *pool);

/* Calls under way and calls that wait, for metrics and windows. */
uint32_t http_pool_running(const struct http_pool *pool);
uint32_t http_pool_waiting(const struct http_pool *pool);

/* What became of calls, since the pool was made. */
struct http_stats {
    uint64_t answered[6]; /* by the first digit of the status                              */
    uint64_t failed;      /* ended otherwise                                               */
    uint64_t body_bytes;  /* of answers, also of those under way                           */
};
const struct http_stats *http_pool_stats(const struct http_pool *pool);

struct http_header {
    tr_str name, value;
};

/* How a call ended. */
enum http_end {
    HTTP_ANSWERED = 0, /* an answer came, of any status                                    */
    HTTP_FAILED,       /* not reached, or lost on the way: try again                       */
    HTTP_TIMED_OUT,    /* one of the deadlines below                                       */
    HTTP_REFUSED,      /* not sent: the address is not allowed; final for this URL         */
    HTTP_UNAUTHORIZED, /* not sent: the session's login fails (http/session.h)             */
    HTTP_TOO_LONG      /* the body was longer than keep_max, and keep_strict               */
};

struct http_result {
    enum http_end end;
    int status;             /* 0: no answer. May be set also when the answer was cut off   */
    const char *error;      /* "" when answered; else what, where and what to do; no secrets */
    tr_str body;            /* what was kept, see keep_max                                 */
    bool body_cut;          /* it was longer than keep_max                                 */
    int64_t retry_after_ms; /* of Retry-After, seconds or date, at most an hour; 0: none   */
    int64_t received;       /* bytes of body that came                                     */
};

/* A body that is made while it goes out, so that it need not be in memory whole; http/parts.h
 * is one. Whoever has it says with http_send_more() that there are bytes again, and with
 * http_fail() that it cannot be made. */
struct http_source {
    uint64_t length; /* of all of it, more than 0: the server is told before               */
    /* Writes up to `room` bytes and returns how many. 0: none now; it is asked again after
     * http_send_more(). Is not asked for more than `length` in all. */
    size_t (*give)(struct http_source *source, struct http_call *call, char *to, size_t room);
    /* What was given is of no use any more: the call is over or cancelled, is answered by 300
     * or more before all was sent, or goes out once more. If give() is called again, then from
     * the first byte on. May come several times, and from within http_cancel(). */
    void (*rewind)(struct http_source *source);
};

/* For on_data to return: these bytes are taken, and no more come until http_resume(). */
enum { HTTP_PAUSE = 1 };

/* Zero it, fill the first part, http_start(). What it points to is borrowed until the call is
 * over: until on_done or http_cancel(). Then it may be filled anew and started again. */
struct http_call {
    const char *url;    /* absolute, encoded; may name a user, see http_options.secrets    */
    const char *method; /* NULL: GET, or POST with a body                                  */
    const struct http_header *headers;
    size_t headers_count;
    tr_str body;
    struct http_source *source; /* instead of `body`; NULL: none                           */

    /* Deadlines in ms, 0: none. They run from when the call leaves the queue. */
    uint32_t timeout_ms;    /* for all of it                                               */
    uint32_t first_byte_ms; /* until the first line of the answer                          */
    uint32_t idle_ms;       /* without a byte, from the answer's first line on; with a source
                               from the first byte that is asked of it on, in either
                               direction. Does not run while the call is paused or the source
                               has nothing                                                 */
    uint32_t read_size;     /* most bytes of one read; 0: 16 KB; up to 512 KB. libcurl cuts
                               what it read into pieces of 16 KB for on_data               */
    uint32_t gather_ms;     /* while bytes come in small pieces, wait up to so long for more
                               before each read, by what the ones before took; what comes
                               after a silence does not wait; 0: never                     */

    /* The body goes to on_data as it comes; without on_data up to keep_max bytes of it are kept
     * for on_done, and the rest is dropped (keep_strict: ends the call, HTTP_TOO_LONG). */
    size_t keep_max;
    bool keep_strict;

    /* on_head: the answer begins, once, before any on_data; http_answer_header() works. For the
     * last answer only, not for a redirect that is followed or a login that is renewed.
     * on_data: bytes straight out of libcurl's buffer, valid until it returns: 0 or HTTP_PAUSE.
     * on_done: the call is over, exactly once, never from within http_start() or another
     *          callback of the call. The result is valid until it returns, unless the call is
     *          started anew before. May free the call.
     * on_head and on_data may be NULL. All may start, cancel, pause and resume any call. */
    void (*on_head)(struct http_call *call, int status);
    int (*on_data)(struct http_call *call, tr_str bytes);
    void (*on_done)(struct http_call *call, const struct http_result *result);

    /* The client's; do not touch. */
    struct http_pool *pool; /* NULL: not started                                           */
    struct http_slot *slot; /* NULL: waits                                                 */
    struct list link;
    unsigned bits;
};

/* Starts or queues it. ERR_CONFIG: a URL, method or header that cannot be sent (a byte below
 * 0x20 or 0x7f, a header that belongs to the client); ERR_NOPERM: no password is known for the
 * user that the URL names. When it fails, on_done is not called. */
int http_start(struct http_pool *pool, struct http_call *call, struct error *error);

/* Ends the call at once: no callback follows, and its storage is the caller's again. Harmless
 * on a zeroed call and on one that is over. */
void http_cancel(struct http_call *call);

/* True from http_start() until on_done or http_cancel(). */
bool http_is_active(const struct http_call *call);

/* Stops on_data, if the call has it, until http_resume(), from anywhere. What was read before
 * is delivered once, later, never from within http_resume(). */
void http_pause(struct http_call *call);
void http_resume(struct http_call *call);

/* For the source of a call: there are bytes again. They are asked for later, never from within.
 * Harmless when nobody waits for them. */
void http_send_more(struct http_call *call);

/* For the source of a call: its body cannot be made. Closes the connection before the body is
 * whole, so that no server takes it for that; on_done follows with this end and error, and the
 * source is asked no more. Harmless on a call that is over. */
void http_fail(struct http_call *call, enum http_end end, const char *error);

/* A header of the answer (any case), the last of several; in on_head, on_data and on_done.
 * Valid until the callback returns. False: not there. */
bool http_answer_header(struct http_call *call, const char *name, tr_str *ret_value);

#endif
