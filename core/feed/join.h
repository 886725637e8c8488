/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows without documents, what to ask `_bulk_get` for them, and the rows with what it answered:
 * text in, text out. Called by documents.c; any thread.
 */
#ifndef FEED_JOIN_H
#define FEED_JOIN_H

#include "base/buf.h"

#include <tailrace/change.h>

/* Longer ones, without their document, are not asked for. */
enum { JOIN_ROW_MAX = 1 << 20 };

/* Appends the body that asks for their documents. False: one of them has none to ask for, such
 * as a row that was cut. */
bool join_ask(const tr_change *rows, uint32_t count, struct buf *question);

/* Appends the rows with their documents, with commas between them. False: the answer has not
 * just those, in their order; then `text` is of no use. */
bool join_documents(const tr_change *rows, uint32_t count, tr_str answer, struct buf *text);

#endif
