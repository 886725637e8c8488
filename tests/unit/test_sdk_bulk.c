/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bulk machinery of the SDK: which changes a group has, how refused ones are found, and
 * what the host is told in the end.
 */
#include <tailrace/bulk.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { MOST = 300 };

static tr_change changes[MOST];
static tr_batch batch;
static tr_bulk bulk;

/* One change a letter: the documents' ids. */
static void begin(const char *ids, uint32_t flags)
{
    batch = (tr_batch){.size = sizeof(batch),
                       .ticket = 7,
                       .changes = changes,
                       .count = (uint32_t)strlen(ids),
                       .stride = sizeof(changes[0])};
    for (uint32_t i = 0; i < batch.count; i++)
        changes[i] = (tr_change){.id = tr_str_n(ids + i, 1)};
    assert_int_equal(tr_bulk_init(&bulk, &batch, flags), TR_OK);
}

static int tear_down(void **state)
{
    (void)state;
    tr_bulk_fini(&bulk);
    return 0;
}

/* The places of the next group, as letters from 'a' on. */
static const char *next(void)
{
    static char shown[MOST + 1];

    (void)tr_bulk_next(&bulk, 0);
    for (uint32_t k = 0; k < bulk.group_count; k++)
        shown[k] = (char)('a' + bulk.group[k]);
    shown[bulk.group_count] = '\0';
    return shown;
}

static tr_outcome finish(void)
{
    tr_outcome outcome = {.size = sizeof(outcome)};
    tr_status status = tr_bulk_finish(&bulk, &outcome);

    assert_int_equal(status, outcome.status);
    return outcome;
}

static void all_that_is_taken_needs_no_items(void **state)
{
    tr_outcome outcome;

    (void)state;
    begin("abc", 0);
    assert_string_equal(next(), "abc");
    tr_bulk_accept_group(&bulk);
    assert_string_equal(next(), "");
    outcome = finish();
    assert_int_equal(outcome.status, TR_OK);
    assert_int_equal(outcome.items_count, 0);
}

static void nothing_taken_is_the_batchs_failure(void **state)
{
    tr_outcome outcome;

    (void)state;
    begin("abc", 0);
    assert_string_equal(next(), "abc");
    tr_bulk_fail(&bulk, 5, "down");
    tr_bulk_fail(&bulk, 3, "still %s", "down");
    assert_string_equal(next(), "");
    outcome = finish();
    assert_int_equal(outcome.status, TR_RETRY);
    assert_int_equal(outcome.items_count, 0);
    assert_int_equal(outcome.retry_after_ms, 5);
    assert_true(tr_str_eq(outcome.message, TR_STR("still down")));
}

static void each_reject_has_its_reason(void **state)
{
    tr_outcome outcome;

    (void)state;
    begin("abcd", 0);
    assert_string_equal(next(), "abcd");
    tr_bulk_accept(&bulk, 0);
    tr_bulk_reject(&bulk, 1, "no %s", "title");
    tr_bulk_reject(&bulk, 3, "two\nlines");
    tr_bulk_reject(&bulk, 3, "the first word counts");
    tr_bulk_accept(&bulk, 3);
    tr_bulk_fail(&bulk, 0, "down");
    outcome = finish();
    assert_int_equal(outcome.status, TR_RETRY);
    assert_int_equal(outcome.items_count, 4);
    assert_int_equal(outcome.items[0], TR_OK);
    assert_int_equal(outcome.items[1], TR_REJECT);
    assert_int_equal(outcome.items[2], TR_RETRY);
    assert_int_equal(outcome.items[3], TR_REJECT);
    assert_true(tr_str_eq(outcome.messages[1], TR_STR("no title")));
    assert_int_equal(outcome.messages[2].len, 0);
    assert_true(tr_str_eq(outcome.messages[3], TR_STR("two lines")));
    assert_true(tr_str_eq(outcome.message, TR_STR("down")));
}

static void an_older_host_gets_the_first_reason(void **state)
{
    tr_outcome outcome = {.size = offsetof(tr_outcome, messages)};

    (void)state;
    begin("ab", 0);
    tr_bulk_accept(&bulk, 0);
    tr_bulk_reject(&bulk, 1, "bad");
    assert_int_equal(tr_bulk_finish(&bulk, &outcome), TR_REJECT);
    assert_true(tr_str_eq(outcome.message, TR_STR("bad")));
    assert_null(outcome.messages);
}

static void a_long_reason_ends_with_a_whole_character(void **state)
{
    char text[600] = "";

    (void)state;
    for (int i = 0; i < 150; i++)
        strcat(text, "\xe2\x82\xac");
    begin("a", 0);
    tr_bulk_reject(&bulk, 0, "x%s", text);
    assert_int_equal(tr_bulk_reason(&bulk, 0).len, 1 + 84 * 3);
}

