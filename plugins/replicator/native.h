/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the native mode share: links, and batches in the plugin's hands.
 *
 *     native.c      batches in; the clients, and the end
 *     address.c     the two databases of a batch, as URLs
 *     link.c        a link: one stream and its target, and which incarnations they are
 *     open.c        opening one: both databases are looked at, the target is made
 *     begin.c       where a stream begins, by what both ends know of earlier runs
 *     job.c         a batch on its way: round after round, and its outcome
 *     leaf.c        the leaves of its changes, and those that need no fetch
 *     diff.c        what the target lacks: _revs_diff
 *     fetch.c       documents with their histories, from the source: _bulk_get
 *     single.c      the same of a source that has no _bulk_get
 *     attach.c      what becomes of attachments
 *     multipart.c   a document with large ones, which flow from the source to the target
 *     write.c       groups of documents to the target: _bulk_docs
 *     refusal.c     what its answer means, leaf by leaf
 *     tell.c        tr.explain/1
 *     ask.c         one request, no longer than there is time
 *     checkpoint.c  the books of a link in `_local` of both ends: when they are written
 *     books.c       and in which steps they are read and written
 *     history.c     their form, and where two of them part
 *
 * A batch goes through rounds; those of several batches run side by side:
 *
 *     changes ──▶ leaves ──_revs_diff──▶ missing ──┬─ in the feed ─────────┬──▶ _bulk_docs
 *                                                  └─ _bulk_get ───────────┘        │
 *                    outcome of each change ◀── written, or refused ◀── leaf by leaf ┘
 *
 * Everything is on the instance's worker. Nothing here sleeps; what has to wait goes back to
 * the host.
 */
#ifndef NATIVE_H
#define NATIVE_H

#include "history.h"
#include "replicator.h"

#include <tailrace/bulk.h>
#include <tailrace/bulk_docs.h>
#include <tailrace/ext/position.h>
#include <tailrace/ext/template.h>
#include <tailrace/scan.h>
#include <tailrace/text.h>

enum {
    SHOWN_MAX = 180,       /* of a server's words in a message                             */
    ANSWER_MAX = 256 << 20 /* bytes of documents in an answer                              */
};

/* ---- one request ---- */

struct ask {
    tr_self *self;
    tr_http_client *client;
    uint64_t request, guard;
    int64_t begun_ms;
    uint32_t patience_ms;
    bool late; /* given up for the time that was left                                      */
    void (*answered)(struct ask *ask, const tr_http_response *response);
};

struct question {
    tr_http_client *client;
    const char *method;
    tr_str url;       /* of a database, or a server                                        */
    const char *path; /* behind it                                                         */
    tr_str body;
    const tr_http_part *parts; /* or NULL: instead of `body`                                */
    uint32_t parts_count;
    const char *type; /* of the body; NULL: JSON                                           */
    tr_ticket ticket; /* the batch whose deadline ends it, and no other; 0: none           */
    void (*answered)(struct ask *ask, const tr_http_response *response);
};

/* Sends it, for at most `left_ms`; NULL, or why not. */
const char *ask_send(tr_self *self, struct ask *ask, const struct question *question,
                     uint32_t left_ms);
/* Ends it early; answered() follows. */
void ask_cancel(struct ask *ask);
/* "error: reason" of an answer, or what there is instead, on one line. */
void ask_describe(const struct ask *ask, const tr_http_response *response,
                  char shown[SHOWN_MAX]);
/* Whether the answer is an error of this name. */
bool ask_is_error(const tr_http_response *response, const char *name);
/* Whether it says that there is no such database. */
bool ask_is_gone(const tr_http_response *response);

/* ---- links ---- */

/* The two ends of a link, for what there is of each. */
enum { SOURCE, TARGET };

enum link_state { LINK_NEW, LINK_OPENING, LINK_OPEN, LINK_BROKEN };

/* What a link writes of itself into `_local`, and how far it is with that. */
struct books {
    char id[REPLICATION_ID_HEX + 1];
    struct session session;
    tr_text position; /* all up to here is settled and durable; raw JSON                   */
    tr_text written;  /* what both ends have been told                                     */
    tr_text now;      /* what is being written                                             */
    tr_text found;    /* the document of the source, while one is being written            */
    tr_text revs[2];  /* raw `_rev` of the documents of both ends; empty: there is none    */
    tr_text older;    /* entries of earlier sessions                                       */
    struct ask ask;
    uint64_t timer;
    bool busy;      /* steps are under way                                                  */
    bool reading;   /* only to see where to begin                                           */
    bool read_next; /* the same is wanted when what is under way is over                    */
    bool told;      /* the target has the document, of this run                             */
    bool failing;   /* the last attempt did; said once                                      */
    bool given_up;  /* no more attempts                                                     */
    uint8_t step;
};

