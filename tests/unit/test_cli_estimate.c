/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The maths of `run --once`'s progress. The command is a program and no library, so its pure
 * file is compiled into this test.
 */
#include "cli/estimate.c"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct estimate_view take(struct estimate *estimate, int64_t now_ms,
                                 struct engine_progress progress)
{
    struct estimate_view view;

    estimate_take(estimate, &progress, now_ms, &view);
    return view;
}

/* One database, of which so much is settled and the server says that so much is to come. */
static struct engine_progress one(uint64_t settled, uint64_t pending)
{
    return (struct engine_progress){.databases = 1,
                                    .received = settled,
                                    .settled = settled,
                                    .pending = pending,
                                    .untold = pending == 0,
                                    .listed = true};
}

static struct engine_progress many(uint64_t read, uint64_t databases)
{
    return (struct engine_progress){.databases = databases,
                                    .read = read,
                                    .received = read * 10,
                                    .settled = read * 10,
                                    .untold = databases - read,
                                    .listed = true};
}

static void assert_line(const struct estimate_view *view, size_t width, const char *want)
{
    char text[ESTIMATE_LINE];

    estimate_write(view, width, text);
    assert_string_equal(text, want);
}

static void nothing_is_known_at_the_beginning(void **state)
{
    struct estimate estimate = {0};
    struct estimate_view view = take(&estimate, 1000, (struct engine_progress){0});

    (void)state;
    assert_int_equal(view.percent, -1);
    assert_int_equal(view.left_s, -1);
    assert_int_equal(view.rows_per_s, 0);
}

static void what_the_server_says_makes_percent_rate_and_time_left(void **state)
{
    struct estimate estimate = {0};
    struct estimate_view view;

    (void)state;
    take(&estimate, 0, (struct engine_progress){0});
    view = take(&estimate, 10000, one(10000, 30000));
    assert_int_equal(view.percent, 25);
    assert_int_equal(view.rows_per_s, 1000);
    assert_int_equal(view.left_s, 31); /* 30, and what is left of the second               */
}

static void rows_in_hand_are_to_be_done_too(void **state)
{
    struct estimate estimate = {0};
    struct engine_progress now = one(1000, 1000);
    struct estimate_view view;

    (void)state;
    now.received = 3000;
    take(&estimate, 0, (struct engine_progress){0});
    view = take(&estimate, 10000, now);
    assert_int_equal(view.percent, 25);
    assert_int_equal(view.left_s, 31);
}

static void the_last_page_keeps_what_was_known_before(void **state)
{
    struct estimate estimate = {0};

    (void)state;
    take(&estimate, 0, one(0, 0));
    take(&estimate, 5000, one(500, 500));
    assert_int_equal(take(&estimate, 6000, one(900, 0)).percent, 90);
    assert_int_equal(take(&estimate, 7000, one(1000, 0)).percent, 100);
}

static void rows_that_are_written_meanwhile_are_to_be_done_too(void **state)
{
    struct estimate estimate = {0};

    (void)state;
    take(&estimate, 0, one(500, 500));
    assert_int_equal(take(&estimate, 5000, one(1000, 1000)).percent, 50);
    assert_int_equal(take(&estimate, 6000, one(1500, 500)).percent, 75);
}

static void one_database_that_says_nothing_has_no_percent(void **state)
{
    struct estimate estimate = {0};
    struct estimate_view view;

    (void)state;
    take(&estimate, 0, one(0, 0));
    view = take(&estimate, 10000, one(5000, 0));
    assert_int_equal(view.percent, -1);
    assert_int_equal(view.left_s, -1);
    assert_int_equal(view.rows_per_s, 500);
}

static void many_databases_are_counted_where_rows_are_not_known(void **state)
{
    struct estimate estimate = {0};
    struct estimate_view view;

    (void)state;
    take(&estimate, 0, (struct engine_progress){0});
    view = take(&estimate, 10000, many(250, 1000));
    assert_int_equal(view.percent, 25);
    assert_int_equal(view.left_s, 31);
}

