/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tailrace copy, between its files:
 *
 *     cmd_copy.c      the command: options, the run, what it says at the end
 *     copy_state.c    the folder that a copy which was cut short goes on from
 *     copy_targets.c  the databases, those of TARGET made where they are missing
 *     copy_config.c   the configuration that the run is of
 *
 * Main thread.
 */
#ifndef CLI_CMD_COPY_H
#define CLI_CMD_COPY_H

#include "cli/remote.h"
#include "dispatch/binding.h"

#include <limits.h>

struct copy_database {
    tr_str source, target; /* names                                                        */
    bool exists;           /* at TARGET                                                    */
};

struct copy {
    struct args *args;
    struct remotes remotes;
    bool all; /* --all-dbs                                                                 */
    int64_t jobs, q, n;
    struct remote_names names; /* with --all-dbs                                           */
    struct copy_database *databases;
    size_t count, made, secured;

    char rule[32];      /* its name                                                        */
    char dir[PATH_MAX]; /* the state; empty: not made                                      */
    char config[PATH_MAX + 16];
    bool dir_is_own; /* --state-dir did not name it                                        */
    bool resumes;    /* something was there                                             */
    struct settings *settings; /* before the run                                           */
    bool ran;
    struct binding_stats stats;
};

/* ---- copy_state.c ---- */

/* Finds and makes the folder. ERR_CANTCREAT, ERR_OS. */
int copy_state_open(struct copy *copy, struct error *error);

/* Dead letters of a run before shall be tried again. */
int copy_state_resume(const struct copy *copy, struct error *error);

/* All is done: nothing of it is needed any more. And: nothing was begun; what was there stays.
 */
void copy_state_remove(const struct copy *copy);
void copy_state_discard(const struct copy *copy);

/* ---- copy_targets.c ---- */

/* Which databases there are at TARGET; with --create makes the others. ERR_NOINPUT: some are
 * missing. */
int copy_targets_prepare(struct copy *copy, struct error *error);

/* Copies `_security` of each. */
int copy_targets_secure(struct copy *copy, struct error *error);

/* ---- copy_config.c ---- */

/* What decides what is copied, as the text of a rule's members. ERR_USAGE with a line on
 * stderr. */
int copy_config_choice(const struct copy *copy, struct buf *out);

/* Appends the whole. `include_docs`: read documents with the changes. */
int copy_config_write(const struct copy *copy, bool include_docs, struct buf *out);

#endif
