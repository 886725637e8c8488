/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Framing: what servers send, cut into pieces anywhere, gives the same rows; an answer that
 * breaks off anywhere gives each row once after the next one.
 */
#include "feed/frame.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { MAX_ROW = 1 << 20 };

/* "id@seq " of each row, " |last" behind each segment unless in `plain`. */
struct got {
    struct buf rows;
    uint32_t cut;
    bool plain;
};

static void collect(struct got *got, struct frame *frame)
{
    struct segment *segment = frame_cut(frame);

    if (!segment)
        return;
    assert_true(segment->count > 0);
    assert_true(seq_is_known(segment->last));
    assert_true(seq_is_known(segment->since));
    for (uint32_t i = 0; i < segment->count; i++) {
        const tr_change *row = &segment->rows[i];
        buf_addf(&got->rows, "%.*s@%.*s ", STR_ARG(row->id), (int)row->seq.len,
                 row->seq.len ? row->seq.ptr : "");
        got->cut += (row->flags & FEED_ROW_CUT) != 0;
    }
    if (!got->plain)
        buf_addf(&got->rows, "|%.*s ", STR_ARG(segment->last));
    assert_true(str_eq(segment->last, buf_str(&frame->position)) || frame->last_seq.len > 0);
    segment_unref(segment);
}

static enum frame_result take(struct frame *frame, tr_str text, size_t piece, struct got *got)
{
    enum frame_result result = FRAME_MORE;
    struct error error = {0};

    for (size_t at = 0; at < text.len && result == FRAME_MORE; at += piece) {
        size_t n = text.len - at < piece ? text.len - at : piece;
        /* On the heap and of the very size, so that a sanitizer sees a read beyond. */
        char *copy = mem_alloc(n);
        memcpy(copy, text.ptr + at, n);
        result = frame_take(frame, str_n(copy, n), &error);
        memset(copy, 'X', n);
        free(copy);
        collect(got, frame);
    }
    if (result == FRAME_ERROR || result == FRAME_JUNK)
        assert_int_equal(error.code, ERR_PROTOCOL);
    return result;
}

static void expect_pieces(tr_str text, size_t piece, enum frame_result result, const char *rows,
                          const char *position)
{
    struct frame frame;
    struct got got = {.plain = true};

    frame_init(&frame, STR("0"), MAX_ROW);
    frame_begin(&frame, true);
    assert_int_equal(take(&frame, text, piece, &got), result);
    assert_string_equal(got.rows.ptr ? got.rows.ptr : "", rows);
    assert_string_equal(frame.position.ptr, position);
    frame_fini(&frame);
    buf_fini(&got.rows);
}

/* In one piece, in pieces of every size, and in two pieces cut at every place. */
static void expect(tr_str text, enum frame_result result, const char *rows,
                   const char *position)
{
    for (size_t piece = 1; piece <= text.len; piece++)
        expect_pieces(text, piece, result, rows, position);
    for (size_t at = 1; at < text.len; at++) {
        struct frame frame;
        struct got got = {.plain = true};

        frame_init(&frame, STR("0"), MAX_ROW);
        frame_begin(&frame, true);
        if (take(&frame, str_n(text.ptr, at), at, &got) == FRAME_MORE)
            assert_int_equal(take(&frame, str_from(text, at), text.len, &got), result);
        assert_string_equal(got.rows.ptr ? got.rows.ptr : "", rows);
        assert_string_equal(frame.position.ptr, position);
        frame_fini(&frame);
        buf_fini(&got.rows);
    }
}

#define ROW_B "{\"seq\":\"2-g1AA\",\"id\":\"b\",\"changes\":[{\"rev\":\"2-d0\"}]}"
#define ROW_C                                                                                  \
    "{\"seq\":\"4-g1AA\",\"id\":\"c\",\"changes\":[{\"rev\":\"2-d9\"}],\"deleted\":true}"
#define ROW_F                                                                                  \
    "{\"seq\":\"5-g1AA\",\"id\":\"f\",\"changes\":[{\"rev\":\"2-bb\"}],\"doc\":{\"_id\":"      \
    "\"f\",\"t\":\"a]}\\\"{[\\\\\"}}"
