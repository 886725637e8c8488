/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slices: cutting, comparing, and empty ones that point nowhere.
 */
#include "base/mem.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const tr_str nowhere = {NULL, 0};

static void assert_str(tr_str s, const char *text)
{
    assert_int_equal(s.len, strlen(text));
    assert_memory_equal(s.len ? s.ptr : "", text, s.len);
}

static void a_slice_of_null_is_empty(void **state)
{
    (void)state;
    assert_int_equal(str_c(NULL).len, 0);
    assert_true(str_eq(str_c(NULL), STR("")));
    assert_int_equal(STR("a\0b").len, 3);
}

static void an_empty_slice_may_point_nowhere(void **state)
{
    tr_str rest = STR("x");
    char *copy = str_dup(nowhere);

    (void)state;
    assert_true(str_starts(nowhere, nowhere));
    assert_true(str_starts(STR("a"), nowhere));
    assert_true(str_ends(nowhere, nowhere));
    assert_true(str_ends(STR("a"), nowhere));
    assert_false(str_starts(nowhere, STR("a")));
    assert_false(str_ends(nowhere, STR("a")));
    assert_int_equal(str_find(nowhere, 'a'), 0);
    assert_int_equal(str_cmp(nowhere, STR("")), 0);
    assert_int_equal(str_from(nowhere, 5).len, 0);
    assert_int_equal(str_trim(nowhere).len, 0);
    assert_int_equal(str_cut(nowhere, ',', &rest).len, 0);
    assert_int_equal(rest.len, 0);
    assert_string_equal(copy, "");
    free(copy);
}

static void beginnings_and_ends_are_told(void **state)
{
    (void)state;
    assert_true(str_starts(STR("_design/a"), STR("_design/")));
    assert_false(str_starts(STR("_des"), STR("_design/")));
    assert_true(str_ends(STR("a.conf"), STR(".conf")));
    assert_false(str_ends(STR("conf"), STR(".conf")));
}

static void a_cut_gives_what_is_before_and_behind(void **state)
{
    tr_str rest;

    (void)state;
    assert_str(str_cut(STR("a,b,c"), ',', &rest), "a");
    assert_str(rest, "b,c");
    assert_str(str_cut(STR("abc"), ',', &rest), "abc");
    assert_str(rest, "");
    assert_str(str_cut(STR("abc,"), ',', &rest), "abc");
    assert_str(rest, "");
    assert_str(str_cut(STR(",abc"), ',', &rest), "");
    assert_str(rest, "abc");
}

static void a_part_past_the_end_is_empty(void **state)
{
    (void)state;
    assert_str(str_from(STR("abc"), 0), "abc");
    assert_str(str_from(STR("abc"), 1), "bc");
    assert_str(str_from(STR("abc"), 3), "");
    assert_str(str_from(STR("abc"), 99), "");
}

static void only_white_space_around_is_trimmed(void **state)
{
    (void)state;
    assert_str(str_trim(STR(" \t a b\r\n")), "a b");
    assert_str(str_trim(STR(" \n ")), "");
}

static void bytes_are_ordered_without_a_sign_and_the_shorter_comes_first(void **state)
{
    (void)state;
    assert_true(str_cmp(STR("a"), STR("b")) < 0);
    assert_true(str_cmp(STR("a"), STR("ab")) < 0);
    assert_true(str_cmp(STR("\xff"), STR("a")) > 0);
    assert_int_equal(str_cmp(STR("ab"), STR("ab")), 0);
}

static void a_clipped_text_ends_between_two_characters(void **state)
{
    static const tr_str broken = {NULL, 100};

    (void)state;
    assert_str(str_clip(STR("abc"), 3), "abc");
    assert_str(str_clip(STR("abcd"), 3), "abc");
    assert_str(str_clip(STR("ab\xc3\xa9"), 4), "ab\xc3\xa9");
    assert_str(str_clip(STR("ab\xc3\xa9"), 3), "ab");
    assert_str(str_clip(STR("\xe2\x82\xac"), 2), "");
    assert_str(str_clip(broken, 10), "");
}

/* Each byte at each place of slices of each length, since eight are looked at together. */
static void a_byte_is_found_wherever_it_stands(void **state)
{
    char text[40];

    (void)state;
    assert_false(str_has_control(nowhere));
    assert_true(str_is_ascii(nowhere));
    for (int byte = 0; byte < 256; byte++)
        for (size_t len = 1; len <= sizeof(text); len++)
            for (size_t at = 0; at < len; at++) {
                memset(text, at % 2 ? ' ' : '~', len);
                text[at] = (char)byte;
                assert_int_equal(str_has_control(str_n(text, len)),
                                 byte < 0x20 || byte == 0x7f);
                assert_int_equal(str_is_ascii(str_n(text, len)), byte < 0x80);
            }
}

static void a_number_is_written_in_digits(void **state)
{
    char digits[STR_NUMBER];

    (void)state;
    assert_str(str_of_number(0, digits), "0");
    assert_str(str_of_number(1000, digits), "1000");
    assert_str(str_of_number(UINT64_MAX, digits), "18446744073709551615");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slice_of_null_is_empty),
        cmocka_unit_test(an_empty_slice_may_point_nowhere),
        cmocka_unit_test(beginnings_and_ends_are_told),
        cmocka_unit_test(a_cut_gives_what_is_before_and_behind),
        cmocka_unit_test(a_part_past_the_end_is_empty),
        cmocka_unit_test(only_white_space_around_is_trimmed),
        cmocka_unit_test(a_clipped_text_ends_between_two_characters),
        cmocka_unit_test(a_byte_is_found_wherever_it_stands),
        cmocka_unit_test(a_number_is_written_in_digits),
        cmocka_unit_test(bytes_are_ordered_without_a_sign_and_the_shorter_comes_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
