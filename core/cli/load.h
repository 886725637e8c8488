/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How commands load the settings that they run on, and say what is wrong with them. Main
 * thread.
 */
#ifndef CLI_LOAD_H
#define CLI_LOAD_H

#include "engine/settings.h"

enum {
    LOAD_SECRETS = 1 << 0 /* with what the settings refer to: for a command that runs them  */
};

/* A command that writes a configuration of its own: its user knows an option of it, and not the
 * place in the file that it became. */
struct load_name {
    const char *path;   /* what a path in the file begins with; NULL ends an array          */
    const char *option; /* what it begins with on the command line                          */
};

/* Loads and judges settings. What is wrong is printed, with file and line, or, with `names`, by
 * the option. Gives the exit code; EX_OK: *ret_settings is the caller's. */
int load_settings(const struct settings_overrides *overrides, unsigned flags,
                  const struct load_name *names, struct settings **ret_settings);

#endif
