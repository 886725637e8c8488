/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the client: what its files share. Private to http/.
 *
 * A call goes: checked and queued (call.c), given a slot and its options (slot.c), answered in
 * callbacks of libcurl (answer.c), whose sockets and timer live on the loop (socket.c),
 * followed, repeated or handed over (call.c). Small ones go without libcurl (wire.h). Loop
 * thread.
 *
 *     pool.c     the client and its pools; session.c  one that logs in; secrets.c  passwords
 *     call.c     a call's life; check.c  whether it can be sent; fault.c  why it failed
 *     target.c   where to, as whom, and whether that is allowed; address.c  of an address
 *     slot.c     an easy handle for call after call; answer.c  what comes back through it
 *     source.c   a body that has a source; parts.c  one that is made of other answers
 *     wire.c     a connection of our own; wire_request.c  what is written there, framing.c
 *                where an answer ends
 *     socket.c   libcurl on the loop; url.c  URLs, and the printer that redacts
 */
#ifndef HTTP_POOL_H
#define HTTP_POOL_H

#include "http/client.h"
#include "http/framing.h"
#include "http/url.h"

#include <curl/curl.h>

struct http_socket;
struct http_wire;

struct http {
    struct loop *loop;
    char *user_agent;
    struct http_socket **sockets; /* by descriptor; NULL: libcurl never asked about it     */
    size_t sockets_len;
    void (*wrote)(void *ctx, tr_str origin, const char *method, tr_str path); /* NULL: nobody */
    void *wrote_ctx;
};

/* Headers that stand for themselves where a call has none of that name. */
enum { HTTP_HOST, HTTP_USER_AGENT, HTTP_ACCEPT, HTTP_AUTHORIZATION, HTTP_OWN_LINES };
extern const tr_str http_own_names[HTTP_OWN_LINES];

/* The names of a call's headers, found to be good: most calls have those of the one before. */
struct http_judged {
    struct buf names; /* each with a NUL; without memory: none was judged                   */
    size_t count;
    unsigned own; /* bits of such a call                                                   */
};

/* What was found out about the part of a URL up to its path: calls of a pool mostly have the
 * same, so that only the first one parses. */
struct http_target {
    char *authority; /* "https://user@host:port", as calls write it                        */
    size_t authority_len;
    uint64_t generation; /* of the secrets that `basic` was made of                        */
    char *origin;        /* the same without the user                                      */
    size_t origin_len;
    bool refused;        /* its host is written as an address that is not allowed          */
    struct secret basic; /* the value of the Authorization header; empty: none             */
    struct secret lines[HTTP_OWN_LINES]; /* whole, for wires                               */
};

/* Who signs the calls of a pool; session.c is one. */
struct http_signer {
    enum http_sign {
        HTTP_SIGN_NOT,   /* not of this origin                                             */
        HTTP_SIGN_LINE,  /* *ret_cookie goes with it                                       */
        HTTP_SIGN_WAIT,  /* later; it pumps the pool then                                  */
        HTTP_SIGN_REFUSE /* end the call with *ret_end and *ret_error                      */
    } (*sign)(struct http_signer *signer, const char *origin, tr_str *ret_cookie,
              enum http_end *ret_end, const char **ret_error);
    /* A call that carried line number `number` was answered 401. It is sent again, so it waits
     * if there has been no newer line since. */
    void (*denied)(struct http_signer *signer, uint64_t number);
    uint64_t number; /* of the line that sign() gives now                                  */
};

struct http_pool {
    struct http *http;
    CURLM *multi;
    CURLSH *share; /* TLS sessions, so that a new connection need not start from nothing   */
    struct secrets *secrets;
    char *ca_file, *proxy;
    bool insecure, deny_private, direct;
    uint32_t connect_timeout_ms, max_connections, max_redirects;

    struct http_target target;
    struct http_judged judged;
    struct http_signer *signer;
    struct timer timer;     /* libcurl's                                                  */
    struct timer later;     /* for what must not happen where it is asked for             */
    struct list waiting;    /* calls, by link                                             */
    struct list busy, idle; /* slots, by link                                             */
    struct list ended;      /* slots to be cleared away, by later_link                    */
    struct list resumed;    /* slots to be read again, by later_link                      */
    struct list wires;      /* idle ones, the last used first                             */
    struct http_framing_memory heads; /* of answers on wires                               */
    uint32_t wires_idle;
    uint32_t running, queued;
    struct http_stats stats;
    bool in_curl; /* libcurl is on the stack: handles must not be added or removed         */
};

