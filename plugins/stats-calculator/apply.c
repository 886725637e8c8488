/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A batch: for each document what it added is taken away and what it adds now is added; then
 * the groups that have changed are written. All of it is written with the batch's ticket, or,
 * when something cannot be done now, none: the host takes back what was written, what memory
 * has of the stream is loaded again, and the batch comes once more. Worker.
 */
#include "stats.h"

/* ---- one document, one field ---- */

static tr_str bytes_of(const struct part *part, struct value *value)
{
    if (part->kind != PART_NUMBER)
        return part->value;
    value_of_number(value, part->number);
    return tr_str_n(value->bytes, value->len);
}

static void say_full(tr_self *self, uint32_t i)
{
    if (!(self->values_said >> i & 1))
        tr_logf(self->host, TR_LOG_WARNING,
                "%s has more than max_values = %lld different values in a group: distinct is "
                "an estimate there, and top leaves some out; raise max_values and start again "
                "by tailrace backfill",
                self->options.measures[i].name, (long long)self->options.max_values);
    self->values_said |= UINT64_C(1) << i;
}

/* As long as there are others no value becomes one of those that are counted one by one: so
 * each of these has all its documents, and no value is counted twice. */
static void add_value(tr_self *self, struct group *group, uint32_t i, struct part *part)
{
    struct tally *tally = &group->tallies[i];
    struct value value;
    tr_str bytes = bytes_of(part, &value);
    char cell[3];
    bool is_full = tally->others > 0 || tally->kept >= (uint64_t)self->options.max_values;

    part->is_other = is_full && entry_counted(self, group, i, bytes) == 0;
    if (part->is_other) {
        say_full(self, i);
        tally->others++;
        entry_cell(bytes, cell);
        entry_count(self, group, i, KIND_CELL, tr_str_n(cell, sizeof(cell)), 1);
    } else if (entry_count(self, group, i, KIND_VALUE, bytes, 1) == 1) {
        tally->kept++;
    }
}

static void take_value(tr_self *self, struct group *group, uint32_t i, const struct part *part)
{
    struct tally *tally = &group->tallies[i];
    struct value value;
    tr_str bytes = bytes_of(part, &value);
    char cell[3];

    if (part->is_other) {
        tally->others--;
        entry_cell(bytes, cell);
        entry_count(self, group, i, KIND_CELL, tr_str_n(cell, sizeof(cell)), -1);
    } else if (entry_count(self, group, i, KIND_VALUE, bytes, -1) == 0) {
        tally->kept--;
    }
}

static void order_number(tr_self *self, struct group *group, uint32_t i, double number,
                         int step)
{
    struct value value;

    value_of_number(&value, number);
    entry_count(self, group, i, KIND_ORDER, tr_str_n(value.bytes + 1, 8), step);
}

static bool sum_number(struct tally *tally, uint32_t keeps, double number, int sign)
{
    if (keeps & KEEP_SKETCH && sign < 0)
        sketch_take(&tally->sketch, number);
    return (!(keeps & KEEP_SUM) || exact_add(&tally->sum, number, sign)) &&
           (!(keeps & KEEP_SQUARES) || exact_add_square(&tally->squares, number, sign)) &&
           (!(keeps & KEEP_SKETCH) || sign < 0 || sketch_add(&tally->sketch, number));
}

/* `step` is 1 or -1. */
static void move_part(tr_self *self, struct group *group, uint32_t i, struct part *part,
                      int step)
{
    uint32_t keeps = self->options.measures[i].keeps;
    struct tally *tally = &group->tallies[i];
    uint64_t *counter = part->kind == PART_MISSING   ? &tally->missing
                        : part->kind == PART_INVALID ? &tally->invalid
                                                     : &tally->count;

    *counter += (uint64_t)(int64_t)step;
    if (part->kind != PART_NUMBER && part->kind != PART_VALUE)
        return;
    if (part->kind == PART_NUMBER && !sum_number(tally, keeps, part->number, step))
        self->trouble = TR_EAGAIN;
    if (part->kind == PART_NUMBER && (keeps & KEEP_ORDER))
        order_number(self, group, i, part->number, step);
    if (!(keeps & KEEP_VALUES))
        return;
    if (step > 0)
        add_value(self, group, i, part);
    else
        take_value(self, group, i, part);
}

static void move(tr_self *self, struct group *group, struct contribution *it, int step)
{
    group->documents += (uint64_t)(int64_t)step;
    for (uint32_t i = 0; i < self->options.measures_count; i++)
        move_part(self, group, i, &it->parts[i], step);
    group_soil(self, group);
}

/* ---- one change ---- */

static bool is_same_part(const struct part *a, const struct part *b)
{
    return a->kind == b->kind && (a->kind != PART_NUMBER || a->number == b->number) &&
           (a->kind != PART_VALUE || tr_str_eq(a->value, b->value));
}

/* Whether only the revision is new. */
static bool is_same(const tr_self *self, const struct group *group)
{
    const struct contribution *before = &self->before, *after = &self->after;

    if (!tr_str_eq(tr_str_n(group->total->key, group->total->key_len),
                   tr_text_str(&after->group_key)))
        return false;
    for (uint32_t i = 0; i < self->options.measures_count; i++)
        if (!is_same_part(&before->parts[i], &after->parts[i]))
            return false;
    return true;
}

/* What is counted of the document now, under the key in hand; `ret_is_kept` says whether there
 * is an entry at all. */
static void read_before(tr_self *self, bool *ret_is_kept)
{
    tr_str kept;

    self->before.is_there = false;
    *ret_is_kept = entry_get(self, &kept);
    if (*ret_is_kept && !part_read(self, &self->before, kept, self->stream->generation))
        self->trouble = self->before.bytes.failed ? TR_EAGAIN : TR_FATAL;
}

