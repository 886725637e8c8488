/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Diagnostics: what is wrong with a configuration, all of it and not only the first thing.
 *
 * Every check of config/ (and of whoever checks what a table cannot say) adds to one list; the
 * cli prints it. A text names a place, a key, what is wrong and what to do:
 *
 *     conf.d/a.conf:7: error: rules.x.databse: unknown key; did you mean "databases"?
 *
 * Not thread-safe: a list belongs to one thread at a time. Values that may be secret never get
 * into a message; that is up to whoever writes it.
 */
#ifndef CONFIG_DIAG_H
#define CONFIG_DIAG_H

#include "base/buf.h"
#include "base/error.h"
#include "config/tree.h"

enum diag_severity { DIAG_ERROR, DIAG_WARNING };

enum { DIAGS_MAX = 1000 /* kept; more are only counted                                     */ };

struct diag {
    enum diag_severity severity;
    const char *file;    /* NULL: made by the program                                      */
    int line;            /* 0: the file as a whole                                         */
    const char *path;    /* "rules.x.url", or ""                                           */
    const char *message; /* "unknown key"                                                  */
    const char *remedy;  /* "did you mean "databases"?", or ""                             */
    size_t file_rank;    /* which file it was, by first mention                            */
    struct diag *next;
};

struct diags {
    struct arena arena; /* all texts, also those that were handed in                       */
    struct diag *first, *last;
    struct diag surplus; /* what is written to once DIAGS_MAX is reached                    */
    size_t count, errors, warnings; /* count: kept; the others: found                      */
    size_t files;
};

/* Storage of the caller. */
void diags_init(struct diags *diags);
void diags_fini(struct diags *diags);

/* Adds one; `path` may be NULL. Never NULL; valid as long as the list. */
struct diag *diag_add(struct diags *diags, enum diag_severity severity, const char *file,
                      int line, const char *path, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));

/* Adds one with the place and the path of `node`. */
struct diag *diag_at(struct diags *diags, enum diag_severity severity,
                     const struct config_node *node, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Sets what to do about it. */
void diag_remedy(struct diags *diags, struct diag *diag, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Adds an error at `node` with what to do about it (may be empty). Gives ERR_CONFIG, so that a
 * check can end with it. */
int diag_refuse(struct diags *diags, const struct config_node *node, const char *remedy,
                const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* One a line, files in order of first mention, by line within a file. Control bytes become "?".
 * Appended to `out`. */
void diags_print(const struct diags *diags, struct buf *out);

/* An array of {"severity","file","line","path","message","remedy"} in the same order; "file" is
 * null for what the program made. Appended to `out`. */
void diags_json(const struct diags *diags, struct buf *out);

#endif
