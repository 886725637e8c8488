/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The matcher: which databases, which rows, which documents; and what it says about it.
 */
#include "rule/match.h"

#include "config/diag.h"
#include "config/load.h"
#include "json/row.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

/* A rule as it stands in a file, and what came of it. */
struct rule {
    struct config *config;
    struct diags diags;
    struct matcher *matcher; /* NULL: refused */
    struct arena arena;
};

static void open_rule(struct rule *rule, const char *text)
{
    *rule = (struct rule){0};
    diags_init(&rule->diags);
    arena_init(&rule->arena, 4096);
    assert_int_equal(config_load_text("rule.conf", str_c(text), &rule->diags, &rule->config),
                     0);
    matcher_new(rule->config->root, &rule->diags, &rule->matcher);
    assert_int_equal(rule->matcher == NULL, rule->diags.errors > 0);
}

static void close_rule(struct rule *rule)
{
    matcher_free(rule->matcher);
    config_free(rule->config);
    diags_fini(&rule->diags);
    arena_fini(&rule->arena);
}

static tr_change row(struct rule *rule, const char *text)
{
    struct json_closing closing;
    tr_change change;
    size_t used;

    assert_int_equal(json_row_scan(str_c(text), &rule->arena, &change, &closing, &used),
                     JSON_ROW);
    return change;
}

static enum verdict test_row(const char *rule_text, const char *row_text)
{
    struct rule rule;
    enum verdict verdict;
    tr_change change;

    open_rule(&rule, rule_text);
    assert_non_null(rule.matcher);
    change = row(&rule, row_text);
    verdict = matcher_test(rule.matcher, &change, NULL);
    close_rule(&rule);
    return verdict;
}

#define DB "databases = \"^db$\"; "

/* A rule of conditions against a document. */
static enum verdict test_doc(const char *conditions, const char *doc)
{
    char rule[1024], text[4096];

    snprintf(rule, sizeof(rule), DB "%s", conditions);
    snprintf(text, sizeof(text),
             "{\"seq\":\"1-g\",\"id\":\"a\",\"changes\":[{\"rev\":\"1-a\"}],\"doc\":%s}", doc);
    return test_row(rule, text);
}

#define yes(conditions, doc)   assert_int_equal(test_doc(conditions, doc), VERDICT_MATCH)
#define no(conditions, doc)    assert_int_equal(test_doc(conditions, doc), VERDICT_NO_MATCH)
#define error(conditions, doc) assert_int_equal(test_doc(conditions, doc), VERDICT_ERROR)

static void databases_are_a_regular_expression(void **state)
{
    const tr_str *names;
    struct rule rule;
    size_t count;

    (void)state;
    open_rule(&rule, "databases = \"user-[0-9]+\";");
    assert_int_equal(pattern_match(rule.matcher->databases, STR("a/user-17x"), NULL),
                     VERDICT_MATCH);
    assert_int_equal(pattern_match(rule.matcher->databases, STR("user-x"), NULL),
                     VERDICT_NO_MATCH);
    assert_false(pattern_is_fixed(rule.matcher->databases, &names, &count));
    close_rule(&rule);
}

static void databases_are_a_list_of_exact_names(void **state)
{
    const tr_str *names;
    struct rule rule;
    size_t count;

    (void)state;
    open_rule(&rule, "databases = [ \"orders\", \"a.c\", \"orders\" ];");
    assert_int_equal(pattern_match(rule.matcher->databases, STR("orders"), NULL),
                     VERDICT_MATCH);
    assert_int_equal(pattern_match(rule.matcher->databases, STR("abc"), NULL),
                     VERDICT_NO_MATCH);
    assert_int_equal(pattern_match(rule.matcher->databases, STR("orders2"), NULL),
                     VERDICT_NO_MATCH);
    assert_true(pattern_is_fixed(rule.matcher->databases, &names, &count));
    assert_int_equal(count, 2);
    assert_true(str_eq(names[1], STR("a.c")));
    close_rule(&rule);
}

