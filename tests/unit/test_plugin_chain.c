/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A rule's transforms: what the plugin sees of a batch that went through them, and what comes
 * back as the outcome of the batch. The plugin is tests/plugins/transform.c, which refuses all
 * that it sees and says what it saw.
 */
#include "plugin/chain.h"
#include "plugin/passage.h"
#include "test_plugin_lib.h"
#include "json/doc.h"

#define ROW(id) "{\"id\":\"" id "\",\"doc\":{\"v\":1},\"x\":2}"

static void fill(struct delivery *d, uint32_t count, const char *const *ids)
{
    delivery_fill(d, count, 1);
    for (uint32_t i = 0; i < count; i++) {
        static char rows[8][64];

        snprintf(rows[i], sizeof(rows[i]), ROW("%s"), ids[i]);
        d->changes[i].raw = str_c(rows[i]);
        d->changes[i].id = str_c(ids[i]);
        d->changes[i].doc = str_n(strchr(rows[i] + 1, '{'), strlen("{\"v\":1}"));
        d->changes[i].flags = TR_CHANGE_HAS_DOC;
    }
}

static void settle(struct bench *b, struct delivery *d)
{
    assert_true(instance_submit(b->instance, &d->job));
    bench_until(b, &d->done, 1);
}

#define SETTLE(b, d, ...)                                                                      \
    do {                                                                                       \
        static const char *const ids_[] = {__VA_ARGS__};                                       \
        fill(d, sizeof(ids_) / sizeof(ids_[0]), ids_);                                         \
        settle(b, d);                                                                          \
    } while (0)

static void each_transform_sees_what_the_one_before_it_left(void **state)
{
    struct bench b = {.transforms = 3};
    struct delivery d;

    (void)state;
    bench_start(&b, "transform", "");
    SETTLE(&b, &d, "a", "same");
    assert_string_equal(job_message(&d.job, 0),
                        "{\"id\":\"a\",\"doc\":{\"v\":1,\"passes\":3},\"x\":2}");
    assert_string_equal(job_message(&d.job, 1), ROW("same"));
    job_fini(&d.job);
    bench_end(&b);
}

static void what_a_transform_settles_the_plugin_never_sees(void **state)
{
    struct bench b = {.transforms = 2};
    struct delivery d;

    (void)state;
    bench_start(&b, "transform", "");
    SETTLE(&b, &d, "skip", "a", "refuse", "same", "skip");
    assert_int_equal(d.job.items[0], TR_SKIP);
    assert_int_equal(d.job.items[1], TR_REJECT);
    assert_int_equal(d.job.items[2], TR_REJECT);
    assert_int_equal(d.job.items[3], TR_REJECT);
    assert_int_equal(d.job.items[4], TR_SKIP);
    assert_string_equal(job_message(&d.job, 1),
                        "{\"id\":\"a\",\"doc\":{\"v\":1,\"passes\":2},\"x\":2}");
    assert_string_equal(job_message(&d.job, 2), "transform transform: not this one");
    assert_string_equal(job_message(&d.job, 3), ROW("same"));
    assert_false(d.job.undecided);
    job_fini(&d.job);
    bench_end(&b);
}

static void a_batch_of_which_nothing_is_left_is_settled_without_the_plugin(void **state)
{
    struct bench b = {.transforms = 1};
    struct delivery d;

    (void)state;
    bench_start(&b, "transform", "");
    SETTLE(&b, &d, "skip", "skip");
    assert_int_equal(d.job.status, TR_OK);
    assert_int_equal(d.job.items[0], TR_SKIP);
    assert_int_equal(d.job.items[1], TR_SKIP);
    job_fini(&d.job);
    bench_end(&b);
}

static void a_transform_that_asks_for_patience_sends_all_back(void **state)
{
    struct bench b = {.transforms = 1};
    struct delivery d;

    (void)state;
    bench_start(&b, "transform", "");
    SETTLE(&b, &d, "skip", "later", "refuse");
    assert_outcome(&d, TR_RETRY, "transform transform: not now");
    assert_null(d.job.items);
    job_fini(&d.job);
    bench_end(&b);
}

static void a_broken_transform_breaks_the_rule(void **state)
{
    struct bench b = {.transforms = 1};
    struct delivery d;

    (void)state;
    bench_start(&b, "transform", "");
    SETTLE(&b, &d, "skip", "broken");
    assert_outcome(&d, TR_FATAL, "transform transform: it is broken");
    job_fini(&d.job);
    SETTLE(&b, &d, "a");
    assert_int_equal(d.job.status, TR_RETRY);
    job_fini(&d.job);
    bench_end(&b);
}

