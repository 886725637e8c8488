/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the plugin stats-calculator adds up with: sums without error against whole numbers of
 * 128 bits, bins against sorted numbers, bytes whose order is that of numbers, times, and what
 * is kept of them.
 */
#include "plugin/private.h"

#include "../../plugins/stats-calculator/round.h"
#include "../../plugins/stats-calculator/stats.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

enum { MANY = 3000 };

__extension__ typedef __int128 whole;

static uint64_t seed = 88172645463325252u;

static uint64_t random_bits(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* A whole number of units of 2^-60, below 2^100 of them. */
static double random_number(void)
{
    double number = (double)(int64_t)(random_bits() >> 11);

    number = ldexp(number, (int)(random_bits() % 45) - 58);
    return random_bits() & 1 ? -number : number;
}

/* Any finite double. */
static double random_double(void)
{
    double number;
    uint64_t bits;

    do {
        bits = random_bits();
        memcpy(&number, &bits, sizeof(number));
    } while (!isfinite(number));
    return number;
}

static double sum_of(const double *numbers, size_t count)
{
    struct exact exact = {0};
    double sum;

    for (size_t i = 0; i < count; i++)
        assert_true(exact_add(&exact, numbers[i], 1));
    sum = exact_round(&exact);
    exact_fini(&exact);
    return sum;
}

/* ---- sums ---- */

static void a_sum_is_the_double_next_to_the_exact_one(void **state)
{
    struct exact exact = {0};
    whole wanted = 0;

    (void)state;
    for (int i = 0; i < MANY; i++) {
        double number = random_number();

        assert_true(exact_add(&exact, number, 1));
        wanted += (whole)ldexp(number, 60);
        assert_true(exact_round(&exact) == ldexp((double)wanted, -60));
    }
    exact_fini(&exact);
}

static void halves_are_rounded_to_the_even_one(void **state)
{
    const double down[] = {9007199254740992.0, 1};
    const double up[] = {9007199254740992.0, 2, 1};
    const double above[] = {9007199254740992.0, 1, ldexp(1, -1000)};

    (void)state;
    assert_true(sum_of(down, 2) == 9007199254740992.0);
    assert_true(sum_of(up, 3) == 9007199254740996.0);
    assert_true(sum_of(above, 3) == 9007199254740994.0);
}

static void the_greatest_and_the_least_go_together(void **state)
{
    const double apart[] = {DBL_MAX, 5e-324, -DBL_MAX, 5e-324};
    const double cancel[] = {1e100, 1, -1e100};
    const double beyond[] = {DBL_MAX, DBL_MAX};
    const double below[] = {-DBL_MAX, -DBL_MAX};
    const double back[] = {DBL_MAX, DBL_MAX, -DBL_MAX};

    (void)state;
    assert_true(sum_of(apart, 4) == 1e-323);
    assert_true(sum_of(cancel, 3) == 1);
    assert_true(isinf(sum_of(beyond, 2)));
    assert_true(sum_of(below, 2) < -DBL_MAX);
    assert_true(sum_of(back, 3) == DBL_MAX);
    assert_true(sum_of(NULL, 0) == 0);
}

static void one_double_alone_comes_back(void **state)
{
    (void)state;
    for (int i = 0; i < MANY; i++) {
        double number = random_double();

        assert_true(sum_of(&number, 1) == number);
    }
}

static void write_to(const struct exact *exact, tr_text *out)
{
    tr_text_clear(out);
    exact_write(exact, out);
}

static void neither_order_nor_what_was_taken_away_matters(void **state)
{
    struct exact one = {0}, two = {0};
    tr_text a = {0}, b = {0};
    double numbers[200];

    (void)state;
    for (int i = 0; i < 200; i++)
        numbers[i] = random_double();
    for (int i = 0; i < 200; i++)
        assert_true(exact_add(&one, numbers[i], 1) && exact_add_square(&one, numbers[i], 1));
    for (int i = 199; i >= 0; i--)
        assert_true(exact_add_square(&two, numbers[i], 1) && exact_add(&two, numbers[i], 1));
    write_to(&one, &a);
    write_to(&two, &b);
    assert_true(tr_str_eq(tr_text_str(&a), tr_text_str(&b)));
    for (int i = 0; i < 200; i++)
        assert_true(exact_add(&one, numbers[i], -1) && exact_add_square(&one, numbers[i], -1));
    write_to(&one, &a);
    assert_int_equal(a.len, 1);
    assert_true(exact_round(&one) == 0);
    exact_fini(&one);
    exact_fini(&two);
    tr_text_fini(&a);
    tr_text_fini(&b);
}

static void a_sum_that_was_kept_goes_on(void **state)
{
    struct exact exact = {0}, back = {0}, both = {0};
    tr_text kept = {0};
    whole wanted = 0;

    (void)state;
    for (int i = 0; i < MANY; i++) {
        double number = random_number();
        struct reader reader;

        assert_true(exact_add(&exact, number, 1));
        wanted += (whole)ldexp(number, 60);
        if (i % 10 != 0)
            continue;
        write_to(&exact, &kept);
        reader = reader_of(tr_text_str(&kept));
        assert_true(exact_read(&back, &reader));
        assert_ptr_equal(reader.at, reader.end);
        assert_true(exact_merge(&both, &back));
        exact_fini(&exact);
        exact = back;
        back = (struct exact){0};
    }
    assert_true(exact_round(&exact) == ldexp((double)wanted, -60));
    assert_true(exact_merge(&both, &exact));
    exact_fini(&exact);
    exact_fini(&both);
    tr_text_fini(&kept);
}

static void sums_are_put_together_exactly(void **state)
{
    struct exact parts[5] = {{0}}, all = {0}, put = {0};
    tr_text a = {0}, b = {0};

    (void)state;
    for (int i = 0; i < MANY; i++) {
        double number = random_double();

        assert_true(exact_add(&parts[i % 5], number, 1) && exact_add(&all, number, 1));
    }
    for (int i = 0; i < 5; i++) {
        assert_true(exact_merge(&put, &parts[i]));
        exact_fini(&parts[i]);
    }
    write_to(&all, &a);
    write_to(&put, &b);
    assert_true(tr_str_eq(tr_text_str(&a), tr_text_str(&b)));
    exact_fini(&all);
    exact_fini(&put);
    tr_text_fini(&a);
    tr_text_fini(&b);
}

/* ---- squares ---- */

static void squares_are_exact_too(void **state)
{
    struct exact sum = {0}, squares = {0};
    whole s1 = 0, s2 = 0;

    (void)state;
    for (int i = 1; i <= MANY; i++) {
        int64_t number = (int64_t)(random_bits() % (UINT64_C(1) << 48)) - (INT64_C(1) << 47);
        long double spread;

        assert_true(exact_add(&sum, (double)number, 1) &&
                    exact_add_square(&squares, (double)number, 1));
        s1 += number;
        s2 += (whole)number * number;
        assert_true(exact_round(&squares) == (double)s2);
        spread = sqrtl((long double)s2 / i - (long double)s1 / i * ((long double)s1 / i));
        assert_true(fabsl(exact_deviation(&sum, &squares, (uint64_t)i) - spread) <=
                    spread * 1e-12L + (i == 1 ? 1e7L : 0));
    }
    exact_fini(&sum);
    exact_fini(&squares);
}

static void numbers_close_together_keep_their_deviation(void **state)
{
    const double near[] = {1e15 + 4, 1e15 + 7, 1e15 + 13, 1e15 + 16};
    struct exact sum = {0}, squares = {0};

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_true(exact_add(&sum, near[i], 1) && exact_add_square(&squares, near[i], 1));
    assert_true(fabs(exact_deviation(&sum, &squares, 4) - sqrt(22.5)) < 1e-15);
    exact_fini(&sum);
    exact_fini(&squares);
}

static void the_deviation_of_the_greatest_and_the_least_is_a_number(void **state)
{
    const double great[] = {DBL_MAX, -DBL_MAX}, small[] = {5e-324, 0}, same[] = {0.1, 0.1};
    const double wanted[] = {DBL_MAX, 0, 0};
    const double *const pairs[] = {great, small, same};

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct exact sum = {0}, squares = {0};

        for (int k = 0; k < 2; k++)
            assert_true(exact_add(&sum, pairs[i][k], 1) &&
                        exact_add_square(&squares, pairs[i][k], 1));
        assert_true(fabs(exact_deviation(&sum, &squares, 2) - wanted[i]) <=
                    DBL_EPSILON * wanted[i] + 5e-324);
        exact_fini(&sum);
        exact_fini(&squares);
    }
}

