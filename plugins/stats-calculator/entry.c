/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of the stream in hand, by tr.state/1: how keys are made, and counts by value.
 *
 *     d ID                                    a document: what it adds
 *     D HASH                                  the same, of an id that is too long for a key
 *     m                                       what the stream is, see stream.c
 *     x GENERATION g GROUP                    a group
 *     x GENERATION o GROUP FIELD NUMBER       how many documents have this number
 *     x GENERATION v GROUP FIELD VALUE        how many have this value
 *     x GENERATION h GROUP FIELD CELL         how many have others that fall into this cell
 *
 * A generation is what one set of options has counted. Documents name theirs in the value, so
 * that they are found whatever counted them. Worker.
 */
#include "stats.h"

#include <xxhash.h>

enum { ID_MAX = 512, SWEEP_MOST = 1000 };

static void add_ordered(tr_text *out, uint64_t value, size_t len)
{
    char bytes[8];

    bytes_put_ordered(bytes, value, len);
    tr_text_add(out, tr_str_n(bytes, len));
}

void entry_key_document(tr_self *self, tr_str id)
{
    tr_text *key = &self->key;

    tr_text_clear(key);
    if (id.len <= ID_MAX) {
        tr_text_add(key, TR_STR("d"));
        tr_text_add(key, id);
    } else {
        XXH128_canonical_t hash;

        XXH128_canonicalFromHash(&hash, XXH3_128bits(id.ptr, id.len));
        tr_text_add(key, TR_STR("D"));
        tr_text_add(key, tr_str_n((const char *)hash.digest, sizeof(hash.digest)));
    }
}

static void key_generation(tr_self *self, uint16_t generation)
{
    tr_text_clear(&self->key);
    tr_text_add(&self->key, TR_STR("x"));
    add_ordered(&self->key, generation, 2);
}

void entry_key_group(tr_self *self, uint16_t generation, uint32_t id)
{
    const char kind = KIND_GROUP;

    key_generation(self, generation);
    tr_text_add(&self->key, tr_str_n(&kind, 1));
    add_ordered(&self->key, id, 4);
}

static void key_counted(tr_self *self, const struct group *group, unsigned measure, char kind,
                        tr_str value)
{
    key_generation(self, group->stream->generation);
    tr_text_add(&self->key, tr_str_n(&kind, 1));
    add_ordered(&self->key, group->id, 4);
    add_ordered(&self->key, measure, 1);
    tr_text_add(&self->key, value);
}

/* ---- one entry ---- */

/* Whether there is still something to be done. */
static bool is_well(tr_self *self)
{
    if (self->trouble == TR_OK && self->key.failed)
        self->trouble = TR_EAGAIN;
    return self->trouble == TR_OK;
}

static void note(tr_self *self, tr_status status)
{
    if (status != TR_OK && self->trouble == TR_OK)
        self->trouble = status;
}

bool entry_get(tr_self *self, tr_str *ret_value)
{
    tr_status status;

    if (!is_well(self))
        return false;
    status = self->state->get(self->host, tr_str_c(self->stream->name), tr_text_str(&self->key),
                              ret_value);
    if (status != TR_ENOENT)
        note(self, status);
    return status == TR_OK;
}

void entry_put(tr_self *self, tr_str value)
{
    if (is_well(self))
        note(self,
             self->state->put(self->host, self->batch->ticket, tr_text_str(&self->key), value));
}

void entry_remove(tr_self *self)
{
    if (is_well(self))
        note(self,
             self->state->remove(self->host, self->batch->ticket, tr_text_str(&self->key)));
}

/* ---- counts ---- */

static uint64_t count_of(tr_str value)
{
    struct reader reader = reader_of(value);

    return read_count(&reader);
}

static uint64_t get_count(tr_self *self)
{
    tr_str value;

    return entry_get(self, &value) ? count_of(value) : 0;
}

uint64_t entry_counted(tr_self *self, const struct group *group, unsigned measure, tr_str value)
{
    key_counted(self, group, measure, KIND_VALUE, value);
    return get_count(self);
}

uint64_t entry_count(tr_self *self, const struct group *group, unsigned measure, char kind,
                     tr_str value, int step)
{
    uint64_t count;

    key_counted(self, group, measure, kind, value);
    count = get_count(self);
    if (step > 0)
        count++;
    else if (count > 0)
        count--;
    if (count == 0) {
        entry_remove(self);
    } else {
        tr_text_clear(&self->record);
        bytes_add_count(&self->record, count);
        if (self->record.failed)
            note(self, TR_EAGAIN);
        entry_put(self, tr_text_str(&self->record));
    }
    return count;
}

void entry_cell(tr_str value, char ret_cell[3])
{
    uint64_t hash = value_hash(value), rest = hash << CELL_BITS;
    int rank = rest ? __builtin_clzll(rest) + 1 : CELL_RANKS;

    bytes_put_ordered(ret_cell, hash >> (64 - CELL_BITS), 2);
    ret_cell[2] = (char)rank;
}

struct counting {
    size_t prefix;
    bool (*each)(void *user, tr_str value, uint64_t count);
    void *user;
};

static int32_t scanned(void *user, tr_str key, tr_str value)
{
    struct counting *it = user;
    tr_str rest = tr_str_n(key.ptr + it->prefix, key.len - it->prefix);

    return it->each(it->user, rest, count_of(value));
}

/* Made the least key that lies behind all those that begin with it. */
static void step_behind(tr_text *key)
{
    while (key->len > 0 && (unsigned char)key->ptr[key->len - 1] == 0xff)
        key->len--;
    if (key->len > 0)
        key->ptr[key->len - 1]++;
}

bool entry_each(tr_self *self, const struct group *group, unsigned measure, char kind,
                bool backwards, bool (*each)(void *user, tr_str value, uint64_t count),
                void *user)
{
    struct counting it = {.each = each, .user = user};
    tr_text *to = &self->record;

    key_counted(self, group, measure, kind, tr_str_n(NULL, 0));
    it.prefix = self->key.len;
    tr_text_clear(to);
    tr_text_add(to, tr_text_str(&self->key));
    step_behind(to);
    return !self->key.failed && !to->failed &&
           self->state->scan(self->host, tr_str_c(group->stream->name), tr_text_str(&self->key),
                             tr_text_str(to), backwards, scanned, &it) == TR_OK;
}

/* ---- what is left of generations before ---- */

struct sweep {
    tr_text *keys;
    uint32_t count;
};

static int32_t gather(void *user, tr_str key, tr_str value)
{
    struct sweep *sweep = user;

    (void)value;
    bytes_add_text(sweep->keys, key);
    return ++sweep->count < SWEEP_MOST && !sweep->keys->failed;
}

void entry_sweep(tr_self *self, struct stream *stream)
{
    struct sweep sweep = {.keys = &self->record};
    struct reader keys;

    if (stream->is_swept || self->trouble != TR_OK)
        return;
    tr_text_clear(sweep.keys);
    key_generation(self, stream->generation);
    note(self, self->state->scan(self->host, tr_str_c(stream->name), TR_STR("x"),
                                 tr_text_str(&self->key), 0, gather, &sweep));
    if (sweep.keys->failed)
        note(self, TR_EAGAIN);
    keys = reader_of(tr_text_str(sweep.keys));
    for (uint32_t i = 0; i < sweep.count && self->trouble == TR_OK; i++) {
        tr_text_clear(&self->key);
        tr_text_add(&self->key, read_text(&keys));
        entry_remove(self);
    }
    stream->is_swept = sweep.count < SWEEP_MOST;
}
