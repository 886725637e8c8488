/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regular expressions: what they match, and that a value which drives one into endless
 * backtracking or out of its stack is an error or the right answer, never a silent "no match".
 */
#include "rule/regex.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#endif

static struct regex *compile(const char *pattern)
{
    struct regex *regex = NULL;
    struct error error;

    assert_int_equal(regex_new(str_c(pattern), &regex, &error), 0);
    return regex;
}

static enum verdict match(const char *pattern, tr_str text)
{
    struct regex *regex = compile(pattern);
    enum verdict verdict = regex_match(regex, text, NULL);

    regex_free(regex);
    return verdict;
}

static void fill(struct buf *buf, char c, size_t len)
{
    memset(buf_reserve(buf, len), c, len);
    buf->len += len;
}

static void a_pattern_is_not_anchored(void **state)
{
    (void)state;
    assert_int_equal(match("post", STR("a blog_post here")), VERDICT_MATCH);
    assert_int_equal(match("^post$", STR("blog_post")), VERDICT_NO_MATCH);
}

static void a_dollar_is_the_very_end(void **state)
{
    (void)state;
    assert_int_equal(match("^post$", STR("post")), VERDICT_MATCH);
    assert_int_equal(match("^post$", STR("post\n")), VERDICT_NO_MATCH);
}

static void an_empty_value_can_match(void **state)
{
    (void)state;
    assert_int_equal(match("^$", (tr_str){0}), VERDICT_MATCH);
    assert_int_equal(match("", STR("x")), VERDICT_MATCH);
    assert_int_equal(match(".", (tr_str){0}), VERDICT_NO_MATCH);
}

static void a_character_is_one_however_many_bytes_it_has(void **state)
{
    (void)state;
    assert_int_equal(match("^.$", STR("\xc3\xa4")), VERDICT_MATCH);
    assert_int_equal(match("^\xc3\xa4+$", STR("\xc3\xa4\xc3\xa4")), VERDICT_MATCH);
}

static void a_value_that_is_not_utf8_is_matched_in_its_parts_that_are(void **state)
{
    (void)state;
    assert_int_equal(match("post", STR("\xff\xfe post \xc3")), VERDICT_MATCH);
    assert_int_equal(match("page", STR("\xff\xfe post \xc3")), VERDICT_NO_MATCH);
    assert_int_equal(match("p.st", STR("p\xffst")), VERDICT_NO_MATCH);
}

static void a_nul_byte_is_a_byte_like_others(void **state)
{
    (void)state;
    assert_int_equal(match("b$", str_n("a\0b", 3)), VERDICT_MATCH);
}

static void a_wrong_pattern_says_where_and_what_to_do(void **state)
{
    struct regex *regex = NULL;
    struct error error;

    (void)state;
    assert_int_equal(regex_new(STR("a(b"), &regex, &error), ERR_CONFIG);
    assert_null(regex);
    assert_non_null(strstr(error.text, "\"a(b\" is wrong at byte 3 (its end)"));
    assert_non_null(strstr(error.text, "correct it"));
    assert_int_equal(regex_new(STR("a**?b)"), &regex, &error), ERR_CONFIG);
    assert_non_null(strstr(error.text, "before \""));
}

static void a_pattern_that_is_not_utf8_or_too_long_is_refused(void **state)
{
    struct regex *regex = NULL;
    struct error error;
    struct buf buf = {0};

    (void)state;
    assert_int_equal(regex_new(STR("a\xff"), &regex, &error), ERR_CONFIG);
    fill(&buf, 'a', REGEX_PATTERN_MAX + 1);
    assert_int_equal(regex_new(buf_str(&buf), &regex, &error), ERR_CONFIG);
    assert_non_null(strstr(error.text, "shorten"));
    buf_fini(&buf);
}

static void the_text_of_a_regex_is_what_was_given(void **state)
{
    struct regex *regex = compile("^a\\.b$");

    (void)state;
    assert_true(str_eq(regex_text(regex), STR("^a\\.b$")));
    regex_free(regex);
    regex_free(NULL);
}