/* ---- bins ---- */

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;

    return (a > b) - (a < b);
}

static void assert_quantiles(const struct sketch *sketch, double *numbers, size_t count)
{
    qsort(numbers, count, sizeof(*numbers), compare_doubles);
    for (int i = 0; i <= 100; i++) {
        double q = i / 100.0, wanted = numbers[(size_t)(q * (double)(count - 1))];

        assert_true(fabs(sketch_quantile(sketch, q) - wanted) <= fabs(wanted) / 128 + DBL_MIN);
    }
}

static void quantiles_are_within_their_bound(void **state)
{
    struct sketch sketch = {0};
    static double numbers[MANY];

    (void)state;
    for (int i = 0; i < MANY; i++) {
        numbers[i] = i % 3 == 0   ? random_double()
                     : i % 3 == 1 ? (double)(random_bits() % 1000)
                                  : random_number();
        assert_true(sketch_add(&sketch, numbers[i]));
    }
    assert_quantiles(&sketch, numbers, MANY);
    sketch_fini(&sketch);
}

static void what_is_taken_back_leaves_no_trace(void **state)
{
    struct sketch sketch = {0}, other = {0}, both = {0};
    static double numbers[MANY];
    tr_text a = {0}, b = {0};
    struct reader reader;

    (void)state;
    for (int i = 0; i < MANY; i++)
        numbers[i] = i % 2 ? random_number() : (double)(random_bits() % 50) - 25;
    for (int i = 0; i < MANY; i++)
        assert_true(sketch_add(&sketch, numbers[i]));
    for (int i = 0; i < MANY; i += 3)
        sketch_take(&sketch, numbers[i]);
    for (int i = 0; i < MANY; i++)
        if (i % 3)
            assert_true(sketch_add(i % 2 ? &other : &both, numbers[i]));
    assert_true(sketch_merge(&both, &other));
    sketch_write(&sketch, &a);
    sketch_write(&both, &b);
    assert_true(tr_str_eq(tr_text_str(&a), tr_text_str(&b)));
    sketch_fini(&both);
    reader = reader_of(tr_text_str(&a));
    assert_true(sketch_read(&both, &reader));
    tr_text_clear(&b);
    sketch_write(&both, &b);
    assert_true(tr_str_eq(tr_text_str(&a), tr_text_str(&b)));
    for (int i = 0; i < MANY; i++)
        if (i % 3)
            sketch_take(&sketch, numbers[i]);
    assert_int_equal(sketch.count, 0);
    sketch_fini(&sketch);
    sketch_fini(&other);
    sketch_fini(&both);
    tr_text_fini(&a);
    tr_text_fini(&b);
}

