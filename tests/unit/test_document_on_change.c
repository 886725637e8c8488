/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/document: each member of an on_change document in the rule that it becomes, and each
 * mistake with the place where it stands.
 */
#include "test_document_lib.h"

#include "rule/match.h"

static void an_on_change_document_becomes_a_rule_of_http_webhook(void **state)
{
    (void)state;
    gives(ON_CHANGE(GOOD),
          "{\"databases\":\"^x$\",\"system_databases\":true,\"design_documents\":\"include\","
          "\"plugin\":\"http-webhook\",\"options\":{\"url\":\"http://h/\",\"method\":\"GET\","
          "\"block\":false,\"debounce\":false,\"reject_on\":\"\"},\"concurrency\":20,"
          "\"batch\":{\"size\":1},\"source\":\"main\",\"since\":\"now\"}");
}

static void block_and_debounce_are_kept(void **state)
{
    (void)state;
    has(ON_CHANGE(GOOD ",\"block\":true"), "options.block", "true");
    has(ON_CHANGE(GOOD ",\"block\":true"), "concurrency", "1");
    has(ON_CHANGE(GOOD ",\"block\":true"), "batch.size", "100");
    has(ON_CHANGE(GOOD ",\"debounce\":true"), "options.debounce", "true");
    has(ON_CHANGE(GOOD ",\"debounce\":true"), "concurrency", "20");
    has(ON_CHANGE(GOOD ",\"debounce\":true"), "batch.size", "100");
    has(ON_CHANGE(GOOD ",\"debounce\":null"), "options.debounce", "false");
    refuses(ON_CHANGE(GOOD ",\"block\":\"true\",\"debounce\":1"),
            "/block: is string, but true or false", "/debounce: is number", NULL);
}

static void a_method_is_as_spiegel_takes_it(void **state)
{
    (void)state;
    has(ON_CHANGE(GOOD ",\"method\":\"put\""), "options.method", "\"PUT\"");
    has(ON_CHANGE(GOOD ",\"method\":\"Delete\""), "options.method", "\"DELETE\"");
    has(ON_CHANGE(GOOD ",\"method\":null"), "options.method", "\"GET\"");
    has(ON_CHANGE(GOOD ",\"method\":\"\""), "options.method", "\"GET\"");
    refuses(ON_CHANGE(GOOD ",\"method\":[\"PUT\"]"), "/method: is array", NULL);
}

static void conditions_are_expressions_and_null_is_missing(void **state)
{
    (void)state;
    has(ON_CHANGE(GOOD ",\"if\":{\"type\":\"^post$\",\"a.b\":\"x\"}"), "if",
        "{\"type\":\"^post$\",\"a.b\":\"x\"}");
    has(ON_CHANGE(GOOD ",\"if\":{\"type\":\"^post$\"}"), "where", "");
    has(ON_CHANGE(GOOD ",\"if\":{\"gone.at\":null,\"x\\\\y\":null}"), "where",
        "[{\"path\":\"gone\\\\.at\",\"is\":\"missing\"},{\"path\":\"x\\\\\\\\y\",\"is\":"
        "\"missing\"}]");
    has(ON_CHANGE(GOOD ",\"if\":{\"a\":null}"), "if", "");
    has(ON_CHANGE(GOOD ",\"if\":{}"), "if", "");
    has(ON_CHANGE(GOOD ",\"if\":null"), "if", "");
    has(ON_CHANGE(GOOD ",\"if\":{\"n\":5,\"b\":true}"), "if", "{\"n\":\"5\",\"b\":\"true\"}");
    has(ON_CHANGE(GOOD ",\"if\":{\"a\":\"1\",\"a\":\"2\"}"), "if", "{\"a\":\"2\"}");
    has(ON_CHANGE(GOOD ",\"if\":{\"a\":\"1\",\"\\u0061\":null}"), "if", "");
    refuses(ON_CHANGE(GOOD ",\"if\":\"x\""), "/if: is string, but an object", NULL);
    refuses(ON_CHANGE(GOOD ",\"if\":{\"a/b\":\"(\",\"c\":{},\"d\":[],\"\":\"x\"}"),
            "/if/a~1b: ", "/if/c: is an object", "/if/d: is an array", "/if: has an empty name",
            NULL);
}

static enum verdict sees(const char *pattern, const char *db)
{
    struct buf doc = {0};
    struct outcome out;
    struct matcher *matcher = NULL;
    struct error error;
    enum verdict verdict;

