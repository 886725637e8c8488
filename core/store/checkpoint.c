/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bindings and checkpoints: where each binding stands on each stream. Reads and the cli's
 * writes on the owner's thread, the two puts on the thread of the connection given.
 *
 * Each checkpoint carries a sum over its key and values. A seq in which the disk turned one bit
 * may still look like one, and following it could pass over changes for good.
 */
#include "store/internal.h"

static const char SQL_BINDING_GET[] =
    "SELECT name, created_ms, discovered, sum, since FROM binding WHERE name = ?1";
static const char SQL_BINDING_EACH[] =
    "SELECT name, created_ms, discovered, sum, since FROM binding ORDER BY name";
static const char SQL_BINDING_PUT[] =
    "INSERT OR REPLACE INTO binding VALUES(?1, ?2, ?3, ?4, ?5)";
static const char SQL_GET[] =
    "SELECT binding, stream, source, db, incarnation, seq, ordinal, updated_ms, sum, seen"
    " FROM checkpoint WHERE binding = ?1 AND stream = ?2";
static const char SQL_EACH[] =
    "SELECT binding, stream, source, db, incarnation, seq, ordinal, updated_ms, sum, seen"
    " FROM checkpoint ORDER BY binding, stream";
static const char SQL_EACH_OF[] =
    "SELECT binding, stream, source, db, incarnation, seq, ordinal, updated_ms, sum, seen"
    " FROM checkpoint WHERE binding = ?1 ORDER BY stream";
static const char SQL_PUT[] =
    "INSERT OR REPLACE INTO checkpoint VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
static const char SQL_DELETE[] =
    "DELETE FROM checkpoint WHERE binding = ?1 AND (?2 IS NULL OR stream = ?2)";
static const char SQL_NEXT_OF_DB[] =
    "SELECT binding, stream, source, db, incarnation, seq, ordinal, updated_ms, sum, seen"
    " FROM checkpoint WHERE binding = ?1 AND db = ?2 AND stream > ?3 ORDER BY stream LIMIT 1";

static uint64_t add_to_sum(uint64_t sum, tr_str s)
{
    return (sum ^ hash_stable(s.ptr, s.len)) * 0x9e3779b97f4a7c15u + s.len;
}

static int refuse_row(struct sq *sq, const char *kind, tr_str key, struct error *error)
{
    char why[160];

    sqlite3_snprintf(sizeof(why), why, "the %s %.100s has a wrong sum", kind, key.ptr);
    return sq_damaged(sq->path, why, error);
}

/* ---- bindings ---- */

static int64_t binding_sum(tr_str name, const struct store_binding *binding)
{
    uint64_t number = (uint64_t)binding->created_ms * 2 + binding->discovered;
    uint64_t sum = add_to_sum(number, name);

    /* Rows from before there was a `since` have none, and the sum that they always had. */
    return (int64_t)(binding->since.len > 0 ? add_to_sum(sum, binding->since) : sum);
}

/* The binding of the row at hand. ERR_DATA: it is not what was written. */
static int read_binding(struct sq *sq, sqlite3_stmt *stmt, struct store_binding *ret_binding,
                        struct error *error)
{
    tr_str name = sq_text(stmt, 0);
    struct store_binding binding = {.created_ms = sqlite3_column_int64(stmt, 1),
                                    .discovered = sqlite3_column_int64(stmt, 2) != 0,
                                    .since = sq_text(stmt, 4)};

    if (sqlite3_column_int64(stmt, 3) != binding_sum(name, &binding))
        return refuse_row(sq, "binding", name, error);
    *ret_binding = binding;
    return 0;
}

static void keep(struct arena *arena, tr_str *s)
{
    *s = arena_str(arena, *s);
}

int store_binding_get(struct store *store, tr_str name, struct arena *arena,
                      struct store_binding *ret_binding, bool *ret_found, struct error *error)
{
    sqlite3_stmt *stmt;
    int result = 0, rc = sq_begin(&store->own, &stmt, SQL_BINDING_GET, "t", name);

    if (rc != SQLITE_OK)
        return sq_error(&store->own, rc, "read a binding", error);
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        result = read_binding(&store->own, stmt, ret_binding, error);
    else if (rc != SQLITE_DONE)
        result = sq_error(&store->own, rc, "read a binding", error);
    if (result == 0 && rc == SQLITE_ROW && ret_binding->since.len > 0)
        keep(arena, &ret_binding->since);
    else
        ret_binding->since = (tr_str){0};
    sq_end(stmt);
    if (result == 0)
        *ret_found = rc == SQLITE_ROW;
    return result;
}

