/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Templates: which variables there are, and that no value leaves the place it was put into.
 */
#include "rule/template.h"

#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#define DOC                                                                                    \
    "{\"_id\":\"a\",\"_rev\":\"2-b\",\"name\":\"B\\u00f6b & \\\"co\\\"\",\"n\":1.50,"          \
    "\"ok\":true,\"nil\":null,\"tags\":[\"x\",{\"y\":\"z\"}],\"a.b\":\"dot\",\"id\":\"mine\"}"

static tr_change a_change(void)
{
    return (tr_change){
        .id = STR("a/b c"),
        .rev = STR("2-b"),
        .seq = STR("\"7-g1AA\""),
        .doc = STR(DOC),
        .flags = TR_CHANGE_HAS_DOC,
    };
}

/* Renders `text` for `change` into `out`, which is cleared first. */
static tr_status render(const char *text, int32_t place, const tr_change *change,
                        struct buf *out)
{
    tr_batch batch = {.size = sizeof(batch), .db = STR("my/db"), .source = STR("main")};
    tr_template *tmpl = NULL;
    struct error error;
    tr_status status;

    buf_clear(out);
    buf_add_c(out, "");
    if (template_new(str_c(text), place, &tmpl, &error) != 0)
        fail_msg("%s: %s", text, error.text);
    status = template_render(tmpl, &batch, change, out, &error);
    template_free(tmpl);
    return status;
}

static void check(int32_t place, const char *text, const char *want)
{
    tr_change change = a_change();
    struct buf out = {0};

    assert_int_equal(render(text, place, &change, &out), TR_OK);
    assert_string_equal(out.ptr, want);
    buf_fini(&out);
}

/* One field `v` of the document, as raw JSON. */
static tr_status with_value(int32_t place, const char *text, const char *raw, struct buf *out)
{
    tr_change change = a_change();
    char doc[256];

    snprintf(doc, sizeof(doc), "{\"v\":%s}", raw);
    change.doc = str_c(doc);
    return render(text, place, &change, out);
}

static void check_value(int32_t place, const char *text, const char *raw, const char *want)
{
    struct buf out = {0};

    assert_int_equal(with_value(place, text, raw, &out), TR_OK);
    assert_string_equal(out.ptr, want);
    buf_fini(&out);
}

static void check_reject(int32_t place, const char *text, const char *raw)
{
    struct buf out = {0};

    assert_int_equal(with_value(place, text, raw, &out), TR_REJECT);
    assert_int_equal(out.len, 0);
    buf_fini(&out);
}

static void check_wrong(int32_t place, const char *text, const char *why)
{
    tr_template *tmpl = NULL;
    struct error error = {0};

    assert_int_equal(template_new(str_c(text), place, &tmpl, &error), ERR_CONFIG);
    assert_null(tmpl);
    assert_non_null(strstr(error.text, why));
}

static void each_variable_has_its_value(void **state)
{
    (void)state;
    check(TR_PLACE_TEXT, "$change.id|$change.rev|$db_name|$seq", "a/b c|2-b|my/db|7-g1AA");
    check(TR_PLACE_TEXT, "${change.id}|${change.rev}|${db_name}|${seq}",
          "a/b c|2-b|my/db|7-g1AA");
    check(TR_PLACE_TEXT, "$change", DOC);
    check(TR_PLACE_TEXT, "x${change}y", "x" DOC "y");
}

static void a_field_is_found_by_its_path(void **state)
{
    (void)state;
    check(TR_PLACE_TEXT, "$change.name",
          "B\xc3\xb6"
          "b & \"co\"");
    check(TR_PLACE_TEXT, "$change.n $change.ok $change.nil", "1.50 true null");
    check(TR_PLACE_TEXT, "$change.tags", "[\"x\",{\"y\":\"z\"}]");
    check(TR_PLACE_TEXT, "$change.tags.1.y", "z");
    check(TR_PLACE_TEXT, "${change.a\\.b}", "dot");
    check(TR_PLACE_TEXT, "$change._rev", "2-b");
}

static void an_absent_field_is_empty_and_null_as_json(void **state)
{
    (void)state;
    check(TR_PLACE_TEXT, "<$change.nope>", "<>");
    check(TR_PLACE_URL, "http://h/$change.nope", "http://h/");
    check(TR_PLACE_QUERY, "a=$change.nope.x", "a=");
    check(TR_PLACE_HEADER, "$change.nope", "");
    check(TR_PLACE_JSON, "$change.nope", "null");
    check(TR_PLACE_JSON, "<$change.nope>", "\"<>\"");
}

