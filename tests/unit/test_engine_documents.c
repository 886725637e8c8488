/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rule_documents: the groups of a configuration, and what a document of one may say.
 */
#include "test_dispatch_lib.h"

#include "engine/settings.h"

#include <unistd.h>

/* ---- a plugin with every kind of option that documents are kept from ---- */

static const tr_option inner_options[] = {
    {.name = "key", .type = TR_TYPE_SECRET},
    {.name = "file", .type = TR_TYPE_PATH},
    {.name = "note", .type = TR_TYPE_STRING},
    {.name = NULL},
};

static const tr_option vault_options[] = {
    {.name = "url", .type = TR_TYPE_STRING},
    {.name = "key", .type = TR_TYPE_SECRET},
    {.name = "file", .type = TR_TYPE_PATH},
    {.name = "files", .type = TR_TYPE_PATH, .flags = TR_OPTION_LIST},
    {.name = "proxy", .type = TR_TYPE_STRING, .flags = TR_OPTION_OPERATOR},
    {.name = "headers", .type = TR_TYPE_GROUP},
    {.name = "inner", .type = TR_TYPE_GROUP, .group = inner_options},
    {.name = "size", .type = TR_TYPE_INT, .dflt = "5", .min = 1, .max = 10},
};

static int loads_of_other;

int plugin_load(tr_str name, const char *const *dirs, const struct plugin **ret_plugin,
                struct error *error)
{
    static struct plugin plugin;

    assert_non_null(dirs);
    loads_of_other += str_eq(name, STR("other"));
    if (!str_eq(name, STR("vault")) && !str_eq(name, STR("other")))
        return error_set(error, ERR_NOINPUT, "there is no plugin \"" STR_FMT "\"",
                         STR_ARG(name));
    plugin = sink_plugin;
    plugin.options = (tr_option *)(uintptr_t)vault_options;
    plugin.options_count = sizeof(vault_options) / sizeof(vault_options[0]);
    *ret_plugin = &plugin;
    return 0;
}

/* ---- a configuration ---- */

struct fixture {
    char path[64];
    struct diags diags;
    struct settings *settings;
};

#define SOURCES                                                                                \
    "sources: { main: { url = \"http://u@h:1/\"; }; f: { type = \"file\"; path = \"/x\"; }; "  \
    "};\n"
#define GROUP(more_)                                                                           \
    "rule_documents: { g: { source = \"main\"; database = \"rules\"; plugins = [ \"vault\" "   \
    "]; " more_ " }; };\n"

