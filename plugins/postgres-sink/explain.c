/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tr.explain/1: what would be done with each change of a batch, and to which table. [control],
 * on an instance that is configured and not started: nobody is asked.
 */
#include "pg.h"

#include <tailrace/ext/explain.h>

static void add_change(tr_self *self, tr_text *out, uint32_t i)
{
    static const char *const deletes[] = {"delete ", "mark as deleted ", "skip deletion of "};
    const tr_change *change = tr_batch_at(self->bulk.batch, i);
    bool deleted = change->flags & TR_CHANGE_DELETED;
    tr_str why = tr_bulk_reason(&self->bulk, i);

    tr_text_add_c(out, deleted ? deletes[self->options.deletes] : "put ");
    tr_text_add(out, change->id);
    tr_text_add_c(out, " ");
    tr_text_add(out, change->rev);
    if (!deleted && why.len == 0) {
        tr_text_add_c(out, ": ");
        tr_text_add(out, change->doc);
    }
    tr_text_add_c(out, why.len > 0 ? ": rejected: " : "");
    tr_text_add(out, why);
}

static tr_status explain(tr_self *self, const tr_batch *batch,
                         void (*line)(void *user, tr_str text), void *user)
{
    tr_text text = {0};
    tr_status status;

    if (plan_batch(self, batch) != TR_OK)
        return TR_EAGAIN;
    status = names_make(self, batch);
    if (status == TR_REJECT) {
        line(user, tr_str_c(self->words));
        return TR_OK;
    }
    tr_text_add_c(&text, "write to ");
    tr_text_add(&text, tr_str_n(self->names.table.ptr, self->names.table.len));
    for (uint32_t i = 0; i < batch->count; i++) {
        line(user, tr_str_n(text.ptr, text.len));
        tr_text_clear(&text);
        add_change(self, &text, i);
    }
    line(user, tr_str_n(text.ptr, text.len));
    tr_text_fini(&text);
    return text.failed ? TR_EAGAIN : status;
}

const void *explain_table(void)
{
    static const tr_explain table = {.size = sizeof(table), .explain = explain};

    return &table;
}
