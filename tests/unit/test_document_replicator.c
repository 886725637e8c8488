/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/document: each member of a replicator document in the rule that it becomes, whether it
 * is copied natively or by a server, and each mistake with the place where it stands.
 */
#include "test_document_lib.h"

#define NATIVE                                                                                 \
    "{\"databases\":[\"x\"],\"design_documents\":\"include\",\"since\":\"beginning\","         \
    "\"plugin\":\"replicator\",\"options\":{\"source\":\"https://u@h/x\",\"target\":"          \
    "\"https://u@h/y\"},\"concurrency\":2,\"batch\":{\"size\":1000},\"source\":\"main\"}"

static void a_replicator_document_becomes_a_rule_of_replicator(void **state)
{
    struct document_options options = plain_options;

    (void)state;
    gives(REPLICATOR(COPY), NATIVE);
    options.server = STR("http://admin@c:5984/");
    gives_with(&options, REPLICATOR(COPY), NATIVE);
}

#define BY_NAME ",\"source\":\"x\",\"target\":\"y\""

static void what_only_a_server_knows_is_for_the_server(void **state)
{
    struct document_options options = plain_options;

    (void)state;
    gives(REPLICATOR(BY_NAME),
          "{\"databases\":[\"x\"],\"include_docs\":false,\"design_documents\":\"include\","
          "\"since\":\"beginning\",\"plugin\":\"replicator\",\"options\":{\"mode\":"
          "\"server\",\"source\":\"x\",\"target\":\"y\"},\"timeout\":\"3h\",\"batch\":{"
          "\"size\":10000},\"source\":\"main\"}");
    options.server = STR("http://admin@c:5984/");
    gives_with(&options, REPLICATOR(BY_NAME),
               "{\"databases\":[\"x\"],\"include_docs\":false,\"design_documents\":\"include\","
               "\"since\":\"beginning\",\"plugin\":\"replicator\",\"options\":{\"mode\":"
               "\"server\",\"source\":\"x\",\"target\":\"y\",\"server\":"
               "\"http://admin@c:5984/\"},\"timeout\":\"3h\",\"batch\":{\"size\":10000},"
               "\"source\":\"main\"}");
    has(REPLICATOR(COPY ",\"user_ctx\":{}"), "options.mode", "\"server\"");
    has(REPLICATOR(COPY ",\"since_seq\":7"), "options.mode", "\"server\"");
    has(REPLICATOR(COPY ",\"use_checkpoints\":false"), "options.mode", "\"server\"");
    has(REPLICATOR(COPY ",\"doc_ids\":[]"), "options.mode", "\"server\"");
    has(REPLICATOR(COPY ",\"doc_ids\":[\"a\",1]"), "options.mode", "\"server\"");
    has(REPLICATOR(COPY ",\"doc_ids\":[\"a\"],\"filter\":\"d/f\""), "options.mode",
        "\"server\"");
    has(REPLICATOR(COPY ",\"filter\":\"d/f\",\"query_params\":{\"n\":1}"), "options.mode",
        "\"server\"");
}

static void fields_that_a_rule_has_too_are_the_rule_s(void **state)
{
    (void)state;
    has(REPLICATOR(COPY), "options.mode", "");
    has(REPLICATOR(COPY ",\"filter\":\"d/f\",\"query_params\":{\"k\":\"v\"}"), "filter",
        "\"d/f\"");
    has(REPLICATOR(COPY ",\"filter\":\"d/f\",\"query_params\":{\"k\":\"v\"}"), "filter_params",
        "{\"k\":\"v\"}");
    has(REPLICATOR(COPY ",\"doc_ids\":[\"a\",\"b\"]"), "doc_ids", "[\"a\",\"b\"]");
    has(REPLICATOR(COPY ",\"selector\":{\"a\":{\"$gt\":1}}"), "selector",
        "\"{\\\"a\\\":{\\\"$gt\\\":1}}\"");
    has(REPLICATOR(COPY ",\"since_seq\":\"7-a\""), "since", "\"7-a\"");
    has(REPLICATOR(COPY ",\"create_target\":true,\"create_target_params\":{\"q\":4}"),
        "options.create_target", "true");
    has(REPLICATOR(COPY ",\"create_target\":true,\"create_target_params\":{\"q\":4}"),
        "options.q", "4");
    has(REPLICATOR(COPY ",\"winning_revs_only\":true"), "options.winning_revs_only", "true");
    has(REPLICATOR(COPY ",\"checkpoint_interval\":9000,\"http_connections\":5"),
        "options.checkpoint_interval", "9000");
    has(REPLICATOR(",\"source\":\"http://h/a$b\",\"target\":\"http://h/y\""), "options.source",
        "\"http://h/a$$b\"");
}