struct link {
    struct link *next;
    tr_self *self;
    char *stream, *db, *rule;
    tr_text source, target; /* URLs of the databases                                      */
    tr_text starts[2];      /* raw instance_start_time of both when it was first opened    */
    enum link_state state;
    struct job *waiting; /* for the link to open                                       */
    uint32_t jobs;       /* in hand                                                    */
    struct ask ask;      /* of the opening                                             */
    int64_t deadline_ms; /* of the opening: the first job's                            */
    bool fresh;          /* the target had nothing when the link was opened            */
    bool made;           /* the target was made by this opening                        */
    bool proven;         /* the source had revisions that the feed named               */
    bool no_bulk_get;    /* the source has no _bulk_get                                */
    uint32_t lacking;    /* batches in a row of which the target lacked everything     */
    uint32_t undiffed;   /* and of those since, that went without the question         */
    uint32_t most;       /* documents of a request, as the target bears them           */
    struct books books;
    uint64_t question; /* where to begin, asked by the host; 0: answered               */
    tr_text seq;       /* where the host would                                         */
    uint64_t again;    /* timer                                                        */
    uint32_t tries;    /* to find it out                                               */
    bool has_checkpoint, judged;
    bool lost;   /* the target was not there when it was asked for                         */
    bool remade; /* it is another now: the host is to begin again                          */
    char why[MESSAGE_MAX]; /* broken                                                       */
};

/* ---- batches ---- */

enum leaf_state {
    LEAF_OPEN,    /* the target lacks it, or was not asked                                 */
    LEAF_ASKED,   /* the source was asked for it                                           */
    LEAF_INLINE,  /* it is to be asked for with the content of its attachments             */
    LEAF_LARGE,   /* its document is in job->docs, its attachments flow, see multipart.c   */
    LEAF_READY,   /* its document is in job->docs                                          */
    LEAF_GONE,    /* the source does not have it                                           */
    LEAF_POSTED,  /* its document is in the request under way                              */
    LEAF_SETTLED, /* the target has it, or the source does not any more                    */
    LEAF_REFUSED  /* for good                                                              */
};

struct leaf {
    uint32_t change;
    uint8_t state;
    tr_str rev; /* raw, with its quotes: a slice of the row                                */
    tr_text_part doc;
    uint64_t content; /* bytes of its attachments                                          */
};

struct job {
    tr_self *self;
    struct link *link;
    struct job *next;
    const tr_batch *batch;
    tr_bulk bulk; /* changes; its group is what is fetched and written now                 */
    struct leaf *leaves;
    uint32_t leaves_count;
    uint32_t *first;       /* place of the first leaf of a change; one more at the end     */
    tr_text_part *reasons; /* why a leaf of the change was refused; in `notes`             */
    uint32_t timeout_ms;   /* what it had for all when it came                              */
    bool diffed;
    bool looked;         /* at the source, whether it is what it was                       */
    bool contents;       /* what is asked for now comes with its attachments               */
    uint32_t post_limit; /* leaves of a post while one is looked for; 0: no limit          */
    uint32_t posted;     /* leaves in the request under way                                */
    uint32_t single;     /* change, or leaf, that is asked for or written alone            */
    tr_text body, docs, notes, scratch;
    struct ask ask;
};

/* native.c */
/* The URLs as templates. */
tr_status native_compile(tr_self *self, tr_error *error);

/* address.c */
/* `option` is its name for the error. [control] */
tr_status address_check(const tr_self *self, const char *option, const char *text,
                        tr_error *error);
/* The URL for a database of the source; TR_REJECT: it can be none, TR_EAGAIN: no memory. */
tr_status address_make(tr_self *self, const tr_template *url, tr_str db, tr_text *out);
/* The part before the database's name, without a slash at its end. */
tr_str address_server(tr_str url);
tr_str address_name(tr_str url);
/* "/ID"; the slash of "_design/" stays one. */
void address_add_id(tr_text *out, tr_str id);
/* Without the user, for what is compared and hashed. */
void address_add_bare(tr_text *out, tr_str url);

/* link.c */
/* Made if there is none. NULL: no memory. */
struct link *link_of(tr_self *self, tr_str stream, tr_str db, tr_str rule);
struct link *link_find(tr_self *self, tr_str stream);
/* The target is not there any more: it is looked for before the next batch. */
void link_lose(struct link *link);
/* That end was made anew. A target begins again; what a source had before it was is gone, and
 * its link is broken. */
void link_break(struct link *link, int end);
/* The books of the target, which had been told, are not there. False: a server that says when
 * a database was made would know better. */
bool link_misses_books(const struct link *link);
/* Whether an answer of GET DATABASE is of the database that the link was opened with. */
bool link_is_same(const struct link *link, int end, tr_str info);
/* Keeps which it is; false: it is another than before, and the link is broken. */
bool link_take_start(struct link *link, int end, tr_str info);
void link_free_all(tr_self *self);

