/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes to lines of NDJSON. JSON allows line ends between its tokens only, and some servers
 * send them there: they become spaces, so that a line is a row. Worker.
 */
#include "sink.h"

void lines_fini(struct lines *lines)
{
    free(lines->ptr);
    *lines = (struct lines){0};
}

static bool reserve(struct lines *lines, size_t more)
{
    size_t cap = lines->cap ? lines->cap : 65536;
    char *grown;

    if (lines->cap - lines->len >= more)
        return true;
    while (cap - lines->len < more)
        cap *= 2;
    grown = realloc(lines->ptr, cap);
    if (!grown)
        return false;
    lines->ptr = grown;
    lines->cap = cap;
    return true;
}

static bool add(struct lines *lines, tr_str text)
{
    if (!reserve(lines, text.len + 1)) /* room for the line end, too */
        return false;
    if (text.len > 0)
        memcpy(lines->ptr + lines->len, text.ptr, text.len);
    lines->len += text.len;
    return true;
}

static void flatten(char *at, size_t len)
{
    char *end = at + len, *found;

    for (char *from = at; (found = memchr(from, '\n', (size_t)(end - from))); from = found)
        *found = ' ';
    for (char *from = at; (found = memchr(from, '\r', (size_t)(end - from))); from = found)
        *found = ' ';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static tr_str trim(tr_str text)
{
    while (text.len > 0 && is_blank(text.ptr[0]))
        text = tr_str_n(text.ptr + 1, text.len - 1);
    while (text.len > 0 && is_blank(text.ptr[text.len - 1]))
        text.len--;
    return text;
}

/* A variable as JSON, by the host's own rules: the document also where the row has none. */
static tr_status add_variable(struct lines *lines, const tr_template_api *tmpl, tr_str variable,
                              const tr_batch *batch, const tr_change *change)
{
    tr_template *compiled = NULL;
    size_t len = 0;
    tr_status status = tmpl->compile(variable, TR_PLACE_JSON, &compiled, NULL);

    if (status != TR_OK)
        return TR_RETRY;
    if (!reserve(lines, 256)) {
        tmpl->free(compiled);
        return TR_RETRY;
    }
    status = tmpl->render(compiled, batch, change, lines->ptr + lines->len,
                          lines->cap - lines->len, &len);
    if (status == TR_EINVAL && len > lines->cap - lines->len)
        status = !reserve(lines, len + 1)
                     ? TR_RETRY
                     : tmpl->render(compiled, batch, change, lines->ptr + lines->len,
                                    lines->cap - lines->len, &len);
    tmpl->free(compiled);
    if (status == TR_OK)
        lines->len += len;
    return status == TR_OK || status == TR_REJECT ? status : TR_RETRY;
}

static tr_status add_envelope(struct lines *lines, const tr_template_api *tmpl,
                              const tr_batch *batch, const tr_change *change)
{
    tr_status status = TR_RETRY;

    if (add(lines, TR_STR("{\"db\":")))
        status = add_variable(lines, tmpl, TR_STR("$db_name"), batch, change);
    if (status == TR_OK && !add(lines, TR_STR(",\"seq\":")))
        status = TR_RETRY;
    if (status == TR_OK && !add(lines, change->seq.len ? trim(change->seq) : TR_STR("null")))
        status = TR_RETRY;
    if (status == TR_OK && !add(lines, TR_STR(",\"id\":")))
        status = TR_RETRY;
    if (status == TR_OK)
        status = add_variable(lines, tmpl, TR_STR("$change.id"), batch, change);
    if (status == TR_OK && !(add(lines, TR_STR(",\"change\":")) &&
                             add(lines, trim(change->raw)) && add(lines, TR_STR("}"))))
        status = TR_RETRY;
    return status;
}

tr_status line_add(struct lines *lines, const tr_template_api *tmpl, int32_t what,
                   const tr_batch *batch, const tr_change *change)
{
    size_t start = lines->len;
    tr_status status;

    if (what == WHAT_ENVELOPE)
        status = add_envelope(lines, tmpl, batch, change);
    else if (what == WHAT_DOC && !(change->flags & TR_CHANGE_HAS_DOC))
        status = add_variable(lines, tmpl, TR_STR("$change"), batch, change);
    else
        status = add(lines, trim(what == WHAT_DOC ? change->doc : change->raw)) ? TR_OK
                                                                                : TR_RETRY;
    if (status == TR_OK) {
        flatten(lines->ptr + start, lines->len - start);
        status = add(lines, TR_STR("\n")) ? TR_OK : TR_RETRY;
    }
    if (status != TR_OK)
        lines->len = start;
    return status;
}
