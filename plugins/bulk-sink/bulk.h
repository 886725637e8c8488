/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of bulk-sink share: an instance, and a batch in its hands.
 *
 *     bulk-sink.c  the descriptor, and an instance's life
 *     options.c    the table of options, and what a table cannot say
 *     address.c    the databases of a batch, as URLs
 *     name.c       the name of the target, made of the source's
 *     plan.c       what a change asks for: its kind, its document as it is sent
 *     batch.c      a batch: one round after the other, and its outcome
 *     request.c    one request of a round
 *     look.c       what the target has, for changes that must fit to it   (new_edits true)
 *     fetch.c      documents with their revisions, from the source        (new_edits false)
 *     found.c      what the source's answers have of them
 *     answer.c     what the answer to _bulk_docs means
 *     explain.c    tr.explain/1
 *     splice.c     documents without some of their members
 *
 * What became of each change is in the SDK's tr_bulk; here is how it is found out. A batch goes
 * through rounds. Each takes the changes that have no outcome yet, asks the target
 * or the source about those where it must, and posts what is left:
 *
 *     changes ──pick──▶ group ──look | fetch──▶ body ──POST _bulk_docs──▶ outcomes
 *                        ▲                                                   │
 *                        └──── a conflict; half of a group that was refused ─┘
 *
 * Batches run side by side. Nothing here sleeps; what has to wait goes back to the host.
 */
#ifndef BULK_H
#define BULK_H

#include "splice.h"

#include <tailrace/bulk.h>
#include <tailrace/bulk_docs.h>
#include <tailrace/connection.h>
#include <tailrace/ext/timer.h>
#include <tailrace/scan.h>
#include <tailrace/text.h>

#include <stdbool.h>

enum {
    INFLIGHT_MAX = 64,
    MESSAGE_MAX = 256,
    SHOWN_MAX = 180,       /* of a server's words in it                                      */
    TRIES_MAX = 8,         /* writes over a target that changes, before the batch waits      */
    ANSWER_MAX = 256 << 20 /* bytes of documents in an answer                                */
};

/* The places of the choices. */
enum { CONFLICT_OVERWRITE, CONFLICT_SKIP, CONFLICT_DEAD_LETTER };
enum { DELETES_APPLY, DELETES_SKIP };
enum { ATTACHMENTS_REJECT, ATTACHMENTS_DROP };

/* Options as tr_bind() fills them in. */
struct options {
    char *url, *database, *pattern, *source_url;
    int64_t q, n, timeout_ms;
    int32_t new_edits, create_target, on_conflict, deletes, attachments;
    tr_connection connection;
};

enum kind { KIND_INSERT, KIND_UPDATE, KIND_DELETE };

/* A change of a batch. */
struct item {
    uint8_t kind;
    uint8_t looks;  /* how often the target was asked about it                           */
    bool is_first;  /* a first revision: it is sent as it came, and the source not asked */
    bool must_look; /* before it is posted, the target is to be asked what it has        */
    bool knows;     /* it was asked: `rev` is what the document has there; empty: nothing */
    bool in_group;  /* it is in the request under way, and no answer spoke of it yet     */
    bool posted;    /* and it is in its body, whatever became of it since                */
    bool fetched, sent, missing, replaced, unclear; /* what the source said, see found.c   */
    tr_text_part rev; /* in job->notes                                                     */
};

/* A batch in hand: gone with it, so that an instance without work holds no memory. */
struct job {
    tr_self *self;
    const tr_batch *batch;
    tr_bulk bulk; /* its group is the request under way                                    */
    struct item *items;
    bool made;   /* the target was created in this batch: not once more                     */
    bool late;   /* the request under way was given up for the batch's time                 */
    bool newest; /* the source is asked for what replaced a revision                      */
    uint32_t at; /* place in the group of the one document that it is asked for           */

    tr_text target;  /* URL of the database                                            */
    tr_text source;  /* the same of the source; empty with new_edits                   */
    tr_text path;    /* behind one of them                                             */
    tr_text body;    /* of the request                                                 */
    tr_text notes;   /* revisions of the target                                        */
    tr_text scratch; /* two documents to compare; an id                                */
    int64_t asked_ms;
    uint32_t patience_ms; /* the request's timeout                                          */
    uint64_t request, guard;
    void (*answered)(struct job *job, const tr_http_response *response);
};

struct tr_self {
    const tr_host *host;
    const tr_http *http;
    const tr_json *json;
    const tr_timer *timer;
    struct options options;
    struct name *name; /* NULL: `url` is the database's                                    */
    tr_http_client *client;
    uint32_t most; /* documents of a request, as the server bears them; 0: no limit        */
    int64_t singles_until_ms; /* the source has no _bulk_get; then it is asked again      */
};

/* options.c [control] */
enum { OPTIONS_COUNT = 18 };
extern const tr_option bulk_options[OPTIONS_COUNT];
tr_status options_load(tr_self *self, const tr_config *config, tr_error *error);
void options_free(tr_self *self);

