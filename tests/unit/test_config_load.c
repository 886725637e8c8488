/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config/load.h: which files are read, in which order, and how they become one tree.
 */
#include "config/load_place.h"

static void main_file_and_drop_ins_become_one_tree(void **state)
{
    struct place *place = *state;

    assert_int_equal(
        config_load(TESTS_DIR "/unit/config/main.conf", &place->diags, &place->config), 0);
    assert_non_null(config_at(place->config->root, "sources.main.url"));
    assert_non_null(config_at(place->config->root, "rules.first"));
    assert_non_null(config_at(place->config->root, "rules.second"));
    assert_non_null(config_at(place->config->root, "rules.third"));
    assert_non_null(config_at(place->config->root, "plugins.dir"));
    assert_int_equal(config_at(place->config->root, "rules")->count, 3);
    assert_int_equal(place->config->files_count, 3);
    assert_int_equal(place->diags.count, 0);
}

static void drop_ins_come_in_order_of_name(void **state)
{
    struct place *place = *state;
    const struct config_node *rule;

    write_file(place, "conf.d/b.conf", "rules: { two: {}; };");
    write_file(place, "conf.d/a.conf", "rules: { one: {}; };");
    write_file(place, "conf.d/B.conf", "rules: { zero: {}; };");
    assert_int_equal(load_main(place, ""), 0);
    rule = config_at(place->config->root, "rules")->first;
    assert_string_equal(rule->name.ptr, "zero");
    assert_string_equal(rule->next->name.ptr, "one");
    assert_string_equal(rule->next->next->name.ptr, "two");
}

static void nodes_know_their_file_and_line(void **state)
{
    struct place *place = *state;
    const struct config_node *node;

    write_file(place, "conf.d/a.conf", "rules: {\n  x: {\n    l = [1,\n 2];\n  };\n};\n");
    assert_int_equal(load_main(place, "\n\nrules:\n{ y\n:\n{ };};"), 0);
    node = config_at(place->config->root, "rules.x");
    assert_string_equal(node->file, path_in(place, "conf.d/a.conf"));
    assert_int_equal(node->line, 2);
    assert_int_equal(config_at(node, "l.1")->line, 4);
    node = config_at(place->config->root, "rules.y");
    assert_string_equal(node->file, path_in(place, "main.conf"));
    assert_int_equal(node->line, 4);
    assert_int_equal(config_at(place->config->root, "rules")->line, 3);
}

static void rule_given_in_two_files_names_both_places(void **state)
{
    struct place *place = *state;

    write_file(place, "conf.d/a.conf", "rules: {\n x: { }; };");
    write_file(place, "conf.d/b.conf", "\n\nrules: { x: { }; y: { }; };");
    assert_int_equal(load_main(place, ""), ERR_CONFIG);
    assert_said(place, "conf.d/b.conf:3: error: rules.x: is given a second time; the first is "
                       "at conf.d/a.conf:2");
    assert_non_null(config_at(place->config->root, "rules.y"));
}

static void scalar_given_in_two_files_names_both_places(void **state)
{
    struct place *place = *state;

    write_file(place, "conf.d/a.conf", "log_level = \"debug\";");
    assert_int_equal(load_main(place, "\nlog_level = \"info\";"), ERR_CONFIG);
    assert_said(place, "conf.d/a.conf:1: error: log_level: is given a second time; the first "
                       "is at main.conf:2");
}

static void group_and_scalar_of_one_name_are_an_error(void **state)
{
    struct place *place = *state;

    write_file(place, "conf.d/a.conf", "rules = 1;");
    write_file(place, "conf.d/b.conf", "limit: { };");
    assert_int_equal(load_main(place, "rules: { };\nlimit = 1;"), ERR_CONFIG);
    assert_said(place, "conf.d/a.conf:1: error: rules: is given a second time");
    assert_said(place, "conf.d/b.conf:1: error: limit: is given a second time");
}

