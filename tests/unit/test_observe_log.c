/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log lines: their forms, what is escaped, what is cut, and that threads do not tear them.
 */
#include "observe/log.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { CAPTURE_BYTES = 1 << 20 };

static char captured[CAPTURE_BYTES];
static FILE *file;
static int real_stderr;

static void begin_capture(void)
{
    file = tmpfile();
    assert_non_null(file);
    real_stderr = dup(STDERR_FILENO);
    dup2(fileno(file), STDERR_FILENO);
}

static const char *end_capture(void)
{
    ssize_t n;

    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    n = pread(fileno(file), captured, sizeof(captured) - 1, 0);
    captured[n > 0 ? n : 0] = '\0';
    fclose(file);
    return captured;
}

static int reset(void **state)
{
    (void)state;
    log_set_level(LOG_INFO);
    log_set_format(LOG_FORMAT_AUTO);
    unsetenv("JOURNAL_STREAM");
    return 0;
}

static void json_has_time_level_message_and_fields(void **state)
{
    const char *line;

    (void)state;
    begin_capture();
    log_set_format(LOG_FORMAT_JSON);
    log_info("feed opened", LOG_C("db", "blog"), LOG_I("rows", -3));
    line = end_capture();
    assert_memory_equal(line, "{\"ts\":\"20", 9);
    assert_string_equal(strchr(line, 'Z'), "Z\",\"level\":\"info\",\"msg\":\"feed opened\","
                                           "\"db\":\"blog\",\"rows\":-3}\n");
}

static void text_has_time_of_day_level_message_and_fields(void **state)
{
    const char *line;

    (void)state;
    begin_capture();
    log_set_format(LOG_FORMAT_TEXT);
    log_info("feed opened", LOG_C("db", "blog"), LOG_I("rows", 3));
    line = end_capture();
    assert_int_equal(line[2], ':');
    assert_int_equal(line[8], '.');
    assert_string_equal(line + 12, " INFO  feed opened db=blog rows=3\n");
}

static void journal_has_the_level_in_front(void **state)
{
    (void)state;
    begin_capture();
    log_set_format(LOG_FORMAT_JOURNAL);
    log_warn("slow", LOG_C("db", "blog"));
    assert_string_equal(end_capture(), "<4>slow db=blog\n");
}

static void text_quotes_what_needs_it(void **state)
{
    (void)state;
    begin_capture();
    log_set_format(LOG_FORMAT_JOURNAL);
    log_info("x", LOG_C("a", "b c"), LOG_C("d", ""), LOG_C("e", "say \"hi\" \\o/"),
             LOG_C("f", "k=v"), LOG_C("g", "ünï"));
    assert_string_equal(end_capture(),
                        "<6>x a=\"b c\" d=\"\" e=\"say \\\"hi\\\" \\\\o/\" f=\"k=v\" g=ünï\n");
}

static const char hostile[] = "a\n{\"level\":\"error\"}\r\t\033[31m\x7f\xc2\x9b\xe2\x80\xa8z";

static void no_value_can_end_a_line_or_reach_the_terminal(void **state)
{
    enum log_format forms[] = {LOG_FORMAT_TEXT, LOG_FORMAT_JSON, LOG_FORMAT_JOURNAL};

    (void)state;
    for (int i = 0; i < 3; i++) {
        const char *line;
        begin_capture();
        log_set_format(forms[i]);
        log_info(hostile, LOG_C("field", hostile), LOG_S("nul", str_n("a\0b", 3)));
        line = end_capture();
        assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
        for (const char *c = line; *c != '\n'; c++)
            assert_true((unsigned char)*c >= ' ' && *c != 0x7f);
        assert_null(strstr(line, "\xc2\x9b"));
        assert_null(strstr(line, "\xe2\x80\xa8"));
        assert_non_null(strstr(line, "\\u001b[31m"));
        assert_non_null(strstr(line, "a\\u0000b"));
    }
}

static void bytes_that_are_not_utf8_become_the_replacement(void **state)
{
    (void)state;
    begin_capture();
    log_set_format(LOG_FORMAT_JOURNAL);
    log_info("x", LOG_C("bad", "a\xff\xc0\x80\xed\xa0\x80z\xe2\x82"));
    assert_string_equal(end_capture(),
                        "<6>x bad=a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
                        "\xef\xbf\xbd\xef\xbf\xbdz\xef\xbf\xbd\xef\xbf\xbd\n");
}

