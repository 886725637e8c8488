/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spiegel's variables as templates of tailrace (rule/template.h), which know more of them: a
 * `$` that is none of Spiegel's is written `$$`. Any thread.
 *
 *     in a URL         ${change.id}, also beside other text; $change.id stays as it is
 *     in parameters    $change.id or ${change.id}, and nothing beside it
 */
#include "document/translate.h"

#include "http/url.h"

static bool is_known(tr_str name)
{
    static const char *const names[] = {"change", "change.id", "change.rev", "db_name", "seq"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (str_eq(name, str_c(names[i])))
            return true;
    return false;
}

/* $x or ${x}, whole. */
static bool is_variable(tr_str text, tr_str *ret_name)
{
    tr_str name;

    if (!str_starts(text, STR("$")))
        return false;
    name = str_from(text, 1);
    if (str_starts(name, STR("{")) && str_ends(name, STR("}")) && name.len >= 2)
        name = str_n(name.ptr + 1, name.len - 2);
    if (!is_known(name))
        return false;
    *ret_name = name;
    return true;
}

/* ---- URLs ---- */

/* A piece ends before each "${" and behind each "}". */
static tr_str cut_piece(tr_str text, tr_str *rest)
{
    size_t len = 0;

    while (len < text.len) {
        if (len > 0 && str_starts(str_from(text, len), STR("${")))
            break;
        if (text.ptr[len++] == '}')
            break;
    }
    *rest = str_from(text, len);
    return str_n(text.ptr, len);
}

static void add_url_text(tr_str text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c == '$')
            buf_add_c(out, "$$");
        else if (c <= ' ' || c >= 0x7f || strchr("\"<>\\^`{|}", c))
            buf_addf(out, "%%%02X", c);
        else
            buf_add_char(out, (char)c);
    }
}

void variables_in_url(tr_str url, struct buf *out)
{
    tr_str name;

    url.len = str_find(url, '#');
    while (url.len > 0) {
        tr_str piece = cut_piece(url, &url);
        if (is_variable(piece, &name))
            buf_addf(out, "${" STR_FMT "}", STR_ARG(name));
        else
            add_url_text(piece, out);
    }
}

/* ---- parameters ---- */

static void add_plain_string(tr_str raw, struct arena *arena, struct buf *out)
{
    struct buf doubled = {0};
    tr_str text = STR("");

    json_decode(raw, arena, &text);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '$')
            buf_add_char(&doubled, '$');
        buf_add_char(&doubled, text.ptr[i]);
    }
    json_write_string(out, buf_str(&doubled));
    buf_fini(&doubled);
}

/* A value that is not a variable: strings at any depth are templates to the plugin. */
static void add_plain(tr_str raw, struct arena *arena, struct buf *out)
{
    enum json_type type = json_type_of(raw);
    bool is_object = type == JSON_OBJECT;
    size_t cursor = 0, count = 0;
    tr_str key, value;

    if (type == JSON_STRING) {
        add_plain_string(raw, arena, out);
        return;
    }
    if (!is_object && type != JSON_ARRAY) {
        buf_add_str(out, str_trim(raw));
        return;
    }
    buf_add_char(out, is_object ? '{' : '[');
    while (json_next(raw, &cursor, &key, &value)) {
        if (count++ > 0)
            buf_add_char(out, ',');
        if (is_object)
            buf_addf(out, "\"" STR_FMT "\":", STR_ARG(key));
        add_plain(value, arena, out);
    }
    buf_add_char(out, is_object ? '}' : ']');
}

static bool is_variable_value(tr_str raw, struct arena *arena, tr_str *ret_name)
{
    tr_str text;

    return json_type_of(raw) == JSON_STRING && json_decode(raw, arena, &text) &&
           is_variable(text, ret_name);
}

void variables_in_body(tr_str params, struct arena *arena, struct buf *out)
{
    size_t cursor = 0, count = 0;
    tr_str key, value, name;

    buf_add_char(out, '{');
    while (json_next(params, &cursor, &key, &value)) {
        buf_addf(out, "%s\"" STR_FMT "\":", count++ > 0 ? "," : "", STR_ARG(key));
        if (is_variable_value(value, arena, &name))
            buf_addf(out, "\"${" STR_FMT "}\"", STR_ARG(name));
        else
            add_plain(value, arena, out);
    }
    buf_add_char(out, '}');
}

static void add_query_value(tr_str raw, struct arena *arena, struct buf *out)
{
    tr_str name, text = str_trim(raw);

    if (is_variable_value(raw, arena, &name)) {
        buf_addf(out, "${" STR_FMT "}", STR_ARG(name));
        return;
    }
    if (json_type_of(raw) == JSON_NULL)
        return;
    if (json_type_of(raw) == JSON_STRING)
        json_decode(raw, arena, &text);
    url_encode(out, text);
}

void variables_in_query(tr_str params, struct arena *arena, struct buf *out)
{
    bool has_query = str_find(buf_str(out), '?') < out->len;
    size_t cursor = 0;
    tr_str key, value;

    while (json_next(params, &cursor, &key, &value)) {
        buf_add_char(out, has_query ? '&' : '?');
        url_encode(out, translate_name(key, arena));
        buf_add_char(out, '=');
        add_query_value(value, arena, out);
        has_query = true;
    }
}
