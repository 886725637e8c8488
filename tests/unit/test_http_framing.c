/* SPDX-License-Identifier: Apache-2.0 */
/* http/framing.h: where an answer ends, and whether its connection may be used again. */
#include "http/framing.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct seen {
    int lines, heads;
    size_t take_most; /* of a body; 0: all                                                 */
    struct buf body;
};

static size_t see_line(char *line, size_t size, size_t count, void *data)
{
    struct seen *seen = data;

    assert_int_equal(line[size * count - 1], '\n');
    seen->lines++;
    return size * count;
}

static bool see_head(tr_str head, int status, void *data)
{
    struct seen *seen = data;

    assert_true(status >= 200 && str_ends(head, STR("\n\r\n")));
    seen->heads++;
    return true;
}

static size_t see_body(char *bytes, size_t size, size_t count, void *data)
{
    struct seen *seen = data;

    buf_add(&seen->body, bytes, size * count);
    return seen->take_most && seen->body.len > seen->take_most ? 0 : size * count;
}

static const struct http_framing_sink sink = {
    .line = see_line, .head = see_head, .body = see_body};

/* Feeds `answer` in pieces of `step` bytes; returns what is left over, or the error. */
static long feed(struct http_framing *framing, struct seen *seen, const char *answer,
                 size_t step)
{
    size_t len = strlen(answer), at = 0;

    while (at < len && framing->state != FRAMING_WHOLE) {
        size_t piece = step < len - at ? step : len - at, used;
        char *bytes = mem_alloc(piece); /* so that a byte too far is seen                  */
        int rc;

        memcpy(bytes, answer + at, piece);
        rc = http_framing_take(framing, &sink, seen, bytes, piece, &used);
        free(bytes);
        if (rc < 0)
            return rc;
        at += used;
    }
    return (long)(len - at);
}

struct expected {
    const char *answer;
    bool to_head, ends_by_close, keep;
    int status;
    const char *body;
    long left;
};

static void assert_framed(const struct expected *e, size_t step)
{
    struct http_framing framing = {0};
    struct seen seen = {0};
    long left;

    http_framing_reset(&framing, e->to_head);
    left = feed(&framing, &seen, e->answer, step);
    if (e->ends_by_close)
        assert_true(framing.state == FRAMING_TO_CLOSE && http_framing_end(&framing));
    assert_int_equal(framing.state, FRAMING_WHOLE);
    assert_int_equal(framing.status, e->status);
    assert_int_equal(framing.keep, e->keep);
    assert_int_equal(left, e->left);
    assert_string_equal(seen.body.ptr ? seen.body.ptr : "", e->body);
    buf_fini(&seen.body);
    http_framing_fini(&framing);
}

static void assert_all_framed(const struct expected *all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(all[i].answer);
        for (size_t step = 1; step <= len; step++) {
            struct expected e = all[i];
            /* What lies behind the end is left over only of the piece that had the end. */
            if (e.left > 0 && step < len)
                continue;
            assert_framed(&e, step);
        }
    }
}

static void an_answer_ends_where_its_head_says_however_it_is_cut(void **state)
{
    static const struct expected all[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", false, false, true, 200, "hello",
         0},
        {"HTTP/1.1 200 OK\r\ncontent-length:5\r\n\r\nhelloHTTP/1.1", false, false, true, 200,
         "hello", 8},
        {"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", false, false, true, 200, "", 0},
        {"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", false, false, true, 200, "", 0},
        {"HTTP/1.1 204 None\r\n\r\n", false, false, true, 204, "", 0},
        {"HTTP/1.1 204 None\r\nContent-Length: 0\r\n\r\n", false, false, true, 204, "", 0},
        {"HTTP/1.1 304 Same\r\n\r\n", false, false, true, 304, "", 0},
        {"HTTP/1.1 200 OK\r\n\r\n", true, false, true, 200, "", 0},
        {"HTTP/1.1 205 Reset\r\nContent-Length: 1\r\n\r\n!", false, false, true, 205, "!", 0},
        {"HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 103 Early\r\nLink: </a>\r\n\r\n"
         "HTTP/1.1 201 Made\r\nContent-Length: 2\r\n\r\nok",
         false, false, true, 201, "ok", 0},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
         "3\r\nabc\r\n00A;x=y\r\n0123456789\r\n0\r\nTrailer: 1\r\n\r\n",
         false, false, true, 200, "abc0123456789", 0},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1 \t\r\na\r\n0 ;x\r\n"
         "Content-Length: 9\r\n\r\n",
         false, false, true, 200, "a", 0},
        {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\n!", false,
         false, true, 200, "!", 0},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", false, false,
         true, 200, "ok", 0},
    };

    (void)state;
    assert_all_framed(all, sizeof(all) / sizeof(all[0]));
}

