/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Documents that are changed without a tree: what a change does, and that it does nothing else.
 */
#include "json/doc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static struct arena arena;

static struct json_doc_path path(const char *text)
{
    struct json_doc_path compiled;

    assert_int_equal(json_doc_path_compile(str_c(text), &arena, &compiled, NULL), 0);
    return compiled;
}

static struct json_doc doc(const char *text)
{
    struct json_doc it;

    json_doc_init(&it, str_c(text), &arena);
    return it;
}

static void assert_text(const struct json_doc *it, const char *expected)
{
    size_t size = json_doc_size(it);
    char *text = arena_alloc(&arena, size + 1), *end = json_doc_write(it, text);

    *end = '\0';
    assert_int_equal(end - text, size);
    assert_string_equal(text, expected);
}

static bool get(struct json_doc *it, const char *where, const char *expected)
{
    struct json_doc_path compiled = path(where);
    tr_str raw;

    return json_doc_get(it, &compiled, &raw) && str_eq(raw, str_c(expected));
}

static bool has(struct json_doc *it, const char *where)
{
    struct json_doc_path compiled = path(where);
    tr_str raw;

    return json_doc_get(it, &compiled, &raw);
}

static bool set(struct json_doc *it, const char *where, const char *raw)
{
    struct json_doc_path compiled = path(where);

    return json_doc_set(it, &compiled, str_c(raw));
}

static bool drop(struct json_doc *it, const char *where)
{
    struct json_doc_path compiled = path(where);

    return json_doc_remove(it, &compiled);
}

static bool move(struct json_doc *it, const char *from, const char *to)
{
    struct json_doc_path one = path(from), other = path(to);

    return json_doc_rename(it, &one, &other);
}

static void keep(struct json_doc *it, bool special, uint32_t count, const char *const *texts)
{
    struct json_doc_path *paths = arena_alloc(&arena, count * sizeof(*paths));
    const struct json_doc_path **pointers = arena_alloc(&arena, count * sizeof(*pointers));

    for (uint32_t i = 0; i < count; i++) {
        paths[i] = path(texts[i]);
        pointers[i] = &paths[i];
    }
    json_doc_keep(it, pointers, count, special);
}
#define KEEP(it, special, ...)                                                                 \
    keep(it, special, sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *),                  \
         (const char *[]){__VA_ARGS__})

/* Odd space and numbers, which a tree would not give back. */
#define ODD                                                                                    \
    "{ \"n\" : 12345678901234567890.0 , \"o\":{ \"a\":1e3,\"b\":[ ] }, \"s\":\"\\u00e9\" }"

static void what_is_only_read_stays_as_it_came(void **state)
{
    struct json_doc it = doc(ODD);

    (void)state;
    assert_true(get(&it, "n", "12345678901234567890.0"));
    assert_true(get(&it, "o.a", "1e3"));
    assert_true(get(&it, "o.b", "[ ]"));
    assert_false(has(&it, "o.c"));
    assert_false(has(&it, "n.x"));
    assert_false(it.changed);
    assert_text(&it, ODD);
}

static void paths_reach_into_arrays_to_read(void **state)
{
    struct json_doc it = doc("{\"a\":[{\"b\":7},[8]]}");

    (void)state;
    assert_true(get(&it, "a.0.b", "7"));
    assert_true(get(&it, "a.1.0", "8"));
    assert_false(has(&it, "a.2"));
    assert_false(drop(&it, "a.0.b"));
    assert_false(set(&it, "a.0.b", "1"));
    assert_text(&it, "{\"a\":[{\"b\":7},[8]]}");
}

static void a_value_is_set_where_it_was(void **state)
{
    struct json_doc it = doc(ODD);

    (void)state;
    assert_true(set(&it, "o.a", " [1, 2] "));
    assert_true(get(&it, "o.a", "[1, 2]"));
    assert_true(it.changed);
    assert_text(&it, "{\"n\":12345678901234567890.0,\"o\":{\"a\":[1, 2],\"b\":[ ]},"
                     "\"s\":\"\\u00e9\"}");
}

static void what_is_missing_on_the_way_is_made(void **state)
{
    struct json_doc it = doc("{}");

    (void)state;
    assert_true(set(&it, "a.b.c", "1"));
    assert_true(set(&it, "a.b.d", "2"));
    assert_true(set(&it, "x\\.y", "3"));
    assert_false(set(&it, "a.b.c.d", "4"));
    assert_text(&it, "{\"a\":{\"b\":{\"c\":1,\"d\":2}},\"x.y\":3}");
    assert_true(get(&it, "a", "{\"b\":{\"c\":1,\"d\":2}}"));
}

static void keys_are_written_as_json(void **state)
{
    struct json_doc it = doc("{\"\\u0061\":1}");

    (void)state;
    assert_true(get(&it, "a", "1"));
    assert_true(move(&it, "a", "say \"so\""));
    assert_text(&it, "{\"say \\\"so\\\"\":1}");
    assert_true(get(&it, "say \"so\"", "1"));
}

static void a_removed_member_is_gone(void **state)
{
    struct json_doc it = doc("{\"a\":1,\"b\":{\"c\":2,\"d\":3},\"e\":4}");

    (void)state;
    assert_true(drop(&it, "b.c"));
    assert_true(drop(&it, "a"));
    assert_false(drop(&it, "a"));
    assert_text(&it, "{\"b\":{\"d\":3},\"e\":4}");
    assert_true(drop(&it, "b.d"));
    assert_true(drop(&it, "b"));
    assert_true(drop(&it, "e"));
    assert_text(&it, "{}");
}

