/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preparing bodies and query strings: from a JSON tree to literals and templates. [control]
 */
#include "pieces.h"

static tr_status dump(const tr_json *json, const tr_json_value *value, struct text *out)
{
    size_t len = 0;
    tr_status status = json->dump(value, NULL, 0, &len);

    if (status == TR_EINVAL && len > 0 && text_reserve(out, len))
        status = json->dump(value, out->ptr + out->len, out->cap - out->len, &len);
    if (status == TR_OK)
        out->len += len;
    return status;
}

static tr_status encode(const tr_json *json, tr_str key, struct text *out)
{
    size_t len = 0;
    tr_status status = json->encode(key, NULL, 0, &len);

    if (status == TR_EINVAL && len > 0 && text_reserve(out, len))
        status = json->encode(key, out->ptr + out->len, out->cap - out->len, &len);
    if (status == TR_OK)
        out->len += len;
    return status;
}

static tr_status add_dump(struct pieces *pieces, const struct tables *tables,
                          const tr_json_value *value, tr_error *error)
{
    struct text *text = pieces_tail(pieces);

    if (!text)
        return pieces_no_memory(error);
    if (dump(tables->json, value, text) != TR_OK)
        return tr_fail(error, TR_EINVAL, "a value cannot be written as JSON");
    return TR_OK;
}

static tr_status add_key(struct pieces *pieces, const struct tables *tables, tr_str key,
                         bool first, tr_error *error)
{
    struct text *text = pieces_tail(pieces);

    if (!text)
        return pieces_no_memory(error);
    if (!first)
        text_add_char(text, ',');
    if (encode(tables->json, key, text) != TR_OK)
        return tr_fail(error, TR_EINVAL, "a name cannot be written as JSON");
    text_add_char(text, ':');
    return text->failed ? pieces_no_memory(error) : TR_OK;
}

/* Whether a value is text that is one known variable and nothing else. */
static bool is_variable(const struct tables *tables, const tr_json_value *value)
{
    tr_template *tmpl = NULL;
    bool is;

    if (tables->json->type(value) != TR_JSON_STRING ||
        tables->tmpl->compile(tables->json->string(value), TR_PLACE_JSON, &tmpl, NULL) != TR_OK)
        return false;
    is = tables->tmpl->is_variable(tmpl);
    tables->tmpl->free(tmpl);
    return is;
}

static tr_status add_array(struct pieces *pieces, const struct tables *tables,
                           const tr_json_value *array, tr_error *error)
{
    tr_status status = pieces_add_literal(pieces, TR_STR("["), error);

    for (size_t i = 0; i < tables->json->count(array) && status == TR_OK; i++) {
        if (i > 0)
            status = pieces_add_literal(pieces, TR_STR(","), error);
        if (status == TR_OK)
            status = pieces_add_json(pieces, tables, tables->json->at(array, i), true, error);
    }
    return status == TR_OK ? pieces_add_literal(pieces, TR_STR("]"), error) : status;
}

static tr_status add_object(struct pieces *pieces, const struct tables *tables,
                            const tr_json_value *object, bool deep, tr_error *error)
{
    tr_status status = pieces_add_literal(pieces, TR_STR("{"), error);
    const tr_json_value *value;
    void *cursor = NULL;
    bool first = true;
    tr_str key;

    while (status == TR_OK && tables->json->next(object, &cursor, &key, &value)) {
        status = add_key(pieces, tables, key, first, error);
        if (status == TR_OK)
            status = pieces_add_json(pieces, tables, value, deep || is_variable(tables, value),
                                     error);
        first = false;
    }
    return status == TR_OK ? pieces_add_literal(pieces, TR_STR("}"), error) : status;
}

tr_status pieces_add_json(struct pieces *pieces, const struct tables *tables,
                          const tr_json_value *value, bool templates, tr_error *error)
{
    int32_t type = tables->json->type(value);

    if (templates && type == TR_JSON_STRING)
        return pieces_add_template(pieces, tables, tables->json->string(value), TR_PLACE_JSON,
                                   error);
    if (templates && type == TR_JSON_OBJECT)
        return add_object(pieces, tables, value, true, error);
    if (templates && type == TR_JSON_ARRAY)
        return add_array(pieces, tables, value, error);
    return add_dump(pieces, tables, value, error);
}

tr_status pieces_add_params(struct pieces *pieces, const struct tables *tables,
                            const tr_json_value *params, tr_error *error)
{
    return add_object(pieces, tables, params, false, error);
}

/* ---- a query string ---- */

static tr_status add_query_value(struct pieces *pieces, const struct tables *tables,
                                 const tr_json_value *value, tr_error *error)
{
    bool is_text = tables->json->type(value) == TR_JSON_STRING;
    struct text plain = {0}, *text;
    tr_status status = TR_OK;

    if (is_variable(tables, value))
        return pieces_add_template(pieces, tables, tables->json->string(value), TR_PLACE_QUERY,
                                   error);
    if (is_text)
        text_add_str(&plain, tables->json->string(value));
    else
        status = dump(tables->json, value, &plain);
    text = pieces_tail(pieces);
    if (status != TR_OK || plain.failed || !text)
        status = pieces_no_memory(error);
    else
        text_add_percent(text, text_str(&plain));
    text_fini(&plain);
    return status;
}

tr_status pieces_add_query(struct pieces *pieces, const struct tables *tables,
                           const tr_json_value *params, tr_error *error)
{
    const tr_json_value *value;
    tr_status status = TR_OK;
    void *cursor = NULL;
    bool first = true;
    tr_str key;

    while (status == TR_OK && tables->json->next(params, &cursor, &key, &value)) {
        struct text *text = pieces_tail(pieces);
        if (!text)
            return pieces_no_memory(error);
        if (!first)
            text_add_char(text, '&');
        text_add_percent(text, key);
        text_add_char(text, '=');
        status = add_query_value(pieces, tables, value, error);
        first = false;
    }
    return status;
}
