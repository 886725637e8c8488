/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking up a field of a document. A second pass is paid only when nothing is found. Called on
 * the loop thread by conditions and on any thread by templates.
 */
#include "rule/lookup.h"

/* Whether a container can be walked to its bracket. */
static bool is_whole(tr_str container)
{
    tr_str key, value, rest;
    size_t cursor = 0;

    container = str_trim(container);
    while (json_next(container, &cursor, &key, &value))
        continue;
    rest = str_trim(str_from(container, cursor ? cursor : 1));
    return rest.len == 1 && (rest.ptr[0] == '}' || rest.ptr[0] == ']');
}

/* Nothing was found at the path. That is an answer only if what was searched is well-formed:
 * what stands behind junk in a document may be what the condition asks for. */
static bool is_absent(tr_str doc, const struct json_path *path)
{
    struct json_path way = *path;
    tr_str container = doc;

    while (way.count > 0 && !json_find(doc, &way, &container))
        way.count--;
    if (way.count == 0)
        container = doc;
    switch (json_type_of(container)) {
    case JSON_NONE: return false;
    case JSON_OBJECT:
    case JSON_ARRAY: return is_whole(container);
    default: return true;
    }
}

enum lookup lookup_field(tr_str doc, const struct json_path *path, tr_str *ret_raw)
{
    *ret_raw = STR("");
    if (doc.len == 0)
        return LOOKUP_ABSENT;
    if (!json_find(doc, path, ret_raw))
        return is_absent(doc, path) ? LOOKUP_ABSENT : LOOKUP_MALFORMED;
    if (json_type_of(*ret_raw) != JSON_NONE)
        return LOOKUP_FOUND;
    *ret_raw = STR("");
    return LOOKUP_MALFORMED;
}
