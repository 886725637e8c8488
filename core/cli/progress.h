/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shows how far `run --once` is: a line at the bottom of the terminal a few times a second, or,
 * where there is none, a line of the log every ten seconds; nothing of a run that is shorter.
 * The runner starts and stops it; main thread.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "base/loop.h"
#include "cli/estimate.h"

enum progress_form { PROGRESS_AUTO, PROGRESS_LOG, PROGRESS_NEVER };

/* Storage of the caller: zero it and set `form`. */
struct progress {
    enum progress_form form;
    struct loop *loop; /* NULL: not started, or over                                       */
    const struct engine *engine;
    struct estimate estimate;
    struct timer timer;
    int64_t log_ms; /* when the next line of the log is due                                   */
    bool on_terminal;
};

/* False for an unknown word. */
bool progress_parse(const char *word, enum progress_form *ret_form);

/* Both are borrowed until progress_stop(). */
void progress_start(struct progress *progress, struct loop *loop, const struct engine *engine);

/* Before the engine is asked to stop, or when it has finished: the terminal is as it was. NULL
 * and one that was not started are fine. */
void progress_stop(struct progress *progress);

#endif
