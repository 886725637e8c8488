/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tailrace/bulk_docs.h: what a row of an answer to _bulk_docs says, which errors stay, and the
 * words of a refusal, decoded by the host's tr.json/1.
 */
#include "plugin/private.h"

#include <tailrace/bulk_docs.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* Full of what a row before it may have left there. */
static tr_docs_row used_row(void)
{
    tr_docs_row row;

    memset(&row, 0xa5, sizeof(row));
    return row;
}

static void assert_str(tr_str text, const char *expected)
{
    assert_int_equal(text.len, strlen(expected));
    assert_memory_equal(text.len ? text.ptr : "", expected, text.len);
}

static void a_row_of_what_was_taken_has_no_error(void **state)
{
    tr_docs_row row = used_row();

    (void)state;
    assert_true(tr_docs_read(TR_STR("{\"ok\":true,\"id\":\"a\",\"rev\":\"1-x\"}"), &row));
    assert_true(row.ok);
    assert_str(row.id, "\"a\"");
    assert_str(row.rev, "\"1-x\"");
    assert_int_equal(row.error.len, 0);
    assert_int_equal(row.reason.len, 0);
}

static void a_row_of_what_was_refused_says_why(void **state)
{
    tr_docs_row row = used_row();

    (void)state;
    assert_true(tr_docs_read(
        TR_STR("{\"id\":\"a\\\"b\",\"error\":\"forbidden\",\"reason\":\"no \\u00e4\"}"), &row));
    assert_false(row.ok);
    assert_str(row.id, "\"a\\\"b\"");
    assert_int_equal(row.rev.len, 0);
    assert_str(row.error, "\"forbidden\"");
    assert_str(row.reason, "\"no \\u00e4\"");
}

static void the_order_of_keys_and_unknown_ones_do_not_matter(void **state)
{
    tr_docs_row row = used_row();

    (void)state;
    assert_true(tr_docs_read(TR_STR(" { \"reason\" : {\"error\":\"x\"}, \"accepted\":true,\n"
                                    "\"rev\":\"2-y\", \"error\":\"conflict\" ,\"ok\":false,"
                                    "\"id\":\"old\",\"id\":\"a\" } "),
                             &row));
    assert_false(row.ok);
    assert_str(row.id, "\"a\"");
    assert_str(row.rev, "\"2-y\"");
    assert_str(row.error, "\"conflict\"");
    assert_str(row.reason, "{\"error\":\"x\"}");
}

static void what_is_no_object_says_nothing(void **state)
{
    static const char *const texts[] = {"", " ", "null", "17", "\"id\"", "[{\"id\":\"a\"}]"};
    static const tr_docs_row nothing;

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        tr_docs_row row = used_row();

        assert_false(tr_docs_read(tr_str_c(texts[i]), &row));
        assert_memory_equal(&row, &nothing, sizeof(row));
    }
}

static void a_row_that_breaks_off_has_what_came_before(void **state)
{
    tr_docs_row row = used_row();

    (void)state;
    assert_true(tr_docs_read(TR_STR("{\"id\":\"a\",\"error\":\"forb"), &row));
    assert_str(row.id, "\"a\"");
    assert_int_equal(row.error.len, 0);
    assert_true(tr_docs_read(TR_STR("{}"), &row));
    assert_int_equal(row.id.len, 0);
}

static void permanent_errors_are_known_by_their_whole_names(void **state)
{
    static const char *const permanent[] = {
        "\"forbidden\"",      "\"unauthorized\"",       "\"bad_request\"",
        "\"doc_validation\"", "\"illegal_docid\"",      "\"missing_stub\"",
        "\"too_large\"",      "\"document_too_large\"", "\"attachment_too_large\"",
    };
    static const char *const passing[] = {
        "\"conflict\"",
        "\"timeout\"",
        "\"internal_server_error\"",
        "\"unknown_error\"",
        "forbidden",
        "\"forbidden",
        "\"forbidden\" ",
        "\"\"",
        "null",
        "{\"forbidden\":1}",
        "",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(permanent); i++)
        assert_true(tr_docs_is_permanent(tr_str_c(permanent[i])));
    for (size_t i = 0; i < COUNT(passing); i++)
        assert_false(tr_docs_is_permanent(tr_str_c(passing[i])));
    assert_false(tr_docs_is_permanent(tr_str_n(NULL, 0)));
}

static void words_are_the_error_and_a_reason_that_is_a_string(void **state)
{
    static const struct {
        const char *row, *words;
    } cases[] = {
        {"{\"error\":\"forbidden\",\"reason\":\"no \\\"\\u00e4\\\"\\n\"}",
         "forbidden: no \"\xc3\xa4\"\n"},
        {"{\"reason\":\"b\",\"error\":\"a\\/\"}", "a/: b"},
        {"{\"error\":\"forbidden\"}", "forbidden"},
        {"{\"error\":\"forbidden\",\"reason\":\"\"}", "forbidden"},
        {"{\"error\":\"forbidden\",\"reason\":null}", "forbidden"},
        {"{\"error\":\"forbidden\",\"reason\":{\"field\":\"title\"}}", "forbidden"},
        {"{\"error\":\"forbidden\",\"reason\":\"\\ud800 \\x\"}", "forbidden"},
        {"{\"error\":500,\"reason\":\"down\"}", ": down"},
        {"{}", ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        tr_text text = {0};
        tr_docs_row row;

        assert_true(tr_docs_read(tr_str_c(cases[i].row), &row));
        tr_docs_add_words(&text, ext_json_table(), &row);
        assert_false(text.failed);
        assert_str(tr_text_str(&text), cases[i].words);
        tr_text_fini(&text);
    }
}

static void words_come_behind_what_the_text_has(void **state)
{
    tr_text text = {0};
    tr_docs_row row;

    (void)state;
    tr_text_add_c(&text, "1-x: ");
    (void)tr_docs_read(TR_STR("{\"error\":\"forbidden\",\"reason\":\"no title\"}"), &row);
    tr_docs_add_words(&text, ext_json_table(), &row);
    assert_str(tr_text_str(&text), "1-x: forbidden: no title");
    row.reason = TR_STR("false");
    tr_docs_add_words(&text, ext_json_table(), &row);
    assert_str(tr_text_str(&text), "1-x: forbidden: no titleforbidden");
    tr_text_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_of_what_was_taken_has_no_error),
        cmocka_unit_test(a_row_of_what_was_refused_says_why),
        cmocka_unit_test(the_order_of_keys_and_unknown_ones_do_not_matter),
        cmocka_unit_test(what_is_no_object_says_nothing),
        cmocka_unit_test(a_row_that_breaks_off_has_what_came_before),
        cmocka_unit_test(permanent_errors_are_known_by_their_whole_names),
        cmocka_unit_test(words_are_the_error_and_a_reason_that_is_a_string),
        cmocka_unit_test(words_come_behind_what_the_text_has),
    };

    return cmocka_run_group_tests_name("sdk/bulk_docs", tests, NULL, NULL);
}
