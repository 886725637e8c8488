/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config/schema.h: what a table of options refuses, and how it says so.
 */
#include "config/schema_place.h"

static void unknown_key_gets_the_nearest_name(void **state)
{
    assert_refused(state, "\ndatabse = \"x\";",
                   "f:2: error: databse: unknown key; did you mean \"databases\"?\n");
}

static void unknown_key_far_from_all_gets_the_list_of_names(void **state)
{
    assert_refused(
        state, "zzzzzzzzz = 1;",
        "f:1: error: zzzzzzzzz: unknown key; known here: databases, timeout, buffer, "
        "port, ratio, debounce, method, target, file, key, text, hosts, sizes, hmac, "
        "targets, params\n");
}

static void missing_key_has_the_line_of_its_group(void **state)
{
    assert_refused(state, "port = 1;\n\nhmac: { header = \"x\"; };",
                   "f:3: error: hmac.secret: is missing and must be set\n");
}

static void required_key_of_an_absent_group_is_not_missing(void **state)
{
    assert_passed(state, "port = 1;");
}

static void required_key_of_an_absent_member_is_reported_at_its_owner(void **state)
{
    struct place *place = *state;

    assert_int_equal(
        config_load_text("f", STR("rules: {\n x: { };\n};"), &place->diags, &place->config), 0);
    assert_int_equal(config_check(config_at(place->config->root, "rules.x"), "options", hmac, 2,
                                  0, &place->diags, &place->values),
                     ERR_CONFIG);
    diags_print(&place->diags, &place->said);
    assert_string_equal(place->said.ptr,
                        "f:2: error: rules.x.options.secret: is missing and must be set\n");
}

static void wrong_type_says_what_is_wanted(void **state)
{
    assert_refused(state, "timeout = 5.5;",
                   "f:1: error: timeout: is a number with a fraction, but a duration such as "
                   "\"5s\" is wanted\n");
    assert_refused(state, "text = 5;",
                   "f:1: error: text: is a whole number, but a string is wanted\n");
    assert_refused(
        state, "port = \"5\";",
        "f:1: error: port: is a string, but a whole number such as 5 is wanted; write "
        "the number without quotes\n");
    assert_refused(state, "params = 1;",
                   "f:1: error: params: is a whole number, but a group { … } is wanted\n");
    assert_refused(state, "text = [\"a\"];",
                   "f:1: error: text: is a list, but a string is wanted\n");
}

static void duration_without_a_known_unit_is_refused(void **state)
{
    assert_refused(
        state, "timeout = \"5 s\";",
        "f:1: error: timeout: is not a duration such as \"5s\"; write a whole number "
        "and ms, s, m, h or d\n");
}

static void yes_and_no_are_no_booleans(void **state)
{
    assert_refused(
        state, "debounce = \"yes\";",
        "f:1: error: debounce: is a string, but true or false is wanted; write true, "
        "without quotes\n");
    assert_refused(
        state, "debounce = \"no\";",
        "f:1: error: debounce: is a string, but true or false is wanted; write false, "
        "without quotes\n");
    assert_refused(
        state, "debounce = 0;",
        "f:1: error: debounce: is a whole number, but true or false is wanted; write "
        "false, without quotes\n");
}

static void value_out_of_range_says_range_and_value(void **state)
{
    assert_refused(state, "port = 70000;",
                   "f:1: error: port: is 70000, but 1 to 65535 is wanted\n");
    assert_refused(state, "timeout = \"2m\";",
                   "f:1: error: timeout: is 2m, but 10ms to 1m is wanted\n");
    assert_refused(state, "ratio = 1.5;", "f:1: error: ratio: is 1.5, but 0 to 1 is wanted\n");
    assert_refused(state, "buffer = -1;",
                   "f:1: error: buffer: is -1, but it must not be negative\n");
}

static void bounds_themselves_are_in_range(void **state)
{
    assert_passed(state, "port = 1; timeout = \"1m\"; ratio = 1;");
    assert_passed(state, "port = 65535; timeout = 10; ratio = 0.0;");
}

static void choice_that_is_none_gets_the_list(void **state)
{
    assert_refused(
        state, "method = \"PUTT\";",
        "f:1: error: method: is \"PUTT\", but \"GET\", \"PUT\" or \"POST\" is wanted; "
        "did you mean \"PUT\"?\n");
}

static void password_in_a_url_is_refused_and_not_shown(void **state)
{
    static const char said[] =
        "f:1: error: target: is a URL with a password in it; take it out "
        "and put it into the passwords file\n";

    assert_refused(state, "target = \"http://user:hunter2@host/\";", said);
    assert_refused(state, "target = \"HTTPS://u:p@ss@host:1/\";", said);
    assert_refused(state, "target = \"http://user:@host\";", said);
}

