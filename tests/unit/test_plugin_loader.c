/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading: what is refused, and with which reason; what is read of older and newer plugins.
 */
#include "test_plugin_lib.h"

static const struct plugin *load(const char *name)
{
    const struct plugin *plugin = NULL;
    struct error error = {0};

    place_add(name);
    if (place_load(name, &plugin, &error) < 0)
        fail_msg("%s", error.text);
    return plugin;
}

static void assert_refused(const char *name, int code, const char *reason)
{
    const struct plugin *plugin = NULL;
    struct error error = {0};

    assert_int_equal(place_load(name, &plugin, &error), code);
    assert_null(plugin);
    if (!strstr(error.text, reason))
        fail_msg("\"%s\" is not in: %s", reason, error.text);
}

static void a_plugin_is_loaded_once(void **state)
{
    const struct plugin *plugin = load("sync"), *again = NULL;

    (void)state;
    assert_string_equal(plugin->descriptor.name, "sync");
    assert_string_equal(plugin->path, place_path("sync"));
    assert_ptr_equal(load("sync"), plugin);
    assert_int_equal(place_load(place_path("sync"), &again, NULL), 0);
    assert_ptr_equal(again, plugin);
}

static void names_that_are_no_names_are_refused(void **state)
{
    static const char *const names[] = {"",        "a/b", "../sync", "./sync",
                                        ".hidden", "a b", "a\n"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_refused(names[i], ERR_CONFIG, "is not a plugin's name");
}

static void a_plugin_that_is_not_there_is_reported_with_the_folder(void **state)
{
    (void)state;
    assert_refused("missing", ERR_NOINPUT, place_dir);
    assert_refused("/nowhere/missing.so", ERR_NOINPUT, "No such file");
}

static void a_path_that_is_too_long_is_refused_and_not_cut(void **state)
{
    char *name = mem_alloc(10000);

    (void)state;
    memset(name, '/', 9999);
    name[9999] = '\0';
    assert_refused(name, ERR_CONFIG, "longer than");
    free(name);
}

static void another_major_of_the_abi_is_refused(void **state)
{
    (void)state;
    place_add("bad_symbol");
    assert_refused("bad_symbol", ERR_SOFTWARE, "exports no tr_plugin_v1");
}

static void a_file_that_is_no_shared_object_is_refused(void **state)
{
    (void)state;
    place_add("not_elf");
    assert_refused("not_elf", ERR_SOFTWARE, "not_elf.so");
}

static void a_pipe_or_folder_is_refused_without_waiting(void **state)
{
    (void)state;
    assert_int_equal(mkfifo(place_path("pipe"), 0600), 0);
    assert_refused("pipe", ERR_NOINPUT, "not a regular file");
    assert_int_equal(mkdir(place_path("folder"), 0700), 0);
    assert_refused("folder", ERR_NOINPUT, "not a regular file");
}

static void a_descriptor_without_process_is_refused(void **state)
{
    (void)state;
    place_add("incomplete");
    assert_refused("incomplete", ERR_SOFTWARE,
                   "open, close and one of process and transform are required");
}

static void options_without_end_are_refused(void **state)
{
    (void)state;
    place_add("endless");
    assert_refused("endless", ERR_SOFTWARE, "groups in one another");
}

static void a_file_that_others_may_write_is_refused(void **state)
{
    (void)state;
    place_add("retry");
    assert_int_equal(chmod(place_path("retry"), 0664), 0);
    assert_refused("retry", ERR_NOPERM, "writable by others (mode 664)");
    assert_int_equal(chmod(place_path("retry"), 0646), 0);
    assert_refused("retry", ERR_NOPERM, "writable by others (mode 646)");
    assert_int_equal(chmod(place_path("retry"), 0644), 0);
    load("retry");
}

static void a_file_below_a_folder_that_others_may_write_is_refused(void **state)
{
    (void)state;
    place_add("fatal");
    assert_int_equal(chmod(place_dir, 0770), 0);
    assert_refused("fatal", ERR_NOPERM, place_dir);
    assert_int_equal(chmod(place_dir, 0700), 0);
    load("fatal");
}

static void a_link_is_judged_by_where_it_leads(void **state)
{
    char path[256];
    const struct plugin *plugin = load("reject");

    (void)state;
    snprintf(path, sizeof(path), "%s", place_path("reject"));
    assert_int_equal(symlink(path, place_path("alias")), 0);
    assert_ptr_equal(load("alias"), plugin);
}

static void assert_group(const struct plugin *plugin, uint32_t i)
{
    const tr_option *inner = plugin->options[i].group;

    assert_string_equal(plugin->options[i].name, "group");
    assert_string_equal(inner[0].name, "first");
    assert_string_equal(inner[0].dflt, "1st");
    assert_string_equal(inner[1].name, "second");
    assert_string_equal(inner[1].dflt, "2nd");
    assert_null(inner[2].name);
}

static void an_older_plugins_shorter_rows_are_read_as_far_as_they_go(void **state)
{
    const struct plugin *plugin = load("old_abi");

    (void)state;
    assert_int_equal(plugin->options_count, 3);
    assert_string_equal(plugin->options[0].name, "size");
    assert_int_equal(plugin->options[0].max, 9);
    assert_null(plugin->options[0].help);
    assert_group(plugin, 1);
    assert_string_equal(plugin->options[2].name, "last");
    assert_null(plugin->descriptor.get_ext);
}

static void a_newer_plugins_longer_rows_are_read_as_far_as_we_know_them(void **state)
{
    const struct plugin *plugin = load("new_abi");

    (void)state;
    assert_int_equal(plugin->descriptor.size, sizeof(tr_plugin));
    assert_int_equal(plugin->descriptor.abi_minor, TR_ABI_MINOR + 7);
    assert_group(plugin, 0);
    assert_int_equal(plugin->options[1].type, 99);
    assert_string_equal(plugin->options[2].name, "last");
}

static int check_options(const struct plugin *plugin, const char *text, struct buf *said)
{
    struct config_values *values = NULL;
    struct config *config = NULL;
    struct diags diags;
    int rc;

    diags_init(&diags);
    assert_int_equal(config_load_text("f", str_c(text), &diags, &config), 0);
    rc = config_check(config->root, NULL, plugin->options, plugin->options_count, 0, &diags,
                      &values);
    diags_print(&diags, said);
    config_values_free(values);
    config_free(config);
    diags_fini(&diags);
    return rc;
}

static void a_type_of_option_that_we_do_not_know_matters_only_where_it_is_set(void **state)
{
    const struct plugin *plugin = load("new_abi");
    struct buf said = {0};

    (void)state;
    assert_int_equal(check_options(plugin, "last = false;", &said), 0);
    assert_int_equal(said.len, 0);
    assert_int_equal(check_options(plugin, "colour = \"red\";", &said), ERR_CONFIG);
    assert_non_null(strstr(said.ptr, "f:1: error: colour: is of type 99"));
    buf_fini(&said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plugin_is_loaded_once),
        cmocka_unit_test(names_that_are_no_names_are_refused),
        cmocka_unit_test(a_plugin_that_is_not_there_is_reported_with_the_folder),
        cmocka_unit_test(a_path_that_is_too_long_is_refused_and_not_cut),
        cmocka_unit_test(another_major_of_the_abi_is_refused),
        cmocka_unit_test(a_file_that_is_no_shared_object_is_refused),
        cmocka_unit_test(a_pipe_or_folder_is_refused_without_waiting),
        cmocka_unit_test(a_descriptor_without_process_is_refused),
        cmocka_unit_test(options_without_end_are_refused),
        cmocka_unit_test(a_file_that_others_may_write_is_refused),
        cmocka_unit_test(a_file_below_a_folder_that_others_may_write_is_refused),
        cmocka_unit_test(a_link_is_judged_by_where_it_leads),
        cmocka_unit_test(an_older_plugins_shorter_rows_are_read_as_far_as_they_go),
        cmocka_unit_test(a_newer_plugins_longer_rows_are_read_as_far_as_we_know_them),
        cmocka_unit_test(a_type_of_option_that_we_do_not_know_matters_only_where_it_is_set),
    };

    return cmocka_run_group_tests(tests, place_begin, place_end);
}
