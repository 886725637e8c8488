/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of file-sink share.
 *
 *     file-sink.c  the descriptor, options, an instance's life, batches
 *     path.c       the option `path`
 *     line.c       changes to lines
 *     output.c     a file: opened, locked, mended, appended to, rotated
 *     console.c    standard output
 *     explain.c    what would be appended
 *
 * Everything runs on the instance's worker.
 */
#ifndef FILE_SINK_H
#define FILE_SINK_H

#include <tailrace/ext/template.h>
#include <tailrace/sdk.h>

#include <stdbool.h>
#include <sys/types.h>

enum { MESSAGE_MAX = 256, OUTPUTS_MAX = 64 };

enum { WHAT_ROW, WHAT_DOC, WHAT_ENVELOPE };
enum { FSYNC_BATCH, FSYNC_INTERVAL, FSYNC_NEVER };

struct options {
    char *path, *mode;
    int32_t what, fsync;
    int64_t fsync_interval_ms, rotate_size, rotate_keep;
};

/* ---- path.c ---- */

bool path_is_console(const char *path);
tr_status path_check(const char *text, tr_error *error);

/* The path for a database, to be freed; NULL: no memory. */
char *path_for(const char *text, tr_str db);

/* ---- line.c ---- */

/* The lines of a batch; the memory stays for the next one. */
struct lines {
    char *ptr;
    size_t len, cap;
};

/* Appends the change as one line. TR_RETRY: no memory; TR_REJECT: it is not JSON. */
tr_status line_add(struct lines *lines, const tr_template_api *tmpl, int32_t what,
                   const tr_batch *batch, const tr_change *change);
void lines_fini(struct lines *lines);

/* ---- output.c ---- */

struct output_settings {
    const tr_host *host; /* for what has to be told                                        */
    mode_t mode;
    int32_t fsync;
    int64_t fsync_interval_ms;
    off_t rotate_size; /* 0: never                                                         */
    int rotate_keep;
};

/* A file that is appended to; nobody else may meanwhile. */
struct output {
    const struct output_settings *settings;
    char *path;
    int fd; /* -1: not open                                                                */
    off_t cut_to; /* a failed batch has to be cut off from here; -1: none                  */
    bool dirty;   /* written and not yet synced                                              */
    int64_t synced_ms;
};

/* Nothing is opened before the first append. `path` is copied; false: no memory. */
bool output_init(struct output *output, const struct output_settings *settings,
                 const char *path);

/* Syncs what is dirty, unless the settings say never, and closes. */
void output_fini(struct output *output);

/* Appends all lines or none. Opens the file anew when another one is at its path. TR_RETRY: not
 * now, TR_FATAL: what is on the disk is not known; `message` says why. */
tr_status output_append(struct output *output, const struct lines *lines,
                        char message[MESSAGE_MAX]);

/* Makes what was written durable; TR_FATAL when that fails. */
tr_status output_sync(struct output *output, char message[MESSAGE_MAX]);

/* ---- explain.c ---- */

tr_status explain_lines(const char *path, const struct lines *lines,
                        void (*line)(void *user, tr_str text), void *user);

/* ---- console.c ---- */

/* Writes to standard output, waiting for its reader. TR_FATAL: there is none any more. */
tr_status console_write(const struct lines *lines, char message[MESSAGE_MAX]);

#endif