/* They end, but others could read another end into them, or the server closes. */
static void an_answer_that_is_in_doubt_spoils_its_connection(void **state)
{
    static const struct expected all[] = {
        /* lines that are cut elsewhere by whoever wants CR LF, or is content with CR */
        {"HTTP/1.1 200 OK\ncontent-length:5\n\nhello", false, false, false, 200, "hello", 0},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\n!", false, false, false, 200, "!", 0},
        {"HTTP/1.1 200 OK\r\nX: a\rContent-Length: 9\r\nContent-Length: 1\r\n\r\n!", false,
         false, false, 200, "!", 0},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;\na\r\n0\r\n\r\n", false,
         false, false, 200, "a", 0},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\n0\r\n\r\n", false, false,
         false, 200, "a", 0},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: a\n\r\n", false, false,
         false, 200, "", 0},
        /* names and values that some trim or join */
        {"HTTP/1.1 200 OK\r\nContent-Length : 9\r\nContent-Length: 1\r\n\r\n!", false, false,
         false, 200, "!", 0},
        {"HTTP/1.1 200 OK\r\nX: a\r\n Content-Length: 9\r\nContent-Length: 1\r\n\r\n!", false,
         false, false, 200, "!", 0},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n 9\r\n\r\n!", false, false, false, 200, "!",
         0},
        {"HTTP/1.1 200 OK\r\n: x\r\nContent-Length: 1\r\n\r\n!", false, false, false, 200, "!",
         0},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n!", false, false, false, 200, "!", 0},
        /* two opinions about the body */
        {"HTTP/1.1 200 OK\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n"
         "1\r\na\r\n0\r\n\r\n",
         false, false, false, 200, "a", 0},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"
         "1\r\na\r\n0\r\n\r\n",
         false, false, false, 200, "a", 0},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: x, chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", false,
         false, false, 200, "a", 0},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, x\r\n\r\nlonger", false, true, false,
         200, "longer", 0},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nContent-Length: 2\r\n\r\nlonger", false,
         true, false, 200, "longer", 0},
        {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n"
         "1\r\na\r\n0\r\n\r\n",
         false, false, false, 200, "a", 0},
        /* a body is announced that must not come */
        {"HTTP/1.1 204 None\r\nContent-Length: 7\r\n\r\n", false, false, false, 204, "", 0},
        {"HTTP/1.1 204 None\r\nTransfer-Encoding: chunked\r\n\r\n", false, false, false, 204,
         "", 0},
        {"HTTP/1.1 304 Same\r\nContent-Length: 7\r\n\r\n", false, false, false, 304, "", 0},
        {"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", true, false, false, 200, "", 0},
        {"HTTP/1.1 103 Early\r\nContent-Length: 9\r\n\r\n"
         "HTTP/1.1 201 Made\r\nContent-Length: 2\r\n\r\nok",
         false, false, false, 201, "ok", 0},
        /* the server closes */
        {"HTTP/1.1 500 Bad\r\nConnection: x, Close\r\nContent-Length: 1\r\n\r\n!", false, false,
         false, 500, "!", 0},
        {"HTTP/1.1 200 OK\r\nConnection: close\r\nConnection: keep-alive\r\n"
         "Content-Length: 1\r\n\r\n!",
         false, false, false, 200, "!", 0},
        {"HTTP/1.1 100 Go on\r\nConnection: close\r\n\r\n"
         "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n!",
         false, false, false, 200, "!", 0},
        {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n!", false, false, false, 200, "!", 0},
        {"HTTP/1.1 200 OK\r\n\r\nto the end", false, true, false, 200, "to the end", 0},
    };

    (void)state;
    assert_all_framed(all, sizeof(all) / sizeof(all[0]));
}

