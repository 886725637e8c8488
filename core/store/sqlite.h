/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQLite, as much of it as the store needs: a connection, statements that are prepared once,
 * and errors in our words. Inside store/ only.
 *
 * A connection belongs to one thread at a time. Statements are told apart by the address of
 * their text, so a text is a static array. Values are bound, never pasted.
 */
#ifndef STORE_SQLITE_H
#define STORE_SQLITE_H

#include "base/error.h"
#include "base/str.h"

#include <sqlite3.h>
#include <stdint.h>

enum { SQ_STATEMENTS = 40 };

struct sq {
    sqlite3 *handle;
    char *path;
    struct {
        const char *text;
        sqlite3_stmt *stmt;
    } cache[SQ_STATEMENTS];
};

/* SQLITE_OPEN_… `flags`; the file is never created here. Storage of the caller. */
int sq_open(struct sq *sq, const char *path, int flags, struct error *error);
void sq_close(struct sq *sq);

/* Binds by `types`: t a tr_str as TEXT, o the same with NULL for an empty one, b a tr_str as
 * BLOB, i an int64_t, n the same with NULL for 0. Returns SQLite's code. The statement is ready
 * for sqlite3_step(); give it back by sq_end(). */
int sq_begin(struct sq *sq, sqlite3_stmt **ret_stmt, const char *text, const char *types, ...);
void sq_end(sqlite3_stmt *stmt);

/* Binds more of one that was begun, from the value number `at` on (1 is the first). */
int sq_bind(sqlite3_stmt *stmt, int at, const char *types, ...);

/* A statement without rows, from begin to end. Returns SQLITE_OK or SQLite's code. */
int sq_run(struct sq *sq, const char *text, const char *types, ...);

/* A transaction that writes; leave() commits it if `rc` is SQLITE_OK, else rolls it back, and
 * returns what became of it. */
int sq_enter(struct sq *sq);
int sq_leave(struct sq *sq, int rc);

/* SQL without values, of any number of statements; not cached. */
int sq_exec(struct sq *sq, const char *text);

/* The first column of the first row of a query without values; a PRAGMA, mostly. */
int sq_number(struct sq *sq, const char *text, int64_t *ret_number);

/* A column of the row at hand; valid until the next step. */
tr_str sq_text(sqlite3_stmt *stmt, int column);

/* Turns a code of SQLite into one of ours and the line "cannot `doing`: …". */
int sq_error(struct sq *sq, int rc, const char *doing, struct error *error);

/* The line for a store that cannot be trusted; `why` is what was found. */
int sq_damaged(const char *path, const char *why, struct error *error);

#endif