/* ---- numbers as bytes and texts ---- */

static void the_order_of_bytes_is_that_of_numbers(void **state)
{
    (void)state;
    for (int i = 0; i < MANY; i++) {
        double x = i % 2 ? random_double() : random_number();
        double y = i % 5 ? random_double() : x;
        struct value a, b;
        int order;

        value_of_number(&a, x);
        value_of_number(&b, y);
        order = memcmp(a.bytes, b.bytes, a.len);
        assert_true((order > 0) - (order < 0) == (x > y) - (x < y));
        assert_true(value_ordered_number(a.bytes + 1) == x);
    }
}

static void numbers_are_read_as_strtod_reads_them(void **state)
{
    char text[700];
    tr_text shown = {0};

    (void)state;
    for (int i = 0; i < MANY; i++) {
        double number = i % 2 ? random_double() : (double)(int64_t)random_bits() / 4096, found;

        if (i % 3 == 0)
            snprintf(text, sizeof(text), "%.*f", i % 30, number);
        else
            snprintf(text, sizeof(text), i % 3 == 1 ? "%.*g" : "%.*e", 1 + i % 25, number);
        assert_true(value_read_number(tr_str_c(text), &found));
        assert_true(found == strtod(text, NULL));
        tr_text_clear(&shown);
        value_show_number(number, &shown);
        assert_true(value_read_number(tr_text_str(&shown), &found) && found == number);
    }
    tr_text_fini(&shown);
}