static void of_several_changes_of_a_document_the_last_goes(void **state)
{
    (void)state;
    begin("xyxzx", TR_BULK_LATEST);
    assert_string_equal(next(), "bde");
    tr_bulk_accept(&bulk, 4);
    assert_false(tr_bulk_is_open(&bulk, 0));
    assert_false(tr_bulk_is_open(&bulk, 2));
    assert_int_equal(bulk.settled, 3);
    assert_string_equal(next(), "bd");
    begin("xyxzx", 0);
    assert_string_equal(next(), "abcde");
    tr_bulk_accept(&bulk, 4);
    assert_true(tr_bulk_is_open(&bulk, 2));
}

static void a_last_one_that_is_refused_lets_the_one_before_go(void **state)
{
    (void)state;
    begin("xxx", TR_BULK_LATEST);
    assert_string_equal(next(), "c");
    tr_bulk_reject(&bulk, 2, "bad");
    assert_string_equal(next(), "b");
    tr_bulk_accept(&bulk, 1);
    assert_string_equal(next(), "");
    assert_int_equal(bulk.settled, 3);
    assert_int_equal(bulk.rejected, 1);
}

static void changes_are_found_by_their_ids(void **state)
{
    const tr_bulk_key *key;
    uint32_t count;

    (void)state;
    begin("byxbab", 0);
    key = tr_bulk_find(&bulk, TR_STR("b"), &count);
    assert_int_equal(count, 3);
    assert_int_equal(key[0].i, 0);
    assert_int_equal(key[1].i, 3);
    assert_int_equal(key[2].i, 5);
    assert_null(tr_bulk_find(&bulk, TR_STR("c"), &count));
    assert_null(tr_bulk_find(&bulk, TR_STR("bb"), &count));
    assert_null(tr_bulk_find(&bulk, tr_str_n(NULL, 0), &count));
    assert_int_equal(count, 0);
}

/* A sink that refuses a group as a whole if one of `bad` is in it. */
static uint32_t write_all(const uint8_t *bad)
{
    uint32_t writes = 0;

    while (tr_bulk_next(&bulk, 0)) {
        bool refused = false;
        writes++;
        for (uint32_t k = 0; k < bulk.group_count; k++)
            refused |= bad[bulk.group[k]];
        if (refused)
            tr_bulk_refuse_group(&bulk, "bad");
        else
            tr_bulk_accept_group(&bulk);
    }
    return writes;
}

static void halving_finds_each_bad_one_and_no_other(void **state)
{
    char ids[MOST + 1] = "";
    uint8_t bad[MOST] = {0};
    uint32_t writes;

    (void)state;
    memset(ids, 'x', MOST);
    bad[0] = bad[17] = bad[18] = bad[MOST - 1] = 1;
    begin(ids, 0);
    writes = write_all(bad);
    assert_int_equal(bulk.settled, MOST);
    assert_int_equal(bulk.rejected, 4);
    for (uint32_t i = 0; i < MOST; i++)
        assert_int_equal(bulk.outcomes[i], bad[i] ? TR_REJECT : TR_OK);
    assert_true(writes < 80);
}

static void a_limit_of_the_sink_is_kept(void **state)
{
    (void)state;
    begin("abcdefg", 0);
    assert_true(tr_bulk_next(&bulk, 3));
    assert_int_equal(bulk.group_count, 3);
    assert_true(tr_bulk_halve(&bulk));
    assert_true(tr_bulk_next(&bulk, 3));
    assert_int_equal(bulk.group_count, 1);
    assert_false(tr_bulk_halve(&bulk));
}

static void one_serves_batch_after_batch(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        begin(round == 1 ? "abcdefgh" : "ab", 0);
        tr_bulk_reject(&bulk, 0, "round %d", round);
        assert_int_equal(tr_bulk_reason(&bulk, 1).len, 0);
        assert_int_equal(finish().items_count, batch.count);
    }
}

static tr_outcome told;
static tr_ticket told_of;

static tr_status hear(const tr_host *host, tr_ticket ticket, const tr_outcome *outcome)
{
    (void)host;
    told = *outcome;
    told_of = ticket;
    return TR_OK;
}

static void a_batch_in_hand_is_completed(void **state)
{
    const tr_host host = {.size = sizeof(host), .complete = hear};

    (void)state;
    begin("ab", 0);
    tr_bulk_accept(&bulk, 0);
    tr_bulk_reject(&bulk, 1, "bad");
    assert_int_equal(tr_bulk_complete(&bulk, &host), TR_OK);
    assert_int_equal(told_of, 7);
    assert_int_equal(told.status, TR_REJECT);
    assert_true(tr_str_eq(told.messages[1], TR_STR("bad")));
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_that_is_taken_needs_no_items),
        TEST(nothing_taken_is_the_batchs_failure),
        TEST(each_reject_has_its_reason),
        TEST(an_older_host_gets_the_first_reason),
        TEST(a_long_reason_ends_with_a_whole_character),
        TEST(of_several_changes_of_a_document_the_last_goes),
        TEST(a_last_one_that_is_refused_lets_the_one_before_go),
        TEST(changes_are_found_by_their_ids),
        TEST(halving_finds_each_bad_one_and_no_other),
        TEST(a_limit_of_the_sink_is_kept),
        TEST(one_serves_batch_after_batch),
        TEST(a_batch_in_hand_is_completed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
