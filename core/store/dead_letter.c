/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dead letters: changes that were given up, kept until someone sends them again or purges them.
 * Reads and the cli's writes on the owner's thread; add, delete and fail on the thread of the
 * connection given.
 */
#include "store/internal.h"

/* All but the row, which can be a megabyte; the order is that of read_row(). */
#define COLUMNS                                                                                \
    "d.id, d.binding, d.stream, d.source, d.db, d.doc_id, d.revs, d.seq, d.error,"             \
    " d.attempts, d.first_ms, d.last_ms, d.row_cut, length(d.row),"                            \
    " EXISTS(SELECT 1 FROM replay r WHERE r.binding = d.binding AND r.id = d.id)"
#define MATCHES                                                                                \
    " (?1 IS NULL OR d.binding = ?1) AND (?2 IS NULL OR d.db = ?2)"                            \
    " AND d.id BETWEEN ?3 AND ?4 AND d.last_ms < ?5"
#define CHOSEN "(SELECT d.id FROM dead_letter d WHERE" MATCHES " ORDER BY d.id LIMIT ?6)"

enum { COLUMN_ROW = 15 };

static const char SQL_EACH[] = "SELECT " COLUMNS " FROM dead_letter d WHERE" MATCHES
                               " ORDER BY d.id LIMIT ?6";
static const char SQL_EACH_MARKED[] =
    "SELECT " COLUMNS ", d.row FROM replay m CROSS JOIN dead_letter d ON d.id = m.id"
    " WHERE m.binding = ?1 AND m.id >= ?3 AND" MATCHES " ORDER BY m.id LIMIT ?6";
static const char SQL_GET[] = "SELECT " COLUMNS ", d.row FROM dead_letter d WHERE d.id = ?1";
static const char SQL_COUNT[] = "SELECT count, bytes FROM dead_letter_total WHERE binding = ?1";
static const char SQL_COUNT_ALL[] =
    "SELECT coalesce(sum(count), 0), coalesce(sum(bytes), 0) FROM dead_letter_total";
static const char SQL_ADD[] =
    "INSERT INTO dead_letter(binding, stream, source, db, doc_id, revs, seq, error, attempts,"
    " first_ms, last_ms, row_cut, bytes, row)"
    " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
static const char SQL_DELETE[] = "DELETE FROM dead_letter WHERE id = ?1";
static const char SQL_FAIL[] =
    "UPDATE dead_letter SET error = ?2, last_ms = ?3, attempts = attempts + ?4 WHERE id = ?1";
static const char SQL_UNMARK[] =
    "DELETE FROM replay WHERE id = ?1"
    " AND binding = (SELECT binding FROM dead_letter WHERE id = ?1)";
static const char SQL_MARK[] = "INSERT OR IGNORE INTO replay(binding, id)"
                               " SELECT binding, id FROM dead_letter WHERE id IN " CHOSEN;
static const char SQL_PURGE[] = "DELETE FROM dead_letter WHERE id IN " CHOSEN;
static const char SQL_PURGE_MARKED[] =
    "DELETE FROM dead_letter WHERE id IN "
    "(SELECT d.id FROM replay m CROSS JOIN dead_letter d ON d.id = m.id"
    " WHERE m.binding = ?1 AND" MATCHES " ORDER BY d.id LIMIT ?6)";

/* ---- reading ---- */

static struct store_dead_letter read_row(sqlite3_stmt *stmt)
{
    struct store_dead_letter letter = {
        .id = sqlite3_column_int64(stmt, 0),
        .binding = sq_text(stmt, 1),
        .stream = sq_text(stmt, 2),
        .source = sq_text(stmt, 3),
        .db = sq_text(stmt, 4),
        .doc_id = sq_text(stmt, 5),
        .revs = sq_text(stmt, 6),
        .seq = sq_text(stmt, 7),
        .error = sq_text(stmt, 8),
        .attempts = sqlite3_column_int64(stmt, 9),
        .first_ms = sqlite3_column_int64(stmt, 10),
        .last_ms = sqlite3_column_int64(stmt, 11),
        .row_cut = sqlite3_column_int64(stmt, 12) != 0,
        .row_size = sqlite3_column_int64(stmt, 13),
        .replay = sqlite3_column_int64(stmt, 14) != 0,
    };

    if (sqlite3_column_count(stmt) > COLUMN_ROW)
        letter.row = sq_text(stmt, COLUMN_ROW);
    return letter;
}

/* The six values of MATCHES and LIMIT, for sq_begin() and sq_run(). */
#define FILTER_TYPES "ooiiii"
#define FILTER_VALUES(f)                                                                       \
    (f)->binding, (f)->db, (f)->id_from, (f)->id_to ? (f)->id_to : INT64_MAX,                  \
        (f)->before_ms ? (f)->before_ms : INT64_MAX, (f)->limit ? (f)->limit : INT64_C(-1)

int store_dead_letter_each(struct store *store, const struct store_filter *filter,
                           bool (*each)(void *context, const struct store_dead_letter *),
                           void *context, struct error *error)
{
    const char *text = filter->marked ? SQL_EACH_MARKED : SQL_EACH;
    sqlite3_stmt *stmt;
    int rc = sq_begin(&store->own, &stmt, text, FILTER_TYPES, FILTER_VALUES(filter));

    if (rc != SQLITE_OK)
        return sq_error(&store->own, rc, "read the dead letters", error);
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        struct store_dead_letter letter = read_row(stmt);
        if (!each(context, &letter))
            break;
    }
    sq_end(stmt);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return sq_error(&store->own, rc, "read the dead letters", error);
    return 0;
}

