/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as the answer of `_bulk_get`: what is taken from it and put into a page are
 * documents of the page's own rows, and no row more, fewer or other than these comes out of it.
 */
#include "feed/frame.h"
#include "feed/join.h"
#include "fuzz.h"
#include "json/value.h"

enum { ROWS = 3 };

static const char PAGE[] =
    "{\"results\":[{\"seq\":1,\"id\":\"a\",\"changes\":[{\"rev\":\"1-a\"}]},"
    "{\"seq\":2,\"id\":\"\\u00e9\",\"changes\":[{\"rev\":\"1-b\"}]},"
    "{\"seq\":3,\"id\":\"c\",\"changes\":[{\"rev\":\"1-c\"}],\"deleted\":true}"
    "],\"last_seq\":3}";

static struct segment *read_page(tr_str page, enum frame_result *ret_result)
{
    struct error error = {0};
    struct segment *rows;
    struct frame frame;

    frame_init(&frame, STR("0"), 1 << 20);
    frame_begin(&frame, true);
    *ret_result = frame_take(&frame, page, &error);
    rows = frame_cut(&frame);
    frame_fini(&frame);
    return rows;
}

static void must_be_the_same(const struct segment *rows, const struct segment *joined)
{
    for (uint32_t i = 0; i < joined->count; i++) {
        const tr_change *row = &joined->rows[i];
        MUST(i < rows->count);
        MUST(str_eq(row->id, rows->rows[i].id) && str_eq(row->rev, rows->rows[i].rev));
        MUST(str_eq(row->seq, rows->rows[i].seq));
        MUST(row->flags & TR_CHANGE_HAS_DOC);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf question = {0}, text = {0};
    struct segment *rows, *joined;
    enum frame_result result;

    rows = read_page(str_c(PAGE), &result);
    MUST(result == FRAME_CLOSED && rows && rows->count == ROWS);
    MUST(join_ask(rows->rows, ROWS, &question));
    buf_add_c(&text, "{\"results\":[");
    if (join_documents(rows->rows, ROWS, str_n((const char *)data, size), &text)) {
        buf_add_c(&text, "],\"last_seq\":3}");
        joined = read_page(buf_str(&text), &result);
        if (joined)
            must_be_the_same(rows, joined);
        MUST(result != FRAME_CLOSED || (joined && joined->count == ROWS));
        segment_unref(joined);
    }
    segment_unref(rows);
    buf_fini(&question);
    buf_fini(&text);
    return 0;
}
