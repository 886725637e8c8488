/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Readers: connections by which plugins' workers read what they keep. Any thread, one at a time
 * for each reader; the store keeps those that were given back, so that there are as many as
 * there are threads that read at once.
 */
#include "base/mem.h"
#include "store/internal.h"

/* Pages, in KB, that a reader keeps. They are read anew after each commit, so more is no use.
 */
static const char SQL_CACHE[] = "PRAGMA cache_size=-32000";

static const char SQL_BEGIN[] = "BEGIN";
static const char SQL_COMMIT[] = "COMMIT";
static const char SQL_GET[] = "SELECT value, sum FROM state WHERE scope = ?1 AND key = ?2";
static const char SQL_UP[] =
    "SELECT key, value, sum FROM state WHERE scope = ?1 AND key >= ?2 ORDER BY key";
static const char SQL_DOWN[] =
    "SELECT key, value, sum FROM state WHERE scope = ?1 AND key < ?2 ORDER BY key DESC";
static const char SQL_DOWN_ALL[] =
    "SELECT key, value, sum FROM state WHERE scope = ?1 ORDER BY key DESC";

struct store_reader {
    struct store_reader *next; /* given back                                               */
    struct sq sq;
    sqlite3_stmt *at; /* of the last get() or scope(): its slices live in it               */
    sqlite3_stmt *walk;
    int64_t scope; /* of the walk                                                          */
    struct buf from, to;
    bool backwards;
};

/* ---- taking and giving ---- */

static int open_reader(struct store *store, struct store_reader **ret_reader,
                       struct error *error)
{
    struct store_reader *reader = mem_new(struct store_reader);
    int rc = sq_open(&reader->sq, store->own.path, SQLITE_OPEN_READONLY, error);

    if (rc < 0) {
        free(reader);
        return rc;
    }
    sq_exec(&reader->sq, SQL_CACHE);
    *ret_reader = reader;
    return 0;
}

int store_reader_take(struct store *store, struct store_reader **ret_reader,
                      struct error *error)
{
    struct store_reader *reader;

    pthread_mutex_lock(&store->readers_lock);
    reader = store->readers;
    if (reader)
        store->readers = reader->next;
    pthread_mutex_unlock(&store->readers_lock);
    if (!reader)
        return open_reader(store, ret_reader, error);
    *ret_reader = reader;
    return 0;
}

void store_reader_give(struct store *store, struct store_reader *reader)
{
    if (!reader)
        return;
    store_reader_end(reader);
    pthread_mutex_lock(&store->readers_lock);
    reader->next = store->readers;
    store->readers = reader;
    pthread_mutex_unlock(&store->readers_lock);
}

void readers_close(struct store *store)
{
    while (store->readers) {
        struct store_reader *reader = store->readers;
        store->readers = reader->next;
        sq_close(&reader->sq);
        buf_fini(&reader->from);
        buf_fini(&reader->to);
        free(reader);
    }
}

/* ---- snapshots ---- */

static void let_go(struct store_reader *reader)
{
    if (reader->at)
        sq_end(reader->at);
    reader->at = NULL;
}

int store_reader_begin(struct store_reader *reader, struct error *error)
{
    int rc;

    let_go(reader);
    rc = sq_run(&reader->sq, SQL_BEGIN, "");
    return rc == SQLITE_OK ? 0 : sq_error(&reader->sq, rc, "read what a plugin keeps", error);
}

void store_reader_end(struct store_reader *reader)
{
    let_go(reader);
    store_reader_walked(reader);
    if (!sqlite3_get_autocommit(reader->sq.handle))
        sq_run(&reader->sq, SQL_COMMIT, "");
}

/* ---- reading ---- */

int store_reader_scopes(struct store_reader *reader, tr_str binding,
                        bool (*each)(void *context, const struct store_scope *scope),
                        void *context, struct error *error)
{
    let_go(reader);
    return scope_each(&reader->sq, binding, each, context, error);
}

