/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a subcommand's command line with getopt_long(), by the command's own table and the
 * common one. Main thread.
 */
#include "cli/args.h"

#include "cli/print.h"
#include "config/near.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

/* Options without a letter are told apart by numbers that no letter has. */
enum { OPTIONS_MAX = 32, OWN_BASE = 500, COMMON_BASE = 1000 };

enum common { CONFIG, PLUGIN_DIR, STATE_DIR, AS_JSON, LEVEL, FORMAT, HELP };

const struct args_option args_common[] = {
    [CONFIG] = {"config", 'c', "FILE", "main file, - is stdin; default " ARGS_CONFIG},
    [PLUGIN_DIR] = {"plugin-dir", 0, "DIR", "where plugins are looked for first"},
    [STATE_DIR] = {"state-dir", 0, "DIR", "instead of the state_dir of the configuration"},
    [AS_JSON] = {"json", 0, NULL, "output for programs: one JSON document"},
    [LEVEL] = {"log-level", 0, "LEVEL", "error, warning, notice, info or debug"},
    [FORMAT] = {"log-format", 0, "FORMAT", "auto, text, json or journal"},
    [HELP] = {"help", 'h', NULL, "this text"},
    {.name = NULL},
};

/* What getopt_long() wants, made of both tables. */
struct spelling {
    struct option longs[OPTIONS_MAX + 1];
    const char *names[OPTIONS_MAX];
    char shorts[3 * OPTIONS_MAX];
    size_t count;
};

static void spell(struct spelling *spelling, const struct args_option *options, int base)
{
    for (int i = 0; options && options[i].name && spelling->count < OPTIONS_MAX; i++) {
        char letter[3] = {options[i].letter, options[i].value ? ':' : '\0', '\0'};

        spelling->names[spelling->count] = options[i].name;
        spelling->longs[spelling->count++] = (struct option){
            options[i].name, options[i].value ? required_argument : no_argument, NULL,
            options[i].letter ? options[i].letter : base + i};
        strcat(spelling->shorts, letter);
    }
}

/* ---- errors ---- */

int args_wrong(const struct args *args, const char *fmt, ...)
{
    const struct command *command = args->command;
    const char *space = command->verb ? " " : "", *verb = command->verb ? command->verb : "";
    char text[512];
    va_list list;

    va_start(list, fmt);
    vsnprintf(text, sizeof(text), fmt, list);
    va_end(list);
    print_error("%s%s%s: %s (see tailrace %s%s%s --help)", command->name, space, verb, text,
                command->name, space, verb);
    return EX_USAGE;
}

static int wrong_option(const struct args *args, const struct spelling *spelling, char **argv,
                        int seen)
{
    const char *word = argv[optind - 1], *near;
    int len = (int)strcspn(word, "=");

    if (seen == ':') {
        args_wrong(args, "%s lacks its value", word);
    } else if (optopt >= OWN_BASE) {
        args_wrong(args, "%.*s takes no value", len, word);
    } else if (optopt != 0) {
        args_wrong(args, "there is no option -%c", optopt);
    } else {
        near = config_nearest(str_from(str_n(word, (size_t)len), 2), spelling->names,
                              spelling->count);
        args_wrong(args, "there is no option %.*s%s%s%s", len, word,
                   near ? "; did you mean --" : "", near ? near : "", near ? "?" : "");
    }
    return ERR_USAGE;
}

/* Empty is what a shell's variable leaves that was not set. Some commands would take it for
 * "all": `dead-letter purge --rule "$RULE"` must not delete those of every rule. */
static bool is_empty(const struct args *args, const char *option, const char *value)
{
    if (!value || *value != '\0')
        return false;
    args_wrong(args, "the value of --%s is empty; give one, or leave it out", option);
    return true;
}

/* ---- the common options ---- */

static int take_level(struct args *args, const char *value)
{
    args->level_given = true;
    if (log_parse_level(str_c(value), &args->level))
        return 0;
    args_wrong(args, "--log-level %s: it is one of error, warning, notice, info, debug", value);
    return ERR_USAGE;
}

static int take_format(struct args *args, const char *value)
{
    static const char *const words[] = {
        [LOG_FORMAT_AUTO] = "auto",
        [LOG_FORMAT_TEXT] = "text",
        [LOG_FORMAT_JSON] = "json",
        [LOG_FORMAT_JOURNAL] = "journal",
    };

    args->format_given = true;
    for (int i = LOG_FORMAT_AUTO; i <= LOG_FORMAT_JOURNAL; i++)
        if (strcmp(value, words[i]) == 0) {
            args->format = (enum log_format)i;
            return 0;
        }
    args_wrong(args, "--log-format %s: it is one of auto, text, json, journal", value);
    return ERR_USAGE;
}

