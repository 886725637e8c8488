/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Groups: what is counted of the documents of one stream that have the same values in the
 * fields of group_by, and the totals of groups with the same key. A group is in memory as long
 * as it has documents, and in the state what it was after the last batch. Worker.
 *
 * When there are max_groups totals, the documents of further ones go into one that is called
 * "other". As long as that has any, no new one is made: so each total is of all its documents,
 * or there is none of it.
 */
#include "stats.h"

#define OF_LINK(link_) ((struct group *)(void *)(link_))

/* ---- tallies ---- */

void tally_fini(struct tally *tally)
{
    exact_fini(&tally->sum);
    exact_fini(&tally->squares);
    sketch_fini(&tally->sketch);
}

bool tally_merge(struct tally *tally, const struct tally *more)
{
    tally->count += more->count;
    tally->missing += more->missing;
    tally->invalid += more->invalid;
    tally->kept += more->kept;
    tally->others += more->others;
    return exact_merge(&tally->sum, &more->sum) &&
           exact_merge(&tally->squares, &more->squares) &&
           sketch_merge(&tally->sketch, &more->sketch);
}

static void write_tally(const struct tally *tally, uint32_t keeps, tr_text *out)
{
    bytes_add_count(out, tally->count);
    bytes_add_count(out, tally->missing);
    bytes_add_count(out, tally->invalid);
    if (keeps & KEEP_VALUES) {
        bytes_add_count(out, tally->kept);
        bytes_add_count(out, tally->others);
    }
    if (keeps & KEEP_SUM)
        exact_write(&tally->sum, out);
    if (keeps & KEEP_SQUARES)
        exact_write(&tally->squares, out);
    if (keeps & KEEP_SKETCH)
        sketch_write(&tally->sketch, out);
}

static bool read_tally(struct tally *tally, uint32_t keeps, struct reader *reader)
{
    tally->count = read_count(reader);
    tally->missing = read_count(reader);
    tally->invalid = read_count(reader);
    if (keeps & KEEP_VALUES) {
        tally->kept = read_count(reader);
        tally->others = read_count(reader);
    }
    return (!(keeps & KEEP_SUM) || exact_read(&tally->sum, reader)) &&
           (!(keeps & KEEP_SQUARES) || exact_read(&tally->squares, reader)) &&
           (!(keeps & KEEP_SKETCH) || sketch_read(&tally->sketch, reader)) && !reader->failed;
}

/* ---- totals ---- */

static struct total *find_total(const tr_self *self, tr_str key)
{
    struct link *link = table_first(&self->totals, value_hash(key));

    for (; link; link = table_next(link)) {
        struct total *total = (struct total *)(void *)link;

        if (tr_str_eq(tr_str_n(total->key, total->key_len), key))
            return total;
    }
    return NULL;
}

static struct total *total_of(tr_self *self, tr_str key)
{
    struct total *total = find_total(self, key);

    if (total)
        return total;
    total = calloc(1, sizeof(*total) + key.len);
    if (!total)
        return NULL;
    total->key_len = (uint32_t)key.len;
    if (key.len > 0)
        memcpy(total->key, key.ptr, key.len);
    if (!table_add(&self->totals, &total->link, value_hash(key))) {
        free(total);
        return NULL;
    }
    if (tr_str_eq(key, GROUP_OTHER))
        self->other = total;
    return total;
}

static void leave_total(tr_self *self, struct group *group)
{
    struct total *total = group->total;

    if (group->prev)
        group->prev->next = group->next;
    else
        total->groups = group->next;
    if (group->next)
        group->next->prev = group->prev;
    total->is_fresh = false;
    if (total->groups)
        return;
    if (total == self->other)
        self->other = NULL;
    series_forget(self, total);
    table_remove(&self->totals, &total->link);
    tr_text_fini(&total->shown);
    free(total);
}

static void join_total(struct group *group, struct total *total)
{
    group->total = total;
    group->next = total->groups;
    if (group->next)
        group->next->prev = group;
    total->groups = group;
    total->is_fresh = false;
}

/* ---- groups ---- */

static uint64_t hash_group(const struct stream *stream, tr_str key)
{
    return value_hash(key) ^ ((uint64_t)(uintptr_t)stream * UINT64_C(0x9e3779b97f4a7c15));
}