static void fifo_as_main_file_or_drop_in_is_refused_at_once(void **state)
{
    struct place *place = *state;

    assert_int_equal(mkfifo(path_in(place, "conf.d/a.conf"), 0600), 0);
    assert_int_equal(load_main(place, ""), ERR_CONFIG);
    assert_said(place, "conf.d/a.conf: error: is not a regular file");
    assert_int_equal(unlink(path_in(place, "main.conf")), 0);
    assert_int_equal(mkfifo(path_in(place, "main.conf"), 0600), 0);
    config_free(place->config);
    place->config = NULL;
    assert_int_equal(load(place), ERR_NOINPUT);
    assert_null(place->config);
    assert_said(place, "main.conf: error: is not a regular file");
}

static void directory_named_like_a_drop_in_is_refused(void **state)
{
    struct place *place = *state;

    assert_int_equal(mkdir(path_in(place, "conf.d/a.conf"), 0755), 0);
    write_file(place, "conf.d/b.conf", "b = 1;");
    assert_int_equal(load_main(place, ""), ERR_CONFIG);
    assert_said(place, "conf.d/a.conf: error: is not a regular file");
    assert_int_equal(number_at(place, "b"), 1);
}

static void other_names_in_the_directory_are_passed_over(void **state)
{
    struct place *place = *state;

    write_file(place, "conf.d/README", "{{{");
    write_file(place, "conf.d/a.conf.bak", "{{{");
    write_file(place, "conf.d/.hidden.conf", "{{{");
    assert_int_equal(symlink("nowhere", path_in(place, "conf.d/.#a.conf")), 0);
    assert_int_equal(load_main(place, "a = 1;"), 0);
}

static void file_over_a_mebibyte_is_refused(void **state)
{
    struct place *place = *state;
    size_t len = 2 * 1024 * 1024;
    char *text = malloc(len);

    memset(text, '\n', len);
    write_bytes(place, "conf.d/a.conf", text, len);
    free(text);
    assert_int_equal(load_main(place, ""), ERR_CONFIG);
    assert_said(place, "conf.d/a.conf: error: has 2097152 bytes; at most 1048576 are read");
}

static void more_than_a_thousand_drop_ins_are_refused(void **state)
{
    struct place *place = *state;
    char name[32];

    for (int i = 0; i <= CONFIG_FILES_MAX; i++) {
        snprintf(name, sizeof(name), "conf.d/%04d.conf", i);
        write_file(place, name, "");
    }
    assert_int_equal(load_main(place, ""), ERR_CONFIG);
    assert_said(place, "conf.d: error: has more than 1000 *.conf files");
}

static void a_thousand_drop_ins_are_read(void **state)
{
    struct place *place = *state;
    char name[32], text[64];

    for (int i = 0; i < CONFIG_FILES_MAX; i++) {
        snprintf(name, sizeof(name), "conf.d/%04d.conf", i);
        snprintf(text, sizeof(text), "rules: { r%d: { n = %d; }; };", i, i);
        write_file(place, name, text);
    }
    assert_int_equal(load_main(place, ""), 0);
    assert_int_equal(config_at(place->config->root, "rules")->count, 1000);
    assert_int_equal(number_at(place, "rules.r999.n"), 999);
}

static void missing_main_file_is_no_input(void **state)
{
    struct place *place = *state;

    assert_int_equal(load(place), ERR_NOINPUT);
    assert_null(place->config);
    assert_said(place, "main.conf: error: cannot be opened: No such file or directory");
}

static void file_that_may_not_be_read_is_no_permission(void **state)
{
    struct place *place = *state;
    uid_t user = geteuid();

    write_file(place, "main.conf", "a = 1;");
    assert_int_equal(chmod(path_in(place, "main.conf"), 0), 0);
    /* Root may read anything. */
    if (user == 0 && seteuid(65534) != 0)
        skip();
    assert_int_equal(load(place), ERR_NOPERM);
    if (user == 0)
        assert_int_equal(seteuid(0), 0);
    assert_said(place, "main.conf: error: cannot be opened: Permission denied");
}

