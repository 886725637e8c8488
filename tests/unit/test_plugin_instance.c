/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Instances: starting, batches and their outcomes, late ones, broken ones, the end.
 */
#include "test_plugin_lib.h"

#include "plugin/private.h"

#include <sys/wait.h>

/* ---- the start ---- */

static void a_start_that_fails_is_reported_with_the_plugins_words(void **state)
{
    struct bench b = {0};

    (void)state;
    bench_start(&b, "cxx_throw", "where = \"start\";");
    assert_int_equal(b.error.code, ERR_CONFIG);
    assert_non_null(strstr(b.error.text, "rule rule: plugin cxx_throw: start"));
    assert_non_null(strstr(b.error.text, "thrown by start"));
    bench_end(&b);
}

static void options_that_the_plugin_refuses_fail_the_start(void **state)
{
    struct bench b = {0};

    (void)state;
    bench_start(&b, "cxx_throw", "where = \"configure\";");
    assert_non_null(strstr(b.error.text, "thrown by configure (status -1)"));
    bench_end(&b);
}

static void a_bare_instance_judges_options_without_being_opened(void **state)
{
    struct bench b = {0};
    struct instance_setup setup = {.rule = "rule"};
    struct error error = {0};
    struct instance *bare;

    (void)state;
    bench_start(&b, "cxx_throw", "");
    setup.plugin = b.plugin;
    setup.options = b.options;
    bare = instance_new(&setup);
    assert_int_equal(instance_check(bare, NULL), 0);
    instance_free(bare);
    bench_options(&b, "where = \"check\";");
    setup.options = b.options;
    bare = instance_new(&setup);
    assert_int_equal(instance_check(bare, &error), ERR_CONFIG);
    assert_non_null(strstr(error.text, "check: thrown by check"));
    instance_free(bare);
    bench_end(&b);
}

static void new_options_count_from_the_next_batch_on(void **state)
{
    struct bench b = {0};
    struct delivery d;

    (void)state;
    bench_start(&b, "cxx_throw", "");
    delivery_settle(&b, &d, 1);
    assert_outcome(&d, TR_OK, "nothing thrown");
    bench_options(&b, "where = \"process\";");
    instance_reconfigure(b.instance, b.options);
    bench_until(&b, &b.ready, 2);
    assert_int_equal(b.error.code, 0);
    delivery_settle(&b, &d, 1);
    assert_outcome(&d, TR_FATAL, "thrown by process");
    bench_end(&b);
}

/* ---- outcomes ---- */

static void a_batch_is_settled_by_what_process_returns(void **state)
{
    struct bench b = {0};
    struct delivery d;

    (void)state;
    bench_start(&b, "sync", "");
    delivery_settle(&b, &d, 3);
    assert_outcome(&d, TR_OK, "three");
    assert_null(d.job.items);
    assert_int_equal(instance_inflight(b.instance), 0);
    bench_end(&b);
}

static void a_batch_is_settled_from_a_thread_of_the_plugin(void **state)
{
    struct bench b = {0};
    struct delivery d;

    (void)state;
    bench_start(&b, "async", "");
    for (int i = 0; i < 50; i++) {
        delivery_settle(&b, &d, 1);
        assert_outcome(&d, TR_OK, "from a thread");
    }
    bench_end(&b);
}

static void items_are_copied_before_complete_returns(void **state)
{
    struct bench b = {0};
    struct delivery d;

    (void)state;
    bench_start(&b, "partial", "");
    delivery_settle(&b, &d, 4);
    assert_int_equal(d.job.status, TR_OK);
    assert_int_equal(d.job.items[0], TR_OK);
    assert_int_equal(d.job.items[1], TR_RETRY);
    assert_int_equal(d.job.items[2], TR_REJECT);
    assert_int_equal(d.job.items[3], TR_OK);
    job_fini(&d.job);
    bench_end(&b);
}

static void a_retry_carries_the_sinks_wish(void **state)
{
    struct bench b = {0};
    struct delivery d;

    (void)state;
    bench_start(&b, "retry", "");
    delivery_settle(&b, &d, 1);
    assert_outcome(&d, TR_RETRY, "not the first time");
    assert_int_equal(d.job.retry_after_ms, 250);
    delivery_fill(&d, 1, 2);
    assert_true(instance_submit(b.instance, &d.job));
    bench_until(&b, &d.done, 1);
    assert_int_equal(d.job.status, TR_OK);
    bench_end(&b);
}

