/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transforms that change documents: pick, omit, rename and set.
 */
#include "test_transform_lib.h"

#define DOC                                                                                    \
    "{\"_id\":\"o1\",\"_rev\":\"2-b\",\"title\":\"T\",\"author\":{\"name\":\"Ada\",\"mail\":"  \
    "\"a@b\"},\"tags\":[1,{\"x\":2}],\"n\" : 1.50}"

/* ---- pick ---- */

static void pick_keeps_fields_in_the_order_of_the_document(void **state)
{
    (void)state;
    assert_becomes(
        ONE("pick", "fields = [ \"n\", \"author.name\", \"absent.x\" ];"), DOC,
        "{\"_id\":\"o1\",\"_rev\":\"2-b\",\"author\":{\"name\":\"Ada\"},\"n\":1.50}");
    assert_becomes(ONE("pick", "fields = \"title\"; special = false;"), DOC,
                   "{\"title\":\"T\"}");
}

static void pick_of_all_leaves_every_byte(void **state)
{
    (void)state;
    assert_becomes(ONE("pick", "fields = [ \"title\", \"author\", \"tags\", \"n\" ];"), DOC,
                   DOC);
}

static void pick_keeps_what_tells_a_deletion(void **state)
{
    (void)state;
    assert_becomes(ONE("pick", "fields = [ \"title\" ];"),
                   "{\"_id\":\"o1\",\"_rev\":\"2-b\",\"_deleted\":true,\"why\":1}",
                   "{\"_id\":\"o1\",\"_rev\":\"2-b\",\"_deleted\":true}");
}

/* ---- omit ---- */

static void omit_drops_fields_and_passes_over_absent_ones(void **state)
{
    (void)state;
    assert_becomes(ONE("omit", "fields = [ \"author.mail\", \"absent\", \"tags\", \"_rev\" ];"),
                   DOC,
                   "{\"_id\":\"o1\",\"title\":\"T\",\"author\":{\"name\":\"Ada\"},\"n\":1.50}");
    assert_becomes(ONE("omit", "fields = [ \"absent\", \"title.x\" ];"), DOC, DOC);
}

static void omit_lets_nothing_pass_that_it_cannot_drop(void **state)
{
    (void)state;
    assert_becomes(ONE("omit", "fields = [ \"a\", \"users.0.password\" ];"),
                   "{\"a\":1,\"users\":[{\"password\":1}]}",
                   "refused: transform omit: field number 2 is within a list and cannot be "
                   "omitted; omit the list");
    assert_becomes(ONE("omit", "fields = [ \"a\", \"users.0.password\" ];"),
                   "{\"a\":1,\"users\":[]}", "{\"users\":[]}");
}

static void omit_drops_all_of_duplicate_keys_however_they_are_written(void **state)
{
    (void)state;
    assert_becomes(ONE("omit", "fields = [ \"secret\" ];"),
                   "{\"secret\":1,\"a\":2,\"s\\u0065cret\":3}", "{\"a\":2}");
}

static void a_dot_in_a_name_is_written_with_a_backslash(void **state)
{
    (void)state;
    assert_becomes(ONE("omit", "fields = [ \"a\\\\.b\" ];"), "{\"a.b\":1,\"a\":{\"b\":2}}",
                   "{\"a\":{\"b\":2}}");
}

static void what_cannot_be_read_is_refused(void **state)
{
    struct road road;

    (void)state;
    road_begin(&road, ONE("omit", "fields = [ \"a.b\" ];"));
    assert_string_equal(road_doc(&road, "{\"a\" 1}"),
                        "refused: transform: the document is not a JSON object");
    assert_string_equal(road_doc(&road, "{\"a\":{\"b\" 1}}"),
                        "refused: transform: the document is not a JSON object");
    road_end(&road);
}

/* ---- rename ---- */

