/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts rows and their documents together. Called by documents.c; any thread.
 */
#include "feed/join.h"

#include "base/arena.h"
#include "feed/segment.h"
#include "json/value.h"

static bool is_text(tr_str raw, tr_str text)
{
    struct arena arena;
    tr_str decoded;
    bool same;

    arena_init(&arena, 256);
    same = json_decode(raw, &arena, &decoded) && str_eq(decoded, text);
    arena_fini(&arena);
    return same;
}

/* The document of a row, from {"id":…,"docs":[{"ok":{…}}]}. */
static bool find_document(tr_str result, const tr_change *row, tr_str *ret_document)
{
    static const tr_str keys[] = {{"_id", 3}, {"_rev", 4}};
    tr_str docs, key, first, found[2];
    size_t cursor = 0;

    if (!json_get(result, STR("docs"), &docs) || !json_next(docs, &cursor, &key, &first) ||
        !json_get(first, STR("ok"), ret_document))
        return false;
    json_get_all(*ret_document, keys, 2, found);
    return is_text(found[0], row->id) && is_text(found[1], row->rev);
}

static void add_row(struct buf *text, const tr_change *row, tr_str document)
{
    buf_add(text, row->raw.ptr, row->raw.len - 1); /* the brace that closes it               */
    buf_add_c(text, ",\"doc\":");
    buf_add_str(text, document);
    buf_add_char(text, '}');
}

bool join_documents(const tr_change *rows, uint32_t count, tr_str answer, struct buf *text)
{
    tr_str results, key, result, document;
    size_t cursor = 0;

    if (!json_get(answer, STR("results"), &results))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!json_next(results, &cursor, &key, &result) ||
            !find_document(result, &rows[i], &document))
            return false;
        if (i > 0)
            buf_add_char(text, ',');
        add_row(text, &rows[i], document);
    }
    return true;
}

static bool add_question(struct buf *question, const tr_change *row)
{
    tr_str id;

    if ((row->flags & FEED_ROW_CUT) || row->rev.len == 0 || row->raw.len > JOIN_ROW_MAX ||
        !json_get(row->raw, STR("id"), &id))
        return false;
    buf_add_c(question, "{\"id\":");
    buf_add_str(question, id);
    buf_add_c(question, ",\"rev\":");
    json_write_string(question, row->rev);
    buf_add_char(question, '}');
    return true;
}

bool join_ask(const tr_change *rows, uint32_t count, struct buf *question)
{
    for (uint32_t i = 0; i < count; i++) {
        buf_add_c(question, i > 0 ? "," : "{\"docs\":[");
        if (!add_question(question, &rows[i]))
            return false;
    }
    buf_add_c(question, "]}");
    return true;
}
