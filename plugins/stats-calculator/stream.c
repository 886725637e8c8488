/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The streams of the rule: those that have state are loaded at the start, groups and all, so
 * that figures are there before a change is. Documents stay in the state. Worker.
 *
 * The entry "m" of a stream says by which options it was counted, as their fingerprint, which
 * generation its entries are of, and from where it was read first:
 *
 *     VERSION, fingerprint, generation, seq
 *
 * It is that in every version of this plugin to come; what changes behind it changes the
 * fingerprint. A stream of another fingerprint is stale: its figures are not shown, and it is
 * read again from where it once began, into the next generation.
 */
#include "stats.h"

enum { VERSION = 1 };

#define OF_LINK(link_) ((struct stream *)(void *)(link_))
#define OF_PLACE(place_)                                                                       \
    ((struct stream *)(void *)((char *)(place_)-offsetof(struct stream, place)))

static char *copy(tr_str text)
{
    char *made = malloc(text.len + 1);

    if (!made)
        return NULL;
    if (text.len > 0)
        memcpy(made, text.ptr, text.len);
    made[text.len] = '\0';
    return made;
}

static uint64_t hash_place(tr_str source, tr_str db)
{
    return value_hash(source) * 31 + value_hash(db);
}

/* ---- finding ---- */

static void stream_free(tr_self *self, struct stream *stream)
{
    group_free_all(self, stream);
    free(stream->groups);
    free(stream->name);
    free(stream->source);
    free(stream->db);
    free(stream->began);
    free(stream);
}

void streams_free(tr_self *self)
{
    for (uint32_t i = 0; i < self->streams.room; i++)
        while (self->streams.slots[i]) {
            struct link *link = self->streams.slots[i];

            table_remove(&self->streams, link);
            stream_free(self, OF_LINK(link));
        }
    table_fini(&self->streams);
    table_fini(&self->places);
}

static struct stream *find(const tr_self *self, tr_str name)
{
    struct link *link = table_first(&self->streams, value_hash(name));

    while (link && !tr_str_eq(tr_str_c(OF_LINK(link)->name), name))
        link = table_next(link);
    return link ? OF_LINK(link) : NULL;
}

static struct stream *find_place(const tr_self *self, tr_str source, tr_str db)
{
    struct link *link = table_first(&self->places, hash_place(source, db));

    for (; link; link = table_next(link)) {
        struct stream *stream = OF_PLACE(link);

        if (tr_str_eq(tr_str_c(stream->source), source) && tr_str_eq(tr_str_c(stream->db), db))
            return stream;
    }
    return NULL;
}

static struct stream *stream_new(tr_self *self, tr_str source, tr_str db, tr_str name)
{
    struct stream *stream = calloc(1, sizeof(*stream));

    if (!stream)
        return NULL;
    stream->name = copy(name);
    stream->source = copy(source);
    stream->db = copy(db);
    if (stream->name && stream->source && stream->db &&
        table_add(&self->streams, &stream->link, value_hash(name))) {
        if (table_add(&self->places, &stream->place, hash_place(source, db)))
            return stream;
        table_remove(&self->streams, &stream->link);
    }
    stream_free(self, stream);
    return NULL;
}

/* The database that it was is gone, and with it what it had. */
static bool drop(tr_self *self, struct stream *stream)
{
    tr_status status = self->state->drop(self->host, tr_str_c(stream->name));

    if (status != TR_OK && status != TR_ENOENT)
        return false;
    tr_logf(
        self->host, TR_LOG_NOTICE,
        "database %s was deleted and made again: what was counted of it before is taken out",
        stream->db);
    table_remove(&self->streams, &stream->link);
    table_remove(&self->places, &stream->place);
    stream_free(self, stream);
    publish_want(self);
    return true;
}

struct stream *stream_of(tr_self *self, tr_str source, tr_str db, tr_str name)
{
    struct stream *stream = find(self, name), *before;

    if (stream)
        return stream;
    before = find_place(self, source, db);
    if (before && !drop(self, before))
        return NULL;
    return stream_new(self, source, db, name);
}

/* ---- what the state has ---- */

struct loading {
    tr_self *self;
    struct stream *stream;
    tr_status status;
};

static int32_t load_group(void *user, tr_str key, tr_str value)
{
    struct loading *it = user;
    struct reader reader = reader_of(value);
    struct group *group;
    tr_str name = read_text(&reader);

    if (key.len != 8 || reader.failed) {
        it->status = TR_EINVAL;
        return 0;
    }
    group = group_new(it->self, it->stream, name, (uint32_t)bytes_get_ordered(key.ptr + 4, 4));
    if (!group || !group_read(it->self, group, &reader))
        it->status = reader.failed ? TR_EINVAL : TR_EAGAIN;
    return it->status == TR_OK;
}

