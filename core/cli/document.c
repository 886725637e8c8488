/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Documents to rows. Main thread.
 */
#include "cli/document.h"

#include "base/file.h"
#include "json/tree.h"
#include "json/value.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { DOCUMENT_MAX = 256 * 1024 * 1024 };

static int read_stdin(struct buf *text, struct error *error)
{
    for (;;) {
        ssize_t n = read(STDIN_FILENO, buf_reserve(text, 65536), 65536);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set(error, ERR_IO, "standard input cannot be read: %s",
                             strerror(errno));
        if (n == 0)
            return 0;
        text->len += (size_t)n;
        if (text->len > DOCUMENT_MAX)
            return error_set(error, ERR_DATA, "standard input has more than %d bytes",
                             DOCUMENT_MAX);
    }
}

int document_read(const char *path, struct buf *ret_text, struct error *error)
{
    if (strcmp(path, "-") == 0)
        return read_stdin(ret_text, error);
    return file_read(path, DOCUMENT_MAX, 0, ret_text, error);
}

/* The scanner of rows does not look into documents: what is wrong there is said here. */
static int judge(tr_str json, struct error *error)
{
    char why[200] = "";
    tr_error text = {.size = sizeof(text), .cap = sizeof(why), .buf = why};
    tr_json_value *tree;
    bool is_object;

    if (json_tree_parse(json, &tree, &text) != TR_OK)
        return error_set(error, ERR_DATA, "not JSON: %s", why);
    is_object = json_tree_type(tree) == TR_JSON_OBJECT;
    json_tree_free(tree);
    return is_object ? 0 : error_set(error, ERR_DATA, "not a document: it is no JSON object");
}

static int write_row(tr_str document, tr_str id, struct buf *out, struct error *error)
{
    tr_str rev = STR("\"1-0\""), deleted = STR("");

    if (json_type_of(id) != JSON_STRING)
        return error_set(error, ERR_DATA, "the document's _id is not a string");
    (void)json_get(document, STR("_rev"), &rev);
    (void)json_get(document, STR("_deleted"), &deleted);
    if (json_type_of(rev) != JSON_STRING)
        return error_set(error, ERR_DATA, "the document's _rev is not a string");
    buf_addf(out,
             "{\"seq\":\"0\",\"id\":" STR_FMT ",\"changes\":[{\"rev\":" STR_FMT "}]%s,\"doc\":",
             STR_ARG(id), STR_ARG(rev),
             json_type_of(deleted) == JSON_TRUE ? ",\"deleted\":true" : "");
    buf_add_str(out, document);
    buf_add_char(out, '}');
    return 0;
}

int document_to_segment(tr_str json, struct segment **ret_segment, struct error *error)
{
    struct segment *segment;
    struct buf row = {0};
    tr_str id, changes;
    int rc;

    json = str_trim(json);
    rc = judge(json, error);
    if (rc < 0)
        return rc;
    if (json_get(json, STR("_id"), &id))
        rc = write_row(json, id, &row, error);
    else if (json_get(json, STR("id"), &id) && json_get(json, STR("changes"), &changes) &&
             json_type_of(changes) == JSON_ARRAY)
        buf_add_str(&row, json);
    else
        rc = error_set(error, ERR_DATA,
                       "neither a document with an _id nor a row of a _changes feed");
    segment = rc == 0 ? segment_of_row(buf_str(&row), STR("null")) : NULL;
    buf_fini(&row);
    if (rc == 0 && !segment)
        rc = error_set(error, ERR_DATA,
                       "not a row of a _changes feed: its members are malformed");
    if (rc == 0)
        *ret_segment = segment;
    return rc;
}