int store_reader_scope(struct store_reader *reader, tr_str binding, tr_str stream,
                       struct store_scope *ret_scope, bool *ret_found, struct error *error)
{
    int rc;

    let_go(reader);
    rc = scope_find(&reader->sq, binding, stream, &reader->at, ret_scope);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return sq_error(&reader->sq, rc, "read what a plugin keeps", error);
    *ret_found = rc == SQLITE_ROW;
    return 0;
}

static int refuse_entry(struct store_reader *reader, struct error *error)
{
    return sq_damaged(reader->sq.path, "an entry of what a plugin keeps has a wrong sum",
                      error);
}

int store_reader_get(struct store_reader *reader, int64_t scope, tr_str key, tr_str *ret_value,
                     bool *ret_found, struct error *error)
{
    sqlite3_stmt *stmt;
    tr_str value;
    int rc;

    let_go(reader);
    rc = sq_begin(&reader->sq, &stmt, SQL_GET, "ib", scope, key);
    if (rc != SQLITE_OK)
        return sq_error(&reader->sq, rc, "read what a plugin keeps", error);
    reader->at = stmt;
    rc = sqlite3_step(stmt);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return sq_error(&reader->sq, rc, "read what a plugin keeps", error);
    *ret_found = rc == SQLITE_ROW;
    if (rc == SQLITE_DONE) {
        let_go(reader);
        return 0;
    }
    value = sq_text(stmt, 0);
    if (sqlite3_column_int64(stmt, 1) != state_sum(scope, key, value))
        return refuse_entry(reader, error);
    *ret_value = value;
    return 0;
}

/* ---- walking ---- */

int store_reader_walk(struct store_reader *reader, int64_t scope, tr_str from, tr_str to,
                      bool backwards, struct error *error)
{
    int rc;

    let_go(reader);
    store_reader_walked(reader);
    reader->scope = scope;
    reader->backwards = backwards;
    buf_clear(&reader->from);
    buf_clear(&reader->to);
    buf_add_str(&reader->from, from);
    buf_add_str(&reader->to, to);
    if (!backwards)
        rc = sq_begin(&reader->sq, &reader->walk, SQL_UP, "ib", scope, buf_str(&reader->from));
    else if (to.len > 0)
        rc = sq_begin(&reader->sq, &reader->walk, SQL_DOWN, "ib", scope, buf_str(&reader->to));
    else
        rc = sq_begin(&reader->sq, &reader->walk, SQL_DOWN_ALL, "i", scope);
    return rc == SQLITE_OK ? 0 : sq_error(&reader->sq, rc, "read what a plugin keeps", error);
}

/* The one bound is the statement's. */
static bool is_past(const struct store_reader *reader, tr_str key)
{
    if (reader->backwards)
        return str_cmp(key, buf_str(&reader->from)) < 0;
    return reader->to.len > 0 && str_cmp(key, buf_str(&reader->to)) >= 0;
}

int store_reader_next(struct store_reader *reader, tr_str *ret_key, tr_str *ret_value,
                      bool *ret_more, struct error *error)
{
    tr_str key, value;
    int rc = sqlite3_step(reader->walk);

    *ret_more = false;
    if (rc == SQLITE_DONE)
        return 0;
    if (rc != SQLITE_ROW)
        return sq_error(&reader->sq, rc, "read what a plugin keeps", error);
    key = sq_text(reader->walk, 0);
    value = sq_text(reader->walk, 1);
    if (is_past(reader, key))
        return 0;
    if (sqlite3_column_int64(reader->walk, 2) != state_sum(reader->scope, key, value))
        return refuse_entry(reader, error);
    *ret_key = key;
    *ret_value = value;
    *ret_more = true;
    return 0;
}

void store_reader_walked(struct store_reader *reader)
{
    if (reader->walk)
        sq_end(reader->walk);
    reader->walk = NULL;
}
