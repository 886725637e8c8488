/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQLite, as much of it as the store needs. Called by the rest of store/, on the thread that
 * the connection belongs to.
 */
#include "store/sqlite.h"

#include "base/mem.h"

#include <stdarg.h>

/* How long another process may hold the write lock before we say so. */
enum { BUSY_TIMEOUT_MS = 5000 };

int sq_damaged(const char *path, const char *why, struct error *error)
{
    char line[120]; /* SQLite's findings have several lines; the advice must find room too */

    sqlite3_snprintf(sizeof(line), line, "%s", why);
    for (char *c = line; *c; c++)
        if ((unsigned char)*c < ' ')
            *c = ' ';
    return error_set(error, ERR_DATA,
                     "the store %s is damaged or not a store (%s); it was left as it is. Put a "
                     "backup back, or move it away with its -wal and -shm files to start anew: "
                     "then every binding begins at its `since` and the dead letters are gone",
                     path, line);
}

int sq_error(struct sq *sq, int rc, const char *doing, struct error *error)
{
    /* The connection knows more, unless something else was done on it since. */
    bool fresh = sq->handle && sqlite3_extended_errcode(sq->handle) == rc;
    const char *why = fresh ? sqlite3_errmsg(sq->handle) : sqlite3_errstr(rc);

    switch (rc & 0xff) {
    case SQLITE_ERROR: /* our statements are fixed: then the tables are not as they were made */
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return sq_damaged(sq->path, why, error);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return error_set(error, ERR_TEMP,
                         "cannot %s: %s is busy with another process; try again", doing,
                         sq->path);
    case SQLITE_NOMEM:
        return error_set(error, ERR_OS,
                         "cannot %s: %s: out of memory; give the service more memory", doing,
                         sq->path);
    case SQLITE_FULL:
        return error_set(error, ERR_IO, "cannot %s: %s: the disk is full; make room", doing,
                         sq->path);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_CANTOPEN:
        return error_set(error, ERR_NOPERM,
                         "cannot %s: %s: %s; run as the user that tailrace runs as", doing,
                         sq->path, why);
    case SQLITE_IOERR:
        return error_set(error, ERR_IO, "cannot %s: %s: %s; look at the disk", doing, sq->path,
                         why);
    default:
        return error_set(error, ERR_SOFTWARE, "cannot %s: %s: %s (%d)", doing, sq->path, why,
                         rc);
    }
}

