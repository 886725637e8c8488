/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Durations and sizes as text: a whole number and a unit, nothing between, nothing around.
 * Called by the schema and by the command line's options. Pure; any thread.
 */
#include "config/tree.h"

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit durations[] = {
    {"", 1}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}, {NULL, 0},
};

static const struct unit sizes[] = {
    {"", 1}, {"KB", 1024}, {"MB", 1024 * 1024}, {"GB", 1024 * 1024 * 1024}, {NULL, 0},
};

static bool parse(tr_str text, const struct unit *units, int64_t *ret_value)
{
    int64_t number = 0;
    size_t at = 0;

    for (; at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9'; at++)
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, text.ptr[at] - '0', &number))
            return false;
    if (at == 0)
        return false;
    for (; units->name; units++)
        if (str_eq(str_from(text, at), str_c(units->name)))
            break;
    if (!units->name || __builtin_mul_overflow(number, units->factor, &number))
        return false;
    *ret_value = number;
    return true;
}

bool config_parse_duration(tr_str text, int64_t *ret_ms)
{
    return parse(text, durations, ret_ms);
}

bool config_parse_size(tr_str text, int64_t *ret_bytes)
{
    return parse(text, sizes, ret_bytes);
}