static void a_transform_that_returns_nonsense_breaks_the_rule(void **state)
{
    struct bench b = {.transforms = 1};
    struct delivery d;

    (void)state;
    bench_start(&b, "transform", "");
    SETTLE(&b, &d, "odd");
    assert_outcome(&d, TR_FATAL,
                   "transform transform: transform() returned 77, which it must not");
    job_fini(&d.job);
    bench_end(&b);
}

static void a_document_that_is_none_is_refused(void **state)
{
    static const char *const ids[] = {"a"};
    struct bench b = {.transforms = 1};
    struct delivery d;

    (void)state;
    bench_start(&b, "transform", "");
    fill(&d, 1, ids);
    d.changes[0].doc = STR("");
    settle(&b, &d);
    assert_int_equal(d.job.items[0], TR_REJECT);
    assert_string_equal(job_message(&d.job, 0), "transform transform: there is no document");
    job_fini(&d.job);
    bench_end(&b);
}

static void an_exception_is_a_dead_letter_of_that_change(void **state)
{
    struct bench b = {.transforms = 1, .transform_name = "cxx_transform"};
    struct delivery d;

    (void)state;
    bench_start(&b, "sync", "");
    SETTLE(&b, &d, "skip", "throw", "a");
    assert_int_equal(d.job.items[0], TR_SKIP);
    assert_int_equal(d.job.items[1], TR_REJECT);
    assert_int_equal(d.job.items[2], TR_OK);
    assert_string_equal(job_message(&d.job, 1), "transform cxx_transform: thrown by transform");
    job_fini(&d.job);
    SETTLE(&b, &d, "fail");
    assert_outcome(&d, TR_FATAL, "transform cxx_transform: thrown as a verdict");
    job_fini(&d.job);
    bench_end(&b);
}

/* ---- merging, without a plugin ---- */

static struct passage *middle_one_skipped(struct job *job, tr_change *changes)
{
    struct passage *passage;
    struct json_doc doc;
    struct arena arena;

    *job = (struct job){.batch = {.changes = changes, .count = 3, .stride = sizeof(*changes)}};
    arena_init(&arena, 64);
    json_doc_init(&doc, STR(""), &arena);
    passage = passage_new(&job->batch);
    passage_add(passage, 0, &changes[0], &doc);
    passage_settle(passage, 1, TR_SKIP, "");
    passage_add(passage, 2, &changes[2], &doc);
    job->passage = passage;
    arena_fini(&arena);
    return passage;
}

static void a_verdict_on_all_says_nothing_of_each(void **state)
{
    tr_change changes[3] = {{.attempt = 1}};
    struct job job;

    (void)state;
    middle_one_skipped(&job, changes);
    job.status = TR_REJECT;
    passage_merge(&job);
    assert_true(job.undecided);
    assert_int_equal(job.items[0], TR_RETRY);
    assert_int_equal(job.items[1], TR_SKIP);
    assert_int_equal(job.items[2], TR_RETRY);
    job_fini(&job);
}

static void an_ok_for_all_is_one_for_each(void **state)
{
    tr_change changes[3] = {{.attempt = 1}};
    struct job job;

    (void)state;
    middle_one_skipped(&job, changes);
    passage_merge(&job);
    assert_false(job.undecided);
    assert_int_equal(job.items[0], TR_OK);
    assert_int_equal(job.items[1], TR_SKIP);
    assert_int_equal(job.items[2], TR_OK);
    job_fini(&job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_transform_sees_what_the_one_before_it_left),
        cmocka_unit_test(what_a_transform_settles_the_plugin_never_sees),
        cmocka_unit_test(a_batch_of_which_nothing_is_left_is_settled_without_the_plugin),
        cmocka_unit_test(a_transform_that_asks_for_patience_sends_all_back),
        cmocka_unit_test(a_broken_transform_breaks_the_rule),
        cmocka_unit_test(a_transform_that_returns_nonsense_breaks_the_rule),
        cmocka_unit_test(a_document_that_is_none_is_refused),
        cmocka_unit_test(an_exception_is_a_dead_letter_of_that_change),
        cmocka_unit_test(a_verdict_on_all_says_nothing_of_each),
        cmocka_unit_test(an_ok_for_all_is_one_for_each),
    };

    return cmocka_run_group_tests(tests, place_begin, place_end);
}
