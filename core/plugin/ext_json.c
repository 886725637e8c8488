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

/* One name: there is nothing to take apart. */
static bool is_step(tr_str path)
{
    return path.len > 0 && str_find(path, '.') == path.len && str_find(path, '\\') == path.len;
}

static tr_status json_ext_find(tr_str json, tr_str path, tr_str *ret_raw)
{
    const struct json_path step = {.text = path, .steps = &path, .count = 1};
    struct arena arena;
    struct json_path compiled;
    tr_status status = TR_EINVAL;

    if (is_step(path))
        return json_find(json, &step, ret_raw) ? TR_OK : TR_ENOENT;
    arena_init(&arena, 512);
    if (json_path_compile(path, &arena, &compiled, NULL) == 0)
        status = json_find(json, &compiled, ret_raw) ? TR_OK : TR_ENOENT;
    arena_fini(&arena);
    return status;
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
    };

    return &table;
}
