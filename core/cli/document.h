/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A change made of a document that someone has in a file, so that rules and plugins can be
 * asked what they would do with it. `explain` and `try --dry-run` use it. Main thread.
 */
#ifndef CLI_DOCUMENT_H
#define CLI_DOCUMENT_H

#include "base/buf.h"
#include "base/error.h"
#include "feed/segment.h"

/* `json` is a document, or a row of a _changes feed as it is. A document without _rev is taken
 * for a first revision. The segment has one row and is the caller's. ERR_DATA. */
int document_to_segment(tr_str json, struct segment **ret_segment, struct error *error);

/* The whole text of a file, or of standard input for "-". ERR_NOINPUT, ERR_NOPERM, ERR_DATA,
 * ERR_IO. */
int document_read(const char *path, struct buf *ret_text, struct error *error);

#endif
