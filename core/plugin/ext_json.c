/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tr.json/1: the core's JSON for plugins. All of it is pure; any thread calls.
 */
#include "base/buf.h"
#include "base/mem.h"
#include "config/tree.h"
#include "plugin/private.h"
#include "json/tree.h"
#include "json/value.h"

#include <tailrace/ext/json.h>

#include <stdio.h>

static tr_status json_ext_find(tr_str json, tr_str path, tr_str *ret_raw)
{
    struct arena arena;
    struct json_path compiled;
    tr_status status = TR_EINVAL;

    arena_init(&arena, 512);
    if (json_path_compile(path, &arena, &compiled, NULL) == 0)
        status = json_find(json, &compiled, ret_raw) ? TR_OK : TR_ENOENT;
    arena_fini(&arena);
    return status;
}

static tr_str find_or_nothing(tr_str json, tr_str path)
{
    tr_str raw;

    return json_ext_find(json, path, &raw) == TR_OK ? raw : (tr_str){0};
}

/* Whether the first step is what stands before the first dot, if there is one, as it is. */
static bool is_plain(tr_str path)
{
    return path.len > 0 && path.ptr[0] != '.' && path.ptr[path.len - 1] != '.' &&
           str_find(path, '\\') == path.len;
}

enum { FIND_AT_ONCE = 16 };

static void find_some(tr_str object, const tr_str *paths, uint32_t count, tr_str *ret_raws)
{
    tr_str steps[FIND_AT_ONCE] = {{0}}, rests[FIND_AT_ONCE];

    for (uint32_t i = 0; i < count; i++)
        steps[i] = str_cut(paths[i], '.', &rests[i]);
    json_get_all(object, steps, count, ret_raws);
    for (uint32_t i = 0; i < count; i++) {
        if (!is_plain(paths[i]))
            ret_raws[i] = find_or_nothing(object, paths[i]);
        else if (rests[i].len > 0 && ret_raws[i].len > 0)
            ret_raws[i] = find_or_nothing(ret_raws[i], rests[i]);
    }
}

static void json_ext_find_all(tr_str json, const tr_str *paths, uint32_t count,
                              tr_str *ret_raws)
{
    uint32_t some;

    if (json_type_of(json) != JSON_OBJECT)
        for (; count > 0; count--)
            *ret_raws++ = find_or_nothing(json, *paths++);
    for (; count > 0; count -= some, paths += some, ret_raws += some) {
        some = count < FIND_AT_ONCE ? count : FIND_AT_ONCE;
        find_some(json, paths, some, ret_raws);
    }
}

static int32_t json_ext_type_of(tr_str raw)
{
    static const int32_t types[] = {
        [JSON_NONE] = TR_EINVAL,        [JSON_NULL] = TR_JSON_NULL,
        [JSON_FALSE] = TR_JSON_FALSE,   [JSON_TRUE] = TR_JSON_TRUE,
        [JSON_NUMBER] = TR_JSON_NUMBER, [JSON_STRING] = TR_JSON_STRING,
        [JSON_ARRAY] = TR_JSON_ARRAY,   [JSON_OBJECT] = TR_JSON_OBJECT,
    };

    return types[json_type_of(raw)];
}

static tr_status json_ext_decode(tr_str raw, char *buf, size_t cap, size_t *ret_len)
{
    struct arena arena;
    tr_status status = TR_EINVAL;
    tr_str text;

    *ret_len = 0;
    arena_init(&arena, 1024);
    if (json_decode(raw, &arena, &text))
        status = str_copy_out(text, buf, cap, ret_len);
    arena_fini(&arena);
    return status;
}

static tr_status json_ext_encode(tr_str text, char *buf, size_t cap, size_t *ret_len)
{
    struct buf out = {0};
    tr_status status;

    json_write_string(&out, text);
    status = str_copy_out(buf_str(&out), buf, cap, ret_len);
    buf_fini(&out);
    return status;
}

static tr_status json_ext_from_config(const tr_config *config, const char *path,
                                      tr_json_value **ret_root)
{
    const struct config_node *node = config_values_node(config->values, path);
    struct buf text = {0};
    tr_status status;

    if (!node)
        return TR_ENOENT;
    config_json(node, &text);
    status = json_tree_parse(buf_str(&text), ret_root, NULL);
    buf_fini(&text);
    return status;
}

const void *ext_json_table(void)
{
    static const tr_json table = {
        .size = sizeof(table),
        .find = json_ext_find,
        .type_of = json_ext_type_of,
        .decode = json_ext_decode,
        .encode = json_ext_encode,
        .parse = json_tree_parse,
        .free = json_tree_free,
        .type = json_tree_type,
        .count = json_tree_count,
        .get = json_tree_get,
        .at = json_tree_at,
        .next = json_tree_next,
        .string = json_tree_string,
        .number = json_tree_number,
        .from_config = json_ext_from_config,
        .dump = json_tree_dump,
        .find_all = json_ext_find_all,
    };

    return &table;
}
