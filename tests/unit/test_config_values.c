/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config/schema.h: what can be read back from a group that passed its table.
 */
#include "config/schema_place.h"

static void values_of_the_file_are_read_with_their_type(void **state)
{
    struct place *place = *state;

    assert_int_equal(check(place, "databases = \"^a\"; timeout = 250; buffer = \"64KB\";"
                                  "port = 80; ratio = 1; debounce = false; method = \"POST\";"),
                     0);
    assert_string_equal(get(place, "databases", 0).s.ptr, "^a");
    assert_int_equal(get(place, "databases", 0).type, TR_TYPE_REGEX);
    assert_int_equal(get(place, "timeout", 0).i, 250);
    assert_int_equal(get(place, "buffer", 0).i, 65536);
    assert_int_equal(get(place, "port", 0).i, 80);
    assert_true(get(place, "ratio", 0).f == 1.0);
    assert_int_equal(get(place, "debounce", 0).i, 0);
    assert_int_equal(get(place, "method", 0).i, 2);
    assert_string_equal(get(place, "method", 0).s.ptr, "POST");
}

static void defaults_are_parsed_as_text_of_a_file(void **state)
{
    struct place *place = *state;

    assert_int_equal(check(place, ""), 0);
    assert_int_equal(get(place, "timeout", 0).i, 5000);
    assert_int_equal(get(place, "buffer", 0).i, 8388608);
    assert_true(get(place, "ratio", 0).f == 0.5);
    assert_int_equal(get(place, "debounce", 0).i, 1);
    assert_int_equal(get(place, "method", 0).i, 1);
    assert_string_equal(get(place, "hosts", 1).s.ptr, "b");
}

static void default_of_a_group_is_there_without_the_group(void **state)
{
    struct place *place = *state;

    assert_int_equal(check(place, ""), 0);
    assert_string_equal(get(place, "hmac.header", 0).s.ptr, "X-Signature");
    assert_int_equal(status_of(place, "hmac", 0), TR_ENOENT);
    assert_int_equal(status_of(place, "hmac.secret", 0), TR_ENOENT);
}

static void list_is_read_by_idx_and_may_be_a_single_value(void **state)
{
    struct place *place = *state;

    assert_int_equal(check(place, "hosts = (\"x\", \"y\"); sizes = \"1KB\";"), 0);
    assert_string_equal(get(place, "hosts", 0).s.ptr, "x");
    assert_string_equal(get(place, "hosts", 1).s.ptr, "y");
    assert_int_equal(status_of(place, "hosts", 2), TR_ENOENT);
    assert_int_equal(get(place, "sizes", 0).i, 1024);
    assert_int_equal(status_of(place, "sizes", 1), TR_ENOENT);
}

static void empty_list_has_no_item_and_no_default(void **state)
{
    struct place *place = *state;

    assert_int_equal(check(place, "hosts = [];"), 0);
    assert_int_equal(status_of(place, "hosts", 0), TR_ENOENT);
}

static void group_gives_its_number_of_members_and_their_names(void **state)
{
    struct place *place = *state;
    tr_value value;

    assert_int_equal(check(place, "params: { b = 1; a = 2; };"), 0);
    value = get(place, "params", 1);
    assert_int_equal(value.type, TR_TYPE_GROUP);
    assert_int_equal(value.i, 2);
    assert_string_equal(value.s.ptr, "a");
    assert_int_equal(status_of(place, "params", 2), TR_ENOENT);
}

static void group_without_a_table_gives_natural_types(void **state)
{
    struct place *place = *state;

    assert_int_equal(check(place, "params: { s = \"x\"; i = 5; f = 1.5; b = true;"
                                  "l = (1, \"two\"); g: { deep = 7; }; };"),
                     0);
    assert_int_equal(get(place, "params.s", 0).type, TR_TYPE_STRING);
    assert_string_equal(get(place, "params.s", 0).s.ptr, "x");
    assert_int_equal(get(place, "params.i", 0).type, TR_TYPE_INT);
    assert_true(get(place, "params.f", 0).f == 1.5);
    assert_int_equal(get(place, "params.b", 0).type, TR_TYPE_BOOL);
    assert_string_equal(get(place, "params.l", 1).s.ptr, "two");
    assert_int_equal(status_of(place, "params.l", 2), TR_ENOENT);
    assert_string_equal(get(place, "params.g", 0).s.ptr, "deep");
    assert_int_equal(get(place, "params.g.deep", 0).i, 7);
    assert_int_equal(status_of(place, "params.none", 0), TR_ENOENT);
    assert_int_equal(status_of(place, "params.s.x", 0), TR_ENOENT);
}

