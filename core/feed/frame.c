/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Framing: a state machine over the places of an answer. Called by changes.c on the loop
 * thread.
 *
 * The end of a row is looked for within its line first: a row that a broken server left open
 * must not swallow the rows on the lines behind it. Only when the line ends before the object
 * does (a pretty-printed row), or the bytes do, json_skip goes on from where it stopped, as far
 * as bytes come; the scan follows when the end is there.
 */
#include "feed/frame.h"

#include "base/failpoint.h"
#include "json/row.h"
#include "json/value.h"

#include <ctype.h>
#include <stdio.h>

enum place {
    AT_START,   /* nothing but white space yet                                             */
    IN_ARRAY,   /* between the brackets of "results"                                       */
    IN_LINES,   /* rows by lines                                                           */
    AT_TAIL,    /* behind the closing bracket of "results"                                 */
    IN_TAIL,    /* the members behind it                                                   */
    AT_END,     /* FRAME_CLOSED                                                            */
    SAID_ERROR, /* FRAME_ERROR                                                             */
    SAID_JUNK   /* FRAME_JUNK                                                              */
};

enum {
    HEAD_MAX = 64 << 10, /* of a row that was too long                                */
    OPENING_MAX = 4096,  /* of white space in {"results":[                            */
    HELD_MAX = 8 << 20,  /* bytes of rows that wait for a position                    */
    STRAY_MAX = 3        /* heartbeats within a row: its end will not come            */
};

void frame_init(struct frame *frame, tr_str since, size_t max_row)
{
    *frame = (struct frame){.max_row = max_row, .pending = -1};
    buf_add_str(&frame->position, since);
}

static void drop_all(struct frame *frame)
{
    segment_unref(frame->open);
    frame->open = NULL;
    frame->known = 0;
    chunk_unref(frame->chunk);
    frame->chunk = NULL;
    frame->at = frame->seen = 0;
    frame->split = frame->cutting = frame->line_known = false;
    frame->skip = (struct json_skip){0};
    frame->stray = 0;
}

void frame_fini(struct frame *frame)
{
    drop_all(frame);
    buf_fini(&frame->position);
    buf_fini(&frame->last_seq);
}

void frame_begin(struct frame *frame, bool hold)
{
    drop_all(frame);
    buf_clear(&frame->last_seq);
    frame->hold = hold;
    frame->place = AT_START;
    frame->pending = -1;
    frame->rows = 0;
}

/* ---- refusals ---- */

static enum frame_result result_of(const struct frame *frame)
{
    switch (frame->place) {
    case AT_END: return FRAME_CLOSED;
    case SAID_ERROR: return FRAME_ERROR;
    case SAID_JUNK: return FRAME_JUNK;
    default: return FRAME_MORE;
    }
}

/* What was met instead, as one short line. */
static void set_junk(struct frame *frame, struct error *error, const char *what, tr_str met)
{
    char shown[64];
    size_t n = met.len < sizeof(shown) - 1 ? met.len : sizeof(shown) - 1;

    for (size_t i = 0; i < n; i++)
        shown[i] = isprint((unsigned char)met.ptr[i]) ? met.ptr[i] : ' ';
    shown[n] = '\0';
    frame->place = SAID_JUNK;
    error_set(error, ERR_PROTOCOL,
              "the answer is no _changes feed: %s at \"%s\"; is there a proxy in between, or "
              "another server?",
              what, shown);
}

static void set_server_error(struct frame *frame, struct error *error,
                             const struct json_closing *closing)
{
    frame->place = SAID_ERROR;
    error_set(error, ERR_PROTOCOL, "the server broke the feed off: %.*s %.*s",
              (int)(closing->error.len < 100 ? closing->error.len : 100), closing->error.ptr,
              (int)(closing->reason.len < 300 ? closing->reason.len : 300),
              closing->reason.len ? closing->reason.ptr : "");
}

/* ---- rows into the open segment ---- */

static void ensure_open(struct frame *frame)
{
    if (!frame->open)
        frame->open = segment_new(buf_str(&frame->position), frame->room);
}

static void add_row(struct frame *frame, const tr_change *row)
{
    segment_add(frame->open, row, frame->chunk);
    frame->rows++;
    if (seq_is_known(row->seq))
        frame->known = frame->open->count;
}