/* Patterns that backtrack for ever on values of `fill` and an end that spoils the match. */
static const struct {
    const char *pattern;
    char fill;
    const char *end;
} catastrophes[] = {
    {"^(a+)+$", 'a', "!"},         {"(a+)+$", 'a', "!"},
    {"^(a|a)*$", 'a', "!"},        {"^(a|aa)+$", 'a', "!"},
    {"^([a-zA-Z]+)*$", 'a', "!"},  {"(.*a){20}$", 'a', "!"},
    {"^(.*?,){11}P", ',', "Q"},    {"^(\\w+\\s?)*$", 'w', "!"},
    {"(x+x+)+y", 'x', "z"},        {".*.*.*.*=x", '=', "y"},
    {"^(?:(?:a*)*)*b$", 'a', "!"}, {"^(([a-z])+.)+[A-Z]([a-z])+$", 'a', "!"},
};

static void test_catastrophes(size_t len)
{
    for (size_t i = 0; i < sizeof(catastrophes) / sizeof(catastrophes[0]); i++) {
        struct regex *regex = compile(catastrophes[i].pattern);
        struct buf value = {0};
        struct error error = {0};
        enum verdict verdict;

        fill(&value, catastrophes[i].fill, len);
        buf_add_c(&value, catastrophes[i].end);
        /* None of them matches, so giving up and "no match" are the two right answers. */
        verdict = regex_match(regex, buf_str(&value), &error);
        assert_int_not_equal(verdict, VERDICT_MATCH);
        if (verdict == VERDICT_ERROR) {
            assert_int_equal(error.code, ERR_DATA);
            assert_non_null(strstr(error.text, "gave up"));
            assert_non_null(strstr(error.text, catastrophes[i].pattern));
        }
        buf_fini(&value);
        regex_free(regex);
    }
}

static void a_catastrophic_pattern_ends_on_5_kb(void **state)
{
    (void)state;
    test_catastrophes(5 * 1024);
}

static void a_catastrophic_pattern_ends_on_50_kb(void **state)
{
    (void)state;
    test_catastrophes(50 * 1024);
}

static void giving_up_is_an_error_and_not_no_match(void **state)
{
    struct buf value = {0};

    (void)state;
    fill(&value, 'a', 5 * 1024);
    buf_add_c(&value, "!");
    assert_int_equal(match("^(a+)+$", buf_str(&value)), VERDICT_ERROR);
    buf_fini(&value);
}

static void a_pattern_may_lower_the_limit_but_not_raise_it(void **state)
{
    struct buf value = {0};

    (void)state;
    fill(&value, 'a', 5 * 1024);
    buf_add_c(&value, "!");
    assert_int_equal(match("(*LIMIT_MATCH=4000000000)^(a+)+$", buf_str(&value)), VERDICT_ERROR);
    buf_fini(&value);
}

/* What PCRE2 says with a JIT stack of our size and without the fall-back. */
static int plain_jit(const char *pattern, tr_str text)
{
    pcre2_code *code;
    pcre2_match_context *context = pcre2_match_context_create(NULL);
    pcre2_jit_stack *stack = pcre2_jit_stack_create(32 * 1024, REGEX_JIT_STACK, NULL);
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    PCRE2_SIZE offset;
    int result;

    code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF, &result,
                         &offset, NULL);
    assert_non_null(code);
    assert_int_equal(pcre2_jit_compile(code, PCRE2_JIT_COMPLETE), 0);
    pcre2_jit_stack_assign(context, NULL, stack);
    result = pcre2_match(code, (PCRE2_SPTR)text.ptr, text.len, 0, 0, data, context);
    pcre2_code_free(code);
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
    pcre2_jit_stack_free(stack);
    return result;
}

