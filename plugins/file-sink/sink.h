/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of file-sink share.
 *
 *     file-sink.c  the descriptor, options, an instance's life, batches
 *     path.c       the option `path`
 *     line.c       changes to lines
 *     outputs.c    the files that are open
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
#include <time.h>

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

/* Another time may make another path of it. */
bool path_has_time(const char *path);

/* The path for a database at a time, to be freed; NULL: no memory. */
char *path_for(const char *text, tr_str db, time_t now);

/* How much of that path is the folder that has to be there: up to the first name with a
 * variable, or to the file's own. The folders behind it are made. */
size_t path_fixed(const char *text);

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
    size_t fixed; /* of each path, see path_fixed()                                          */
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
    int lost;     /* why a sync failed: none after it can be believed                        */
    int64_t synced_ms;
};

/* Nothing is opened before the first append. `path` is copied; false: no memory. */
bool output_init(struct output *output, const struct output_settings *settings,
                 const char *path);

/* Syncs what is dirty, unless the settings say never, and closes. */
void output_fini(struct output *output);

/* The same where a failure is told; then it stays open, to be tried again. */
tr_status output_end(struct output *output, char message[MESSAGE_MAX]);

/* Appends all lines or none. Opens the file anew when another one is at its path. TR_RETRY: not
 * now, TR_FATAL: what is on the disk is not known; `message` says why. */
tr_status output_append(struct output *output, const struct lines *lines,
                        char message[MESSAGE_MAX]);

/* Makes what was written durable; TR_FATAL when that fails. */
tr_status output_sync(struct output *output, char message[MESSAGE_MAX]);

/* ---- outputs.c ---- */

/* The files of the databases that were written last, all of the same period: with ${date} in
 * the path, a day. Zero it, and set what is above the line. */
struct outputs {
    struct output_settings settings;
    const char *path; /* the option                                                          */
    /* ---- */
    struct output items[OUTPUTS_MAX]; /* the newest first                                    */
    uint32_t count;
    char *period; /* what the path is for no database                                        */
};

/* Appends all lines or none to the file for a database, as output_append() does. */
tr_status outputs_append(struct outputs *outputs, tr_str db, time_t now,
                         const struct lines *lines, char message[MESSAGE_MAX]);

/* Closes the files if their period is over. Not TR_OK: one of them could not be, and those that
 * are left have to be closed before anything else is written. */
tr_status outputs_turn(struct outputs *outputs, time_t now, char message[MESSAGE_MAX]);

/* Makes what was written durable, unless the settings say never. */
tr_status outputs_sync(struct outputs *outputs, char message[MESSAGE_MAX]);

/* Closes all. It can be used again. */
void outputs_fini(struct outputs *outputs);

/* ---- explain.c ---- */

tr_status explain_lines(const char *path, const struct lines *lines,
                        void (*line)(void *user, tr_str text), void *user);

/* ---- console.c ---- */

/* Writes to standard output, waiting for its reader. TR_FATAL: there is none any more. */
tr_status console_write(const struct lines *lines, char message[MESSAGE_MAX]);

#endif
