/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables, how an older store becomes a newer one, and how a damaged one is told. Called by
 * open.c on the thread that opens the store.
 */
#include "store/schema.h"

#include <stdio.h>

/* Stores up to this size are read as a whole when they are opened. */
enum { SMALL_STORE_BYTES = 16 << 20 };

/*
 * A step is never changed once it was released; a change is a new step.
 *
 * The totals are kept by triggers, so that the bound costs the same however many dead letters
 * there are, and whoever deletes. The marks for replay stand in a table of their own: setting
 * one must not write a row of a megabyte again.
 */
static const char step_1[] =
    "CREATE TABLE binding("
    "  name TEXT PRIMARY KEY, created_ms INTEGER NOT NULL, discovered INTEGER NOT NULL,"
    "  sum INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"

    "CREATE TABLE checkpoint("
    "  binding TEXT NOT NULL, stream TEXT NOT NULL,"
    "  source TEXT NOT NULL, db TEXT NOT NULL, incarnation TEXT NOT NULL,"
    "  seq TEXT NOT NULL, ordinal INTEGER NOT NULL, updated_ms INTEGER NOT NULL,"
    "  sum INTEGER NOT NULL,"
    "  PRIMARY KEY(binding, stream)"
    ") STRICT, WITHOUT ROWID;"

    "CREATE TABLE dead_letter("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  binding TEXT NOT NULL, stream TEXT NOT NULL, source TEXT NOT NULL, db TEXT NOT NULL,"
    "  doc_id TEXT NOT NULL, revs TEXT NOT NULL, seq TEXT NOT NULL, error TEXT NOT NULL,"
    "  attempts INTEGER NOT NULL, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL,"
    "  row_cut INTEGER NOT NULL, bytes INTEGER NOT NULL, row BLOB NOT NULL"
    ") STRICT;"
    "CREATE INDEX dead_letter_binding ON dead_letter(binding, id);"

    "CREATE TABLE replay("
    "  binding TEXT NOT NULL, id INTEGER NOT NULL, PRIMARY KEY(binding, id)"
    ") STRICT, WITHOUT ROWID;"

    "CREATE TABLE dead_letter_total("
    "  binding TEXT PRIMARY KEY, count INTEGER NOT NULL, bytes INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TRIGGER dead_letter_added AFTER INSERT ON dead_letter BEGIN"
    "  INSERT INTO dead_letter_total VALUES(new.binding, 1, new.bytes)"
    "  ON CONFLICT DO UPDATE SET count = count + 1, bytes = bytes + excluded.bytes;"
    " END;"
    "CREATE TRIGGER dead_letter_deleted AFTER DELETE ON dead_letter BEGIN"
    "  UPDATE dead_letter_total SET count = count - 1, bytes = bytes - old.bytes"
    "  WHERE binding = old.binding;"
    "  DELETE FROM replay WHERE binding = old.binding AND id = old.id;"
    " END;";

/*
 * `seen`: what the server called the database's end when the binding had settled all of it; a
 * start then need not read it to know that nothing is new. 0 is unknown.
 *
 * `source`: where a server's list of changed databases was read to. Only a hint, see source.c.
 *
 * `backfill`: requests that a rule begins again, `db` '' for all of it; see backfill.c. The
 * `since` of a binding is what is left of one until the rule has looked at its databases.
 */
static const char step_2[] =
    "ALTER TABLE checkpoint ADD COLUMN seen INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE source("
    "  name TEXT PRIMARY KEY, updates TEXT NOT NULL, sum INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "ALTER TABLE binding ADD COLUMN since TEXT NOT NULL DEFAULT '';"
    "CREATE TABLE backfill("
    "  binding TEXT NOT NULL, db TEXT NOT NULL, since TEXT NOT NULL,"
    "  asked_ms INTEGER NOT NULL, sum INTEGER NOT NULL, PRIMARY KEY(binding, db)"
    ") STRICT, WITHOUT ROWID;";

/*
 * `state`: what plugins keep, see state.c. A number is never used twice: rows of one that was
 * dropped may still be there.
 */
static const char step_3[] =
    "CREATE TABLE state_scope("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT, binding TEXT NOT NULL, stream TEXT NOT NULL,"
    "  source TEXT NOT NULL, db TEXT NOT NULL, entries INTEGER NOT NULL,"
    "  bytes INTEGER NOT NULL, sum INTEGER NOT NULL, UNIQUE(binding, stream)"
    ") STRICT;"
    "CREATE TABLE state_dropped(scope INTEGER PRIMARY KEY) STRICT;"
    "CREATE TABLE state("
    "  scope INTEGER NOT NULL, key BLOB NOT NULL, sum INTEGER NOT NULL, value BLOB NOT NULL,"
    "  PRIMARY KEY(scope, key)"
    ") STRICT, WITHOUT ROWID;";

const char *const schema_steps[] = {step_1, step_2, step_3};
const int schema_steps_count = sizeof(schema_steps) / sizeof(schema_steps[0]);

static int read_version(struct sq *sq, int64_t *ret_version, struct error *error)
{
    int rc = sq_number(sq, "PRAGMA user_version", ret_version);

    return rc == SQLITE_OK ? 0 : sq_error(sq, rc, "read the version of the store", error);
}

