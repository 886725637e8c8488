/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arrays of texts in PostgreSQL's binary form, in a text that grows (tailrace/text.h), which
 * remembers a lack of memory. One thread at a time.
 */
#ifndef PG_ARRAY_H
#define PG_ARRAY_H

#include <tailrace/text.h>

/* Begin, then each element, then end. An element whose ptr is NULL is NULL. */
void array_begin(tr_text *array);
void array_add(tr_text *array, tr_str element);
void array_end(tr_text *array);

#endif