/* http_call.bits */
enum {
    HTTP_CALL_PAUSED = 1 << 0,
    HTTP_CALL_UNSIGNED = 1 << 1, /* the login itself: passes the signer                    */
    HTTP_CALL_SIGNED = 1 << 2,
    HTTP_CALL_RENEWED = 1 << 3, /* was sent again already                                  */
    HTTP_CALL_AHEAD = 1 << 4,   /* passes the queue: others that are under way wait for it */
    HTTP_CALL_REPEATED = 1 << 5 /* met the end of a kept connection once                   */
};
/* And, for each of our own headers: the call has one in its place. */
#define HTTP_CALL_OWN(which) (1u << (8 + (which)))

enum http_method { METHOD_UNSET, METHOD_GET, METHOD_HEAD, METHOD_BODY };

struct http_slot {
    struct http_pool *pool;
    struct http_call *call; /* NULL: idle, or cancelled while libcurl was on the stack     */
    CURL *easy;
    struct list link, later_link;
    bool added; /* to the multi                                                            */
    struct http_wire *wire;   /* that the call is on                                      */
    bool by_wire, connecting; /* it goes by wire; libcurl opens one for it                */
    bool to_head;             /* by wire: the method is HEAD                              */
    tr_str payload;           /* by wire: the body, behind `lines`                        */
    struct buf head;          /* by wire: of the answer                                   */
    int os_error;             /* by wire: what the socket said                            */

    /* The request; what was set stays set on the easy handle. */
    struct buf url;
    size_t origin_len; /* of it                                                            */
    CURLU *parsed; /* of parsed_url: most calls have the URL of the one before             */
    struct buf parsed_url;
    char verb[32];
    enum http_method method;
    bool connect_only;
    uint32_t read_size;
    struct buf lines; /* header lines, each with a NUL; by wire: all of the head; secrets  */
    struct curl_slist *nodes;
    size_t nodes_len, nodes_cap;

    /* A body with a source. */
    uint64_t given; /* bytes of it                                                         */
    bool asked;     /* for the first of them                                               */
    bool held;      /* libcurl waits for http_send_more()                                  */

    /* The answer. */
    struct timer timer; /* the nearest deadline                                            */
    int64_t begun_ms, heard_ms;
    int status;
    bool head_done;
    bool passed_over;   /* not the last answer: nobody hears of it                          */
    uint64_t signature; /* the signer's number                                              */
    bool renew;         /* send again with a new session                                    */
    char *next_url;     /* follow the redirect to here                                      */
    uint32_t hops;      /* redirects so far                                                 */
    bool elsewhere;     /* a redirect left the origin: no credentials any more              */
    bool bodyless;      /* a redirect made a GET of it                                      */
    bool refused;       /* an address was                                                   */
    int64_t received;
    bool body_cut;
    struct buf body;
    enum http_end end; /* if not HTTP_ANSWERED, we ended it, for the reason in `error`     */
    char error[512];
    char detail[CURL_ERROR_SIZE];
};

/* ---- pool.c ---- */

/* The pool has a multi, made where there is none. False: no memory, or no descriptor. */
bool http_multi_open(struct http_pool *pool);

/* Ends it, with all its connections. No slot is on it. */
void http_multi_close(struct http_pool *pool);

/* ---- call.c ---- */

/* Sends what waits, as far as there is room. */
void http_pool_pump(struct http_pool *pool);

/* After libcurl ran: hands over what is over, then pumps. */
void http_pool_settle(struct http_pool *pool);

/* Nobody would hear how the call of a busy slot ends: it fails, later. */
void http_slot_abandon(struct http_slot *slot, const char *why);

/* libcurl could not note down a socket, and does not say whose: what it has under way fails,
 * later, and its multi is closed. Version 7.88 without memory would never come back to that
 * transfer, would start no timer for the others, and divides by zero at the next socket that
 * has the same number. */