/* open.c */
/* Looks at both databases; then jobs that wait go on, and begin_opened() is called. */
void link_open(struct link *link, int64_t deadline_ms);
/* The job goes on when the link is open. */
void link_wait(struct link *link, struct job *job);

/* begin.c */
void begin_stream(tr_self *self, const tr_begin *begin);
void begin_opened(struct link *link, const char *why);
/* The documents of both ends, "{}" where there is none; or why they cannot be read. */
void begin_read(struct link *link, const char *why, tr_str source, tr_str target);

/* job.c */
struct job *job_new(tr_self *self, const tr_batch *batch);
void job_free(struct job *job);
void job_advance(struct job *job);
void job_refuse_leaf(struct job *job, struct leaf *leaf, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Every change of the batch, for the same reason. */
void job_refuse_all(struct job *job, const char *why);
/* Every change of the batch: there is nothing to be copied. */
void job_settle_all(struct job *job);
/* For an answer that is none to go by. */
void job_fail_answer(struct job *job, const char *what, const tr_http_response *response);
void job_send(struct job *job, const struct question *question);
/* The changes with the id that a raw JSON string is; NULL: none. */
const tr_bulk_key *job_find(struct job *job, tr_str raw_id, uint32_t *ret_count);
static inline struct job *job_of(struct ask *ask)
{
    return (struct job *)(void *)((char *)ask - offsetof(struct job, ask));
}

/* leaf.c */
/* False: no memory. Changes that name no revision are rejected. */
bool leaf_list(struct job *job);
/* Whether the document of the change is the whole of its only leaf. */
bool leaf_is_fast(const struct job *job, uint32_t i);
/* Appends it, with the history that it has by itself. */
void leaf_add_from_feed(const tr_self *self, tr_text *out, const tr_change *change);

/* diff.c */
bool diff_is_needed(struct job *job);
void diff_skip(struct job *job);
void diff_send(struct job *job);
void diff_add_body(struct job *job, tr_text *out);

/* fetch.c, single.c */
const char *fetch_path(const struct job *job);
bool fetch_is_needed(const struct job *job);
void fetch_send(struct job *job);
void fetch_add_body(struct job *job, tr_text *out);
/* Takes what was answered for one id: [{"ok":{…}},{"error":{…}},…]. */
void fetch_take_docs(struct job *job, const tr_bulk_key *keys, uint32_t count, tr_str docs);
/* What becomes of leaves that the source does not have, or did not speak of. */
void fetch_close(struct job *job);
/* Whether there are some, and nothing that shows that the source is the right one. */
bool fetch_doubts(const struct job *job);
/* Looks at it. */
void fetch_look(struct job *job);
void single_send(struct job *job);

/* attach.c */
/* How a document that came without the content of its attachments goes on: LEAF_READY,
 * LEAF_INLINE or LEAF_LARGE; `ret_content` is their size. */
enum leaf_state attach_judge(const tr_self *self, tr_str doc, uint64_t *ret_content);
/* The bytes of one, of its object in a document, as the source sends it. */
uint64_t attach_length(tr_str attachment);
/* Chooses of those that are to be asked for with content as many as one answer may have. */
bool attach_ask(struct job *job);
/* Appends a document as it is written, without its opening brace; false: it is refused, and
 * `ret_why` says why. */
bool attach_add_members(const tr_self *self, tr_text *out, tr_str doc, const char **ret_why);
/* Whether a document of the feed, which has no content of attachments, may be written. */
bool attach_allows_feed(const tr_self *self, tr_str attachments);

/* multipart.c */
/* Sends one that has large attachments; false: there is none. */
bool multipart_send(struct job *job);

/* write.c, refusal.c */
/* Posts some of what is ready; false: nothing is. */
bool write_send(struct job *job);
void refusal_take(struct job *job, const tr_http_response *response);

/* checkpoint.c */
void checkpoint_settled(struct link *link, tr_str seq);
/* Both ends have been told of this position. */
void checkpoint_known(struct link *link, tr_str seq);
/* Nothing that they were told holds for the target any more. */
void checkpoint_forget(struct link *link);
/* TR_PENDING while documents are being written; half of the time has to do to begin them. */
tr_status checkpoint_flush(tr_self *self, int64_t deadline_ms);
/* The end of books_write(): both ends have been told of books->now; or not, and why,
 * which is empty where a stop has left them out. */
void checkpoint_done(struct link *link, const char *why);

/* books.c */
void books_begin_session(struct link *link);
/* Reads the documents of both ends for begin_read(). */
void books_read(struct link *link);
/* Tells both ends of books->now; checkpoint_done() follows. */
void books_write(struct link *link);
void books_fini(struct link *link);
static inline bool checkpoint_is_due(const struct link *link)
{
    const struct books *books = &link->books;

    return books->position.len > 0 && !books->given_up && !link->remade &&
           !tr_str_eq(tr_text_str(&books->position), tr_text_str(&books->written));
}

#endif
