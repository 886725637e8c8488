/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A text that grows, and stays allocated for the next request. Lack of memory is remembered in
 * `failed` and asked for once, where the text is used. Storage of the caller; a zeroed one is
 * an empty text. Worker.
 */
#ifndef WEBHOOK_TEXT_H
#define WEBHOOK_TEXT_H

#include <tailrace/sdk.h>

#include <stdbool.h>

struct text {
    char *ptr;
    size_t len, cap;
    bool failed;
};

/* Frees its memory; a zeroed text again. */
void text_fini(struct text *text);

/* Empty, and no longer failed. */
void text_clear(struct text *text);

/* Room for `more` bytes behind what is there; false, and failed, without memory. */
bool text_reserve(struct text *text, size_t more);

void text_add(struct text *text, const char *ptr, size_t len);
void text_add_char(struct text *text, char c);

/* All but unreserved characters as %XX. */
void text_add_percent(struct text *text, tr_str value);

static inline void text_add_str(struct text *text, tr_str value)
{
    text_add(text, value.ptr, value.len);
}

static inline tr_str text_str(const struct text *text)
{
    return tr_str_n(text->ptr, text->len);
}

#endif