/* The group that the document shall be in; `group` is where it is counted, or NULL. */
static struct group *replace(tr_self *self, struct group *group)
{
    struct contribution *before = &self->before, *after = &self->after;

    if (group && after->is_there && is_same(self, group)) {
        for (uint32_t i = 0; i < self->options.measures_count; i++)
            after->parts[i].is_other = before->parts[i].is_other;
        return group;
    }
    if (group)
        move(self, group, before, -1);
    if (!after->is_there)
        return NULL;
    group = group_of(self, self->stream, tr_text_str(&after->group_key));
    if (!group)
        self->trouble = TR_EAGAIN;
    else
        move(self, group, after, 1);
    return group;
}

static void apply(tr_self *self, const tr_batch *batch, const tr_change *change)
{
    struct stream *stream = self->stream;
    struct contribution *before = &self->before, *after = &self->after;
    struct group *group = NULL;
    bool is_kept;

    entry_key_document(self, change->id);
    read_before(self, &is_kept);
    if (self->trouble == TR_OK && !part_make(self, batch, change))
        self->trouble = TR_EAGAIN;
    if (self->trouble != TR_OK)
        return;
    if (before->is_there) {
        if (tr_str_eq(before->rev, after->rev) ||
            (batch->flags & TR_BATCH_REPLAY && part_is_older(after->rev, before->rev)))
            return;
        group = group_by_id(stream, before->group_id);
        if (!group)
            self->trouble = TR_FATAL;
    }
    if (self->trouble == TR_OK)
        group = replace(self, group);
    entry_key_document(self, change->id);
    if (after->is_there && group) {
        part_write(self, after, stream->generation, group->id, &self->record);
        entry_put(self, tr_text_str(&self->record));
    } else if (is_kept) {
        entry_remove(self);
    }
}

/* ---- the batch ---- */

static void write_groups(tr_self *self)
{
    struct stream *stream = self->stream;
    struct group *group;

    while ((group = self->dirty)) {
        self->dirty = group->next_dirty;
        group->is_dirty = false;
        entry_key_group(self, stream->generation, group->id);
        if (group->documents == 0) {
            entry_remove(self);
            group_free(self, group);
            continue;
        }
        group_write(self, group, &self->record);
        if (self->record.failed)
            self->trouble = TR_EAGAIN;
        entry_put(self, tr_text_str(&self->record));
    }
}

static void forget_dirty(tr_self *self)
{
    for (; self->dirty; self->dirty = self->dirty->next_dirty)
        self->dirty->is_dirty = false;
}

static tr_status end_badly(tr_self *self, tr_outcome *outcome)
{
    forget_dirty(self);
    self->stream->is_torn = true; /* what was written is taken back after this batch          */
    if (self->trouble == TR_FATAL || self->trouble == TR_EINVAL)
        return tr_finish(outcome, TR_FATAL,
                         "what is kept of this database does not fit together; start again by "
                         "tailrace backfill");
    return tr_finish(outcome, TR_RETRY,
                     "the state cannot be read or written now: the store is busy, its bound "
                     "is reached, or there is no memory");
}

/* The stream of the batch, as the state has it; NULL: not now. */
static struct stream *ready_stream(tr_self *self, const tr_batch *batch)
{
    struct stream *stream = stream_of(self, batch->source, batch->db, batch->stream);

    if (stream && batch->flags & TR_BATCH_ROLLED_BACK)
        stream->is_torn = true;
    if (stream && stream->is_torn)
        stream->is_torn = stream_reload(self, stream) != TR_OK;
    return stream && !stream->is_torn ? stream : NULL;
}

/* The thread that read the changes has them in its caches: they are asked for while the one
 * before is worked on. */
static void fetch_ahead(const tr_batch *batch, uint32_t i)
{
    enum { LINE = 64, LINES = 6 };
    const tr_change *next;

    if (i + 2 < batch->count) {
        next = tr_batch_at(batch, i + 2);
        __builtin_prefetch(next);
        __builtin_prefetch((const char *)next + LINE);
    }
    if (i + 1 >= batch->count)
        return;
    next = tr_batch_at(batch, i + 1);
    __builtin_prefetch(next->id.ptr);
    __builtin_prefetch(next->rev.ptr);
    for (size_t at = 0; at < next->doc.len && at < LINES * LINE; at += LINE)
        __builtin_prefetch(next->doc.ptr + at);
}

tr_status apply_batch(tr_self *self, const tr_batch *batch, tr_outcome *outcome)
{
    bool is_news;

    self->trouble = TR_OK;
    self->batch = batch;
    self->stream = ready_stream(self, batch);
    if (!self->stream)
        return tr_finish(outcome, TR_RETRY, "the state cannot be read now, or no memory");
    is_news = !self->stream->is_written;
    if (!stream_write(self, self->stream))
        return tr_finish(outcome, TR_FATAL,
                         "the database was counted by other options, and this host cannot read "
                         "it again by itself; start again by tailrace backfill");
    for (uint32_t i = 0; i < batch->count && self->trouble == TR_OK; i++) {
        fetch_ahead(batch, i);
        apply(self, batch, tr_batch_at(batch, i));
    }
    entry_sweep(self, self->stream);
    is_news = is_news || self->dirty;
    if (self->trouble == TR_OK)
        write_groups(self);
    if (self->trouble != TR_OK)
        return end_badly(self, outcome);
    if (is_news)
        publish_want(self);
    return tr_finish(outcome, TR_OK, NULL);
}
