/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transforms that let changes pass or not: skip and opfilter.
 */
#include "test_transform_lib.h"

#define SKIP(operator_, match_)                                                                \
    ONE("skip", "field = \"a.b\"; operator = \"" operator_ "\"; match = " match_ ";")

/* For each value of the field, whether it passes: "1 yes, 2 no". */
static void assert_passes(const char *transforms, const char *const values[],
                          const char *wanted)
{
    struct buf said = {0};
    struct road road;

    road_begin(&road, transforms);
    for (size_t i = 0; values[i]; i++) {
        char doc[256];
        const char *one;

        snprintf(doc, sizeof(doc), "{\"a\":{\"b\":%s}}", values[i]);
        one = road_doc(&road, doc);
        if (strcmp(one, "skip") != 0)
            assert_string_equal(one, doc);
        buf_addf(&said, "%s%s %s", i ? ", " : "", values[i],
                 strcmp(one, "skip") == 0 ? "no" : "yes");
    }
    buf_add_char(&said, '\0');
    assert_string_equal(said.ptr, wanted);
    buf_fini(&said);
    road_end(&road);
}

#define PASSES(transforms_, wanted_, ...)                                                      \
    do {                                                                                       \
        static const char *const values_[] = {__VA_ARGS__, NULL};                              \
        assert_passes(transforms_, values_, wanted_);                                          \
    } while (0)

/* ---- skip ---- */

static void numbers_are_compared_as_numbers(void **state)
{
    (void)state;
    PASSES(SKIP("==", "18"), "18 yes, 18.0 yes, 1.8e1 yes, 17 no, \"18\" no, null no, true no",
           "18", "18.0", "1.8e1", "17", "\"18\"", "null", "true");
    PASSES(SKIP(">", "18"), "18 no, 18.5 yes, 100 yes, -19 no, \"19\" no, [19] no", "18",
           "18.5", "100", "-19", "\"19\"", "[19]");
    PASSES(SKIP(">=", "0.5"), "0.5 yes, 0.49 no, 1 yes, 1e300 yes", "0.5", "0.49", "1",
           "1e300");
    PASSES(SKIP("<", "-1"), "-1 no, -1.5 yes, 0 no", "-1", "-1.5", "0");
    PASSES(SKIP("<=", "18"), "18 yes, 19 no, {} no", "18", "19", "{}");
}

static void whole_numbers_are_compared_to_their_last_digit(void **state)
{
    (void)state;
    PASSES(SKIP("==", "9007199254740993L"),
           "9007199254740993 yes, 9007199254740992 no, 90071992547409930000000000000000000 no",
           "9007199254740993", "9007199254740992", "90071992547409930000000000000000000");
}

static void texts_are_compared_without_their_escapes(void **state)
{
    (void)state;
    PASSES(SKIP("==", "\"b\\\"c\""), "\"b\\\"c\" yes, \"\\u0062\\u0022c\" yes, \"b\" no, 5 no",
           "\"b\\\"c\"", "\"\\u0062\\u0022c\"", "\"b\"", "5");
    PASSES(SKIP("==", "\"\""), "\"\" yes, \"x\" no, null no", "\"\"", "\"x\"", "null");
    PASSES(SKIP(">=", "\"2024-03\""),
           "\"2024-03-01\" yes, \"2024-03\" yes, \"2024-02-29\" no, \"2024\" no, 2025 no",
           "\"2024-03-01\"", "\"2024-03\"", "\"2024-02-29\"", "\"2024\"", "2025");
}

static void true_and_false_are_only_equal_to_themselves(void **state)
{
    (void)state;
    PASSES(SKIP("==", "true"), "true yes, false no, \"true\" no, 1 no", "true", "false",
           "\"true\"", "1");
    PASSES(SKIP("==", "false"), "true no, false yes, null no, 0 no", "true", "false", "null",
           "0");
}

