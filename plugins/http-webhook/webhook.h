/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of http-webhook share: an instance, and a batch in its hands.
 *
 *     http-webhook.c  the descriptor, and an instance's life
 *     options.c       the table of options, and what a table cannot say
 *     plan.c          URL, headers and body as the options want them, prepared once
 *     pieces.c compose.c text.c   what a plan is made of
 *     batch.c         a batch: one request after the other, and its outcome
 *     request.c       one request: rendered, signed, sent
 *     key.c           what tells an attempt from another change
 *     debounce.c      requests that are alike share one
 *     answer.c        what an answer means
 *     sign.c          digests and signatures
 *     explain.c       tr.explain/1
 *
 * Batches run side by side; the changes of one batch run one after the other. Nothing here
 * sleeps or tries again: that is the host's, by the outcome.
 */
#ifndef WEBHOOK_H
#define WEBHOOK_H

#include "pieces.h"
#include "sign.h"

#include <stdatomic.h>

#include <tailrace/connection.h>
#include <tailrace/ext/secrets.h>

enum { JOBS_MAX = 512, STATUS_MAX = 1000, MESSAGE_MAX = 256, KEY_MAX = 200 };

/* The places of the choices of `method`. */
enum { METHOD_GET, METHOD_POST, METHOD_PUT, METHOD_PATCH, METHOD_DELETE, METHOD_HEAD };

/* Options as tr_bind() fills them in. */
struct options {
    char *url, *body, *content_type, *success, *reject_on;
    int32_t method; /* -1: not set                                                         */
    int32_t block, debounce, idempotency;
    int64_t batch_changes, timeout_ms, max_redirects;
    tr_connection connection;
};

struct plan_header {
    char *name;
    struct pieces value;
    bool secret; /* never shown                                                            */
};

/* A request, prepared. */
struct plan {
    struct pieces url, body;
    struct plan_header *headers;
    uint32_t headers_count;
    bool has_body; /* the method sends one                                                 */
    bool same_url; /* URL and headers are alike for all changes                            */
};

struct flight;

/* A batch in hand, with buffers that the next batch takes over. */
struct job {
    tr_self *self;
    struct job *link; /* of the free ones, of those that wait, of a flight                 */
    struct job *all;  /* the next of all jobs of the instance                              */
    /* Which batch it has, and whether that was cancelled: all that cancel() may touch. */
    _Atomic uint64_t ticket, cancelled;
    const tr_batch *batch;
    int32_t *items; /* outcomes; TR_RETRY until one is known                               */
    uint32_t items_cap;
    uint32_t next, group; /* the first change without an outcome; how many are sent at once */
    uint32_t limit;       /* changes of a request while a refused group is halved           */
    uint32_t settled, rejected;
    int64_t enough_ms; /* with less time left, no more is begun; -1: not yet known         */
    uint32_t left_ms;  /* as job_is_late() found it                                        */
    bool failed; /* the rest of the batch is to be sent again                              */
    uint32_t retry_after_ms;
    char message[MESSAGE_MAX];

    struct text url, body, values, other; /* the request; another's URL, for comparison    */
    tr_http_header *headers;
    uint32_t headers_count;
    char key[KEY_MAX], signature[SIGNATURE_MAX], timestamp[24];
    char origin[DIGEST_HEX + 1]; /* of the batch, see key.c; empty: not yet known          */

    struct digest *alike; /* debounce: of each change's request                            */
    uint32_t alike_cap;
    struct flight *flight;
};

struct tr_self {
    const tr_host *host;
    const tr_http *http;
    const tr_secrets *secrets;
    struct tables tables;
    struct options options;
    struct plan plan;
    uint8_t verdicts[STATUS_MAX]; /* TR_OK, TR_REJECT or TR_RETRY, by status                */
    struct signer *signer;        /* NULL: no signature                                    */
    struct hasher *hasher;
    char *signature_header, *timestamp_header;
    char missing[MESSAGE_MAX]; /* a secret that could not be had: start() fails             */
    tr_http_client *client;

    struct job *idle, *waiting; /* waiting: with `block`, in order                         */
    struct job *_Atomic jobs;   /* all; cancel() walks them while more are made              */
    uint32_t jobs_count, active;
    struct flight *flights;
};

/* What an answer means for those who wait for it. */
struct verdict {
    tr_status status; /* TR_OK, TR_RETRY or TR_REJECT                                      */
    uint32_t retry_after_ms;
    char message[MESSAGE_MAX];
};

/* options.c [control] */
enum { OPTIONS_COUNT = 22 };
extern const tr_option webhook_options[OPTIONS_COUNT];
extern const char *const webhook_methods[];
tr_status options_load(tr_self *self, const tr_config *config, tr_error *error);
void options_free(tr_self *self);
bool content_is_json(const char *type);

/* plan.c [control] */
tr_status plan_make(tr_self *self, const tr_config *config, tr_error *error);
void plan_free(tr_self *self);
bool header_is_token(tr_str name);
bool header_is(tr_str name, const char *other);

/* answer.c */
/* Reads "200-299,304" into `verdicts`; TR_EINVAL: it is not of that form. [control] */
tr_status answer_set(uint8_t *verdicts, const char *ranges, tr_status status, tr_error *error);
void answer_judge(const struct job *job, const tr_http_response *response,
                  struct verdict *ret_verdict);
/* Appends a URL as a person may see it: values of parameters that smell of a secret are "***";
 * `brief` leaves out all of the query. */
void answer_add_url(struct text *out, tr_str url, bool brief);

/* request.c [worker] */
/* Renders the request for the change job->next and, if the options say so, for more behind it;
 * sets job->group. TR_REJECT and TR_RETRY fill `ret_verdict`. */
tr_status request_render(struct job *job, struct verdict *ret_verdict);
/* Adds what only a request that is sent has: idempotency key and signature. False: no memory.
 */
bool request_seal(struct job *job);
/* The URL that was rendered. */
tr_str request_url(const struct job *job);
/* Seals and sends; `done` gets the job. What fails fills `ret_verdict`. */
tr_status request_send(struct job *job, uint32_t timeout_ms,
                       void (*done)(void *job, const tr_http_response *response),
                       struct verdict *ret_verdict);
/* A digest of all that is rendered. */
void request_digest(struct job *job, struct digest *ret_digest);

/* key.c [worker] */
/* The idempotency key of what is sent next; the job's, until the next one. */
tr_str key_make(struct job *job);

/* batch.c [worker] */
struct job *job_take(tr_self *self, const tr_batch *batch);
void job_free(struct job *job);
/* Sends what can be sent next, or ends the batch. */
void job_advance(struct job *job);
/* Gives the outcome for what was sent. */
void job_apply(struct job *job, const struct verdict *verdict);
/* The batch was cancelled or its time is over. */
bool job_is_late(struct job *job);
/* What is left for a request, at most the option `timeout`. */
uint32_t job_time_left(const struct job *job);

/* debounce.c [worker] */
/* Digests the requests of all changes of a new batch. */
void debounce_begin(struct job *job);
/* The request for job->next is rendered: sends it, or waits for one alike. Other than TR_OK: it
 * could not be sent. */
tr_status debounce_enter(struct job *job, struct verdict *ret_verdict);
/* Whether the change `i` of the job is settled by the flight that the job is in. */
bool debounce_covers(const struct job *job, uint32_t i);
/* Calls `each` for every job that the flight's next request speaks for. */
void debounce_each(struct flight *flight, void (*each)(const struct job *job, void *user),
                   void *user);

/* explain.c */
const void *explain_table(void);

#endif