    buf_addf(&doc, ON_CHANGE(",\"url\":\"http://h/\",\"db_name\":\"%s\""), pattern);
    out = translate_with(&plain_options, "d", doc.ptr);
    assert_int_equal(out.kind, DOCUMENT_RULE);
    assert_int_equal(matcher_new(out.rule, &out.diags, &matcher), 0);
    verdict = pattern_match(matcher->databases, str_c(db), &error);
    matcher_free(matcher);
    end(&out);
    buf_fini(&doc);
    return verdict;
}

static void databases_are_matched_as_by_spiegel(void **state)
{
    (void)state;
    assert_int_equal(sees("^user_", "user_1"), VERDICT_MATCH);
    assert_int_equal(sees("ser_", "user_1"), VERDICT_MATCH);
    assert_int_equal(sees("_1$|^x", "user_1"), VERDICT_MATCH);
    assert_int_equal(sees("^x|_1$", "user_2"), VERDICT_NO_MATCH);
    assert_int_equal(sees("^$|^user", "user_1"), VERDICT_MATCH);
    assert_int_equal(sees(".*", "_users"), VERDICT_MATCH);
    assert_int_equal(sees("^_users$", "_users"), VERDICT_MATCH);
    assert_int_equal(sees("\\\\u0075ser[^]", "user_1"), VERDICT_MATCH);
    assert_int_equal(sees("x[]", "x"), VERDICT_NO_MATCH);
    assert_int_equal(sees("(a)\\\\1", "aa"), VERDICT_MATCH);
    assert_int_equal(sees("^user%2Fa%2B%24$", "user/a+$"), VERDICT_MATCH);
    assert_int_equal(sees("^user/a", "user/a+$"), VERDICT_MATCH);
    assert_int_equal(sees("^a%2fb$", "a/b"), VERDICT_MATCH);
}

static void the_database_of_the_documents_is_never_seen(void **state)
{
    (void)state;
    assert_int_equal(sees(".*", "spiegel"), VERDICT_NO_MATCH);
    assert_int_equal(sees("^spiegel$", "spiegel"), VERDICT_NO_MATCH);
    assert_int_equal(sees("spiegel", "spiegel2"), VERDICT_MATCH);
    assert_int_equal(sees(".*", "_global_changes"), VERDICT_NO_MATCH);
}

static void a_pattern_that_is_wrong_is_said_so(void **state)
{
    (void)state;
    refuses(ON_CHANGE(",\"url\":\"http://h/\""), "/db_name: is missing", NULL);
    refuses(ON_CHANGE(",\"url\":\"http://h/\",\"db_name\":null"), "/db_name: is missing", NULL);
    refuses(ON_CHANGE(",\"url\":\"http://h/\",\"db_name\":7"), "/db_name: is number", NULL);
    refuses(ON_CHANGE(",\"url\":\"http://h/\",\"db_name\":\"a)(b\""), "/db_name: ", "a)(b",
            NULL);
    refuses(ON_CHANGE(",\"url\":\"http://h/\",\"db_name\":\"a\\u0000b\""),
            "/db_name: holds a NUL", NULL);
}

static void url_is(const char *url, const char *wanted)
{
    struct buf doc = {0}, quoted = {0};

    buf_addf(&doc, ON_CHANGE(",\"db_name\":\"x\",\"url\":\"%s\""), url);
    buf_addf(&quoted, "\"%s\"", wanted);
    has(doc.ptr, "options.url", quoted.ptr);
    buf_fini(&doc);
    buf_fini(&quoted);
}

static void variables_of_a_url_stand_in_braces(void **state)
{
    (void)state;
    url_is("https://user@h:1/${db_name}/x", "https://user@h:1/${db_name}/x");
    url_is("http://h/${change.id}${change.rev}?s=${seq}&c=${change}",
           "http://h/${change.id}${change.rev}?s=${seq}&c=${change}");
    url_is("http://h/$db_name/x", "http://h/$$db_name/x");
    url_is("http://h/${change.name}", "http://h/$$%7Bchange.name%7D");
    url_is("http://h/${who}", "http://h/$$%7Bwho%7D");
    url_is("http://h/${change.id", "http://h/$$%7Bchange.id");
    url_is("http://h/a$b", "http://h/a$$b");
    url_is("http://h/${seq}$db_name", "http://h/${seq}${db_name}");
    url_is("http://h/a b#frag${seq}", "http://h/a%20b");
    refuses(ON_CHANGE(",\"db_name\":\"x\""), "/url: is missing", NULL);
    refuses(ON_CHANGE(",\"db_name\":\"x\",\"url\":\"\""), "/url: is missing", NULL);
    refuses(ON_CHANGE(",\"db_name\":\"x\",\"url\":{}"), "/url: is object", NULL);
}