#define RENAME(moves_)        ONE("rename", "fields = ( " moves_ " );")
#define MOVE(from_, to_)      "{ from = \"" from_ "\"; to = \"" to_ "\"; }"
#define MOVES(a_, b_, c_, d_) RENAME(MOVE(a_, b_) ", " MOVE(c_, d_))

static void rename_moves_fields_to_names_and_places(void **state)
{
    (void)state;
    assert_becomes(MOVES("title", "headline", "author.name", "meta.by.name"), DOC,
                   "{\"_id\":\"o1\",\"_rev\":\"2-b\",\"headline\":\"T\",\"author\":{\"mail\":"
                   "\"a@b\"},\"tags\":[1,{\"x\":2}],\"n\":1.50,\"meta\":{\"by\":{\"name\":"
                   "\"Ada\"}}}");
    assert_becomes(RENAME(MOVE("absent", "title")), DOC, DOC);
}

static void rename_goes_in_the_order_that_is_written(void **state)
{
    (void)state;
    assert_becomes(MOVES("b", "c", "a", "b"), "{\"a\":1,\"b\":2}", "{\"b\":1,\"c\":2}");
    assert_becomes(MOVES("a.b", "b", "a", "rest"), "{\"a\":{\"b\":1,\"c\":2}}",
                   "{\"rest\":{\"c\":2},\"b\":1}");
}

static void rename_wraps_and_unwraps(void **state)
{
    (void)state;
    assert_becomes(RENAME(MOVE("a", "a.value")), "{\"a\":1}", "{\"a\":{\"value\":1}}");
    assert_becomes(RENAME(MOVE("a.value", "a")), "{\"a\":{\"value\":1}}", "{\"a\":1}");
}

static void what_cannot_be_moved_does_not_go_on_under_its_old_name(void **state)
{
    (void)state;
    assert_becomes(
        RENAME(MOVE("a", "b.c")), "{\"a\":1,\"b\":2}",
        "refused: transform rename: \"a\" cannot be renamed to \"b.c\": it is within "
        "a list, or something on the way to its new place is no object");
    assert_becomes(
        RENAME(MOVE("a.0", "b")), "{\"a\":[1]}",
        "refused: transform rename: \"a.0\" cannot be renamed to \"b\": it is within "
        "a list, or something on the way to its new place is no object");
}

/* ---- set ---- */

#define SET(fields_) ONE("set", "fields = ( " fields_ " );")

static void set_puts_values_of_every_type(void **state)
{
    (void)state;
    assert_becomes(
        SET("{ path = \"s\"; value = \"a\\\"b\"; }, { path = \"i\"; value = 5; }, "
            "{ path = \"f\"; value = 0.5; }, { path = \"t\"; value = true; }, "
            "{ path = \"l\"; value = ( 1, \"$seq\" ); }, { path = \"e\"; value = [ ]; }, "
            "{ path = \"g\"; value: { a: { b = 1; }; }; }, "
            "{ path = \"n\"; json = \"null\"; }, "
            "{ path = \"j\"; json = \" [1, {\\\"a\\\": 12345678901234567890.10}] \"; }"),
        "{}",
        "{\"s\":\"a\\\"b\",\"i\":5,\"f\":0.5,\"t\":true,\"l\":[1,\"$seq\"],\"e\":[],"
        "\"g\":{\"a\":{\"b\":1}},\"n\":null,\"j\":[1, {\"a\": 12345678901234567890.10}]}");
}

static void set_fills_in_what_is_known_of_the_change(void **state)
{
    (void)state;
    assert_becomes(
        SET("{ path = \"meta.db\"; value = \"$db_name\"; }, "
            "{ path = \"meta.at\"; value = \"$seq\"; }, "
            "{ path = \"meta.key\"; value = \"${db_name}/$change.id\"; }, "
            "{ path = \"n\"; value = \"$change.likes\"; }, "
            "{ path = \"none\"; value = \"$change.absent\"; }, "
            "{ path = \"price\"; value = \"$$5\"; }"),
        "{\"likes\":7}",
        "{\"likes\":7,\"meta\":{\"db\":\"orders\",\"at\":\"7-x\",\"key\":\"orders/o1\"},"
        "\"n\":7,\"none\":null,\"price\":\"$5\"}");
}