static int refuse_newer(struct sq *sq, int64_t version, int known, struct error *error)
{
    return error_set(error, ERR_DATA,
                     "the store %s is of version %lld and this tailrace knows up to %d: it was "
                     "written by a newer one; install that again",
                     sq->path, (long long)version, known);
}

static int run_step(struct sq *sq, const char *step, int version)
{
    char pragma[48]; /* a PRAGMA takes no bound value; this is a number of ours */
    int rc = sq_exec(sq, "BEGIN IMMEDIATE");

    if (rc != SQLITE_OK)
        return rc;
    snprintf(pragma, sizeof(pragma), "PRAGMA user_version=%d", version);
    rc = sq_exec(sq, step);
    if (rc == SQLITE_OK)
        rc = sq_exec(sq, pragma);
    if (rc == SQLITE_OK)
        rc = sq_exec(sq, "COMMIT");
    if (rc != SQLITE_OK)
        sq_exec(sq, "ROLLBACK");
    return rc;
}

int schema_migrate(struct sq *sq, const char *const *steps, int count, struct error *error)
{
    int64_t version = 0;
    int rc = read_version(sq, &version, error);

    if (rc < 0)
        return rc;
    if (version > count)
        return refuse_newer(sq, version, count, error);
    for (; version < count; version++) {
        rc = run_step(sq, steps[version], (int)version + 1);
        if (rc != SQLITE_OK)
            return sq_error(sq, rc, "bring the store up to date", error);
    }
    return 0;
}

int schema_check_version(struct sq *sq, struct error *error)
{
    int64_t version = 0;
    int rc = read_version(sq, &version, error);

    if (rc < 0)
        return rc;
    if (version > schema_steps_count)
        return refuse_newer(sq, version, schema_steps_count, error);
    if (version < schema_steps_count)
        return error_set(error, ERR_TEMP,
                         "the store %s is of the older version %lld; start the daemon once, it "
                         "brings it up to date",
                         sq->path, (long long)version);
    return 0;
}

/* A check of SQLite's own: one row "ok", or rows that say what is wrong. */
static int run_check(struct sq *sq, const char *check, struct error *error)
{
    sqlite3_stmt *stmt;
    int rc = sqlite3_prepare_v2(sq->handle, check, -1, &stmt, NULL);
    int result = 0;

    if (rc != SQLITE_OK)
        return sq_error(sq, rc, "check the store", error);
    rc = sqlite3_step(stmt);
    if (rc != SQLITE_ROW)
        result = sq_error(sq, rc == SQLITE_DONE ? SQLITE_CORRUPT : rc, "check the store",
                          error);
    else if (!str_eq(sq_text(stmt, 0), STR("ok")))
        result = sq_damaged(sq->path, (const char *)sqlite3_column_text(stmt, 0), error);
    sqlite3_finalize(stmt);
    return result;
}

static int probe_header(struct sq *sq, struct error *error)
{
    int64_t id = 0, version = 0, vacuum = 0;
    int rc = sq_number(sq, "PRAGMA application_id", &id);

    if (rc == SQLITE_OK)
        rc = sq_number(sq, "PRAGMA user_version", &version);
    if (rc == SQLITE_OK)
        rc = sq_number(sq, "PRAGMA auto_vacuum", &vacuum);
    if (rc != SQLITE_OK)
        return sq_error(sq, rc, "read the head of the store", error);
    if (id != SCHEMA_APPLICATION_ID)
        return sq_damaged(sq->path, "it lacks tailrace's mark", error);
    if (version < 1)
        return sq_damaged(sq->path, "its version is less than 1", error);
    /* We never switch it on: it would let SQLite take a page of data for one of its own. */
    if (vacuum != 0)
        return sq_damaged(sq->path, "its head claims auto_vacuum", error);
    return 0;
}

/*
 * A damaged page of checkpoints can look like one with fewer of them, and a stream without a
 * checkpoint starts anew without a word: so these pages are looked at every time. They are as
 * many as there are streams. Dead letters and what plugins keep can be gigabytes and are found
 * out when they are read.
 */
int schema_probe(struct sq *sq, bool thorough, struct error *error)
{
    int64_t pages = 0, page_size = 0;
    int rc = probe_header(sq, error);

    if (rc < 0 || !thorough)
        return rc;
    /* By the mode of the file we may write, as open.c found; so it is a version byte that
     * turned. */
    if (sqlite3_db_readonly(sq->handle, "main") == 1)
        return sq_damaged(sq->path, "its head claims that it cannot be written", error);
    rc = sq_number(sq, "PRAGMA page_count", &pages);
    if (rc == SQLITE_OK)
        rc = sq_number(sq, "PRAGMA page_size", &page_size);
    if (rc != SQLITE_OK)
        return sq_error(sq, rc, "read the head of the store", error);
    if (pages * page_size <= SMALL_STORE_BYTES)
        return run_check(sq, "PRAGMA integrity_check(1)", error);
    rc = run_check(sq, "PRAGMA quick_check(checkpoint)", error);
    if (rc == 0)
        rc = run_check(sq, "PRAGMA quick_check(binding)", error);
    if (rc == 0)
        rc = run_check(sq, "PRAGMA quick_check(backfill)", error);
    if (rc == 0)
        rc = run_check(sq, "PRAGMA quick_check(state_scope)", error);
    return rc;
}