static void url_must_be_absolute_http_with_a_host(void **state)
{
    static const char *const bad[] = {
        "target = \"host/path\";",
        "target = \"ftp://host/\";",
        "target = \"http://\";",
        "target = \"http:///x\";",
        "target = \"http://user@/\";",
        "target = \"http://host:0/\";",
        "target = \"http://host:x/\";",
        "target = \"http://host:65536/\";",
        "target = \"http://[::1/\";",
        "target = \"http://ho st/\";",
        "target = \"http://host/\\n\";",
        "target = \"http://host/\x7f\";",
        "target = \"http://a\\\\@b/\";",
        "target = \"http://[::1]x/\";",
        "target = \"\";",
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct place *place = *state;
        if (check(place, bad[i]) != ERR_CONFIG)
            fail_msg("passed: %s", bad[i]);
        tear_down(state);
        set_up(state);
    }
}

static void url_with_user_port_query_or_ipv6_is_fine(void **state)
{
    assert_passed(state, "target = \"https://user@host.example:6984/a?b=c:d@e\";");
    assert_passed(state, "target = \"HTTP://[::1]:5984\";");
    assert_passed(state, "target = \"http://host/${change.id}\";");
}

static void path_must_be_absolute(void **state)
{
    assert_refused(state, "file = \"a/b\";",
                   "f:1: error: file: is not an absolute path; begin it with \"/\"\n");
    assert_passed(state, "file = \"/a/b\";");
}

static void regex_that_does_not_compile_is_refused_with_the_offset(void **state)
{
    assert_refused(state, "databases = \"a(b\";",
                   "f:1: error: databases: is not a regular expression: at offset 3: missing "
                   "closing parenthesis\n");
}

static void bare_secret_is_refused_and_not_shown(void **state)
{
    assert_refused(
        state, "key = \"hunter2\";",
        "f:1: error: key: is a bare secret, and these never stand in a configuration; "
        "put it into a file of mode 600 and write \"file:/path\", or use \"env:NAME\" "
        "or \"cred:NAME\"\n");
}

static void reference_to_a_secret_has_one_of_three_forms(void **state)
{
    struct place *place = *state;
    static const char *const bad[] = {"key = \"file:a\";", "key = \"env:\";",
                                      "key = \"env:1A\";", "key = \"cred:../x\";",
                                      "key = \"file:\";"};

    assert_passed(state, "key = \"file:/run/key\";");
    assert_passed(state, "key = \"env:MY_KEY\";");
    assert_passed(state, "key = \"cred:my-key\";");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        place = *state;
        assert_int_equal(check(place, bad[i]), ERR_CONFIG);
        tear_down(state);
        set_up(state);
    }
}

static void deprecated_key_is_a_warning(void **state)
{
    struct place *place = *state;

    assert_int_equal(check(place, "old = 5;"), 0);
    assert_string_equal(place->said.ptr, "f:1: warning: old: is deprecated; use port\n");
    assert_int_equal(get(place, "old", 0).i, 5);
}

static void all_mistakes_of_a_file_are_said_at_once_with_their_lines(void **state)
{
    struct place *place = *state;
    static const char *const said[] = {
        "mistakes.conf:3: error: rule.databse: unknown key; did you mean \"databases\"?",
        "mistakes.conf:4: error: rule.nothing_like_it: unknown key; known here: ",
        "mistakes.conf:5: error: rule.timeout: is a number with a fraction",
        "mistakes.conf:6: error: rule.port: is 70000",
        "mistakes.conf:7: error: rule.method: is \"PUTT\"",
        "mistakes.conf:8: error: rule.target: is a URL with a password",
        "mistakes.conf:9: error: rule.file: is not an absolute path",
        "mistakes.conf:10: error: rule.pattern: unknown key",
        "mistakes.conf:11: error: rule.key: is a bare secret",
        "mistakes.conf:12: error: rule.debounce: is a string",
        "mistakes.conf:14: error: rule.hmac.secret: is missing",
        "mistakes.conf:15: error: rule.hmac.algorithm: unknown key",
        "mistakes.conf:17: error: rule.buffer: is not a size",
    };

    assert_int_equal(
        config_load(TESTS_DIR "/unit/config/mistakes.conf", &place->diags, &place->config), 0);
    assert_int_equal(config_check(place->config->root, "rule", table, COUNT, sizeof(table[0]),
                                  &place->diags, &place->values),
                     ERR_CONFIG);
    diags_print(&place->diags, &place->said);
    for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++)
        assert_said(place, said[i]);
    assert_int_equal(place->diags.errors, sizeof(said) / sizeof(said[0]));
    assert_null(strstr(place->said.ptr, "hunter2"));
}

