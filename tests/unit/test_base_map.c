/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Maps and hashes.
 */
#include "base/map.h"

#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { MANY = 5000 };

static char values[MANY];

static tr_str key_of(int i, char text[16])
{
    return str_n(text, (size_t)snprintf(text, 16, "key-%d", i));
}

static void what_was_set_is_found(void **state)
{
    struct map map = {0};
    char text[16];

    (void)state;
    for (int i = 0; i < MANY; i++)
        assert_null(map_set(&map, key_of(i, text), &values[i]));
    assert_int_equal(map.count, MANY);
    for (int i = 0; i < MANY; i++)
        assert_ptr_equal(map_get(&map, key_of(i, text)), &values[i]);
    assert_null(map_get(&map, STR("key-")));
    map_fini(&map);
}

static void setting_again_gives_what_was_there(void **state)
{
    struct map map = {0};

    (void)state;
    assert_null(map_set(&map, STR("a"), &values[0]));
    assert_ptr_equal(map_set(&map, STR("a"), &values[1]), &values[0]);
    assert_ptr_equal(map_get(&map, STR("a")), &values[1]);
    assert_int_equal(map.count, 1);
    map_fini(&map);
}

static void a_removed_key_is_gone_and_others_stay(void **state)
{
    struct map map = {0};
    char text[16];

    (void)state;
    for (int i = 0; i < MANY; i++)
        map_set(&map, key_of(i, text), &values[i]);
    for (int i = 0; i < MANY; i += 2)
        assert_ptr_equal(map_remove(&map, key_of(i, text)), &values[i]);
    assert_null(map_remove(&map, STR("key-0")));
    for (int i = 0; i < MANY; i++)
        assert_ptr_equal(map_get(&map, key_of(i, text)), i % 2 ? &values[i] : NULL);
    map_fini(&map);
}

static void keys_that_come_and_go_do_not_make_it_grow(void **state)
{
    struct map map = {0};
    char text[16];

    (void)state;
    for (int i = 0; i < 100000; i++) {
        map_set(&map, key_of(i, text), &values[0]);
        map_remove(&map, key_of(i, text));
    }
    assert_int_equal(map.count, 0);
    assert_true(map.cap <= 64);
    map_fini(&map);
}

static void keys_are_copied_and_may_hold_any_byte(void **state)
{
    struct map map = {0};
    char key[] = "a\0b";

    (void)state;
    map_set(&map, str_n(key, 3), &values[1]);
    map_set(&map, str_n(key, 1), &values[2]);
    map_set(&map, str_c(NULL), &values[3]);
    key[2] = 'x';
    assert_ptr_equal(map_get(&map, str_n("a\0b", 3)), &values[1]);
    assert_ptr_equal(map_get(&map, STR("a")), &values[2]);
    assert_ptr_equal(map_get(&map, STR("")), &values[3]);
    assert_ptr_equal(map_get(&map, str_c(NULL)), &values[3]);
    map_fini(&map);
}

static void a_walk_sees_each_once_and_may_remove_it(void **state)
{
    struct map map = {0};
    size_t cursor = 0;
    int seen = 0;
    char text[16];
    tr_str key;
    void *value;

    (void)state;
    assert_false(map_next(&map, &cursor, &key, &value));
    for (int i = 0; i < MANY; i++)
        map_set(&map, key_of(i, text), &values[i]);
    memset(values, 0, sizeof(values));
    cursor = 0;
    while (map_next(&map, &cursor, &key, &value)) {
        assert_int_equal(*(char *)value, 0);
        *(char *)value = 1;
        assert_ptr_equal(map_remove(&map, key), value);
        seen++;
    }
    assert_int_equal(seen, MANY);
    assert_int_equal(map.count, 0);
    map_fini(&map);
    map_fini(&map);
}

static void a_stable_hash_is_the_same_for_ever(void **state)
{
    (void)state;
    assert_int_equal(hash_stable("", 0), 0xcbf29ce484222325u);
    assert_int_equal(hash_stable("a", 1), 0xaf63dc4c8601ec8cu);
    assert_int_equal(hash_stable("foobar", 6), 0x85944171f73967e8u);
    assert_int_equal(hash_sum("", 0), 0x17fb89ee35ed72b0u);
    assert_int_equal(hash_sum("foobar", 6), 0x9f4adba0a8b2b34du);
    assert_int_equal(hash_sum("order-00000001", 14), 0x2ee6185bdbb9cda6u);
}

static void a_hash_tells_lengths_and_bytes_apart(void **state)
{
    static const char zeroes[32];

    (void)state;
    for (size_t len = 0; len < 31; len++)
        assert_true(hash_bytes(zeroes, len) != hash_bytes(zeroes, len + 1));
    assert_true(hash_bytes("12345678a", 9) != hash_bytes("12345678b", 9));
    assert_int_equal(hash_bytes("12345678a", 9), hash_bytes("12345678a", 9));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_set_is_found),
        cmocka_unit_test(setting_again_gives_what_was_there),
        cmocka_unit_test(a_removed_key_is_gone_and_others_stay),
        cmocka_unit_test(keys_that_come_and_go_do_not_make_it_grow),
        cmocka_unit_test(keys_are_copied_and_may_hold_any_byte),
        cmocka_unit_test(a_walk_sees_each_once_and_may_remove_it),
        cmocka_unit_test(a_stable_hash_is_the_same_for_ever),
        cmocka_unit_test(a_hash_tells_lengths_and_bytes_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
