/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What plugins keep: keys and values of a binding on a stream. Writes are operations of
 * commits, on the thread of the connection given; the cli's listing and deleting are the
 * owner's. Reading by plugins is in state_read.c.
 *
 * A scope is a binding on a stream; its number stands before each key, so that the names are
 * written once. How many entries it has and their bytes are kept with it, so that a look at
 * them costs the same however many there are. To drop one is to take its number off the names,
 * in the transaction of whatever it is dropped with. Nobody reaches its rows then, which may be
 * gigabytes, and they are swept away piece by piece between commits.
 */
#include "base/mem.h"
#include "store/internal.h"
#include "store/order.h"

/* Rows that are swept at a time, while commits wait. */
enum { SWEEP_ROWS = 2000 };

static const char SQL_SCOPE_GET[] =
    "SELECT id, binding, stream, source, db, entries, bytes, sum FROM state_scope"
    " WHERE binding = ?1 AND stream = ?2";
static const char SQL_SCOPE_EACH[] =
    "SELECT id, binding, stream, source, db, entries, bytes, sum FROM state_scope"
    " ORDER BY binding, stream";
static const char SQL_SCOPE_EACH_OF[] =
    "SELECT id, binding, stream, source, db, entries, bytes, sum FROM state_scope"
    " WHERE binding = ?1 ORDER BY stream";
static const char SQL_SCOPE_ADD[] =
    "INSERT INTO state_scope VALUES(NULL, ?1, ?2, ?3, ?4, 0, 0, 0)";
static const char SQL_SCOPE_COUNT[] =
    "UPDATE state_scope SET entries = ?2, bytes = ?3, sum = ?4 WHERE id = ?1";
static const char SQL_SCOPE_BURY[] =
    "INSERT INTO state_dropped SELECT id FROM state_scope"
    " WHERE binding = ?1 AND (?2 IS NULL OR stream = ?2) AND (?3 IS NULL OR db = ?3)";
static const char SQL_SCOPE_DELETE[] =
    "DELETE FROM state_scope"
    " WHERE binding = ?1 AND (?2 IS NULL OR stream = ?2) AND (?3 IS NULL OR db = ?3)";
static const char SQL_SIZE[] = "SELECT length(value) FROM state WHERE scope = ?1 AND key = ?2";
/* With no other index and no trigger on the table each row is looked for once. A statement of
 * many costs half of what many statements do. */
#define ROW_   "(?1, ?, ?, ?)"
#define ROWS_4 ROW_ "," ROW_ "," ROW_ "," ROW_
static const char SQL_PUT[] = "REPLACE INTO state VALUES " ROW_;
static const char SQL_PUT_MANY[] = "REPLACE INTO state VALUES " ROWS_4 "," ROWS_4 "," ROWS_4
                                   "," ROWS_4 "," ROWS_4 "," ROWS_4 "," ROWS_4 "," ROWS_4;
enum { MANY = 32 };
static const char SQL_DELETE[] = "DELETE FROM state WHERE scope = ?1 AND key = ?2";
static const char SQL_DROPPED[] = "SELECT scope FROM state_dropped LIMIT 1";
static const char SQL_SWEEP[] =
    "DELETE FROM state WHERE scope = ?1 AND key IN"
    " (SELECT key FROM state WHERE scope = ?1 ORDER BY key LIMIT ?2)";
static const char SQL_SWEPT[] = "DELETE FROM state_dropped WHERE scope = ?1";

/* ---- scopes ---- */

static int64_t scope_sum(const struct store_scope *scope)
{
    uint64_t sum = (uint64_t)scope->id;

    sum = sum * 31 + hash_stable(scope->binding.ptr, scope->binding.len);
    sum = sum * 31 + hash_stable(scope->stream.ptr, scope->stream.len);
    sum = sum * 31 + hash_stable(scope->source.ptr, scope->source.len);
    sum = sum * 31 + hash_stable(scope->db.ptr, scope->db.len);
    sum = sum * 31 + (uint64_t)scope->entries;
    return (int64_t)(sum * 31 + (uint64_t)scope->bytes);
}

/* False: it is not what was written. */
static bool read_scope(sqlite3_stmt *stmt, struct store_scope *scope)
{
    *scope = (struct store_scope){
        .id = sqlite3_column_int64(stmt, 0),
        .binding = sq_text(stmt, 1),
        .stream = sq_text(stmt, 2),
        .source = sq_text(stmt, 3),
        .db = sq_text(stmt, 4),
        .entries = sqlite3_column_int64(stmt, 5),
        .bytes = sqlite3_column_int64(stmt, 6),
    };
    return sqlite3_column_int64(stmt, 7) == scope_sum(scope);
}