static void variables_are_of_the_document_as_the_source_has_it(void **state)
{
    (void)state;
    assert_becomes("( { plugin = \"omit\"; options: { fields = \"a\"; }; }, "
                   "{ plugin = \"set\"; options: { fields = "
                   "( { path = \"b\"; value = \"$change.a\"; } ); }; } )",
                   "{\"a\":1}", "{\"b\":1}");
}

static void set_writes_over_what_is_there_unless_told_not_to(void **state)
{
    (void)state;
    assert_becomes(SET("{ path = \"a\"; value = 1; }, "
                       "{ path = \"b\"; value = 1; overwrite = false; }, "
                       "{ path = \"c\"; value = 1; overwrite = false; }"),
                   "{\"a\":0,\"b\":null}", "{\"a\":1,\"b\":null,\"c\":1}");
}

static void set_refuses_to_go_through_what_is_no_object(void **state)
{
    (void)state;
    assert_becomes(
        SET("{ path = \"a.b\"; value = 1; }"), "{\"a\":0}",
        "refused: transform set: \"a.b\" cannot be set: something on the way to it is "
        "no object");
}

/* ---- all of them ---- */

static void a_chain_hands_on_what_each_has_made(void **state)
{
    (void)state;
    assert_becomes("( { plugin = \"pick\"; options: { fields = [ \"author\", \"n\" ]; }; }, "
                   "{ plugin = \"omit\"; options: { fields = [ \"author.mail\" ]; }; }, "
                   "{ plugin = \"rename\"; options: { fields = ( { from = \"author.name\"; "
                   "to = \"writer\"; } ); }; }, "
                   "{ plugin = \"set\"; options: { fields = ( { path = \"author.id\"; "
                   "value = 1; } ); }; } )",
                   DOC,
                   "{\"_id\":\"o1\",\"_rev\":\"2-b\",\"author\":{\"id\":1},\"n\":1.50,"
                   "\"writer\":\"Ada\"}");
}

static void a_row_without_a_document_passes_as_it_is(void **state)
{
    static const char *const transforms[] = {
        ONE("pick", "fields = \"a\";"), ONE("omit", "fields = \"a\";"), RENAME(MOVE("a", "b")),
        SET("{ path = \"a\"; value = 1; }")};

    (void)state;
    for (size_t i = 0; i < sizeof(transforms) / sizeof(transforms[0]); i++) {
        struct road road;

        road_begin(&road, transforms[i]);
        assert_string_equal(road_send(&road, ROW("2-b", "")), "none");
        assert_string_equal(road_send(&road, ROW("2-b", ",\"doc\":null")), "none");
        road_end(&road);
    }
}

/* ---- mistakes ---- */

static void paths_that_make_each_other_useless_are_refused(void **state)
{
    (void)state;
    assert_mistake(ONE("pick", "fields = [ \"a\", \"b\", \"a\" ];"),
                   "fields: \"a\" is there twice; take one out");
    assert_mistake(ONE("omit", "fields = [ \"a\", \"a.b\" ];"),
                   "fields: \"a.b\" lies within \"a\"; take out one of them");
    assert_mistake(ONE("omit", "fields = [ \"a.b\", \"a\" ];"),
                   "fields: \"a.b\" lies within \"a\"");
    assert_becomes(ONE("omit", "fields = [ \"a\", \"ab\", \"a\\\\.b\" ];"), "{\"b\":1}",
                   "{\"b\":1}");
}

