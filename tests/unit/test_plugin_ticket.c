/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tickets, without a plugin: who may settle what, and when a batch's memory goes back.
 */
#include "base/mem.h"
#include "base/str.h"
#include "plugin/ticket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static struct tickets tickets;

static int set_up(void **state)
{
    (void)state;
    tickets_init(&tickets);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tickets_fini(&tickets);
    return 0;
}

static tr_ticket open_job(struct job *job, uint32_t count)
{
    *job = (struct job){.batch.count = count};
    assert_true(tickets_open(&tickets, job));
    return job->batch.ticket;
}

static tr_status complete(tr_ticket ticket, tr_outcome outcome, struct job **ret_ready)
{
    outcome.size = sizeof(outcome);
    return tickets_complete(&tickets, ticket, &outcome, ret_ready);
}

static void an_outcome_before_process_returns_waits_for_it(void **state)
{
    struct job job, *ready = &job;
    bool ignored = true;
    tr_ticket ticket = open_job(&job, 1);

    (void)state;
    assert_int_equal(complete(ticket, (tr_outcome){.status = TR_REJECT}, &ready), TR_OK);
    assert_null(ready);
    assert_true(tickets_hold(&tickets, &job));
    ready = tickets_returned(&tickets, &job, TR_PENDING, NULL, &ignored);
    assert_ptr_equal(ready, &job);
    assert_false(ignored);
    assert_int_equal(job.status, TR_REJECT);
    assert_false(tickets_hold(&tickets, &job));
}

static void an_outcome_after_process_returned_hands_the_job_back(void **state)
{
    struct job job, *ready = NULL;
    bool ignored;
    tr_ticket ticket = open_job(&job, 1);

    (void)state;
    assert_null(tickets_returned(&tickets, &job, TR_PENDING, NULL, &ignored));
    assert_int_equal(tickets_count(&tickets), 1);
    assert_int_equal(
        complete(ticket, (tr_outcome){.retry_after_ms = 5, .status = TR_RETRY}, &ready), TR_OK);
    assert_ptr_equal(ready, &job);
    assert_int_equal(job.retry_after_ms, 5);
    assert_int_equal(tickets_count(&tickets), 0);
}

static void a_settled_ticket_is_stale(void **state)
{
    struct job job, *ready;
    tr_ticket ticket = open_job(&job, 1);

    (void)state;
    assert_int_equal(complete(ticket, (tr_outcome){.message = STR("first")}, &ready), TR_OK);
    assert_int_equal(complete(ticket, (tr_outcome){.status = TR_REJECT}, &ready), TR_ESTALE);
    assert_null(ready);
    assert_int_equal(job.status, TR_OK);
    assert_string_equal(job.message, "first");
}

static void a_ticket_that_never_was_is_stale(void **state)
{
    struct job job, *ready;
    tr_ticket ticket = open_job(&job, 1);

    (void)state;
    assert_int_equal(complete(0, (tr_outcome){0}, &ready), TR_ESTALE);
    assert_int_equal(complete(ticket + 1, (tr_outcome){0}, &ready), TR_ESTALE);
    assert_int_equal(complete(ticket + TICKETS_MAX, (tr_outcome){0}, &ready), TR_ESTALE);
    assert_int_equal(complete(UINT64_MAX, (tr_outcome){0}, &ready), TR_ESTALE);
}

static void an_outcome_that_the_batch_does_not_allow_leaves_it_open(void **state)
{
    const int32_t items[] = {TR_OK, TR_RETRY}, bad[] = {TR_OK, TR_FATAL};
    struct job job, *ready;
    tr_ticket ticket = open_job(&job, 2);
    tr_outcome outcomes[] = {
        {.status = TR_PENDING},
        {.status = -1},
        {.status = 5},
        {.items_count = 1, .items = items},
        {.items_count = 3, .items = items},
        {.items_count = 2},
        {.items_count = 2, .items = bad},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++)
        assert_int_equal(complete(ticket, outcomes[i], &ready), TR_EINVAL);
    assert_true(tickets_hold(&tickets, &job));
    assert_int_equal(complete(ticket, (tr_outcome){.items_count = 2, .items = items}, &ready),
                     TR_OK);
    assert_int_equal(job.items[1], TR_RETRY);
    job_fini(&job);
}

static void the_second_outcome_is_dropped_and_reported(void **state)
{
    tr_outcome second = {.size = sizeof(second), .message = STR("second")};
    struct job job, *ready;
    bool ignored = false;
    tr_ticket ticket = open_job(&job, 1);

    (void)state;
    complete(ticket, (tr_outcome){.status = TR_RETRY, .message = STR("first")}, &ready);
    assert_ptr_equal(tickets_returned(&tickets, &job, TR_OK, &second, &ignored), &job);
    assert_true(ignored);
    assert_int_equal(job.status, TR_RETRY);
    assert_string_equal(job.message, "first");
}