static void what_overflows_the_jit_stack_is_answered_by_the_interpreter(void **state)
{
    static const char pattern[] = "^(?:(a)|(b))*$";
    struct regex *regex = compile(pattern);
    struct buf value = {0};

    (void)state;
    if (!regex_is_jit(regex)) {
        regex_free(regex);
        skip();
    }
    fill(&value, 'a', 100 * 1024);
    assert_int_equal(plain_jit(pattern, buf_str(&value)), PCRE2_ERROR_JIT_STACKLIMIT);
    assert_int_equal(regex_match(regex, buf_str(&value), NULL), VERDICT_MATCH);
    buf_add_c(&value, "c");
    assert_int_equal(regex_match(regex, buf_str(&value), NULL), VERDICT_NO_MATCH);
    buf_fini(&value);
    regex_free(regex);
}

static void values_of_5_kb_do_not_overflow_the_stack(void **state)
{
    struct buf value = {0};

    (void)state;
    fill(&value, 'a', 5 * 1024);
    assert_true(plain_jit("^(?:(a)|(b))*$", buf_str(&value)) >= 0);
    assert_int_equal(match("^(?:(a)|(b))*$", buf_str(&value)), VERDICT_MATCH);
    buf_fini(&value);
}

/* In a child: the ban cannot be taken back. */
static void without_executable_memory_the_interpreter_does_the_work(void **state)
{
    int status;
    pid_t child;

    (void)state;
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct regex *regex = NULL;
        int failed = 0;
        if (prctl(PR_SET_MDWE, 1UL, 0UL, 0UL, 0UL) != 0)
            _exit(77);
        failed |= regex_new(STR("^(a|b)+$"), &regex, NULL) != 0;
        failed |= regex_is_jit(regex);
        failed |= regex_match(regex, STR("abba"), NULL) != VERDICT_MATCH;
        failed |= regex_match(regex, STR("abbac"), NULL) != VERDICT_NO_MATCH;
        _exit(failed);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void *match_many(void *pointer)
{
    const struct regex *regex = pointer;
    uintptr_t wrong = 0;

    for (int i = 0; i < 1000; i++) {
        wrong += regex_match(regex, STR("aabbab"), NULL) != VERDICT_MATCH;
        wrong += regex_match(regex, STR("aabbac"), NULL) != VERDICT_NO_MATCH;
    }
    return (void *)wrong;
}

static void one_regex_serves_many_threads(void **state)
{
    struct regex *regex = compile("^(a|b)+$");
    pthread_t threads[4];

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, match_many, regex), 0);
    for (int i = 0; i < 4; i++) {
        void *wrong = NULL;
        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
    regex_free(regex);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* First: PCRE2 goes on using executable memory that it got before the ban. */
        cmocka_unit_test(without_executable_memory_the_interpreter_does_the_work),
        cmocka_unit_test(a_pattern_is_not_anchored),
        cmocka_unit_test(a_dollar_is_the_very_end),
        cmocka_unit_test(an_empty_value_can_match),
        cmocka_unit_test(a_character_is_one_however_many_bytes_it_has),
        cmocka_unit_test(a_value_that_is_not_utf8_is_matched_in_its_parts_that_are),
        cmocka_unit_test(a_nul_byte_is_a_byte_like_others),
        cmocka_unit_test(a_wrong_pattern_says_where_and_what_to_do),
        cmocka_unit_test(a_pattern_that_is_not_utf8_or_too_long_is_refused),
        cmocka_unit_test(the_text_of_a_regex_is_what_was_given),
        cmocka_unit_test(a_catastrophic_pattern_ends_on_5_kb),
        cmocka_unit_test(a_catastrophic_pattern_ends_on_50_kb),
        cmocka_unit_test(giving_up_is_an_error_and_not_no_match),
        cmocka_unit_test(a_pattern_may_lower_the_limit_but_not_raise_it),
        cmocka_unit_test(what_overflows_the_jit_stack_is_answered_by_the_interpreter),
        cmocka_unit_test(values_of_5_kb_do_not_overflow_the_stack),
        cmocka_unit_test(one_regex_serves_many_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
