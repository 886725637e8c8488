/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a row of CouchDB's answer to _bulk_docs says: of which document it is, and whether that
 * was taken or why not. For plugins that write into CouchDB. Any thread. In headers only, as
 * sdk.h.
 *
 * The status is 201 or 202 whatever became of the documents; what counts is the body, an array
 * of rows (update_doc_result_to_json() in CouchDB's chttpd_db.erl):
 *
 *     {"ok":true,"id":"a","rev":"1-…"}
 *     {"id":"b","error":"conflict","reason":"Document update conflict."}
 *     {"id":"c","rev":"1-…","error":"forbidden","reason":"no title"}
 *
 * With new_edits each document has a row. With new_edits false only what was refused has one,
 * with the revision that was sent. Rows are matched by ids and never by their order: see
 * tr_bulk_find() in bulk.h. An answer that is not whole says nothing of what it leaves out:
 *
 *     if (!tr_scan_is_whole(body, '['))
 *         return my_retry(self);
 *     (void)tr_scan_open(&scan, body, '[');
 *     while (tr_scan_next(&scan, &key, &text) == 1) {
 *         if (!tr_docs_read(text, &row))
 *             continue;
 *         if (row.error.len == 0)
 *             my_take(self, row.id);
 *         else if (tr_docs_is_permanent(row.error))
 *             my_refuse(self, &row);
 *     }
 */
#ifndef TAILRACE_BULK_DOCS_H
#define TAILRACE_BULK_DOCS_H

#include <tailrace/ext/json.h>
#include <tailrace/scan.h>
#include <tailrace/sdk.h>
#include <tailrace/text.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A row. The slices are raw JSON, a string with its quotes, and borrow the text that was read;
 * empty: the row has no such member. Nothing to free. */
typedef struct tr_docs_row {
    tr_str id, rev;
    tr_str error;  /* empty: it was taken                                                   */
    tr_str reason; /* mostly a string; a validation may throw any JSON                      */
    int32_t ok;    /* 1: the row has "ok":true, which not every server says                 */
} tr_docs_row;

/* Reads a row. 0: the text is no object, and `ret_row` all zero. Of a text that breaks off,
 * `ret_row` has the members before that. The last of equal keys counts; other members are
 * passed over. */
TR_UNUSED_ static int32_t tr_docs_read(tr_str text, tr_docs_row *ret_row)
{
    tr_scan scan;
    tr_str key, value;

    memset(ret_row, 0, sizeof(*ret_row)); /* not what the row before it said */
    if (!tr_scan_open(&scan, text, '{'))
        return 0;
    while (tr_scan_next(&scan, &key, &value) == 1) {
        if (tr_str_eq(key, TR_STR("id")))
            ret_row->id = value;
        else if (tr_str_eq(key, TR_STR("rev")))
            ret_row->rev = value;
        else if (tr_str_eq(key, TR_STR("error")))
            ret_row->error = value;
        else if (tr_str_eq(key, TR_STR("reason")))
            ret_row->reason = value;
        else if (tr_str_eq(key, TR_STR("ok")))
            ret_row->ok = tr_scan_is_true(value);
    }
    return 1;
}

/* Whether an error, raw with its quotes, stays however often the same document is sent to the
 * same database: a reject. All others pass, or may: "conflict" is the sink's to judge, and one
 * that nobody knows is rather sent again than lost. The names are those of error_info() in
 * CouchDB's chttpd.erl. */
TR_UNUSED_ static int32_t tr_docs_is_permanent(tr_str error)
{
    static const char *const names[] = {
        "\"forbidden\"",      "\"unauthorized\"",       "\"bad_request\"",
        "\"doc_validation\"", "\"illegal_docid\"",      "\"missing_stub\"",
        "\"too_large\"",      "\"document_too_large\"", "\"attachment_too_large\"",
    };
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (tr_str_eq(error, tr_str_c(names[i])))
            return 1;
    return 0;
}

/* Appends a refusal in words, "error: reason", decoded; without the colon if the reason is
 * empty or no string. They are the server's, of any length and with any bytes: tr_text_show()
 * makes a line of them. Without memory `text` has failed, and of the row it has the error
 * alone, or nothing. */
TR_UNUSED_ static void tr_docs_add_words(tr_text *text, const tr_json *json,
                                         const tr_docs_row *row)
{
    size_t error_end;

    (void)tr_text_add_decoded(text, json, row->error);
    error_end = text->len;
    tr_text_add_c(text, ": ");
    if (tr_text_add_decoded(text, json, row->reason).len == 0)
        text->len = error_end;
}

#ifdef __cplusplus
}
#endif

#endif