static int refuse_scope(struct sq *sq, const struct store_scope *scope, struct error *error)
{
    char why[160];

    sqlite3_snprintf(sizeof(why), why, "the state of %.50s on %.50s has a wrong sum",
                     scope->binding.ptr, scope->stream.ptr);
    return sq_damaged(sq->path, why, error);
}

int scope_each(struct sq *sq, tr_str binding,
               bool (*each)(void *context, const struct store_scope *scope), void *context,
               struct error *error)
{
    struct store_scope scope;
    sqlite3_stmt *stmt;
    int result = 0, rc;

    if (binding.len > 0)
        rc = sq_begin(sq, &stmt, SQL_SCOPE_EACH_OF, "t", binding);
    else
        rc = sq_begin(sq, &stmt, SQL_SCOPE_EACH, "");
    if (rc != SQLITE_OK)
        return sq_error(sq, rc, "read what plugins keep", error);
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        if (!read_scope(stmt, &scope)) {
            result = refuse_scope(sq, &scope, error);
            break;
        }
        if (each && !each(context, &scope))
            break;
    }
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        result = sq_error(sq, rc, "read what plugins keep", error);
    sq_end(stmt);
    return result;
}

int store_scope_each(struct store *store, tr_str binding,
                     bool (*each)(void *context, const struct store_scope *scope),
                     void *context, struct error *error)
{
    return scope_each(&store->own, binding, each, context, error);
}

int state_verify_all(struct sq *sq, struct error *error)
{
    return scope_each(sq, (tr_str){0}, NULL, NULL, error);
}

int scope_find(struct sq *sq, tr_str binding, tr_str stream, sqlite3_stmt **ret_stmt,
               struct store_scope *ret_scope)
{
    sqlite3_stmt *stmt;
    int rc = sq_begin(sq, &stmt, SQL_SCOPE_GET, "tt", binding, stream);

    if (rc != SQLITE_OK)
        return rc;
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW && !read_scope(stmt, ret_scope))
        rc = SQLITE_CORRUPT;
    if (rc == SQLITE_ROW)
        *ret_stmt = stmt;
    else
        sq_end(stmt);
    return rc;
}

/* ---- writing ---- */

int64_t state_sum(int64_t scope, tr_str key, tr_str value)
{
    uint64_t sum = hash_sum(key.ptr, key.len) * 31 + (uint64_t)scope;

    sum = (sum ^ hash_sum(value.ptr, value.len)) * 0x9e3779b97f4a7c15u;
    return (int64_t)(sum >> 32);
}