static void a_long_value_is_cut_and_the_rest_stays(void **state)
{
    static char big[100000];
    const char *line;

    (void)state;
    memset(big, 'x', sizeof(big));
    begin_capture();
    log_set_format(LOG_FORMAT_JSON);
    log_info("long", LOG_S("big", str_n(big, sizeof(big))), LOG_C("db", "blog"));
    line = end_capture();
    assert_true(strlen(line) <= 8192);
    assert_non_null(strstr(line, "xxx…\",\"db\":\"blog\"}\n"));
}

static void a_line_is_never_over_its_bound_and_always_closed(void **state)
{
    static char big[5000];

    (void)state;
    for (size_t i = 0; i < sizeof(big); i++)
        big[i] = (char)(i % 3 == 0 ? '\001' : i % 3 == 1 ? '"' : '\xff');
    for (size_t len = 1; len < sizeof(big); len += 97) {
        tr_str value = str_n(big, len);
        const char *line;
        size_t end;
        begin_capture();
        log_set_format(LOG_FORMAT_JSON);
        log_info("x", LOG_S("a", value), LOG_S("b", value), LOG_S("c", value),
                 LOG_S("d", value), LOG_S("e", value), LOG_I("n", INT64_MIN));
        line = end_capture();
        end = strlen(line);
        assert_true(end <= 8192);
        assert_string_equal(line + end - 2, "}\n");
    }
}

static void below_the_level_nothing_is_evaluated(void **state)
{
    int evaluated = 0;

    (void)state;
    begin_capture();
    log_set_level(LOG_WARN);
    log_info("x", LOG_I("n", ++evaluated));
    log_debug("x", LOG_I("n", ++evaluated));
    assert_string_equal(end_capture(), "");
    assert_int_equal(evaluated, 0);
}

static void auto_is_json_into_a_file_and_journal_into_the_journal(void **state)
{
    char stream[64];
    struct stat st;

    (void)state;
    begin_capture();
    log_info("x");
    assert_int_equal(end_capture()[0], '{');
    begin_capture();
    fstat(STDERR_FILENO, &st);
    snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
             (unsigned long long)st.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    log_set_format(LOG_FORMAT_AUTO);
    log_info("x");
    assert_string_equal(end_capture(), "<6>x\n");
    begin_capture(); /* another file: stderr was redirected away from the journal */
    setenv("JOURNAL_STREAM", "1:1", 1);
    log_set_format(LOG_FORMAT_AUTO);
    log_info("x");
    assert_int_equal(end_capture()[0], '{');
}

static void levels_are_read_by_their_words(void **state)
{
    enum log_level level = LOG_INFO;

    (void)state;
    assert_true(log_parse_level(STR("debug"), &level));
    assert_int_equal(level, LOG_DEBUG);
    assert_true(log_parse_level(STR("warning"), &level));
    assert_int_equal(level, LOG_WARN);
    assert_false(log_parse_level(STR("loud"), &level));
    assert_int_equal(level, LOG_WARN);
}

static void *write_many(void *argument)
{
    for (int i = 0; i < 500; i++)
        log_info("from a thread", LOG_C("who", argument), LOG_I("i", i));
    return NULL;
}

static void threads_do_not_tear_lines(void **state)
{
    pthread_t threads[4];
    int lines = 0;

    (void)state;
    begin_capture();
    log_set_format(LOG_FORMAT_JOURNAL);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, (void *)"me"), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    end_capture();
    for (char *line = strtok(captured, "\n"); line; line = strtok(NULL, "\n"), lines++)
        assert_memory_equal(line, "<6>from a thread who=me i=", 26);
    assert_int_equal(lines, 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(json_has_time_level_message_and_fields, reset),
        cmocka_unit_test_setup(text_has_time_of_day_level_message_and_fields, reset),
        cmocka_unit_test_setup(journal_has_the_level_in_front, reset),
        cmocka_unit_test_setup(text_quotes_what_needs_it, reset),
        cmocka_unit_test_setup(no_value_can_end_a_line_or_reach_the_terminal, reset),
        cmocka_unit_test_setup(bytes_that_are_not_utf8_become_the_replacement, reset),
        cmocka_unit_test_setup(a_long_value_is_cut_and_the_rest_stays, reset),
        cmocka_unit_test_setup(a_line_is_never_over_its_bound_and_always_closed, reset),
        cmocka_unit_test_setup(below_the_level_nothing_is_evaluated, reset),
        cmocka_unit_test_setup(auto_is_json_into_a_file_and_journal_into_the_journal, reset),
        cmocka_unit_test_setup(levels_are_read_by_their_words, reset),
        cmocka_unit_test_setup(threads_do_not_tear_lines, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
