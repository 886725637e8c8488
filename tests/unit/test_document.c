/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/document: each member of a document in the rule that it becomes, and each mistake with
 * the place where it stands.
 */
#include "document/document.h"

#include "base/mem.h"
#include "config/load.h"
#include "rule/match.h"

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

static const struct document_options plain_options = {
    .group = {"g", 1},
    .source = {"main", 4},
    .database = {"spiegel", 7},
    .since = {"now", 3},
};

struct outcome {
    struct arena arena;
    struct diags diags;
    struct config_node *rule;
    enum document_kind kind;
    struct buf json, reason;
};

static struct outcome translate_with(const struct document_options *options, const char *id,
                                     const char *doc)
{
    struct outcome out = {0};

    arena_init(&out.arena, 4096);
    diags_init(&out.diags);
    out.kind = document_rule(options, str_c(id), str_c(doc), &out.arena, &out.diags, &out.rule);
    document_reason(&out.diags, &out.reason);
    if (out.kind == DOCUMENT_RULE)
        config_json(out.rule, &out.json);
    buf_add_c(&out.json, "");
    buf_add_c(&out.reason, "");
    return out;
}

static void end(struct outcome *out)
{
    arena_fini(&out->arena);
    diags_fini(&out->diags);
    buf_fini(&out->json);
    buf_fini(&out->reason);
}

static void gives_with(const struct document_options *options, const char *doc,
                       const char *wanted)
{
    struct outcome out = translate_with(options, "d", doc);

    if (out.kind != DOCUMENT_RULE)
        print_message("%s\n", out.reason.ptr);
    assert_int_equal(out.kind, DOCUMENT_RULE);
    assert_string_equal(out.json.ptr, wanted);
    end(&out);
}

static void gives(const char *doc, const char *wanted)
{
    gives_with(&plain_options, doc, wanted);
}

/* The value at a path of the rule, as JSON. */
static void has(const char *doc, const char *path, const char *wanted)
{
    struct outcome out = translate_with(&plain_options, "d", doc);
    const struct config_node *node;
    struct buf json = {0};

    if (out.kind != DOCUMENT_RULE)
        print_message("%s\n", out.reason.ptr);
    assert_int_equal(out.kind, DOCUMENT_RULE);
    node = config_at(out.rule, path);
    if (node)
        config_json(node, &json);
    buf_add_c(&json, "");
    assert_string_equal(json.ptr, wanted);
    buf_fini(&json);
    end(&out);
}

static void is_none(const char *id, const char *doc)
{
    struct outcome out = translate_with(&plain_options, id, doc);

    assert_int_equal(out.kind, DOCUMENT_NONE);
    assert_int_equal(out.diags.count, 0);
    end(&out);
}

/* Each of `parts` (up to a NULL) is in the reason. */
static void refuses(const char *doc, const char *part, ...)
{
    struct outcome out = translate_with(&plain_options, "d", doc);
    va_list args;

    assert_int_equal(out.kind, DOCUMENT_INVALID);
    assert_null(out.rule);
    va_start(args, part);
    for (; part; part = va_arg(args, const char *)) {
        if (!strstr(out.reason.ptr, part))
            print_message("no \"%s\" in: %s\n", part, out.reason.ptr);
        assert_non_null(strstr(out.reason.ptr, part));
    }
    va_end(args);
    for (const struct diag *diag = out.diags.first; diag; diag = diag->next)
        assert_string_equal(diag->file, "d");
    end(&out);
}

#define ON_CHANGE(more_)  "{\"_id\":\"d\",\"_rev\":\"1-a\",\"type\":\"on_change\"" more_ "}"
#define GOOD              ",\"db_name\":\"^x$\",\"url\":\"http://h/\""
#define REPLICATOR(more_) "{\"_id\":\"d\",\"_rev\":\"1-a\",\"type\":\"replicator\"" more_ "}"
#define COPY              ",\"source\":\"https://u@h/x\",\"target\":\"https://u@h/y\""

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

/* ---- on_change ---- */

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

/* ---- replicator ---- */

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
        cmocka_unit_test(a_replicator_document_becomes_a_rule_of_replicator),
        cmocka_unit_test(what_only_a_server_knows_is_for_the_server),
        cmocka_unit_test(fields_that_a_rule_has_too_are_the_rule_s),
        cmocka_unit_test(a_replicator_is_about_the_database_of_its_source),
        cmocka_unit_test(what_is_for_the_server_goes_there_as_it_stands),
        cmocka_unit_test(a_replicator_rule_does_not_change_when_spiegel_keeps_its_books),
        cmocka_unit_test(a_delay_is_a_number_of_milliseconds),
        cmocka_unit_test(a_rule_document_has_the_members_of_a_rule),
        cmocka_unit_test(what_no_configuration_holds_is_refused_where_it_stands),
        cmocka_unit_test(a_document_is_not_nested_without_end),
        cmocka_unit_test(a_document_that_is_too_long_is_refused),
        cmocka_unit_test(defaults_fill_in_what_a_document_does_not_say),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
