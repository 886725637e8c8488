/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings: every mistake of a configuration in one go, each with its file and line; what a
 * reload compares; what the command line says over the files.
 */
#include "test_engine_lib.h"

static struct diag *find_diag(struct site *site, int line, const char *part)
{
    for (struct diag *diag = site->diags.first; diag; diag = diag->next)
        if (diag->line == line && (strstr(diag->message, part) || strstr(diag->path, part)))
            return diag;
    return NULL;
}

static void print_diags(struct site *site)
{
    struct buf text = {0};

    diags_print(&site->diags, &text);
    print_message(STR_FMT, STR_ARG(buf_str(&text)));
    buf_fini(&text);
}

#define MISTAKE(site_, line_, part_)                                                           \
    do {                                                                                       \
        struct diag *diag_ = find_diag(site_, line_, part_);                                   \
        if (!diag_)                                                                            \
            print_diags(site_);                                                                \
        assert_non_null(diag_);                                                                \
        assert_int_equal(diag_->severity, DIAG_ERROR);                                         \
        assert_string_equal(diag_->file, (site_)->conf);                                       \
    } while (0)

#define GOOD_SOURCE "sources: { f: { type = \"file\"; path = \"/tmp/x\"; }; };\n"
#define RULE(more_)                                                                            \
    "rules: { r: { source = \"f\"; databases = \"^x$\"; plugin = \"sink\"; " more_ " }; };\n"
#define WHERE "options: { where = \"x\"; };"

static void load(struct site *site, const char *text)
{
    site_write(site, "tailrace.conf", "w", text);
    if (site_load(site) < 0) {
        print_diags(site);
        fail_msg("it was refused");
    }
}

static void refuse(struct site *site, const char *text)
{
    site_write(site, "tailrace.conf", "w", text);
    assert_true(site_load(site) < 0);
    assert_null(site->settings);
}

/* ---- mistakes ---- */

static void every_mistake_is_found_in_one_go(void **state)
{
    struct site site;

    (void)state;
    site_init(&site);
    refuse(&site, "drain_timeot = \"5s\";\n"                             /* 1 */
                  "log: { level = \"loud\"; };\n"                        /* 2 */
                  "sources: {\n"                                         /* 3 */
                  "  a: { };\n"                                          /* 4: no url */
                  "  b: { url = \"ftp://host/\"; };\n"                   /* 5 */
                  "  c: { url = \"http://h:1\"; auth = \"cookie\"; };\n" /* 6: no user */
                  "  d: { url = \"http://h:1\"; max_feeds = 32; };\n"    /* 7 */
                  "  e: { type = \"file\"; };\n"                         /* 8: no path */
                  "  f: { url = \"http://h:1\"; page_rows = 0; };\n"     /* 9 */
                  "  g = 5;\n"                                           /* 10 */
                  "  ok: { url = \"http://h:1\"; };\n"                   /* 11 */
                  "};\n"                                                 /* 12 */
                  "rules: {\n"                                           /* 13 */
                  "  h = 5;\n"                                           /* 14 */
                  "  i: {\n"                                             /* 15 */
                  "    source = \"nowhere\";\n"                          /* 16 */
                  "    databases = \"^a(\";\n"                           /* 17 */
                  "    plugin = \"nothing\";\n"                          /* 18 */
                  "    concurrency = 0;\n"                               /* 19 */
                  "  };\n"                                               /* 20 */
                  "  j: {\n"                                             /* 21 */
                  "    source = \"ok\"; databases = [\"x\"];\n"          /* 22 */
                  "    plugin = \"sink\";\n"                             /* 23 */
                  "    if: { type = \"(\"; };\n"                         /* 24 */
                  "    options: {\n"                                     /* 25: no where */
                  "      size = 99;\n"                                   /* 26 */
                  "      sise = 1;\n"                                    /* 27 */
                  "    };\n"                                             /* 28 */
                  "  };\n"                                               /* 29 */
                  "  k: { source = \"ok\"; databases = \"^x$\"; plugin = \"sink\"; " WHERE "\n"
                  "    selector = \"[1]\"; };\n" /* 31 */
                  "  l: { source = \"ok\"; databases = \"^x$\"; plugin = \"sink\"; " WHERE "\n"
                  "    filter = \"a/b\"; doc_ids = [\"x\"]; };\n" /* 33: two of them */
                  "  m: { source = \"ok\"; databases = \"^x$\"; plugin = \"sink\"; " WHERE "\n"
                  "    if: { a = \"b\"; };\n"      /* 35 */
                  "    include_docs = false; };\n" /* 36 */
                  "};\n");
    MISTAKE(&site, 1, "drain_timeot");
    MISTAKE(&site, 2, "level");
    MISTAKE(&site, 4, "url");
    MISTAKE(&site, 5, "url");
    MISTAKE(&site, 6, "user");
    MISTAKE(&site, 7, "max_feeds");
    MISTAKE(&site, 8, "path");
    MISTAKE(&site, 9, "page_rows");
    MISTAKE(&site, 10, "g");
    MISTAKE(&site, 14, "h");
    MISTAKE(&site, 16, "nowhere");
    MISTAKE(&site, 17, "databases");
    MISTAKE(&site, 18, "nothing");
    MISTAKE(&site, 19, "concurrency");
    MISTAKE(&site, 24, "type");
    MISTAKE(&site, 25, "where");
    MISTAKE(&site, 26, "size");
    MISTAKE(&site, 27, "sise");
    MISTAKE(&site, 31, "selector");
    MISTAKE(&site, 32, "more than one");
    MISTAKE(&site, 36, "include_docs");
    site_fini(&site);
}