static void expressions_see_texts_and_the_json_of_all_else_but_null(void **state)
{
    (void)state;
    PASSES(SKIP("=~", "\"^po.t$\""),
           "\"post\" yes, \"p\\u006fst\" yes, \"posts\" no, \"post\\n\" no", "\"post\"",
           "\"p\\u006fst\"", "\"posts\"", "\"post\\n\"");
    PASSES(SKIP("=~", "\"[15]\""), "15 yes, [1] yes, true no, null no, \"\" no", "15", "[1]",
           "true", "null", "\"\"");
    PASSES(SKIP("=~", "\".*\""), "\"\" yes, null no", "\"\"", "null");
}

static void what_an_expression_cannot_tell_is_refused(void **state)
{
    struct buf doc = {0};
    struct road road;

    (void)state;
    buf_add_c(&doc, "{\"a\":{\"b\":\"");
    for (int i = 0; i < 40; i++)
        buf_add_char(&doc, 'a');
    buf_addf(&doc, "!\"}}%c", 0);
    road_begin(&road, SKIP("=~", "\"^(a+)+$\""));
    assert_non_null(strstr(road_doc(&road, doc.ptr), "refused: transform skip: the regular "
                                                     "expression gave up on a value of 41"));
    road_end(&road);
    buf_fini(&doc);
}

static void a_missing_field_does_not_pass(void **state)
{
    (void)state;
    assert_becomes(SKIP("<", "5"), "{\"a\":5}", "skip");
    assert_becomes(SKIP("=~", "\".*\""), "{}", "skip");
}

static void a_field_may_be_in_a_list(void **state)
{
    (void)state;
    assert_becomes(ONE("skip", "field = \"a.1.b\"; operator = \"==\"; match = 2;"),
                   "{\"a\":[0,{\"b\":2}]}", "{\"a\":[0,{\"b\":2}]}");
}

static void it_is_judged_what_earlier_transforms_have_left(void **state)
{
    (void)state;
    assert_becomes("( { plugin = \"omit\"; options: { fields = \"a\"; }; }, "
                   "{ plugin = \"skip\"; options: { field = \"a\"; operator = \"==\"; "
                   "match = 1; }; } )",
                   "{\"a\":1}", "skip");
}

#define DELETED ROW("3-c", ",\"deleted\":true,\"doc\":{\"_id\":\"o1\",\"_deleted\":true}")

static void deletions_pass_unless_they_are_to_be_judged(void **state)
{
    struct road road;

    (void)state;
    road_begin(&road, SKIP("==", "1"));
    assert_string_equal(road_send(&road, DELETED), "{\"_id\":\"o1\",\"_deleted\":true}");
    assert_string_equal(road_send(&road, ROW("3-c", ",\"deleted\":true")), "none");
    road_end(&road);
    road_begin(&road, ONE("skip", "field = \"_deleted\"; operator = \"==\"; match = false; "
                                  "deletes = \"judge\";"));
    assert_string_equal(road_send(&road, DELETED), "skip");
    road_end(&road);
}

static void without_a_document_there_is_no_verdict(void **state)
{
    struct road road;

    (void)state;
    road_begin(&road, SKIP("==", "1"));
    assert_string_equal(
        road_send(&road, ROW("2-b", "")),
        "refused: transform skip: the row has no document to look for \"a.b\" in; "
        "give rows with documents, or take the transform out");
    road_end(&road);
}

static void what_is_broken_is_not_left_out(void **state)
{
    (void)state;
    assert_becomes(SKIP("==", "1"), "{\"a\" 1}",
                   "refused: transform: the document is not a JSON object");
    assert_becomes(SKIP("==", "1"), "{\"a\":{\"b\" 1}}",
                   "refused: transform: the document is not a JSON object");
}

