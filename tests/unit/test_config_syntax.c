/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config/load.h, config/scan.h, config/diag.h: which texts are refused, with which line, and
 * how it is printed.
 */
#include "config/load_place.h"

static void name_given_twice_in_one_file_names_both_lines(void **state)
{
    struct place *place = *state;

    assert_int_equal(load_main(place, "a: {\n  b = 1;\n  c = 2;\n  b = 3;\n};\na: { };\n"),
                     ERR_CONFIG);
    assert_said(place,
                "main.conf:4: error: \"b\" is given a second time; the first is in line 2");
    assert_said(place,
                "main.conf:6: error: \"a\" is given a second time; the first is in line 1");
}

static void same_name_in_different_groups_is_fine(void **state)
{
    struct place *place = *state;

    assert_int_equal(load_main(place, "a: { x = 1; }; b: { x = 1; }; l = ({x = 1;}, {x = 2;});"
                                      "x = 3;"),
                     0);
}

static void include_is_refused_with_its_line(void **state)
{
    struct place *place = *state;

    assert_int_equal(load_main(place, "a = 1;\n@include \"other.conf\"\n"), ERR_CONFIG);
    assert_said(place, "main.conf:2: error: @include is not allowed; put the file into the "
                       "conf.d directory");
}

static void include_of_a_directory_or_of_what_is_above_does_not_reach_libconfig(void **state)
{
    struct place *place = *state;

    write_file(place, "conf.d/a.conf", "  @include \"/tmp\"\n");
    write_file(place, "conf.d/b.conf", "\t@include \"../../etc/passwd\"\n");
    write_file(place, "conf.d/c.conf", "x: {\r\n@include \"../main.conf\"\r\n};");
    write_file(place, "conf.d/d.conf", "/* c */ @include \"/tmp\"\n");
    write_file(place, "conf.d/e.conf", "x = \"a\\\\\";\n@include \"/tmp\"\n");
    assert_int_equal(load_main(place, ""), ERR_CONFIG);
    assert_said(place, "conf.d/a.conf:1: error: @include");
    assert_said(place, "conf.d/b.conf:1: error: @include");
    assert_said(place, "conf.d/c.conf:2: error: @include");
    assert_said(place, "conf.d/d.conf:1: error: @include");
    assert_said(place, "conf.d/e.conf:2: error: @include");
}

static void include_in_texts_and_comments_is_only_text(void **state)
{
    struct place *place = *state;

    assert_int_equal(load_main(place, "# @include \"/tmp\"\n// @include \"/tmp\"\n"
                                      "/*\n@include \"/tmp\"\n*/\n"
                                      "a = \"\n@include \\\"/tmp\\\"\n\";\nb = 1;"),
                     0);
    assert_string_equal(config_at(place->config->root, "a")->text.ptr, "\n@include \"/tmp\"\n");
    assert_int_equal(config_at(place->config->root, "b")->line, 9);
}

static void bytes_that_are_not_utf8_are_refused_with_their_line(void **state)
{
    struct place *place = *state;

    write_file(place, "conf.d/a.conf", "a = \"\xed\xa0\x80\";");
    write_file(place, "conf.d/b.conf", "a = \"\xc0\xaf\";");
    assert_int_equal(load_main(place, "# gr\xc3\xbc\xc3\x9f\n\nx = \"gr\xfc\";"), ERR_CONFIG);
    assert_said(place, "main.conf:3: error: the byte 0xfc is not part of UTF-8 text");
    assert_int_equal(load_main(place, "x = \"gr\xc3\xbc\xc3\x9f\";"), ERR_CONFIG);
    assert_said(place, "conf.d/a.conf:1: error: the byte 0xed");
    assert_said(place, "conf.d/b.conf:1: error: the byte 0xc0");
    assert_string_equal(config_at(place->config->root, "x")->text.ptr, "gr\xc3\xbc\xc3\x9f");
}

static void nul_byte_is_refused_with_its_line(void **state)
{
    struct place *place = *state;

    write_bytes(place, "main.conf", "a = 1;\n\0b = 2;", 14);
    assert_int_equal(load(place), ERR_CONFIG);
    assert_said(place, "main.conf:2: error: a NUL byte stands here");
}

static void crlf_files_have_the_same_lines(void **state)
{
    struct place *place = *state;

    assert_int_equal(
        load_main(place, "\xef\xbb\xbf# c\r\na = 1;\r\nb: {\r\n  c = 2;\r\n};\r\n"), 0);
    assert_int_equal(number_at(place, "b.c"), 2);
    assert_int_equal(config_at(place->config->root, "b.c")->line, 4);
}

