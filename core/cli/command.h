/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A subcommand: what it is called, what it takes, what its help says, and the function that is
 * it. main.c has the table of them, args.c reads the command line by it, help.c prints it.
 *
 * To add one: a file cmd_NAME.c with its struct command, and a line here and in main.c.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <stdbool.h>

struct args;

/* --name, or --name VALUE where `value` is its placeholder. An array ends with a NULL name. */
struct args_option {
    const char *name;
    char letter; /* 0: none                                                                */
    const char *value;
    const char *help; /* NULL: works, but is not shown                                     */
};

struct command {
    const char *name, *verb;           /* `verb` is NULL where the command is one word     */
    const char *operands;              /* "RULE STREAM SEQ"                                */
    int operands_min, operands_max;    /* max -1: any number                               */
    const char *summary;               /* one line, no full stop                           */
    const char *text;                  /* a paragraph or two, wrapped; may be NULL         */
    const struct args_option *options; /* its own; NULL: none but the common ones          */
    const char *examples;              /* lines                                            */
    int (*run)(struct args *args);     /* gives the exit code                              */
};

extern const struct command command_run, command_status, command_top, command_check,
    command_plugins, command_explain, command_try, command_checkpoint_list,
    command_checkpoint_show, command_checkpoint_set, command_checkpoint_delete,
    command_state_list, command_state_delete, command_dead_letter_list,
    command_dead_letter_show, command_dead_letter_replay, command_dead_letter_purge,
    command_backfill, command_spiegel_import, command_copy, command_verify;

#endif
