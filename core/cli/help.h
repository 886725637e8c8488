/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Help texts, made of the commands' own tables. On stdout; main thread.
 */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "cli/command.h"

/* The whole program; `commands` ends with NULL. */
void help_print_program(const struct command *const *commands);

/* A word that has several verbs, such as "checkpoint". */
void help_print_family(const struct command *const *commands, const char *name);

void help_print_command(const struct command *command);

#endif
