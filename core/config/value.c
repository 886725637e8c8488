/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One value against its option: the type, the range, the choice. Called by the schema, on the
 * thread that checks.
 *
 * A value is shown in a message only if its option is neither a secret nor sensitive, and never
 * one that has the wrong type: a password may have got to the wrong key.
 */
#include "base/mem.h"
#include "config/near.h"
#include "config/values.h"

#include <stdarg.h>
#include <stdio.h>

/* What is wanted, for messages; by TR_TYPE_…. */
static const char *const wanted[] = {
    [TR_TYPE_STRING] = "a string",
    [TR_TYPE_INT] = "a whole number such as 5",
    [TR_TYPE_FLOAT] = "a number such as 0.5",
    [TR_TYPE_BOOL] = "true or false",
    [TR_TYPE_DURATION] = "a duration such as \"5s\"",
    [TR_TYPE_SIZE] = "a size such as \"8MB\"",
    [TR_TYPE_ENUM] = "one of its choices as a string",
    [TR_TYPE_URL] = "a URL such as \"https://host/path\"",
    [TR_TYPE_PATH] = "a path such as \"/var/lib/name\"",
    [TR_TYPE_REGEX] = "a regular expression as a string",
    [TR_TYPE_SECRET] = "a reference to a secret such as \"file:/path\"",
    [TR_TYPE_GROUP] = "a group { … }",
    [TR_TYPE_ANY] = "a value",
};

static const char *const found[] = {
    [CONFIG_GROUP] = "a group",
    [CONFIG_LIST] = "a list",
    [CONFIG_STRING] = "a string",
    [CONFIG_INT] = "a whole number",
    [CONFIG_FLOAT] = "a number with a fraction",
    [CONFIG_BOOL] = "true or false",
};

const char *config_path_join(const char *group, const char *name, struct arena *arena)
{
    struct buf path = {0};
    const char *copy;

    buf_addf(&path, "%s%s%s", group, !*group ? "" : *group == '/' ? "/" : ".", name);
    copy = arena_cstr(arena, buf_str(&path));
    buf_fini(&path);
    return copy;
}

