/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preparing and rendering the parts of a request. Prepared on [control], rendered on the
 * worker.
 */
#include "pieces.h"

tr_status pieces_no_memory(tr_error *error)
{
    return tr_fail(error, TR_EAGAIN, "out of memory");
}

void pieces_fini(struct pieces *pieces, const struct tables *tables)
{
    for (size_t i = 0; i < pieces->count; i++) {
        text_fini(&pieces->at[i].literal);
        if (pieces->at[i].tmpl)
            tables->tmpl->free(pieces->at[i].tmpl);
    }
    free(pieces->at);
    *pieces = (struct pieces){0};
}

bool pieces_vary(const struct pieces *pieces)
{
    for (size_t i = 0; i < pieces->count; i++)
        if (pieces->at[i].tmpl)
            return true;
    return false;
}

tr_str pieces_constant(const struct pieces *pieces)
{
    return pieces->count ? text_str(&pieces->at[0].literal) : TR_STR("");
}

static struct piece *add_piece(struct pieces *pieces)
{
    struct piece *grown = realloc(pieces->at, (pieces->count + 1) * sizeof(*grown));

    if (!grown)
        return NULL;
    pieces->at = grown;
    grown[pieces->count] = (struct piece){0};
    return &grown[pieces->count++];
}

struct text *pieces_tail(struct pieces *pieces)
{
    struct piece *last = pieces->count ? &pieces->at[pieces->count - 1] : NULL;

    if (!last || last->tmpl)
        last = add_piece(pieces);
    return last ? &last->literal : NULL;
}

tr_status pieces_add_literal(struct pieces *pieces, tr_str literal, tr_error *error)
{
    struct text *text = pieces_tail(pieces);

    if (!text)
        return pieces_no_memory(error);
    text_add_str(text, literal);
    return text->failed ? pieces_no_memory(error) : TR_OK;
}

static tr_status render_template(const struct tables *tables, const tr_template *tmpl,
                                 const tr_batch *batch, const tr_change *change,
                                 struct text *out)
{
    for (;;) {
        size_t room = out->cap - out->len, len = 0;
        tr_status status = tables->tmpl->render(tmpl, batch, change,
                                                room ? out->ptr + out->len : NULL, room, &len);
        if (status == TR_OK)
            out->len += len;
        if (status != TR_EINVAL || len <= room)
            return status;
        if (!text_reserve(out, len))
            return TR_RETRY;
    }
}

tr_status pieces_render(const struct pieces *pieces, const struct tables *tables,
                        const tr_batch *batch, const tr_change *change, struct text *out)
{
    for (size_t i = 0; i < pieces->count; i++) {
        const struct piece *piece = &pieces->at[i];
        tr_status status = TR_OK;

        if (piece->tmpl)
            status = render_template(tables, piece->tmpl, batch, change, out);
        else
            text_add_str(out, text_str(&piece->literal));
        if (status != TR_OK)
            return status;
    }
    return out->failed ? TR_RETRY : TR_OK;
}

/* A template without a variable says the same for every change: it becomes a literal. */
static tr_status add_constant(struct pieces *pieces, const struct tables *tables,
                              const tr_template *tmpl, tr_error *error)
{
    static const tr_batch batch = {.size = sizeof(batch)};
    static const tr_change change = {.flags = 0};
    struct text *text = pieces_tail(pieces);

    if (!text || render_template(tables, tmpl, &batch, &change, text) == TR_RETRY)
        return pieces_no_memory(error);
    return TR_OK;
}

tr_status pieces_add_template(struct pieces *pieces, const struct tables *tables, tr_str text,
                              int32_t place, tr_error *error)
{
    tr_template *tmpl = NULL;
    tr_status status = tables->tmpl->compile(text, place, &tmpl, error);
    struct piece *piece;

    if (status != TR_OK)
        return status;
    if (tables->tmpl->is_constant(tmpl)) {
        status = add_constant(pieces, tables, tmpl, error);
        tables->tmpl->free(tmpl);
        return status;
    }
    piece = add_piece(pieces);
    if (!piece) {
        tables->tmpl->free(tmpl);
        return pieces_no_memory(error);
    }
    piece->tmpl = tmpl;
    return TR_OK;
}
