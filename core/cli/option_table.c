/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints tables of options. Main thread.
 */
#include "cli/option_table.h"

#include "base/mem.h"
#include "cli/print.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *type_name(uint32_t type)
{
    static const char *const names[] = {
        [TR_TYPE_STRING] = "string", [TR_TYPE_INT] = "int",           [TR_TYPE_FLOAT] = "float",
        [TR_TYPE_BOOL] = "bool",     [TR_TYPE_DURATION] = "duration", [TR_TYPE_SIZE] = "size",
        [TR_TYPE_ENUM] = "enum",     [TR_TYPE_URL] = "url",           [TR_TYPE_PATH] = "path",
        [TR_TYPE_REGEX] = "regex",   [TR_TYPE_SECRET] = "secret",     [TR_TYPE_GROUP] = "group",
        [TR_TYPE_ANY] = "any",
    };

    return type < sizeof(names) / sizeof(names[0]) && names[type] ? names[type] : "unknown";
}

/* Of any other type, `group` may still have the row length of a later ABI. */
static const tr_option *members(const tr_option *option)
{
    return option->type == TR_TYPE_GROUP ? option->group : NULL;
}

static uint32_t members_count(const tr_option *group)
{
    uint32_t n = 0;

    while (group[n].name)
        n++;
    return n;
}

/* ---- texts of single columns ---- */

/* The largest unit that holds the number exactly, as a person would have written it. */
static void add_in_units(struct buf *out, int64_t number, const char *const *units,
                         const int64_t *factors, int count)
{
    int i = 0;

    while (i < count - 1 && (number == 0 || number % factors[i] != 0))
        i++;
    buf_addf(out, "%" PRId64 "%s", number / factors[i], number == 0 ? "" : units[i]);
}

static void add_number(struct buf *out, uint32_t type, int64_t number)
{
    static const char *const times[] = {"d", "h", "m", "s", "ms"};
    static const int64_t times_ms[] = {86400000, 3600000, 60000, 1000, 1};
    static const char *const sizes[] = {"TB", "GB", "MB", "KB", ""};
    static const int64_t sizes_bytes[] = {1LL << 40, 1 << 30, 1 << 20, 1 << 10, 1};

    if (type == TR_TYPE_DURATION)
        add_in_units(out, number, times, times_ms, 5);
    else if (type == TR_TYPE_SIZE)
        add_in_units(out, number, sizes, sizes_bytes, 5);
    else
        buf_addf(out, "%" PRId64, number);
}

static void add_range(struct buf *out, const tr_option *option)
{
    for (const char *const *choice = option->choices; choice && *choice; choice++)
        buf_addf(out, "%s%s", choice == option->choices ? "" : ", ", *choice);
    if (option->min < option->max) {
        add_number(out, option->type, option->min);
        buf_add_c(out, " to ");
        add_number(out, option->type, option->max);
    }
}

static void add_type(struct buf *out, const tr_option *option)
{
    if (option->flags & TR_OPTION_LIST)
        buf_add_c(out, "list of ");
    buf_add_c(out, type_name(option->type));
}

static const char *default_text(const tr_option *option)
{
    if (option->dflt)
        return option->dflt;
    return option->flags & TR_OPTION_REQUIRED ? "(required)" : "";
}

static const char *help_text(const tr_option *option)
{
    return option->help ? option->help : "";
}

/* ---- for people ---- */

static void add_rows(struct table *table, const char *prefix, const tr_option *options,
                     uint32_t count, int depth)
{
    for (uint32_t i = 0; i < count; i++) {
        const tr_option *option = &options[i];
        struct buf name = {0}, type = {0}, range = {0};

        buf_addf(&name, "%s%s", prefix, option->name);
        add_type(&type, option);
        add_range(&range, option);
        table_add(table, buf_str(&name));
        table_add(table, buf_str(&type));
        table_add(table, str_c(default_text(option)));
        table_add(table, buf_str(&range));
        table_addf(table, "%s%s%s%s", help_text(option),
                   option->flags & TR_OPTION_LIVE ? " [live]" : "",
                   option->flags & TR_OPTION_OPERATOR ? " [file]" : "",
                   option->flags & TR_OPTION_DEPRECATED ? " [deprecated]" : "");
        buf_add_char(&name, '.');
        /* A table may hold itself; nobody nests options deeper than this. */
        if (members(option) && depth < 4)
            add_rows(table, name.ptr, option->group, members_count(option->group), depth + 1);
        buf_fini(&name);
        buf_fini(&type);
        buf_fini(&range);
    }
}

void option_table_print(const tr_option *options, uint32_t count)
{
    struct table table = {.columns = 5,
                          .heads = {"OPTION", "TYPE", "DEFAULT", "RANGE", "HELP"}};

    add_rows(&table, "", options, count, 0);
    table_print(&table);
}

/* ---- JSON ---- */