static void databases_are_not_counted_before_a_server_could_tell_of_rows(void **state)
{
    struct estimate estimate = {0};
    struct engine_progress now = many(1, 2);

    (void)state;
    take(&estimate, 0, (struct engine_progress){0});
    assert_int_equal(take(&estimate, 500, now).percent, -1);
    now.pending = 90;
    now.untold = 0;
    assert_int_equal(take(&estimate, 750, now).percent, 10);
}

static void what_was_read_and_is_not_settled_is_to_be_done_too(void **state)
{
    struct estimate estimate = {0};
    struct engine_progress now = many(1000, 1000);

    (void)state;
    take(&estimate, 0, many(250, 1000));
    now.settled = 9000;
    assert_int_equal(take(&estimate, 5000, now).percent, 90);
}

static void databases_that_are_not_all_listed_make_no_percent(void **state)
{
    struct estimate estimate = {0};
    struct engine_progress now = many(10, 20);

    (void)state;
    now.listed = false;
    assert_int_equal(take(&estimate, 0, now).percent, -1);
}

static void two_seconds_pass_before_time_left_is_told(void **state)
{
    struct estimate estimate = {0};

    (void)state;
    take(&estimate, 0, one(0, 0));
    assert_int_equal(take(&estimate, 1999, one(500, 500)).left_s, -1);
    assert_int_equal(take(&estimate, 2000, one(500, 500)).left_s, 3);
}

static void what_stands_still_has_no_time_left(void **state)
{
    struct estimate estimate = {0};
    struct estimate_view view;

    (void)state;
    for (int64_t ms = 0; ms <= 60000; ms += 250)
        view = take(&estimate, ms, one(500, 500));
    assert_int_equal(view.percent, 50);
    assert_int_equal(view.rows_per_s, 0);
    assert_int_equal(view.left_s, -1);
}

static void the_rate_is_that_of_the_last_seconds(void **state)
{
    struct estimate estimate = {0};
    struct estimate_view view;
    uint64_t settled = 0;

    (void)state;
    for (int64_t ms = 0; ms <= 120000; ms += 250) {
        view = take(&estimate, ms, one(settled, 1000000 - settled));
        settled += ms < 60000 ? 1000 : 10;
    }
    assert_int_equal(view.rows_per_s, 40);
}

static void a_rule_that_takes_its_rows_along_is_no_negative_rate(void **state)
{
    struct estimate estimate = {0};
    struct estimate_view view;

    (void)state;
    take(&estimate, 0, one(1000, 1000));
    view = take(&estimate, 5000, one(900, 1000));
    assert_int_equal(view.rows_per_s, 0);
    assert_int_equal(view.left_s, -1);
}

static void numbers_near_the_end_of_their_range_are_no_trouble(void **state)
{
    struct estimate estimate = {0};
    struct estimate_view view;

    (void)state;
    take(&estimate, 0, one(0, 1));
    view = take(&estimate, 5000, one(1, UINT64_MAX / 2));
    assert_int_equal(view.percent, 0);
    assert_int_equal(view.left_s, -1);
}

/* ---- the line ---- */

static const struct estimate_view half = {
    .progress = {.databases = 1234567, .read = 617283, .received = 1000, .listed = true},
    .percent = 50,
    .rows_per_s = 4312,
    .left_s = 65};

static void a_line_leaves_out_what_matters_least(void **state)
{
    (void)state;
    assert_line(&half, 99,
                " 50%  [==========          ]  617,283 of 1,234,567 databases  1,000 rows  "
                "4,312 rows/s  1:05 left");
    assert_line(&half, 79,
                " 50%  617,283 of 1,234,567 databases  1,000 rows  4,312 rows/s  1:05 left");
    assert_line(&half, 72, " 50%  617,283 of 1,234,567 databases  1,000 rows  1:05 left");
    assert_line(&half, 50, " 50%  617,283 of 1,234,567 databases  1:05 left");
    assert_line(&half, 20, " 50%  1:05 left");
    assert_line(&half, 10, " 50%");
    assert_line(&half, 2, " 5");
    assert_line(&half, 0, "");
}

static void assert_bar(int percent, const char *want)
{
    struct estimate_view view = {.percent = percent, .left_s = -1};

    assert_line(&view, 79, want);
}

