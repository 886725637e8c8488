/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON strings: what they mean, and how text is written as one.
 */
#include "json/value.h"

#include <stdarg.h>
#include <stdlib.h>

#include <setjmp.h>

#include <cmocka.h>

static struct arena arena;

static void assert_decodes(const char *raw, const char *text, size_t len)
{
    tr_str seen;

    assert_true(json_decode(str_c(raw), &arena, &seen));
    assert_int_equal(seen.len, len);
    if (len > 0)
        assert_memory_equal(seen.ptr, text, len);
}

static void assert_writes(const char *text, size_t len, const char *expected)
{
    struct buf out = {0};

    json_write_string(&out, str_n(text, len));
    assert_string_equal(out.ptr, expected);
    buf_fini(&out);
}

static void text_without_escapes_is_a_slice(void **state)
{
    tr_str raw = STR("\"caf\xc3\xa9 \xe2\x80\xa8 \x7f\""), text;

    (void)state;
    assert_true(json_decode(raw, &arena, &text));
    assert_ptr_equal(text.ptr, raw.ptr + 1);
    assert_int_equal(text.len, raw.len - 2);
    assert_decodes("\"\"", "", 0);
}

static void escapes_are_decoded(void **state)
{
    (void)state;
    assert_decodes("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8);
    assert_decodes("\"\\u0000\"", "\0", 1);
    assert_decodes("\"\\u007f\\u0080\\u07ff\"", "\x7f\xc2\x80\xdf\xbf", 5);
    assert_decodes("\"\\u0800\\uFFFF\"", "\xe0\xa0\x80\xef\xbf\xbf", 6);
    assert_decodes("\"\\ud800\\udc00\\uDBFF\\uDFFF\"", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 8);
}

static void a_lone_surrogate_becomes_the_replacement_character(void **state)
{
    (void)state;
    assert_decodes("\"\\ud800\"", "\xef\xbf\xbd", 3);
    assert_decodes("\"\\udc00x\"", "\xef\xbf\xbdx", 4);
    assert_decodes("\"\\ud800\\n\"", "\xef\xbf\xbd\n", 4);
    assert_decodes("\"\\ud800\\u0041\"",
                   "\xef\xbf\xbd"
                   "A",
                   4);
    assert_decodes("\"\\ud800\\ud800\\udc00\"", "\xef\xbf\xbd\xf0\x90\x80\x80", 7);
}

static void what_is_no_string_is_not_decoded(void **state)
{
    static const char *const wrong[] = {
        "",       "\"",      "a",         "\"a",         "a\"",    "\"a\"b",
        "\"\\\"", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\n\"", "\"a\"\"",
        " \"a\"", "\"a\" ",  "null",      "{}",
    };
    tr_str text = STR("before");

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (json_decode(str_c(wrong[i]), &arena, &text))
            fail_msg("decoded: %s", wrong[i]);
    }
    assert_false(json_decode((tr_str){0}, &arena, &text));
    assert_string_equal(text.ptr, "before");
}

static void text_is_written_with_the_escapes_it_needs(void **state)
{
    (void)state;
    assert_writes("", 0, "\"\"");
    assert_writes("plain", 5, "\"plain\"");
    assert_writes("a\"b\\c/d", 7, "\"a\\\"b\\\\c/d\"");
    assert_writes("\0\n\x1f", 3, "\"\\u0000\\u000a\\u001f\"");
    assert_writes("\x7f\xc3\xa9\xe2\x80\xa8\xf0\x9f\x98\x80", 10,
                  "\"\x7f\xc3\xa9\xe2\x80\xa8\xf0\x9f\x98\x80\"");
}

static void bytes_that_are_not_utf8_are_replaced_one_by_one(void **state)
{
#define R "\xef\xbf\xbd"
    (void)state;
    assert_writes("\x80", 1, "\"" R "\"");
    assert_writes("a\xffz", 3, "\"a" R "z\"");
    assert_writes("\xc3", 1, "\"" R "\"");
    assert_writes("\xc3\"", 2, "\"" R "\\\"\"");
    assert_writes("\xe2\x80", 2, "\"" R R "\"");
    assert_writes("\xc0\xaf", 2, "\"" R R "\"");             /* overlong              */
    assert_writes("\xe0\x9f\xbf", 3, "\"" R R R "\"");       /* overlong              */
    assert_writes("\xf0\x8f\xbf\xbf", 4, "\"" R R R R "\""); /* overlong              */
    assert_writes("\xed\xa0\x80", 3, "\"" R R R "\"");       /* a surrogate           */
    assert_writes("\xf4\x90\x80\x80", 4, "\"" R R R R "\""); /* beyond U+10FFFF       */
    assert_writes("\xf0\x9f\x98", 3, "\"" R R R "\"");       /* cut                   */
#undef R
}

static void escaped_text_has_no_quotes_and_is_appended(void **state)
{
    struct buf out = {0};

    (void)state;
    buf_add_c(&out, "say ");
    json_write_escaped(&out, STR("\"x\""));
    json_write_escaped(&out, (tr_str){0});
    assert_string_equal(out.ptr, "say \\\"x\\\"");
    buf_fini(&out);
}

static void what_is_written_reads_back(void **state)
{
    char text[128];
    struct buf out = {0};
    tr_str back;

    (void)state;
    for (int c = 0; c < 128; c++)
        text[c] = (char)c;
    json_write_string(&out, str_n(text, sizeof(text)));
    assert_true(json_decode(buf_str(&out), &arena, &back));
    assert_int_equal(back.len, sizeof(text));
    assert_memory_equal(back.ptr, text, sizeof(text));
    buf_fini(&out);
}

static int begin(void **state)
{
    (void)state;
    arena_init(&arena, 4096);
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_without_escapes_is_a_slice),
        cmocka_unit_test(escapes_are_decoded),
        cmocka_unit_test(a_lone_surrogate_becomes_the_replacement_character),
        cmocka_unit_test(what_is_no_string_is_not_decoded),
        cmocka_unit_test(text_is_written_with_the_escapes_it_needs),
        cmocka_unit_test(bytes_that_are_not_utf8_are_replaced_one_by_one),
        cmocka_unit_test(escaped_text_has_no_quotes_and_is_appended),
        cmocka_unit_test(what_is_written_reads_back),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
