/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A text that grows: statements, and arrays in PostgreSQL's binary form. Lack of memory is
 * remembered in `failed` and asked for once, where the text is used. Storage of the caller; a
 * zeroed one is an empty text. One thread at a time.
 */
#ifndef PG_TEXT_H
#define PG_TEXT_H

#include <tailrace/sdk.h>

#include <stdbool.h>

struct text {
    char *ptr;
    size_t len, cap;
    bool failed;
};

/* Frees its memory; a zeroed text again. */
void text_fini(struct text *text);
/* Empty, and no longer failed; it keeps its memory. */
void text_clear(struct text *text);
/* Room for `more` bytes behind what is there, and a NUL; false, and failed, without memory. */
bool text_reserve(struct text *text, size_t more);
void text_add(struct text *text, tr_str value);
void text_add_c(struct text *text, const char *value);
/* Ends it with a NUL that does not count; NULL: there was no memory. */
const char *text_end(struct text *text);

/* An array of text: begin, then each element, then end. An element whose ptr is NULL is NULL.
 */
void array_begin(struct text *array);
void array_add(struct text *array, tr_str element);
void array_end(struct text *array);

#endif
