/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs an engine to its end: the loop, the signals, the service manager. `run`, `try`, `copy`
 * and `dead-letter replay` share it. Main thread, which becomes the loop thread.
 */
#ifndef CLI_RUNNER_H
#define CLI_RUNNER_H

#include "cli/args.h"
#include "cli/progress.h"

struct runner_options {
    enum engine_mode mode;
    const struct settings_overrides *overrides;
    bool is_service;             /* reloads on SIGHUP, tells the service manager          */
    const struct args *args;     /* of a service: what they say of the log wins, always   */
    struct binding_stats *stats; /* filled in at the end; NULL: not wanted                */
    struct progress *progress;   /* is shown while it runs; NULL: not wanted              */
    int stopped_code;            /* the exit code when a signal ended it before its end; 0 */
};

/* Runs until the engine has finished, or SIGTERM or SIGINT ended it (signals_block() before);
 * a second one does not wait for what is in flight. Takes over `settings`. *ret_exit_code is
 * the engine's; an error means that it did not start. */
int runner_run(const struct runner_options *options, struct settings *settings,
               int *ret_exit_code, struct error *error);

#endif