static void an_anchored_name_is_known_without_asking_the_server(void **state)
{
    const tr_str *names;
    struct rule rule;
    size_t count;

    (void)state;
    open_rule(&rule, "databases = \"^all_blog_posts$\";");
    assert_true(pattern_is_fixed(rule.matcher->databases, &names, &count));
    assert_int_equal(count, 1);
    assert_true(str_eq(names[0], STR("all_blog_posts")));
    assert_int_equal(pattern_match(rule.matcher->databases, STR("all_blog_posts"), NULL),
                     VERDICT_MATCH);
    assert_int_equal(pattern_match(rule.matcher->databases, STR("all_blog_posts2"), NULL),
                     VERDICT_NO_MATCH);
    close_rule(&rule);
    open_rule(&rule, "databases = \"^a.b$\";");
    assert_false(pattern_is_fixed(rule.matcher->databases, &names, &count));
    close_rule(&rule);
}

static void what_names_begin_with_is_read_off_an_expression(void **state)
{
    static const struct {
        const char *expression, *prefix;
    } cases[] = {
        {"^user-", "user-"},
        {"^user-[0-9]+$", "user-"},
        {"^a/b_c$", "a/b_c"},
        {"^abc*", "ab"},
        {"^abc?d", "ab"},
        {"^abc{0,2}", "ab"},
        {"^abc+", "abc"},
        {"^abc.*", "abc"},
        {"^(?i)abc", ""},
        {"^(abc)", ""},
        {"^a\\.b", "a"},
        {"^abc|x", ""},
        {"^ab(c|d)", ""},
        {"abc", ""},
        {"", ""},
        {"^", ""},
        {"^*", ""},
        {"(*UTF)^abc", ""},
        {"^Abc", ""},
        {"^a", "a"},
        {"^a?", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        tr_str prefix = pattern_prefix_of(str_c(cases[i].expression));
        if (!str_eq(prefix, str_c(cases[i].prefix)))
            fail_msg("%s: " STR_FMT, cases[i].expression, STR_ARG(prefix));
    }
}

static void rows_of_deleted_documents_pass_unless_told_otherwise(void **state)
{
    static const char deleted[] = "{\"id\":\"a\",\"changes\":[],\"deleted\":true}";
    static const char alive[] = "{\"id\":\"a\",\"changes\":[]}";

    (void)state;
    assert_int_equal(test_row(DB, deleted), VERDICT_MATCH);
    assert_int_equal(test_row(DB, alive), VERDICT_MATCH);
    assert_int_equal(test_row(DB "deleted = \"exclude\";", deleted), VERDICT_NO_MATCH);
    assert_int_equal(test_row(DB "deleted = \"exclude\";", alive), VERDICT_MATCH);
    assert_int_equal(test_row(DB "deleted = \"only\";", deleted), VERDICT_MATCH);
    assert_int_equal(test_row(DB "deleted = \"only\";", alive), VERDICT_NO_MATCH);
}

static void design_documents_do_not_pass_unless_told_otherwise(void **state)
{
    static const char design[] = "{\"id\":\"_design/a\",\"changes\":[]}";
    static const char other[] = "{\"id\":\"a\",\"changes\":[]}";

    (void)state;
    assert_int_equal(test_row(DB, design), VERDICT_NO_MATCH);
    assert_int_equal(test_row(DB, other), VERDICT_MATCH);
    assert_int_equal(test_row(DB "design_documents = \"include\";", design), VERDICT_MATCH);
    assert_int_equal(test_row(DB "design_documents = \"include\";", other), VERDICT_MATCH);
    assert_int_equal(test_row(DB "design_documents = \"only\";", design), VERDICT_MATCH);
    assert_int_equal(test_row(DB "design_documents = \"only\";", other), VERDICT_NO_MATCH);
}

static void the_short_form_matches_fields_as_text(void **state)
{
    (void)state;
    yes("if: { type = \"^post$\"; };", "{\"type\":\"post\"}");
    no("if: { type = \"^post$\"; };", "{\"type\":\"page\"}");
    yes("if: { type = \"^a\\\"b$\"; };", "{\"type\":\"a\\\"b\"}");
    yes("if: { type = \"^\xc3\xa4$\"; };", "{\"type\":\"\\u00e4\"}");
    yes("if: { age = \"^18$\"; };", "{\"age\":18}");
    yes("if: { ok = \"^true$\"; };", "{\"ok\":true}");
    yes("if: { tags = \"\\\"red\\\"\"; };", "{\"tags\":[\"red\"]}");
    yes("if: { o = \"^\\\\{\"; };", "{\"o\":{\"a\":1}}");
}

static void what_is_missing_or_null_matches_no_regular_expression(void **state)
{
    (void)state;
    no("if: { type = \".*\"; };", "{}");
    no("if: { type = \".*\"; };", "{\"type\":null}");
    no("if: { type = \"undefined\"; };", "{}");
    no("if: { type = \"null\"; };", "{\"type\":null}");
    no("where = ( { path = \"a.b\"; matches = \"\"; } );", "{\"a\":1}");
    yes("if: { type = \"\"; };", "{\"type\":\"\"}");
}

static void groups_walk_into_nested_objects(void **state)
{
    static const char rule[] = "if: { author: { name = \"^x\"; }; type = \"p\"; };";

    (void)state;
    yes(rule, "{\"author\":{\"name\":\"xy\"},\"type\":\"p\"}");
    no(rule, "{\"author\":{\"name\":\"y\"},\"type\":\"p\"}");
    no(rule, "{\"author\":{\"name\":\"xy\"}}");
    no(rule, "{\"author\":\"xy\",\"type\":\"p\"}");
    no(rule, "{\"author.name\":\"xy\",\"type\":\"p\"}");
}

static void equals_compares_strings_numbers_and_booleans(void **state)
{
    (void)state;
    yes("where = ( { path = \"a\"; equals = \"bob\"; } );", "{\"a\":\"bob\"}");
    yes("where = ( { path = \"a\"; equals = \"bob\"; } );", "{\"a\":\"b\\u006fb\"}");
    no("where = ( { path = \"a\"; equals = \"bo\"; } );", "{\"a\":\"bob\"}");
    no("where = ( { path = \"a\"; equals = \"1\"; } );", "{\"a\":1}");
    yes("where = ( { path = \"a\"; equals = 1; } );", "{\"a\":1}");
    yes("where = ( { path = \"a\"; equals = 1; } );", "{\"a\":1.0}");
    yes("where = ( { path = \"a\"; equals = 1000; } );", "{\"a\":1e3}");
    yes("where = ( { path = \"a\"; equals = 0.5; } );", "{\"a\":5E-1}");
    yes("where = ( { path = \"a\"; equals = -3; } );", "{\"a\":-3}");
    yes("where = ( { path = \"a\"; equals = true; } );", "{\"a\":true}");
    no("where = ( { path = \"a\"; equals = true; } );", "{\"a\":false}");
    no("where = ( { path = \"a\"; equals = true; } );", "{\"a\":1}");
    no("where = ( { path = \"a\"; equals = 0; } );", "{}");
    no("where = ( { path = \"a\"; equals = \"\"; } );", "{\"a\":null}");
}

static void big_integers_are_not_rounded(void **state)
{
    (void)state;
    yes("where = ( { path = \"a\"; equals = 9007199254740993L; } );",
        "{\"a\":9007199254740993}");
    no("where = ( { path = \"a\"; equals = 9007199254740993L; } );",
       "{\"a\":9007199254740992}");
    no("where = ( { path = \"a\"; equals = 9223372036854775807L; } );",
       "{\"a\":9223372036854775808}");
    yes("where = ( { path = \"a\"; lt = 9223372036854775807L; } );",
        "{\"a\":-99999999999999999999}");
    yes("where = ( { path = \"a\"; gt = 9223372036854775807L; } );",
        "{\"a\":99999999999999999999}");
}

static void not_equals_is_the_opposite_of_equals(void **state)
{
    static const char rule[] = "where = ( { path = \"a\"; not_equals = \"bob\"; } );";

    (void)state;
    no(rule, "{\"a\":\"bob\"}");
    yes(rule, "{\"a\":\"eve\"}");
    yes(rule, "{\"a\":1}");
    yes(rule, "{\"a\":null}");
    yes(rule, "{}");
}

static void order_is_of_numbers_or_of_strings(void **state)
{
    (void)state;
    yes("where = ( { path = \"a\"; gt = 18; } );", "{\"a\":18.5}");
    no("where = ( { path = \"a\"; gt = 18; } );", "{\"a\":18}");
    yes("where = ( { path = \"a\"; ge = 18; } );", "{\"a\":18}");
    yes("where = ( { path = \"a\"; lt = 18; } );", "{\"a\":-1}");
    no("where = ( { path = \"a\"; lt = 18; } );", "{\"a\":18}");
    yes("where = ( { path = \"a\"; le = 1.5; } );", "{\"a\":1.5}");
    yes("where = ( { path = \"a\"; ge = \"2024-01\"; } );", "{\"a\":\"2024-02-03\"}");
    no("where = ( { path = \"a\"; lt = \"b\"; } );", "{\"a\":\"\xc3\xa4\"}");
    no("where = ( { path = \"a\"; gt = 18; } );", "{\"a\":\"19\"}");
    no("where = ( { path = \"a\"; lt = 18; } );", "{\"a\":null}");
    no("where = ( { path = \"a\"; lt = 18; } );", "{\"a\":false}");
    no("where = ( { path = \"a\"; lt = 18; } );", "{}");
}

static void a_type_is_one_of_six(void **state)
{
    static const char *const docs[][2] = {
        {"string", "{\"a\":\"\"}"},  {"number", "{\"a\":-1}"}, {"boolean", "{\"a\":false}"},
        {"boolean", "{\"a\":true}"}, {"object", "{\"a\":{}}"}, {"array", "{\"a\":[]}"},
        {"null", "{\"a\":null}"},
    };
    char rule[128];

    (void)state;
    for (int i = 0; i < 7; i++)
        for (int j = 0; j < 7; j++) {
            snprintf(rule, sizeof(rule), "where = ( { path = \"a\"; type = \"%s\"; } );",
                     docs[i][0]);
            assert_int_equal(test_doc(rule, docs[j][1]), strcmp(docs[i][0], docs[j][0]) == 0
                                                             ? VERDICT_MATCH
                                                             : VERDICT_NO_MATCH);
            no(rule, "{}");
        }
}

static void present_absent_null_and_missing_are_told_apart(void **state)
{
    (void)state;
    yes("where = ( { path = \"a\"; is = \"present\"; } );", "{\"a\":1}");
    yes("where = ( { path = \"a\"; is = \"present\"; } );", "{\"a\":null}");
    no("where = ( { path = \"a\"; is = \"present\"; } );", "{}");
    no("where = ( { path = \"a\"; is = \"absent\"; } );", "{\"a\":null}");
    yes("where = ( { path = \"a\"; is = \"absent\"; } );", "{}");
    yes("where = ( { path = \"a\"; is = \"null\"; } );", "{\"a\":null}");
    no("where = ( { path = \"a\"; is = \"null\"; } );", "{}");
    no("where = ( { path = \"a\"; is = \"null\"; } );", "{\"a\":\"null\"}");
    yes("where = ( { path = \"a\"; is = \"missing\"; } );", "{\"a\":null}");
    yes("where = ( { path = \"a\"; is = \"missing\"; } );", "{}");
    no("where = ( { path = \"a\"; is = \"missing\"; } );", "{\"a\":0}");
}

static void all_conditions_must_hold(void **state)
{
    static const char rule[] = "if: { t = \"x\"; }; "
                               "where = ( { path = \"n\"; ge = 18; lt = 65; }, "
                               "{ path = \"d.0.e\"; is = \"present\"; } );";

    (void)state;
    yes(rule, "{\"t\":\"x\",\"n\":18,\"d\":[{\"e\":null}]}");
    no(rule, "{\"t\":\"y\",\"n\":18,\"d\":[{\"e\":null}]}");
    no(rule, "{\"t\":\"x\",\"n\":65,\"d\":[{\"e\":null}]}");
    no(rule, "{\"t\":\"x\",\"n\":18,\"d\":[]}");
}

static void without_a_document_every_path_is_absent(void **state)
{
    static const char bare[] = "{\"id\":\"a\",\"changes\":[{\"rev\":\"1-a\"}]}";

    (void)state;
    assert_int_equal(test_row(DB "if: { type = \".*\"; };", bare), VERDICT_NO_MATCH);
    assert_int_equal(test_row(DB "where = ( { path = \"_id\"; is = \"absent\"; } );", bare),
                     VERDICT_MATCH);
    no("if: { type = \".*\"; };", "null");
    yes("where = ( { path = \"t\"; is = \"missing\"; } );", "null");
}

static void a_deleted_row_is_judged_by_its_small_document(void **state)
{
    static const char row_text[] =
        "{\"id\":\"c\",\"changes\":[{\"rev\":\"2-d\"}],\"deleted\":true,"
        "\"doc\":{\"_id\":\"c\",\"_rev\":\"2-d\",\"_deleted\":true}}";

    (void)state;
    assert_int_equal(test_row(DB "if: { type = \"^post$\"; };", row_text), VERDICT_NO_MATCH);
    assert_int_equal(
        test_row(DB "where = ( { path = \"_deleted\"; equals = true; } );", row_text),
        VERDICT_MATCH);
}

static void a_document_that_cannot_be_read_is_an_error_and_not_no_match(void **state)
{
    (void)state;
    error("if: { type = \"^post$\"; };", "{\"a\":1 junk,\"type\":\"post\"}");
    error("where = ( { path = \"a.b\"; is = \"absent\"; } );", "{\"a\":{\"x\" 1}}");
    error("where = ( { path = \"a\"; equals = 1; } );", "{\"a\":1x}");
    error("where = ( { path = \"a\"; matches = \"x\"; } );", "{\"a\":\"\\x\"}");
}

static void a_condition_that_does_not_hold_settles_it_after_one_that_is_undecided(void **state)
{
    static const char rule[] = "where = ( { path = \"a\"; matches = \"^(x+)+$\"; }, "
                               "{ path = \"b\"; equals = 1; } );";
    char doc[4000], value[3001];

    (void)state;
    memset(value, 'x', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    snprintf(doc, sizeof(doc), "{\"a\":\"%s!\",\"b\":1}", value);
    error(rule, doc);
    snprintf(doc, sizeof(doc), "{\"a\":\"%s!\",\"b\":2}", value);
    no(rule, doc);
}

static void an_error_names_its_condition(void **state)
{
    struct error error = {0};
    struct rule rule;
    tr_change change;

    (void)state;
    open_rule(&rule, DB "if: { tag = \"x\"; };");
    change = row(&rule, "{\"id\":\"a\",\"changes\":[],\"doc\":{\"tag\":\"\\x\"}}");
    assert_int_equal(matcher_test(rule.matcher, &change, &error), VERDICT_ERROR);
    assert_int_equal(error.code, ERR_DATA);
    assert_non_null(strstr(error.text, "tag matches \"x\": "));
    close_rule(&rule);
}

static void documents_are_needed_only_for_conditions(void **state)
{
    struct rule rule;

    (void)state;
    open_rule(&rule, DB "deleted = \"only\";");
    assert_false(matcher_needs_doc(rule.matcher));
    close_rule(&rule);
    open_rule(&rule, DB "if: { type = \"x\"; };");
    assert_true(matcher_needs_doc(rule.matcher));
    close_rule(&rule);
}

/* Each wrong rule, and what must stand in the one diagnostic. */
static void every_mistake_is_refused_with_its_line(void **state)
{
    static const struct {
        const char *rule, *path, *message, *remedy;
    } wrong[] = {
        {"\nx = 1;", "", "names no databases", "add databases"},
        {"\ndatabases = \"a(\";", "databases", "wrong at byte 2", ""},
        {"\ndatabases = 3;", "databases", "neither", "\"^user-\""},
        {"\ndatabases = [];", "databases", "empty list", "name a database"},
        {"\ndatabases = ( 1 );", "databases", "nothing but names", "in quotes"},
        {DB "\ndeleted = \"no\";", "deleted", "no such choice", "\"exclude\""},
        {DB "\ndesign_documents = true;", "design_documents", "no such choice", "\"only\""},
        {DB "\nif = \"x\";", "if", "are a group", "write it as"},
        {DB "\nif: { a: { b = 3; }; };", "if.a.b", "regular expression", "where"},
        {DB "\nif: { a = \"[\"; };", "if.a", "wrong at byte", ""},
        {DB "\nif: { };", "if", "without conditions", "name a field"},
        {DB "\nwhere: { };", "where", "list of groups", "write it as"},
        {DB "\nwhere = ( 3 );", "where", "a group with a path", "write it as"},
        {DB "\nwhere = ( { equals = 3; } );", "where", "a group with a path", "write it as"},
        {DB "\nwhere = ( { path = \"a\"; } );", "where", "without an operator", "matches"},
        {DB "\nwhere = ( { path = \"a..b\"; is = \"null\"; } );", "path", "", ""},
        {DB "\nwhere = ( { path = \"a\"; equal = 3; } );", "equal", "unknown", "\"equals\""},
        {DB "\nwhere = ( { path = \"a\"; zzzzzzz = 3; } );", "zzz", "unknown", "not_equals"},
        {DB "\nwhere = ( { path = \"a\"; gt = true; } );", "gt", "not an operand", "a number"},
        {DB "\nwhere = ( { path = \"a\"; type = \"int\"; } );", "type", "not an", "\"number\""},
        {DB "\nwhere = ( { path = \"a\"; is = \"here\"; } );", "is", "not an", "\"missing\""},
        {DB "\nwhere = ( { path = \"a\"; matches = 3; } );", "matches", "not an", "quotes"},
        {DB "\nwhere = ( { path = \"a\"; equals = [ 1 ]; } );", "equals", "not an", "true"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct rule rule;
        const struct diag *diag;

        open_rule(&rule, wrong[i].rule);
        assert_null(rule.matcher);
        assert_int_equal(rule.diags.errors, 1);
        diag = rule.diags.first;
        if (i > 0)
            assert_int_equal(diag->line, 2);
        assert_non_null(strstr(diag->path, wrong[i].path));
        assert_non_null(strstr(diag->message, wrong[i].message));
        assert_non_null(strstr(diag->remedy, wrong[i].remedy));
        close_rule(&rule);
    }
}

static void all_mistakes_of_a_rule_are_found_at_once(void **state)
{
    struct rule rule;

    (void)state;
    open_rule(&rule, "databases = \"(\"; deleted = \"x\"; design_documents = \"y\";"
                     "if: { a = 1; b = \"(\"; }; where = ( 1, { path = \"a\"; is = 2; } );");
    assert_null(rule.matcher);
    assert_int_equal(rule.diags.errors, 7);
    close_rule(&rule);
}

static void add_line(void *user, const struct match_reason *reason)
{
    match_reason_write(reason, user);
    buf_add_char(user, '\n');
}

static void an_explanation_gives_every_reason(void **state)
{
    struct buf text = {0};
    struct rule rule;
    tr_change change;

    (void)state;
    open_rule(&rule, DB "if: { type = \"^post$\"; }; where = ( { path = \"age\"; ge = 18; }, "
                        "{ path = \"x\"; is = \"missing\"; } );");
    change = row(&rule, "{\"id\":\"a\",\"changes\":[],\"doc\":{\"type\":\"page\",\"age\":20}}");
    assert_int_equal(rule_explain(rule.matcher, STR("db"), &change, add_line, &text),
                     VERDICT_NO_MATCH);
    assert_string_equal(text.ptr, "yes   databases ^db$: found db\n"
                                  "yes   deleted: found no (both are wanted)\n"
                                  "yes   design document: found no (it is not wanted)\n"
                                  "no    type matches \"^post$\": found \"page\"\n"
                                  "yes   age ge 18: found 20\n"
                                  "yes   x is \"missing\": found nothing\n");
    buf_fini(&text);
    close_rule(&rule);
}

static void an_explanation_agrees_with_the_test(void **state)
{
    static const char *const rows[] = {
        "{\"id\":\"a\",\"changes\":[],\"doc\":{\"type\":\"post\"}}",
        "{\"id\":\"a\",\"changes\":[],\"doc\":{\"type\":\"\\x\"}}",
        "{\"id\":\"a\",\"changes\":[],\"deleted\":true}",
        "{\"id\":\"_design/a\",\"changes\":[],\"doc\":{\"type\":\"post\"}}",
        "{\"id\":\"_design/a\",\"changes\":[],\"doc\":{\"type\":\"\\x\"}}",
    };
    struct rule rule;

    (void)state;
    open_rule(&rule, DB "if: { type = \"post\"; };");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf text = {0};
        tr_change change = row(&rule, rows[i]);
        assert_int_equal(rule_explain(rule.matcher, STR("db"), &change, add_line, &text),
                         matcher_test(rule.matcher, &change, NULL));
        buf_clear(&text);
        assert_int_equal(rule_explain(rule.matcher, STR("other"), &change, add_line, &text),
                         VERDICT_NO_MATCH);
        buf_fini(&text);
    }
    close_rule(&rule);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(databases_are_a_regular_expression),
        cmocka_unit_test(databases_are_a_list_of_exact_names),
        cmocka_unit_test(an_anchored_name_is_known_without_asking_the_server),
        cmocka_unit_test(what_names_begin_with_is_read_off_an_expression),
        cmocka_unit_test(rows_of_deleted_documents_pass_unless_told_otherwise),
        cmocka_unit_test(design_documents_do_not_pass_unless_told_otherwise),
        cmocka_unit_test(the_short_form_matches_fields_as_text),
        cmocka_unit_test(what_is_missing_or_null_matches_no_regular_expression),
        cmocka_unit_test(groups_walk_into_nested_objects),
        cmocka_unit_test(equals_compares_strings_numbers_and_booleans),
        cmocka_unit_test(big_integers_are_not_rounded),
        cmocka_unit_test(not_equals_is_the_opposite_of_equals),
        cmocka_unit_test(order_is_of_numbers_or_of_strings),
        cmocka_unit_test(a_type_is_one_of_six),
        cmocka_unit_test(present_absent_null_and_missing_are_told_apart),
        cmocka_unit_test(all_conditions_must_hold),
        cmocka_unit_test(without_a_document_every_path_is_absent),
        cmocka_unit_test(a_deleted_row_is_judged_by_its_small_document),
        cmocka_unit_test(a_document_that_cannot_be_read_is_an_error_and_not_no_match),
        cmocka_unit_test(a_condition_that_does_not_hold_settles_it_after_one_that_is_undecided),
        cmocka_unit_test(an_error_names_its_condition),
        cmocka_unit_test(documents_are_needed_only_for_conditions),
        cmocka_unit_test(every_mistake_is_refused_with_its_line),
        cmocka_unit_test(all_mistakes_of_a_rule_are_found_at_once),
        cmocka_unit_test(an_explanation_gives_every_reason),
        cmocka_unit_test(an_explanation_agrees_with_the_test),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