static void what_is_no_double_is_no_number(void **state)
{
    static const char *const bad[] = {"1e999", "-1e400", "",    "-",   "0x10", "NaN",
                                      "inf",   "-inf",   "1e",  "1e+", ".5",   "1.2.3",
                                      "\"1\"", "true",   "[1]", "--1", "1-1",  "nan"};
    char many[1200];
    double number = 7;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(value_read_number(tr_str_c(bad[i]), &number));
    memset(many, '1', sizeof(many));
    assert_false(value_read_number(tr_str_n(many, sizeof(many)), &number));
    assert_true(number == 7);
    assert_true(value_read_number(TR_STR("-0"), &number) && !signbit(number));
    assert_true(value_read_number(TR_STR("-0.0e5"), &number) && !signbit(number));
    assert_true(value_read_number(TR_STR("12345678901234567890"), &number));
    assert_true(number == 12345678901234567890.0);
    assert_true(value_read_number(TR_STR("4.9e-324"), &number) && number == 5e-324);
}

/* ---- times ---- */

static void assert_time(const char *json, const char *width, const char *wanted)
{
    struct bucket bucket;
    struct value value;
    tr_text text = {0};
    int64_t time;
    char bytes[8];

    value_read(&value, ext_json_table(), tr_str_c(json), &text);
    assert_true(bucket_parse(width, &bucket));
    tr_text_clear(&text);
    if (!wanted) {
        assert_false(bucket_read_time(&value, &time));
    } else {
        assert_true(bucket_read_time(&value, &time));
        bucket_put(bytes, bucket_begin(&bucket, time));
        bucket_show(bucket_get(bytes), &text);
        assert_string_equal(tr_text_end(&text), wanted);
    }
    tr_text_fini(&text);
}

static void times_fall_into_their_buckets(void **state)
{
    (void)state;
    assert_time("\"2026-11-26T17:59:59.999Z\"", "1h", "2026-11-26T17:00:00Z");
    assert_time("\"2026-11-26T17:59:59+02:00\"", "1h", "2026-11-26T15:00:00Z");
    assert_time("\"2026-11-26 17:16\"", "15m", "2026-11-26T17:15:00Z");
    assert_time("\"2026-11-26\"", "1d", "2026-11-26T00:00:00Z");
    assert_time("\"2026-11-26\"", "1w", "2026-11-23T00:00:00Z");
    assert_time("\"2024-02-29T23:00:00-01:30\"", "month", "2024-03-01T00:00:00Z");
    assert_time("\"1969-12-31T23:59:58Z\"", "1h", "1969-12-31T23:00:00Z");
    assert_time("\"1965-05-05\"", "year", "1965-01-01T00:00:00Z");
    assert_time("1764177600", "1h", "2025-11-26T17:00:00Z");
    assert_time("1764177600123", "1s", "2025-11-26T17:20:00Z");
    assert_time("-0.5", "1s", "1969-12-31T23:59:59Z");
}

