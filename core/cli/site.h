/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The site: the state directory and the plugin directories, as the main file and the command
 * line say. Commands that run nothing need no more of a configuration, and so work when a rule
 * of it is wrong or a plugin is missing. Main thread.
 */
#ifndef CLI_SITE_H
#define CLI_SITE_H

#include "cli/args.h"
#include "store/store.h"

struct site {
    struct settings main; /* only what the main file itself says is set                    */
    const char *state_dir;
    const char *const *plugin_dirs; /* ended by NULL                                       */
};

/* Storage of the caller, to be given back by site_fini() in either case. Without -c a main file
 * that is not there stands for the defaults. Mistakes are printed; gives the exit code. */
int site_init(struct site *site, const struct args *args);
void site_fini(struct site *site);

/* Calls use() with the state directory that args, or the configuration, say; gives its exit
 * code, or that of a configuration that cannot be read. */
int site_with_dir(const struct args *args,
                  int (*use)(const struct args *args, const char *dir, void *ctx), void *ctx);

/* Opens the store of the site that args say; `flags` as of store_open(). Never makes a new one.
 * Failures are printed; gives the exit code. */
int site_open_store(const struct args *args, unsigned flags, struct store **ret_store);

#endif