/* A row that is too long: what its head tells. */
static void add_cut_row(struct frame *frame, tr_str head)
{
    tr_change row;

    ensure_open(frame);
    row = row_of_head(head, segment_arena(frame->open));
    add_row(frame, &row);
}

static size_t head_size(const struct frame *frame)
{
    return frame->max_row < ROW_HEAD_MAX ? frame->max_row : ROW_HEAD_MAX;
}

/* ---- one object ---- */

/* The closing object. One that has its results behind last_seq would lose them: refuse it. */
static void take_closing(struct frame *frame, tr_str object, const struct json_closing *closing,
                         struct error *error)
{
    double pending;
    tr_str results;

    if (frame->place == IN_ARRAY || !seq_is_known(closing->last_seq) ||
        json_get(object, STR("results"), &results)) {
        set_junk(frame, error, "an unusable last_seq", object);
        return;
    }
    if (json_number(closing->pending, &pending) && pending >= 0 && pending < 1e15)
        frame->pending = (int64_t)pending;
    buf_add_str(&frame->last_seq, closing->last_seq);
    frame->place = AT_END;
    frame->known = frame->open->count; /* also those that waited for a position */
}

static void take_object(struct frame *frame, enum json_row_result scan, const tr_change *row,
                        const struct json_closing *closing, size_t used, struct error *error)
{
    tr_str text = str_n(frame->chunk->data + frame->at, used);

    frame->at += used;
    frame->split = false;
    if (scan == JSON_ROW && frame->place == IN_TAIL)
        scan = JSON_OTHER;
    switch (scan) {
    case JSON_ROW:
        if (used > frame->max_row)
            add_cut_row(frame, str_n(text.ptr, head_size(frame)));
        else
            add_row(frame, row);
        break;
    case JSON_CLOSING: take_closing(frame, text, closing, error); break;
    case JSON_ERROR: set_server_error(frame, error, closing); break;
    default: set_junk(frame, error, "something that is no row", text); break;
    }
}

/* The first LF at or behind `at`, or the end of the bytes. Each byte is searched once. */
static size_t find_line_end(struct frame *frame, bool *ret_found)
{
    size_t used = frame->chunk->used;

    if (!frame->line_known || frame->line_end < frame->at) {
        const char *lf = memchr(frame->chunk->data + frame->at, '\n', used - frame->at);
        frame->line_end = lf ? (size_t)(lf - frame->chunk->data) : used;
        frame->line_known = true;
    }
    *ret_found = frame->line_end < used;
    return frame->line_end;
}

/* Goes on over a row that is not whole, line by line: a line cannot end within a string. NULL:
 * it needs more, or was junk (*ret_bad). */
static const char *skip_row(struct json_skip *skip, const char *from, const char *end,
                            bool *ret_bad)
{
    *ret_bad = false;
    while (from < end) {
        const char *lf = memchr(from, '\n', (size_t)(end - from));
        const char *stop = lf ? lf + 1 : end;
        const char *behind = json_skip_more(skip, from, stop);

        if (behind)
            return behind;
        if (lf && skip->in_string) {
            *ret_bad = true;
            return NULL;
        }
        from = stop;
    }
    return NULL;
}

/* From now on the row is only skipped; its head moves to a chunk of its own, so that the large
 * one can go. */
static void begin_cutting(struct frame *frame)
{
    size_t head = head_size(frame);
    struct chunk *chunk = chunk_new(head ? head : 1);

    memcpy(chunk->data, frame->chunk->data + frame->at, head);
    chunk->used = head;
    chunk_unref(frame->chunk);
    frame->chunk = chunk;
    frame->at = 0;
    frame->cutting = true;
}