static void a_replicator_is_about_the_database_of_its_source(void **state)
{
    (void)state;
    has(REPLICATOR(",\"target\":\"y\",\"source\":\"https://h/p/a%2Fb\""), "databases",
        "[\"a/b\"]");
    has(REPLICATOR(",\"target\":\"y\",\"source\":\"http://h:5984/x/\""), "databases",
        "[\"x\"]");
    has(REPLICATOR(",\"target\":\"y\",\"source\":\"http://h/x?y=/z#/k\""), "databases",
        "[\"x\"]");
    has(REPLICATOR(",\"target\":\"y\",\"source\":\"x\""), "databases", "[\"x\"]");
    has(REPLICATOR(",\"target\":\"y\",\"source\":\"http://h/a%2\""), "databases", "[\"a%2\"]");
    refuses(REPLICATOR(",\"target\":\"y\",\"source\":\"http://h\""),
            "/source: is a URL without", NULL);
    refuses(REPLICATOR(",\"target\":\"y\",\"source\":\"http://h/\""),
            "/source: is a URL without", NULL);
    refuses(REPLICATOR(",\"source\":{\"url\":\"http://h/x\"}"), "/source: is object",
            "/target: is missing", NULL);
}

static void what_is_for_the_server_goes_there_as_it_stands(void **state)
{
    (void)state;
    has(REPLICATOR(COPY ",\"create_target\":true,\"doc_ids\":[\"a\"],\"n\":1.50,"
                        "\"query_params\":{\"k\":null}"),
        "options.body",
        "\"{\\\"create_target\\\":true,\\\"doc_ids\\\":[\\\"a\\\"],\\\"n\\\":1.50,"
        "\\\"query_params\\\":{\\\"k\\\":null}}\"");
    has(REPLICATOR(COPY
                   ",\"continuous\":true,\"cancel\":true,\"dirty\":true,\"dirty_at\":\"x\","
                   "\"locked_at\":\"x\",\"updated_at\":\"x\",\"retries\":1,"
                   "\"possibly_deleted_at\":null,\"_attachments\":{},\"tailrace\":{},"
                   "\"enabled\":true"),
        "options.body", "");
}

static void a_replicator_rule_does_not_change_when_spiegel_keeps_its_books(void **state)
{
    struct outcome a = translate_with(&plain_options, "d", REPLICATOR(COPY ",\"dirty\":true"));
    struct outcome b = translate_with(
        &plain_options, "d",
        REPLICATOR(COPY ",\"dirty\":false,\"dirty_at\":\"2019\",\"locked_at\":null"));

    (void)state;
    assert_string_equal(a.json.ptr, b.json.ptr);
    end(&a);
    end(&b);
}

static void a_delay_is_a_number_of_milliseconds(void **state)
{
    (void)state;
    has(REPLICATOR(BY_NAME ",\"dirty_after_milliseconds\":1500"), "options.delay", "1500");
    has(REPLICATOR(BY_NAME ",\"dirty_after_milliseconds\":0"), "options.delay", "");
    has(REPLICATOR(COPY ",\"dirty_after_milliseconds\":1500"), "batch.wait", "1500");
    has(REPLICATOR(COPY ",\"dirty_after_milliseconds\":-5"), "batch.wait", "");
    has(REPLICATOR(COPY ",\"dirty_after_milliseconds\":null"), "batch.wait", "");
    refuses(REPLICATOR(COPY ",\"dirty_after_milliseconds\":\"5s\""),
            "/dirty_after_milliseconds: is not a number", NULL);
    refuses(REPLICATOR(COPY ",\"dirty_after_milliseconds\":1e300"),
            "/dirty_after_milliseconds: is not a number", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_replicator_document_becomes_a_rule_of_replicator),
        cmocka_unit_test(what_only_a_server_knows_is_for_the_server),
        cmocka_unit_test(fields_that_a_rule_has_too_are_the_rule_s),
        cmocka_unit_test(a_replicator_is_about_the_database_of_its_source),
        cmocka_unit_test(what_is_for_the_server_goes_there_as_it_stands),
        cmocka_unit_test(a_replicator_rule_does_not_change_when_spiegel_keeps_its_books),
        cmocka_unit_test(a_delay_is_a_number_of_milliseconds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
