/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What plugins keep (tr.state/1): keys and values of a binding on a stream, which is a scope.
 *
 * Writes are operations of commits (store.h), so that they are durable together with the
 * checkpoint that they belong to. Reads go through readers, connections of their own for
 * threads that are not the store's owner: a reader is taken for as long as it is needed and
 * given back, and has one thread at a time. What it reads is what was committed when its
 * snapshot was begun; outside of one each call sees the latest.
 */
#ifndef STORE_STATE_H
#define STORE_STATE_H

#include "base/error.h"
#include "base/str.h"

struct store;
struct store_reader;

/* What is known of how long the value was that an entry replaces. */
enum { STORE_STATE_ABSENT = -1, STORE_STATE_UNKNOWN = -2 };

struct store_state_entry {
    tr_str key, value;
    int64_t was;  /* bytes of the value in the store before this commit, or one of the above */
    bool removed; /* and no value                                                          */
};

/* An operation: entries of the commit's binding on a stream, each key once. */
struct store_state {
    tr_str binding; /* of STORE_DROP_STATE only                                            */
    tr_str stream, source, db;
    const struct store_state_entry *entries; /* in any order                               */
    size_t count;
    /* Filled in. */
    int64_t scope; /* its number                                                           */
    int64_t more_entries, more_bytes; /* than before; negative: fewer                      */
};

/* A scope as it is listed. */
struct store_scope {
    int64_t id;
    tr_str binding, stream, source, db;
    int64_t entries, bytes; /* of keys and values                                          */
};

/* Calls `each` for those of `binding` (empty: of all), in the order of their names, until it
 * returns false. It must not call the store. Owner's thread. */
int store_scope_each(struct store *store, tr_str binding,
                     bool (*each)(void *context, const struct store_scope *scope),
                     void *context, struct error *error);

/* For the cli; needs the lock. The scope of `stream`, or with an empty one all of the binding.
 */
int store_scope_delete(struct store *store, tr_str binding, tr_str stream, int64_t *ret_deleted,
                       struct error *error);

/* ---- readers: any thread ---- */

/* Fails only when a connection cannot be made. */
int store_reader_take(struct store *store, struct store_reader **ret_reader,
                      struct error *error);
void store_reader_give(struct store *store, struct store_reader *reader); /* NULL is fine   */

/* A snapshot of what is committed when it is first read from. It keeps the log from being
 * emptied: not for long. */
int store_reader_begin(struct store_reader *reader, struct error *error);
void store_reader_end(struct store_reader *reader);

/* As store_scope_each(). */
int store_reader_scopes(struct store_reader *reader, tr_str binding,
                        bool (*each)(void *context, const struct store_scope *scope),
                        void *context, struct error *error);

/* *ret_scope lives until the next call. */
int store_reader_scope(struct store_reader *reader, tr_str binding, tr_str stream,
                       struct store_scope *ret_scope, bool *ret_found, struct error *error);

/* *ret_value lives until the next call. */
int store_reader_get(struct store_reader *reader, int64_t scope, tr_str key, tr_str *ret_value,
                     bool *ret_found, struct error *error);

/* Entries from `from` up to `to`, not included; an empty `to` is the end. One walk at a time;
 * what next() gives lives until the call after. *ret_more is false behind the last. */
int store_reader_walk(struct store_reader *reader, int64_t scope, tr_str from, tr_str to,
                      bool backwards, struct error *error);
int store_reader_next(struct store_reader *reader, tr_str *ret_key, tr_str *ret_value,
                      bool *ret_more, struct error *error);
void store_reader_walked(struct store_reader *reader);

#endif
