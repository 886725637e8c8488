/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as the answer of a feed, split at every offset: how the bytes were read changes
 * neither the rows nor the position, and every row is one by itself. A position is never null.
 */
#include "feed/frame.h"
#include "fuzz.h"
#include "json/row.h"
#include "json/value.h"

enum { MAX_ROW = 512 };

struct seen {
    enum frame_result result;
    struct buf rows; /* each with its length, so that two of them are not one              */
    struct buf position;
    uint64_t count;
};

static void take_rows(struct frame *frame, struct seen *seen)
{
    struct segment *segment = frame_cut(frame);

    if (!segment)
        return;
    MUST(segment->count > 0);
    MUST(json_type_of(segment->last) != JSON_NULL && segment->last.len > 0);
    for (uint32_t i = 0; i < segment->count; i++) {
        const tr_change *row = &segment->rows[i];
        buf_addf(&seen->rows, "%zu %zu %zu %x:", row->raw.len, row->id.len, row->doc.len,
                 row->flags);
        buf_add_str(&seen->rows, row->raw);
        buf_add_str(&seen->rows, row->id);
        MUST(row->raw.len <= MAX_ROW);
    }
    seen->count += segment->count;
    segment_unref(segment);
}

/* In pieces of `first` and then the rest; SIZE_MAX: in one; 0: three bytes at a time (one or
 * two may be a heartbeat, and three of those within a row end the feed). */
static struct seen read_all(tr_str answer, size_t first, bool hold)
{
    struct seen seen = {.result = FRAME_MORE};
    struct error error = {0};
    struct frame frame;

    frame_init(&frame, STR("\"0\""), MAX_ROW);
    frame_begin(&frame, hold);
    while (answer.len > 0 && seen.result == FRAME_MORE) {
        size_t most = first == 0 ? 3 : first, len = most < answer.len ? most : answer.len;
        char *piece = malloc(len); /* of its very length, so that a step beyond is seen     */

        MUST(piece);
        memcpy(piece, answer.ptr, len);
        seen.result = frame_take(&frame, str_n(piece, len), &error);
        free(piece);
        answer = str_from(answer, len);
        if (first > 0)
            first = SIZE_MAX;
    }
    take_rows(&frame, &seen);
    buf_add_str(&seen.position, buf_str(&frame.position));
    MUST(json_type_of(buf_str(&seen.position)) != JSON_NULL);
    MUST(seen.result == FRAME_MORE || seen.result == FRAME_CLOSED || error.text[0]);
    MUST((frame.last_seq.len > 0) == (seen.result == FRAME_CLOSED));
    frame_fini(&frame);
    return seen;
}

static void seen_fini(struct seen *seen)
{
    buf_fini(&seen->rows);
    buf_fini(&seen->position);
}

/* What can become no row is noticed at once, or only when it should end. */
static bool is_open(enum frame_result result)
{
    return result == FRAME_MORE || result == FRAME_JUNK;
}

static void must_agree(const struct seen *whole, struct seen other)
{
    MUST(other.result == whole->result || (is_open(other.result) && is_open(whole->result)));
    MUST(other.count == whole->count);
    MUST(str_eq(buf_str(&other.rows), buf_str(&whole->rows)));
    MUST(str_eq(buf_str(&other.position), buf_str(&whole->position)));
    seen_fini(&other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tr_str answer = str_n((const char *)data, size);
    size_t step = size / 512 + 1;

    for (int hold = 0; hold < 2; hold++) {
        struct seen whole = read_all(answer, SIZE_MAX, hold);

        must_agree(&whole, read_all(answer, 0, hold));
        for (size_t at = 1; at < size; at += step)
            must_agree(&whole, read_all(answer, at, hold));
        seen_fini(&whole);
    }
    return 0;
}