static int walk_bindings(struct sq *sq, bool (*each)(void *context, tr_str name), void *context,
                         struct error *error)
{
    struct store_binding binding;
    sqlite3_stmt *stmt;
    int result = 0, rc = sq_begin(sq, &stmt, SQL_BINDING_EACH, "");

    if (rc != SQLITE_OK)
        return sq_error(sq, rc, "read the bindings", error);
    while (result == 0 && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        result = read_binding(sq, stmt, &binding, error);
        if (result == 0 && each && !each(context, sq_text(stmt, 0)))
            break;
    }
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        result = sq_error(sq, rc, "read the bindings", error);
    sq_end(stmt);
    return result;
}

int store_binding_each(struct store *store, bool (*each)(void *context, tr_str name),
                       void *context, struct error *error)
{
    return walk_bindings(&store->own, each, context, error);
}

int binding_put(struct sq *sq, tr_str name, const struct store_binding *binding)
{
    return sq_run(sq, SQL_BINDING_PUT, "tiiit", name, binding->created_ms,
                  (int64_t)binding->discovered, binding_sum(name, binding), binding->since);
}

int binding_begin_again(struct sq *sq, tr_str binding, tr_str since, int64_t now_ms)
{
    struct store_binding record = {.created_ms = now_ms};
    struct error error;
    sqlite3_stmt *stmt;
    int rc = sq_begin(sq, &stmt, SQL_BINDING_GET, "t", binding);

    if (rc != SQLITE_OK)
        return rc;
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW && read_binding(sq, stmt, &record, &error) < 0)
        rc = SQLITE_CORRUPT;
    sq_end(stmt);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return rc;
    record.discovered = false;
    record.since = since;
    return binding_put(sq, binding, &record);
}

/* ---- checkpoints ---- */

static int64_t sum_of(tr_str binding, const struct store_checkpoint *c)
{
    uint64_t sum = add_to_sum((uint64_t)c->ordinal, binding);

    sum = add_to_sum(sum, c->stream);
    sum = add_to_sum(sum, c->source);
    sum = add_to_sum(sum, c->db);
    sum = add_to_sum(sum, c->incarnation);
    sum = add_to_sum(sum, c->seq);
    /* Rows from before there was a `seen` have none, and the sum that they always had. */
    return (int64_t)(sum ^ c->seen * 0x9e3779b97f4a7c15u);
}

/* False: it is not what was written. */
static bool read_row(sqlite3_stmt *stmt, struct store_checkpoint *checkpoint)
{
    *checkpoint = (struct store_checkpoint){
        .binding = sq_text(stmt, 0),
        .stream = sq_text(stmt, 1),
        .source = sq_text(stmt, 2),
        .db = sq_text(stmt, 3),
        .incarnation = sq_text(stmt, 4),
        .seq = sq_text(stmt, 5),
        .ordinal = sqlite3_column_int64(stmt, 6),
        .updated_ms = sqlite3_column_int64(stmt, 7),
        .seen = (uint64_t)sqlite3_column_int64(stmt, 9),
    };
    return sqlite3_column_int64(stmt, 8) == sum_of(checkpoint->binding, checkpoint);
}

static void keep_all(struct arena *arena, struct store_checkpoint *checkpoint)
{
    keep(arena, &checkpoint->binding);
    keep(arena, &checkpoint->stream);
    keep(arena, &checkpoint->source);
    keep(arena, &checkpoint->db);
    keep(arena, &checkpoint->incarnation);
    keep(arena, &checkpoint->seq);
}

int store_checkpoint_get(struct store *store, tr_str binding, tr_str stream,
                         struct arena *arena, struct store_checkpoint *ret_checkpoint,
                         bool *ret_found, struct error *error)
{
    struct store_checkpoint found;
    sqlite3_stmt *stmt;
    int result = 0, rc = sq_begin(&store->own, &stmt, SQL_GET, "tt", binding, stream);

    if (rc != SQLITE_OK)
        return sq_error(&store->own, rc, "read a checkpoint", error);
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW && !read_row(stmt, &found)) {
        result = refuse_row(&store->own, "checkpoint of", found.stream, error);
    } else if (rc == SQLITE_ROW) {
        keep_all(arena, &found);
        *ret_checkpoint = found;
        *ret_found = true;
    } else if (rc == SQLITE_DONE) {
        *ret_found = false;
    } else {
        result = sq_error(&store->own, rc, "read a checkpoint", error);
    }
    sq_end(stmt);
    return result;
}

static int walk(struct sq *sq, tr_str binding,
                bool (*each)(void *context, const struct store_checkpoint *), void *context,
                struct error *error)
{
    struct store_checkpoint row;
    sqlite3_stmt *stmt;
    int result = 0, rc;