static void groups_in_a_list_are_checked_and_reached_by_number(void **state)
{
    struct place *place = *state;

    assert_int_equal(
        check(place,
              "targets = ({ url = \"http://a\"; }, { url = \"http://b\"; weight = 3; });"),
        0);
    assert_string_equal(get(place, "targets.1.url", 0).s.ptr, "http://b");
    assert_int_equal(get(place, "targets.0.weight", 0).i, 1);
    assert_int_equal(get(place, "targets.1.weight", 0).i, 3);
    assert_int_equal(get(place, "targets", 1).i, 2);
    assert_string_equal(get(place, "targets.1", 1).s.ptr, "weight");
    assert_int_equal(status_of(place, "targets.2.url", 0), TR_ENOENT);
    assert_int_equal(status_of(place, "targets", 2), TR_ENOENT);
}

static void any_value_has_the_type_that_it_is_written_in(void **state)
{
    static const tr_option any[] = {{.name = "v", .type = TR_TYPE_ANY, .flags = TR_OPTION_LIST},
                                    {.name = "w", .type = TR_TYPE_ANY}};
    static const uint32_t types[] = {TR_TYPE_STRING, TR_TYPE_INT,   TR_TYPE_FLOAT,
                                     TR_TYPE_BOOL,   TR_TYPE_GROUP, TR_TYPE_GROUP};
    struct place *place = *state;
    struct buf json = {0};

    assert_int_equal(check_with(place,
                                "v = (\"18\", 18, 1.5, true, [1, 2], { a = 1; });"
                                "w = (1, { a = \"x\"; });",
                                any, 2),
                     0);
    for (uint32_t i = 0; i < 6; i++)
        assert_int_equal(get(place, "v", i).type, types[i]);
    assert_string_equal(get(place, "v", 0).s.ptr, "18");
    assert_int_equal(get(place, "v", 1).i, 18);
    assert_int_equal(get(place, "w", 0).type, TR_TYPE_GROUP);
    config_json(config_values_node(place->values, "w"), &json);
    buf_add_c(&json, "");
    assert_string_equal(json.ptr, "[1,{\"a\":\"x\"}]");
    buf_fini(&json);
}

static void what_is_not_set_is_not_there(void **state)
{
    struct place *place = *state;

    assert_int_equal(check(place, "text = \"x\";"), 0);
    assert_int_equal(status_of(place, "port", 0), TR_ENOENT);
    assert_int_equal(status_of(place, "text", 1), TR_ENOENT);
    assert_int_equal(status_of(place, "text.x", 0), TR_ENOENT);
    assert_int_equal(status_of(place, "no_such_option", 0), TR_ENOENT);
}

static void malformed_question_is_invalid(void **state)
{
    struct place *place = *state;
    tr_value value = {.size = 8};

    assert_int_equal(check(place, "text = \"x\";"), 0);
    assert_int_equal(status_of(place, "", 0), TR_EINVAL);
    assert_int_equal(status_of(place, ".text", 0), TR_EINVAL);
    assert_int_equal(status_of(place, "text.", 0), TR_EINVAL);
    assert_int_equal(status_of(place, "params..x", 0), TR_EINVAL);
    assert_int_equal(status_of(place, NULL, 0), TR_EINVAL);
    assert_int_equal(config_values_get(place->values, "text", 0, NULL), TR_EINVAL);
    assert_int_equal(config_values_get(place->values, "text", 0, &value), TR_EINVAL);
}