static void whole_numbers_keep_their_64_bits(void **state)
{
    struct place *place = *state;

    assert_int_equal(load_main(place, "a = 3000000000; b = 0xFFFFFFFF; c = [1, 5000000000];"
                                      "d = -9223372036854775808; e = 12L;"),
                     0);
    assert_int_equal(number_at(place, "a"), 3000000000);
    assert_int_equal(number_at(place, "b"), 4294967295);
    assert_int_equal(number_at(place, "c.1"), 5000000000);
    assert_true(number_at(place, "d") == INT64_MIN);
    assert_int_equal(number_at(place, "e"), 12);
}

static void numbers_over_64_bits_are_refused(void **state)
{
    struct place *place = *state;

    assert_int_equal(load_main(place, "a = 1;\nb = 99999999999999999999;\nc = 1e400;"),
                     ERR_CONFIG);
    assert_said(place, "main.conf:2: error: a number is too large");
    assert_said(place, "main.conf:3: error: a number is too large");
}

static void value_without_quotes_is_refused_and_not_shown(void **state)
{
    struct place *place = *state;

    assert_int_equal(load_main(place, "a = 5s;\nb = hunter2;\n"), ERR_CONFIG);
    assert_said(place, "main.conf:1: error: a value is neither a number nor true or false");
    assert_said(place, "main.conf:2: error: a value is neither");
    assert_null(strstr(place->said.ptr, "hunter2"));
}

static void signs_that_are_missing_or_too_many_are_named(void **state)
{
    struct place *place = *state;

    write_file(place, "conf.d/a.conf", "a = 1;\nrules {\n};");
    write_file(place, "conf.d/b.conf", "a = ;\n");
    write_file(place, "conf.d/c.conf", "a = [1,\n2,\n];");
    write_file(place, "conf.d/d.conf", "a: {\n b: {\n c = 1;\n};\n");
    write_file(place, "conf.d/e.conf", "a = 1;\n};");
    write_file(place, "conf.d/f.conf", "a: { b = [1 }; ];");
    write_file(place, "conf.d/g.conf", "\na = \"x;\nb = 1;\n");
    write_file(place, "conf.d/h.conf", "\n/* no end");
    write_file(place, "conf.d/i.conf", "\"a\": 1");
    write_file(place, "conf.d/j.conf", "a.b = 1;");
    write_file(place, "conf.d/k.conf", "a = 1;;\n");
    write_file(place, "conf.d/l.conf", "a = [1, \"b\"];\n");
    write_file(place, "conf.d/m.conf", "a = [1,\n2 \"b\"];\n");
    write_file(place, "conf.d/n.conf", "a = (\"b\" \"c\"\n { d = 1; } 5);\n");
    write_file(place, "conf.d/o.conf", "a = [\"b\";];\n");
    assert_int_equal(load_main(place, ""), ERR_CONFIG);
    assert_said(place, "conf.d/a.conf:2: error: a \"=\" is missing behind \"rules\"");
    assert_said(place, "conf.d/b.conf:1: error: a value is missing behind the \"=\"");
    assert_said(place, "conf.d/c.conf:3: error: a comma stands before the \"]\"");
    assert_said(place, "conf.d/d.conf:1: error: what is opened here is never closed");
    assert_said(place, "conf.d/e.conf:2: error: \"}\" closes nothing");
    assert_said(place, "conf.d/f.conf:1: error: \"}\" stands where \"]\" is wanted");
    assert_said(place, "conf.d/g.conf:2: error: a text begins here and its closing quote");
    assert_said(place, "conf.d/h.conf:2: error: a comment begins here");
    assert_said(place, "conf.d/i.conf:1: error: a text stands where a name is wanted");
    assert_said(place, "conf.d/j.conf:1: error: \"a.b\" cannot be a name");
    assert_said(place, "conf.d/k.conf:1: error: syntax error");
    assert_said(place, "conf.d/l.conf:1: error: the items of a [ ] differ in type");
    assert_said(place, "conf.d/m.conf:2: error: a comma is missing between two items");
    assert_said(place, "conf.d/n.conf:2: error: a comma is missing between two items");
    assert_said(place, "conf.d/o.conf:1: error: \";\" cannot stand in a list");
}