static void what_is_no_variable_stays_as_it_is(void **state)
{
    (void)state;
    check(TR_PLACE_TEXT, "$foo ${bar} $ ${ ${} $db_names $changes $changed.id",
          "$foo ${bar} $ ${ ${} $db_names $changes $changed.id");
    check(TR_PLACE_TEXT, "${change.} ${change..a} ${ change}",
          "${change.} ${change..a} ${ change}");
    check(TR_PLACE_TEXT, "a$", "a$");
    check(TR_PLACE_TEXT, "${foo$db_name}", "${foo$db_name}");
    check(TR_PLACE_TEXT, "${unclosed $db_name", "${unclosed my/db");
}

static void two_dollars_are_one(void **state)
{
    (void)state;
    check(TR_PLACE_TEXT, "$$change $$$db_name $$", "$change $my/db $");
}

static void a_bare_name_ends_where_its_word_does(void **state)
{
    (void)state;
    check(TR_PLACE_TEXT, "$change.id.json", "a/b c.json");
    check(TR_PLACE_TEXT, "$db_name.json", "my/db.json");
    check(TR_PLACE_TEXT, "$change.n.", "1.50.");
    check(TR_PLACE_TEXT, "$change.n-$seq", "1.50-7-g1AA");
    check(TR_PLACE_TEXT, "$change.ids", "");
}

static void without_a_document_one_is_made_of_the_row(void **state)
{
    tr_change change = a_change();
    struct buf out = {0};

    (void)state;
    change.doc = STR("");
    change.id = STR("a\"b");
    assert_int_equal(render("$change", TR_PLACE_TEXT, &change, &out), TR_OK);
    assert_string_equal(out.ptr, "{\"_id\":\"a\\\"b\",\"_rev\":\"2-b\"}");
    change.flags = TR_CHANGE_DELETED;
    assert_int_equal(render("$change", TR_PLACE_JSON, &change, &out), TR_OK);
    assert_string_equal(out.ptr, "{\"_id\":\"a\\\"b\",\"_rev\":\"2-b\",\"_deleted\":true}");
    assert_int_equal(render("${change._id} $change._deleted", TR_PLACE_TEXT, &change, &out),
                     TR_OK);
    assert_string_equal(out.ptr, "a\"b true");
    change.doc = STR("null");
    assert_int_equal(render("$change.name", TR_PLACE_TEXT, &change, &out), TR_OK);
    assert_string_equal(out.ptr, "");
    buf_fini(&out);
}

static void a_seq_of_any_type_is_rendered(void **state)
{
    tr_change change = a_change();
    struct buf out = {0};

    (void)state;
    change.seq = STR("17");
    assert_int_equal(render("s$seq", TR_PLACE_TEXT, &change, &out), TR_OK);
    assert_string_equal(out.ptr, "s17");
    assert_int_equal(render("$seq", TR_PLACE_JSON, &change, &out), TR_OK);
    assert_string_equal(out.ptr, "17");
    change.seq = STR("[1,\"x\"]");
    assert_int_equal(render("$seq", TR_PLACE_JSON, &change, &out), TR_OK);
    assert_string_equal(out.ptr, "[1,\"x\"]");
    change.seq = STR("");
    assert_int_equal(render("$seq", TR_PLACE_JSON, &change, &out), TR_OK);
    assert_string_equal(out.ptr, "null");
    buf_fini(&out);
}

static void values_in_a_url_cannot_leave_their_segment(void **state)
{
    static const char url[] = "https://u@h:8/p/$change.v/q?x=${change.v}#${change.v}";

    (void)state;
    check(TR_PLACE_URL, "https://h/$db_name/$change.id", "https://h/my%2Fdb/a%2Fb%20c");
    check_value(TR_PLACE_URL, url, "\"/../\"",
                "https://u@h:8/p/%2F..%2F/q?x=%2F..%2F#%2F..%2F");
    check_value(TR_PLACE_URL, url, "\"@?#&=+%\"",
                "https://u@h:8/p/%40%3F%23%26%3D%2B%25/q?x=%40%3F%23%26%3D%2B%25#"
                "%40%3F%23%26%3D%2B%25");
    check_value(TR_PLACE_URL, "http://h/$change.v", "\"a\\r\\nX: y\\u0000\"",
                "http://h/a%0D%0AX%3A%20y%00");
    check_value(TR_PLACE_URL, "http://h/$change.v", "\"\\u00f6~-._\"", "http://h/%C3%B6~-._");
    check_value(TR_PLACE_URL, "http://h/$change.v", "{\"a\":1}", "http://h/%7B%22a%22%3A1%7D");
    check_value(TR_PLACE_URL, "HTTPS://h?$change.v", "\"//evil/\"", "HTTPS://h?%2F%2Fevil%2F");
}