static int set_up(struct sq *sq, int flags)
{
    int rc;

    sqlite3_extended_result_codes(sq->handle, 1);
    sqlite3_busy_timeout(sq->handle, BUSY_TIMEOUT_MS);
    sqlite3_db_config(sq->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(sq->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    /* SQLite's own checkpoints of the WAL swallow a failed fsync; the commit thread makes them.
     */
    sqlite3_wal_autocheckpoint(sq->handle, 0);
    rc = sq_exec(sq, "PRAGMA cell_size_check=ON; PRAGMA temp_store=MEMORY;"
                     "PRAGMA synchronous=FULL;");
    if (rc == SQLITE_OK && (flags & SQLITE_OPEN_READONLY))
        rc = sq_exec(sq, "PRAGMA query_only=ON");
    return rc;
}

int sq_open(struct sq *sq, const char *path, int flags, struct error *error)
{
    int rc;

    *sq = (struct sq){.path = str_dup(str_c(path))};
    rc = sqlite3_open_v2(path, &sq->handle,
                         flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, NULL);
    if (rc == SQLITE_OK)
        rc = set_up(sq, flags);
    if (rc != SQLITE_OK) {
        rc = sq_error(sq, rc, "open the store", error);
        sq_close(sq);
        return rc;
    }
    return 0;
}

void sq_close(struct sq *sq)
{
    for (int i = 0; i < SQ_STATEMENTS; i++)
        sqlite3_finalize(sq->cache[i].stmt);
    sqlite3_close(sq->handle);
    free(sq->path);
    *sq = (struct sq){0};
}

static int find_statement(struct sq *sq, const char *text, sqlite3_stmt **ret_stmt)
{
    int i = 0, rc;

    while (i < SQ_STATEMENTS && sq->cache[i].text && sq->cache[i].text != text)
        i++;
    if (i == SQ_STATEMENTS)
        return SQLITE_MISUSE;
    if (!sq->cache[i].text) {
        rc = sqlite3_prepare_v3(sq->handle, text, -1, SQLITE_PREPARE_PERSISTENT,
                                &sq->cache[i].stmt, NULL);
        if (rc != SQLITE_OK)
            return rc;
        sq->cache[i].text = text;
    }
    *ret_stmt = sq->cache[i].stmt;
    return SQLITE_OK;
}

static int bind_str(sqlite3_stmt *stmt, int at, char type, tr_str value)
{
    const char *ptr = value.ptr ? value.ptr : ""; /* NULL would bind NULL */

    if (type == 'o' && value.len == 0)
        return sqlite3_bind_null(stmt, at);
    if (type == 'b')
        return sqlite3_bind_blob64(stmt, at, ptr, value.len, SQLITE_STATIC);
    return sqlite3_bind_text64(stmt, at, ptr, value.len, SQLITE_STATIC, SQLITE_UTF8);
}

static int bind_all(sqlite3_stmt *stmt, int at, const char *types, va_list values)
{
    int rc = SQLITE_OK;

    for (; *types && rc == SQLITE_OK; at++, types++) {
        if (*types == 'i' || *types == 'n') {
            int64_t number = va_arg(values, int64_t);
            rc = *types == 'n' && number == 0 ? sqlite3_bind_null(stmt, at)
                                              : sqlite3_bind_int64(stmt, at, number);
        } else {
            rc = bind_str(stmt, at, *types, va_arg(values, tr_str));
        }
    }
    return rc;
}

static int begin(struct sq *sq, sqlite3_stmt **ret_stmt, const char *text, const char *types,
                 va_list values)
{
    sqlite3_stmt *stmt;
    int rc = find_statement(sq, text, &stmt);

    if (rc == SQLITE_OK) {
        rc = bind_all(stmt, 1, types, values);
        if (rc == SQLITE_OK)
            *ret_stmt = stmt;
        else
            sq_end(stmt);
    }
    return rc;
}

int sq_begin(struct sq *sq, sqlite3_stmt **ret_stmt, const char *text, const char *types, ...)
{
    va_list values;
    int rc;

    va_start(values, types);
    rc = begin(sq, ret_stmt, text, types, values);
    va_end(values);
    return rc;
}

int sq_bind(sqlite3_stmt *stmt, int at, const char *types, ...)
{
    va_list values;
    int rc;

    va_start(values, types);
    rc = bind_all(stmt, at, types, values);
    va_end(values);
    return rc;
}

void sq_end(sqlite3_stmt *stmt)
{
    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt); /* they point to memory of the caller */
}

int sq_run(struct sq *sq, const char *text, const char *types, ...)
{
    sqlite3_stmt *stmt;
    va_list values;
    int rc;

    va_start(values, types);
    rc = begin(sq, &stmt, text, types, values);
    va_end(values);
    if (rc != SQLITE_OK)
        return rc;
    rc = sqlite3_step(stmt);
    sq_end(stmt);
    return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
}

int sq_enter(struct sq *sq)
{
    static const char text[] = "BEGIN IMMEDIATE";

    return sq_run(sq, text, "");
}

int sq_leave(struct sq *sq, int rc)
{
    static const char commit[] = "COMMIT", rollback[] = "ROLLBACK";

    if (rc == SQLITE_OK)
        rc = sq_run(sq, commit, "");
    if (rc != SQLITE_OK && !sqlite3_get_autocommit(sq->handle))
        sq_run(sq, rollback, "");
    return rc;
}

int sq_exec(struct sq *sq, const char *text)
{
    return sqlite3_exec(sq->handle, text, NULL, NULL, NULL);
}

int sq_number(struct sq *sq, const char *text, int64_t *ret_number)
{
    sqlite3_stmt *stmt;
    int rc = sqlite3_prepare_v2(sq->handle, text, -1, &stmt, NULL);

    if (rc != SQLITE_OK)
        return rc;
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        *ret_number = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    if (rc == SQLITE_DONE)
        return SQLITE_CORRUPT;
    return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

tr_str sq_text(sqlite3_stmt *stmt, int column)
{
    const char *ptr = sqlite3_column_blob(stmt, column);

    return str_n(ptr ? ptr : "", (size_t)sqlite3_column_bytes(stmt, column));
}
