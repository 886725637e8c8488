/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `tailrace top`: rates out of two looks, the order of rules, and frames that fit whatever the
 * terminal's size. The command is a program and no library, so its files are compiled into this
 * test.
 */
#include "cli/grid.c"
#include "cli/status_read.c"
#include "cli/top.c"
#include "cli/top_draw.c"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char FIRST[] =
    "{\"format\":1,\"version\":\"1\",\"pid\":7,\"uptime_s\":5.0,\"state\":\"running\","
    "\"mode\":\"follow\",\"totals\":{\"ok\":100},\"sources\":[{\"name\":\"main\","
    "\"url\":\"http://h\",\"databases\":3,\"rows\":100,\"streams\":{\"hot\":3},"
    "\"updates\":{\"state\":\"live\"},\"troubles\":[],\"troubles_more\":2}],\"rules\":["
    "{\"name\":\"calm\",\"plugin\":\"p\",\"state\":\"running\",\"ok\":90,\"lag_s\":1.5,"
    "\"lag_rows\":4},"
    "{\"name\":\"stuck\",\"plugin\":\"p\",\"state\":\"held\",\"reason\":\"why\",\"ok\":5},"
    "{\"name\":\"tries\\u001b[2J\",\"plugin\":\"p\",\"state\":\"running\",\"retrying\":1,"
    "\"reason\":\"503\",\"ok\":5}]}\n";

static struct top top;
static struct buf frame;

static int set_up(void **state)
{
    (void)state;
    top_init(&top);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    top_fini(&top);
    buf_fini(&frame);
    return 0;
}

static void take(const char *text, int64_t at_ms)
{
    struct buf document = {0};

    buf_add_c(&document, text);
    assert_int_equal(top_take(&top, &document, at_ms, NULL), 0);
    buf_fini(&document);
}

static const char *drawn(int width, int height, bool colours)
{
    buf_clear(&frame);
    top_draw(&top, width, height, colours, &frame);
    return frame.ptr;
}

static void a_rate_is_the_difference_of_two_looks(void **state)
{
    char *later = str_dup(str_c(FIRST));

    (void)state;
    take(FIRST, 1000);
    assert_true(top.rate == 0);
    memcpy(strstr(later, "\"ok\":90"), "\"ok\":99", 7);
    memcpy(strstr(later, "\"rows\":100"), "\"rows\":120", 10);
    memcpy(strstr(later, "\"ok\":100"), "\"ok\":109", 8);
    take(later, 3000);
    assert_true(top.rate == 4.5);
    assert_true(top.read_rate == 10);
    assert_true(top_rate_of(&top, "rule", STR("calm")) == 4.5);
    take(FIRST, 4000); /* less than before: another daemon                                  */
    assert_true(top.rate == 0);
    assert_int_equal(top.history_count, 2);
    free(later);
}

static void what_needs_a_person_comes_first(void **state)
{
    (void)state;
    take(FIRST, 1000);
    assert_true(str_eq(top.rules[0].name, STR("stuck")));
    assert_true(str_eq(top.rules[1].state, STR("retrying")));
    assert_true(str_eq(top.rules[2].name, STR("calm")));
    top.sort = TOP_BY_NAME;
    top_sort(&top);
    assert_true(str_eq(top.rules[0].name, STR("calm")));
    top.reverse = true;
    top_sort(&top);
    assert_true(str_eq(top.rules[2].name, STR("calm")));
}

static void no_byte_of_a_name_moves_the_cursor(void **state)
{
    (void)state;
    take(FIRST, 1000);
    drawn(120, 40, false);
    assert_null(strchr(frame.ptr, '\033'));
    assert_non_null(strstr(frame.ptr, "tries?[2J"));
    assert_non_null(strstr(frame.ptr, "rule stuck"));
    assert_non_null(strstr(drawn(120, 40, true), "\033[31mheld\033[m"));
}

static void a_frame_is_never_larger_than_the_terminal(void **state)
{
    (void)state;
    take(FIRST, 1000);
    take(FIRST, 2000);
    for (int width = 1; width < 140; width += 3)
        for (int height = 1; height < 40; height += 3) {
            tr_str rest = str_c(drawn(width, height, false)), line;
            int lines = 0;
            for (; rest.len > 0; lines++) {
                line = str_cut(rest, '\n', &rest);
                assert_in_range(count_characters(line), 0, width);
            }
            assert_in_range(lines, 1, height);
        }
}

static void scrolling_ends_at_the_last_rule(void **state)
{
    (void)state;
    take(FIRST, 1000);
    top.first = 1000;
    drawn(80, 10, false);
    assert_in_range(top.first, 0, 2);
    assert_true(top.first + top.shown == 3 || top.shown == 0);
}

static void a_document_of_another_form_is_refused(void **state)
{
    struct buf document = {0};
    struct error error;

    (void)state;
    buf_add_c(&document, "{\"format\":2,\"version\":\"9\"}\n");
    assert_int_equal(top_take(&top, &document, 1, &error), ERR_DATA);
    assert_non_null(strstr(error.text, "tailrace 9"));
    assert_int_equal(top.looks, 0);
    buf_fini(&document);
    snprintf(top.error, sizeof(top.error), "no tailrace runs");
    assert_non_null(strstr(drawn(60, 5, false), "no tailrace runs"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_rate_is_the_difference_of_two_looks),
        TEST(what_needs_a_person_comes_first),
        TEST(no_byte_of_a_name_moves_the_cursor),
        TEST(a_frame_is_never_larger_than_the_terminal),
        TEST(scrolling_ends_at_the_last_rule),
        TEST(a_document_of_another_form_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