struct group *group_by_id(const struct stream *stream, uint32_t id)
{
    return id < stream->groups_room ? stream->groups[id] : NULL;
}

static bool make_room(struct stream *stream, uint32_t id)
{
    uint32_t room = stream->groups_room > 0 ? stream->groups_room : 1;
    struct group **groups;

    if (id < stream->groups_room)
        return true;
    while (room <= id && room < UINT32_MAX / 2)
        room *= 2;
    groups = realloc(stream->groups, room * sizeof(struct group *));
    if (!groups)
        return false;
    memset(groups + stream->groups_room, 0,
           (room - stream->groups_room) * sizeof(struct group *));
    stream->groups = groups;
    stream->groups_room = room;
    return true;
}

struct group *group_new(tr_self *self, struct stream *stream, tr_str key, uint32_t id)
{
    struct group *group;
    struct total *total;

    if (!make_room(stream, id) || stream->groups[id])
        return NULL;
    group = calloc(1, sizeof(*group) + self->options.measures_count * sizeof(struct tally));
    total = group ? total_of(self, key) : NULL;
    if (!total || !table_add(&self->groups, &group->link, hash_group(stream, key))) {
        free(group);
        return NULL;
    }
    group->stream = stream;
    group->id = id;
    stream->groups[id] = group;
    join_total(group, total);
    return group;
}

void group_free(tr_self *self, struct group *group)
{
    struct stream *stream = group->stream;

    table_remove(&self->groups, &group->link);
    leave_total(self, group);
    stream->groups[group->id] = NULL;
    if (group->id < stream->free_id)
        stream->free_id = group->id;
    for (uint32_t i = 0; i < self->options.measures_count; i++)
        tally_fini(&group->tallies[i]);
    free(group);
}

void group_free_all(tr_self *self, struct stream *stream)
{
    for (uint32_t id = 0; id < stream->groups_room; id++)
        if (stream->groups[id])
            group_free(self, stream->groups[id]);
}

static struct group *find_group(const tr_self *self, const struct stream *stream, tr_str key)
{
    struct link *link = table_first(&self->groups, hash_group(stream, key));

    for (; link; link = table_next(link)) {
        struct group *group = OF_LINK(link);

        if (group->stream == stream &&
            tr_str_eq(tr_str_n(group->total->key, group->total->key_len), key))
            return group;
    }
    return NULL;
}

static bool is_full(const tr_self *self)
{
    return self->other || self->totals.count >= (uint64_t)self->options.max_groups;
}

struct group *group_of(tr_self *self, struct stream *stream, tr_str key)
{
    struct group *group = find_group(self, stream, key);

    if (!group && is_full(self) && !find_total(self, key)) {
        if (!self->is_full_said)
            tr_logf(self->host, TR_LOG_WARNING,
                    "there are more than max_groups = %lld groups: documents of others are "
                    "counted as \"other\"; raise max_groups and start again by tailrace "
                    "backfill",
                    (long long)self->options.max_groups);
        self->is_full_said = true;
        key = GROUP_OTHER;
        group = find_group(self, stream, key);
    }
    if (group)
        return group;
    while (group_by_id(stream, stream->free_id))
        stream->free_id++;
    return group_new(self, stream, key, stream->free_id);
}

void group_soil(tr_self *self, struct group *group)
{
    if (group->is_dirty)
        return;
    group->is_dirty = true;
    group->next_dirty = self->dirty;
    self->dirty = group;
    group->total->is_fresh = false;
}

void group_write(tr_self *self, const struct group *group, tr_text *out)
{
    tr_text_clear(out);
    bytes_add_text(out, tr_str_n(group->total->key, group->total->key_len));
    bytes_add_count(out, group->documents);
    for (uint32_t i = 0; i < self->options.measures_count; i++)
        write_tally(&group->tallies[i], self->options.measures[i].keeps, out);
}

bool group_read(tr_self *self, struct group *group, struct reader *reader)
{
    group->documents = read_count(reader);
    for (uint32_t i = 0; i < self->options.measures_count; i++)
        if (!read_tally(&group->tallies[i], self->options.measures[i].keeps, reader))
            return false;
    return !reader->failed;
}
