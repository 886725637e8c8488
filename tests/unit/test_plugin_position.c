/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking a plugin where a stream begins, and telling it of checkpoints. The plugin is
 * tests/plugins/position.c.
 */
#include "plugin/position.h"
#include "test_plugin_lib.h"

static const tr_place place = {
    .size = sizeof(place), .stream = {"main/db@1", 9}, .seq = {"\"9-z\"", 5}};

struct answer {
    int count;
    char seq[32];
};

static void answered(void *ctx, tr_str seq)
{
    struct answer *answer = ctx;

    snprintf(answer->seq, sizeof(answer->seq), STR_FMT, STR_ARG(seq));
    answer->count++;
}

static struct position_ask *ask(struct bench *b, const char *db, struct answer *answer)
{
    const struct position_question question = {
        .source = STR("main"),
        .db = str_c(db),
        .stream = STR("main/db@1"),
        .seq = STR("\"5-x\""),
        .answered = answered,
        .ctx = answer,
    };

    *answer = (struct answer){.count = 0};
    return instance_ask_position(b->instance, &question);
}

static void assert_answer(struct bench *b, const char *db, const char *expected)
{
    struct answer answer;

    assert_non_null(ask(b, db, &answer));
    bench_until(b, &answer.count, 1);
    assert_string_equal(answer.seq, expected);
}

static void the_plugin_says_where_or_leaves_it_to_the_host(void **state)
{
    struct bench b = {.loop = NULL};

    (void)state;
    bench_start(&b, "position", "");
    assert_true(instance_has_position(b.instance));
    assert_answer(&b, "\"7-y\"", "\"7-y\"");
    assert_answer(&b, "blog", "");
    bench_end(&b);
}

static void a_plugin_without_it_is_not_asked(void **state)
{
    struct bench b = {.loop = NULL};
    struct answer answer;

    (void)state;
    bench_start(&b, "sync", "");
    assert_false(instance_has_position(b.instance));
    assert_null(ask(&b, "blog", &answer));
    instance_settled(b.instance, &place);
    bench_end(&b);
}

static void only_an_answer_that_makes_sense_counts_and_only_once(void **state)
{
    struct bench b = {.loop = NULL};

    (void)state;
    bench_start(&b, "position", "");
    assert_answer(&b, "wrong", "2");
    bench_end(&b);
}

static void checkpoints_are_told_and_an_answer_may_come_later(void **state)
{
    struct bench b = {.loop = NULL};
    struct answer answer;
    struct delivery d;

    (void)state;
    bench_start(&b, "position", "");
    assert_non_null(ask(&b, "later", &answer));
    delivery_settle(&b, &d, 1);
    assert_int_equal(answer.count, 0);
    job_fini(&d.job);
    instance_settled(b.instance, &place);
    bench_until(&b, &answer.count, 1);
    assert_string_equal(answer.seq, "\"later\"");
    delivery_settle(&b, &d, 1);
    assert_outcome(&d, TR_OK, "main/db@1 \"9-z\"");
    job_fini(&d.job);
    bench_end(&b);
}

static void what_is_said_of_a_stream_that_begins_again_is_not_handed_on(void **state)
{
    const tr_place other = {
        .size = sizeof(other), .stream = {"main/other@1", 12}, .seq = {"\"1-o\"", 5}};
    struct bench b = {.loop = NULL};
    struct answer answer;
    struct delivery d;

    (void)state;
    bench_start(&b, "position", "");
    assert_non_null(ask(&b, "again", &answer));
    instance_settled(b.instance, &other); /* of another stream                               */
    instance_settled(b.instance, &place);
    bench_until(&b, &b.agains, 1);
    assert_string_equal(b.again, "main/db@1 \"3-a\"");
    delivery_settle(&b, &d, 1);
    assert_outcome(&d, TR_OK, "main/other@1 \"1-o\"");
    job_fini(&d.job);
    instance_settled(b.instance, &place);
    delivery_settle(&b, &d, 1);
    assert_outcome(&d, TR_OK, "main/db@1 \"9-z\"");
    job_fini(&d.job);
    bench_end(&b);
}

static void one_that_begins_again_as_its_instance_ends_does_not(void **state)
{
    struct bench b = {.loop = NULL};
    struct answer answer;

    (void)state;
    bench_start(&b, "position", "");
    assert_non_null(ask(&b, "again", &answer));
    instance_stop(b.instance, clock_ms() + 10000);
    bench_until(&b, &b.stopped, 1);
    assert_int_equal(b.agains, 0);
    bench_free(&b);
}

static void the_end_answers_what_the_plugin_has_not(void **state)
{
    struct bench b = {.loop = NULL};
    struct answer kept, cancelled;

    (void)state;
    bench_start(&b, "position", "");
    assert_non_null(ask(&b, "never", &kept));
    position_cancel(ask(&b, "never", &cancelled));
    bench_end(&b);
    assert_int_equal(kept.count, 1);
    assert_string_equal(kept.seq, "");
    assert_int_equal(cancelled.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_plugin_says_where_or_leaves_it_to_the_host),
        cmocka_unit_test(a_plugin_without_it_is_not_asked),
        cmocka_unit_test(only_an_answer_that_makes_sense_counts_and_only_once),
        cmocka_unit_test(checkpoints_are_told_and_an_answer_may_come_later),
        cmocka_unit_test(what_is_said_of_a_stream_that_begins_again_is_not_handed_on),
        cmocka_unit_test(one_that_begins_again_as_its_instance_ends_does_not),
        cmocka_unit_test(the_end_answers_what_the_plugin_has_not),
    };

    return cmocka_run_group_tests(tests, place_begin, place_end);
}
