/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tr.explain/1: which group a document belongs to and what it adds to each field's figures.
 * [control], on an instance that is configured and not started: what was counted of it before
 * is not known here.
 */
#include "stats.h"

#include <tailrace/ext/explain.h>

static void show_key(const tr_self *self, tr_text *out)
{
    const struct options *options = &self->options;
    struct reader fields = reader_of(tr_text_str(&self->after.group_key));

    for (uint32_t i = 0; i < options->group_by_count; i++) {
        tr_text_add_c(out, i > 0 ? ", " : " in the group ");
        tr_text_add_c(out, options->group_by[i]);
        tr_text_add_c(out, " = ");
        value_show(read_text(&fields), self->json, out);
    }
    if (options->time_field) {
        tr_str time = read_text(&fields);

        tr_text_add_c(out, time.len == 8 ? " of " : " of no time");
        if (time.len == 8)
            bucket_show(bucket_get(time.ptr), out);
    }
}

static void show_part(const tr_self *self, uint32_t i, tr_text *out)
{
    const struct part *part = &self->after.parts[i];

    tr_text_add_c(out, self->options.measures[i].name);
    tr_text_add_c(out, ": ");
    switch (part->kind) {
    case PART_MISSING: tr_text_add_c(out, "missing"); break;
    case PART_INVALID: tr_text_add_c(out, "of a type that does not count"); break;
    case PART_PRESENT: tr_text_add_c(out, "present"); break;
    case PART_NUMBER: value_show_number(part->number, out); break;
    default: value_show(part->value, self->json, out); break;
    }
}

static void end_line(tr_text *out, void (*line)(void *user, tr_str text), void *user)
{
    line(user, tr_text_str(out));
    tr_text_clear(out);
}

static tr_status explain(tr_self *self, const tr_batch *batch,
                         void (*line)(void *user, tr_str text), void *user)
{
    tr_text out = {0};
    tr_status status = TR_OK;

    for (uint32_t i = 0; i < batch->count && status == TR_OK; i++) {
        const tr_change *change = tr_batch_at(batch, i);

        if (!part_make(self, batch, change)) {
            status = TR_EAGAIN;
            break;
        }
        tr_text_add(&out, change->id);
        tr_text_add_c(&out, self->after.is_there ? ": counts" : ": does not count");
        if (self->after.is_there)
            show_key(self, &out);
        end_line(&out, line, user);
        for (uint32_t k = 0; self->after.is_there && k < self->options.measures_count; k++) {
            tr_text_add_c(&out, "  ");
            show_part(self, k, &out);
            end_line(&out, line, user);
        }
        if (out.failed)
            status = TR_EAGAIN;
    }
    tr_text_fini(&out);
    return status;
}

const void *explain_table(void)
{
    static const tr_explain table = {.size = sizeof(table), .explain = explain};

    return &table;
}