static void what_is_no_path_is_refused(void **state)
{
    (void)state;
    assert_mistake(ONE("pick", "fields = [ ];"), "fields is empty");
    assert_mistake(ONE("pick", "fields = [ \"\" ];"), "the path is empty");
    assert_mistake(ONE("omit", "fields = [ \"a..b\" ];"), "empty step at character 3");
    assert_mistake(ONE("omit", "field = \"a\";"), "did you mean \"fields\"?");
    assert_mistake(RENAME(MOVE("a", ".b")), "empty step");
    assert_mistake(ONE("rename", "fields = ( );"), "fields is empty");
    assert_mistake(ONE("rename", "fields = ( { from = \"a\"; } );"),
                   "fields.0.to: is missing and must be set");
    assert_mistake(ONE("set", "fields = ( );"), "fields is empty");
}

static void renames_that_defeat_each_other_are_refused(void **state)
{
    (void)state;
    assert_mistake(RENAME(MOVE("a", "a")), "\"a\" is renamed to itself");
    assert_mistake(MOVES("a", "b", "a", "c"), "\"a\" cannot be renamed once \"a\" was");
    assert_mistake(MOVES("a", "b", "a.x", "c"), "\"a.x\" cannot be renamed once \"a\" was");
    assert_mistake(MOVES("a", "c", "b", "c"), "would be written over by \"b\"");
    assert_mistake(MOVES("a", "c.d", "b", "c"), "would be written over by \"b\"");
    assert_mistake(MOVES("a", "b", "b", "c"), "and that again to \"c\"");
}

static void values_that_are_none_are_refused(void **state)
{
    (void)state;
    assert_mistake(SET("{ path = \"a\"; }"), "\"a\" has neither value and json");
    assert_mistake(SET("{ path = \"a\"; value = 1; json = \"1\"; }"), "both value and json");
    assert_mistake(SET("{ path = \"a\"; json = \"[1\"; }"), "line 1, column");
    assert_mistake(SET("{ path = \"a.b\"; value = 1; }, { path = \"a\"; value = 1; }"),
                   "\"a.b\" would be written over by \"a\"");
    assert_becomes(SET("{ path = \"a\"; json = \"{}\"; }, { path = \"a.b\"; value = 1; }"),
                   "{}", "{\"a\":{\"b\":1}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pick_keeps_fields_in_the_order_of_the_document),
        cmocka_unit_test(pick_of_all_leaves_every_byte),
        cmocka_unit_test(pick_keeps_what_tells_a_deletion),
        cmocka_unit_test(omit_drops_fields_and_passes_over_absent_ones),
        cmocka_unit_test(omit_lets_nothing_pass_that_it_cannot_drop),
        cmocka_unit_test(omit_drops_all_of_duplicate_keys_however_they_are_written),
        cmocka_unit_test(a_dot_in_a_name_is_written_with_a_backslash),
        cmocka_unit_test(what_cannot_be_read_is_refused),
        cmocka_unit_test(rename_moves_fields_to_names_and_places),
        cmocka_unit_test(rename_goes_in_the_order_that_is_written),
        cmocka_unit_test(rename_wraps_and_unwraps),
        cmocka_unit_test(what_cannot_be_moved_does_not_go_on_under_its_old_name),
        cmocka_unit_test(set_puts_values_of_every_type),
        cmocka_unit_test(set_fills_in_what_is_known_of_the_change),
        cmocka_unit_test(variables_are_of_the_document_as_the_source_has_it),
        cmocka_unit_test(set_writes_over_what_is_there_unless_told_not_to),
        cmocka_unit_test(set_refuses_to_go_through_what_is_no_object),
        cmocka_unit_test(a_chain_hands_on_what_each_has_made),
        cmocka_unit_test(a_row_without_a_document_passes_as_it_is),
        cmocka_unit_test(paths_that_make_each_other_useless_are_refused),
        cmocka_unit_test(what_is_no_path_is_refused),
        cmocka_unit_test(renames_that_defeat_each_other_are_refused),
        cmocka_unit_test(values_that_are_none_are_refused),
    };

    return cmocka_run_group_tests(tests, place_begin, place_end);
}