static void verdicts_reach_the_host_as_they_are(void **state)
{
    struct bench reject = {0}, fatal = {0};
    struct delivery d;

    (void)state;
    bench_start(&reject, "reject", "");
    delivery_settle(&reject, &d, 1);
    assert_outcome(&d, TR_REJECT, "not this one");
    bench_end(&reject);
    bench_start(&fatal, "fatal", "");
    delivery_settle(&fatal, &d, 1);
    assert_outcome(&d, TR_FATAL, "the disk is gone");
    bench_end(&fatal);
}

static void the_first_of_several_outcomes_counts(void **state)
{
    struct bench b = {0};
    struct delivery d;

    (void)state;
    bench_start(&b, "double_complete", "");
    delivery_settle(&b, &d, 1);
    assert_outcome(&d, TR_OK, "the first call");
    delivery_settle(&b, &d, 1);
    assert_outcome(&d, TR_OK, "the second call was refused");
    bench_end(&b);
}

static void an_outcome_without_sense_is_fatal(void **state)
{
    struct bench b = {0};
    struct delivery d;

    (void)state;
    bench_start(&b, "garbage", "");
    for (uint32_t count = 1; count <= 5; count++) {
        delivery_settle(&b, &d, count);
        assert_int_equal(d.job.status, TR_FATAL);
        assert_non_null(strstr(d.job.message, "does not allow"));
        assert_null(d.job.items);
    }
    bench_end(&b);
}

static void a_message_without_bytes_is_empty(void **state)
{
    struct bench b = {0};
    struct delivery d;

    (void)state;
    bench_start(&b, "garbage", "");
    delivery_settle(&b, &d, 6);
    assert_outcome(&d, TR_OK, "");
    bench_end(&b);
}

static void nonsense_leaves_the_ticket_open_for_a_good_outcome(void **state)
{
    struct bench b = {0};
    struct delivery d;

    (void)state;
    bench_start(&b, "garbage", "");
    delivery_settle(&b, &d, 7);
    assert_int_equal(d.job.status, TR_OK);
    bench_end(&b);
}

static void an_exception_is_fatal_and_says_what_it_was(void **state)
{
    struct bench known = {0}, odd = {0}, verdict = {0};
    struct delivery d;

    (void)state;
    bench_start(&known, "cxx_throw", "where = \"process\";");
    delivery_settle(&known, &d, 1);
    assert_outcome(&d, TR_FATAL, "thrown by process");
    bench_end(&known);
    bench_start(&odd, "cxx_throw", "where = \"odd\";");
    delivery_settle(&odd, &d, 1);
    assert_outcome(&d, TR_FATAL, "an exception that is no std::exception");
    bench_end(&odd);
    bench_start(&verdict, "cxx_throw", "where = \"reject\";");
    delivery_settle(&verdict, &d, 1);
    assert_outcome(&d, TR_REJECT, "thrown as a verdict");
    bench_end(&verdict);
}

static void a_function_called_on_the_wrong_thread_refuses(void **state)
{
    struct bench b = {0};
    struct delivery d;

    (void)state;
    bench_start(&b, "wrong_thread", "");
    delivery_settle(&b, &d, 1);
    assert_outcome(&d, TR_OK, "refused");
    bench_end(&b);
}

/* ---- deadlines ---- */

static void a_batch_that_is_late_is_cancelled(void **state)
{
    struct bench slow = {.timeout_ms = 20}, late = {.timeout_ms = 20};
    struct delivery d;

    (void)state;
    bench_start(&slow, "slow", "");
    delivery_settle(&slow, &d, 1);
    assert_outcome(&d, TR_OK, "slow");
    assert_true(d.job.late);
    assert_int_equal(slow.wedged, 0);
    bench_end(&slow);
    bench_start(&late, "late_complete", "");
    delivery_settle(&late, &d, 1);
    assert_outcome(&d, TR_OK, "late");
    assert_int_equal(late.wedged, 0);
    bench_end(&late);
}

