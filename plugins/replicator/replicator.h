/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of replicator share: an instance, and, of the server mode, the one replication
 * that it has under way.
 *
 *     replicator.c  the descriptor, and an instance's life
 *     options.c     the table of options, and what a table cannot say
 *     endpoint.c    source and target: a URL taken apart, or the name of a database
 *     explain.c     tr.explain/1
 *
 * mode = "server": a server is asked to replicate
 *     body.c        the request's body, with passwords that nobody else sees
 *     run.c         batches in, one replication after the other, outcomes out
 *     answer.c      what the server's answer means
 *
 * mode = "native": the plugin does it itself; native.h names the files
 *
 * An instance costs little while nothing changes: its options, and no buffer, timer or
 * connection. There may be ten thousand.
 */
#ifndef REPLICATOR_H
#define REPLICATOR_H

#include <tailrace/connection.h>
#include <tailrace/ext/json.h>
#include <tailrace/ext/position.h>
#include <tailrace/ext/secrets.h>
#include <tailrace/ext/template.h>
#include <tailrace/ext/timer.h>

#include <stdbool.h>

enum { MESSAGE_MAX = 256 };

/* The places of the choices. */
enum { MODE_NATIVE, MODE_SERVER };
enum { ATTACHMENTS_COPY, ATTACHMENTS_DROP, ATTACHMENTS_REJECT };

/* Options as tr_bind() fills them in. */
struct options {
    char *source, *source_url, *target, *server, *body;
    int64_t delay_ms, timeout_ms;
    int64_t q, n, write_docs, write_bytes, fetch_docs, attachments_inline, checkpoint_ms;
    int32_t mode, create_target, winning_revs_only, attachments;
    tr_connection connection;
};

/* A batch in hand. */
struct part {
    struct part *next;
    tr_ticket ticket;
    int64_t deadline_ms;
    uint32_t count;
};

struct tr_self {
    const tr_host *host;
    const tr_http *http;
    const tr_json *json;
    const tr_secrets *secrets;
    const tr_timer *timer;
    const tr_template_api *tmpl;
    const tr_position_host *position; /* NULL: the host asks nobody                        */
    struct options options;

    /* native */
    tr_http_client *source_client, *target_client;
    tr_template *source_url, *target_url;
    struct link **links; /* by stream                                                      */
    uint32_t links_room, links_count;
    bool flushing; /* it ends: what is written now is the last                             */
    int64_t flush_until_ms; /* and begun before this                                       */

    /* server */
    tr_http_client *client;
    struct part *covered; /* the replication under way began after their changes were there */
    struct part *waiting; /* for the next one                                              */
    bool running;
    bool late;        /* the one under way was given up for its time                       */
    bool sure;        /* the one before was heard to its end: no other can be joined       */
    int64_t begun_ms; /* when the one under way was asked for                              */
    int64_t due_ms;   /* when what was collected shall run; 0: nothing was                 */
    uint64_t request, guard;
};

/* What an answer means. */
struct verdict {
    tr_status status; /* TR_OK, TR_RETRY or TR_REJECT                                      */
    bool heard;       /* that replication is over: the next one is another                 */
    bool again;       /* it may have begun before it was asked for: ask once more          */
    uint32_t retry_after_ms;
    char message[MESSAGE_MAX];
};

/* A URL or a database name, in slices of its text. */
struct endpoint {
    bool is_url;
    tr_str scheme;   /* "https://"                                                          */
    tr_str user;     /* as the URL has it, percent-encoded; empty: none                     */
    tr_str password; /* the same                                                            */
    tr_str hostname; /* without port                                                        */
    tr_str rest;     /* host, port and path                                                 */
};

/* Text into a buffer that is as long as it is: what does not fit is only counted. So it is
 * written twice, and no copy of a secret stays behind in memory that was outgrown. */
struct out {
    char *ptr;
    size_t len, cap;
};

/* options.c [control] */
enum { OPTIONS_COUNT = 24 };
extern const tr_option replicator_options[OPTIONS_COUNT];
tr_status options_judge(const tr_self *self, tr_error *error);

/* endpoint.c */
/* TR_EINVAL: neither http(s)://HOST/DATABASE nor a name. */
tr_status endpoint_parse(const char *text, struct endpoint *ret_endpoint, tr_error *error);
/* Appends the URL to ask: `server`, or the source's server, with /_replicate. */
void endpoint_add_server(struct out *out, const struct options *options);
/* Appends it as a person may see it. */
void endpoint_add_shown(struct out *out, const char *text);

/* body.c */
void out_add(struct out *out, tr_str text);
void out_add_c(struct out *out, const char *text);
/* The fields of the option `body`, without their braces. */
tr_str body_fields(const struct options *options);
/* The body, on the heap: give it back with body_free(). TR_ENOENT: a password is not known,
 * `message` says which. TR_EAGAIN: no memory. */
tr_status body_make(const tr_self *self, tr_str *ret_body, char message[MESSAGE_MAX]);
void body_free(tr_str body);

/* answer.c */
void answer_judge(const tr_self *self, const tr_http_response *response, int64_t elapsed_ms,
                  struct verdict *ret_verdict);

/* run.c [worker] */
int64_t now_ms(void);
tr_status run_process(tr_self *self, const tr_batch *batch, tr_outcome *ret_outcome);

/* native.c */
/* What a table cannot say of the options. [control] */
tr_status native_judge(const tr_self *self, tr_error *error);
tr_status native_start(tr_self *self, tr_error *error);
void native_stop(tr_self *self);
tr_status native_process(tr_self *self, const tr_batch *batch, tr_outcome *ret_outcome);
tr_status native_flush(tr_self *self, int64_t deadline_ms);
const void *native_position_table(void);

/* tell.c */
/* What explain() says of this mode. [control] */
tr_status native_explain(tr_self *self, const tr_batch *batch,
                         void (*line)(void *user, tr_str text), void *user);

/* explain.c */
const void *explain_table(void);

#endif
