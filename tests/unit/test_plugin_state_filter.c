/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The filter of keys that were written: it never denies one, and of others it lets few pass, as
 * long as they are no more than it has room for.
 */
#include "plugin/state_filter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static uint64_t next(uint64_t *random)
{
    *random += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t x = *random;

    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static uint32_t count_passing(const struct state_filter *filter, uint64_t random,
                              uint32_t count)
{
    uint32_t passing = 0;

    for (uint32_t i = 0; i < count; i++)
        passing += state_filter_may_have(filter, next(&random));
    return passing;
}

static void a_new_one_has_nothing(void **state)
{
    struct state_filter filter = {0};

    (void)state;
    assert_int_equal(count_passing(&filter, 1, 1000), 0);
    state_filter_fini(&filter);
}

static void what_was_added_always_passes_and_others_hardly_ever(void **state)
{
    (void)state;
    for (uint32_t count = 1; count <= 1000000; count *= 10) {
        struct state_filter filter = {0};
        uint64_t random = 7;

        for (uint32_t i = 0; i < count; i++)
            state_filter_add(&filter, next(&random));
        assert_int_equal(count_passing(&filter, 7, count), count);
        assert_in_range(count_passing(&filter, 8, 100000), 0, 3000);
        state_filter_fini(&filter);
    }
}

static void adding_again_takes_no_room(void **state)
{
    struct state_filter filter = {0};

    (void)state;
    for (uint32_t i = 0; i < 100000; i++) {
        uint64_t random = i % 10;
        state_filter_add(&filter, next(&random));
    }
    assert_int_equal(filter.count, 1);
    state_filter_fini(&filter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_one_has_nothing),
        cmocka_unit_test(what_was_added_always_passes_and_others_hardly_ever),
        cmocka_unit_test(adding_again_takes_no_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
