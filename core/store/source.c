/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the list of changed databases of each source was read to. Reads on the owner's thread,
 * the put on the commit thread.
 *
 * It saves a restarted daemon from waiting for the sweep to find what changed meanwhile. The
 * sweep still goes over everything, so a position that is lost or ahead costs time, never a
 * change; hence one whose sum is wrong is dropped without a word.
 */
#include "store/internal.h"

static const char SQL_GET[] = "SELECT updates, sum FROM source WHERE name = ?1";
static const char SQL_PUT[] = "INSERT OR REPLACE INTO source VALUES(?1, ?2, ?3)";

static int64_t sum_of(tr_str name, tr_str updates)
{
    return (int64_t)(hash_stable(name.ptr, name.len) * 31 +
                     hash_stable(updates.ptr, updates.len));
}

int store_source_get(struct store *store, tr_str name, struct arena *arena, tr_str *ret_updates,
                     bool *ret_found, struct error *error)
{
    sqlite3_stmt *stmt;
    int rc = sq_begin(&store->own, &stmt, SQL_GET, "t", name);

    if (rc != SQLITE_OK)
        return sq_error(&store->own, rc, "read the position of a source", error);
    rc = sqlite3_step(stmt);
    *ret_found = rc == SQLITE_ROW &&
                 sqlite3_column_int64(stmt, 1) == sum_of(name, sq_text(stmt, 0));
    if (*ret_found)
        *ret_updates = arena_str(arena, sq_text(stmt, 0));
    sq_end(stmt);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return sq_error(&store->own, rc, "read the position of a source", error);
    return 0;
}

int source_put(struct sq *sq, const struct store_source *source)
{
    return sq_run(sq, SQL_PUT, "tti", source->name, source->updates,
                  sum_of(source->name, source->updates));
}
