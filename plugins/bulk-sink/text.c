/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See text.h.
 */
#include "text.h"

void text_fini(struct text *text)
{
    free(text->ptr);
    *text = (struct text){0};
}

void text_clear(struct text *text)
{
    text->len = 0;
    text->failed = false;
}

bool text_reserve(struct text *text, size_t more)
{
    size_t cap = text->cap ? text->cap : 256;
    char *grown;

    if (text->cap - text->len >= more)
        return true;
    while (cap - text->len < more)
        cap *= 2;
    grown = realloc(text->ptr, cap);
    if (!grown) {
        text->failed = true;
        return false;
    }
    text->ptr = grown;
    text->cap = cap;
    return true;
}

void text_add(struct text *text, tr_str value)
{
    if (value.len == 0 || !text_reserve(text, value.len))
        return;
    memcpy(text->ptr + text->len, value.ptr, value.len);
    text->len += value.len;
}

void text_add_c(struct text *text, const char *value)
{
    text_add(text, tr_str_c(value));
}

static bool is_unreserved(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '-' || c == '.' || c == '_' || c == '~';
}

void text_add_percent(struct text *text, tr_str value)
{
    static const char hex[] = "0123456789ABCDEF";

    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if (is_unreserved(c))
            text_add(text, tr_str_n(value.ptr + i, 1));
        else
            text_add(text, tr_str_n((const char[]){'%', hex[c >> 4], hex[c & 15]}, 3));
    }
}

void text_add_string(struct text *text, const tr_json *json, tr_str value)
{
    size_t len = 0;

    /* Each byte is six at most, as \u0000 is. */
    if (!text_reserve(text, 6 * value.len + 2))
        return;
    if (json->encode(value, text->ptr + text->len, text->cap - text->len, &len) == TR_OK)
        text->len += len;
    else
        text->failed = true;
}

struct part text_add_decoded(struct text *text, const tr_json *json, tr_str raw)
{
    struct part part = {.at = text->len};

    if (raw.len < 2 || raw.ptr[0] != '"' || !text_reserve(text, raw.len))
        return part;
    if (json->decode(raw, text->ptr + text->len, raw.len, &part.len) != TR_OK)
        part.len = 0;
    text->len += part.len;
    return part;
}

void text_show(tr_str value, char *to, size_t cap)
{
    size_t len = value.len < cap ? value.len : cap - 1;

    while (len > 0 && len < value.len && ((unsigned char)value.ptr[len] & 0xc0) == 0x80)
        len--;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        to[i] = c < 0x20 || c == 0x7f ? ' ' : (char)c;
    }
    to[len] = '\0';
}