static void a_bar_is_as_long_as_what_is_done(void **state)
{
    (void)state;
    assert_bar(0, "  0%  [                    ]  listing databases  0 rows  0 rows/s");
    assert_bar(5, "  5%  [=                   ]  listing databases  0 rows  0 rows/s");
    assert_bar(99, " 99%  [=================== ]  listing databases  0 rows  0 rows/s");
    assert_bar(100, "100%  [====================]  listing databases  0 rows  0 rows/s");
}

static void no_line_is_wider_than_it_may_be(void **state)
{
    char text[ESTIMATE_LINE];
    struct estimate_view view = half;

    (void)state;
    view.progress.databases = view.progress.read = view.progress.received = UINT64_MAX;
    view.rows_per_s = UINT64_MAX;
    for (size_t width = 0; width < 300; width++) {
        estimate_write(&view, width, text);
        assert_true(strlen(text) <= width);
    }
}

static void what_is_not_known_is_not_told(void **state)
{
    struct estimate_view view = {.progress = {.databases = 1, .received = 1, .listed = true},
                                 .percent = -1,
                                 .left_s = -1};

    (void)state;
    assert_line(&view, 79, "0 of 1 database  1 row  0 rows/s");
    view.progress.listed = false;
    assert_line(&view, 79, "listing databases  1 row  0 rows/s");
}

static void assert_left(int64_t s, const char *want)
{
    struct estimate_view view = {.percent = 5, .left_s = s};

    assert_line(&view, 16, want);
}

static void time_left_is_told_in_what_people_count_in(void **state)
{
    (void)state;
    assert_left(0, "  5%  0:00 left");
    assert_left(3599, "  5%  59:59 left");
    assert_left(3600, "  5%");
    assert_line(&(struct estimate_view){.percent = 5, .left_s = 3661}, 18,
                "  5%  1:01:01 left");
    assert_left(90000, "  5%  1d 1h left");
}

static void a_database_of_several_has_a_line_of_its_own(void **state)
{
    char text[ESTIMATE_LINE];
    struct engine_part part = {.db = STR("users/a\nb"), .settled = 1234, .goal = 2468};

    (void)state;
    estimate_write_part(&part, 100, text);
    assert_string_equal(text, " 50%  [==========          ]  1,234 rows  users/a?b");
    estimate_write_part(&part, 20, text);
    assert_string_equal(text, " 50%  [==========   ");
    part.goal = 0;
    part.settled = 1;
    estimate_write_part(&part, 100, text);
    assert_string_equal(text, "                              1 row  users/a?b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_known_at_the_beginning),
        cmocka_unit_test(what_the_server_says_makes_percent_rate_and_time_left),
        cmocka_unit_test(rows_in_hand_are_to_be_done_too),
        cmocka_unit_test(the_last_page_keeps_what_was_known_before),
        cmocka_unit_test(rows_that_are_written_meanwhile_are_to_be_done_too),
        cmocka_unit_test(one_database_that_says_nothing_has_no_percent),
        cmocka_unit_test(many_databases_are_counted_where_rows_are_not_known),
        cmocka_unit_test(databases_are_not_counted_before_a_server_could_tell_of_rows),
        cmocka_unit_test(what_was_read_and_is_not_settled_is_to_be_done_too),
        cmocka_unit_test(databases_that_are_not_all_listed_make_no_percent),
        cmocka_unit_test(two_seconds_pass_before_time_left_is_told),
        cmocka_unit_test(what_stands_still_has_no_time_left),
        cmocka_unit_test(the_rate_is_that_of_the_last_seconds),
        cmocka_unit_test(a_rule_that_takes_its_rows_along_is_no_negative_rate),
        cmocka_unit_test(numbers_near_the_end_of_their_range_are_no_trouble),
        cmocka_unit_test(a_line_leaves_out_what_matters_least),
        cmocka_unit_test(a_bar_is_as_long_as_what_is_done),
        cmocka_unit_test(no_line_is_wider_than_it_may_be),
        cmocka_unit_test(what_is_not_known_is_not_told),
        cmocka_unit_test(time_left_is_told_in_what_people_count_in),
        cmocka_unit_test(a_database_of_several_has_a_line_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
