/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entries by their keys: the order is that of str_cmp(), whatever the keys have in common.
 */
#include "base/mem.h"
#include "store/order.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void assert_ordered(const struct store_state_entry *entries, size_t count)
{
    struct order_item *order = order_entries(entries, count);

    for (size_t i = 1; i < count; i++)
        assert_true(str_cmp(order[i - 1].entry->key, order[i].entry->key) < 0);
    free(order);
}

static void keys_that_begin_alike_are_in_order(void **state)
{
    static const char text[] = "order-000000000000000000";
    struct store_state_entry entries[sizeof(text)];

    (void)state;
    for (size_t i = 0; i < sizeof(text); i++)
        entries[i] = (struct store_state_entry){.key = str_n(text, sizeof(text) - 1 - i)};
    assert_ordered(entries, sizeof(text) - 1);
    assert_ordered(entries, 1);
    assert_ordered(entries, 0);
}

static void bytes_of_any_kind_are_in_order(void **state)
{
    enum { COUNT = 4096, LEN = 13 };
    static char bytes[COUNT][LEN];
    static struct store_state_entry entries[COUNT];

    (void)state;
    /* Six digits of 0x00, 0x01, 0x80 or 0xff behind one to six zeros, and how many these are.
     */
    for (unsigned i = 0; i < COUNT; i++) {
        unsigned number = i * 2654435761u % COUNT, start = number % 6 + 1;
        for (unsigned k = 0; k < 6; k++)
            bytes[i][start + k] = "\x00\x01\x80\xff"[number >> 2 * k & 3];
        bytes[i][LEN - 1] = (char)start;
        entries[i].key = str_n(bytes[i], LEN);
    }
    assert_ordered(entries, COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_that_begin_alike_are_in_order),
        cmocka_unit_test(bytes_of_any_kind_are_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