#define ROWS_BCF "b@\"2-g1AA\" c@\"4-g1AA\" f@\"5-g1AA\" "

static void normal_pages_are_framed_wherever_they_are_cut(void **state)
{
    (void)state;
    expect(STR("{\"results\":[\n" ROW_B ",\r\n" ROW_C ",\r\n" ROW_F
               "\n],\n\"last_seq\":\"5-g1AA\",\"pending\":8}\n\n"),
           FRAME_CLOSED, ROWS_BCF, "\"5-g1AA\"");
}

static void empty_pages_move_the_position_only(void **state)
{
    (void)state;
    expect(STR("{\"results\":[\n\n],\n\"last_seq\":\"0-g1AA\",\"pending\":8}\n\n"),
           FRAME_CLOSED, "", "\"0-g1AA\"");
    expect(STR("{\"results\":[\n\n\n],\n\"last_seq\":\"12-g1AA\",\"pending\":0}\n\n"),
           FRAME_CLOSED, "", "\"12-g1AA\"");
}

static void continuous_feeds_are_framed_wherever_they_are_cut(void **state)
{
    (void)state;
    expect(STR("\n" ROW_B "\n\n\n" ROW_C "\r\n\r\n" ROW_F
               "\n{\"last_seq\":\"6-g1AA\",\"pending\":9}\n\n"),
           FRAME_CLOSED, ROWS_BCF, "\"6-g1AA\"");
}

static void a_page_on_one_line_is_framed(void **state)
{
    (void)state;
    expect(STR("{\"results\":[" ROW_B "," ROW_C "," ROW_F
               "],\"last_seq\":\"5-g1AA\",\"pending\":8}"),
           FRAME_CLOSED, ROWS_BCF, "\"5-g1AA\"");
}

static void a_pretty_printed_page_is_framed(void **state)
{
    (void)state;
    expect(
        STR("\r\n { \"results\" : [\n  {\n    \"seq\": 1,\r\n    \"id\": \"b\",\n    "
            "\"changes\": [ {\n \"rev\": \"1-a\" } ]\n  },\n\n  {\n    \"seq\": 2,\n    "
            "\"id\": \"c\",\n \"changes\": []\n  }\n ]\n ,\n \"pending\" : 0,\n \"last_seq\" "
            ": 2\n}\n"),
        FRAME_CLOSED, "b@1 c@2 ", "2");
}

static void seqs_of_any_kind_are_kept_as_they_are(void **state)
{
    (void)state;
    expect(STR("{\"seq\":7,\"id\":\"a\",\"changes\":[]}\n"
               "{\"seq\":[3,\"x\"],\"id\":\"b\",\"changes\":[]}\n"
               "{\"seq\":{\"a\":1},\"id\":\"c\",\"changes\":[]}\n"),
           FRAME_MORE, "a@7 b@[3,\"x\"] c@{\"a\":1} ", "{\"a\":1}");
}

static void rows_without_a_seq_wait_for_a_position(void **state)
{
    struct frame frame;
    struct got got = {0};

    (void)state;
    frame_init(&frame, STR("\"0\""), MAX_ROW);
    frame_begin(&frame, true);
    take(&frame, STR("{\"results\":[\n{\"seq\":null,\"id\":\"a\",\"changes\":[]},\n"), 1000,
         &got);
    assert_null(got.rows.ptr);
    take(&frame,
         STR("{\"seq\":\"2\",\"id\":\"b\",\"changes\":[]},\n{\"seq\":null,\"id\":"
             "\"c\\u0041\",\"changes\":[{\"rev\":\"1-\\u0061\"}]},\n"),
         1000, &got);
    assert_string_equal(got.rows.ptr, "a@null b@\"2\" |\"2\" ");
    take(&frame, STR("{\"seq\":null,\"id\":\"d\",\"changes\":[]}\n],\n\"last_seq\":\"4\"}"),
         1000, &got);
    assert_string_equal(got.rows.ptr, "a@null b@\"2\" |\"2\" cA@null d@null |\"4\" ");
    assert_string_equal(frame.position.ptr, "\"4\"");
    frame_fini(&frame);
    buf_fini(&got.rows);
}

