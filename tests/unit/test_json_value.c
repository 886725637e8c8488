/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking into raw JSON without a tree: types, walks, members, paths, numbers.
 */
#include "json/value.h"

#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>

#include <cmocka.h>

static struct arena arena;

static void assert_str(tr_str seen, const char *expected)
{
    assert_int_equal(seen.len, strlen(expected));
    if (seen.len > 0)
        assert_memory_equal(seen.ptr, expected, seen.len);
}

/* What stands at the path, "(none)" if nothing does. */
static tr_str find(const char *json, const char *text)
{
    struct json_path path;
    tr_str found = STR("(none)");

    assert_int_equal(json_path_compile(str_c(text), &arena, &path, NULL), 0);
    (void)json_find(str_c(json), &path, &found);
    return found;
}

static void the_first_byte_names_the_type(void **state)
{
    static const struct {
        const char *raw, *name;
        enum json_type type;
    } types[] = {
        {"null", "null", JSON_NULL},  {"false", "false", JSON_FALSE},
        {"true", "true", JSON_TRUE},  {"-1", "number", JSON_NUMBER},
        {"0", "number", JSON_NUMBER}, {"\"a\"", "string", JSON_STRING},
        {"[", "array", JSON_ARRAY},   {" \t\r\n{", "object", JSON_OBJECT},
        {"", "nothing", JSON_NONE},   {"  ", "nothing", JSON_NONE},
        {"+1", "nothing", JSON_NONE}, {"}", "nothing", JSON_NONE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        assert_int_equal(json_type_of(str_c(types[i].raw)), types[i].type);
        assert_string_equal(json_type_name(types[i].type), types[i].name);
    }
    assert_int_equal(json_type_of((tr_str){0}), JSON_NONE);
}

static void a_walk_gives_members_in_their_order(void **state)
{
    tr_str json = STR(" { \"a\" : 1 , \"\\u0062\":[2,{}],\"c\":\"x\" } ");
    tr_str key, value;
    size_t cursor = 0;

    (void)state;
    assert_true(json_next(json, &cursor, &key, &value));
    assert_str(key, "a");
    assert_str(value, "1");
    assert_true(json_next(json, &cursor, &key, &value));
    assert_str(key, "\\u0062");
    assert_str(value, "[2,{}]");
    assert_true(json_next(json, &cursor, &key, &value));
    assert_str(key, "c");
    assert_str(value, "\"x\"");
    assert_false(json_next(json, &cursor, &key, &value));
    assert_false(json_next(json, &cursor, &key, &value));
    assert_str(key, "c");
}

static void a_walk_gives_items_without_keys(void **state)
{
    static const char *const items[] = {"1", "\"]\"", "[]", "null"};
    tr_str json = STR("[1 ,\"]\", [] ,null]"), key, value;
    size_t cursor = 0, i = 0;

    (void)state;
    for (; json_next(json, &cursor, &key, &value); i++) {
        assert_int_equal(key.len, 0);
        assert_str(value, items[i]);
    }
    assert_int_equal(i, 4);
}

static void a_walk_of_nothing_gives_nothing(void **state)
{
    static const char *const empty[] = {"{}", "[ ]",  "",       "7",       "\"{}\"",
                                        "{",  "[",    "{\"a\"", "{\"a\":", "{\"a\":1",
                                        "[1", "[,1]", "{,}",    "{a:1}"};
    tr_str key, value;

    (void)state;
    for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
        size_t cursor = 0;
        int items = 0;

        while (json_next(str_c(empty[i]), &cursor, &key, &value))
            items++;
        assert_int_equal(items, 0);
        assert_false(json_get(str_c(empty[i]), STR("a"), &value));
    }
}

static void members_are_found_by_their_decoded_key(void **state)
{
    tr_str json = STR(
        "{\"a\":1,\"\\u00e9\":2,\"n\\u0000l\":3,\"\\\"\":4,\"\":5,\"\\\\n\":6,\"\\n\":7,"
        "\"\\ud83d\\ude00\":8}");
    tr_str raw;

    (void)state;
    assert_true(json_get(json, STR("a"), &raw));
    assert_str(raw, "1");
    assert_true(json_get(json, STR("\xc3\xa9"), &raw));
    assert_str(raw, "2");
    assert_true(json_get(json, str_n("n\0l", 3), &raw));
    assert_str(raw, "3");
    assert_true(json_get(json, STR("\""), &raw));
    assert_str(raw, "4");
    assert_true(json_get(json, STR(""), &raw));
    assert_str(raw, "5");
    assert_true(json_get(json, STR("\\n"), &raw));
    assert_str(raw, "6");
    assert_true(json_get(json, STR("\n"), &raw));
    assert_str(raw, "7");
    assert_true(json_get(json, STR("\xf0\x9f\x98\x80"), &raw));
    assert_str(raw, "8");
    assert_false(json_get(json, STR("n"), &raw));
    assert_false(json_get(json, STR("\\u00e9"), &raw));
    assert_str(raw, "8");
}

static void the_last_of_duplicate_keys_is_found(void **state)
{
    (void)state;
    assert_str(find("{\"a\":{\"b\":1},\"a\":{\"c\":2}}", "a.c"), "2");
    assert_str(find("{\"a\":{\"b\":1},\"a\":{\"c\":2}}", "a.b"), "(none)");
    assert_str(find("{\"a\":1,\"\\u0061\":2}", "a"), "2");
}

static void a_cut_object_has_no_members(void **state)
{
    static const char json[] = "{\"a\":1,\"b\":{},\"a\":2}";
    tr_str raw;

    (void)state;
    for (size_t cut = 0; cut < sizeof(json) - 1; cut++) {
        char *text = malloc(cut);

        memcpy(text, json, cut);
        assert_false(json_get(str_n(text, cut), STR("a"), &raw));
        free(text);
    }
    assert_true(json_get(str_n(json, sizeof(json) - 1), STR("a"), &raw));
}

