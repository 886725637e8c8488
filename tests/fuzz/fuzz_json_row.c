/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a row: what jansson takes for an object the scanner takes too and says the same
 * of it; and what it says of the beginning of a row never contradicts what it says of the
 * whole.
 */
#include "json/row.h"

#include <jansson.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                        \
    do {                                                                                       \
        if (!(condition))                                                                      \
            abort();                                                                           \
    } while (0)

static struct arena arena;

struct seen {
    enum json_row_result result;
    tr_change change;
    struct json_closing closing;
    size_t used;
};

static struct seen scan(const char *text, size_t len)
{
    struct seen seen = {0};

    seen.result = json_row_scan(str_n(text, len), &arena, &seen.change, &seen.closing,
                                &seen.used);
    return seen;
}

static void must_be(tr_str raw, const json_t *tree)
{
    json_t *seen;

    if (!tree) {
        MUST(raw.len == 0);
        return;
    }
    seen = json_loadb(raw.ptr, raw.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    MUST(seen && json_equal(seen, tree));
    json_decref(seen);
}

static void compare_row(const tr_change *change, const json_t *tree)
{
    const json_t *id = json_object_get(tree, "id"), *doc = json_object_get(tree, "doc");
    const json_t *changes = json_object_get(tree, "changes");
    const json_t *rev = json_object_get(json_array_get(changes, 0), "rev");

    MUST(change->id.len == json_string_length(id));
    MUST(change->id.len == 0 ||
         memcmp(change->id.ptr, json_string_value(id), change->id.len) == 0);
    MUST(change->rev.len == json_string_length(rev));
    MUST(change->rev.len == 0 ||
         memcmp(change->rev.ptr, json_string_value(rev), change->rev.len) == 0);
    MUST(!(change->flags & TR_CHANGE_DELETED) ==
         !json_is_true(json_object_get(tree, "deleted")));
    MUST(!(change->flags & TR_CHANGE_HAS_DOC) == !json_is_object(doc));
    must_be(change->seq, json_object_get(tree, "seq"));
    must_be(change->revs, json_is_array(changes) ? changes : NULL);
    must_be(change->doc, json_is_object(doc) ? doc : NULL);
}

static void compare(const char *text, size_t len, const struct seen *whole)
{
    json_error_t error;
    json_t *tree = json_loadb(text, len, JSON_DISABLE_EOF_CHECK | JSON_ALLOW_NUL, &error);

    if (tree && text[0] == '{') {
        MUST(whole->result < JSON_MORE);
        MUST(whole->used == (size_t)error.position);
        MUST((whole->result == JSON_ROW) == json_is_string(json_object_get(tree, "id")));
        if (whole->result == JSON_ROW)
            compare_row(&whole->change, tree);
        else if (whole->result == JSON_CLOSING)
            must_be(whole->closing.last_seq, json_object_get(tree, "last_seq"));
        else
            MUST(!json_object_get(tree, "last_seq"));
        if (whole->result == JSON_ERROR)
            must_be(whole->closing.error, json_object_get(tree, "error"));
    }
    json_decref(tree);
}

static void try_beginnings(const char *text, size_t len, const struct seen *whole)
{
    size_t end = whole->result < JSON_MORE ? whole->used : len;
    size_t step = end / 256 + 1;
    bool junk = false;

    for (size_t cut = 0; cut < end; cut += step) {
        char *part = malloc(cut);
        struct seen seen;

        if (cut > 0)
            memcpy(part, text, cut);
        seen = scan(part, cut);
        free(part);
        MUST(seen.result == JSON_MORE ||
             (seen.result == JSON_JUNK && whole->result == JSON_JUNK));
        MUST(!junk || seen.result == JSON_JUNK);
        junk = seen.result == JSON_JUNK;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct seen whole;

    if (!arena.block_size)
        arena_init(&arena, 4096);
    whole = scan(text, size);
    if (whole.result < JSON_MORE) {
        MUST(whole.used >= 2 && whole.used <= size && text[whole.used - 1] == '}');
        MUST(scan(text, whole.used).result == whole.result);
    }
    if (size > 0 && !memchr(text, '\0', size)) /* json/tree.h tells why */
        compare(text, size, &whole);
    try_beginnings(text, size, &whole);
    arena_reset(&arena);
    return 0;
}