static void rows_that_waited_are_dropped_with_the_answer(void **state)
{
    struct frame frame;
    struct got got = {0};

    (void)state;
    frame_init(&frame, STR("0"), MAX_ROW);
    frame_begin(&frame, true);
    take(&frame,
         STR("{\"results\":[\n{\"seq\":1,\"id\":\"a\",\"changes\":[]},\n{\"seq\":null,"
             "\"id\":\"b\",\"changes\":[]},\n"),
         7, &got);
    frame_begin(&frame, true);
    take(&frame,
         STR("{\"results\":[\n{\"seq\":null,\"id\":\"b\",\"changes\":[]}],\"last_seq\":2}"), 7,
         &got);
    assert_string_equal(got.rows.ptr, "a@1 |1 b@null |2 ");
    frame_fini(&frame);
    buf_fini(&got.rows);
}

static void a_live_row_without_a_seq_leaves_the_position(void **state)
{
    struct frame frame;
    struct got got = {0};

    (void)state;
    frame_init(&frame, STR("0"), MAX_ROW);
    frame_begin(&frame, false);
    take(&frame, STR("{\"seq\":null,\"id\":\"a\",\"changes\":[]}\n"), 1000, &got);
    take(&frame,
         STR("{\"seq\":3,\"id\":\"b\",\"changes\":[]}\n{\"id\":\"c\",\"changes\":[]}\n"), 1000,
         &got);
    assert_string_equal(got.rows.ptr, "a@null |0 b@3 c@ |3 ");
    frame_fini(&frame);
    buf_fini(&got.rows);
}

/* ---- answers that are none ---- */

static void junk_is_a_protocol_error(void **state)
{
    (void)state;
    expect(STR("<html><body>502 Bad Gateway</body></html>"), FRAME_JUNK, "", "0");
    expect(STR("hello"), FRAME_JUNK, "", "0");
    expect(STR("[1,2,3]\n"), FRAME_JUNK, "", "0");
    expect(STR("{\"couchdb\":\"Welcome\"}\n"), FRAME_JUNK, "", "0");
    expect(STR(ROW_B "\n<html>\n"), FRAME_JUNK, "b@\"2-g1AA\" ", "\"2-g1AA\"");
    expect(STR("{\"results\":[\n" ROW_B ",\r\n!" ROW_C), FRAME_JUNK, "b@\"2-g1AA\" ",
           "\"2-g1AA\"");
}

static void an_error_in_place_of_a_row_is_one(void **state)
{
    (void)state;
    expect(STR("{\"error\":\"timeout\",\"reason\":\"too slow\"}\n"), FRAME_ERROR, "", "0");
    expect(STR("{\"results\":[\n" ROW_B ",\r\n\n{\"error\":\"x\",\"reason\":\"y\"}\n"),
           FRAME_ERROR, "b@\"2-g1AA\" ", "\"2-g1AA\"");
}

static void a_page_without_a_usable_last_seq_is_not_closed(void **state)
{
    (void)state;
    expect(STR("{\"results\":[\n" ROW_B "\n]}\n"), FRAME_JUNK, "b@\"2-g1AA\" ", "\"2-g1AA\"");
    expect(STR("{\"results\":[\n],\"last_seq\":null}\n"), FRAME_JUNK, "", "0");
    expect(STR("{\"results\":[\n],\n\"last_seq\":\"5\",\"pend"), FRAME_MORE, "", "0");
    /* Taken for a closing line, it would lose its rows. */
    expect(STR("{\"last_seq\":\"5\",\"results\":[" ROW_B "]}"), FRAME_JUNK, "", "0");
}

static void a_row_that_is_left_open_swallows_no_other(void **state)
{
    (void)state;
    expect(STR("{\"seq\":1,\"id\":\"a\",\"changes\":[],\"doc\":{\"x\":\"y}}\n" ROW_B "\n" ROW_C
               "\n"),
           FRAME_JUNK, "", "0");
}

