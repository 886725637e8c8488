/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any template for any place with any values: no value leaves its place. The same template is
 * rendered for a change of plain values too, and what gives the text its structure must be the
 * same in both.
 *
 * The input: the place, the lengths of the template and of the name, then template, name (for
 * id, rev and database) and document.
 */
#include "rule/template.h"

#include <jansson.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                        \
    do {                                                                                       \
        if (!(condition))                                                                      \
            abort();                                                                           \
    } while (0)

static tr_str take(tr_str *input, size_t len)
{
    tr_str piece;

    if (len > input->len)
        len = input->len;
    piece = str_n(input->ptr, len);
    *input = str_from(*input, len);
    return piece;
}

static size_t count(tr_str text, char c)
{
    size_t n = 0;

    for (size_t i = 0; i < text.len; i++)
        n += text.ptr[i] == c;
    return n;
}

static tr_str authority(tr_str url)
{
    size_t at = 0;

    while (at + 3 <= url.len && memcmp(url.ptr + at, "://", 3) != 0)
        at++;
    MUST(at + 3 <= url.len);
    for (at += 3; at < url.len && !strchr("/?#", url.ptr[at]);)
        at++;
    return str_n(url.ptr, at);
}

static void check_same_structure(tr_str text, tr_str plain, const char *reserved)
{
    for (; *reserved; reserved++)
        MUST(count(text, *reserved) == count(plain, *reserved));
}

static void check_no_dot_segment(tr_str url)
{
    tr_str path = str_from(url, authority(url).len);
    size_t end = 0;

    while (end < path.len && path.ptr[end] != '?' && path.ptr[end] != '#')
        end++;
    path.len = end;
    while (path.len > 0) {
        tr_str segment = str_cut(path, '/', &path);
        MUST(!str_eq(segment, STR(".")) && !str_eq(segment, STR("..")));
    }
}

static void check(int32_t place, tr_str text, const tr_str *plain)
{
    json_t *tree;

    switch (place) {
    case TR_PLACE_URL:
        for (size_t i = 0; i < text.len; i++)
            MUST((unsigned char)text.ptr[i] > 0x20 && text.ptr[i] != 0x7f);
        check_no_dot_segment(text);
        if (plain) {
            MUST(str_eq(authority(text), authority(*plain)));
            check_same_structure(text, *plain, ":/?#[]@!$&'()*+,;=\"<>\\^`{|}");
        }
        break;
    case TR_PLACE_QUERY:
        MUST(count(text, ' ') == 0 && count(text, '#') == 0 && count(text, '\n') == 0);
        if (plain)
            check_same_structure(text, *plain, "/?&+;=@");
        break;
    case TR_PLACE_HEADER:
        for (size_t i = 0; i < text.len; i++)
            MUST((unsigned char)text.ptr[i] >= 0x20 && text.ptr[i] != 0x7f);
        break;
    case TR_PLACE_JSON:
        tree = json_loadb(text.ptr, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        MUST(tree);
        json_decref(tree);
        break;
    default: break;
    }
}

static bool is_document(tr_str text)
{
    json_t *tree = json_loadb(text.ptr, text.len, JSON_ALLOW_NUL, NULL);
    bool is = json_is_object(tree);

    json_decref(tree);
    return is;
}

static void render(const tr_template *tmpl, int32_t place, tr_str name, tr_str doc)
{
    tr_batch batch = {.size = sizeof(batch), .db = name};
    tr_batch plain_batch = {.size = sizeof(batch), .db = STR("plain")};
    tr_change change = {.id = name, .rev = name, .seq = STR("\"7-g\""), .doc = doc};
    tr_change plain_change = {.id = STR("plain"), .rev = STR("1-a"), .seq = STR("1")};
    struct buf text = {0}, plain = {0};
    tr_str plain_text;
    bool have_plain;

    /* Raw JSON goes out as it came in; only what is JSON can come out as JSON. */
    if (place == TR_PLACE_JSON && !is_document(doc))
        change.doc = STR("");
    have_plain = template_render(tmpl, &plain_batch, &plain_change, &plain, NULL) == TR_OK;
    plain_text = buf_str(&plain);
    if (template_render(tmpl, &batch, &change, &text, NULL) == TR_OK)
        check(place, buf_str(&text), have_plain ? &plain_text : NULL);
    buf_fini(&text);
    buf_fini(&plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tr_str input = str_n((const char *)data, size);
    tr_template *tmpl = NULL;
    struct error error;
    tr_str text, name;
    int32_t place;

    if (size < 3)
        return 0;
    place = 1 + data[0] % 5;
    input = str_from(input, 3);
    text = take(&input, data[1]);
    name = take(&input, data[2]);
    if (template_new(text, place, &tmpl, &error) != 0)
        return 0;
    render(tmpl, place, name, input);
    template_free(tmpl);
    return 0;
}