void http_pool_abandon(struct http_pool *pool, const char *why);

/* Runs the pool's `later`. */
void http_pool_later(struct timer *timer);

/* The call of a busy slot is over; `code` is libcurl's word. */
void http_slot_over(struct http_slot *slot, CURLcode code);

/* Lets go of the call without a word. */
void http_slot_drop(struct http_slot *slot);

/* Has libcurl open a connection for slot->url and no more. False: it does not. */
bool http_slot_connect(struct http_slot *slot);

/* Takes the easy handle off the multi. */
void http_slot_remove(struct http_slot *slot);

/* Puts a busy slot on pool->ended or pool->resumed. */
void http_do_later(struct http_pool *pool, struct list *list, struct http_slot *slot);

/* The pauses that a call is in, and no others, on its easy handle. */
void http_slot_pause(struct http_slot *slot);

/* ---- slot.c ---- */

struct http_slot *http_slot_new(struct http_pool *pool);
void http_slot_free(struct http_slot *slot);

/* Sets the request of slot->call on the easy handle: the URL is slot->url; `cookie` may be
 * empty. False: libcurl does not take the URL. */
bool http_slot_prepare(struct http_slot *slot, tr_str basic, tr_str cookie);

/* The same for a connection alone. */
bool http_slot_prepare_connect(struct http_slot *slot);

/* The method that the call is sent with, and whether with a body, be it an empty one. */
bool http_slot_verb(const struct http_slot *slot, const char **ret_verb);

/* ---- source.c ---- */

size_t http_give_body(char *to, size_t size, size_t count, void *slot);
int http_begin_request(void *slot, char *to, char *from, int to_port, int from_port);
int http_rewind_body(void *slot, curl_off_t offset, int origin);

/* Whether it may go out again because a kept connection had ended. */
bool http_slot_may_repeat(const struct http_slot *slot);

/* What was given is of no use any more. Without a source nothing happens. */
void http_slot_rewind(struct http_slot *slot);

/* ---- answer.c ---- */

size_t http_take_head(char *line, size_t size, size_t count, void *slot);
/* All of one, that of the answer. False: the call is over. */
bool http_take_whole_head(struct http_slot *slot, int status);
size_t http_take_body(char *bytes, size_t size, size_t count, void *slot);

/* Sees to it that the timer fires at the nearest deadline, or before. */
void http_slot_arm(struct http_slot *slot);
void http_slot_deadline(struct timer *timer);

/* ---- socket.c ---- */

void http_sockets_attach(struct http_pool *pool);

/* Those that libcurl closed without a word too. Its multi is closed. */
void http_sockets_forget(const struct http_pool *pool);
void http_sockets_fini(struct http *http);
curl_socket_t http_socket_open(void *slot, curlsocktype purpose, struct curl_sockaddr *address);
int http_socket_close(void *http, curl_socket_t fd);

/* ---- target.c ---- */

int http_target_find(struct http_pool *pool, const char *url, struct error *error);

/* The length of "scheme://user@host:port". */
size_t http_authority_len(const char *url);
void http_target_fini(struct http_target *target);

/* Is it written as an address that is not allowed? Behind a proxy nobody else asks. */
bool http_host_is_refused(const struct http_pool *pool, const char *host);

/* ---- check.c ---- */

/* What http_start() refuses; sets bits of the call. */
int http_check_call(struct http_judged *judged, struct http_call *call, struct error *error);
bool http_name_is(tr_str name, tr_str other);

/* ---- fault.c ---- */

/* "HOST:PORT" of a URL, for messages. */
void http_write_place(tr_str url, char *place, size_t cap);

/* Fills slot->end and slot->error from libcurl's word. */
void http_fault(struct http_slot *slot, CURLcode code);

/* Fills them with a reason of ours; "HOST:PORT" stands in front of the words. */
void http_fault_own(struct http_slot *slot, enum http_end end, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The value of Retry-After in ms: seconds, or a date against `wall_ms`; from 0 to an hour; 0
 * also when it is neither. */
int64_t http_retry_after(tr_str value, int64_t wall_ms);

#endif
