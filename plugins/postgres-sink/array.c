/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arrays: dimensions, whether there are NULLs, the type of elements, then for the one dimension
 * its length and lower bound, then each element as its length (-1 for NULL) and its bytes;
 * numbers are big-endian. Worker.
 */
#include "array.h"

enum { OID_TEXT = 25, ARRAY_COUNT_AT = 12, ARRAY_NULLS_AT = 4 };

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

static void add_number(tr_text *array, uint32_t number)
{
    char bytes[4];

    put_number(bytes, number);
    tr_text_add(array, tr_str_n(bytes, sizeof(bytes)));
}

void array_begin(tr_text *array)
{
    tr_text_clear(array);
    add_number(array, 1);
    add_number(array, 0);
    add_number(array, OID_TEXT);
    add_number(array, 0);
    add_number(array, 1);
}

void array_add(tr_text *array, tr_str element)
{
    if (array->failed)
        return;
    put_number(array->ptr + ARRAY_COUNT_AT, get_number(array->ptr + ARRAY_COUNT_AT) + 1);
    if (element.ptr) {
        add_number(array, (uint32_t)element.len);
        tr_text_add(array, element);
    } else {
        put_number(array->ptr + ARRAY_NULLS_AT, 1);
        add_number(array, UINT32_MAX);
    }
}

void array_end(tr_text *array)
{
    if (!array->failed && get_number(array->ptr + ARRAY_COUNT_AT) == 0) {
        put_number(array->ptr, 0); /* an empty array has no dimension                        */
        array->len = ARRAY_COUNT_AT;
    }
}
