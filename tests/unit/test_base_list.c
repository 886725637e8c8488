/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists: joining, leaving, walking, moving.
 */
#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct item {
    int number;
    struct list link;
};

static struct list head;
static struct item items[5];

static int set_up(void **state)
{
    (void)state;
    list_init(&head);
    for (int i = 0; i < 5; i++) {
        items[i].number = i;
        list_push_back(&head, &items[i].link);
    }
    return 0;
}

/* The numbers of a list as digits of one number, so that 12 is 1, then 2; and backwards. */
static void assert_list(const struct list *list, int digits)
{
    int forth = 0, back = 0, place = 1;

    for (const struct list *it = list->next; it != list; it = it->next)
        forth = forth * 10 + list_entry(it, struct item, link)->number;
    for (const struct list *it = list->prev; it != list; it = it->prev, place *= 10)
        back += place * list_entry(it, struct item, link)->number;
    assert_int_equal(forth, digits);
    assert_int_equal(back, digits);
}

static void links_stand_in_the_order_in_which_they_joined(void **state)
{
    struct list other;

    (void)state;
    assert_list(&head, 1234);
    list_init(&other);
    assert_true(list_empty(&other));
    for (int i = 1; i < 4; i++) {
        list_remove(&items[i].link);
        list_push_front(&other, &items[i].link);
    }
    assert_list(&other, 321);
    assert_list(&head, 4);
}

static void leaving_twice_is_harmless(void **state)
{
    (void)state;
    list_remove(&items[2].link);
    list_remove(&items[2].link);
    assert_list(&head, 134);
    assert_true(list_empty(&items[2].link));
}

static void a_walk_may_take_off_what_it_stands_on(void **state)
{
    (void)state;
    list_each_safe (it, &head)
        if (list_entry(it, struct item, link)->number % 2)
            list_remove(it);
    assert_list(&head, 24);
}

static void popping_empties_a_list_from_the_front(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        assert_ptr_equal(list_pop(&head), &items[i].link);
    assert_null(list_pop(&head));
    assert_true(list_empty(&head));
}

static void one_list_is_moved_behind_another(void **state)
{
    struct list other;

    (void)state;
    list_init(&other);
    list_append(&head, &other);
    assert_list(&head, 1234);
    list_append(&other, &head);
    assert_true(list_empty(&head));
    assert_list(&other, 1234);
    list_remove(&items[1].link);
    list_push_back(&head, &items[1].link);
    list_append(&head, &other);
    assert_list(&head, 10234);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(links_stand_in_the_order_in_which_they_joined),
        TEST(leaving_twice_is_harmless),
        TEST(a_walk_may_take_off_what_it_stands_on),
        TEST(popping_empties_a_list_from_the_front),
        TEST(one_list_is_moved_behind_another),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