static void what_is_no_answer_of_http_1_is_refused_however_it_is_cut(void **state)
{
    static const char *const all[] = {
        "HTTP/2 200\r\n\r\n",
        "HTTP/1.2 200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
        "\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/1.1 101 Other\r\nUpgrade: h2c\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n!",
        "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1 1\r\n\r\n!",
        "HTTP/1.1 200 OK\r\nHTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n12",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1 2\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        for (size_t step = 1; step <= strlen(all[i]); step++) {
            struct http_framing framing = {0};
            struct seen seen = {0};
            assert_int_equal(feed(&framing, &seen, all[i], step), FRAMING_NOT_HTTP);
            buf_fini(&seen.body);
            http_framing_fini(&framing);
        }
}

static void a_head_without_end_is_refused(void **state)
{
    struct http_framing framing = {0};
    struct seen seen = {0};
    int rounds = 0;
    long rc = feed(&framing, &seen, "HTTP/1.1 200 OK\r\n", 100);

    (void)state;
    while (rc == 0 && rounds++ < 100000)
        rc = feed(&framing, &seen, "X-Again: and again\r\n", 100);
    assert_int_equal(rc, FRAMING_NOT_HTTP);
    http_framing_reset(&framing, false);
    for (rc = 0, rounds = 0; rc == 0 && rounds++ < 100000;)
        rc = feed(&framing, &seen, "no line end here", 100);
    assert_int_equal(rc, FRAMING_NOT_HTTP);
    http_framing_reset(&framing, false);
    for (rc = 0, rounds = 0; rc == 0 && rounds++ < 100000;)
        rc = feed(&framing, &seen, "HTTP/1.1 100 Go on\r\n\r\n", 100);
    assert_int_equal(rc, FRAMING_NOT_HTTP);
    http_framing_fini(&framing);
}

static void many_small_chunks_are_no_long_head(void **state)
{
    struct http_framing framing = {0};
    struct seen seen = {0};

    (void)state;
    assert_int_equal(
        feed(&framing, &seen, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 100), 0);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(feed(&framing, &seen, "1\r\na\r\n", 100), 0);
    assert_int_equal(seen.body.len, 100000);
    buf_fini(&seen.body);
    http_framing_fini(&framing);
}

static void an_end_before_its_time_is_no_whole_answer(void **state)
{
    static const char *const all[] = {
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
        "HTTP/1.1 100 Go on\r\n\r\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        struct http_framing framing = {0};
        struct seen seen = {0};
        assert_int_equal(feed(&framing, &seen, all[i], 1000), 0);
        assert_false(http_framing_end(&framing));
        buf_fini(&seen.body);
        http_framing_fini(&framing);
    }
}

/* ---- what is remembered ---- */

/* How often a head was known, of two answers that are cut into pieces of `step` bytes. */
static int known_heads(const char *first, const char *second, size_t step,
                       struct http_framing *ret_framing)
{
    struct http_framing_memory memory = {0};
    struct http_framing framing = {.memory = &memory};
    struct seen seen = {0};

    assert_true(feed(&framing, &seen, first, strlen(first)) >= 0);
    http_framing_reset(&framing, false);
    assert_true(feed(&framing, &seen, second, step) >= 0);
    buf_fini(&seen.body);
    buf_fini(&framing.line);
    *ret_framing = framing;
    http_framing_memory_fini(&memory);
    return seen.heads;
}

static void a_head_that_came_before_means_the_same_again(void **state)
{
    static const char *const all[] = {
        "HTTP/1.1 204 None\r\nServer: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\nX: y\r\n\r\n!",
        "HTTP/1.0 503 No\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nno",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\nto the end",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        struct http_framing known, new;

        assert_int_equal(known_heads(all[i], all[i], strlen(all[i]), &known), 1);
        assert_int_equal(known_heads("HTTP/1.1 200 OK\r\n\r\n", all[i], 7, &new), 0);
        assert_int_equal(known.state, new.state);
        assert_int_equal(known.status, new.status);
        assert_int_equal(known.keep, new.keep);
        assert_int_equal(known.left, new.left);
    }
}

static void another_head_is_read_as_a_new_one(void **state)
{
    static const char known[] = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n!";
    static const char *const others[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n!!",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\n!",
        "HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n!",
    };
    struct http_framing framing;

    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_int_equal(known_heads(known, others[i], strlen(others[i]), &framing), 0);
    assert_int_equal(known_heads(others[2], known, strlen(known), &framing), 0);
    assert_int_equal(known_heads(known, others[1], strlen(others[1]), &framing), 0);
    assert_false(framing.keep);
    assert_int_equal(known_heads(known, known, 10, &framing), 0); /* it came in pieces       */
}

static void an_answer_to_head_is_not_taken_for_one_with_a_body(void **state)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: x\r\n\r\n";
    struct http_framing_memory memory = {0};
    struct http_framing framing = {.memory = &memory};
    struct seen seen = {0};

    (void)state;
    http_framing_reset(&framing, true);
    assert_int_equal(feed(&framing, &seen, answer, sizeof(answer)), 0);
    assert_int_equal(framing.state, FRAMING_WHOLE);
    http_framing_reset(&framing, false);
    assert_int_equal(feed(&framing, &seen, answer, sizeof(answer)), 0);
    assert_int_equal(framing.state, FRAMING_TO_CLOSE);
    assert_int_equal(seen.heads, 0);
    http_framing_fini(&framing);
    http_framing_memory_fini(&memory);
}

static void whoever_gets_the_body_may_stop_it(void **state)
{
    struct http_framing framing = {0};
    struct seen seen = {.take_most = 3};

    (void)state;
    assert_int_equal(
        feed(&framing, &seen, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 1000),
        FRAMING_STOPPED);
    buf_fini(&seen.body);
    http_framing_fini(&framing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_ends_where_its_head_says_however_it_is_cut),
        cmocka_unit_test(an_answer_that_is_in_doubt_spoils_its_connection),
        cmocka_unit_test(what_is_no_answer_of_http_1_is_refused_however_it_is_cut),
        cmocka_unit_test(a_head_without_end_is_refused),
        cmocka_unit_test(many_small_chunks_are_no_long_head),
        cmocka_unit_test(an_end_before_its_time_is_no_whole_answer),
        cmocka_unit_test(a_head_that_came_before_means_the_same_again),
        cmocka_unit_test(another_head_is_read_as_a_new_one),
        cmocka_unit_test(an_answer_to_head_is_not_taken_for_one_with_a_body),
        cmocka_unit_test(whoever_gets_the_body_may_stop_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