static void a_rule_must_say_where_from_what_and_where_to(void **state)
{
    struct site site;

    (void)state;
    site_init(&site);
    refuse(&site, GOOD_SOURCE "rules: {\n r: { };\n };\n");
    MISTAKE(&site, 3, "source");
    MISTAKE(&site, 3, "databases");
    MISTAKE(&site, 3, "plugin");
    site_fini(&site);
    site_init(&site);
    refuse(&site, GOOD_SOURCE "rules: { r: { databases = \"^x$\";\n"
                              "source = \"\";\n"
                              "plugin = \"\"; }; };\n");
    MISTAKE(&site, 3, "there is no source");
    MISTAKE(&site, 4, "there is no plugin");
    site_fini(&site);
}

static void a_mistake_in_a_rule_that_is_off_is_one_too(void **state)
{
    struct site site;

    (void)state;
    site_init(&site);
    refuse(&site, GOOD_SOURCE RULE("enabled = false; " WHERE "\n max_attempts = -1;"));
    MISTAKE(&site, 3, "max_attempts");
    site_fini(&site);
}

static void transforms_are_judged_each_by_itself(void **state)
{
    struct site site;

    (void)state;
    site_init(&site);
    refuse(&site, GOOD_SOURCE RULE(WHERE "transforms = (\n"
                                         "{ plugin = \"pass\"; options: { size = 11; }; },\n"
                                         "{ plugin = \"sink\"; " WHERE " },\n"
                                         "{ plugin = \"nothing\"; option: { }; },\n"
                                         "{ " WHERE " },\n"
                                         "5 );"));
    MISTAKE(&site, 3, "transforms.0.options.size");
    MISTAKE(&site, 3, "transforms.0.options.where");
    MISTAKE(&site, 4, "does not transform");
    MISTAKE(&site, 5, "there is no plugin");
    MISTAKE(&site, 5, "transforms.2.option");
    MISTAKE(&site, 6, "transforms.3.plugin");
    MISTAKE(&site, 7, "transforms.4");
    site_fini(&site);
    site_init(&site);
    refuse(&site, GOOD_SOURCE "rules: { r: { source = \"f\"; databases = \"^x$\";\n"
                              "plugin = \"pass\"; " WHERE " }; };\n");
    MISTAKE(&site, 3, "only transforms");
    site_fini(&site);
}

static void a_file_that_is_not_there_is_an_error(void **state)
{
    struct site site;

    (void)state;
    site_init(&site);
    assert_true(site_load(&site) < 0);
    assert_true(site.diags.errors > 0);
    site_fini(&site);
}

/* ---- what was meant ---- */

