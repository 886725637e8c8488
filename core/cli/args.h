/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of a subcommand: the options that all have in common, those of its own, and
 * the operands. main.c parses, the command asks. Everything points into argv; main thread.
 */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include "cli/command.h"
#include "engine/settings.h"
#include "observe/log.h"

#define ARGS_CONFIG TAILRACE_CONF_DIR "/tailrace.conf"

enum {
    ARGS_GIVEN_MAX = 64 /* options of a command's own on one line                        */
};

struct args_given {
    const char *name, *value;
};

struct args {
    const struct command *command;
    struct settings_overrides overrides;
    bool config_given; /* not the default path                                             */
    bool json, help;
    bool level_given, format_given;
    enum log_level level;
    enum log_format format;
    char **operands;
    int operands_count;
    struct args_given given[ARGS_GIVEN_MAX];
    size_t given_count;
};

extern const struct args_option args_common[];

/* argv[0] is the command's last word. ERR_USAGE: the one line is on stderr already. */
int args_parse(struct args *args, const struct command *command, int argc, char **argv);

/* Was --name given; its (last) value, or NULL. */
bool args_has(const struct args *args, const char *name);
const char *args_value(const struct args *args, const char *name);

/* A value as a whole number of `min` at least; *ret_number stays as it is when it was not
 * given. ERR_USAGE with a line on stderr. */
int args_number(const struct args *args, const char *name, int64_t min, int64_t *ret_number);

/* "tailrace run: TEXT; see tailrace run --help" on stderr; gives EX_USAGE. */
int args_wrong(const struct args *args, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Logs as the command line says; else as the settings do (`run`), or, without settings, only
 * warnings and errors as text. */
void args_set_up_log(const struct args *args, const struct settings *settings);

#endif
