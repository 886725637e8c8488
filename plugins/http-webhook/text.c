/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Growing texts for the requests of a batch. Worker.
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

void text_add(struct text *text, const char *ptr, size_t len)
{
    if (len == 0 || !text_reserve(text, len))
        return;
    memcpy(text->ptr + text->len, ptr, len);
    text->len += len;
}

void text_add_char(struct text *text, char c)
{
    text_add(text, &c, 1);
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
            text_add_char(text, (char)c);
        else
            text_add(text, (const char[]){'%', hex[c >> 4], hex[c & 15]}, 3);
    }
}
