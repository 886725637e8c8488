/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors, and the small things that have no file of their own: clock and random.
 */
#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"

#include <string.h>
#include <sysexits.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void an_error_has_a_code_and_a_line(void **state)
{
    struct error error = {0};

    (void)state;
    assert_int_equal(error_set(&error, ERR_DATA, "row %d", 7), ERR_DATA);
    assert_int_equal(error.code, ERR_DATA);
    assert_string_equal(error.text, "row 7");
    assert_int_equal(error_set(NULL, ERR_IO, "unheard"), ERR_IO);
}

static void a_prefix_goes_in_front(void **state)
{
    struct error error = {0};

    (void)state;
    error_set(&error, ERR_NOINPUT, "no such file");
    assert_int_equal(error_prefix(&error, "rule %s", "a"), ERR_NOINPUT);
    assert_string_equal(error.text, "rule a: no such file");
}

static void what_does_not_fit_is_cut_at_the_end(void **state)
{
    struct error error = {0};
    char text[1000];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    error_set(&error, ERR_DATA, "%s", text);
    assert_int_equal(strlen(error.text), sizeof(error.text) - 1);
    error_prefix(&error, "rule");
    assert_memory_equal(error.text, "rule: xx", 8);
    assert_int_equal(strlen(error.text), sizeof(error.text) - 1);
    for (size_t len = 505; len < 515; len++) {
        text[len] = '\0';
        error_prefix(&error, "%s", text);
        assert_true(strlen(error.text) < sizeof(error.text));
        text[len] = 'x';
    }
}

static void codes_become_those_of_sysexits(void **state)
{
    (void)state;
    assert_int_equal(error_exit_code(0), EX_OK);
    assert_int_equal(error_exit_code(ERR_USAGE), EX_USAGE);
    assert_int_equal(error_exit_code(ERR_CONFIG), EX_CONFIG);
    assert_int_equal(error_exit_code(ERR_NOPERM), EX_NOPERM);
    assert_int_equal(error_exit_code(ERR_CANTCREAT), EX_CANTCREAT);
    assert_int_equal(error_exit_code(-99), EX_SOFTWARE);
    assert_int_equal(error_exit_code(5), EX_SOFTWARE);
}

static void wall_time_is_written_in_utc_with_milliseconds(void **state)
{
    char text[CLOCK_TEXT];

    (void)state;
    clock_format(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
    clock_format(1769860800123, text);
    assert_string_equal(text, "2026-01-31T12:00:00.123Z");
    clock_format(-1, text);
    assert_string_equal(text, "1969-12-31T23:59:59.999Z");
}

static void the_monotonic_clock_never_goes_back(void **state)
{
    int64_t last = clock_ms();

    (void)state;
    for (int i = 0; i < 1000; i++) {
        int64_t now = clock_ms();
        assert_true(now >= last);
        last = now;
    }
}

static void a_delay_lies_between_a_tenth_of_its_bound_and_the_bound(void **state)
{
    int64_t bound = 250;

    (void)state;
    for (uint32_t attempt = 0; attempt < 40; attempt++) {
        for (int i = 0; i < 100; i++) {
            int64_t delay = backoff_ms(attempt, 250, 300000);
            assert_in_range(delay, bound / 10, bound);
        }
        bound = bound * 2 < 300000 ? bound * 2 : 300000;
    }
}

static void a_delay_stays_in_bounds_at_the_extremes(void **state)
{
    (void)state;
    assert_in_range(backoff_ms(UINT32_MAX, 1, 1000), 100, 1000);
    assert_in_range(backoff_ms(UINT32_MAX, 0, 1000), 0, 0);
    assert_in_range(backoff_ms(0, 5000, 1000), 100, 1000);
    assert_in_range(backoff_ms(UINT32_MAX, 1, 1), 0, 1);
}

static void a_random_number_is_below_its_bound(void **state)
{
    unsigned seen = 0;

    (void)state;
    assert_int_equal(random_below(0), 0);
    assert_int_equal(random_below(1), 0);
    for (int i = 0; i < 1000; i++) {
        uint64_t n = random_below(8);
        assert_true(n < 8);
        seen |= 1u << n;
    }
    assert_int_equal(seen, 0xff);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_has_a_code_and_a_line),
        cmocka_unit_test(a_prefix_goes_in_front),
        cmocka_unit_test(what_does_not_fit_is_cut_at_the_end),
        cmocka_unit_test(codes_become_those_of_sysexits),
        cmocka_unit_test(wall_time_is_written_in_utc_with_milliseconds),
        cmocka_unit_test(the_monotonic_clock_never_goes_back),
        cmocka_unit_test(a_delay_lies_between_a_tenth_of_its_bound_and_the_bound),
        cmocka_unit_test(a_delay_stays_in_bounds_at_the_extremes),
        cmocka_unit_test(a_random_number_is_below_its_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