static void a_rule_that_says_nothing_has_what_suits_its_plugin(void **state)
{
    static const char *const paths[] = {"sink", NULL};
    const struct rule_settings *rule;
    const struct plugin *plugin = NULL;
    tr_plugin *descriptor;
    struct site site;

    (void)state;
    assert_int_equal(plugin_load(STR("sink"), paths, &plugin, NULL), 0);
    descriptor = (tr_plugin *)(uintptr_t)&plugin->descriptor;
    descriptor->batch_changes = 2000;
    descriptor->batch_bytes = 4 << 20;
    descriptor->concurrency = 2;
    site_init(&site);
    load(&site, GOOD_SOURCE RULE(WHERE "batch: { size = 7; };"));
    rule = settings_rule(site.settings, STR("r"));
    assert_int_equal(rule->binding.batch_size, 7);
    assert_int_equal(rule->binding.batch_bytes, 4 << 20);
    assert_int_equal(rule->binding.concurrency, 2);
    site_fini(&site);
    site_init(&site);
    load(&site, GOOD_SOURCE RULE(WHERE "concurrency = 1; batch: { bytes = 9; };"));
    rule = settings_rule(site.settings, STR("r"));
    assert_int_equal(rule->binding.batch_size, 2000);
    assert_int_equal(rule->binding.batch_bytes, 9);
    assert_int_equal(rule->binding.concurrency, 1);
    site_fini(&site);
    descriptor->batch_changes = descriptor->concurrency = 0;
    descriptor->batch_bytes = 0;
}

static void defaults_and_values_arrive(void **state)
{
    const struct rule_settings *rule;
    struct site site;

    (void)state;
    site_init(&site);
    load(&site,
         GOOD_SOURCE RULE(WHERE "batch: { size = 7; wait = \"2s\"; }; retry: { max = \"1m\"; };"
                                "on_reject = \"skip\"; since = \"now\"; timeout = \"9s\";"));
    rule = settings_rule(site.settings, STR("r"));
    assert_non_null(rule);
    assert_int_equal(rule->binding.batch_size, 7);
    assert_int_equal(rule->binding.batch_bytes, 1 << 20);
    assert_int_equal(rule->binding.batch_wait_ms, 2000);
    assert_int_equal(rule->binding.retry_min_ms, 250);
    assert_int_equal(rule->binding.retry_max_ms, 60000);
    assert_int_equal(rule->binding.on_reject, ON_REJECT_SKIP);
    assert_int_equal(rule->binding.max_attempts, 0);
    assert_int_equal(rule->binding.window_rows, 10000);
    assert_int_equal(rule->binding.commit_ms, 1000);
    assert_int_equal(rule->since_kind, SINCE_NOW);
    assert_int_equal(rule->timeout_ms, 9000);
    assert_true(rule->enabled);
    assert_true(rule->source == settings_source(site.settings, STR("f")));
    assert_int_equal(rule->source->kind, SOURCE_FILE);
    assert_true(str_eq(rule->source->database, STR("x")));
    assert_int_equal(site.settings->drain_ms, 30000);
    assert_null(settings_rule(site.settings, STR("q")));
    site_fini(&site);
}

static void transforms_stand_in_their_order(void **state)
{
    struct instance_setup setup;
    struct site site;
    tr_value value = {.size = sizeof(value)};

    (void)state;
    site_init(&site);
    load(&site, GOOD_SOURCE RULE(WHERE "transforms = ("
                                       "{ plugin = \"pass\"; options: { where = \"one\"; }; },"
                                       "{ plugin = \"pass\"; options: { where = \"two\"; }; }"
                                       ");"));
    setup = settings_instance(&site.settings->rules[0]);
    assert_int_equal(setup.transforms_count, 2);
    assert_int_equal(config_values_get(setup.transforms[1].options, "where", 0, &value), TR_OK);
    assert_true(str_eq(value.s, STR("two")));
    site_fini(&site);
}

