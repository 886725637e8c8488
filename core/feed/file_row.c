/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines into rows. Called by file.c on the loop thread.
 */
#include "feed/file_row.h"

#include "feed/build.h"
#include "json/row.h"
#include "json/value.h"

static tr_str offset_text(int64_t offset, struct arena *arena)
{
    char digits[STR_NUMBER];

    return arena_str(arena, str_of_number((uint64_t)offset, digits));
}

/* [{"rev":…}], as a row's `changes` would be. */
static tr_str revs_of(tr_str rev, struct arena *arena)
{
    static const char before[] = "[{\"rev\":", behind[] = "}]";
    size_t len = sizeof(before) - 1 + rev.len + sizeof(behind) - 1;
    char *text = arena_alloc(arena, len), *at = text;

    at = (char *)memcpy(at, before, sizeof(before) - 1) + sizeof(before) - 1;
    at = (char *)memcpy(at, rev.ptr, rev.len) + rev.len;
    memcpy(at, behind, sizeof(behind) - 1);
    return str_n(text, len);
}

/* Fills id, rev, revs and flags from a document's own members, as far as they are there. */
static void fill_from_document(tr_change *row, tr_str document, struct arena *arena)
{
    tr_str key, value;
    size_t cursor = 0;

    while (json_next(document, &cursor, &key, &value)) {
        if (str_eq(key, STR("_id"))) {
            (void)json_decode(value, arena, &row->id);
        } else if (str_eq(key, STR("_rev")) && json_decode(value, arena, &row->rev)) {
            row->revs = revs_of(value, arena);
        } else if (str_eq(key, STR("_deleted")) && json_type_of(value) == JSON_TRUE) {
            row->flags |= TR_CHANGE_DELETED;
        }
    }
    if (str_starts(row->id, STR("_design/")))
        row->flags |= TR_CHANGE_DESIGN;
}

enum file_row file_row_read(tr_str line, int64_t behind, struct arena *arena,
                            tr_change *ret_row, struct error *error)
{
    struct json_closing closing;
    tr_change row;
    tr_str own_id;
    size_t used = 0;
    enum json_row_result scan = json_row_scan(line, arena, &row, &closing, &used);
    bool is_row = scan == JSON_ROW && row.revs.len > 0;

    if (scan == JSON_MORE)
        return FILE_PART;
    if (scan == JSON_JUNK) {
        error_set(error, ERR_DATA,
                  "not a JSON object; each line must be one row of a _changes feed (saved with "
                  "feed=continuous) or one document");
        return FILE_BAD;
    }
    if (used != line.len) {
        error_set(error, ERR_DATA, "more behind the object; put each on a line of its own");
        return FILE_BAD;
    }
    if (!is_row && json_get(line, STR("_id"), &own_id) && json_type_of(own_id) == JSON_STRING) {
        row = (tr_change){.raw = line, .doc = line, .flags = TR_CHANGE_HAS_DOC};
        fill_from_document(&row, line, arena);
    } else if (scan == JSON_CLOSING) {
        return FILE_NO_ROW;
    } else if (scan != JSON_ROW) {
        error_set(error, ERR_DATA, "an object without \"id\" or \"_id\"");
        return FILE_BAD;
    }
    row.seq = offset_text(behind, arena);
    *ret_row = row;
    return FILE_ROW;
}

tr_change file_row_of_head(tr_str head, int64_t behind, struct arena *arena)
{
    tr_change row = row_of_head(head, arena);

    if (row.revs.len == 0)
        fill_from_document(&row, head, arena);
    row.seq = offset_text(behind, arena);
    return row;
}
