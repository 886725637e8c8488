/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a value, by the look-ups without a tree and by the tree: they find the same. And
 * any bytes as text: what is written as a JSON string reads back.
 */
#include "json/tree.h"
#include "json/value.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                        \
    do {                                                                                       \
        if (!(condition))                                                                      \
            abort();                                                                           \
    } while (0)

static struct arena arena;

static void compare(tr_str raw, const tr_json_value *tree);

static void compare_object(tr_str raw, const tr_json_value *tree)
{
    const tr_json_value *member;
    void *iter = NULL;
    tr_str key, found;

    while (json_tree_next(tree, &iter, &key, &member)) {
        MUST(json_get(raw, key, &found));
        compare(found, member);
    }
}

static void compare_array(tr_str raw, const tr_json_value *tree)
{
    size_t cursor = 0, i = 0;
    tr_str key, item;

    for (; json_next(raw, &cursor, &key, &item); i++)
        compare(item, json_tree_at(tree, i));
    MUST(i == json_tree_count(tree));
}

static void compare(tr_str raw, const tr_json_value *tree)
{
    double number;
    tr_str text, other = json_tree_string(tree);

    MUST((int32_t)json_type_of(raw) == json_tree_type(tree));
    switch (json_type_of(raw)) {
    case JSON_OBJECT: compare_object(raw, tree); break;
    case JSON_ARRAY: compare_array(raw, tree); break;
    case JSON_STRING: MUST(json_decode(raw, &arena, &text) && str_eq(text, other)); break;
    case JSON_NUMBER:
        MUST(json_number(raw, &number));
        MUST(number == json_tree_number(tree));
        break;
    default: break;
    }
}

/* Walks what may be no JSON at all. */
static void walk(tr_str raw, int depth)
{
    tr_str key, value, found, text;
    size_t cursor = 0;
    double number;

    (void)json_number(raw, &number);
    (void)json_decode(raw, &arena, &text);
    while (json_next(raw, &cursor, &key, &value)) {
        MUST(value.len > 0 && value.ptr >= raw.ptr &&
             value.ptr + value.len <= raw.ptr + raw.len);
        MUST(cursor <= raw.len);
        (void)json_get(raw, key, &found);
        if (depth < 20)
            walk(value, depth + 1);
    }
}

static void write_and_read(tr_str text)
{
    struct buf once = {0}, twice = {0};
    tr_json_value *tree;
    tr_str back;

    json_write_string(&once, text);
    MUST(json_decode(buf_str(&once), &arena, &back));
    MUST(json_tree_parse(buf_str(&once), &tree, NULL) == TR_OK);
    MUST(str_eq(json_tree_string(tree), back));
    json_write_string(&twice, back);
    MUST(str_eq(buf_str(&once), buf_str(&twice)));
    json_tree_free(tree);
    buf_fini(&once);
    buf_fini(&twice);
}

static void find(tr_str json, tr_str path_text)
{
    struct json_path path;
    tr_str found;

    if (json_path_compile(path_text, &arena, &path, NULL) == 0 &&
        json_find(json, &path, &found))
        MUST(found.ptr >= json.ptr && found.ptr + found.len <= json.ptr + json.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tr_str all = {(const char *)data, size}, trimmed = str_trim(all), path;
    tr_json_value *tree;
    char text[200];
    tr_error error = {sizeof(error), sizeof(text), text};

    if (!arena.block_size)
        arena_init(&arena, 4096);
    if (json_tree_parse(trimmed, &tree, &error) == TR_OK) {
        if (!memchr(trimmed.ptr, '\0', trimmed.len)) /* json/tree.h tells why */
            compare(trimmed, tree);
        json_tree_free(tree);
    }
    walk(all, 0);
    write_and_read(all);
    path = str_cut(all, '\n', &all);
    find(all, path);
    arena_reset(&arena);
    return 0;
}
