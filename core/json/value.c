/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Raw JSON values without a tree: types, walking, paths, numbers. Called by rules, templates
 * and the services of plugins, on any thread.
 */
#include "json/value.h"

#include "base/mem.h"
#include "json/lex.h"

#include <locale.h>
#include <pthread.h>

enum json_type json_type_of(tr_str raw)
{
    const char *end, *at;

    if (raw.len == 0)
        return JSON_NONE;
    end = raw.ptr + raw.len;
    at = json_lex_space(raw.ptr, end);
    if (at == end)
        return JSON_NONE;
    switch (*at) {
    case '{': return JSON_OBJECT;
    case '[': return JSON_ARRAY;
    case '"': return JSON_STRING;
    case 't': return JSON_TRUE;
    case 'f': return JSON_FALSE;
    case 'n': return JSON_NULL;
    default: break;
    }
    return *at == '-' || (*at >= '0' && *at <= '9') ? JSON_NUMBER : JSON_NONE;
}

const char *json_type_name(enum json_type type)
{
    switch (type) {
    case JSON_NULL: return "null";
    case JSON_FALSE: return "false";
    case JSON_TRUE: return "true";
    case JSON_NUMBER: return "number";
    case JSON_STRING: return "string";
    case JSON_ARRAY: return "array";
    case JSON_OBJECT: return "object";
    case JSON_NONE: break;
    }
    return "nothing";
}

bool json_next(tr_str container, size_t *cursor, tr_str *ret_key, tr_str *ret_value)
{
    enum json_type type = json_type_of(container);
    const char *end, *at, *value;
    tr_str key = {0}, item;
    char close;

    if (type != JSON_OBJECT && type != JSON_ARRAY)
        return false;
    close = type == JSON_OBJECT ? '}' : ']';
    end = container.ptr + container.len;
    at = *cursor ? container.ptr + *cursor : json_lex_space(container.ptr, end) + 1;
    at = json_lex_space(at, end);
    if (at == end || *at == close)
        return false;
    if (*cursor) {
        if (*at != ',')
            return false;
        at = json_lex_space(at + 1, end);
    }
    value = at;
    if (type == JSON_OBJECT) {
        if (json_lex_member(&at, end, &key, &item) != LEX_DONE)
            return false;
    } else {
        if (json_lex_value(&at, end) != LEX_DONE)
            return false;
        item = str_n(value, (size_t)(at - value));
    }
    *cursor = (size_t)(at - container.ptr);
    *ret_key = key;
    *ret_value = item;
    return true;
}

/* False: it is no object, or malformed. */
static bool find_members(tr_str object, const tr_str *names, size_t count, tr_str *found)
{
    const char *at = object.ptr, *end;
    tr_str key, value;

    if (json_type_of(object) != JSON_OBJECT)
        return false;
    end = at + object.len;
    at = json_lex_space(json_lex_space(at, end) + 1, end);
    if (at < end && *at == '}')
        return true;
    for (;; at = json_lex_space(at + 1, end)) {
        if (json_lex_member(&at, end, &key, &value) != LEX_DONE)
            return false;
        for (size_t i = 0; i < count; i++)
            if (json_lex_key_is(key, names[i]))
                found[i] = value;
        at = json_lex_space(at, end);
        if (at == end || (*at != ',' && *at != '}'))
            return false;
        if (*at == '}')
            return true;
    }
}

bool json_get(tr_str object, tr_str name, tr_str *ret_raw)
{
    tr_str found = {0};

    if (!find_members(object, &name, 1, &found) || found.len == 0)
        return false;
    *ret_raw = found;
    return true;
}

void json_get_all(tr_str object, const tr_str *names, size_t count, tr_str *ret_raws)
{
    memset(ret_raws, 0, count * sizeof(*ret_raws));
    if (!find_members(object, names, count, ret_raws))
        memset(ret_raws, 0, count * sizeof(*ret_raws));
}

/* "0", "17"; false for all else, so that "01" and "1" do not name the same item. */
static bool parse_index(tr_str step, size_t *ret_index)
{
    size_t index = 0;

    if (step.len == 0 || step.len > 18 || (step.ptr[0] == '0' && step.len > 1))
        return false;
    for (size_t i = 0; i < step.len; i++) {
        if (step.ptr[i] < '0' || step.ptr[i] > '9')
            return false;
        index = index * 10 + (size_t)(step.ptr[i] - '0');
    }
    *ret_index = index;
    return true;
}

static bool get_item(tr_str array, tr_str step, tr_str *ret_raw)
{
    size_t cursor = 0, index;
    tr_str key, value;

    if (!parse_index(step, &index))
        return false;
    do {
        if (!json_next(array, &cursor, &key, &value))
            return false;
    } while (index-- > 0);
    *ret_raw = value;
    return true;
}

bool json_find(tr_str json, const struct json_path *path, tr_str *ret_raw)
{
    for (size_t i = 0; i < path->count; i++) {
        bool found = json_type_of(json) == JSON_ARRAY ? get_item(json, path->steps[i], &json)
                                                      : json_get(json, path->steps[i], &json);
        if (!found)
            return false;
    }
    *ret_raw = json;
    return true;
}

/* Decodes the step at *at up to its dot or the end, into the arena. */
static tr_str read_step(const char **at, const char *end, struct arena *arena)
{
    char *key = arena_alloc(arena, (size_t)(end - *at) + 1);
    size_t len = 0;

    while (*at < end && **at != '.') {
        if (**at == '\\' && end - *at > 1 && ((*at)[1] == '.' || (*at)[1] == '\\'))
            ++*at;
        key[len++] = *(*at)++;
    }
    key[len] = '\0';
    return str_n(key, len);
}

int json_path_compile(tr_str text, struct arena *arena, struct json_path *ret_path,
                      struct error *error)
{
    struct json_path path = {.text = arena_str(arena, text)};
    const char *at = path.text.ptr, *end = at + text.len;
    size_t most = 1;

    if (text.len == 0)
        return error_set(error, ERR_CONFIG,
                         "the path is empty: name a member, as in \"author.name\"");
    for (size_t i = 0; i < text.len; i++)
        most += text.ptr[i] == '.';
    path.steps = arena_alloc(arena, most * sizeof(*path.steps));
    for (;; at++) {
        tr_str step = read_step(&at, end, arena);

        if (step.len == 0)
            return error_set(error, ERR_CONFIG,
                             "path \"" STR_FMT "\" has an empty step at character %zu: put one "
                             "dot between two names, and write a dot within a name as \"\\.\"",
                             STR_ARG(text), (size_t)(at - path.text.ptr) + 1);
        path.steps[path.count++] = step;
        if (at == end)
            break;
    }
    *ret_path = path;
    return 0;
}

static locale_t c_locale;

static void make_c_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

/* A plugin may have called setlocale(), and then strtod() looks for a comma. */
static double parse_double(const char *text)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, make_c_locale);
    return c_locale ? strtod_l(text, NULL, c_locale) : strtod(text, NULL);
}

bool json_number(tr_str raw, double *ret_value)
{
    char local[64], *text = local;

    if (!json_lex_is_number(raw))
        return false;
    if (raw.len >= sizeof(local))
        text = mem_alloc(raw.len + 1);
    memcpy(text, raw.ptr, raw.len);
    text[raw.len] = '\0';
    *ret_value = parse_double(text);
    if (text != local)
        free(text);
    return true;
}