static void body_is(const char *params, const char *wanted)
{
    struct buf doc = {0};

    buf_addf(&doc, ON_CHANGE(GOOD ",\"method\":\"POST\"%s"), params);
    has(doc.ptr, "options.body", wanted);
    buf_fini(&doc);
}

static void a_parameter_that_is_one_variable_is_replaced(void **state)
{
    (void)state;
    body_is(",\"params\":{\"c\":\"$change\",\"i\":\"${change.id}\",\"s\":\"$seq\"}",
            "\"{\\\"c\\\":\\\"${change}\\\",\\\"i\\\":\\\"${change.id}\\\",\\\"s\\\":"
            "\\\"${seq}\\\"}\"");
    body_is(",\"params\":{\"a\":\"x $change\",\"b\":\"$change.name\",\"c\":\"$who\"}",
            "\"{\\\"a\\\":\\\"x $$change\\\",\\\"b\\\":\\\"$$change.name\\\",\\\"c\\\":"
            "\\\"$$who\\\"}\"");
    body_is(",\"params\":{\"d\":\"\\u0024db_name\"}", "\"{\\\"d\\\":\\\"${db_name}\\\"}\"");
    body_is("", "\"{}\"");
    body_is(",\"params\":null", "\"{}\"");
}

static void parameters_that_are_no_text_pass_as_they_are(void **state)
{
    (void)state;
    body_is(",\"params\":{\"n\":1.50,\"i\":12345678901234567890,\"t\":true,\"z\":null,"
            "\"o\":{\"a\":[1,\"$change\"]},\"e\":{},\"l\":[]}",
            "\"{\\\"n\\\":1.50,\\\"i\\\":12345678901234567890,\\\"t\\\":true,\\\"z\\\":null,"
            "\\\"o\\\":{\\\"a\\\":[1,\\\"$$change\\\"]},\\\"e\\\":{},\\\"l\\\":[]}\"");
    refuses(ON_CHANGE(GOOD ",\"params\":[1]"), "/params: is array, but an object", NULL);
}

static void without_a_body_parameters_are_a_query(void **state)
{
    (void)state;
    has(ON_CHANGE(GOOD ",\"params\":{\"a b\":\"x&y\",\"i\":\"$change.id\",\"n\":5,\"t\":true,"
                       "\"z\":null,\"o\":{\"k\":1},\"d\":\"$who\"}"),
        "options.url",
        "\"http://h/?a%20b=x%26y&i=${change.id}&n=5&t=true&z=&o=%7B%22k%22%3A1%7D&d=%24who\"");
    has(ON_CHANGE(",\"db_name\":\"x\",\"url\":\"http://h/?q=1\",\"params\":{\"a\":\"b\"}"),
        "options.url", "\"http://h/?q=1&a=b\"");
    has(ON_CHANGE(GOOD ",\"method\":\"DELETE\",\"params\":{\"a\":\"b\"}"), "options.url",
        "\"http://h/?a=b\"");
    has(ON_CHANGE(GOOD ",\"params\":{\"a\":\"b\"}"), "options.body", "");
}

static void all_mistakes_of_a_document_are_said_at_once(void **state)
{
    (void)state;
    refuses(ON_CHANGE(",\"db_name\":\"(\",\"if\":5,\"params\":5,\"block\":5"), "/db_name",
            "/url: is missing", "/if", "/params", "/block", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_on_change_document_becomes_a_rule_of_http_webhook),
        cmocka_unit_test(block_and_debounce_are_kept),
        cmocka_unit_test(a_method_is_as_spiegel_takes_it),
        cmocka_unit_test(conditions_are_expressions_and_null_is_missing),
        cmocka_unit_test(databases_are_matched_as_by_spiegel),
        cmocka_unit_test(the_database_of_the_documents_is_never_seen),
        cmocka_unit_test(a_pattern_that_is_wrong_is_said_so),
        cmocka_unit_test(variables_of_a_url_stand_in_braces),
        cmocka_unit_test(a_parameter_that_is_one_variable_is_replaced),
        cmocka_unit_test(parameters_that_are_no_text_pass_as_they_are),
        cmocka_unit_test(without_a_body_parameters_are_a_query),
        cmocka_unit_test(all_mistakes_of_a_document_are_said_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