static void add_choices(struct buf *out, const tr_option *option)
{
    if (!option->choices)
        return;
    json_begin(out, "choices", '[');
    for (const char *const *choice = option->choices; *choice; choice++)
        json_str(out, NULL, str_c(*choice));
    json_end(out, ']');
}

static void add_objects(struct buf *out, const char *key, const tr_option *options,
                        uint32_t count, int depth)
{
    json_begin(out, key, '[');
    for (uint32_t i = 0; i < count; i++) {
        const tr_option *option = &options[i];

        json_begin(out, NULL, '{');
        json_str(out, "name", str_c(option->name));
        json_str(out, "type", str_c(type_name(option->type)));
        json_bool(out, "required", option->flags & TR_OPTION_REQUIRED);
        json_bool(out, "list", option->flags & TR_OPTION_LIST);
        json_bool(out, "live", option->flags & TR_OPTION_LIVE);
        json_bool(out, "operator", option->flags & TR_OPTION_OPERATOR);
        json_bool(out, "deprecated", option->flags & TR_OPTION_DEPRECATED);
        if (option->dflt)
            json_str(out, "default", str_c(option->dflt));
        if (option->min < option->max) {
            json_num(out, "min", option->min);
            json_num(out, "max", option->max);
        }
        add_choices(out, option);
        json_str(out, "help", str_c(help_text(option)));
        if (members(option) && depth < 4)
            add_objects(out, "options", option->group, members_count(option->group), depth + 1);
        json_end(out, '}');
    }
    json_end(out, ']');
}

void option_table_json(struct buf *out, const char *key, const tr_option *options,
                       uint32_t count)
{
    add_objects(out, key, options, count, 0);
}

/* ---- roff ---- */

/* A backslash begins an escape, a hyphen may be broken at or become another character, and a
 * dot or quote at the begin of a line is a request. */
static void print_roff(const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", stdout);
    for (; *text; text++) {
        if (*text == '\\')
            fputs("\\e", stdout);
        else if (*text == '-')
            fputs("\\-", stdout);
        else if (*text == '"')
            fputs("\\(dq", stdout);
        else if ((unsigned char)text[0] == 0xe2 && (unsigned char)text[1] == 0x80 &&
                 (unsigned char)text[2] == 0xa6) {
            fputs("...", stdout);
            text += 2;
        } else
            putchar((unsigned char)*text < 0x20 ? ' ' : *text);
    }
}

static void print_tag(const char *prefix, const tr_option *option)
{
    struct buf type = {0};

    add_type(&type, option);
    fputs(".TP\n\\fB", stdout);
    print_roff(prefix);
    print_roff(option->name);
    fputs("\\fR (", stdout);
    print_roff(type.ptr);
    fputs(option->flags & TR_OPTION_REQUIRED ? ", required)\n" : ")\n", stdout);
    buf_fini(&type);
}

/* As a sentence; a first word that is a value, as in "auto is text" or "0: never", stays. */
static void print_sentence(const tr_option *option)
{
    const char *help = help_text(option);
    size_t len = strcspn(help, " ");
    bool is_value = len > 0 && help[len - 1] == ':';

    for (const char *const *choice = option->choices; choice && *choice; choice++)
        is_value |= strncmp(help, *choice, len) == 0 && (*choice)[len] == '\0';
    if (!is_value && *help >= 'a' && *help <= 'z') {
        putchar(*help - 'a' + 'A');
        help++;
    }
    print_roff(help);
    putchar('.');
}

static void print_paragraphs(const char *prefix, const tr_option *options, uint32_t count,
                             int depth)
{
    for (uint32_t i = 0; i < count; i++) {
        const tr_option *option = &options[i];
        struct buf range = {0}, inner = {0};

        print_tag(prefix, option);
        print_sentence(option);
        add_range(&range, option);
        if (range.len > 0) {
            fputs(option->choices ? "\nOne of " : "\nRange: ", stdout);
            print_roff(range.ptr);
            putchar('.');
        }
        if (option->dflt) {
            fputs("\nDefault: ", stdout);
            print_roff(option->dflt);
            putchar('.');
        }
        if (option->flags & TR_OPTION_LIVE)
            fputs("\nA reload changes it in flight.", stdout);
        if (option->flags & TR_OPTION_OPERATOR)
            fputs("\nNot in a document of a database.", stdout);
        if (option->flags & TR_OPTION_DEPRECATED)
            fputs("\nDeprecated.", stdout);
        putchar('\n');
        buf_addf(&inner, "%s%s.", prefix, option->name);
        if (members(option) && depth < 4)
            print_paragraphs(inner.ptr, option->group, members_count(option->group), depth + 1);
        buf_fini(&range);
        buf_fini(&inner);
    }
}

void option_table_man(const tr_option *options, uint32_t count)
{
    print_paragraphs("", options, count, 0);
}