static void the_last_of_duplicates_counts_and_a_change_drops_the_others(void **state)
{
    struct json_doc it = doc("{\"a\":1,\"b\":2,\"\\u0061\":3}");

    (void)state;
    assert_true(get(&it, "a", "3"));
    assert_true(set(&it, "a", "4"));
    assert_text(&it, "{\"b\":2,\"\\u0061\":4}");
    it = doc("{\"a\":1,\"b\":2,\"a\":3}");
    assert_true(drop(&it, "a"));
    assert_text(&it, "{\"b\":2}");
    it = doc("{\"a\":1,\"b\":2,\"a\":3}");
    assert_true(move(&it, "a", "b"));
    assert_text(&it, "{\"b\":3}");
}

static void a_renamed_member_keeps_its_place(void **state)
{
    struct json_doc it = doc("{\"a\":1,\"b\":2,\"c\":3}");

    (void)state;
    assert_true(move(&it, "b", "x"));
    assert_text(&it, "{\"a\":1,\"x\":2,\"c\":3}");
    assert_true(move(&it, "x", "c"));
    assert_text(&it, "{\"a\":1,\"c\":2}");
    assert_true(move(&it, "a", "a"));
    assert_text(&it, "{\"a\":1,\"c\":2}");
    assert_false(move(&it, "b", "y"));
}

static void a_member_moves_between_objects(void **state)
{
    struct json_doc it = doc("{\"a\":{\"b\":{\"k\":1},\"c\":2},\"d\":5}");

    (void)state;
    assert_true(set(&it, "a.b.k", "7"));
    assert_true(move(&it, "a.b", "x.y"));
    assert_text(&it, "{\"a\":{\"c\":2},\"d\":5,\"x\":{\"y\":{\"k\":7}}}");
    assert_false(move(&it, "a.c", "d.e"));
    assert_text(&it, "{\"a\":{\"c\":2},\"d\":5,\"x\":{\"y\":{\"k\":7}}}");
    assert_true(move(&it, "a.c", "a"));
    assert_text(&it, "{\"a\":2,\"d\":5,\"x\":{\"y\":{\"k\":7}}}");
    assert_true(move(&it, "d", "d.in"));
    assert_text(&it, "{\"a\":2,\"x\":{\"y\":{\"k\":7}},\"d\":{\"in\":5}}");
}

static void what_is_kept_is_all_there_is(void **state)
{
    struct json_doc it = doc("{\"_id\":\"x\",\"a\":{\"b\":1,\"c\":2},\"d\":3,\"e\":{\"f\":4}}");

    (void)state;
    KEEP(&it, true, "d", "a.c", "e.g");
    assert_text(&it, "{\"_id\":\"x\",\"a\":{\"c\":2},\"d\":3}");
    KEEP(&it, false, "d", "a", "a.c");
    assert_text(&it, "{\"a\":{\"c\":2},\"d\":3}");
    KEEP(&it, false, "a.c.x");
    assert_text(&it, "{}");
    it = doc(ODD);
    KEEP(&it, false, "s", "o", "n");
    assert_false(it.changed);
    assert_text(&it, ODD);
}

static void many_members_fit(void **state)
{
    struct json_doc it = doc("{}");
    char name[16], last[16] = "";

    (void)state;
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof(name), "m%d", i);
        snprintf(last, sizeof(last), "%d", i);
        assert_true(set(&it, name, last));
    }
    assert_true(get(&it, "m499", last));
    assert_true(get(&it, "m0", "0"));
}

static void another_document_takes_its_place(void **state)
{
    struct json_doc it = doc("{\"a\":1}");

    (void)state;
    assert_true(has(&it, "a"));
    json_doc_replace(&it, STR(" {\"b\": 2} "));
    assert_false(has(&it, "a"));
    assert_true(get(&it, "b", "2"));
    assert_text(&it, "{\"b\": 2}");
}

static void no_document_has_nothing(void **state)
{
    struct json_doc it = doc("");

    (void)state;
    assert_false(has(&it, "a"));
    assert_false(set(&it, "a", "1"));
    assert_false(drop(&it, "a"));
    KEEP(&it, true, "a");
    assert_false(it.broken);
    assert_text(&it, "");
}

static void what_is_no_object_is_broken_and_left_alone(void **state)
{
    static const char *const texts[] = {"{\"a\":1", "{\"a\" 1}",   "{\"a\":1,}", "{a:1}",
                                        "[1]",      "{\"a\":1}{}", "{\"a\":01}", "null"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct json_doc it = doc(texts[i]);

        assert_false(set(&it, "b", "1"));
        assert_true(it.broken);
        assert_text(&it, texts[i]);
    }
}

static void a_value_is_one_value(void **state)
{
    static const char *const good[] = {"1",    "-0.5e7", " true ", "null",
                                       "\"\"", "[1,[]]", "{ }",    "\"\\u0000\""};
    static const char *const bad[] = {"",     " ",        "01",  "1 2",   "tru", "\"a",
                                      "[1,2", "{\"a\":1", "[]]", "nulls", "-",   "\"\x01\""};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(json_doc_is_value(str_c(good[i])));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(json_doc_is_value(str_c(bad[i])));
}

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 4096);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_only_read_stays_as_it_came),
        TEST(paths_reach_into_arrays_to_read),
        TEST(a_value_is_set_where_it_was),
        TEST(what_is_missing_on_the_way_is_made),
        TEST(keys_are_written_as_json),
        TEST(a_removed_member_is_gone),
        TEST(the_last_of_duplicates_counts_and_a_change_drops_the_others),
        TEST(a_renamed_member_keeps_its_place),
        TEST(a_member_moves_between_objects),
        TEST(what_is_kept_is_all_there_is),
        TEST(many_members_fit),
        TEST(another_document_takes_its_place),
        TEST(no_document_has_nothing),
        TEST(what_is_no_object_is_broken_and_left_alone),
        TEST(a_value_is_one_value),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