static void a_batch_that_never_comes_back_wedges_the_instance(void **state)
{
    struct bench b = {.timeout_ms = 10, .grace_ms = 10};
    tr_outcome outcome = {.size = sizeof(outcome), .message = STR("after all")};
    struct delivery d;

    (void)state;
    bench_start(&b, "never_complete", "");
    delivery_submit(&b, &d, 1);
    bench_until(&b, &b.wedged, 1);
    assert_int_equal(d.done, 0);
    assert_int_equal(instance_inflight(b.instance), 1);
    /* Its memory was kept for it, so that an outcome is good whenever it comes. */
    assert_int_equal(b.instance->host.complete(&b.instance->host, d.job.batch.ticket, &outcome),
                     TR_OK);
    bench_until(&b, &d.done, 1);
    assert_outcome(&d, TR_OK, "after all");
    bench_end(&b);
}

/* ---- timers ---- */

static void timers_fire_on_the_worker_and_end_with_the_instance(void **state)
{
    struct bench b = {0};
    struct delivery d;

    (void)state;
    bench_start(&b, "timer", "");
    delivery_settle(&b, &d, 1);
    assert_outcome(&d, TR_OK, "by a timer");
    delivery_settle(&b, &d, 1);
    assert_outcome(&d, TR_OK, "by a timer");
    bench_end(&b);
}

/* ---- a flush that takes its time ---- */

static void a_flush_goes_on_until_it_is_done(void **state)
{
    struct bench b = {0};

    (void)state;
    bench_start(&b, "flush", "");
    bench_end(&b); /* the plugin ends the process if it is stopped before */
}

static void a_flush_that_is_never_done_ends_all_the_same(void **state)
{
    struct bench b = {0};

    (void)state;
    bench_start(&b, "flush", "rounds = 0;");
    instance_stop(b.instance, clock_ms() + 500);
    bench_until(&b, &b.stopped, 1);
    bench_free(&b);
}

/* ---- other ABIs, and the worst ---- */

static void a_plugin_of_an_older_abi_runs(void **state)
{
    struct bench b = {0};
    struct delivery d;

    (void)state;
    bench_start(&b, "old_abi", "size = 8;");
    assert_int_equal(b.error.code, 0);
    delivery_settle(&b, &d, 1);
    assert_outcome(&d, TR_OK, "old");
    bench_end(&b);
}

static void a_crash_takes_the_process_down_at_once(void **state)
{
    struct bench b = {0};
    struct delivery d;
    int status = 0;
    pid_t child;

    (void)state;
    child = fork();
    if (child == 0) {
        bench_start(&b, "crash", "");
        delivery_settle(&b, &d, 1);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crash_takes_the_process_down_at_once),
        cmocka_unit_test(a_start_that_fails_is_reported_with_the_plugins_words),
        cmocka_unit_test(options_that_the_plugin_refuses_fail_the_start),
        cmocka_unit_test(a_bare_instance_judges_options_without_being_opened),
        cmocka_unit_test(new_options_count_from_the_next_batch_on),
        cmocka_unit_test(a_batch_is_settled_by_what_process_returns),
        cmocka_unit_test(a_batch_is_settled_from_a_thread_of_the_plugin),
        cmocka_unit_test(items_are_copied_before_complete_returns),
        cmocka_unit_test(a_retry_carries_the_sinks_wish),
        cmocka_unit_test(verdicts_reach_the_host_as_they_are),
        cmocka_unit_test(the_first_of_several_outcomes_counts),
        cmocka_unit_test(an_outcome_without_sense_is_fatal),
        cmocka_unit_test(a_message_without_bytes_is_empty),
        cmocka_unit_test(nonsense_leaves_the_ticket_open_for_a_good_outcome),
        cmocka_unit_test(an_exception_is_fatal_and_says_what_it_was),
        cmocka_unit_test(a_function_called_on_the_wrong_thread_refuses),
        cmocka_unit_test(a_batch_that_is_late_is_cancelled),
        cmocka_unit_test(a_batch_that_never_comes_back_wedges_the_instance),
        cmocka_unit_test(timers_fire_on_the_worker_and_end_with_the_instance),
        cmocka_unit_test(a_flush_goes_on_until_it_is_done),
        cmocka_unit_test(a_flush_that_is_never_done_ends_all_the_same),
        cmocka_unit_test(a_plugin_of_an_older_abi_runs),
    };

    return cmocka_run_group_tests(tests, place_begin, place_end);
}