/* Takes the object at `at`. False: it is not whole yet (or it was junk). */
static bool next_object(struct frame *frame, struct error *error)
{
    char *base = frame->chunk->data;
    size_t end = frame->chunk->used, used = 0;
    enum json_row_result scan;
    struct json_closing closing;
    const char *behind;
    tr_change row;
    bool line, bad;

    ensure_open(frame);
    if (!frame->split) {
        end = find_line_end(frame, &line);
        scan = json_row_scan(str_n(base + frame->at, end - frame->at),
                             segment_arena(frame->open), &row, &closing, &used);
        if (scan != JSON_MORE) {
            take_object(frame, scan, &row, &closing, used, error);
            return true;
        }
        FAILPOINT("feed.row.half");
        frame->split = true;
        frame->seen = frame->at;
        frame->skip = (struct json_skip){0};
        end = frame->chunk->used;
    }
    behind = skip_row(&frame->skip, base + frame->seen, base + end, &bad);
    if (bad) {
        set_junk(frame, error, "a row that does not end on its line",
                 str_n(base + frame->at, end - frame->at));
        return false;
    }
    frame->seen = end;
    if (!behind) {
        if (end - frame->at > frame->max_row && frame->place == IN_TAIL)
            set_junk(frame, error, "a closing without an end", str_n(base + frame->at, 60));
        else if (end - frame->at > frame->max_row)
            begin_cutting(frame);
        return false;
    }
    scan = json_row_scan(str_n(base + frame->at, (size_t)(behind - base) - frame->at),
                         segment_arena(frame->open), &row, &closing, &used);
    take_object(frame, scan == JSON_MORE ? JSON_JUNK : scan, &row, &closing,
                (size_t)(behind - base) - frame->at, error);
    return true;
}

/* ---- between objects ---- */

static const char *skip_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    return at;
}

/* {"results":[ with white space anywhere. 1: it is, and *ret_used long; 0: it is not; -1: it
 * can become so. */
static int match_opening(const char *at, const char *end, size_t *ret_used)
{
    static const char *const tokens[] = {"{", "\"results\"", ":", "["};
    const char *from = at;

    for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
        size_t len = strlen(tokens[i]), there;

        at = skip_space(at, end);
        there = (size_t)(end - at) < len ? (size_t)(end - at) : len;
        if (memcmp(at, tokens[i], there) != 0)
            return 0;
        if (there < len)
            return end - from > OPENING_MAX ? 0 : -1;
        at += len;
    }
    *ret_used = (size_t)(at - from);
    return 1;
}

/* The first byte that is no white space, at AT_START. False: more bytes are needed. */
static bool begin_answer(struct frame *frame, const char *at, const char *end)
{
    size_t used;

    switch (match_opening(at, end, &used)) {
    case 1:
        frame->place = IN_ARRAY;
        frame->at += used;
        return true;
    case 0: frame->place = IN_LINES; return true;
    default: return false;
    }
}

/* The byte behind "results":[…]. The comma belongs to no row: it becomes the brace that makes
 * an object of the members behind it. */
static void begin_tail(struct frame *frame, struct error *error)
{
    char *at = frame->chunk->data + frame->at;

    if (*at != ',') {
        set_junk(frame, error, "results without a last_seq", str_n(at, 1));
        return;
    }
    *at = '{';
    frame->place = IN_TAIL;
}

/* One step at `at`. False: more bytes are needed, or nothing more is taken. */
static bool step(struct frame *frame, struct error *error)
{
    const char *base = frame->chunk->data, *end = base + frame->chunk->used;
    const char *at = base + frame->at;

    if (!frame->split) {
        at = skip_space(at, end);
        while (frame->place == IN_ARRAY && at < end && *at == ',')
            at = skip_space(at + 1, end);
        frame->at = (size_t)(at - base);
    }
    if (at == end)
        return false;
    if (frame->place == AT_START)
        return begin_answer(frame, at, end);
    if (frame->place == AT_TAIL) {
        begin_tail(frame, error);
        return true;
    }
    if (*at == '{')
        return next_object(frame, error);
    if (*at == ']' && frame->place == IN_ARRAY) {
        frame->place = AT_TAIL;
        frame->at++;
        return true;
    }
    set_junk(frame, error, "something that is no row", str_n(at, (size_t)(end - at)));
    return false;
}

/* ---- bytes ---- */

/* Skips on in a row that is too long. The bytes behind it. */
static tr_str take_cut(struct frame *frame, tr_str bytes, struct error *error)
{
    bool bad;
    const char *behind = skip_row(&frame->skip, bytes.ptr, bytes.ptr + bytes.len, &bad);

    if (bad)
        set_junk(frame, error, "a row that does not end on its line",
                 str_n(frame->chunk->data, frame->chunk->used));
    if (!behind)
        return str_from(bytes, bytes.len);
    add_cut_row(frame, str_n(frame->chunk->data, frame->chunk->used));
    frame->at = frame->chunk->used;
    frame->split = frame->cutting = false;
    return str_from(bytes, (size_t)(behind - bytes.ptr));
}

