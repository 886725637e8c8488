/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tr.doc/1: a change's document for transforms. A tr_doc is a json_doc that chain.c made; paths
 * are the plugin's, and any thread may make one.
 */
#include "base/mem.h"
#include "plugin/private.h"
#include "json/doc.h"

#include <stdio.h>

#include <tailrace/ext/doc.h>

struct tr_path {
    struct arena arena;
    struct json_doc_path path;
};

static struct json_doc *doc_of(tr_doc *doc)
{
    return (struct json_doc *)doc;
}

static tr_status doc_ext_path_new(tr_str text, tr_path **ret_path, tr_error *error)
{
    tr_path *path = mem_new(tr_path);
    struct error why;

    arena_init(&path->arena, 128);
    if (json_doc_path_compile(text, &path->arena, &path->path, &why) == 0) {
        *ret_path = path;
        return TR_OK;
    }
    arena_fini(&path->arena);
    free(path);
    if (error && error->cap > 0)
        snprintf(error->buf, error->cap, "%s", why.text);
    return TR_EINVAL;
}

static void doc_ext_path_free(tr_path *path)
{
    if (!path)
        return;
    arena_fini(&path->arena);
    free(path);
}

static tr_status doc_ext_get(tr_doc *doc, const tr_path *path, tr_str *ret_raw)
{
    return json_doc_get(doc_of(doc), &path->path, ret_raw) ? TR_OK : TR_ENOENT;
}

static tr_status doc_ext_set(tr_doc *doc, const tr_path *path, tr_str raw)
{
    if (!json_doc_is_value(raw))
        return TR_EINVAL;
    return json_doc_set(doc_of(doc), &path->path, raw) ? TR_OK : TR_ENOENT;
}

static tr_status doc_ext_remove(tr_doc *doc, const tr_path *path)
{
    return json_doc_remove(doc_of(doc), &path->path) ? TR_OK : TR_ENOENT;
}

static tr_status doc_ext_rename(tr_doc *doc, const tr_path *from, const tr_path *to)
{
    return json_doc_rename(doc_of(doc), &from->path, &to->path) ? TR_OK : TR_ENOENT;
}

static tr_status doc_ext_keep(tr_doc *doc, const tr_path *const *paths, uint32_t count,
                              uint32_t flags)
{
    struct json_doc *it = doc_of(doc);
    const struct json_doc_path **inner = arena_alloc(it->arena, count * sizeof(*inner));

    for (uint32_t i = 0; i < count; i++)
        inner[i] = &paths[i]->path;
    json_doc_keep(it, inner, count, (flags & TR_DOC_KEEP_SPECIAL) != 0);
    return TR_OK;
}

static tr_str doc_ext_text(tr_doc *doc)
{
    struct json_doc *it = doc_of(doc);
    size_t size = json_doc_size(it);
    char *text;

    if (!it->changed)
        return it->text;
    text = arena_alloc(it->arena, size);
    json_doc_write(it, text);
    return str_n(text, size);
}

static tr_status doc_ext_replace(tr_doc *doc, tr_str raw)
{
    if (json_type_of(raw) != JSON_OBJECT || !json_doc_is_value(raw))
        return TR_EINVAL;
    if (doc_of(doc)->text.len == 0)
        return TR_ENOENT;
    json_doc_replace(doc_of(doc), raw);
    return TR_OK;
}

const void *ext_doc_table(void)
{
    static const tr_doc_api table = {
        .size = sizeof(table),
        .path_new = doc_ext_path_new,
        .path_free = doc_ext_path_free,
        .get = doc_ext_get,
        .set = doc_ext_set,
        .remove = doc_ext_remove,
        .rename = doc_ext_rename,
        .keep = doc_ext_keep,
        .text = doc_ext_text,
        .replace = doc_ext_replace,
    };

    return &table;
}
