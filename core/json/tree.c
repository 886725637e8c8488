/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON trees over jansson; the only file of the core that includes jansson.h. Called through
 * the table of tr.json/1 by plugins, on any thread. A tr_json_value is a json_t by another
 * name.
 */
#include "json/tree.h"

#include "base/buf.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

enum { LOAD_FLAGS = JSON_ALLOW_NUL | JSON_DECODE_ANY };

static const json_t *tree_of(const tr_json_value *value)
{
    return (const json_t *)(const void *)value;
}

static const tr_json_value *value_of(const json_t *tree)
{
    return (const tr_json_value *)(const void *)tree;
}

/* A text in which integers that do not fit 64 bits got an exponent, so that jansson, which
 * refuses them, reads them as doubles. */
struct widened {
    struct buf text;
    struct buf places; /* size_t: where in `text` each exponent stands */
};

static const char widening[] = "e0";

static bool is_number_byte(char c)
{
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

/* Copies the number at `at`, with an exponent if it is an integer that does not fit. */
static const char *widen_number(struct widened *wide, const char *at, const char *end)
{
    const char *from = at;
    bool integer = true;

    for (; at < end && is_number_byte(*at); at++)
        integer = integer && *at != '.' && *at != 'e' && *at != 'E';
    buf_add(&wide->text, from, (size_t)(at - from));
    if (integer && at - from > 18) {
        errno = 0; /* the copy has a NUL behind it, the original may end here */
        (void)strtoll(wide->text.ptr + wide->text.len - (at - from), NULL, 10);
        if (errno == ERANGE) {
            buf_add(&wide->places, &wide->text.len, sizeof(wide->text.len));
            buf_add_c(&wide->text, widening);
        }
    }
    return at;
}

static void widen(struct widened *wide, tr_str json)
{
    const char *at = json.ptr, *end = at + json.len;
    bool in_string = false;

    while (at < end) {
        const char *from = at;

        if (!in_string && is_number_byte(*at) && *at != 'e') { /* the e of true and false */
            at = widen_number(wide, at, end);
            continue;
        }
        if (*at == '"')
            in_string = !in_string;
        else if (in_string && *at == '\\' && end - at > 1)
            at++;
        at++;
        buf_add(&wide->text, from, (size_t)(at - from));
    }
}

/* How many characters our exponents took in the line of an error, up to where it stands. */
static int widened_by(const struct widened *wide, size_t position)
{
    size_t line, place;
    int by = 0;

    if (position > wide->text.len)
        position = wide->text.len;
    for (line = position; line > 0 && wide->text.ptr[line - 1] != '\n'; line--)
        ;
    for (size_t i = 0; i < wide->places.len; i += sizeof(place)) {
        memcpy(&place, wide->places.ptr + i, sizeof(place));
        if (place >= line && place < position)
            by += (int)sizeof(widening) - 1;
    }
    return by;
}

static json_t *load_widened(tr_str json, json_error_t *reason)
{
    struct widened wide = {0};
    json_t *tree;

    widen(&wide, json);
    tree = json_loadb(wide.text.ptr, wide.text.len, LOAD_FLAGS, reason);
    if (!tree && reason->position > 0)
        reason->column -= widened_by(&wide, (size_t)reason->position);
    buf_fini(&wide.text);
    buf_fini(&wide.places);
    return tree;
}

tr_status json_tree_parse(tr_str json, tr_json_value **ret_root, tr_error *error)
{
    json_error_t reason = {0};
    json_t *tree = json_loadb(json.len ? json.ptr : "", json.len, LOAD_FLAGS, &reason);

    if (!tree && json_error_code(&reason) == json_error_numeric_overflow)
        tree = load_widened(json, &reason);
    if (tree) {
        *ret_root = (tr_json_value *)(void *)tree;
        return TR_OK;
    }
    if (error && error->buf && error->cap > 0)
        (void)snprintf(error->buf, error->cap, "JSON, line %d, column %d: %s", reason.line,
                       reason.column, reason.text);
    return TR_EINVAL;
}

void json_tree_free(tr_json_value *root)
{
    json_decref((json_t *)(void *)root);
}

int32_t json_tree_type(const tr_json_value *value)
{
    if (!value)
        return TR_EINVAL;
    switch (json_typeof(tree_of(value))) {
    case JSON_NULL: return TR_JSON_NULL;
    case JSON_FALSE: return TR_JSON_FALSE;
    case JSON_TRUE: return TR_JSON_TRUE;
    case JSON_INTEGER:
    case JSON_REAL: return TR_JSON_NUMBER;
    case JSON_STRING: return TR_JSON_STRING;
    case JSON_ARRAY: return TR_JSON_ARRAY;
    case JSON_OBJECT: return TR_JSON_OBJECT;
    }
    return TR_EINVAL;
}

size_t json_tree_count(const tr_json_value *value)
{
    /* each is 0 for what is not of its kind */
    return json_object_size(tree_of(value)) + json_array_size(tree_of(value));
}

const tr_json_value *json_tree_get(const tr_json_value *object, tr_str key)
{
    return value_of(json_object_getn(tree_of(object), key.len ? key.ptr : "", key.len));
}

const tr_json_value *json_tree_at(const tr_json_value *array, size_t i)
{
    return value_of(json_array_get(tree_of(array), i));
}

int32_t json_tree_next(const tr_json_value *object, void **cursor, tr_str *ret_key,
                       const tr_json_value **ret_value)
{
    json_t *tree = (json_t *)(void *)(uintptr_t)object; /* an iterator takes no const */
    void *iter = *cursor ? json_object_iter_next(tree, *cursor) : json_object_iter(tree);

    if (!iter)
        return 0;
    *cursor = iter;
    *ret_key = (tr_str){json_object_iter_key(iter), json_object_iter_key_len(iter)};
    *ret_value = value_of(json_object_iter_value(iter));
    return 1;
}

tr_str json_tree_string(const tr_json_value *value)
{
    return (tr_str){json_string_value(tree_of(value)), json_string_length(tree_of(value))};
}

double json_tree_number(const tr_json_value *value)
{
    return json_number_value(tree_of(value));
}

tr_status json_tree_dump(const tr_json_value *value, char *buf, size_t cap, size_t *ret_len)
{
    size_t len;

    if (!value)
        return TR_EINVAL;
    len = json_dumpb(tree_of(value), buf, cap, JSON_COMPACT | JSON_ENCODE_ANY);
    if (len == 0)
        return TR_EINVAL;
    *ret_len = len;
    return len <= cap ? TR_OK : TR_EINVAL;
}
