/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/document: which documents are rules, what the database's group fills in, and rules of
 * tailrace's own. Spiegel's are in test_document_on_change.c and test_document_replicator.c.
 */
#include "test_document_lib.h"

/* ---- which documents ---- */

static void other_documents_are_no_rules(void **state)
{
    (void)state;
    is_none("d", "{\"_id\":\"d\",\"type\":\"change_listener\",\"db_name\":5}");
    is_none("d", "{\"_id\":\"d\",\"type\":\"global\",\"value\":\"1-x\"}");
    is_none("d", "{\"_id\":\"d\"}");
    is_none("d", "{\"_id\":\"d\",\"type\":5}");
    is_none("d", "{\"_id\":\"d\",\"type\":null}");
    is_none("_design/x", ON_CHANGE(GOOD));
    is_none("_local/x", ON_CHANGE(GOOD));
    is_none("d", "[]");
    is_none("d", "");
    is_none("d", "no JSON");
    is_none("d", ON_CHANGE(GOOD ",\"_deleted\":true"));
    is_none("d", ON_CHANGE(GOOD ",\"enabled\":false"));
    is_none("d", ON_CHANGE(",\"enabled\":false"));
    is_none("d", "{\"type\":\"rule\",\"enabled\":false,\"a\":null}");
}

static void the_rule_is_named_after_group_and_document(void **state)
{
    struct outcome out = translate_with(&plain_options, "a/b c", ON_CHANGE(GOOD));

    (void)state;
    assert_int_equal(out.kind, DOCUMENT_RULE);
    assert_string_equal(out.rule->name.ptr, "g/a/b c");
    assert_string_equal(out.rule->file, "a/b c");
    end(&out);
}

static void a_document_that_is_no_proper_json_is_said_so(void **state)
{
    (void)state;
    refuses("{\"type\":\"rule\",\"a\":[1,2,,]}", "is not proper JSON", NULL);
    refuses("{\"type\":\"on_change\"} x", "is not proper JSON", NULL);
    refuses(ON_CHANGE(GOOD ",\"enabled\":\"no\""), "/enabled: is string", NULL);
}

/* ---- tailrace's own ---- */

#define RULE(more_) "{\"_id\":\"d\",\"_rev\":\"1-a\",\"type\":\"rule\"" more_ "}"

static void a_rule_document_has_the_members_of_a_rule(void **state)
{
    (void)state;
    gives(RULE(",\"databases\":[\"a\",\"b\"],\"if\":{\"a\":{\"b\":\"^x\"}},\"plugin\":\"p\","
               "\"options\":{\"n\":5,\"f\":1.5,\"e\":1e3,\"t\":true,\"s\":\"\\u00e4\","
               "\"big\":-9223372036854775808},"
               "\"enabled\":true,\"tailrace\":{\"state\":\"invalid\"},\"_attachments\":{}"),
          "{\"databases\":[\"a\",\"b\"],\"if\":{\"a\":{\"b\":\"^x\"}},\"plugin\":\"p\","
          "\"options\":{\"n\":5,\"f\":1.5,\"e\":1000.0,\"t\":true,\"s\":\"\xc3\xa4\","
          "\"big\":-9223372036854775808},\"source\":\"main\",\"since\":\"now\"}");
    has(RULE(",\"source\":\"other\",\"since\":\"beginning\""), "source", "\"other\"");
    has(RULE(",\"source\":\"other\",\"since\":\"beginning\""), "since", "\"beginning\"");
    has(RULE(",\"a\":1,\"b\":2,\"a\":{\"c\":3}"), "a.c", "3");
}

static void what_no_configuration_holds_is_refused_where_it_stands(void **state)
{
    (void)state;
    refuses(RULE(",\"options\":{\"a\":null,\"b\":[1,{\"c~/\":null}]}"), "/options/a: is null",
            "/options/b/1/c~0~1: is null", NULL);
    refuses(RULE(",\"a\":9223372036854775808"), "/a: is a whole number beyond", NULL);
    refuses(RULE(",\"a\":\"x\\u0000\""), "/a: holds a NUL", NULL);
    refuses(RULE(",\"a\":{\"\":1}"), "/a: has a member with an empty name", NULL);
}

static void a_document_is_not_nested_without_end(void **state)
{
    struct buf doc = {0};

    (void)state;
    buf_add_c(&doc, "{\"type\":\"rule\",\"a\":");
    for (int i = 0; i < 100; i++)
        buf_add_c(&doc, "[");
    for (int i = 0; i < 100; i++)
        buf_add_c(&doc, "]");
    buf_add_c(&doc, "}");
    refuses(doc.ptr, "is nested too deep", NULL);
    buf_fini(&doc);
}

static void a_document_that_is_too_long_is_refused(void **state)
{
    struct buf doc = {0};

    (void)state;
    buf_add_c(&doc, "{\"type\":\"rule\",\"a\":\"");
    for (int i = 0; i < 1024 * 1024; i++)
        buf_add_char(&doc, 'x');
    buf_add_c(&doc, "\"}");
    refuses(doc.ptr, "is longer than", NULL);
    buf_fini(&doc);
}

/* ---- defaults ---- */

static void defaults_fill_in_what_a_document_does_not_say(void **state)
{
    struct document_options options = plain_options;
    struct config *config = NULL;
    struct diags diags;

    (void)state;
    diags_init(&diags);
    assert_int_equal(config_load_text("test",
                                      STR("retry: { max = \"1h\"; }; concurrency = 3; "
                                          "since = \"beginning\"; batch: { size = 7; };"),
                                      &diags, &config),
                     0);
    options.defaults = config->root;
    gives_with(&options, RULE(",\"concurrency\":9"),
               "{\"concurrency\":9,\"retry\":{\"max\":\"1h\"},\"since\":\"beginning\","
               "\"batch\":{\"size\":7},\"source\":\"main\"}");
    gives_with(&options, ON_CHANGE(GOOD ",\"block\":true"),
               "{\"databases\":\"^x$\",\"system_databases\":true,\"design_documents\":"
               "\"include\",\"plugin\":\"http-webhook\",\"concurrency\":1,\"options\":{\"url\":"
               "\"http://h/\",\"method\":\"GET\",\"block\":true,\"debounce\":false,"
               "\"reject_on\":\"\"},\"retry\":{\"max\":\"1h\"},\"since\":\"beginning\","
               "\"batch\":{\"size\":7},\"source\":\"main\"}");
    assert_int_equal(config->root->count, 4);
    diags_fini(&diags);
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_documents_are_no_rules),
        cmocka_unit_test(the_rule_is_named_after_group_and_document),
        cmocka_unit_test(a_document_that_is_no_proper_json_is_said_so),
        cmocka_unit_test(a_rule_document_has_the_members_of_a_rule),
        cmocka_unit_test(what_no_configuration_holds_is_refused_where_it_stands),
        cmocka_unit_test(a_document_is_not_nested_without_end),
        cmocka_unit_test(a_document_that_is_too_long_is_refused),
        cmocka_unit_test(defaults_fill_in_what_a_document_does_not_say),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
