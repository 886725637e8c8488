/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON trees, as plugins get them through tr.json/1.
 */
#include "json/tree.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

static char text[200];
static tr_error error = {sizeof(error), sizeof(text), text};

static tr_str str(const char *s)
{
    return (tr_str){s, strlen(s)};
}

static tr_json_value *parse(const char *json)
{
    tr_json_value *root = NULL;

    if (json_tree_parse(str(json), &root, &error) != TR_OK)
        fail_msg("%s: %s", json, text);
    return root;
}

static void assert_fails(const char *json, const char *where)
{
    tr_json_value *root = NULL;

    assert_int_equal(json_tree_parse(str(json), &root, &error), TR_EINVAL);
    assert_null(root);
    if (!strstr(text, where))
        fail_msg("%s: \"%s\" does not say \"%s\"", json, text, where);
}

static void assert_dumps(const tr_json_value *value, const char *expected)
{
    char out[300];
    size_t len = 0;

    assert_int_equal(json_tree_dump(value, out, sizeof(out), &len), TR_OK);
    assert_int_equal(len, strlen(expected));
    assert_memory_equal(out, expected, len);
}

static void every_type_has_its_number(void **state)
{
    static const char *const raws[] = {"null", "false", "true", "1.5", "\"a\"", "[]", "{}"};

    (void)state;
    for (int i = 0; i < 7; i++) {
        tr_json_value *root = parse(raws[i]);

        assert_int_equal(json_tree_type(root), TR_JSON_NULL + i);
        assert_int_equal(json_tree_count(root), 0);
        json_tree_free(root);
    }
    assert_int_equal(json_tree_type(NULL), TR_EINVAL);
}

static void members_and_items_are_reached(void **state)
{
    tr_json_value *root = parse("{\"a\":[1,\"x\",null],\"\\u0062\":{\"c\":true},\"a.b\":-2.5}");
    const tr_json_value *list = json_tree_get(root, str("a"));

    (void)state;
    assert_int_equal(json_tree_count(root), 3);
    assert_int_equal(json_tree_count(list), 3);
    assert_true(json_tree_number(json_tree_at(list, 0)) == 1);
    assert_int_equal(json_tree_type(json_tree_at(list, 2)), TR_JSON_NULL);
    assert_null(json_tree_at(list, 3));
    assert_null(json_tree_at(root, 0));
    assert_int_equal(json_tree_type(json_tree_get(json_tree_get(root, str("b")), str("c"))),
                     TR_JSON_TRUE);
    assert_true(json_tree_number(json_tree_get(root, str("a.b"))) == -2.5);
    assert_null(json_tree_get(root, (tr_str){"ab", 0}));
    assert_null(json_tree_get(list, str("a")));
    json_tree_free(root);
}

static void a_key_is_as_long_as_it_says(void **state)
{
    tr_json_value *root = parse("{\"ab\":1,\"a\":2}");

    (void)state;
    assert_true(json_tree_number(json_tree_get(root, (tr_str){"abc", 1})) == 2);
    assert_true(json_tree_number(json_tree_get(root, (tr_str){"abc", 2})) == 1);
    assert_null(json_tree_get(root, (tr_str){NULL, 0}));
    json_tree_free(root);
}

static void an_object_is_walked_in_its_own_order(void **state)
{
    static const char *const keys[] = {"z", "a", "m", "b"};
    tr_json_value *root = parse("{\"z\":0,\"a\":1,\"m\":2,\"b\":3,\"a\":1}");
    const tr_json_value *value;
    void *cursor = NULL;
    tr_str key;
    int i = 0;

    (void)state;
    for (; json_tree_next(root, &cursor, &key, &value); i++) {
        assert_true(i < 4);
        assert_int_equal(key.len, 1);
        assert_memory_equal(key.ptr, keys[i], 1);
        assert_true(json_tree_number(value) == i);
    }
    assert_int_equal(i, 4);
    assert_int_equal(json_tree_next(root, &cursor, &key, &value), 0);
    json_tree_free(root);
}

static void strings_have_a_length(void **state)
{
    tr_json_value *root = parse("[\"a\\u0000b\",\"\",7]");
    tr_str s = json_tree_string(json_tree_at(root, 0));

    (void)state;
    assert_int_equal(s.len, 3);
    assert_memory_equal(s.ptr, "a\0b", 3);
    s = json_tree_string(json_tree_at(root, 1));
    assert_non_null(s.ptr);
    assert_int_equal(s.len, 0);
    s = json_tree_string(json_tree_at(root, 2));
    assert_null(s.ptr);
    assert_int_equal(s.len, 0);
    json_tree_free(root);
}

static void errors_name_line_and_column(void **state)
{
    (void)state;
    assert_fails("{\n  \"a\": x\n}", "line 2, column 8");
    assert_fails("[1,]", "line 1, column 4");
    assert_fails("", "line 1, column 0");
    assert_fails("{} {}", "line 1, column 4");
    assert_fails("[\"\xff\"]", "line 1");
    assert_fails("\n\n[1e999]", "line 3");
    assert_fails("{\"a\\u0000\":1}", "NUL");
}

