/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See text.h. The binary form of an array: dimensions, whether there are NULLs, the type of
 * elements, then for the one dimension its length and lower bound, then each element as its
 * length (-1 for NULL) and its bytes; numbers are big-endian.
 */
#include "text.h"

enum { OID_TEXT = 25, ARRAY_HEAD = 20, ARRAY_COUNT_AT = 12, ARRAY_NULLS_AT = 4 };

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

    if (text->cap - text->len > more)
        return true;
    while (cap - text->len <= more)
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

const char *text_end(struct text *text)
{
    if (!text_reserve(text, 0) || text->failed)
        return NULL;
    text->ptr[text->len] = '\0';
    return text->ptr;
}

/* ---- arrays ---- */

static void put_number(char *to, uint32_t number)
{
    to[0] = (char)(number >> 24);
    to[1] = (char)(number >> 16);
    to[2] = (char)(number >> 8);
    to[3] = (char)number;
}

static uint32_t get_number(const char *from)
{
    const unsigned char *at = (const unsigned char *)from;

    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void add_number(struct text *array, uint32_t number)
{
    char bytes[4];

    put_number(bytes, number);
    text_add(array, tr_str_n(bytes, sizeof(bytes)));
}

void array_begin(struct text *array)
{
    text_clear(array);
    add_number(array, 1);
    add_number(array, 0);
    add_number(array, OID_TEXT);
    add_number(array, 0);
    add_number(array, 1);
}

void array_add(struct text *array, tr_str element)
{
    if (array->failed)
        return;
    put_number(array->ptr + ARRAY_COUNT_AT, get_number(array->ptr + ARRAY_COUNT_AT) + 1);
    if (element.ptr) {
        add_number(array, (uint32_t)element.len);
        text_add(array, element);
    } else {
        put_number(array->ptr + ARRAY_NULLS_AT, 1);
        add_number(array, UINT32_MAX);
    }
}

void array_end(struct text *array)
{
    if (!array->failed && get_number(array->ptr + ARRAY_COUNT_AT) == 0) {
        put_number(array->ptr, 0); /* an empty array has no dimension                        */
        array->len = ARRAY_COUNT_AT;
    }
}
