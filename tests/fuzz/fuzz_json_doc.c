/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a document, and any as the changes that are made of it, a line each, "=path",
 * "-path", "+path" and ">path path". What jansson takes for an object is one after each change
 * too, says what the change did, and what was not touched has its bytes.
 */
#include "json/doc.h"
#include "json/tree.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                        \
    do {                                                                                       \
        if (!(condition))                                                                      \
            abort();                                                                           \
    } while (0)

static struct arena arena;

static tr_str text_of(const struct json_doc *doc)
{
    size_t size = json_doc_size(doc);
    char *text = arena_alloc(&arena, size + 1);

    MUST(json_doc_write(doc, text) == text + size);
    return str_n(text, size);
}

static bool is_object(tr_str text)
{
    tr_json_value *tree;
    bool is;

    if (memchr(text.ptr, '\0', text.len) || json_tree_parse(text, &tree, NULL) != TR_OK)
        return false;
    is = json_tree_type(tree) == TR_JSON_OBJECT;
    json_tree_free(tree);
    return is;
}

/* The document read anew has at the path what the changed one says. */
static void compare(struct json_doc *doc, const struct json_doc_path *path)
{
    tr_str now = {0}, anew = {0};
    bool is_there = json_doc_get(doc, path, &now);

    MUST(is_there == json_find(text_of(doc), &path->path, &anew));
    MUST(str_eq(now, anew));
}

/* jansson takes no key with a NUL, and what is not UTF-8 is written as something else. */
static bool is_plain(tr_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= 0)
            return false;
    return true;
}

static void change(struct json_doc *doc, char kind, tr_str text)
{
    struct json_doc_path path, other;
    tr_str first = str_cut(text, ' ', &text), was = {0}, now;
    const struct json_doc_path *paths[2] = {&path, &other};
    bool is_there, done = false;

    if (json_doc_path_compile(first, &arena, &path, NULL) < 0)
        return;
    if (json_doc_path_compile(text, &arena, &other, NULL) < 0)
        other = path;
    is_there = json_doc_get(doc, &path, &was);
    if (kind == '+') {
        done = json_doc_set(doc, &path, STR("[0]"));
        MUST(!done || (json_doc_get(doc, &path, &now) && str_eq(now, STR("[0]"))));
    } else if (kind == '-') {
        done = json_doc_remove(doc, &path);
        MUST(!done || (is_there && !json_doc_get(doc, &path, &now)));
    } else if (kind == '>') {
        done = json_doc_rename(doc, &path, &other);
        MUST(!done || (is_there && json_doc_get(doc, &other, &now) && str_eq(now, was)));
    } else if (kind == '=') {
        json_doc_keep(doc, paths, 2, false);
        MUST(!json_doc_get(doc, &path, &now) || str_eq(now, was));
    }
    compare(doc, &path);
    compare(doc, &other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tr_str all = {(const char *)data, size}, first, line;
    struct json_doc doc;
    bool was_object;

    if (!arena.block_size)
        arena_init(&arena, 4096);
    first = str_cut(all, '\n', &all);
    was_object = is_object(first);
    json_doc_init(&doc, first, &arena);
    while (all.len > 0) {
        line = str_cut(all, '\n', &all);
        if (line.len < 2 || is_object(text_of(&doc)) != was_object)
            continue;
        if (was_object && is_plain(line))
            change(&doc, line.ptr[0], str_from(line, 1));
    }
    MUST(is_object(text_of(&doc)) == was_object);
    arena_reset(&arena);
    return 0;
}