static void a_value_that_makes_a_dot_segment_is_rejected(void **state)
{
    (void)state;
    check_reject(TR_PLACE_URL, "http://h/a/$change.v", "\"..\"");
    check_reject(TR_PLACE_URL, "http://h/a/${change.v}/b", "\".\"");
    check_reject(TR_PLACE_URL, "http://h/a/.$change.v", "\".\"");
    check_reject(TR_PLACE_URL, "http://h/a/.$change.v", "\"\"");
    check_reject(TR_PLACE_URL, "http://h/a/%2e$change.v", "\".\"");
    check_reject(TR_PLACE_URL, "http://h/a/$change.v%2E", "\".\"");
    check_reject(TR_PLACE_URL, "http://h/a/${change.v}${change.v}?x", "\".\"");
    check_value(TR_PLACE_URL, "http://h/a/$change.v", "\"...\"", "http://h/a/...");
    check_value(TR_PLACE_URL, "http://h/a/$change.v", "\"..a\"", "http://h/a/..a");
    check_value(TR_PLACE_URL, "http://h/a?b/$change.v", "\"..\"", "http://h/a?b/..");
}

static void scheme_user_host_and_port_hold_no_variable(void **state)
{
    (void)state;
    check_wrong(TR_PLACE_URL, "$change.v", "begins with the variable $change.v");
    check_wrong(TR_PLACE_URL, "${change.v}://h/", "begins with the variable");
    check_wrong(TR_PLACE_URL, "https://$change.v/", "not absolute");
    check_wrong(TR_PLACE_URL, "https://h$db_name/", "has the variable $db_name in its");
    check_wrong(TR_PLACE_URL, "https://h:${db_name}/", "in its user, host or port");
    check_wrong(TR_PLACE_URL, "https://u:$seq@h/", "in its user, host or port");
    check_wrong(TR_PLACE_URL, "https://${host}/", "has a '{'");
    check_wrong(TR_PLACE_URL, "https://h\\$seq", "in its user, host or port");
    check_wrong(TR_PLACE_URL, "http$seq://h/", "not absolute");
    check_wrong(TR_PLACE_URL, "/x/$seq", "not absolute");
    check_wrong(TR_PLACE_URL, "", "not absolute");
    check_wrong(TR_PLACE_URL, "https:///x", "not absolute");
    check_wrong(TR_PLACE_URL, "file:///$seq", "not absolute");
}

static void the_text_of_a_url_is_checked_too(void **state)
{
    (void)state;
    check_wrong(TR_PLACE_URL, "http://h/a b", "write %20");
    check_wrong(TR_PLACE_URL, "http://h/a\r\n", "0x0d");
    check_wrong(TR_PLACE_URL, "http://h/%$seq", "write %25");
    check_wrong(TR_PLACE_URL, "http://h/%2$seq", "write %25");
    check_wrong(TR_PLACE_URL, "http://h/a/../b", "path segment");
    check_wrong(TR_PLACE_URL, "http://h/a/%2E%2e", "path segment");
    check_wrong(TR_PLACE_URL, "http://h/../$seq", "path segment");
}

static void a_query_is_percent_encoded(void **state)
{
    (void)state;
    check_value(TR_PLACE_QUERY, "a=$change.v&b=2", "\"x&y=z #\"", "a=x%26y%3Dz%20%23&b=2");
    check_value(TR_PLACE_QUERY, "$change.v", "\"..\"", "..");
    check(TR_PLACE_QUERY, "two words#1 %41 100%", "two%20words%231%20%41%20100%25");
}

static void a_header_holds_no_control_byte(void **state)
{
    (void)state;
    check(TR_PLACE_HEADER, "x-$db_name", "x-my/db");
    check_value(TR_PLACE_HEADER, "$change.v", "\"\\u00f6 ok\"", "\xc3\xb6 ok");
    check_reject(TR_PLACE_HEADER, "$change.v", "\"a\\r\\nX-Evil: 1\"");
    check_reject(TR_PLACE_HEADER, "$change.v", "\"a\\n\"");
    check_reject(TR_PLACE_HEADER, "$change.v", "\"\\u0000\"");
    check_reject(TR_PLACE_HEADER, "$change.v", "\"\\t\"");
    check_reject(TR_PLACE_HEADER, "$change.v", "\"\\u007f\"");
    check_reject(TR_PLACE_HEADER, "$change.v", "[1,\n2]");
    check_wrong(TR_PLACE_HEADER, "a\nb", "control byte");
}

static void a_rejected_rendering_leaves_what_was_there(void **state)
{
    tr_batch batch = {.size = sizeof(batch)};
    tr_change change = {.id = STR("\n"), .rev = STR("1-a")};
    struct error error = {0};
    tr_template *tmpl = NULL;
    struct buf out = {0};

    (void)state;
    assert_int_equal(template_new(STR("a$change.rev$change.id"), TR_PLACE_HEADER, &tmpl, NULL),
                     0);
    buf_add_c(&out, "before");
    assert_int_equal(template_render(tmpl, &batch, &change, &out, &error), TR_REJECT);
    assert_string_equal(out.ptr, "before");
    assert_non_null(strstr(error.text, "$change.id"));
    template_free(tmpl);
    buf_fini(&out);
}