static void what_is_no_time_has_no_bucket(void **state)
{
    static const char *const bad[] = {"\"2023-02-29\"",
                                      "\"2026-13-01\"",
                                      "\"2026-11-26T24:00\"",
                                      "\"2026-11-26T17:60\"",
                                      "\"yesterday\"",
                                      "\"2026-11-26T17:00Zx\"",
                                      "\"2026-11-26T17:00+5\"",
                                      "\"2026-1-1\"",
                                      "true",
                                      "null",
                                      "1e300",
                                      "{}",
                                      "\"\"",
                                      "\"2026-11-26T17:00:00.\""};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_time(bad[i], "1h", NULL);
}

static void days_are_those_of_the_calendar(void **state)
{
    struct bucket day;

    (void)state;
    assert_true(bucket_parse("1d", &day));
    for (time_t time = -62167219200; time < 253402300800; time += 86400 * 37 + 4321) {
        struct tm tm;
        char text[64];
        struct value value;
        tr_text scratch = {0};
        int64_t found;

        assert_non_null(gmtime_r(&time, &tm));
        assert_true(strftime(text, sizeof(text), "\"%Y-%m-%dT%H:%M:%SZ\"", &tm) > 0);
        if (strlen(text) != 22) /* strftime() does not fill up years below 1000              */
            continue;
        value_read(&value, ext_json_table(), tr_str_c(text), &scratch);
        assert_true(bucket_read_time(&value, &found));
        assert_int_equal(found, time);
        tr_text_fini(&scratch);
    }
}

static void widths_that_are_none_are_refused(void **state)
{
    static const char *const bad[] = {"", "0h", "1", "h", "-1h", "1x", "1 h", "months", "1e9s"};
    struct bucket bucket;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(bucket_parse(bad[i], &bucket));
}

/* ---- what is kept, damaged ---- */

static void whatever_is_read_is_read_or_refused(void **state)
{
    static char bytes[400];

    (void)state;
    for (int i = 0; i < 20000; i++) {
        size_t len = random_bits() % sizeof(bytes);
        struct exact exact = {0};
        struct sketch sketch = {0};
        struct reader reader;

        for (size_t k = 0; k < len; k++)
            bytes[k] = (char)(random_bits() % (i % 2 ? 256 : 4));
        reader = reader_of(tr_str_n(bytes, len));
        if (exact_read(&exact, &reader)) {
            (void)exact_round(&exact);
            (void)exact_deviation(&exact, &exact, 3);
        }
        reader = reader_of(tr_str_n(bytes, len));
        (void)sketch_read(&sketch, &reader);
        exact_fini(&exact);
        sketch_fini(&sketch);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sum_is_the_double_next_to_the_exact_one),
        cmocka_unit_test(halves_are_rounded_to_the_even_one),
        cmocka_unit_test(the_greatest_and_the_least_go_together),
        cmocka_unit_test(one_double_alone_comes_back),
        cmocka_unit_test(neither_order_nor_what_was_taken_away_matters),
        cmocka_unit_test(a_sum_that_was_kept_goes_on),
        cmocka_unit_test(sums_are_put_together_exactly),
        cmocka_unit_test(squares_are_exact_too),
        cmocka_unit_test(numbers_close_together_keep_their_deviation),
        cmocka_unit_test(the_deviation_of_the_greatest_and_the_least_is_a_number),
        cmocka_unit_test(quantiles_are_within_their_bound),
        cmocka_unit_test(what_is_taken_back_leaves_no_trace),
        cmocka_unit_test(the_order_of_bytes_is_that_of_numbers),
        cmocka_unit_test(numbers_are_read_as_strtod_reads_them),
        cmocka_unit_test(what_is_no_double_is_no_number),
        cmocka_unit_test(times_fall_into_their_buckets),
        cmocka_unit_test(what_is_no_time_has_no_bucket),
        cmocka_unit_test(days_are_those_of_the_calendar),
        cmocka_unit_test(widths_that_are_none_are_refused),
        cmocka_unit_test(whatever_is_read_is_read_or_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