/* How long the value is that stands there: whoever writes knows it as a rule. */
static int find_size(struct sq *sq, int64_t scope, const struct store_state_entry *entry,
                     int64_t *ret_size)
{
    sqlite3_stmt *stmt;
    int rc;

    *ret_size = entry->was;
    if (entry->was != STORE_STATE_UNKNOWN)
        return SQLITE_OK;
    rc = sq_begin(sq, &stmt, SQL_SIZE, "ib", scope, entry->key);
    if (rc != SQLITE_OK)
        return rc;
    rc = sqlite3_step(stmt);
    *ret_size = rc == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : STORE_STATE_ABSENT;
    sq_end(stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* The entry comes, or goes, in the totals; *ret_is_there: there is a row of it. */
static int count_entry(struct sq *sq, struct store_state *state,
                       const struct store_state_entry *entry, bool *ret_is_there)
{
    int64_t was;
    int rc = find_size(sq, state->scope, entry, &was);

    if (rc != SQLITE_OK)
        return rc;
    *ret_is_there = was != STORE_STATE_ABSENT;
    if (was >= 0) {
        state->more_entries--;
        state->more_bytes -= was + (int64_t)entry->key.len;
    }
    if (entry->removed)
        return SQLITE_OK;
    state->more_entries++;
    state->more_bytes += (int64_t)(entry->value.len + entry->key.len);
    return SQLITE_OK;
}

/* One, or MANY. */
static int put_entries(struct sq *sq, int64_t scope,
                       const struct store_state_entry *const *entries, int count)
{
    sqlite3_stmt *stmt;
    int rc = sq_begin(sq, &stmt, count == MANY ? SQL_PUT_MANY : SQL_PUT, "i", scope);

    if (rc != SQLITE_OK)
        return rc;
    for (int i = 0; i < count && rc == SQLITE_OK; i++)
        rc = sq_bind(stmt, 2 + 3 * i, "bib", entries[i]->key,
                     state_sum(scope, entries[i]->key, entries[i]->value), entries[i]->value);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    sq_end(stmt);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int write_entries(struct sq *sq, struct store_state *state,
                         const struct order_item *order)
{
    const struct store_state_entry *put[MANY];
    int count = 0, rc = SQLITE_OK;

    for (size_t i = 0; i < state->count && rc == SQLITE_OK; i++) {
        const struct store_state_entry *entry = order[i].entry;
        bool is_there = false;

        rc = count_entry(sq, state, entry, &is_there);
        if (rc == SQLITE_OK && entry->removed && is_there)
            rc = sq_run(sq, SQL_DELETE, "ib", state->scope, entry->key);
        if (!entry->removed)
            put[count++] = entry;
        if (rc == SQLITE_OK && count == MANY) {
            rc = put_entries(sq, state->scope, put, MANY);
            count = 0;
        }
    }
    for (int i = 0; i < count && rc == SQLITE_OK; i++)
        rc = put_entries(sq, state->scope, &put[i], 1);
    return rc;
}

/* The scope's row, made where there is none; its names are those of the operation. */
static int open_scope(struct sq *sq, tr_str binding, const struct store_state *state,
                      struct store_scope *ret_scope)
{
    sqlite3_stmt *stmt;
    int rc = scope_find(sq, binding, state->stream, &stmt, ret_scope);

    if (rc == SQLITE_ROW) {
        sq_end(stmt);
    } else if (rc == SQLITE_DONE) {
        rc = sq_run(sq, SQL_SCOPE_ADD, "tttt", binding, state->stream, state->source,
                    state->db);
        if (rc != SQLITE_OK)
            return rc;
        *ret_scope = (struct store_scope){.id = sqlite3_last_insert_rowid(sq->handle)};
    } else {
        return rc;
    }
    ret_scope->binding = binding;
    ret_scope->stream = state->stream;
    ret_scope->source = state->source;
    ret_scope->db = state->db;
    return SQLITE_OK;
}

int state_put(struct sq *sq, tr_str binding, struct store_state *state)
{
    struct store_scope scope;
    struct order_item *order;
    int rc;

    state->more_entries = state->more_bytes = 0;
    rc = open_scope(sq, binding, state, &scope);
    if (rc != SQLITE_OK)
        return rc;
    state->scope = scope.id;
    order = order_entries(state->entries, state->count);
    rc = write_entries(sq, state, order);
    free(order);
    scope.entries += state->more_entries;
    scope.bytes += state->more_bytes;
    if (rc != SQLITE_OK)
        return rc;
    return sq_run(sq, SQL_SCOPE_COUNT, "iiii", scope.id, scope.entries, scope.bytes,
                  scope_sum(&scope));
}

/* ---- dropping ---- */

int state_drop(struct sq *sq, tr_str binding, tr_str stream, tr_str db)
{
    int rc = sq_run(sq, SQL_SCOPE_BURY, "too", binding, stream, db);

    return rc == SQLITE_OK ? sq_run(sq, SQL_SCOPE_DELETE, "too", binding, stream, db) : rc;
}

static int next_dropped(struct sq *sq, int64_t *ret_scope)
{
    sqlite3_stmt *stmt;
    int rc = sq_begin(sq, &stmt, SQL_DROPPED, "");

    if (rc != SQLITE_OK)
        return rc;
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        *ret_scope = sqlite3_column_int64(stmt, 0);
    sq_end(stmt);
    return rc;
}

static int sweep_some(struct sq *sq, int64_t scope)
{
    int rc = sq_run(sq, SQL_SWEEP, "ii", scope, (int64_t)SWEEP_ROWS);

    if (rc == SQLITE_OK && sqlite3_changes64(sq->handle) < SWEEP_ROWS)
        rc = sq_run(sq, SQL_SWEPT, "i", scope);
    return rc;
}

int state_sweep(struct sq *sq, bool *ret_more)
{
    int64_t scope = 0;
    int rc = next_dropped(sq, &scope);

    *ret_more = rc == SQLITE_ROW;
    if (rc != SQLITE_ROW)
        return rc == SQLITE_DONE ? SQLITE_OK : rc;
    rc = sq_enter(sq);
    if (rc == SQLITE_OK)
        rc = sweep_some(sq, scope);
    return sq_leave(sq, rc);
}

/* The rows are swept by whoever runs next. */
int store_scope_delete(struct store *store, tr_str binding, tr_str stream, int64_t *ret_deleted,
                       struct error *error)
{
    struct sq *sq = &store->own;
    int64_t deleted;
    int rc;

    if (store->lock_fd < 0)
        return error_set(error, ERR_USAGE,
                         "state can only be deleted while the daemon is stopped: its plugins "
                         "would go on with what they have read");
    rc = sq_enter(sq);
    if (rc == SQLITE_OK)
        rc = state_drop(sq, binding, stream, (tr_str){0});
    deleted = sqlite3_changes64(sq->handle);
    rc = sq_leave(sq, rc);
    if (rc != SQLITE_OK)
        return sq_error(sq, rc, "delete what a plugin keeps", error);
    *ret_deleted = deleted;
    return 0;
}
