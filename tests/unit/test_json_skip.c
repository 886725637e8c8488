/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a value is found wherever its bytes were cut. Every test runs on the code for this
 * machine and on the portable one, which is compiled in here once more under another name.
 */
#include "json/skip.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>

#include <cmocka.h>

const char *json_skip_portable(struct json_skip *skip, const char *at, const char *end);
#define json_skip_more json_skip_portable
#undef JSON_PORTABLE
#define JSON_PORTABLE
#include "json/skip.c"
#undef json_skip_more

typedef const char *(*skip_fn)(struct json_skip *, const char *, const char *);
static const skip_fn both[] = {json_skip_more, json_skip_portable};

#define SLASHES "\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\" /* 16 of them */
#define OPEN    "[[[[[[[[[[[[[[[["
#define CLOSE   "]]]]]]]]]]]]]]]]"

/* Whole values; nothing in front, nothing behind. */
static const char *const values[] = {
    "{}",
    "[]",
    "[[],{},[{}]]",
    "{\"a\":\"}\"}",
    "{\"a\":\"\\\"}\"}",
    "{\"a\":\"\\\\\"}",
    "{\"a\":\"\\\\\\\"}\"}",
    "[\"" SLASHES SLASHES SLASHES SLASHES "\\\"]}{\",1]",
    "{\"deep\":" OPEN OPEN OPEN OPEN "1" CLOSE CLOSE CLOSE CLOSE "}",
    ("{\"long\":\"no bracket in more than one block: no bracket in more than one block: "
     "[[[[[[[[[[{{{{{{{{{{ they stand in a string, and behind it comes the end\\\\\","
     "\"n\":-1.5e3}"),
    ("{\"_id\":\"e\",\"_rev\":\"1-bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\",\"v\":"
     "\"\xe2\x80\xa8\x7f\","
     "\"_conflicts\":[\"1-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"]}"),
};
enum { VALUES = sizeof(values) / sizeof(values[0]) };

static void assert_fresh(const struct json_skip *skip)
{
    assert_int_equal(skip->depth, 0);
    assert_int_equal(skip->in_string, 0);
    assert_int_equal(skip->escaped, 0);
}

static void a_whole_value_ends_behind_its_last_bracket(void **state)
{
    (void)state;
    for (int i = 0; i < VALUES; i++) {
        size_t len = strlen(values[i]);
        char text[1024];
        int n = snprintf(text, sizeof(text), "%s,\"next\":{}}]}", values[i]);

        for (int f = 0; f < 2; f++) {
            struct json_skip skip = {0};

            assert_ptr_equal(both[f](&skip, text, text + n), text + len);
            assert_fresh(&skip);
        }
    }
}

static void a_cut_at_any_two_places_changes_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < VALUES * 2; i++) {
        size_t len = strlen(values[i / 2]);
        char *text = malloc(len); /* an own block: a read behind it is seen by ASan */

        memcpy(text, values[i / 2], len);
        for (size_t a = 0; a < len; a++) {
            for (size_t b = a; b < len; b++) {
                struct json_skip skip = {0};

                assert_null(both[i % 2](&skip, text, text + a));
                assert_null(both[i % 2](&skip, text + a, text + b));
                assert_ptr_equal(both[i % 2](&skip, text + b, text + len), text + len);
            }
        }
        free(text);
    }
}

static void bytes_come_one_at_a_time(void **state)
{
    (void)state;
    for (int i = 0; i < VALUES * 2; i++) {
        const char *text = values[i / 2];
        size_t len = strlen(text);
        struct json_skip skip = {0};

        for (size_t at = 0; at + 1 < len; at++)
            assert_null(both[i % 2](&skip, text + at, text + at + 1));
        assert_ptr_equal(both[i % 2](&skip, text + len - 1, text + len), text + len);
        assert_fresh(&skip);
    }
}

static void no_bytes_need_more(void **state)
{
    (void)state;
    for (int f = 0; f < 2; f++) {
        struct json_skip skip = {0};

        assert_null(both[f](&skip, NULL, NULL));
        assert_fresh(&skip);
    }
}

static void depth_has_no_limit(void **state)
{
    const size_t depth = 3000000;
    char *text = malloc(depth * 2);

    (void)state;
    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    for (int f = 0; f < 2; f++) {
        struct json_skip skip = {0};

        assert_null(both[f](&skip, text, text + 2 * depth - 1));
        assert_int_equal(skip.depth, 1);
        assert_ptr_equal(both[f](&skip, text + 2 * depth - 1, text + 2 * depth),
                         text + 2 * depth);
    }
    free(text);
}

/* What skip.h says, a byte at a time. */
static const char *by_bytes(struct json_skip *skip, const char *at, const char *end)
{
    for (; at < end; at++) {
        uint8_t escaped = skip->escaped;

        skip->escaped = !escaped && *at == '\\';
        if (*at == '"' && !escaped)
            skip->in_string = !skip->in_string;
        if (skip->in_string)
            continue;
        if (*at == '{' || *at == '[')
            skip->depth++;
        if ((*at == '}' || *at == ']') && --skip->depth <= 0)
            return at + 1;
    }
    return NULL;
}

static void any_bytes_give_what_a_look_at_every_byte_gives(void **state)
{
    static const char letters[] = "\"\\[]{}[{x ";
    unsigned seed = 99;
    char text[300];

    (void)state;
    for (int round = 0; round < 60000; round++) {
        struct json_skip expected = {0}, skip = {0};
        size_t len = (size_t)round % sizeof(text), cut = len ? (size_t)round / 7 % len : 0;
        skip_fn fn = both[round % 2];
        const char *end, *seen;

        for (size_t i = 0; i < len; i++) {
            seed = seed * 1664525u + 1013904223u;
            text[i] = i == 0 ? '{' : letters[(seed >> 24) % (sizeof(letters) - 1)];
            if (seed & 1 << 16)
                text[i] = i == 0 ? '{' : '\\';
        }
        end = by_bytes(&expected, text, text + len);
        seen = fn(&skip, text, text + cut);
        if (!seen)
            seen = fn(&skip, text + cut, text + len);
        assert_ptr_equal(seen, end);
        if (end)
            continue;
        assert_int_equal(skip.depth, expected.depth);
        assert_int_equal(skip.in_string, expected.in_string);
        assert_int_equal(skip.escaped, expected.escaped);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_value_ends_behind_its_last_bracket),
        cmocka_unit_test(a_cut_at_any_two_places_changes_nothing),
        cmocka_unit_test(bytes_come_one_at_a_time),
        cmocka_unit_test(no_bytes_need_more),
        cmocka_unit_test(depth_has_no_limit),
        cmocka_unit_test(any_bytes_give_what_a_look_at_every_byte_gives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