static void the_command_line_is_over_the_files(void **state)
{
    struct site site;

    (void)state;
    site_init(&site);
    site.overrides.state_dir = "/over/the/file";
    site.overrides.plugin_dir = "/looked/at/first";
    load(&site,
         "state_dir = \"/of/the/file\"; plugin_dirs = [\"/of/it\"];\n" GOOD_SOURCE RULE(WHERE));
    assert_string_equal(site.settings->state_dir.ptr, "/over/the/file");
    assert_string_equal(site.settings->plugin_dirs[0], "/looked/at/first");
    assert_string_equal(site.settings->plugin_dirs[1], "/of/it");
    assert_non_null(site.settings->plugin_dirs[2]); /* the built-in one */
    assert_null(site.settings->plugin_dirs[3]);
    site_fini(&site);

    site_init(&site);
    site.overrides.state_dir = NULL;
    load(&site, "state_dir = \"/of/the/file\";\n" GOOD_SOURCE RULE(WHERE));
    assert_string_equal(site.settings->state_dir.ptr, "/of/the/file");
    site_fini(&site);
}

/* ---- what a reload compares ---- */

struct texts {
    char all[1024], base[1024], query[256];
};

static struct texts texts_of(const char *text)
{
    const struct rule_settings *rule;
    struct texts texts = {.all = ""};
    struct site site;

    site_init(&site);
    load(&site, text);
    rule = settings_rule(site.settings, STR("r"));
    assert_true(rule->canonical.len > 0 && rule->canonical.len < sizeof(texts.all));
    snprintf(texts.all, sizeof(texts.all), STR_FMT, STR_ARG(buf_str(&rule->canonical)));
    snprintf(texts.base, sizeof(texts.base), STR_FMT, STR_ARG(buf_str(&rule->canonical_base)));
    snprintf(texts.query, sizeof(texts.query), STR_FMT, STR_ARG(buf_str(&rule->query_key)));
    site_fini(&site);
    return texts;
}

static void only_live_options_may_change_without_a_restart(void **state)
{
    struct texts old = texts_of(GOOD_SOURCE RULE("options: { where = \"x\"; live = \"1\"; };"));
    struct texts live = texts_of(
        GOOD_SOURCE RULE("options: { live = \"2\"; where = \"x\"; };"));
    struct texts none = texts_of(GOOD_SOURCE RULE("options: { where = \"x\"; };"));
    struct texts other = texts_of(
        GOOD_SOURCE RULE("options: { where = \"y\"; live = \"1\"; };"));
    struct texts rule = texts_of(
        GOOD_SOURCE RULE("options: { where = \"x\"; live = \"1\"; }; concurrency = 2;"));
    struct texts moved = texts_of("\n\n# elsewhere\n" GOOD_SOURCE
                                  "\n" RULE("options: { live = \"1\"; where = \"x\"; };"));

    (void)state;
    assert_string_not_equal(old.all, live.all);
    assert_string_equal(old.base, live.base);
    assert_string_equal(old.base, none.base);
    assert_string_not_equal(old.base, other.base);
    assert_string_not_equal(old.base, rule.base);
    assert_string_equal(old.all, moved.all); /* where it stands is no difference */
}

static void rules_that_ask_alike_share_a_read(void **state)
{
    struct texts one = texts_of(GOOD_SOURCE RULE(WHERE));
    struct texts two = texts_of(GOOD_SOURCE RULE(WHERE "if: { a = \"b\"; }; concurrency = 3;"));
    struct texts leaves = texts_of(GOOD_SOURCE RULE(WHERE "all_leaves = true;"));
    struct texts filter = texts_of(GOOD_SOURCE RULE(WHERE "filter = \"a/b\";"));

    (void)state;
    assert_string_equal(one.query, two.query);
    assert_string_not_equal(one.query, leaves.query);
    assert_string_not_equal(one.query, filter.query);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_mistake_is_found_in_one_go),
        cmocka_unit_test(a_rule_must_say_where_from_what_and_where_to),
        cmocka_unit_test(a_mistake_in_a_rule_that_is_off_is_one_too),
        cmocka_unit_test(transforms_are_judged_each_by_itself),
        cmocka_unit_test(transforms_stand_in_their_order),
        cmocka_unit_test(a_file_that_is_not_there_is_an_error),
        cmocka_unit_test(a_rule_that_says_nothing_has_what_suits_its_plugin),
        cmocka_unit_test(defaults_and_values_arrive),
        cmocka_unit_test(the_command_line_is_over_the_files),
        cmocka_unit_test(only_live_options_may_change_without_a_restart),
        cmocka_unit_test(rules_that_ask_alike_share_a_read),
    };

    cmocka_set_test_filter(getenv("TEST_FILTER"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