static void longer_value_of_a_newer_plugin_keeps_its_size(void **state)
{
    struct place *place = *state;
    struct {
        tr_value value;
        uint64_t more;
    } newer = {.value.size = sizeof(newer), .more = 42};

    assert_int_equal(check(place, "text = \"x\";"), 0);
    assert_int_equal(config_values_get(place->values, "text", 0, &newer.value), TR_OK);
    assert_int_equal(newer.value.size, sizeof(newer));
    assert_int_equal(newer.more, 42);
}

static void node_is_given_for_a_path(void **state)
{
    struct place *place = *state;
    struct buf out = {0};

    assert_int_equal(check(place, "params: { l = (1, { x = 2; }); };"), 0);
    config_json(config_values_node(place->values, "params"), &out);
    assert_string_equal(out.ptr, "{\"l\":[1,{\"x\":2}]}");
    assert_int_equal(config_values_node(place->values, "params.l.1.x")->number, 2);
    assert_ptr_equal(config_values_node(place->values, ""), place->config->root);
    assert_string_equal(config_values_node(place->values, "timeout")->text.ptr, "5s");
    assert_null(config_values_node(place->values, "port"));
    assert_null(config_values_node(place->values, "hmac"));
    buf_fini(&out);
}

static int resolve(void *user, tr_str reference, struct buf *ret_secret, struct error *error)
{
    (void)user;
    if (str_starts(reference, STR("env:")))
        return error_set(error, ERR_NOINPUT, "the variable is not set");
    buf_add_c(ret_secret, "secret of ");
    buf_add_str(ret_secret, reference);
    return 0;
}

static void secret_is_empty_until_it_is_resolved(void **state)
{
    struct place *place = *state;

    assert_int_equal(check(place, "key = \"file:/a\"; hmac: { secret = \"cred:b\"; };"), 0);
    assert_int_equal(get(place, "key", 0).s.len, 0);
    assert_int_equal(config_values_resolve(place->values, resolve, NULL, &place->diags), 0);
    assert_string_equal(get(place, "key", 0).s.ptr, "secret of file:/a");
    assert_string_equal(get(place, "hmac.secret", 0).s.ptr, "secret of cred:b");
    assert_int_equal(config_values_resolve(place->values, resolve, NULL, &place->diags), 0);
    assert_string_equal(get(place, "key", 0).s.ptr, "secret of file:/a");
}

static void secret_that_cannot_be_resolved_is_reported_at_its_line(void **state)
{
    struct place *place = *state;

    assert_int_equal(check(place, "\nkey = \"env:A\"; hmac: {\n secret = \"env:B\"; };"), 0);
    assert_int_equal(config_values_resolve(place->values, resolve, NULL, &place->diags),
                     ERR_CONFIG);
    diags_print(&place->diags, &place->said);
    assert_string_equal(
        place->said.ptr,
        "f:2: error: key: cannot be resolved: the variable is not set\n"
        "f:3: error: hmac.secret: cannot be resolved: the variable is not set\n");
}

static int refuse(void *user, tr_str reference, struct buf *ret_secret, struct error *error)
{
    (void)user, (void)reference, (void)ret_secret;
    return error_set(error, ERR_NOINPUT, "it is gone");
}

static void secret_that_is_gone_when_resolved_again_is_empty(void **state)
{
    struct place *place = *state;

    assert_int_equal(check(place, "key = \"file:/a\";"), 0);
    assert_int_equal(config_values_resolve(place->values, resolve, NULL, &place->diags), 0);
    assert_int_equal(config_values_resolve(place->values, refuse, NULL, &place->diags),
                     ERR_CONFIG);
    assert_int_equal(get(place, "key", 0).s.len, 0);
}

static void values_are_bound_to_a_struct(void **state)
{
    struct place *place = *state;
    struct bound bound = {.port = -1, .unset = STR("old")};
    struct arena arena;

    arena_init(&arena, 1024);
    assert_int_equal(check(place, "databases = \"^a\"; timeout = \"1s\"; debounce = false;"),
                     0);
    config_values_bind(place->values, "", table, COUNT, &bound, &arena);
    assert_string_equal(bound.databases.ptr, "^a");
    assert_int_equal(bound.timeout, 1000);
    assert_int_equal(bound.buffer, 8388608);
    assert_true(bound.ratio == 0.5);
    assert_int_equal(bound.debounce, 0);
    assert_int_equal(bound.method, 1);
    assert_int_equal(bound.port, -1);
    assert_null(bound.unset.ptr);
    arena_fini(&arena);
}

