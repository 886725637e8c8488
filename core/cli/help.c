/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints help: what a command is, what it takes, an example. Main thread.
 */
#include "cli/help.h"

#include "cli/args.h"

#include <stdio.h>
#include <string.h>

enum { NAME_WIDTH = 24 };

static void print_summary(const struct command *command)
{
    char name[64];

    snprintf(name, sizeof(name), "%s%s%s", command->name, command->verb ? " " : "",
             command->verb ? command->verb : "");
    printf("  %-*s  %s\n", NAME_WIDTH, name, command->summary);
}

void help_print_program(const struct command *const *commands)
{
    puts("tailrace follows the change feeds of CouchDB and hands the changes to plugins.\n\n"
         "usage: tailrace COMMAND [OPTION]... [OPERAND]...\n\n"
         "commands:");
    for (; *commands; commands++)
        print_summary(*commands);
    puts("\nexample:\n"
         "  tailrace check -c ./tailrace.conf && tailrace run --once -c ./tailrace.conf\n\n"
         "tailrace COMMAND --help shows what a command takes. See also tailrace(1) and\n"
         "tailrace.conf(5).");
}

void help_print_family(const struct command *const *commands, const char *name)
{
    printf("usage: tailrace %s VERB [OPTION]... [OPERAND]...\n\n", name);
    for (; *commands; commands++)
        if (strcmp((*commands)->name, name) == 0)
            print_summary(*commands);
    printf("\ntailrace %s VERB --help shows what it takes, with an example.\n", name);
}

static void print_option(const struct args_option *option)
{
    char text[64], letter[4] = {'-', option->letter, ',', '\0'};

    if (!option->help)
        return;
    snprintf(text, sizeof(text), "%s --%s%s%s", option->letter ? letter : "   ", option->name,
             option->value ? " " : "", option->value ? option->value : "");
    printf("  %-*s  %s\n", NAME_WIDTH, text, option->help);
}

static void print_options(const char *title, const struct args_option *options)
{
    if (!options)
        return;
    printf("\n%s:\n", title);
    for (; options->name; options++)
        print_option(options);
}

static void print_examples(const char *lines)
{
    puts("\nexample:");
    while (*lines) {
        int len = (int)strcspn(lines, "\n");
        printf("  %.*s\n", len, lines);
        lines += len + (lines[len] == '\n');
    }
}

void help_print_command(const struct command *command)
{
    printf("usage: tailrace %s%s%s [OPTION]...%s%s\n\n%s.\n", command->name,
           command->verb ? " " : "", command->verb ? command->verb : "",
           command->operands ? " " : "", command->operands ? command->operands : "",
           command->summary);
    if (command->text)
        printf("\n%s\n", command->text);
    print_options("options", command->options);
    print_options("common options", args_common);
    print_examples(command->examples);
}