static void mistakes_of_skip_are_found(void **state)
{
    (void)state;
    assert_mistake(SKIP("=~", "\"(a\""), "match is no regular expression: missing closing "
                                         "parenthesis at byte 2");
    assert_mistake(SKIP("=~", "5"), "match is a regular expression; put it into quotes");
    assert_mistake(SKIP("<", "true"), "true and false have no order");
    assert_mistake(SKIP("==", "[ 1 ]"), "match is a list or a group");
    assert_mistake(SKIP("!=", "1"), "is \"!=\", but \"==\", \"=~\"");
    assert_mistake(ONE("skip", "field = \"a\"; operator = \"==\";"), "match: is missing");
    assert_mistake(ONE("skip", "field = \"a..b\"; operator = \"==\"; match = 1;"),
                   "empty step");
}

/* ---- opfilter ---- */

static void assert_lets(const char *options, const char *wanted)
{
    static const char *const rows[] = {ROW("1-a", ""), ROW("2-b", ",\"doc\":{}"),
                                       ROW("10-b", ""), ROW("1-a", ",\"deleted\":true"),
                                       ROW("3-c", ",\"deleted\":true")};
    struct buf said = {0};
    struct road road;

    road_begin(&road, options);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        buf_add_c(&said, strcmp(road_send(&road, rows[i]), "skip") == 0 ? "-" : "+");
    buf_add_char(&said, '\0');
    assert_string_equal(said.ptr, wanted);
    buf_fini(&said);
    road_end(&road);
}

static void operations_pass_by_their_list(void **state)
{
    (void)state;
    assert_lets(ONE("opfilter", "whitelist = [ \"insert\" ];"), "+----");
    assert_lets(ONE("opfilter", "whitelist = [ \"insert\", \"update\" ];"), "+++--");
    assert_lets(ONE("opfilter", "whitelist = \"delete\";"), "---++");
    assert_lets(ONE("opfilter", "blacklist = [ \"delete\" ];"), "+++--");
    assert_lets(ONE("opfilter", "blacklist = [ \"insert\", \"delete\" ];"), "-++--");
}

static void mistakes_of_opfilter_are_found(void **state)
{
    (void)state;
    assert_mistake(ONE("opfilter", ""), "there is nothing in whitelist and blacklist");
    assert_mistake(ONE("opfilter", "whitelist = [ ];"), "there is nothing in whitelist");
    assert_mistake(ONE("opfilter", "whitelist = \"insert\"; blacklist = \"delete\";"),
                   "there are both whitelist and blacklist");
    assert_mistake(ONE("opfilter", "whitelist = [ \"insert\", \"insert\" ];"),
                   "whitelist: \"insert\" is there twice");
    assert_mistake(ONE("opfilter", "blacklist = [ \"insert\", \"update\", \"delete\" ];"),
                   "lets nothing pass");
    assert_mistake(ONE("opfilter", "blacklist = [ \"upsert\" ];"), "\"upsert\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_compared_as_numbers),
        cmocka_unit_test(whole_numbers_are_compared_to_their_last_digit),
        cmocka_unit_test(texts_are_compared_without_their_escapes),
        cmocka_unit_test(true_and_false_are_only_equal_to_themselves),
        cmocka_unit_test(expressions_see_texts_and_the_json_of_all_else_but_null),
        cmocka_unit_test(what_an_expression_cannot_tell_is_refused),
        cmocka_unit_test(a_missing_field_does_not_pass),
        cmocka_unit_test(a_field_may_be_in_a_list),
        cmocka_unit_test(it_is_judged_what_earlier_transforms_have_left),
        cmocka_unit_test(deletions_pass_unless_they_are_to_be_judged),
        cmocka_unit_test(without_a_document_there_is_no_verdict),
        cmocka_unit_test(what_is_broken_is_not_left_out),
        cmocka_unit_test(mistakes_of_skip_are_found),
        cmocka_unit_test(operations_pass_by_their_list),
        cmocka_unit_test(mistakes_of_opfilter_are_found),
    };

    return cmocka_run_group_tests(tests, place_begin, place_end);
}