static void an_older_plugins_shorter_outcome_is_read_as_far_as_it_goes(void **state)
{
    tr_outcome outcome = {.size = offsetof(tr_outcome, retry_after_ms),
                          .status = TR_RETRY,
                          .retry_after_ms = 99,
                          .items_count = 77,
                          .message = STR("no")};
    struct job job, *ready;
    tr_ticket ticket = open_job(&job, 1);

    (void)state;
    assert_int_equal(tickets_complete(&tickets, ticket, &outcome, &ready), TR_OK);
    assert_int_equal(job.status, TR_RETRY);
    assert_int_equal(job.retry_after_ms, 0);
    assert_string_equal(job.message, "");
}

static void a_long_message_is_cut(void **state)
{
    char text[1000];
    struct job job, *ready;
    tr_ticket ticket = open_job(&job, 1);

    (void)state;
    memset(text, 'x', sizeof(text));
    complete(ticket, (tr_outcome){.message = str_n(text, sizeof(text))}, &ready);
    assert_int_equal(strlen(job.message), sizeof(job.message) - 1);
}

static void each_change_may_have_a_message_of_its_own(void **state)
{
    const int32_t items[] = {TR_REJECT, TR_OK, TR_REJECT, TR_REJECT};
    char text[1000] = "gone with the call";
    const tr_str messages[] = {{text, 18}, {NULL, 0}, STR("short"), {text + 18, 900}};
    struct job job, *ready;
    tr_ticket ticket = open_job(&job, 4);

    (void)state;
    memset(text + 18, 'x', 900);
    complete(ticket,
             (tr_outcome){.status = TR_REJECT,
                          .items_count = 4,
                          .items = items,
                          .message = STR("all"),
                          .messages = messages},
             &ready);
    memset(text, '-', sizeof(text));
    assert_string_equal(job_message(&job, 0), "gone with the call");
    assert_string_equal(job_message(&job, 1), "all");
    assert_string_equal(job_message(&job, 2), "short");
    assert_int_equal(strlen(job_message(&job, 3)), sizeof(job.message) - 1);
    job_fini(&job);
}

static void messages_are_read_beside_items_alone(void **state)
{
    const int32_t items[] = {TR_REJECT};
    const tr_str messages[] = {STR("own")};
    tr_outcome outcome = {.size = offsetof(tr_outcome, messages),
                          .status = TR_REJECT,
                          .items_count = 1,
                          .items = items,
                          .message = STR("all"),
                          .messages = messages};
    struct job job, *ready;
    tr_ticket ticket = open_job(&job, 1);

    (void)state;
    /* A plugin of 1.0 has no such field. */
    assert_int_equal(tickets_complete(&tickets, ticket, &outcome, &ready), TR_OK);
    assert_string_equal(job_message(&job, 0), "all");
    job_fini(&job);
    ticket = open_job(&job, 1);
    complete(ticket,
             (tr_outcome){.status = TR_REJECT, .message = STR("all"), .messages = messages},
             &ready);
    assert_string_equal(job_message(&job, 0), "all");
    job_fini(&job);
}

static void a_number_never_comes_twice(void **state)
{
    struct job job, *ready;
    tr_ticket last = 0;

    (void)state;
    for (int i = 0; i < 5000; i++) {
        tr_ticket ticket = open_job(&job, 1);
        assert_true(ticket > last);
        last = ticket;
        complete(ticket, (tr_outcome){0}, &ready);
        assert_int_equal(complete(ticket, (tr_outcome){0}, &ready), TR_ESTALE);
    }
}

static void no_more_are_open_than_there_is_room_for(void **state)
{
    struct job *jobs = mem_new_array(struct job, TICKETS_MAX), more = {0}, *ready;

    (void)state;
    for (int i = 0; i < TICKETS_MAX; i++)
        assert_true(tickets_open(&tickets, &jobs[i]));
    assert_false(tickets_open(&tickets, &more));
    assert_int_equal(tickets_count(&tickets), TICKETS_MAX);
    complete(jobs[500].batch.ticket, (tr_outcome){0}, &ready);
    assert_true(tickets_open(&tickets, &more));
    assert_true(more.batch.ticket > jobs[TICKETS_MAX - 1].batch.ticket);
    free(jobs);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_outcome_before_process_returns_waits_for_it),
        TEST(an_outcome_after_process_returned_hands_the_job_back),
        TEST(a_settled_ticket_is_stale),
        TEST(a_ticket_that_never_was_is_stale),
        TEST(an_outcome_that_the_batch_does_not_allow_leaves_it_open),
        TEST(the_second_outcome_is_dropped_and_reported),
        TEST(an_older_plugins_shorter_outcome_is_read_as_far_as_it_goes),
        TEST(a_long_message_is_cut),
        TEST(each_change_may_have_a_message_of_its_own),
        TEST(messages_are_read_beside_items_alone),
        TEST(a_number_never_comes_twice),
        TEST(no_more_are_open_than_there_is_room_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
