/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config/tree.h, config/near.h: finding nodes, writing them, durations and sizes, near names.
 */
#include "base/buf.h"
#include "config/load.h"
#include "config/near.h"

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

static struct config *parse(const char *text)
{
    struct diags diags;
    struct config *config = NULL;

    diags_init(&diags);
    assert_int_equal(config_load_text("test", str_c(text), &diags, &config), 0);
    diags_fini(&diags);
    return config;
}

static void assert_canonical(const char *a, const char *b, bool same)
{
    struct config *left = parse(a), *right = parse(b);
    struct buf first = {0}, second = {0};

    config_canonical(left->root, &first);
    config_canonical(right->root, &second);
    assert_int_equal(str_eq(buf_str(&first), buf_str(&second)), same);
    buf_fini(&first);
    buf_fini(&second);
    config_free(left);
    config_free(right);
}

static void duration_units_become_milliseconds(void **state)
{
    int64_t ms;

    (void)state;
    assert_true(config_parse_duration(STR("250ms"), &ms) && ms == 250);
    assert_true(config_parse_duration(STR("5s"), &ms) && ms == 5000);
    assert_true(config_parse_duration(STR("2m"), &ms) && ms == 120000);
    assert_true(config_parse_duration(STR("1h"), &ms) && ms == 3600000);
    assert_true(config_parse_duration(STR("1d"), &ms) && ms == 86400000);
    assert_true(config_parse_duration(STR("42"), &ms) && ms == 42);
}

static void duration_of_another_form_is_refused(void **state)
{
    static const char *const bad[] = {"",   "s",    "5 s", "-5s", "1.5s",
                                      "5S", "5sec", " 5s", "5s "};
    int64_t ms = 7;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(config_parse_duration(str_c(bad[i]), &ms));
    assert_int_equal(ms, 7);
}

static void duration_that_overflows_is_refused(void **state)
{
    int64_t ms;

    (void)state;
    assert_false(config_parse_duration(STR("9223372036854775808"), &ms));
    assert_false(config_parse_duration(STR("9223372036854775807s"), &ms));
    assert_true(config_parse_duration(STR("9223372036854775807"), &ms) && ms == INT64_MAX);
}

static void size_units_count_in_1024s(void **state)
{
    int64_t bytes;

    (void)state;
    assert_true(config_parse_size(STR("64KB"), &bytes) && bytes == 65536);
    assert_true(config_parse_size(STR("8MB"), &bytes) && bytes == 8388608);
    assert_true(config_parse_size(STR("1GB"), &bytes) && bytes == 1073741824);
    assert_true(config_parse_size(STR("10"), &bytes) && bytes == 10);
    assert_false(config_parse_size(STR("8mb"), &bytes));
    assert_false(config_parse_size(STR("9999999999999GB"), &bytes));
}

static void dotted_path_reaches_into_groups_and_lists(void **state)
{
    struct config *config = parse("a: { b: { c = 5; }; l = (1, { x = \"y\"; }); };");

    (void)state;
    assert_int_equal(config_at(config->root, "a.b.c")->number, 5);
    assert_string_equal(config_at(config->root, "a.l.1.x")->text.ptr, "y");
    assert_null(config_at(config->root, "a.l.2"));
    assert_null(config_at(config->root, "a.b.c.d"));
    assert_null(config_at(NULL, "a"));
    assert_null(config_member(NULL, STR("a")));
    config_free(config);
}

static void path_of_a_node_is_what_config_at_takes(void **state)
{
    struct config *config = parse("a: { l = (1, { x = \"y\"; }); };");
    const struct config_node *node = config_at(config->root, "a.l.1.x");

    (void)state;
    assert_string_equal(config_path(node, &config->arena), "a.l.1.x");
    config_free(config);
}

static void canonical_text_ignores_order_and_places(void **state)
{
    (void)state;
    assert_canonical("a = 1; b: { c = \"x\"; d = 2.5; };",
                     "\n\nb = { d = 2.5; c = \"x\"; }; # c\na = 1;", true);
}

static void canonical_text_differs_when_content_does(void **state)
{
    (void)state;
    assert_canonical("a = 1;", "a = 2;", false);
    assert_canonical("a = 1;", "a = 1.0;", false);
    assert_canonical("a = \"1\";", "a = 1;", false);
    assert_canonical("a = true;", "a = 1;", false);
    assert_canonical("a = [1, 2];", "a = [2, 1];", false);
    assert_canonical("a = (\"b\", \"c\");", "a = (\"bs1:c\");", false);
    assert_canonical("a: { b = 1; };", "a: { }; b = 1;", false);
}

static void json_has_every_type(void **state)
{
    struct config *config = parse(
        "s = \"a\\\"b\"; i = -3; f = 0.1; g = 2.0; b = true; l = (1, \"x\"); e: { };");
    struct buf out = {0};

    (void)state;
    config_json(config->root, &out);
    assert_string_equal(out.ptr, "{\"s\":\"a\\\"b\",\"i\":-3,\"f\":0.1,\"g\":2.0,\"b\":true,"
                                 "\"l\":[1,\"x\"],\"e\":{}}");
    buf_fini(&out);
    config_free(config);
}

static void near_name_is_found_by_edits_and_by_prefix(void **state)
{
    static const char *const names[] = {"databases", "source", "plugin", "on_reject", "url"};

    (void)state;
    assert_string_equal(config_nearest(STR("databse"), names, 5), "databases");
    assert_string_equal(config_nearest(STR("soruce"), names, 5), "source");
    assert_string_equal(config_nearest(STR("uri"), names, 5), "url");
    assert_string_equal(config_nearest(STR("plug"), names, 5), "plugin");
    assert_string_equal(config_nearest(STR("on_reject_do"), names, 5), "on_reject");
}

static void far_name_is_not_guessed(void **state)
{
    static const char *const names[] = {"databases", "if", "url"};

    (void)state;
    assert_null(config_nearest(STR("timeout"), names, 3));
    assert_null(config_nearest(STR("xx"), names, 3));
    assert_null(config_nearest(STR(""), names, 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(duration_units_become_milliseconds),
        cmocka_unit_test(duration_of_another_form_is_refused),
        cmocka_unit_test(duration_that_overflows_is_refused),
        cmocka_unit_test(size_units_count_in_1024s),
        cmocka_unit_test(dotted_path_reaches_into_groups_and_lists),
        cmocka_unit_test(path_of_a_node_is_what_config_at_takes),
        cmocka_unit_test(canonical_text_ignores_order_and_places),
        cmocka_unit_test(canonical_text_differs_when_content_does),
        cmocka_unit_test(json_has_every_type),
        cmocka_unit_test(near_name_is_found_by_edits_and_by_prefix),
        cmocka_unit_test(far_name_is_not_guessed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