static void json_is_one_value(void **state)
{
    (void)state;
    check(TR_PLACE_JSON, "$change", DOC);
    check(TR_PLACE_JSON, "${change.tags}", "[\"x\",{\"y\":\"z\"}]");
    check(TR_PLACE_JSON, "$change.n", "1.50");
    check(TR_PLACE_JSON, "$change.nil", "null");
    check(TR_PLACE_JSON, "$change.id", "\"a/b c\"");
    check(TR_PLACE_JSON, "$db_name", "\"my/db\"");
    check(TR_PLACE_JSON, "$seq", "\"7-g1AA\"");
    check(TR_PLACE_JSON, "is $change.ok", "\"is true\"");
    check(TR_PLACE_JSON, "say \"$change.name\"\n",
          "\"say \\\"B\xc3\xb6"
          "b & \\\"co\\\"\\\"\\u000a\"");
    check(TR_PLACE_JSON, "", "\"\"");
    check(TR_PLACE_JSON, "plain", "\"plain\"");
    check(TR_PLACE_JSON, "$foo", "\"$foo\"");
}

static void a_malformed_string_is_rejected(void **state)
{
    (void)state;
    check_reject(TR_PLACE_TEXT, "<$change.v>", "\"\\x\"");
}

static void constants_and_single_variables_are_told_apart(void **state)
{
    static const struct {
        const char *text;
        bool constant, single;
    } cases[] = {
        {"", true, false},          {"a", true, false},         {"$foo", true, false},
        {"$$seq", true, false},     {"$seq", false, true},      {"${seq}", false, true},
        {"$change.a", false, true}, {"${change}", false, true}, {"$seq ", false, false},
        {"$seq$seq", false, false}, {"a$seq", false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        tr_template *tmpl = NULL;
        assert_int_equal(template_new(str_c(cases[i].text), TR_PLACE_TEXT, &tmpl, NULL), 0);
        assert_int_equal(template_is_constant(tmpl), cases[i].constant);
        assert_int_equal(template_is_single_variable(tmpl), cases[i].single);
        template_free(tmpl);
    }
    template_free(NULL);
}

static void a_buffer_that_is_too_small_is_told_the_length(void **state)
{
    tr_batch batch = {.size = sizeof(batch), .db = STR("my/db")};
    tr_change change = a_change();
    tr_template *tmpl = NULL;
    char text[8] = "zzzzzzz";
    size_t len = 0;

    (void)state;
    assert_int_equal(template_new(STR("<$db_name>"), TR_PLACE_TEXT, &tmpl, NULL), 0);
    assert_int_equal(template_render_into(tmpl, &batch, &change, text, 6, &len), TR_EINVAL);
    assert_int_equal(len, 7);
    assert_string_equal(text, "zzzzzzz");
    assert_int_equal(template_render_into(tmpl, &batch, &change, NULL, 0, &len), TR_EINVAL);
    assert_int_equal(template_render_into(tmpl, &batch, &change, text, 7, &len), TR_OK);
    assert_string_equal(text, "<my/db>");
    template_free(tmpl);
}

static void an_unknown_place_is_refused(void **state)
{
    (void)state;
    check_wrong(0, "x", "no template place");
    check_wrong(6, "x", "no template place");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_variable_has_its_value),
        cmocka_unit_test(a_field_is_found_by_its_path),
        cmocka_unit_test(an_absent_field_is_empty_and_null_as_json),
        cmocka_unit_test(what_is_no_variable_stays_as_it_is),
        cmocka_unit_test(two_dollars_are_one),
        cmocka_unit_test(a_bare_name_ends_where_its_word_does),
        cmocka_unit_test(without_a_document_one_is_made_of_the_row),
        cmocka_unit_test(a_seq_of_any_type_is_rendered),
        cmocka_unit_test(values_in_a_url_cannot_leave_their_segment),
        cmocka_unit_test(a_value_that_makes_a_dot_segment_is_rejected),
        cmocka_unit_test(scheme_user_host_and_port_hold_no_variable),
        cmocka_unit_test(the_text_of_a_url_is_checked_too),
        cmocka_unit_test(a_query_is_percent_encoded),
        cmocka_unit_test(a_header_holds_no_control_byte),
        cmocka_unit_test(a_rejected_rendering_leaves_what_was_there),
        cmocka_unit_test(json_is_one_value),
        cmocka_unit_test(a_malformed_string_is_rejected),
        cmocka_unit_test(constants_and_single_variables_are_told_apart),
        cmocka_unit_test(a_buffer_that_is_too_small_is_told_the_length),
        cmocka_unit_test(an_unknown_place_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