/* address.c */
/* http(s)://HOST, with a path if `with_path` says so; `option` is its name for the error. */
tr_status address_check(const char *option, const char *url, bool with_path, tr_error *error);
/* Fills job->target and job->source. TR_REJECT: there can be no such database, `ret_why` says
 * why. TR_RETRY: no memory. */
tr_status address_make(struct job *job, char ret_why[MESSAGE_MAX]);
/* The server with its user, for what shares connections. */
tr_str address_server(const char *url);
/* The last segment of a URL. */
tr_str address_name(tr_str url);

/* name.c */
struct name;
/* `pattern` may be NULL. Free with name_free(). */
tr_status name_new(const char *text, const char *pattern, struct name **ret_name,
                   tr_error *error);
void name_free(struct name *name);
/* Appends the name for the source's database. TR_REJECT: there is none, and why. TR_RETRY: no
 * memory. */
tr_status name_make(const struct name *name, tr_str db, tr_text *out,
                    char ret_why[MESSAGE_MAX]);

/* plan.c */
/* What the change `i` is. Settles what is skipped or refused. */
void plan_item(struct job *job, uint32_t i);
/* Appends the document of a change as it is posted, with new_edits true. */
void plan_add_doc(struct job *job, tr_text *out, uint32_t i);
/* Appends one that the source gave. False: it must not be sent. */
bool plan_add_copy(struct job *job, tr_text *out, const struct splice *splice);
/* The same with the change's own document, which a transform has made of that revision. */
bool plan_add_transformed(struct job *job, tr_text *out, uint32_t i,
                          const struct splice *splice);
/* The document of a change as it came, with the history of a first revision. */
void plan_add_first(struct job *job, tr_text *out, uint32_t i);
/* Whether the target's document is that of the change already. */
bool plan_is_same(struct job *job, uint32_t i, tr_str there);

/* batch.c [worker] */
int64_t now_ms(void);
/* Its changes are planned; NULL: no memory. */
struct job *job_new(tr_self *self, const tr_batch *batch);
void job_free(struct job *job);
/* Chooses the changes of the next request; false: all have an outcome. */
bool job_pick(struct job *job);
/* Goes on, or ends the batch. */
void job_advance(struct job *job);
/* The keys of the changes with the id that a raw JSON string is; NULL: none. */
const tr_bulk_key *job_find(struct job *job, tr_str raw_id, uint32_t *ret_count);
uint32_t job_time_left(const struct job *job);

/* Whether the change is in the request under way and waits for what the answer says of it. */
static inline bool job_waits(const struct job *job, uint32_t i)
{
    return job->items[i].in_group && tr_bulk_is_open(&job->bulk, i);
}

/* Of the request under way: refused for good. Without memory for the reason it stays open, and
 * leaves the group, in which silence may be a yes. */
void job_reject(struct job *job, uint32_t i, tr_str why);

/* request.c [worker] */
struct target_request {
    const char *method;
    const tr_text *database; /* job->target or job->source                             */
    tr_str path;             /* behind it                                              */
    tr_str body;
    void (*answered)(struct job *job, const tr_http_response *response);
};
/* Sends it; without success the job fails. */
void request_send(struct job *job, const struct target_request *request);
/* For all that is no answer to go by: the job fails, with the server's words. */
void request_fail(struct job *job, const char *what, const tr_http_response *response);
/* "error: reason" of an answer, or what there is instead, on one line. */
void request_describe(const tr_self *self, const tr_http_response *response,
                      char shown[SHOWN_MAX]);
/* Whether the answer is an error of this name. */
bool request_is_error(const tr_http_response *response, const char *name);

/* look.c, fetch.c [worker] */
bool look_is_needed(const struct job *job);
void look_send(struct job *job);
void look_add_body(struct job *job, tr_text *out);
/* Asks the source and posts what it answers, or posts at once where that is not needed. */
void fetch_send(struct job *job);
bool fetch_is_needed(const struct job *job);
/* Appends the documents that are sent without asking, behind a '[' or other documents. */
void fetch_add_firsts(struct job *job, tr_text *out);
void fetch_add_body(struct job *job, tr_text *out);
void fetch_add_path(const struct job *job, tr_text *out);
/* How many documents the source shall be asked for at once; 0: no limit. */
uint32_t fetch_most(const tr_self *self);

/* found.c [worker] */
/* The "results" of _bulk_get; the answer about one change by open_revs. */
void found_take_results(struct job *job, tr_str results);
void found_take_one(struct job *job, uint32_t i, tr_str docs);

/* answer.c [worker] */
/* Posts job->body. */
void answer_post(struct job *job);
/* The database is missing: it is made, or the job fails. False: that is not the trouble. */
bool answer_make_target(struct job *job, const tr_http_response *response);

/* explain.c */
const void *explain_table(void);

#endif
