/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A text that grows, for bodies and URLs. Lack of memory is remembered in `failed` and asked
 * for once, where the text is used. Storage of the plugin; a zeroed one is an empty text. One
 * thread at a time. In headers only, as sdk.h.
 */
#ifndef TAILRACE_TEXT_H
#define TAILRACE_TEXT_H

#include <tailrace/ext/json.h>
#include <tailrace/sdk.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tr_text {
    char *ptr;
    size_t len, cap;
    int32_t failed;
} tr_text;

/* A part of a text that still grows. */
typedef struct tr_text_part {
    size_t at, len;
} tr_text_part;

/* All of it so far; borrowed until it changes. */
static inline tr_str tr_text_str(const tr_text *text)
{
    return tr_str_n(text->ptr, text->len);
}

/* The part, where it lies now; borrowed until the text changes. */
static inline tr_str tr_text_at(const tr_text *text, tr_text_part part)
{
    return tr_str_n(part.len > 0 ? text->ptr + part.at : NULL, part.len);
}

/* Frees its memory; a zeroed text again. */
TR_UNUSED_ static void tr_text_fini(tr_text *text)
{
    free(text->ptr);
    memset(text, 0, sizeof(*text));
}

/* Empty, and no longer failed; it keeps its memory. */
static inline void tr_text_clear(tr_text *text)
{
    text->len = 0;
    text->failed = 0;
}

/* Room for `more` bytes behind what is there; 0, and failed, without memory. */
TR_UNUSED_ static int32_t tr_text_reserve(tr_text *text, size_t more)
{
    size_t cap = text->cap ? text->cap : 256;
    char *grown;

    if (text->cap - text->len >= more)
        return 1;
    while (cap - text->len < more)
        cap *= 2;
    grown = (char *)realloc(text->ptr, cap);
    if (!grown) {
        text->failed = 1;
        return 0;
    }
    text->ptr = grown;
    text->cap = cap;
    return 1;
}

/* Puts a NUL behind it that does not count; NULL: memory was lacking, now or before. */
TR_UNUSED_ static const char *tr_text_end(tr_text *text)
{
    if (!tr_text_reserve(text, 1) || text->failed)
        return NULL;
    text->ptr[text->len] = '\0';
    return text->ptr;
}

/* Appends a copy of the bytes; without memory the text has failed. */
TR_UNUSED_ static void tr_text_add(tr_text *text, tr_str value)
{
    if (value.len == 0 || !tr_text_reserve(text, value.len))
        return;
    memcpy(text->ptr + text->len, value.ptr, value.len);
    text->len += value.len;
}

/* The same of a NUL-ended string. */
TR_UNUSED_ static void tr_text_add_c(tr_text *text, const char *value)
{
    tr_text_add(text, tr_str_c(value));
}

/* A formatted text of at most 511 bytes. */
TR_PRINTF_(2, 3)
static void tr_text_addf(tr_text *text, const char *fmt, ...)
{
    char buf[512];
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(buf, sizeof(buf), fmt, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof(buf))
        text->failed = 1;
    else
        tr_text_add(text, tr_str_n(buf, (size_t)n));
}

static inline int32_t tr_text_is_unreserved_(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '-' || c == '.' || c == '_' || c == '~';
}

/* All but unreserved characters as %XX. */
TR_UNUSED_ static void tr_text_add_percent(tr_text *text, tr_str value)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t i;

    for (i = 0; i < value.len; i++) {
        char three[3];

        if (tr_text_is_unreserved_(value.ptr[i])) {
            tr_text_add(text, tr_str_n(value.ptr + i, 1));
            continue;
        }
        three[0] = '%';
        three[1] = hex[(unsigned char)value.ptr[i] >> 4];
        three[2] = hex[(unsigned char)value.ptr[i] & 15];
        tr_text_add(text, tr_str_n(three, 3));
    }
}

/* As a JSON string, with its quotes. */
TR_UNUSED_ static void tr_text_add_string(tr_text *text, const tr_json *json, tr_str value)
{
    size_t len = 0;

    /* Each byte is six at most, as \u0000 is. */
    if (!tr_text_reserve(text, 6 * value.len + 2))
        return;
    if (json->encode(value, text->ptr + text->len, text->cap - text->len, &len) == TR_OK)
        text->len += len;
    else
        text->failed = 1;
}

/* What a raw JSON string stands for; nothing if it is none. */
TR_UNUSED_ static tr_text_part tr_text_add_decoded(tr_text *text, const tr_json *json,
                                                   tr_str raw)
{
    tr_text_part part;

    part.at = text->len;
    part.len = 0;
    if (raw.len < 2 || raw.ptr[0] != '"' || !tr_text_reserve(text, raw.len))
        return part;
    if (json->decode(raw, text->ptr + text->len, raw.len, &part.len) != TR_OK)
        part.len = 0;
    text->len += part.len;
    return part;
}

/* A line of at most `cap` - 1 bytes out of a text that may hold anything: cut between
 * characters, control bytes made spaces. */
TR_UNUSED_ static void tr_text_show(tr_str value, char *to, size_t cap)
{
    size_t len = value.len < cap ? value.len : cap - 1, i;

    while (len > 0 && len < value.len && ((unsigned char)value.ptr[len] & 0xc0) == 0x80)
        len--;
    for (i = 0; i < len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        to[i] = c < 0x20 || c == 0x7f ? ' ' : (char)c;
    }
    to[len] = '\0';
}

#ifdef __cplusplus
}
#endif

#endif
