/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the commands say: errors of one line, tables with aligned columns for people, and JSON
 * for programs (json/write.h). Texts from databases and plugins cannot move a terminal's
 * cursor: control characters become "?". Main thread.
 */
#ifndef CLI_PRINT_H
#define CLI_PRINT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "config/diag.h"
#include "json/write.h"

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

/* What a command did: "3 rules deleted", or {"deleted":3}. */
void print_done(bool as_json, int64_t count, const char *noun, const char *done);

/* ---- tables ---- */

enum { TABLE_COLUMNS = 12 };

/* Storage of the caller; zero it and set `columns` and `heads`. */
struct table {
    int columns;
    const char *heads[TABLE_COLUMNS];
    size_t most[TABLE_COLUMNS]; /* characters shown of a cell; 0: all                      */
    bool right[TABLE_COLUMNS];  /* a column of numbers: they end below each other          */
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
void table_fini(struct table *table);

#endif