static void nesting_is_bounded(void **state)
{
    struct place *place = *state;
    struct buf text = {0};

    for (int i = 0; i < 32; i++)
        buf_add_c(&text, "a: { ");
    for (int i = 0; i < 32; i++)
        buf_add_c(&text, "};");
    assert_int_equal(load_main(place, text.ptr), 0);
    buf_clear(&text);
    for (int i = 0; i < 100000; i++)
        buf_add_c(&text, "a:{");
    write_file(place, "conf.d/a.conf", text.ptr);
    buf_clear(&text);
    buf_add_c(&text, "a = ");
    for (int i = 0; i < 100000; i++)
        buf_add_c(&text, "(");
    write_file(place, "conf.d/b.conf", text.ptr);
    buf_fini(&text);
    config_free(place->config);
    place->config = NULL;
    assert_int_equal(load(place), ERR_CONFIG);
    assert_said(place, "conf.d/a.conf:1: error: more than 32 groups and lists");
    assert_said(place, "conf.d/b.conf:1: error: more than 32 groups and lists");
}

static void all_that_is_wrong_in_all_files_is_said_at_once(void **state)
{
    struct place *place = *state;

    write_file(place, "conf.d/a.conf", "a = b;\nc = d;");
    write_file(place, "conf.d/b.conf", "@include \"x\"\n");
    write_file(place, "conf.d/c.conf", "x = 2;");
    assert_int_equal(load_main(place, "x = 1;"), ERR_CONFIG);
    assert_int_equal(place->diags.errors, 4);
    assert_non_null(place->config);
}

static void diagnostics_are_printed_by_line_within_a_file(void **state)
{
    struct place *place = *state;
    struct diags *diags = &place->diags;

    diag_add(diags, DIAG_ERROR, "b", 9, "x.y", "is wrong");
    diag_add(diags, DIAG_WARNING, "a", 1, NULL, "is odd");
    diag_remedy(diags, diag_add(diags, DIAG_ERROR, "b", 2, "x", "unknown key"), "use %s", "z");
    diag_add(diags, DIAG_ERROR, NULL, 0, "p", "is missing");
    print_said(place);
    assert_string_equal(place->said.ptr, "b:2: error: x: unknown key; use z\n"
                                         "b:9: error: x.y: is wrong\n"
                                         "a:1: warning: is odd\n"
                                         "error: p: is missing\n");
    assert_int_equal(diags->errors, 3);
    assert_int_equal(diags->warnings, 1);
}

static void diagnostics_as_json_have_all_fields(void **state)
{
    struct place *place = *state;
    struct buf out = {0};

    diag_remedy(&place->diags, diag_add(&place->diags, DIAG_ERROR, "a\"b", 2, "x", "is wrong"),
                "mend it");
    diag_add(&place->diags, DIAG_WARNING, NULL, 0, NULL, "is odd");
    diags_json(&place->diags, &out);
    assert_string_equal(
        out.ptr, "[{\"severity\":\"error\",\"file\":\"a\\\"b\",\"line\":2,\"path\":\"x\","
                 "\"message\":\"is wrong\",\"remedy\":\"mend it\"},"
                 "{\"severity\":\"warning\",\"file\":null,\"line\":0,\"path\":\"\","
                 "\"message\":\"is odd\",\"remedy\":\"\"}]");
    buf_fini(&out);
}

static void control_bytes_do_not_reach_the_terminal(void **state)
{
    struct place *place = *state;

    diag_add(&place->diags, DIAG_ERROR, "a\033[2J", 1, NULL, "x\ny");
    print_said(place);
    assert_string_equal(place->said.ptr, "a?[2J:1: error: x?y\n");
}

static void diagnostics_past_the_bound_are_counted(void **state)
{
    struct place *place = *state;

    for (int i = 0; i < DIAGS_MAX + 5; i++)
        diag_remedy(&place->diags, diag_add(&place->diags, DIAG_ERROR, "a", i, NULL, "x"), "y");
    print_said(place);
    assert_int_equal(place->diags.count, DIAGS_MAX);
    assert_said(place, "and 5 more\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(name_given_twice_in_one_file_names_both_lines),
        TEST(same_name_in_different_groups_is_fine),
        TEST(include_is_refused_with_its_line),
        TEST(include_of_a_directory_or_of_what_is_above_does_not_reach_libconfig),
        TEST(include_in_texts_and_comments_is_only_text),
        TEST(bytes_that_are_not_utf8_are_refused_with_their_line),
        TEST(nul_byte_is_refused_with_its_line),
        TEST(crlf_files_have_the_same_lines),
        TEST(whole_numbers_keep_their_64_bits),
        TEST(numbers_over_64_bits_are_refused),
        TEST(value_without_quotes_is_refused_and_not_shown),
        TEST(signs_that_are_missing_or_too_many_are_named),
        TEST(nesting_is_bounded),
        TEST(all_that_is_wrong_in_all_files_is_said_at_once),
        TEST(diagnostics_are_printed_by_line_within_a_file),
        TEST(diagnostics_as_json_have_all_fields),
        TEST(control_bytes_do_not_reach_the_terminal),
        TEST(diagnostics_past_the_bound_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
