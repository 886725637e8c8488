/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of postgres-sink share.
 *
 *     postgres-sink.c  the descriptor, an instance's life, a batch from begin to end
 *     options.c        the table of options, and what a table cannot say
 *     names.c          the tables of a batch
 *     session.c        the connection: made when it is needed, and never waited for too long
 *     verdict.c        what an error of the server means
 *     write.c          a group of changes as one statement
 *     replay.c         dead letters that are sent again
 *     explain.c        tr.explain/1
 *     array.c          arrays of texts as PostgreSQL takes them
 *
 * Why each change is written once, whatever is cut off where:
 *
 *  1. A group is one statement, and so one transaction: rows, deletions and position together.
 *     A group is a batch, or a part of one in which the server found a document that it does
 *     not take. An answer that never came leaves open whether it happened; the batch comes
 *     again and both is well.
 *
 *  2. Nothing comes late. `owner` in the position's row of the stream is a number of this one
 *     connection. Each statement takes that row first and does nothing if it is not the owner.
 *     A new connection makes itself the owner before it writes, which waits for a statement of
 *     the one before it that is under way, and turns away one that the server has not begun
 *     (as kill -9 leaves them behind). So what a stream sends takes effect in its order.
 *
 *  3. The same state again writes nothing: the row has that revision and that document.
 *     Whether it was this batch before, or another that was cut otherwise, in another lane, by
 *     bisection, or after the source went back, makes no difference.
 *
 *  4. An older state again writes nothing either. What a row was before it was replaced or
 *     deleted is remembered with the change that replaced it, as md5(id, rev, seq): a row of
 * the feed that is equal in all three is the same event, and was settled. (Equal is all that a
 *     seq is asked for. The id and revision alone would not do: a revision that had lost may
 * win again, and that is news, with another seq.) As many are remembered as the host may send
 * again. CouchDB sends older states seldom, since its feed has only the newest of each
 *     document; a file has them all.
 *
 * What is wrong in 3 or 4 would write too often, never too little: final states are right
 * without 4.
 */
#ifndef PG_H
#define PG_H

#include "array.h"

#include <tailrace/bulk.h>
#include <tailrace/ext/secrets.h>
#include <tailrace/ext/template.h>

#include <libpq-fe.h>

#include <stdbool.h>

enum { WORDS_MAX = 224, OWNER_MAX = 40 };

/* The places of the choices. */
enum { DELETES_DELETE, DELETES_MARK, DELETES_SKIP };

enum { COLUMN_DB, COLUMN_ID, COLUMN_REV, COLUMN_DOC, COLUMN_DELETED, COLUMN_CHANGE, COLUMNS };

/* Options as tr_bind() fills them in. */
struct options {
    char *conninfo, *password, *table;
    int64_t connect_timeout_ms, timeout_ms, remember;
    int32_t create_table, deletes;
};

/* The tables of a batch, quoted: they stand in statements as they are. */
struct names {
    tr_text table, position, replaced;
};

struct tr_self {
    const tr_host *host;
    const tr_secrets *secrets;
    const tr_template_api *tmpl;
    struct options options;
    char *columns[COLUMNS];      /* quoted                                                */
    tr_template *schema, *table; /* `schema` may be NULL                                  */
    PGconn *conn;                /* NULL: none                                            */
    char owner[OWNER_MAX];       /* of this connection                                    */
    tr_bulk bulk;
    struct names names;
    tr_text sql;
    uint32_t most; /* changes of a statement, as the server gets done in time; 0: no limit */
    bool late;     /* the last statement was given up for its time                        */
    char words[WORDS_MAX]; /* what went wrong last                                  */
};

/* postgres-sink.c */
/* Begins self->bulk with the batch, and settles what is skipped or refused. */
tr_status plan_batch(tr_self *self, const tr_batch *batch);

/* options.c [control] */
enum { OPTIONS_COUNT = 9 };
extern const tr_option pg_options[OPTIONS_COUNT];
tr_status options_load(tr_self *self, const tr_config *config, tr_error *error);
void options_free(tr_self *self);

/* names.c */
/* Splits and compiles the option `table`. */
tr_status names_compile(tr_self *self, tr_error *error);
/* Fills self->names. TR_REJECT: there can be no such table, self->words says why. TR_RETRY: no
 * memory. */
tr_status names_make(tr_self *self, const tr_batch *batch);
void names_free(tr_self *self);
/* Appends a quoted identifier. */
void names_add_quoted(tr_text *out, tr_str name);
/* Appends a statement, with {table}, {position}, {replaced} and the names of columns in it. */
void names_add_sql(tr_self *self, tr_text *out, const char *pattern);

/* session.c [worker] */
int64_t now_ms(void);
/* Connects if there is no connection. False: self->words says why not. */
bool session_open(tr_self *self, int64_t deadline_ms);
void session_close(tr_self *self);

/* A statement's parameters: texts, and arrays of texts in PostgreSQL's binary form. */
enum { PARAMS_MAX = 12 };
struct params {
    int count;
    Oid types[PARAMS_MAX];
    const char *values[PARAMS_MAX];
    int lengths[PARAMS_MAX], formats[PARAMS_MAX];
};
void params_add_text(struct params *params, const char *value);
void params_add_array(struct params *params, const tr_text *array);

/* Runs self->sql; PQclear() the result. NULL: there is none, the connection is closed, and
 * self->words says why. */
PGresult *session_run(tr_self *self, const struct params *params, int64_t deadline_ms);

/* verdict.c */
enum verdict {
    VERDICT_DONE,
    VERDICT_REFUSED, /* for the sake of a document                                          */
    VERDICT_MISSING, /* a table is                                                          */
    VERDICT_LATER
};
/* Of a result or NULL; self->words has the server's words, if it is not done. Clears it. */
enum verdict verdict_of(tr_self *self, PGresult *result);
bool verdict_is_state(const PGresult *result, const char *sqlstate);

/* write.c [worker] */
extern const char *const write_tables[]; /* statements that make what is missing, to NULL   */
const char *write_statement(const tr_self *self);
void write_group(tr_self *self, int64_t deadline_ms);

/* replay.c [worker] */
/* Rejects those of which the table has something newer. */
void replay_sift(tr_self *self, int64_t deadline_ms);

/* explain.c */
const void *explain_table(void);

#endif
