/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tr.json/1: JSON for plugins that want more than bytes.
 *
 * find() looks into a document without making a tree: use it for a field or two. parse() makes
 * a tree for those who want one. Any thread may use any of it; a tree belongs to one thread at
 * a time, and strings of a tree live as long as the tree.
 */
#ifndef TAILRACE_EXT_JSON_H
#define TAILRACE_EXT_JSON_H

#include <tailrace/host.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TR_EXT_JSON "tr.json/1"

enum {
    TR_JSON_NULL = 1,
    TR_JSON_FALSE = 2,
    TR_JSON_TRUE = 3,
    TR_JSON_NUMBER = 4,
    TR_JSON_STRING = 5,
    TR_JSON_ARRAY = 6,
    TR_JSON_OBJECT = 7
};

/* A value of a tree. The root owns the tree; members are borrowed from it. */
typedef struct tr_json_value tr_json_value;

typedef struct tr_json {
    uint32_t size;

    /* The raw JSON at a dotted path ("author.name", "tags.0"; a dot inside a key is "\."), a
     * slice of `json`. The last of duplicate keys wins. TR_ENOENT: nothing is there.  [any] */
    tr_status (*find)(tr_str json, tr_str path, tr_str *ret_raw);

    /* TR_JSON_… of a raw value, or TR_EINVAL.                                         [any] */
    int32_t (*type_of)(tr_str raw);

    /* Decodes a raw JSON string into `buf`; *ret_len is the length it has or would need.
     * TR_EINVAL: not a string, or cap is too small (then *ret_len > cap).              [any] */
    tr_status (*decode)(tr_str raw, char *buf, size_t cap, size_t *ret_len);

    /* Appends nothing, allocates nothing: writes `text` as a JSON string with its quotes.
     * The same rule for cap as decode().                                              [any] */
    tr_status (*encode)(tr_str text, char *buf, size_t cap, size_t *ret_len);

    /* A tree; free the root with free(). On an error its text says line and column.   [any] */
    tr_status (*parse)(tr_str json, tr_json_value **ret_root, tr_error *error);
    void (*free)(tr_json_value *root);

    int32_t (*type)(const tr_json_value *value);
    /* Members of an object or array; 0 for all else. */
    size_t (*count)(const tr_json_value *value);
    const tr_json_value *(*get)(const tr_json_value *object, tr_str key);
    const tr_json_value *(*at)(const tr_json_value *array, size_t i);
    /* Walks an object in its own order: start with *cursor NULL; 0 at the end. */
    int32_t (*next)(const tr_json_value *object, void **cursor, tr_str *ret_key,
                    const tr_json_value **ret_value);
    /* The string, or an empty one with ptr NULL. */
    tr_str (*string)(const tr_json_value *value);
    /* The number; 0 for all else. Integers beyond 2^53 lose digits in a double. */
    double (*number)(const tr_json_value *value);

    /* The group at `path` of the options as a tree (free with free()), for groups that take
     * any member. TR_ENOENT: not set.                                            [control] */
    tr_status (*from_config)(const tr_config *config, const char *path,
                             tr_json_value **ret_root);

    /* The text of a value, compact. The same rule for cap as decode().                [any] */
    tr_status (*dump)(const tr_json_value *value, char *buf, size_t cap, size_t *ret_len);

    /* As find() for several paths, the members of the object walked once for all of them:
     * ret_raws[i] is what is at paths[i], or empty. Since ABI 1.2.                   [any] */
    void (*find_all)(tr_str json, const tr_str *paths, uint32_t count, tr_str *ret_raws);
} tr_json;

#ifdef __cplusplus
}
#endif

#endif