static void heartbeats_in_the_middle_of_a_row_end_the_wait(void **state)
{
    struct frame frame;
    struct got got = {0};
    struct error error;

    (void)state;
    frame_init(&frame, STR("0"), MAX_ROW);
    frame_begin(&frame, false);
    take(&frame, STR(ROW_B "\n{\"seq\":5,\"id\":"), 1000, &got);
    assert_int_equal(frame_take(&frame, STR("\n"), &error), FRAME_MORE);
    assert_int_equal(frame_take(&frame, STR("\n"), &error), FRAME_MORE);
    assert_int_equal(frame_take(&frame, STR("\n"), &error), FRAME_JUNK);
    assert_int_equal(frame_take(&frame, STR("\n"), &error), FRAME_JUNK);
    frame_fini(&frame);
    buf_fini(&got.rows);
}

static void an_idle_feed_holds_no_memory(void **state)
{
    struct frame frame;
    struct got got = {0};

    (void)state;
    frame_init(&frame, STR("0"), MAX_ROW);
    frame_begin(&frame, false);
    take(&frame, STR(ROW_B "\n"), 1000, &got);
    take(&frame, STR("\n"), 1000, &got);
    assert_null(frame.chunk);
    assert_null(frame.open);
    frame_fini(&frame);
    buf_fini(&got.rows);
}

/* ---- cut connections ---- */

enum { ROWS = 9 };

/* What a server would answer: rows from..ROWS-1, a seq at every `interval`th and null else. */
static void serve(struct buf *out, int from, int interval, bool lines)
{
    buf_clear(out);
    if (!lines)
        buf_add_c(out, "{\"results\":[\n");
    for (int i = from; i < ROWS; i++) {
        if ((i + 1) % interval == 0)
            buf_addf(out, "{\"seq\":%d", i + 1);
        else
            buf_add_c(out, "{\"seq\":null");
        buf_addf(out, ",\"id\":\"r%d\",\"changes\":[{\"rev\":\"1-%d\"}],\"doc\":{\"n\":%d}}%s",
                 i, i, i,
                 lines          ? "\n"
                 : i + 1 < ROWS ? ",\r\n"
                                : "\n");
    }
    buf_addf(out,
             lines ? "{\"last_seq\":%d,\"pending\":0}\n\n"
                   : "],\n\"last_seq\":%d,\"pending\":0}\n\n",
             ROWS);
}

/* Each answer is cut after `length` bytes more than the last one, until one is whole. */
static void cut_and_resume(int interval, bool lines, size_t length, size_t piece)
{
    struct frame frame;
    struct got got = {.plain = true};
    struct buf answer = {0}, ids = {0}, expected = {0};
    enum frame_result result = FRAME_MORE;

    frame_init(&frame, STR("0"), MAX_ROW);
    while (result != FRAME_CLOSED) {
        size_t n;
        serve(&answer, atoi(frame.position.ptr), interval, lines);
        n = answer.len < length ? answer.len : length;
        frame_begin(&frame, !lines);
        result = take(&frame, str_n(answer.ptr, n), piece, &got);
        length += 11;
    }
    for (int i = 0; i < ROWS; i++)
        buf_addf(&expected, "r%d ", i);
    for (char *at = got.rows.ptr; *at; at++) {
        const char *seq = strchr(at, '@');
        buf_add(&ids, at, (size_t)(seq - at));
        buf_add_char(&ids, ' ');
        at = strchr(at, ' ');
    }
    assert_string_equal(ids.ptr, expected.ptr);
    assert_int_equal(atoi(frame.position.ptr), ROWS);
    frame_fini(&frame);
    buf_fini(&got.rows);
    buf_fini(&answer);
    buf_fini(&ids);
    buf_fini(&expected);
}

static void a_cut_at_any_byte_loses_and_repeats_nothing(void **state)
{
    struct buf whole = {0};

    (void)state;
    serve(&whole, 0, 1, false);
    for (size_t length = 0; length <= whole.len; length++) {
        cut_and_resume(1, false, length, 4096);
        cut_and_resume(1, true, length, 4096);
        cut_and_resume(4, false, length, 4096);
        cut_and_resume(4, false, length, 7);
        cut_and_resume(100, false, length, 13);
    }
    buf_fini(&whole);
}

