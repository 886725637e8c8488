/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text with variables: the engine behind tr.template/1 (see <tailrace/ext/template.h>).
 *
 *     $change               the document as JSON; without one {"_id","_rev"[,"_deleted":true]}
 *     $change.id $change.rev   of the row
 *     $change.PATH          a field of that document: strings as they are, others as JSON text
 *     $db_name $seq
 *
 * Each also as ${…}. A bare name is as long as it can be made of letters, digits, `_` and,
 * behind $change, dots; `$change.id` and `$change.rev` end there, so "$change.id.json" is an id
 * and
 * ".json". What is no variable stays as it is; `$$` is a `$`. An absent value is empty, and
 * null where a whole JSON value is wanted.
 *
 * The text between variables is the operator's and is taken as it is; values come from whoever
 * writes to a database and must not leave their place:
 *
 *     TEXT    raw
 *     URL     all but unreserved characters are percent-encoded. Scheme, user, host and port
 * hold no variable; a path segment that becomes "." or ".." is TR_REJECT, since servers resolve
 * those even when they are percent-encoded. QUERY   percent-encoded likewise; the text between
 * may be `a=$x&b=$y`, and what cannot stand in a query string is percent-encoded there too.
 *     HEADER  a control byte in a value is TR_REJECT
 *     JSON    the result is one JSON value: if the template is one variable and nothing else,
 * its raw JSON; else a JSON string, with quotes, of the text and the values in it.
 *
 * A compiled template is immutable, so any thread may render it.
 */
#ifndef RULE_TEMPLATE_H
#define RULE_TEMPLATE_H

#include "base/buf.h"
#include "base/error.h"

#include <tailrace/ext/template.h>

/* Compiles a copy of `text` for a TR_PLACE_…. ERR_CONFIG: it cannot stand there, `error` says
 * why and what to do. Free it with template_free(). */
int template_new(tr_str text, int32_t place, tr_template **ret_template, struct error *error);
void template_free(tr_template *tmpl);

/* Appends the text for one change to `out`. TR_OK, or TR_REJECT when a value cannot stand in
 * this place: then `out` is as it was and `error` (may be NULL) says why, without the value. */
tr_status template_render(const tr_template *tmpl, const tr_batch *batch,
                          const tr_change *change, struct buf *out, struct error *error);

/* The same into `buf` of `cap` bytes, not NUL-ended. *ret_len is the length it has or would
 * need; TR_EINVAL if that is more than `cap`. As tr_template_api.render. */
tr_status template_render_into(const tr_template *tmpl, const tr_batch *batch,
                               const tr_change *change, char *buf, size_t cap, size_t *ret_len);

/* No variable in it. */
bool template_is_constant(const tr_template *tmpl);

/* One known variable and nothing else: $x or ${x}. */
bool template_is_single_variable(const tr_template *tmpl);

/* Appends the document of a change as JSON: `doc`, or {"_id","_rev"[,"_deleted":true]}. */
void change_write_document(const tr_change *change, struct buf *out);

#endif
