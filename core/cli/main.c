/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tailrace command: finds the subcommand in a table, reads its command line, runs it.
 *
 * Exit codes are those of sysexits.h. Output goes to stdout, what went wrong is one line on
 * stderr that begins with "tailrace: ".
 */
#include "base/mem.h"
#include "cli/args.h"
#include "cli/help.h"
#include "cli/print.h"
#include "config/near.h"

#include <errno.h>
#include <stdio.h>
#include <sysexits.h>

static const struct command *const commands[] = {
    &command_run,
    &command_status,
    &command_top,
    &command_check,
    &command_explain,
    &command_try,
    &command_plugins,
    &command_checkpoint_list,
    &command_checkpoint_show,
    &command_checkpoint_set,
    &command_checkpoint_delete,
    &command_state_list,
    &command_state_delete,
    &command_dead_letter_list,
    &command_dead_letter_show,
    &command_dead_letter_replay,
    &command_dead_letter_purge,
    &command_backfill,
    &command_spiegel_import,
    &command_copy,
    &command_verify,
    NULL,
};

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) - 1 };

/* Nothing has this name, or nothing of `family` this verb. */
static int unknown(const char *word, const char *family)
{
    const char *names[COMMANDS], *near;
    const char *space = family ? " " : "", *front = family ? family : "";

    for (size_t i = 0; i < COMMANDS; i++) {
        names[i] = family ? commands[i]->verb : commands[i]->name;
        if (family && strcmp(commands[i]->name, family) != 0)
            names[i] = NULL;
    }
    near = config_nearest(str_c(word), names, COMMANDS);
    if (near)
        print_error("there is no command \"%s%s%s\"; did you mean \"%s%s%s\"?", front, space,
                    word, front, space, near);
    else
        print_error("there is no command \"%s%s%s\" (see tailrace%s%s --help)", front, space,
                    word, space, front);
    return EX_USAGE;
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static int run(const struct command *command, int argc, char **argv)
{
    struct args args;

    if (args_parse(&args, command, argc, argv) < 0)
        return EX_USAGE;
    if (args.help) {
        help_print_command(command);
        return EX_OK;
    }
    return command->run(&args);
}

/* argv[1] is the first word. */
static int find_and_run(int argc, char **argv)
{
    const char *family = NULL;

    for (size_t i = 0; i < COMMANDS; i++) {
        const struct command *command = commands[i];
        if (strcmp(command->name, argv[1]) != 0)
            continue;
        family = command->name;
        if (!command->verb)
            return run(command, argc - 1, argv + 1);
        if (argc > 2 && strcmp(command->verb, argv[2]) == 0)
            return run(command, argc - 2, argv + 2);
    }
    if (!family)
        return unknown(argv[1], NULL);
    if (argc > 2 && is_help(argv[2])) {
        help_print_family(commands, family);
        return EX_OK;
    }
    if (argc > 2 && argv[2][0] != '-')
        return unknown(argv[2], family);
    print_error("%s lacks a verb, such as \"%s list\" (see tailrace %s --help)", family, family,
                family);
    return EX_USAGE;
}

static int choose(int argc, char **argv)
{
    if (argc < 2) {
        print_error("no command is given, such as \"run\" (see tailrace --help)");
        return EX_USAGE;
    }
    if (is_help(argv[1]) || (strcmp(argv[1], "help") == 0 && argc == 2)) {
        help_print_program(commands);
        return EX_OK;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        puts("tailrace " TAILRACE_VERSION);
        return EX_OK;
    }
    if (argv[1][0] == '-') {
        print_error("the command comes before its options, as in \"tailrace run %s\" (see "
                    "tailrace --help)",
                    argv[1]);
        return EX_USAGE;
    }
    return find_and_run(argc, argv);
}

int main(int argc, char **argv)
{
    int code;

    mem_keep_freed();
    code = choose(argc, argv);

    /* Output that did not arrive is not success: think of a full disk behind `--json > file`.
     */
    if (fflush(stdout) != 0 || ferror(stdout)) {
        print_error("standard output cannot be written: %s", strerror(errno));
        return EX_IOERR;
    }
    return code;
}