static void member_that_is_no_group_is_refused(void **state)
{
    struct place *place = *state;

    assert_int_equal(config_load_text("f", STR("a = 1;"), &place->diags, &place->config), 0);
    assert_int_equal(
        config_check(place->config->root, "a", table, COUNT, 0, &place->diags, &place->values),
        ERR_CONFIG);
    diags_print(&place->diags, &place->said);
    assert_string_equal(place->said.ptr, "f:1: error: a: is not a group; write a: { … };\n");
}

static void wrong_default_is_the_mistake_of_the_plugin(void **state)
{
    static const tr_option wrong[] = {
        {.name = "n", .type = TR_TYPE_INT, .dflt = "many"},
        {.name = "m", .type = TR_TYPE_INT, .dflt = "7", .min = 1, .max = 5},
    };
    struct place *place = *state;

    assert_int_equal(check_with(place, "", wrong, 2), ERR_CONFIG);
    assert_said(place, "f:1: error: n: the default is a string, but a whole number");
    assert_said(place,
                "f:1: error: m: the default is 7, but 1 to 5 is wanted; this is a mistake "
                "in the plugin");
}

static void wrong_item_of_a_list_is_named_by_its_place(void **state)
{
    assert_refused(
        state, "sizes = (\"1KB\",\n 5.5);",
        "f:2: error: sizes.1: is a number with a fraction, but a size such as \"8MB\" "
        "is wanted\n");
}

static void mistake_in_a_group_of_a_list_has_its_path(void **state)
{
    assert_refused(state, "targets = ({ url = \"http://a\"; },\n { weight = 3; });",
                   "f:2: error: targets.1.url: is missing and must be set\n");
}

static void type_of_a_later_version_is_refused_where_it_is_set(void **state)
{
    static const tr_option later[] = {{.name = "n", .type = 99}};
    struct place *place = *state;

    assert_int_equal(check_with(place, "\nn = 1;", later, 1), ERR_CONFIG);
    assert_said(place, "f:2: error: n: is of type 99, which this version does not know; the "
                       "plugin wants a newer tailrace");
}

static void type_of_a_later_version_is_passed_over_where_it_is_not_set(void **state)
{
    static const tr_option later[] = {{.name = "n", .type = 99, .dflt = "blue"},
                                      {.name = "a", .type = TR_TYPE_INT, .dflt = "1"}};
    struct place *place = *state;
    tr_value value = {.size = sizeof(value)};

    assert_int_equal(check_with(place, "a = 2;", later, 2), 0);
    assert_int_equal(config_values_get(place->values, "n", 0, &value), TR_ENOENT);
    assert_int_equal(config_values_get(place->values, "a", 0, &value), TR_OK);
}

static void type_of_a_later_version_is_refused_where_it_is_required(void **state)
{
    static const tr_option later[] = {{.name = "n", .type = 99, .flags = TR_OPTION_REQUIRED}};
    struct place *place = *state;

    assert_int_equal(check_with(place, "", later, 1), ERR_CONFIG);
    assert_said(place, "n: is of type 99");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(unknown_key_gets_the_nearest_name),
        TEST(unknown_key_far_from_all_gets_the_list_of_names),
        TEST(missing_key_has_the_line_of_its_group),
        TEST(required_key_of_an_absent_group_is_not_missing),
        TEST(required_key_of_an_absent_member_is_reported_at_its_owner),
        TEST(wrong_type_says_what_is_wanted),
        TEST(duration_without_a_known_unit_is_refused),
        TEST(yes_and_no_are_no_booleans),
        TEST(value_out_of_range_says_range_and_value),
        TEST(bounds_themselves_are_in_range),
        TEST(choice_that_is_none_gets_the_list),
        TEST(password_in_a_url_is_refused_and_not_shown),
        TEST(url_must_be_absolute_http_with_a_host),
        TEST(url_with_user_port_query_or_ipv6_is_fine),
        TEST(path_must_be_absolute),
        TEST(regex_that_does_not_compile_is_refused_with_the_offset),
        TEST(bare_secret_is_refused_and_not_shown),
        TEST(reference_to_a_secret_has_one_of_three_forms),
        TEST(deprecated_key_is_a_warning),
        TEST(all_mistakes_of_a_file_are_said_at_once_with_their_lines),
        TEST(member_that_is_no_group_is_refused),
        TEST(wrong_default_is_the_mistake_of_the_plugin),
        TEST(wrong_item_of_a_list_is_named_by_its_place),
        TEST(mistake_in_a_group_of_a_list_has_its_path),
        TEST(type_of_a_later_version_is_refused_where_it_is_set),
        TEST(type_of_a_later_version_is_passed_over_where_it_is_not_set),
        TEST(type_of_a_later_version_is_refused_where_it_is_required),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