/* ---- large rows, many rows ---- */

static void write_row(struct buf *out, int n, size_t filler)
{
    buf_addf(out,
             "{\"seq\":%d,\"id\":\"r%d\",\"changes\":[{\"rev\":\"1-a\"}],\"doc\":{\"x\":\"", n,
             n);
    memset(buf_reserve(out, filler), 'x', filler);
    out->len += filler;
    buf_add_c(out, "\"}}\n");
}

static void rows_longer_than_the_bound_are_cut_and_the_rest_is_whole(void **state)
{
    static const size_t pieces[] = {1000, 65536, 300000, 4 << 20};
    struct buf feed = {0};

    (void)state;
    write_row(&feed, 1, 10);
    write_row(&feed, 2, 2 << 20);
    write_row(&feed, 3, 900000);
    write_row(&feed, 4, (1 << 20) + 1);
    write_row(&feed, 5, 10);
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        struct frame frame;
        struct got got = {.plain = true};

        frame_init(&frame, STR("0"), MAX_ROW);
        frame_begin(&frame, false);
        take(&frame, buf_str(&feed), pieces[i], &got);
        assert_string_equal(got.rows.ptr, "r1@1 r2@2 r3@3 r4@4 r5@5 ");
        assert_int_equal(got.cut, 2);
        frame_fini(&frame);
        buf_fini(&got.rows);
    }
    buf_fini(&feed);
}

static void a_cut_row_tells_what_its_head_holds(void **state)
{
    struct buf feed = {0};
    struct frame frame;
    struct segment *segment;
    struct error error;

    (void)state;
    write_row(&feed, 7, 2 << 20);
    frame_init(&frame, STR("0"), MAX_ROW);
    frame_begin(&frame, false);
    assert_int_equal(frame_take(&frame, buf_str(&feed), &error), FRAME_MORE);
    segment = frame_cut(&frame);
    assert_int_equal(segment->count, 1);
    assert_int_equal(segment->rows[0].flags, FEED_ROW_CUT);
    assert_int_equal(segment->rows[0].raw.len, 64 << 10);
    assert_int_equal(segment->rows[0].doc.len, 0);
    assert_true(str_eq(segment->rows[0].id, STR("r7")));
    assert_true(str_eq(segment->rows[0].rev, STR("1-a")));
    assert_true(str_eq(segment->rows[0].revs, STR("[{\"rev\":\"1-a\"}]")));
    assert_true(str_eq(segment->last, STR("7")));
    segment_unref(segment);
    frame_fini(&frame);
    buf_fini(&feed);
}

static void segments_outlive_the_frame_and_those_behind_them(void **state)
{
    enum { N = 2000, KEPT = 64 };
    struct segment *kept[KEPT] = {0};
    struct buf feed = {0};
    struct frame frame;
    struct error error;
    int n = 0, row = 0;

    (void)state;
    for (int i = 0; i < N; i++)
        write_row(&feed, i, (size_t)(i % 97) * 20);
    frame_init(&frame, STR("0"), MAX_ROW);
    frame_begin(&frame, false);
    for (size_t at = 0; at < feed.len; at += 60000) {
        size_t len = feed.len - at < 60000 ? feed.len - at : 60000;
        assert_int_equal(frame_take(&frame, str_n(feed.ptr + at, len), &error), FRAME_MORE);
        kept[n++] = frame_cut(&frame);
        assert_true(n < KEPT);
    }
    frame_fini(&frame);
    for (int i = 0; i < n; i++) {
        for (uint32_t r = 0; r < kept[i]->count; r++, row++) {
            char id[16];
            snprintf(id, sizeof(id), "r%d", row);
            assert_true(str_eq(kept[i]->rows[r].id, str_c(id)));
            assert_true(str_ends(kept[i]->rows[r].raw, STR("\"}}")));
        }
        segment_unref(kept[i]);
    }
    assert_int_equal(row, N);
    buf_fini(&feed);
}