static tr_status load_groups(tr_self *self, struct stream *stream)
{
    struct loading it = {.self = self, .stream = stream, .status = TR_OK};
    tr_text *to = &self->record;
    tr_status status;

    tr_text_clear(to);
    entry_key_group(self, stream->generation, 0);
    self->key.len -= 4;
    tr_text_add(to, tr_text_str(&self->key));
    if (self->key.failed || to->failed)
        return TR_EAGAIN;
    to->ptr[to->len - 1]++;
    status = self->state->scan(self->host, tr_str_c(stream->name), tr_text_str(&self->key),
                               tr_text_str(to), 0, load_group, &it);
    return status != TR_OK ? status : it.status;
}

static tr_status take_meta(const tr_self *self, struct stream *stream, tr_str meta)
{
    struct reader reader = reader_of(meta);
    uint64_t version = read_count(&reader);
    tr_str fingerprint = read_bytes(&reader, 8);
    uint64_t generation = read_count_to(&reader, UINT16_MAX - 1);
    tr_str began = read_text(&reader);

    if (reader.failed || version != VERSION || generation == 0)
        return TR_EINVAL;
    free(stream->began);
    stream->began = began.len > 0 ? copy(began) : NULL;
    if (began.len > 0 && !stream->began)
        return TR_EAGAIN;
    stream->generation = (uint16_t)generation;
    stream->is_written = true;
    stream->is_stale = bytes_get_ordered(fingerprint.ptr, 8) != self->fingerprint;
    stream->is_swept = false;
    return TR_OK;
}

static tr_status stream_load(tr_self *self, struct stream *stream)
{
    tr_str meta;
    tr_status status = self->state->get(self->host, tr_str_c(stream->name), TR_STR("m"), &meta);

    if (status == TR_ENOENT)
        return TR_OK;
    if (status == TR_OK)
        status = take_meta(self, stream, meta);
    if (status == TR_OK && stream->is_stale)
        tr_logf(
            self->host, TR_LOG_NOTICE,
            "database %s was counted by other options: it is read again from where it began",
            stream->db);
    else if (status == TR_OK)
        status = load_groups(self, stream);
    return status;
}

tr_status stream_reload(tr_self *self, struct stream *stream)
{
    group_free_all(self, stream);
    stream->generation = 0;
    stream->is_written = stream->is_stale = stream->is_swept = false;
    return stream_load(self, stream);
}

static int32_t list_stream(void *user, const tr_state_stream *found)
{
    struct loading *it = user;

    if (!stream_new(it->self, found->source, found->db, found->stream))
        it->status = TR_EAGAIN;
    return it->status == TR_OK;
}

tr_status streams_load(tr_self *self, tr_error *error)
{
    struct loading it = {.self = self, .status = TR_OK};
    tr_status status = self->state->streams(self->host, list_stream, &it);

    if (status == TR_OK)
        status = it.status;
    for (uint32_t i = 0; i < self->streams.room && status == TR_OK; i++)
        for (struct link *link = self->streams.slots[i]; link && status == TR_OK;
             link = link->next) {
            struct stream *stream = OF_LINK(link);

            status = stream_load(self, stream);
            if (status == TR_EINVAL)
                return tr_fail(error, status,
                               "the state of database %s cannot be read: it is of a later "
                               "version, or damaged; start again by tailrace backfill",
                               stream->db);
        }
    if (status != TR_OK)
        return tr_fail(error, status, "the state cannot be read now; try again");
    return TR_OK;
}

bool stream_write(tr_self *self, struct stream *stream)
{
    char fingerprint[8];
    tr_text *record = &self->record;

    if (stream->is_written && !stream->is_stale)
        return true;
    if (stream->is_stale && !stream->is_again)
        return false;
    stream->is_swept = !stream->is_written;
    stream->generation++;
    tr_text_clear(record);
    bytes_put_ordered(fingerprint, self->fingerprint, sizeof(fingerprint));
    bytes_add_count(record, VERSION);
    tr_text_add(record, tr_str_n(fingerprint, sizeof(fingerprint)));
    bytes_add_count(record, stream->generation);
    bytes_add_text(record, tr_str_c(stream->began));
    tr_text_clear(&self->key);
    tr_text_add(&self->key, TR_STR("m"));
    if (record->failed)
        self->trouble = TR_EAGAIN;
    entry_put(self, tr_text_str(record));
    stream->is_written = true;
    stream->is_stale = false;
    return true;
}
