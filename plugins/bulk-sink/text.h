/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A text that grows. Lack of memory is remembered in `failed` and asked for once, where the
 * text is used. Storage of the caller; a zeroed one is
 * an empty text. Worker; explain() uses its own on [control].
 */
#ifndef BULK_TEXT_H
#define BULK_TEXT_H

#include <tailrace/sdk.h>

#include <tailrace/ext/json.h>

#include <stdbool.h>

struct text {
    char *ptr;
    size_t len, cap;
    bool failed;
};

/* A part of a text that still grows. */
struct part {
    size_t at, len;
};

/* Frees its memory; a zeroed text again. */
void text_fini(struct text *text);
/* Empty, and no longer failed; it keeps its memory. */
void text_clear(struct text *text);
/* Room for `more` bytes behind what is there; false, and failed, without memory. */
bool text_reserve(struct text *text, size_t more);

void text_add(struct text *text, tr_str value);
void text_add_c(struct text *text, const char *value);
/* All but unreserved characters as %XX. */
void text_add_percent(struct text *text, tr_str value);
/* As a JSON string, with its quotes. */
void text_add_string(struct text *text, const tr_json *json, tr_str value);
/* What a raw JSON string stands for; nothing if it is none. */
struct part text_add_decoded(struct text *text, const tr_json *json, tr_str raw);

/* A line of at most `cap` - 1 bytes out of a text that may hold anything: cut between
 * characters, control bytes made spaces. */
void text_show(tr_str value, char *to, size_t cap);

static inline tr_str text_str(const struct text *text)
{
    return tr_str_n(text->ptr, text->len);
}

static inline tr_str text_part(const struct text *text, struct part part)
{
    return tr_str_n(part.len > 0 ? text->ptr + part.at : NULL, part.len);
}

#endif
