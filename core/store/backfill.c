/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that a rule begins again. The cli writes them, on the owner's thread; taking one up
 * is an operation of a commit, on the thread of the connection given, or done by the owner
 * before anything runs.
 *
 * Taking up is one transaction: either the request is there and the rule stands where it stood,
 * or the request is gone and the rule begins where it said. Each row has a sum, as those of
 * checkpoints do: a seq in which a bit turned could pass over changes.
 */
#include "base/clock.h"
#include "store/internal.h"

static const char SQL_EACH[] =
    "SELECT binding, db, since, asked_ms, sum FROM backfill ORDER BY binding, db";
static const char SQL_EACH_OF[] = "SELECT binding, db, since, asked_ms, sum FROM backfill"
                                  " WHERE binding = ?1 ORDER BY db";
static const char SQL_FIRST[] = "SELECT binding FROM backfill ORDER BY binding LIMIT 1";
static const char SQL_PUT[] = "INSERT OR REPLACE INTO backfill VALUES(?1, ?2, ?3, ?4, ?5)";
static const char SQL_DELETE[] =
    "DELETE FROM backfill WHERE binding = ?1 AND (?2 IS NULL OR db = ?2)";

static int64_t sum_of(const struct store_backfill *request)
{
    uint64_t sum = hash_stable(request->binding.ptr, request->binding.len) * 31 +
                   hash_stable(request->db.ptr, request->db.len);

    return (int64_t)(sum * 31 + hash_stable(request->since.ptr, request->since.len));
}

/* False: it is not what was written. */
static bool read_row(sqlite3_stmt *stmt, struct store_backfill *request)
{
    *request = (struct store_backfill){
        .binding = sq_text(stmt, 0),
        .db = sq_text(stmt, 1),
        .since = sq_text(stmt, 2),
        .asked_ms = sqlite3_column_int64(stmt, 3),
    };
    return sqlite3_column_int64(stmt, 4) == sum_of(request);
}

/* ---- reading ---- */

static int walk(struct sq *sq, bool (*each)(void *context, const struct store_backfill *),
                void *context, struct error *error)
{
    struct store_backfill request;
    sqlite3_stmt *stmt;
    int result = 0, rc = sq_begin(sq, &stmt, SQL_EACH, "");

    if (rc != SQLITE_OK)
        return sq_error(sq, rc, "read the requests of backfills", error);
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        if (!read_row(stmt, &request)) {
            result = sq_damaged(sq->path, "the request of a backfill has a wrong sum", error);
            break;
        }
        if (each && !each(context, &request))
            break;
    }
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        result = sq_error(sq, rc, "read the requests of backfills", error);
    sq_end(stmt);
    return result;
}

int store_backfill_each(struct store *store,
                        bool (*each)(void *context, const struct store_backfill *),
                        void *context, struct error *error)
{
    return walk(&store->own, each, context, error);
}

int backfill_verify_all(struct sq *sq, struct error *error)
{
    return walk(sq, NULL, NULL, error);
}

/* ---- the cli's writes ---- */

static bool find_whole(void *context, const struct store_backfill *request)
{
    struct store_backfill *wanted = context;

    if (request->db.len == 0 && str_eq(request->binding, wanted->binding))
        wanted->asked_ms = 0;
    return wanted->asked_ms > 0;
}

int store_backfill_ask(struct store *store, const struct store_backfill *request,
                       struct error *error)
{
    struct store_backfill seen = {.binding = request->binding, .asked_ms = 1};
    struct sq *sq = &store->own;
    int result = 0, rc = sq_enter(sq);

    if (rc == SQLITE_OK && request->db.len > 0)
        result = walk(sq, find_whole, &seen, error);
    if (rc == SQLITE_OK && result == 0 && seen.asked_ms == 0)
        result = error_set(error, ERR_USAGE,
                           "rule " STR_FMT " is about to begin again on all its databases; "
                           "cancel that first",
                           STR_ARG(request->binding));
    if (result < 0) {
        sq_leave(sq, SQLITE_ABORT);
        return result;
    }
    if (rc == SQLITE_OK && request->db.len == 0)
        rc = sq_run(sq, SQL_DELETE, "to", request->binding, request->db);
    if (rc == SQLITE_OK)
        rc = sq_run(sq, SQL_PUT, "tttii", request->binding, request->db, request->since,
                    request->asked_ms, sum_of(request));
    rc = sq_leave(sq, rc);
    return rc == SQLITE_OK ? 0 : sq_error(sq, rc, "write the request of a backfill", error);
}

int store_backfill_cancel(struct store *store, tr_str binding, tr_str db,
                          int64_t *ret_cancelled, struct error *error)
{
    int rc = sq_run(&store->own, SQL_DELETE, "to", binding, db);

    if (rc != SQLITE_OK)
        return sq_error(&store->own, rc, "cancel a backfill", error);
    *ret_cancelled = sqlite3_changes64(store->own.handle);
    return 0;
}

/* ---- taking up ---- */

static int take_one(struct sq *sq, const struct store_backfill *request, int64_t now_ms)
{
    int rc = state_drop(sq, request->binding, (tr_str){0}, request->db);

    if (rc == SQLITE_OK && request->db.len > 0)
        return checkpoint_rewind(sq, request->binding, request->db, request->since, now_ms);
    if (rc == SQLITE_OK)
        rc = checkpoint_delete_all(sq, request->binding);
    if (rc == SQLITE_OK)
        rc = binding_begin_again(sq, request->binding, request->since, now_ms);
    return rc;
}

int backfill_take(struct sq *sq, tr_str binding, int64_t *ret_taken)
{
    struct store_backfill request;
    sqlite3_stmt *stmt;
    int64_t taken = 0, now_ms = clock_wall_ms();
    int rc = sq_begin(sq, &stmt, SQL_EACH_OF, "t", binding);

    if (rc != SQLITE_OK)
        return rc;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        rc = read_row(stmt, &request) ? take_one(sq, &request, now_ms) : SQLITE_CORRUPT;
        if (rc != SQLITE_OK)
            break;
        taken++;
    }
    sq_end(stmt);
    if (rc == SQLITE_DONE)
        rc = sq_run(sq, SQL_DELETE, "to", binding, (tr_str){0});
    if (rc == SQLITE_OK)
        *ret_taken = taken;
    return rc;
}

/* SQLite's code; SQLITE_DONE when there is none. */
static int first_binding(struct sq *sq, struct arena *arena, tr_str *ret_binding)
{
    sqlite3_stmt *stmt;
    int rc = sq_begin(sq, &stmt, SQL_FIRST, "");

    if (rc != SQLITE_OK)
        return rc;
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        *ret_binding = arena_str(arena, sq_text(stmt, 0));
    sq_end(stmt);
    return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

int store_backfill_take_all(struct store *store, int64_t *ret_taken, struct error *error)
{
    struct sq *sq = &store->own;
    struct arena arena;
    tr_str binding;
    int64_t taken = 0, some = 0;
    int rc = sq_enter(sq);

    arena_init(&arena, 1024);
    while (rc == SQLITE_OK && (rc = first_binding(sq, &arena, &binding)) == SQLITE_OK) {
        rc = backfill_take(sq, binding, &some);
        taken += some;
    }
    rc = sq_leave(sq, rc == SQLITE_DONE ? SQLITE_OK : rc);
    arena_fini(&arena);
    if (rc != SQLITE_OK)
        return sq_error(sq, rc, "take up the requests of backfills", error);
    *ret_taken = taken;
    return 0;
}