static void table_of_a_longer_struct_is_read_by_its_stride(void **state)
{
    struct newer_option {
        tr_option option;
        uint64_t more[3];
    };
    static const struct newer_option inner[] = {
        {{.name = "x", .type = TR_TYPE_INT, .dflt = "4"}, {~0ull, ~0ull, ~0ull}},
        {{.name = NULL}, {0}},
    };
    static const struct newer_option newer[] = {
        {{.name = "a", .type = TR_TYPE_INT, .dflt = "1"}, {~0ull, ~0ull, ~0ull}},
        {{.name = "g", .type = TR_TYPE_GROUP, .group = &inner[0].option}, {~0ull, 0, 0}},
    };
    struct place *place = *state;

    assert_int_equal(config_load_text("f", STR("a = 2; g: {};"), &place->diags, &place->config),
                     0);
    assert_int_equal(config_check(place->config->root, NULL, &newer[0].option, 2,
                                  sizeof(newer[0]), &place->diags, &place->values),
                     0);
    assert_int_equal(get(place, "a", 0).i, 2);
    assert_int_equal(get(place, "g.x", 0).i, 4);
}

static void table_of_a_shorter_struct_has_nothing_in_what_it_lacks(void **state)
{
    enum { SHORT = offsetof(tr_option, min) };
    char bytes[2 * SHORT];
    struct place *place = *state;

    memcpy(bytes, &(tr_option){.name = "a", .type = TR_TYPE_INT, .dflt = "1"}, SHORT);
    memcpy(bytes + SHORT, &(tr_option){.name = "b", .type = TR_TYPE_BOOL}, SHORT);
    assert_int_equal(config_load_text("f", STR("b = true;"), &place->diags, &place->config), 0);
    assert_int_equal(config_check(place->config->root, NULL, (const tr_option *)(void *)bytes,
                                  2, SHORT, &place->diags, &place->values),
                     0);
    assert_int_equal(get(place, "a", 0).i, 1);
    assert_int_equal(get(place, "b", 0).i, 1);
}

static tr_option endless[] = {
    {.name = "n", .type = TR_TYPE_INT, .dflt = "3"},
    {.name = "again", .type = TR_TYPE_GROUP, .group = endless},
    {.name = NULL},
};

static void table_that_holds_itself_is_followed_as_far_as_the_file_goes(void **state)
{
    struct place *place = *state;

    assert_int_equal(check_with(place, "again: { again: { n = 5; }; };", endless, 2), 0);
    assert_int_equal(get(place, "again.again.n", 0).i, 5);
    assert_int_equal(get(place, "again.n", 0).i, 3);
    assert_int_equal(status_of(place, "again.again.again.n", 0), TR_ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(values_of_the_file_are_read_with_their_type),
        TEST(defaults_are_parsed_as_text_of_a_file),
        TEST(default_of_a_group_is_there_without_the_group),
        TEST(list_is_read_by_idx_and_may_be_a_single_value),
        TEST(empty_list_has_no_item_and_no_default),
        TEST(group_gives_its_number_of_members_and_their_names),
        TEST(group_without_a_table_gives_natural_types),
        TEST(groups_in_a_list_are_checked_and_reached_by_number),
        TEST(any_value_has_the_type_that_it_is_written_in),
        TEST(what_is_not_set_is_not_there),
        TEST(malformed_question_is_invalid),
        TEST(longer_value_of_a_newer_plugin_keeps_its_size),
        TEST(node_is_given_for_a_path),
        TEST(secret_is_empty_until_it_is_resolved),
        TEST(secret_that_cannot_be_resolved_is_reported_at_its_line),
        TEST(secret_that_is_gone_when_resolved_again_is_empty),
        TEST(values_are_bound_to_a_struct),
        TEST(table_of_a_longer_struct_is_read_by_its_stride),
        TEST(table_of_a_shorter_struct_has_nothing_in_what_it_lacks),
        TEST(table_that_holds_itself_is_followed_as_far_as_the_file_goes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