static void keep_all(struct arena *arena, struct store_dead_letter *letter)
{
    tr_str *const strings[] = {&letter->binding, &letter->stream, &letter->source,
                               &letter->db,      &letter->doc_id, &letter->revs,
                               &letter->seq,     &letter->error,  &letter->row};

    for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++)
        *strings[i] = arena_str(arena, *strings[i]);
}

int store_dead_letter_get(struct store *store, int64_t id, struct arena *arena,
                          struct store_dead_letter *ret_letter, bool *ret_found,
                          struct error *error)
{
    sqlite3_stmt *stmt;
    int rc = sq_begin(&store->own, &stmt, SQL_GET, "i", id);

    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);
        if (rc == SQLITE_ROW) {
            struct store_dead_letter letter = read_row(stmt);
            keep_all(arena, &letter);
            *ret_letter = letter;
        }
        sq_end(stmt);
    }
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return sq_error(&store->own, rc, "read a dead letter", error);
    *ret_found = rc == SQLITE_ROW;
    return 0;
}

/* SQLite's code. */
static int read_total(struct sq *sq, tr_str binding, int64_t *ret_count, int64_t *ret_bytes)
{
    sqlite3_stmt *stmt;
    int rc;

    if (binding.len > 0)
        rc = sq_begin(sq, &stmt, SQL_COUNT, "t", binding);
    else
        rc = sq_begin(sq, &stmt, SQL_COUNT_ALL, "");
    if (rc != SQLITE_OK)
        return rc;
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW || rc == SQLITE_DONE) {
        *ret_count = rc == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
        *ret_bytes = rc == SQLITE_ROW ? sqlite3_column_int64(stmt, 1) : 0;
        rc = SQLITE_OK;
    }
    sq_end(stmt);
    return rc;
}

int store_dead_letter_count(struct store *store, tr_str binding, int64_t *ret_count,
                            int64_t *ret_bytes, struct error *error)
{
    int rc = read_total(&store->own, binding, ret_count, ret_bytes);

    return rc == SQLITE_OK ? 0 : sq_error(&store->own, rc, "count the dead letters", error);
}

/* ---- the cli's writes ---- */

static int change(struct store *store, const char *text, const struct store_filter *filter,
                  int64_t *ret_changed, struct error *error)
{
    int rc = sq_run(&store->own, text, FILTER_TYPES, FILTER_VALUES(filter));

    if (rc != SQLITE_OK)
        return sq_error(&store->own, rc, "change the dead letters", error);
    *ret_changed = sqlite3_changes64(store->own.handle);
    return 0;
}

int store_dead_letter_mark(struct store *store, const struct store_filter *filter,
                           int64_t *ret_marked, struct error *error)
{
    return change(store, SQL_MARK, filter, ret_marked, error);
}

int store_dead_letter_purge(struct store *store, const struct store_filter *filter,
                            int64_t *ret_deleted, struct error *error)
{
    return change(store, filter->marked ? SQL_PURGE_MARKED : SQL_PURGE, filter, ret_deleted,
                  error);
}

/* ---- operations of commits ---- */

/* What a letter counts for: what it takes on disk, roughly. */
static int64_t bytes_of(const struct store_dead_letter *letter)
{
    return (int64_t)(letter->stream.len + letter->source.len + letter->db.len +
                     letter->doc_id.len + letter->revs.len + letter->seq.len +
                     letter->error.len + letter->row.len);
}

int dead_letter_add(struct sq *sq, const struct store_limits *limits, tr_str binding,
                    struct store_dead_letter *letter, bool *ret_full)
{
    int64_t count = 0, total = 0, bytes = bytes_of(letter);
    int rc = read_total(sq, binding, &count, &total);

    if (rc != SQLITE_OK)
        return rc;
    if ((limits->count > 0 && count >= limits->count) ||
        (limits->bytes > 0 && total + bytes > limits->bytes)) {
        *ret_full = true;
        return SQLITE_OK;
    }
    rc = sq_run(sq, SQL_ADD, "ttttttttiiiiib", binding, letter->stream, letter->source,
                letter->db, letter->doc_id, letter->revs, letter->seq, letter->error,
                letter->attempts, letter->first_ms, letter->last_ms, (int64_t)letter->row_cut,
                bytes, letter->row);
    if (rc == SQLITE_OK) {
        letter->id = sqlite3_last_insert_rowid(sq->handle);
        letter->row_size = (int64_t)letter->row.len;
    }
    return rc;
}

int dead_letter_delete(struct sq *sq, int64_t id)
{
    return sq_run(sq, SQL_DELETE, "i", id);
}

int dead_letter_fail(struct sq *sq, const struct store_dead_letter *letter)
{
    int rc = sq_run(sq, SQL_FAIL, "itii", letter->id, letter->error, letter->last_ms,
                    letter->attempts);

    if (rc == SQLITE_OK)
        rc = sq_run(sq, SQL_UNMARK, "i", letter->id);
    return rc;
}
