/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tailrace thinks of a document, written into it: the member
 *
 *     "tailrace": {"state": "invalid", "reason": "/url: is missing …"}
 *     "tailrace": {"state": "running"}
 *
 * One request after the other. What somebody else changed meanwhile is left to that change;
 * what says the same already is not written again, so that no write answers its own. Called by
 * document_rules.c on the loop thread.
 */
#ifndef ENGINE_DOCUMENT_REPORT_H
#define ENGINE_DOCUMENT_REPORT_H

#include "base/loop.h"
#include "http/client.h"
#include "http/url.h"

struct document_reporter;

/* Loop, pool, server and database are borrowed for its life. Nothing is sent yet. */
struct document_reporter *document_reporter_new(struct loop *loop, struct http_pool *pool,
                                                const struct url *server, tr_str database);
void document_reporter_free(struct document_reporter *reporter); /* NULL is fine            */

/* The document (raw JSON, with its _id and _rev) is no rule, for that reason; `reason` empty:
 * it is one, which is only written where it said otherwise before. All is copied. */
void document_report(struct document_reporter *reporter, tr_str id, tr_str doc, tr_str reason);

/* Whether the document says so already. */
bool document_says(tr_str doc, tr_str reason);

#endif
