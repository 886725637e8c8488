/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the commands say: errors of one line, tables with aligned columns for people, and JSON
 * for programs. Texts from databases and plugins cannot move a terminal's cursor: control bytes
 * become "?". Main thread.
 */
#ifndef CLI_PRINT_H
#define CLI_PRINT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "config/diag.h"

/* "tailrace: TEXT" on stderr. */
void print_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The same with an error's own text; gives its exit code. */
int print_failure(const struct error *error);

/* All of them on stderr, "FILE:LINE: error: …" a line. */
void print_diags(const struct diags *diags);

/* Bytes to stdout as they are; with control bytes made harmless; a whole document and a line
 * end. */
void print_str(tr_str text);
void print_clean(tr_str text);
void print_json(const struct buf *json);

/* "1 rule", "3 rules"; into `text`. */
#define PRINT_COUNT 64
const char *print_count(char text[PRINT_COUNT], int64_t count, const char *noun);

/* ---- tables ---- */

enum { TABLE_COLUMNS = 8 };

/* Storage of the caller; zero it and set `columns` and `heads`. */
struct table {
    int columns;
    const char *heads[TABLE_COLUMNS];
    size_t most[TABLE_COLUMNS]; /* characters shown of a cell; 0: all                      */
    struct arena arena;
    tr_str *cells;
    size_t count, room;
};

/* Adds the next cell, row by row; the text is copied. */
void table_add(struct table *table, tr_str text);
void table_addf(struct table *table, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Prints it, heads first, if it has rows; frees what it holds. */
void table_print(struct table *table);

/* ---- JSON, put together member by member; a comma comes by itself ---- */

void json_begin(struct buf *out, const char *key, char bracket); /* key NULL: an item      */
void json_end(struct buf *out, char bracket);
void json_str(struct buf *out, const char *key, tr_str value);
void json_num(struct buf *out, const char *key, int64_t value);
void json_bool(struct buf *out, const char *key, bool value);
void json_raw(struct buf *out, const char *key, tr_str value); /* empty: null              */
void json_time(struct buf *out, const char *key, int64_t wall_ms);

#endif