static void paths_lead_through_objects_and_arrays(void **state)
{
    static const char json[] = "{\"author\":{\"name\":\"Ada\",\"first.last\":true,\"b\\\\\":5},"
                               "\"tags\":[\"x\",[\"y\",\"z\"],{\"n\":null}],\"0\":\"zero\"}";

    (void)state;
    assert_str(find(json, "author"), "{\"name\":\"Ada\",\"first.last\":true,\"b\\\\\":5}");
    assert_str(find(json, "author.name"), "\"Ada\"");
    assert_str(find(json, "author.first\\.last"), "true");
    assert_str(find(json, "author.b\\\\"), "5");
    assert_str(find(json, "author.b\\"), "5");
    assert_str(find(json, "tags.0"), "\"x\"");
    assert_str(find(json, "tags.1.1"), "\"z\"");
    assert_str(find(json, "tags.2.n"), "null");
    assert_str(find(json, "0"), "\"zero\"");
    assert_str(find(json, "tags.3"), "(none)");
    assert_str(find(json, "tags.00"), "(none)");
    assert_str(find(json, "tags.-1"), "(none)");
    assert_str(find(json, "tags.x"), "(none)");
    assert_str(find(json, "tags.99999999999999999999999"), "(none)");
    assert_str(find(json, "author.name.length"), "(none)");
    assert_str(find(json, "nobody.name"), "(none)");
    assert_str(find("7", "a"), "(none)");
    assert_str(find("", "a"), "(none)");
}

static void a_path_is_compiled_into_its_decoded_steps(void **state)
{
    struct json_path path;

    (void)state;
    assert_int_equal(json_path_compile(STR("a.b\\.c.d\\\\.\\e"), &arena, &path, NULL), 0);
    assert_str(path.text, "a.b\\.c.d\\\\.\\e");
    assert_int_equal(path.count, 4);
    assert_str(path.steps[0], "a");
    assert_str(path.steps[1], "b.c");
    assert_str(path.steps[2], "d\\");
    assert_str(path.steps[3], "\\e");
}

static void an_empty_step_is_an_error_that_says_where(void **state)
{
    static const char *const wrong[] = {".", ".a", "a.", "a..b", "a\\..", "a\\\\..b"};
    struct json_path path = {.count = 99};
    struct error error;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(json_path_compile(str_c(wrong[i]), &arena, &path, &error), ERR_CONFIG);
        assert_non_null(strstr(error.text, wrong[i]));
    }
    assert_int_equal(json_path_compile(STR("a..b"), &arena, &path, &error), ERR_CONFIG);
    assert_non_null(strstr(error.text, "at character 3"));
    assert_int_equal(json_path_compile(STR(""), &arena, &path, &error), ERR_CONFIG);
    assert_non_null(strstr(error.text, "empty"));
    assert_int_equal(path.count, 99);
}

static void numbers_are_read_by_the_grammar_of_json(void **state)
{
    static const char *const wrong[] = {"",    "-",    "01",  "+1",  ".5",    "1.",  "1e",
                                        "1e+", "0x1",  "inf", "nan", "1 ",    " 1",  "1a",
                                        "--1", "1.e5", "-01", "1,5", "\"1\"", "null"};
    double n = 42;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(json_number(str_c(wrong[i]), &n));
    assert_true(n == 42);
    assert_true(json_number(STR("0"), &n) && n == 0);
    assert_true(json_number(STR("-0.5e+1"), &n) && n == -5);
    assert_true(json_number(str_n("12345", 2), &n) && n == 12);
    assert_true(json_number(STR("9007199254740993"), &n) && n == 9007199254740992.0);
    assert_true(json_number(STR("1E2"), &n) && n == 100);
    assert_true(json_number(STR("1e999"), &n) && isinf(n));
    assert_true(json_number(STR("1e-999"), &n) && n == 0);
}

static void a_long_number_is_read_whole(void **state)
{
    char text[1001];
    double n;

    (void)state;
    memset(text, '0', sizeof(text));
    text[0] = '1';
    text[200] = '.';
    text[sizeof(text) - 1] = '7';
    assert_true(json_number(str_n(text, sizeof(text)), &n));
    assert_true(n == 1e199);
}

static void numbers_do_not_follow_the_locale(void **state)
{
    double n;

    (void)state;
    if (!setlocale(LC_NUMERIC, "de_DE.UTF-8") && !setlocale(LC_NUMERIC, "fr_FR.UTF-8"))
        skip();
    assert_true(json_number(STR("1.5"), &n));
    setlocale(LC_NUMERIC, "C");
    assert_true(n == 1.5);
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
        cmocka_unit_test(the_first_byte_names_the_type),
        cmocka_unit_test(a_walk_gives_members_in_their_order),
        cmocka_unit_test(a_walk_gives_items_without_keys),
        cmocka_unit_test(a_walk_of_nothing_gives_nothing),
        cmocka_unit_test(members_are_found_by_their_decoded_key),
        cmocka_unit_test(the_last_of_duplicate_keys_is_found),
        cmocka_unit_test(a_cut_object_has_no_members),
        cmocka_unit_test(paths_lead_through_objects_and_arrays),
        cmocka_unit_test(a_path_is_compiled_into_its_decoded_steps),
        cmocka_unit_test(an_empty_step_is_an_error_that_says_where),
        cmocka_unit_test(numbers_are_read_by_the_grammar_of_json),
        cmocka_unit_test(a_long_number_is_read_whole),
        cmocka_unit_test(numbers_do_not_follow_the_locale),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
