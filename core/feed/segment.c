/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segments: an array of rows, an arena for what of them had to be decoded, and holds on the
 * chunks in which all else lies. Made by the feeds, kept by whoever works with the rows. Loop
 * thread only.
 */
#include "feed/build.h"
#include "feed/file_row.h"

#include "base/clock.h"
#include "base/mem.h"
#include "json/row.h"
#include "json/value.h"

enum { ARENA_BLOCK = 1024 };

/* Rows lie in chunks in order, so those from `row` on lie in this chunk and later ones. */
struct hold {
    struct chunk *chunk;
    uint32_t row;
};

struct body {
    struct segment segment; /* first: what others have is a pointer to it                  */
    uint32_t room;
    struct arena arena;
    struct hold *holds;
    uint32_t holds_count, holds_room;
};

static struct body *body_of(struct segment *segment)
{
    return (struct body *)(void *)segment;
}

bool seq_is_known(tr_str seq)
{
    return seq.len > 0 && json_type_of(seq) != JSON_NULL;
}

struct segment *segment_new(tr_str since, uint32_t room)
{
    struct body *body = mem_new(struct body);

    body->segment.refs = 1;
    body->segment.received_ms = clock_ms();
    arena_init(&body->arena, ARENA_BLOCK);
    body->segment.since = arena_str(&body->arena, since);
    body->room = room ? room : 1;
    body->segment.rows = mem_alloc(body->room * sizeof(tr_change));
    return &body->segment;
}

void segment_ref(struct segment *segment)
{
    segment->refs++;
}

void segment_unref(struct segment *segment)
{
    struct body *body;

    if (!segment || --segment->refs > 0)
        return;
    body = body_of(segment);
    for (uint32_t i = 0; i < body->holds_count; i++)
        chunk_unref(body->holds[i].chunk);
    arena_fini(&body->arena);
    free(body->holds);
    free(segment->rows);
    free(body);
}

struct arena *segment_arena(struct segment *segment)
{
    return &body_of(segment)->arena;
}

static void hold_chunk(struct body *body, struct chunk *chunk, uint32_t row)
{
    if (body->holds_count > 0 && body->holds[body->holds_count - 1].chunk == chunk)
        return;
    if (body->holds_count == body->holds_room) {
        body->holds_room = body->holds_room ? body->holds_room * 2 : 2;
        body->holds = mem_resize(body->holds, body->holds_room * sizeof(*body->holds));
    }
    chunk_ref(chunk);
    body->holds[body->holds_count++] = (struct hold){chunk, row};
}

void segment_add(struct segment *segment, const tr_change *row, struct chunk *chunk)
{
    struct body *body = body_of(segment);

    if (segment->count == body->room) {
        body->room *= 2;
        segment->rows = mem_resize(segment->rows, body->room * sizeof(tr_change));
    }
    if (chunk)
        hold_chunk(body, chunk, segment->count);
    segment->rows[segment->count++] = *row;
    segment->bytes += row->raw.len;
}

/* A part of a row that was decoded lies in an arena and not in the row. */
static tr_str move_part(tr_str part, tr_str raw, struct arena *arena)
{
    bool inside = part.ptr >= raw.ptr && part.ptr < raw.ptr + raw.len;

    return inside || part.len == 0 ? part : arena_str(arena, part);
}

struct segment *segment_split(struct segment *segment, uint32_t from, tr_str since)
{
    struct body *body = body_of(segment), *tail;
    struct segment *ret = segment_new(since, body->room);
    uint32_t h = 0;

    ret->received_ms = segment->received_ms;
    tail = body_of(ret);
    for (uint32_t i = from; i < segment->count; i++) {
        tr_change row = segment->rows[i];

        row.id = move_part(row.id, row.raw, &tail->arena);
        row.rev = move_part(row.rev, row.raw, &tail->arena);
        while (h + 1 < body->holds_count && body->holds[h + 1].row <= i)
            h++;
        segment_add(ret, &row, h < body->holds_count ? body->holds[h].chunk : NULL);
        segment->bytes -= row.raw.len;
    }
    segment->count = from;
    while (body->holds_count > 0 && body->holds[body->holds_count - 1].row >= from)
        chunk_unref(body->holds[--body->holds_count].chunk);
    return ret;
}

void segment_finish(struct segment *segment, tr_str last)
{
    struct body *body = body_of(segment);

    segment->last = arena_str(&body->arena, last);
    /* A chunk is about two reads long and shared by those who read from it: the rows' own bytes
     * are the fair part of it. */
    segment->bytes += sizeof(*body) + body->room * sizeof(tr_change);
}

tr_str segment_before(const struct segment *segment, uint32_t i)
{
    while (i-- > 0)
        if (seq_is_known(segment->rows[i].seq))
            return segment->rows[i].seq;
    return segment->since;
}

tr_change row_of_head(tr_str head, struct arena *arena)
{
    tr_change row = {.raw = head, .flags = FEED_ROW_CUT};
    tr_str key, value, item, raw;
    size_t cursor = 0, inner = 0;

    while (json_next(head, &cursor, &key, &value)) {
        if (str_eq(key, STR("seq")))
            row.seq = value;
        else if (str_eq(key, STR("id")))
            (void)json_decode(value, arena, &row.id);
        else if (str_eq(key, STR("changes")) && json_type_of(value) == JSON_ARRAY)
            row.revs = value;
        else if (str_eq(key, STR("deleted")) && json_type_of(value) == JSON_TRUE)
            row.flags |= TR_CHANGE_DELETED;
    }
    if (json_next(row.revs, &inner, &key, &item) && json_get(item, STR("rev"), &raw))
        (void)json_decode(raw, arena, &row.rev);
    if (str_starts(row.id, STR("_design/")))
        row.flags |= TR_CHANGE_DESIGN;
    return row;
}

/* A row, or a document that stands for one. */
static bool read_row(tr_str text, struct arena *arena, tr_change *ret_row)
{
    struct json_closing closing;
    size_t used;

    if (json_row_scan(text, arena, ret_row, &closing, &used) == JSON_ROW && used == text.len &&
        ret_row->revs.len > 0)
        return true;
    return text.len > 0 && file_row_read(text, 0, arena, ret_row, NULL) == FILE_ROW;
}

struct segment *segment_of_row(tr_str row, tr_str seq)
{
    struct segment *segment = segment_new(STR("0"), 1);
    struct arena *arena = segment_arena(segment);
    tr_str copy = arena_str(arena, str_trim(row));
    tr_change change;
    bool has_seq;

    if (!read_row(copy, arena, &change)) {
        segment_unref(segment);
        return NULL;
    }
    has_seq = change.seq.ptr >= copy.ptr && change.seq.ptr < copy.ptr + copy.len &&
              seq_is_known(change.seq);
    if (!has_seq)
        change.seq = arena_str(arena, seq);
    segment_add(segment, &change, NULL);
    segment_finish(segment, has_seq ? change.seq : STR("0"));
    return segment;
}