static int load(struct fixture *fixture, const char *text)
{
    struct settings_overrides overrides = {.path = fixture->path};
    FILE *file;
    int fd, rc;

    *fixture = (struct fixture){.path = "/tmp/tailrace-test-XXXXXX"};
    fd = mkstemp(fixture->path);
    assert_true(fd >= 0);
    file = fdopen(fd, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    fclose(file);
    overrides.path = fixture->path;
    overrides.state_dir = "/tmp";
    diags_init(&fixture->diags);
    rc = settings_load(&overrides, &fixture->diags, &fixture->settings);
    unlink(fixture->path);
    return rc;
}

static void unload(struct fixture *fixture)
{
    settings_unref(fixture->settings);
    diags_fini(&fixture->diags);
}

static bool says(const struct diags *diags, const char *path, const char *part)
{
    for (const struct diag *diag = diags->first; diag; diag = diag->next)
        if (strcmp(diag->path, path) == 0 &&
            (strstr(diag->message, part) || strstr(diag->remedy, part)))
            return true;
    for (const struct diag *diag = diags->first; diag; diag = diag->next)
        print_message("%s: %s; %s\n", diag->path, diag->message, diag->remedy);
    return false;
}

static void refuses_config(const char *text, const char *path, const char *part)
{
    struct fixture fixture;

    assert_true(load(&fixture, text) < 0);
    assert_null(fixture.settings);
    assert_true(says(&fixture.diags, path, part));
    unload(&fixture);
}

static void a_group_is_judged_with_the_rest(void **state)
{
    (void)state;
    refuses_config(SOURCES "rule_documents: { g: { }; };", "rule_documents.g.source",
                   "missing");
    refuses_config(SOURCES "rule_documents: { g: { }; };", "rule_documents.g.plugins",
                   "missing");
    refuses_config(SOURCES "rule_documents: { g = 5; };", "rule_documents.g", "is not a group");
    refuses_config(SOURCES "rule_documents: { g: { source = \"x\"; database = \"d\"; plugins = "
                           "[\"vault\"]; }; };",
                   "rule_documents.g.source", "there is no source");
    refuses_config(SOURCES "rule_documents: { g: { source = \"f\"; database = \"d\"; plugins = "
                           "[\"vault\"]; }; };",
                   "rule_documents.g.source", "is a file");
    refuses_config(SOURCES
                   "rule_documents: { g: { source = \"main\"; database = \"d\"; plugins "
                   "= [\"vault\", \"no\"]; }; };",
                   "rule_documents.g.plugins.1", "there is no plugin");
    refuses_config(SOURCES
                   "rule_documents: { g: { source = \"main\"; database = \"d\"; plugins "
                   "= [\"/lib/vault.so\"]; }; };",
                   "rule_documents.g.plugins.0", "is a path");
    refuses_config(SOURCES
                   "rule_documents: { g: { source = \"main\"; database = \"d\"; plugins "
                   "= []; }; };",
                   "rule_documents.g.plugins", "empty");
    refuses_config(SOURCES GROUP("since = \"5-x\";"), "rule_documents.g.since", "now");
    refuses_config(SOURCES GROUP("repot = true;"), "rule_documents.g.repot", "report");
    refuses_config(SOURCES GROUP("defaults: { max_attempts = -1; };"),
                   "rule_documents.g.defaults.max_attempts", "-1");
    refuses_config(SOURCES GROUP("defaults: { plugin = \"vault\"; };"),
                   "rule_documents.g.defaults.plugin", "unknown key");
}

static void a_group_is_read(void **state)
{
    struct fixture fixture;
    const struct document_settings *group;

    (void)state;
    assert_int_equal(load(&fixture, SOURCES GROUP("report = true; since = \"beginning\"; "
                                                  "defaults: { retry: { max = \"1h\"; }; };")),
                     0);
    group = settings_documents(fixture.settings, STR("g"));
    assert_non_null(group);
    assert_null(settings_documents(fixture.settings, STR("h")));
    assert_ptr_equal(group->source, settings_source(fixture.settings, STR("main")));
    assert_string_equal(group->database.ptr, "rules");
    assert_int_equal(group->report, 1);
    assert_int_equal(group->since, DOCUMENTS_SINCE_BEGINNING);
    assert_int_equal(group->plugins_count, 1);
    assert_non_null(group->defaults);
    unload(&fixture);
}

/* ---- documents ---- */

struct judged {
    struct fixture fixture;
    struct diags diags;
    struct settings *settings;
    enum document_kind kind;
};

static void judge(struct judged *judged, const char *group, const char *doc)
{
    *judged = (struct judged){.kind = DOCUMENT_NONE};
    assert_int_equal(load(&judged->fixture, group), 0);
    diags_init(&judged->diags);
    judged->kind = settings_from_document(judged->fixture.settings,
                                          &judged->fixture.settings->documents[0], STR("d"),
                                          str_c(doc), &judged->diags, &judged->settings);
}

static void end(struct judged *judged)
{
    diags_fini(&judged->diags);
    /* The generation of the files goes first: the document's holds it. */
    unload(&judged->fixture);
    settings_unref(judged->settings);
}

static void refuses(const char *members, const char *path, const char *part)
{
    struct buf doc = {0};
    struct judged judged;

    buf_addf(&doc, "{\"type\":\"rule\",\"databases\":[\"x\"]%s}", members);
    judge(&judged, SOURCES GROUP(""), doc.ptr);
    assert_int_equal(judged.kind, DOCUMENT_INVALID);
    assert_null(judged.settings);
    assert_true(says(&judged.diags, path, part));
    end(&judged);
    buf_fini(&doc);
}

#define VAULT(options_) ",\"plugin\":\"vault\",\"options\":{" options_ "}"

static void a_document_is_a_generation_that_stands_on_the_files(void **state)
{
    struct judged judged;
    const struct rule_settings *rule;

    (void)state;
    judge(&judged, SOURCES GROUP("defaults: { retry: { max = \"1h\"; }; };"),
          "{\"type\":\"rule\",\"databases\":[\"x\"],\"if\":{\"a\":\"^b$\"}" VAULT(
              "\"url\":\"y\",\"size\":7") "}");
    assert_int_equal(judged.kind, DOCUMENT_RULE);
    assert_int_equal(judged.settings->rules_count, 1);
    rule = &judged.settings->rules[0];
    assert_string_equal(rule->name.ptr, "g/d");
    assert_int_equal(rule->enabled, 1);
    assert_int_equal(rule->since_kind, SINCE_NOW);
    assert_int_equal(rule->binding.retry_max_ms, 3600000);
    assert_ptr_equal(rule->source, judged.fixture.settings->sources);
    assert_ptr_equal(settings_rule(judged.settings, STR("g/d")), rule);
    end(&judged);
}

static void only_plugins_that_the_group_names_are_loaded(void **state)
{
    (void)state;
    loads_of_other = 0;
    refuses(",\"plugin\":\"other\"", "/plugin", "not among the plugins");
    refuses(",\"plugin\":\"/lib/vault.so\"", "/plugin", "not among the plugins");
    refuses(",\"plugin\":\"../vault\"", "/plugin", "not among the plugins");
    refuses("", "", "plugin is missing");
    refuses(",\"plugin\":[\"vault\"]", "/plugin", "is not a string");
    assert_int_equal(loads_of_other, 0);
}

static void no_document_names_a_path(void **state)
{
    (void)state;
    refuses(VAULT("\"file\":\"/etc/passwd\""), "/options/file", "is a path");
    refuses(VAULT("\"files\":[\"/etc/passwd\"]"), "/options/files", "is a path");
    refuses(VAULT("\"inner\":{\"file\":\"/etc/passwd\"}"), "/options/inner/file", "is a path");
}

static void no_document_names_a_secret(void **state)
{
    (void)state;
    refuses(VAULT("\"key\":\"env:HOME\""), "/options/key", "is a secret");
    refuses(VAULT("\"inner\":{\"key\":\"cred:x\"}"), "/options/inner/key", "is a secret");
    refuses(VAULT("\"headers\":{\"A\":\"file:/etc/shadow\"}"), "/options/headers/A",
            "refers to a secret");
    refuses(VAULT("\"headers\":{\"A\":[{\"b\":\"env:X\"}]}"), "/options/headers/A/0/b",
            "refers to a secret");
    refuses(VAULT("\"url\":\"cred:x\""), "/options/url", "refers to a secret");
    refuses(VAULT("\"inner\":{\"note\":\"env:X\"}"), "/options/inner/note",
            "refers to a secret");
}

static void what_is_the_operators_is_not_a_documents(void **state)
{
    (void)state;
    refuses(VAULT("\"proxy\":\"http://h\""), "/options/proxy", "operator");
}

static void a_document_is_judged_as_a_rule_of_a_file_is(void **state)
{
    (void)state;
    refuses(VAULT("\"size\":11"), "/options/size", "11");
    refuses(VAULT("\"sise\":1"), "/options/sise", "size");
    refuses(VAULT("\"url\":5"), "/options/url", "string");
    refuses(",\"wheer\":1" VAULT(""), "/wheer", "where");
    refuses(",\"source\":\"nowhere\"" VAULT(""), "/source", "there is no source");
    refuses(",\"if\":{\"a\":\"(\"}" VAULT(""), "/if/a", "wrong at byte");
    refuses(",\"where\":[{\"path\":\"a\",\"gt\":true}]" VAULT(""), "/where/0/gt", "operand");
    refuses(",\"include_docs\":\"no\"" VAULT(""), "/include_docs", "true or false");
}

static void the_same_meaning_is_the_same_rule(void **state)
{
    struct judged a, b;

    (void)state;
    judge(
        &a, SOURCES GROUP(""),
        "{\"_rev\":\"1-a\",\"type\":\"rule\",\"databases\":[\"x\"]" VAULT("\"url\":\"y\"") "}");
    judge(&b, SOURCES GROUP(""),
          "{\"plugin\":\"vault\",\"options\":{\"url\":\"y\"},\"databases\":[\"x\"],\"type\":"
          "\"rule\",\"_rev\":\"2-b\",\"tailrace\":{\"state\":\"running\"}}");
    assert_int_equal(a.kind, DOCUMENT_RULE);
    assert_int_equal(b.kind, DOCUMENT_RULE);
    assert_true(str_eq(buf_str(&a.settings->rules[0].canonical),
                       buf_str(&b.settings->rules[0].canonical)));
    end(&a);
    end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_group_is_judged_with_the_rest),
        cmocka_unit_test(a_group_is_read),
        cmocka_unit_test(a_document_is_a_generation_that_stands_on_the_files),
        cmocka_unit_test(only_plugins_that_the_group_names_are_loaded),
        cmocka_unit_test(no_document_names_a_path),
        cmocka_unit_test(no_document_names_a_secret),
        cmocka_unit_test(what_is_the_operators_is_not_a_documents),
        cmocka_unit_test(a_document_is_judged_as_a_rule_of_a_file_is),
        cmocka_unit_test(the_same_meaning_is_the_same_rule),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