struct diag *config_value_fail(const struct config_value_check *check, const char *fmt, ...)
{
    const struct config_place *group = check->group;
    struct diags *diags = check->diags;
    struct diag *diag;
    char text[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (!check->is_default)
        return diag_at(diags, DIAG_ERROR, check->node, "%s", text);
    diag = diag_add(diags, DIAG_ERROR, group->file, group->line,
                    config_path_join(group->path, check->option->name, &diags->arena),
                    "the default %s", text);
    diag_remedy(diags, diag,
                "this is a mistake in the plugin; set the key until it is repaired");
    return diag;
}

struct diag *config_value_mistype(const struct config_value_check *check)
{
    return config_value_fail(check, "is %s, but %s is wanted", found[check->node->type],
                             wanted[check->option->type]);
}

/* Defaults keep the remedy that they have. */
static void suggest(const struct config_value_check *check, struct diag *diag,
                    const char *remedy)
{
    if (!check->is_default)
        diag_remedy(check->diags, diag, "%s", remedy);
}

static bool is_shown(const struct config_value_check *check)
{
    return check->option->type != TR_TYPE_SECRET &&
           !(check->option->flags & TR_OPTION_SENSITIVE);
}

/* A number of ms or bytes in the largest unit that it is a multiple of. */
static const char *show_number(uint32_t type, int64_t number, char text[32])
{
    static const struct {
        uint32_t type;
        int64_t factor;
        const char *unit;
    } units[] = {
        {TR_TYPE_DURATION, 86400000, "d"}, {TR_TYPE_DURATION, 3600000, "h"},
        {TR_TYPE_DURATION, 60000, "m"},    {TR_TYPE_DURATION, 1000, "s"},
        {TR_TYPE_DURATION, 1, "ms"},       {TR_TYPE_SIZE, 1024 * 1024 * 1024, "GB"},
        {TR_TYPE_SIZE, 1024 * 1024, "MB"}, {TR_TYPE_SIZE, 1024, "KB"},
    };

    snprintf(text, 32, "%jd", (intmax_t)number);
    for (size_t i = 0; number > 0 && i < sizeof(units) / sizeof(units[0]); i++) {
        if (units[i].type != type || number % units[i].factor)
            continue;
        snprintf(text, 32, "%jd%s", (intmax_t)(number / units[i].factor), units[i].unit);
        break;
    }
    return text;
}

static bool fail_range(const struct config_value_check *check, const char *value)
{
    const tr_option *option = check->option;
    char min[32], max[32];
    const char *shown = is_shown(check) ? value : "out of range";

    show_number(option->type, option->min, min);
    show_number(option->type, option->max, max);
    if (option->min >= option->max)
        config_value_fail(check, "is %s, but it must not be negative", shown);
    else if (option->max == INT64_MAX)
        config_value_fail(check, "is %s, but at least %s is wanted", shown, min);
    else if (option->min == INT64_MIN)
        config_value_fail(check, "is %s, but at most %s is wanted", shown, max);
    else
        config_value_fail(check, "is %s, but %s to %s is wanted", shown, min, max);
    return false;
}

/* INT, DURATION, SIZE. A time or size below 0 makes sense only where the bounds say so. */
static bool judge_range(const struct config_value_check *check, int64_t number)
{
    const tr_option *option = check->option;
    bool is_bounded = option->min < option->max;
    char text[32];

    if (is_bounded ? number >= option->min && number <= option->max
                   : option->type == TR_TYPE_INT || number >= 0)
        return true;
    return fail_range(check, show_number(option->type, number, text));
}

static bool read_quantity(const struct config_value_check *check, tr_value *value)
{
    const struct config_node *node = check->node;
    bool is_duration = check->option->type == TR_TYPE_DURATION;

    if (node->type == CONFIG_INT) {
        value->i = node->number;
    } else if (node->type != CONFIG_STRING) {
        config_value_mistype(check);
        return false;
    } else if (is_duration ? !config_parse_duration(node->text, &value->i)
                           : !config_parse_size(node->text, &value->i)) {
        struct diag *diag = config_value_fail(check, "is not %s", wanted[check->option->type]);
        suggest(check, diag,
                is_duration ? "write a whole number and ms, s, m, h or d"
                            : "write a whole number and KB, MB or GB");
        return false;
    }
    return judge_range(check, value->i);
}

static bool read_int(const struct config_value_check *check, tr_value *value)
{
    int64_t number;

    if (check->node->type != CONFIG_INT) {
        struct diag *diag = config_value_mistype(check);
        if (check->node->type == CONFIG_STRING && config_parse_size(check->node->text, &number))
            suggest(check, diag, "write the number without quotes");
        return false;
    }
    value->i = check->node->number;
    return judge_range(check, value->i);
}

static bool read_float(const struct config_value_check *check, tr_value *value)
{
    const tr_option *option = check->option;
    char text[32];

    if (check->node->type != CONFIG_FLOAT && check->node->type != CONFIG_INT) {
        config_value_mistype(check);
        return false;
    }
    value->f = check->node->type == CONFIG_INT ? (double)check->node->number
                                               : check->node->real;
    if (option->min >= option->max ||
        (value->f >= (double)option->min && value->f <= (double)option->max))
        return true;
    snprintf(text, sizeof(text), "%g", value->f);
    return fail_range(check, text);
}

static bool read_bool(const struct config_value_check *check, tr_value *value)
{
    static const char *const yes[] = {"yes", "on", "true", "1"}, *const no[] = {"no", "off",
                                                                                "false", "0"};
    const struct config_node *node = check->node;
    struct diag *diag;

    if (node->type == CONFIG_BOOL) {
        value->i = node->number;
        return true;
    }
    diag = config_value_mistype(check);
    for (size_t i = 0; i < 4; i++) {
        if (node->type == CONFIG_STRING ? str_eq(node->text, str_c(yes[i]))
                                        : node->type == CONFIG_INT && node->number == 1)
            suggest(check, diag, "write true, without quotes");
        else if (node->type == CONFIG_STRING ? str_eq(node->text, str_c(no[i]))
                                             : node->type == CONFIG_INT && node->number == 0)
            suggest(check, diag, "write false, without quotes");
    }
    return false;
}

static void fail_choice(const struct config_value_check *check, size_t count)
{
    const char *const *choices = check->option->choices;
    const char *near = config_nearest(check->node->text, choices, count);
    struct buf list = {0}, remedy = {0};
    struct diag *diag;

    for (size_t i = 0; i < count; i++)
        buf_addf(&list, "%s\"%s\"", i == 0 ? "" : i + 1 < count ? ", " : " or ", choices[i]);
    buf_add_c(&list, "");
    if (is_shown(check))
        diag = config_value_fail(check, "is \"%.60s\", but %.*s is wanted",
                                 check->node->text.ptr, STR_ARG(buf_str(&list)));
    else
        diag = config_value_fail(check, "is none of %.*s", STR_ARG(buf_str(&list)));
    if (near) {
        buf_addf(&remedy, "did you mean \"%s\"?", near);
        suggest(check, diag, remedy.ptr);
    }
    buf_fini(&list);
    buf_fini(&remedy);
}

static bool read_enum(const struct config_value_check *check, tr_value *value)
{
    const char *const *choices = check->option->choices;
    size_t count = 0;

    for (; choices && choices[count]; count++) {
        if (!str_eq(check->node->text, str_c(choices[count])))
            continue;
        value->i = (int64_t)count;
        value->s = check->node->text;
        return true;
    }
    fail_choice(check, count);
    return false;
}

static bool read_text(const struct config_value_check *check, tr_value *value)
{
    if (check->node->type != CONFIG_STRING) {
        config_value_mistype(check);
        return false;
    }
    value->s = check->node->text;
    switch (check->option->type) {
    case TR_TYPE_ENUM: return read_enum(check, value);
    case TR_TYPE_URL: return config_value_is_url(check);
    case TR_TYPE_PATH: return config_value_is_path(check);
    case TR_TYPE_REGEX: return config_value_is_regex(check);
    case TR_TYPE_SECRET: value->s = STR(""); return config_value_is_secret(check);
    default: return true;
    }
}

bool config_value_read(const struct config_value_check *check, tr_value *ret_value)
{
    tr_value value = {.size = sizeof(value), .type = check->option->type};
    bool is_good;

    switch (check->option->type) {
    case TR_TYPE_INT: is_good = read_int(check, &value); break;
    case TR_TYPE_FLOAT: is_good = read_float(check, &value); break;
    case TR_TYPE_BOOL: is_good = read_bool(check, &value); break;
    case TR_TYPE_DURATION:
    case TR_TYPE_SIZE: is_good = read_quantity(check, &value); break;
    case TR_TYPE_ANY:
        value = config_value_natural(check->node);
        is_good = true;
        break;
    default: is_good = read_text(check, &value); break;
    }
    if (is_good)
        *ret_value = value;
    return is_good;
}

tr_value config_value_natural(const struct config_node *node)
{
    tr_value value = {.size = sizeof(value), .s = STR("")};

    switch (node->type) {
    case CONFIG_GROUP:
    case CONFIG_LIST:
        value.type = TR_TYPE_GROUP;
        value.i = (int64_t)node->count;
        break;
    case CONFIG_STRING:
        value.type = TR_TYPE_STRING;
        value.s = node->text;
        break;
    case CONFIG_INT:
        value.type = TR_TYPE_INT;
        value.i = node->number;
        break;
    case CONFIG_FLOAT:
        value.type = TR_TYPE_FLOAT;
        value.f = node->real;
        break;
    case CONFIG_BOOL:
        value.type = TR_TYPE_BOOL;
        value.i = node->number;
        break;
    }
    return value;
}
