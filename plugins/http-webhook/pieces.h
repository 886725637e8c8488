/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A part of a request, prepared: literal bytes and templates in turn. What does not vary
 * becomes literal when it is prepared, so a request without variables is rendered by one copy
 * or none.
 *
 * Prepared on [control], rendered on the worker.
 */
#ifndef WEBHOOK_PIECES_H
#define WEBHOOK_PIECES_H

#include "text.h"

#include <tailrace/ext/json.h>
#include <tailrace/ext/template.h>

/* The tables of the host that preparing needs. */
struct tables {
    const tr_template_api *tmpl;
    const tr_json *json;
};

struct piece {
    struct text literal;
    tr_template *tmpl; /* NULL: the literal                                                */
};

/* Storage of the caller; a zeroed one is empty. */
struct pieces {
    struct piece *at;
    size_t count;
};

void pieces_fini(struct pieces *pieces, const struct tables *tables);

/* Whether what is rendered differs from change to change. */
bool pieces_vary(const struct pieces *pieces);

/* All of it, where it does not vary. */
tr_str pieces_constant(const struct pieces *pieces);

/* The literal at the end, which what comes next may be added to; NULL: no memory. */
struct text *pieces_tail(struct pieces *pieces);

/* The error of that. */
tr_status pieces_no_memory(tr_error *error);

tr_status pieces_add_literal(struct pieces *pieces, tr_str literal, tr_error *error);

/* Adds `text` as a template of a TR_PLACE_…; TR_EINVAL: it cannot stand there. */
tr_status pieces_add_template(struct pieces *pieces, const struct tables *tables, tr_str text,
                              int32_t place, tr_error *error);

/* ---- compose.c ---- */

/* Adds the JSON of a value; its strings are templates if `templates`, else as they are. */
tr_status pieces_add_json(struct pieces *pieces, const struct tables *tables,
                          const tr_json_value *value, bool templates, tr_error *error);

/* Adds an object of which those members that are one variable are replaced. */
tr_status pieces_add_params(struct pieces *pieces, const struct tables *tables,
                            const tr_json_value *params, tr_error *error);

/* The same as a query string; what is neither text nor variable stands there as JSON. */
tr_status pieces_add_query(struct pieces *pieces, const struct tables *tables,
                           const tr_json_value *params, tr_error *error);

/* ---- rendering ---- */

/* Appends what the pieces are for one change. TR_REJECT: a value cannot stand in its place;
 * TR_RETRY: no memory. */
tr_status pieces_render(const struct pieces *pieces, const struct tables *tables,
                        const tr_batch *batch, const tr_change *change, struct text *out);

#endif