/* How many bytes come at once. Where rows are handed in one by one, by a server that sends them
 * so, the last segment tells, or the one that is growing. */
static size_t flow_of(const struct frame *frame, size_t piece)
{
    size_t open = frame->open ? frame->open->bytes : 0;
    size_t most = open > frame->flow ? open : frame->flow;

    return piece > most ? piece : most;
}

/* Copies what fits into the chunk. The bytes behind it. */
static tr_str copy_in(struct frame *frame, tr_str bytes)
{
    size_t at = frame->at, n;

    frame->chunk = chunk_room(frame->chunk, &frame->at, flow_of(frame, bytes.len));
    if (frame->at != at) {
        frame->seen -= frame->split ? at : 0;
        frame->line_known = false;
    }
    n = frame->chunk->size - frame->chunk->used;
    if (n > bytes.len)
        n = bytes.len;
    if (frame->line_known && frame->line_end == frame->chunk->used)
        frame->line_known = false;
    memcpy(frame->chunk->data + frame->chunk->used, bytes.ptr, n);
    frame->chunk->used += n;
    return str_from(bytes, n);
}

/* White space alone, outside of a row, is a heartbeat: nothing to copy, and no reason to go on
 * pinning a chunk. */
static bool take_heartbeat(struct frame *frame, tr_str bytes, struct error *error)
{
    if (str_trim(bytes).len > 0) {
        frame->stray = 0;
        return false;
    }
    if (!frame->split && (!frame->chunk || frame->at == frame->chunk->used)) {
        chunk_unref(frame->chunk);
        frame->chunk = NULL;
        frame->at = 0;
        frame->line_known = false;
        return true;
    }
    /* A server writes a row at once. Heartbeats in the middle of one show that its end got
     * lost; they would keep the connection alive for ever. */
    if (frame->split && bytes.ptr[bytes.len - 1] == '\n' && bytes.len <= 2 &&
        ++frame->stray >= STRAY_MAX)
        set_junk(frame, error, "a row that stopped in its middle",
                 str_n(frame->chunk->data + frame->at, frame->chunk->used - frame->at));
    return false;
}

enum frame_result frame_take(struct frame *frame, tr_str bytes, struct error *error)
{
    if (bytes.len == 0 || result_of(frame) != FRAME_MORE || take_heartbeat(frame, bytes, error))
        return result_of(frame);
    while (bytes.len > 0 && result_of(frame) == FRAME_MORE) {
        if (frame->cutting) {
            bytes = take_cut(frame, bytes, error);
            continue;
        }
        bytes = copy_in(frame, bytes);
        while (result_of(frame) == FRAME_MORE && !frame->cutting && step(frame, error))
            ;
    }
    return result_of(frame);
}

/* ---- segments ---- */

static void move_to(struct frame *frame, tr_str position)
{
    buf_clear(&frame->position);
    buf_add_str(&frame->position, position);
}

/* How many rows can go, and the position behind them. */
static uint32_t count_ready(const struct frame *frame, tr_str *ret_last)
{
    const struct segment *segment = frame->open;
    uint32_t count = frame->known;

    if (!frame->hold || segment->bytes > HELD_MAX)
        count = segment->count;
    *ret_last = segment_before(segment, count);
    if (frame->place == AT_END && count > 0 && !seq_is_known(segment->rows[count - 1].seq))
        *ret_last = buf_str(&frame->last_seq);
    return count;
}

struct segment *frame_cut(struct frame *frame)
{
    struct segment *segment = frame->open;
    tr_str last;
    uint32_t count = segment ? count_ready(frame, &last) : 0;

    if (count > 0) {
        frame->open = count < segment->count ? segment_split(segment, count, last) : NULL;
        frame->known = 0;
        frame->room = count;
        frame->flow = segment->bytes;
        segment_finish(segment, last);
        move_to(frame, segment->last);
    } else if (segment && segment->count == 0) {
        segment_unref(segment);
        frame->open = NULL;
    }
    if (frame->place == AT_END) {
        move_to(frame, buf_str(&frame->last_seq));
        chunk_unref(frame->chunk);
        frame->chunk = NULL;
        frame->at = 0;
    }
    return count > 0 ? segment : NULL;
}
