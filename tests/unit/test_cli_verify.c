/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `tailrace verify`: the spool that holds more documents than memory should, and the list of
 * those that are shown. The command is a program and no library, so its files are compiled
 * into this test.
 */
#include "cli/verify_list.c"
#include "cli/verify_spool.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* ---- the spool ---- */

enum { MANY = 60000 };

struct seen {
    int count, both, newer;
};

static void look(void *ctx, const struct spool_entry *entry)
{
    struct seen *seen = ctx;

    seen->count++;
    seen->both += entry->at[REMOTE_SOURCE].there && entry->at[REMOTE_TARGET].there &&
                  entry->at[REMOTE_SOURCE].leaves == entry->at[REMOTE_TARGET].leaves;
    seen->newer += entry->round == 1;
}

static struct seen look_at_all(struct spool *spool)
{
    struct seen seen = {.count = 0};
    struct error error;

    for (unsigned bucket = 0; bucket < SPOOL_BUCKETS; bucket++)
        assert_int_equal(spool_each(spool, bucket, look, &seen, &error), 0);
    return seen;
}

static void add(struct spool *spool, int end, int number, uint64_t leaves, unsigned round)
{
    struct error error;
    char id[64];
    int len = snprintf(id, sizeof(id), "a-document-with-a-rather-long-id-%d", number);

    assert_int_equal(
        spool_add(spool, end, str_n(id, (size_t)len), number % 2, leaves, round, &error), 0);
}

static void documents_meet_in_whatever_order_they_come(void **state)
{
    struct spool *spool = spool_new();
    struct seen seen;

    (void)state;
    for (int i = 0; i < MANY; i++) {
        add(spool, REMOTE_SOURCE, i, (uint64_t)i, 0);
        add(spool, REMOTE_TARGET, (i * 7919 + 13) % MANY, (uint64_t)((i * 7919 + 13) % MANY),
            0);
    }
    assert_true(spool->blocks > 0); /* it is on disk, or this shows nothing               */
    seen = look_at_all(spool);
    assert_int_equal(seen.count, MANY);
    assert_int_equal(seen.both, MANY);
    assert_int_equal(seen.newer, 0);
    spool_free(spool);
}

static void what_is_said_later_holds(void **state)
{
    struct spool *spool = spool_new();
    struct seen seen;

    (void)state;
    add(spool, REMOTE_SOURCE, 1, 5, 0);
    add(spool, REMOTE_TARGET, 1, 7, 0);
    add(spool, REMOTE_TARGET, 2, 7, 0);
    assert_int_equal(look_at_all(spool).both, 0);
    add(spool, REMOTE_TARGET, 1, 5, 1);
    seen = look_at_all(spool);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.both, 1);
    assert_int_equal(seen.newer, 1);
    assert_int_equal(spool->blocks, 0);
    spool_free(spool);
}

static void an_id_may_be_longer_than_a_block(void **state)
{
    struct spool *spool = spool_new();
    struct buf id = {0};
    struct error error;
    struct seen seen;

    (void)state;
    memset(buf_reserve(&id, 3 * BLOCK), 'x', 3 * BLOCK);
    id.len = 3 * BLOCK;
    for (int end = 0; end < REMOTES; end++)
        assert_int_equal(spool_add(spool, end, buf_str(&id), false, 1, 0, &error), 0);
    seen = look_at_all(spool);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.both, 1);
    spool_free(spool);
    buf_fini(&id);
}

static void a_folder_that_cannot_be_written_is_told_of(void **state)
{
    struct spool *spool = spool_new();
    struct error error = {0};
    int rc = 0;

    (void)state;
    setenv("TMPDIR", "/nowhere/at/all", 1);
    for (int i = 0; rc == 0 && i < MANY; i++)
        rc = spool_add(spool, 0, STR("the same"), false, 1, 0, &error);
    unsetenv("TMPDIR");
    assert_int_equal(rc, ERR_CANTCREAT);
    assert_non_null(strstr(error.text, "TMPDIR"));
    spool_free(spool);
}

/* ---- the list ---- */

static void the_first_ids_are_kept_in_order(void **state)
{
    struct verify_list list = {.limit = 10};
    char id[16];

    (void)state;
    for (int i = 0; i < 1000; i++) {
        int number = (i * 389) % 1000;
        snprintf(id, sizeof(id), "%03d", number);
        verify_list_offer(&list, str_c(id), number);
    }
    verify_list_sort(&list);
    assert_int_equal(list.count, 10);
    for (int i = 0; i < 10; i++)
        assert_int_equal(list.items[i].tag, i);
    verify_list_clear(&list);
}

static void a_list_of_none_stays_empty(void **state)
{
    struct verify_list list = {.limit = 0};

    (void)state;
    verify_list_offer(&list, STR("x"), 0);
    verify_list_sort(&list);
    assert_int_equal(list.count, 0);
    verify_list_clear(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_meet_in_whatever_order_they_come),
        cmocka_unit_test(what_is_said_later_holds),
        cmocka_unit_test(an_id_may_be_longer_than_a_block),
        cmocka_unit_test(a_folder_that_cannot_be_written_is_told_of),
        cmocka_unit_test(the_first_ids_are_kept_in_order),
        cmocka_unit_test(a_list_of_none_stays_empty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