static int take_common(struct args *args, enum common which, const char *value)
{
    if (is_empty(args, args_common[which].name, value))
        return ERR_USAGE;
    switch (which) {
    case CONFIG:
        args->overrides.path = value;
        args->config_given = true;
        return 0;
    case PLUGIN_DIR: args->overrides.plugin_dir = value; return 0;
    case STATE_DIR: args->overrides.state_dir = value; return 0;
    case AS_JSON: args->json = true; return 0;
    case LEVEL: return take_level(args, value);
    case FORMAT: return take_format(args, value);
    case HELP: args->help = true; return 0;
    }
    return ERR_USAGE;
}

/* ---- the whole ---- */

static int take_own(struct args *args, const struct args_option *option, const char *value)
{
    if (is_empty(args, option->name, value))
        return ERR_USAGE;
    if (args->given_count == ARGS_GIVEN_MAX) {
        args_wrong(args, "more than %d options", ARGS_GIVEN_MAX);
        return ERR_USAGE;
    }
    args->given[args->given_count++] = (struct args_given){option->name, value ? value : ""};
    return 0;
}

static int take(struct args *args, int seen, const char *value)
{
    const struct args_option *own = args->command->options;

    for (int i = 0; own && own[i].name; i++)
        if (seen == OWN_BASE + i || (own[i].letter && seen == own[i].letter))
            return take_own(args, &own[i], value);
    for (int i = 0; args_common[i].name; i++)
        if (seen == COMMON_BASE + i || (args_common[i].letter && seen == args_common[i].letter))
            return take_common(args, (enum common)i, value);
    return ERR_USAGE;
}

static int judge_operands(const struct args *args)
{
    const struct command *command = args->command;
    int empty = 0;

    while (empty < args->operands_count && args->operands[empty][0] != '\0')
        empty++;
    if (empty < args->operands_count)
        args_wrong(args, "word %d is empty", empty + 1);
    else if (args->operands_count < command->operands_min)
        args_wrong(args, "it takes %s", command->operands);
    else if (command->operands_max == 0 && args->operands_count > 0)
        args_wrong(args, "\"%s\" is one word too many", args->operands[0]);
    else if (command->operands_max > 0 && args->operands_count > command->operands_max)
        args_wrong(args, "\"%s\" is one word too many: it takes %s",
                   args->operands[command->operands_max], command->operands);
    else
        return 0;
    return ERR_USAGE;
}

int args_parse(struct args *args, const struct command *command, int argc, char **argv)
{
    struct spelling spelling = {.shorts = ":"};
    int seen, rc = 0;

    *args = (struct args){.command = command, .overrides.path = ARGS_CONFIG};
    spell(&spelling, command->options, OWN_BASE);
    spell(&spelling, args_common, COMMON_BASE);
    opterr = 0;
    optind = 1;
    while (rc == 0 &&
           (seen = getopt_long(argc, argv, spelling.shorts, spelling.longs, NULL)) != -1)
        rc = seen == '?' || seen == ':' ? wrong_option(args, &spelling, argv, seen)
                                        : take(args, seen, optarg);
    args->operands = argv + optind;
    args->operands_count = argc - optind;
    if (rc < 0 || args->help)
        return rc;
    return judge_operands(args);
}

bool args_has(const struct args *args, const char *name)
{
    return args_value(args, name) != NULL;
}

const char *args_value(const struct args *args, const char *name)
{
    for (size_t i = args->given_count; i-- > 0;)
        if (strcmp(args->given[i].name, name) == 0)
            return args->given[i].value;
    return NULL;
}

int args_number(const struct args *args, const char *name, int64_t min, int64_t *ret_number)
{
    const char *value = args_value(args, name);
    char *end;
    long long number;

    if (!value)
        return 0;
    errno = 0;
    number = strtoll(value, &end, 10);
    if (errno == 0 && end != value && *end == '\0' && number >= min) {
        *ret_number = number;
        return 0;
    }
    args_wrong(args, "--%s %s: a whole number from %lld on is wanted", name, value,
               (long long)min);
    return ERR_USAGE;
}

void args_set_up_log(const struct args *args, const struct settings *settings)
{
    enum log_level level = settings ? (enum log_level)settings->log_level : LOG_WARN;
    enum log_format format = settings ? (enum log_format)settings->log_format : LOG_FORMAT_TEXT;

    log_set_level(args->level_given ? args->level : level);
    log_set_format(args->format_given ? args->format : format);
}