    if (binding.len > 0)
        rc = sq_begin(sq, &stmt, SQL_EACH_OF, "t", binding);
    else
        rc = sq_begin(sq, &stmt, SQL_EACH, "");
    if (rc != SQLITE_OK)
        return sq_error(sq, rc, "read the checkpoints", error);
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        if (!read_row(stmt, &row)) {
            result = refuse_row(sq, "checkpoint of", row.stream, error);
            break;
        }
        if (each && !each(context, &row))
            break;
    }
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        result = sq_error(sq, rc, "read the checkpoints", error);
    sq_end(stmt);
    return result;
}

int store_checkpoint_each(struct store *store, tr_str binding,
                          bool (*each)(void *context, const struct store_checkpoint *),
                          void *context, struct error *error)
{
    return walk(&store->own, binding, each, context, error);
}

int checkpoint_verify_all(struct sq *sq, struct error *error)
{
    int rc = walk_bindings(sq, NULL, NULL, error);

    if (rc == 0)
        rc = walk(sq, (tr_str){0}, NULL, NULL, error);
    return rc;
}

int checkpoint_put(struct sq *sq, tr_str binding, const struct store_checkpoint *checkpoint)
{
    return sq_run(sq, SQL_PUT, "ttttttiiii", binding, checkpoint->stream, checkpoint->source,
                  checkpoint->db, checkpoint->incarnation, checkpoint->seq, checkpoint->ordinal,
                  checkpoint->updated_ms, sum_of(binding, checkpoint),
                  (int64_t)checkpoint->seen);
}

int checkpoint_delete_all(struct sq *sq, tr_str binding)
{
    return sq_run(sq, SQL_DELETE, "to", binding, (tr_str){0});
}

/* The first behind `stream`. SQLITE_DONE: there is none. */
static int next_of_db(struct sq *sq, tr_str binding, tr_str db, tr_str stream,
                      struct arena *arena, struct store_checkpoint *ret_checkpoint)
{
    sqlite3_stmt *stmt;
    int rc = sq_begin(sq, &stmt, SQL_NEXT_OF_DB, "ttt", binding, db, stream);

    if (rc != SQLITE_OK)
        return rc;
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        rc = read_row(stmt, ret_checkpoint) ? SQLITE_OK : SQLITE_CORRUPT;
        keep_all(arena, ret_checkpoint);
    }
    sq_end(stmt);
    return rc;
}

/* Not deleted: where a rule without a checkpoint begins is another matter. */
int checkpoint_rewind(struct sq *sq, tr_str binding, tr_str db, tr_str seq, int64_t now_ms)
{
    struct store_checkpoint checkpoint = {.stream = STR("")};
    struct arena arena;
    int rc = SQLITE_OK;

    arena_init(&arena, 1024);
    while (rc == SQLITE_OK) {
        rc = next_of_db(sq, binding, db, checkpoint.stream, &arena, &checkpoint);
        checkpoint.seq = seq;
        checkpoint.ordinal = 0;
        checkpoint.seen = 0;
        checkpoint.updated_ms = now_ms;
        if (rc == SQLITE_OK)
            rc = checkpoint_put(sq, binding, &checkpoint);
    }
    arena_fini(&arena);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int refuse_without_lock(struct store *store, struct error *error)
{
    if (store->lock_fd >= 0)
        return 0;
    return error_set(error, ERR_USAGE,
                     "checkpoints can only be changed while the daemon is stopped: it would "
                     "write over them");
}

int store_checkpoint_set(struct store *store, const struct store_checkpoint *checkpoint,
                         struct error *error)
{
    int rc = refuse_without_lock(store, error);

    if (rc < 0)
        return rc;
    rc = checkpoint_put(&store->own, checkpoint->binding, checkpoint);
    return rc == SQLITE_OK ? 0 : sq_error(&store->own, rc, "write a checkpoint", error);
}

int store_checkpoint_delete(struct store *store, tr_str binding, tr_str stream,
                            int64_t *ret_deleted, struct error *error)
{
    struct sq *sq = &store->own;
    int64_t deleted;
    int rc = refuse_without_lock(store, error);

    if (rc < 0)
        return rc;
    rc = sq_enter(sq);
    if (rc == SQLITE_OK)
        rc = state_drop(sq, binding, stream, (tr_str){0});
    if (rc == SQLITE_OK)
        rc = sq_run(sq, SQL_DELETE, "to", binding, stream);
    deleted = sqlite3_changes64(sq->handle);
    rc = sq_leave(sq, rc);
    if (rc != SQLITE_OK)
        return sq_error(sq, rc, "delete checkpoints", error);
    *ret_deleted = deleted;
    return 0;
}
