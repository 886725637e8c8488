/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shows how far a command is: a line at the bottom of the terminal a few times a second, or,
 * where there is none, a line of the log every ten seconds; nothing of one that is shorter. The
 * runner of `run --once` and `copy`, and `verify`, start and stop it; main thread.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "base/loop.h"
#include "cli/estimate.h"

/* How far it is now. */
typedef void (*progress_look_fn)(const void *ctx, struct engine_progress *ret_progress);

/* Some of the databases that are under way; gives how many. */
typedef size_t (*progress_parts_fn)(const void *ctx, struct engine_part *parts, size_t room);

enum progress_form { PROGRESS_AUTO, PROGRESS_LOG, PROGRESS_NEVER };

/* Storage of the caller: zero it and set the first part. */
struct progress {
    enum progress_form form;
    bool is_wanted;    /* lines of the log are written whatever its level is               */
    struct loop *loop; /* NULL: not started, or over                                       */
    progress_look_fn look;
    progress_parts_fn parts;
    const void *ctx;
    struct estimate estimate;
    struct timer timer;
    int64_t log_ms; /* when the next line of the log is due                                   */
    bool on_terminal;
    int lines; /* on the terminal, so far                                                  */
};

/* False for an unknown word. */
bool progress_parse(const char *word, enum progress_form *ret_form);

/* `loop` and `ctx` are borrowed until progress_stop(). `parts`: a terminal has a line for each
 * of several databases too. */
void progress_start(struct progress *progress, struct loop *loop, progress_look_fn look,
                    progress_parts_fn parts, const void *ctx);

/* Before what it shows is asked to stop, or when that has finished: the terminal is as it was.
 * NULL and one that was not started are fine. */
void progress_stop(struct progress *progress);

#endif