static void rows_that_wait_are_bounded_in_bytes(void **state)
{
    struct buf row = {0};
    struct frame frame;
    struct segment *segment = NULL;
    struct error error;

    (void)state;
    buf_add_c(&row, "{\"seq\":null,\"id\":\"a\",\"changes\":[],\"doc\":{\"x\":\"");
    memset(buf_reserve(&row, 500000), 'x', 500000);
    row.len += 500000;
    buf_add_c(&row, "\"}}\n");
    frame_init(&frame, STR("5"), MAX_ROW);
    frame_begin(&frame, true);
    for (int i = 0; i < 40 && !segment; i++) {
        assert_int_equal(frame_take(&frame, buf_str(&row), &error), FRAME_MORE);
        segment = frame_cut(&frame);
    }
    assert_non_null(segment);
    assert_true(str_eq(segment->last, STR("5")));
    segment_unref(segment);
    frame_fini(&frame);
    buf_fini(&row);
}

/* ---- segments by themselves ---- */

static void the_position_before_a_row_is_never_null(void **state)
{
    struct segment *segment = segment_new(STR("\"s\""), 4);
    tr_change row = {.seq = STR("null")};

    (void)state;
    segment_add(segment, &row, NULL);
    row.seq = STR("7");
    segment_add(segment, &row, NULL);
    row.seq = (tr_str){0};
    segment_add(segment, &row, NULL);
    segment_finish(segment, STR("9"));
    assert_true(str_eq(segment_before(segment, 0), STR("\"s\"")));
    assert_true(str_eq(segment_before(segment, 1), STR("\"s\"")));
    assert_true(str_eq(segment_before(segment, 2), STR("7")));
    assert_true(str_eq(segment_before(segment, 3), STR("7")));
    segment_unref(segment);
}

static void one_row_makes_a_segment_of_its_own(void **state)
{
    char text[] = "  " ROW_F " \r\n";
    struct segment *segment = segment_of_row(str_c(text), STR("\"9-x\""));

    (void)state;
    memset(text, 'X', sizeof(text));
    assert_int_equal(segment->count, 1);
    assert_true(str_eq(segment->rows[0].raw, STR(ROW_F)));
    assert_true(str_eq(segment->rows[0].id, STR("f")));
    segment_unref(segment);
    assert_null(segment_of_row(STR("{\"last_seq\":1}"), STR("0")));
    assert_null(segment_of_row(STR(ROW_B ROW_B), STR("0")));
    assert_null(segment_of_row(STR(""), STR("0")));
    segment_unref(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(normal_pages_are_framed_wherever_they_are_cut),
        cmocka_unit_test(empty_pages_move_the_position_only),
        cmocka_unit_test(continuous_feeds_are_framed_wherever_they_are_cut),
        cmocka_unit_test(a_page_on_one_line_is_framed),
        cmocka_unit_test(a_pretty_printed_page_is_framed),
        cmocka_unit_test(seqs_of_any_kind_are_kept_as_they_are),
        cmocka_unit_test(rows_without_a_seq_wait_for_a_position),
        cmocka_unit_test(rows_that_waited_are_dropped_with_the_answer),
        cmocka_unit_test(a_live_row_without_a_seq_leaves_the_position),
        cmocka_unit_test(junk_is_a_protocol_error),
        cmocka_unit_test(an_error_in_place_of_a_row_is_one),
        cmocka_unit_test(a_page_without_a_usable_last_seq_is_not_closed),
        cmocka_unit_test(a_row_that_is_left_open_swallows_no_other),
        cmocka_unit_test(heartbeats_in_the_middle_of_a_row_end_the_wait),
        cmocka_unit_test(an_idle_feed_holds_no_memory),
        cmocka_unit_test(a_cut_at_any_byte_loses_and_repeats_nothing),
        cmocka_unit_test(rows_longer_than_the_bound_are_cut_and_the_rest_is_whole),
        cmocka_unit_test(a_cut_row_tells_what_its_head_holds),
        cmocka_unit_test(segments_outlive_the_frame_and_those_behind_them),
        cmocka_unit_test(rows_that_wait_are_bounded_in_bytes),
        cmocka_unit_test(the_position_before_a_row_is_never_null),
        cmocka_unit_test(one_row_makes_a_segment_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