static void empty_file_is_an_empty_configuration(void **state)
{
    struct place *place = *state;

    assert_int_equal(load_main(place, ""), 0);
    assert_null(place->config->root->first);
    assert_int_equal(place->config->files_count, 1);
}

static void absent_default_directory_is_fine(void **state)
{
    struct place *place = *state;

    assert_int_equal(rmdir(path_in(place, "conf.d")), 0);
    assert_int_equal(load_main(place, "a = 1;"), 0);
    assert_null(place->config->dir);
}

static void named_directory_is_taken_from_beside_the_main_file(void **state)
{
    struct place *place = *state;

    assert_int_equal(mkdir(path_in(place, "more"), 0755), 0);
    write_file(place, "more/a.conf", "b = 2;");
    write_file(place, "conf.d/a.conf", "c = 3;");
    assert_int_equal(load_main(place, "conf_d = \"more\";"), 0);
    assert_int_equal(number_at(place, "b"), 2);
    assert_null(config_at(place->config->root, "c"));
    assert_string_equal(place->config->dir, path_in(place, "more"));
}

static void named_directory_that_is_absent_is_an_error(void **state)
{
    struct place *place = *state;

    assert_int_equal(load_main(place, "\nconf_d = \"more\";"), ERR_CONFIG);
    assert_said(place, "main.conf:2: error: conf_d: more cannot be opened: No such file");
}

static void only_the_main_file_names_the_directory(void **state)
{
    struct place *place = *state;

    write_file(place, "conf.d/a.conf", "conf_d = \"more\";");
    assert_int_equal(load_main(place, ""), ERR_CONFIG);
    assert_said(place, "conf.d/a.conf:1: error: conf_d: only the main file may say it");
}

static void text_is_loaded_without_any_file(void **state)
{
    struct place *place = *state;

    assert_int_equal(config_load_text("inline", STR("a = 1;"), &place->diags, &place->config),
                     0);
    assert_string_equal(config_at(place->config->root, "a")->file, "inline");
    assert_null(place->config->dir);
}

static void standard_input_is_read_for_a_dash(void **state)
{
    struct place *place = *state;
    int old = dup(STDIN_FILENO), fd;

    write_file(place, "in", "a = 7;");
    fd = open(path_in(place, "in"), O_RDONLY);
    assert_int_equal(dup2(fd, STDIN_FILENO), STDIN_FILENO);
    close(fd);
    assert_int_equal(config_load("-", &place->diags, &place->config), 0);
    assert_int_equal(dup2(old, STDIN_FILENO), STDIN_FILENO);
    close(old);
    assert_int_equal(number_at(place, "a"), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(main_file_and_drop_ins_become_one_tree),
        TEST(drop_ins_come_in_order_of_name),
        TEST(nodes_know_their_file_and_line),
        TEST(rule_given_in_two_files_names_both_places),
        TEST(scalar_given_in_two_files_names_both_places),
        TEST(group_and_scalar_of_one_name_are_an_error),
        TEST(fifo_as_main_file_or_drop_in_is_refused_at_once),
        TEST(directory_named_like_a_drop_in_is_refused),
        TEST(other_names_in_the_directory_are_passed_over),
        TEST(file_over_a_mebibyte_is_refused),
        TEST(more_than_a_thousand_drop_ins_are_refused),
        TEST(a_thousand_drop_ins_are_read),
        TEST(missing_main_file_is_no_input),
        TEST(file_that_may_not_be_read_is_no_permission),
        TEST(empty_file_is_an_empty_configuration),
        TEST(absent_default_directory_is_fine),
        TEST(named_directory_is_taken_from_beside_the_main_file),
        TEST(named_directory_that_is_absent_is_an_error),
        TEST(only_the_main_file_names_the_directory),
        TEST(text_is_loaded_without_any_file),
        TEST(standard_input_is_read_for_a_dash),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
