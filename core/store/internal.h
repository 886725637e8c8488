/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a store, for the files of store/ only.
 *
 * There are several connections: the owner's thread reads (and for the cli writes) through
 * `own`, the commit thread through `committer`, so that a reader never waits for an fsync, and
 * plugins' workers through readers (state.h).
 */
#ifndef STORE_INTERNAL_H
#define STORE_INTERNAL_H

#include "base/buf.h"
#include "base/map.h"
#include "store/sqlite.h"
#include "store/store.h"

#include <pthread.h>

/* What commits of one binding share. Lives as long as the store. */
struct store_lane {
    size_t outstanding; /* owner's thread: submitted and not called back                   */
    bool full;          /* commits fail until none is outstanding; set by the commit thread,
                           cleared by the owner's when it has none of the lane              */
    bool full_now;      /* commit thread: the same within the group that is being tried    */
};

struct store {
    char *dir;
    unsigned flags;
    int lock_fd;
    struct sq own;
    struct store_limits limits; /* not changed once the thread runs                        */

    /* The commit thread and the hand-over to it. */
    bool started;
    pthread_t thread;
    struct sq committer;  /* this and the next two: of the commit thread                   */
    int64_t data_version; /* changes when another connection wrote                         */
    int log_pages;        /* of the write-ahead log, at the last commit                    */
    bool sweeping;        /* of the commit thread: rows of dropped state may be left       */
    struct map lanes;     /* of the owner's thread: binding -> struct store_lane           */
    struct loop *loop;
    struct watch done_ready; /* an eventfd: `done` is not empty                             */

    pthread_mutex_t readers_lock; /* guards the next                                       */
    struct store_reader *readers; /* that nobody has                                       */

    pthread_mutex_t lock; /* guards all below                                              */
    pthread_cond_t wake;
    struct list queue, done; /* of struct store_commit                                      */
    bool closing, look, changed;
    struct store_health health;
};

/* dir/lock. ERR_TEMP: held by another. *ret_fd keeps it until it is closed. */
int store_lock_dir(const char *dir, int *ret_fd, struct error *error);

/* ---- the operations of commits, on a connection that is inside a transaction ---- */

/* SQLite's code. */
int binding_put(struct sq *sq, tr_str name, const struct store_binding *binding);
int checkpoint_put(struct sq *sq, tr_str binding, const struct store_checkpoint *checkpoint);
int source_put(struct sq *sq, const struct store_source *source);
/* The binding has none any more; those on `db` stand at `seq`; it has discovered nothing yet
 * and begins at `since`. */
int checkpoint_delete_all(struct sq *sq, tr_str binding);
int checkpoint_rewind(struct sq *sq, tr_str binding, tr_str db, tr_str seq, int64_t now_ms);
int binding_begin_again(struct sq *sq, tr_str binding, tr_str since, int64_t now_ms);
/* All requests of the binding, by the three above. */
int backfill_take(struct sq *sq, tr_str binding, int64_t *ret_taken);
int dead_letter_delete(struct sq *sq, int64_t id);
int dead_letter_fail(struct sq *sq, const struct store_dead_letter *letter);

/* The same; *ret_full instead when it would pass the limits. Fills in letter->id. */
int dead_letter_add(struct sq *sq, const struct store_limits *limits, tr_str binding,
                    struct store_dead_letter *letter, bool *ret_full);

/* Fills in the end of `state`. */
int state_put(struct sq *sq, tr_str binding, struct store_state *state);
/* Of the binding: on the stream or, if that is empty, on all streams of the database or, if
 * that is empty too, all. */
int state_drop(struct sq *sq, tr_str binding, tr_str stream, tr_str db);
/* Deletes some rows of what was dropped, in a transaction of its own; more may be left. */
int state_sweep(struct sq *sq, bool *ret_more);
int64_t state_sum(int64_t scope, tr_str key, tr_str value);

/* SQLITE_ROW: the scope's slices live until sq_end(*ret_stmt). SQLITE_DONE: there is none. */
int scope_find(struct sq *sq, tr_str binding, tr_str stream, sqlite3_stmt **ret_stmt,
               struct store_scope *ret_scope);
/* store_scope_each(), on any connection. */
int scope_each(struct sq *sq, tr_str binding,
               bool (*each)(void *context, const struct store_scope *scope), void *context,
               struct error *error);
void readers_close(struct store *store);

/* Reads every binding and checkpoint and compares its sum. */
int checkpoint_verify_all(struct sq *sq, struct error *error);
int state_verify_all(struct sq *sq, struct error *error); /* of scopes: few                 */
int backfill_verify_all(struct sq *sq, struct error *error);

/* commit.c, for store_close(): drains, ends the thread, calls back. Fine when not started. */
void commit_stop(struct store *store);

#endif