static void an_error_needs_no_room(void **state)
{
    tr_json_value *root = NULL;
    tr_error none = {sizeof(none), 0, text}, tiny = {sizeof(tiny), 5, text};

    (void)state;
    strcpy(text, "as before");
    assert_int_equal(json_tree_parse(str("["), &root, NULL), TR_EINVAL);
    assert_int_equal(json_tree_parse(str("["), &root, &none), TR_EINVAL);
    assert_string_equal(text, "as before");
    assert_int_equal(json_tree_parse(str("["), &root, &tiny), TR_EINVAL);
    assert_int_equal(strlen(text), 4);
    assert_int_equal(json_tree_parse((tr_str){NULL, 0}, &root, NULL), TR_EINVAL);
}

static void integers_beyond_64_bits_are_read_as_doubles(void **state)
{
    tr_json_value *root = parse("{\"9223372036854775808\":\"18446744073709551616\",\"n\":["
                                "9223372036854775807,9223372036854775808,-9223372036854775809,"
                                "100000000000000000000000000000,1,true,1.5e3]}");
    const tr_json_value *n = json_tree_get(root, str("n"));

    (void)state;
    assert_int_equal(json_tree_count(n), 7);
    assert_true(json_tree_number(json_tree_at(n, 1)) == 9223372036854775808.0);
    assert_true(json_tree_number(json_tree_at(n, 2)) == -9223372036854775808.0);
    assert_true(json_tree_number(json_tree_at(n, 3)) == 1e29);
    assert_dumps(json_tree_at(n, 0), "9223372036854775807");
    assert_dumps(json_tree_at(n, 4), "1");
    assert_int_equal(json_tree_string(json_tree_get(root, str("9223372036854775808"))).len, 20);
    json_tree_free(root);
    root = parse("99999999999999999999");
    assert_true(json_tree_number(root) == 1e20);
    json_tree_free(root);
}

static void big_integers_do_not_move_the_place_of_an_error(void **state)
{
    (void)state;
    assert_fails("[99999999999999999999,\n99999999999999999999, 99999999999999999999, x]",
                 "line 2, column 45");
    assert_fails("[99999999999999999999", "line 1, column 21");
}

static void a_dump_is_compact_and_says_what_it_needs(void **state)
{
    tr_json_value *root = parse(" { \"b\" : [ 1 , 2.5, null ] , \"a\" : \"x\\n\" } ");
    static const char expected[] = "{\"b\":[1,2.5,null],\"a\":\"x\\n\"}";
    char out[sizeof(expected)];
    size_t len = 0;

    (void)state;
    assert_dumps(root, expected);
    assert_dumps(json_tree_get(root, str("a")), "\"x\\n\"");
    assert_int_equal(json_tree_dump(root, NULL, 0, &len), TR_EINVAL);
    assert_int_equal(len, sizeof(expected) - 1);
    assert_int_equal(json_tree_dump(root, out, sizeof(expected) - 2, &len), TR_EINVAL);
    assert_int_equal(len, sizeof(expected) - 1);
    assert_int_equal(json_tree_dump(root, out, sizeof(expected) - 1, &len), TR_OK);
    assert_int_equal(json_tree_dump(NULL, out, sizeof(out), &len), TR_EINVAL);
    json_tree_free(root);
}

static void nothing_holds_nothing(void **state)
{
    void *cursor = NULL;
    const tr_json_value *value;
    tr_str key;

    (void)state;
    json_tree_free(NULL);
    assert_int_equal(json_tree_count(NULL), 0);
    assert_null(json_tree_get(NULL, str("a")));
    assert_null(json_tree_at(NULL, 0));
    assert_int_equal(json_tree_next(NULL, &cursor, &key, &value), 0);
    assert_null(json_tree_string(NULL).ptr);
    assert_true(json_tree_number(NULL) == 0);
}

int main(void)
{
    /* the functions fit the table of the extension */
    const tr_json table = {
        .size = sizeof(table),
        .parse = json_tree_parse,
        .free = json_tree_free,
        .type = json_tree_type,
        .count = json_tree_count,
        .get = json_tree_get,
        .at = json_tree_at,
        .next = json_tree_next,
        .string = json_tree_string,
        .number = json_tree_number,
        .dump = json_tree_dump,
    };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_has_its_number),
        cmocka_unit_test(members_and_items_are_reached),
        cmocka_unit_test(a_key_is_as_long_as_it_says),
        cmocka_unit_test(an_object_is_walked_in_its_own_order),
        cmocka_unit_test(strings_have_a_length),
        cmocka_unit_test(errors_name_line_and_column),
        cmocka_unit_test(an_error_needs_no_room),
        cmocka_unit_test(integers_beyond_64_bits_are_read_as_doubles),
        cmocka_unit_test(big_integers_do_not_move_the_place_of_an_error),
        cmocka_unit_test(a_dump_is_compact_and_says_what_it_needs),
        cmocka_unit_test(nothing_holds_nothing),
    };

    (void)table;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
