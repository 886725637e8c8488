/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration that `tailrace try` makes: one file as source, one rule, the plugin with
 * the options of the command line. A transform stands before a file-sink that writes to
 * standard output. It goes through the same checks as anybody's. Main thread.
 */
#ifndef CLI_TRY_CONFIG_H
#define CLI_TRY_CONFIG_H

#include "cli/args.h"

struct try_setup {
    const struct args *args;     /* of which --option key=value is read                    */
    const struct plugin *plugin; /* tells the types of the options                         */
    const struct plugin *sink;   /* file-sink, behind a transform; else NULL               */
    const char *feed;            /* absolute, or "-"                                       */
    const char *db;
    int64_t batch, attempts;
};

#define TRY_RULE           "try"
#define TRY_OPTIONS_PATH   "rules." TRY_RULE ".options."
#define TRY_TRANSFORM_PATH "rules." TRY_RULE ".transforms.0.options."

/* Appends the file's text. ERR_USAGE with a line on stderr: an --option is malformed. */
int try_config_write(const struct try_setup *setup, struct buf *out);

#endif
