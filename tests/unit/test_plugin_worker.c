/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workers: the order of work, work of one owner within a callback, and instances of a plugin
 * that share a worker.
 */
#include "test_plugin_lib.h"

#include "plugin/workers.h"

/* ---- a worker alone ---- */

struct stage {
    struct loop *loop;
    struct worker worker;
    struct task told;
    int done;
    char said[64]; /* worker; read when done                                               */
};

struct step {
    struct work work;
    struct stage *stage;
    const char *begin, *end;
    int nested; /* pieces of its owner that it runs within itself                          */
    bool last;
};

static void stage_told(struct task *task)
{
    list_entry(task, struct stage, told)->done = 1;
}

static void stage_begin(struct stage *stage)
{
    *stage = (struct stage){.told.run = stage_told};
    assert_int_equal(loop_new(&stage->loop, NULL), 0);
    assert_int_equal(worker_start(&stage->worker, "stage", stage->loop, NULL), 0);
}

static void stage_end(struct stage *stage)
{
    int64_t end = clock_ms() + 60000;

    while (!stage->done && clock_ms() < end)
        loop_turn(stage->loop, 50);
    assert_int_equal(stage->done, 1);
    worker_join(&stage->worker);
    loop_free(stage->loop);
}

static void run_step(struct work *work)
{
    struct step *step = list_entry(work, struct step, work);
    struct stage *stage = step->stage;

    strcat(stage->said, step->begin);
    for (int i = 0; i < step->nested; i++)
        worker_run_one(&stage->worker, work->owner);
    strcat(stage->said, step->end);
    if (step->last)
        worker_tell_loop(&stage->worker, &stage->told);
}

static void post(struct stage *stage, struct step *step, const void *owner)
{
    step->stage = stage;
    step->work.run = run_step;
    step->work.owner = owner;
    worker_post(&stage->worker, &step->work);
}

static void work_is_done_in_the_order_in_which_it_came(void **state)
{
    struct step steps[] = {{.begin = "a", .end = " "},
                           {.begin = "b", .end = " "},
                           {.begin = "c", .end = "", .last = true}};
    struct stage stage;
    int a, b;

    (void)state;
    stage_begin(&stage);
    post(&stage, &steps[0], &a);
    post(&stage, &steps[1], &b);
    post(&stage, &steps[2], &a);
    stage_end(&stage);
    assert_string_equal(stage.said, "a b c");
}

static void within_a_callback_only_its_owners_work_is_done(void **state)
{
    struct step steps[] = {{.begin = "a(", .end = ")", .nested = 2},
                           {.begin = "b1", .end = ""},
                           {.begin = "a1", .end = ""},
                           {.begin = "b2", .end = "", .last = true},
                           {.begin = "a2", .end = ""}};
    struct stage stage;
    int a, b;

    (void)state;
    stage_begin(&stage);
    post(&stage, &steps[0], &a);
    post(&stage, &steps[1], &b);
    post(&stage, &steps[2], &a);
    post(&stage, &steps[3], &b);
    loop_turn(stage.loop, 0); /* the second piece comes later than the wait for it */
    post(&stage, &steps[4], &a);
    stage_end(&stage);
    assert_string_equal(stage.said, "a(a1a2)b1b2");
}

/* ---- instances ---- */

enum { MANY = 3 * WORKERS_SHARED_MAX };

/* One more instance of the same plugin on the same loop. */
static void join(struct bench *b, const struct bench *first)
{
    static const struct instance_events events = {
        .ready = bench_ready, .wedged = bench_wedged, .stopped = bench_stopped};
    const struct instance_setup setup = {.plugin = first->plugin,
                                         .rule = "rule",
                                         .options = first->options,
                                         .timeout_ms = 60000,
                                         .grace_ms = 60000,
                                         .loop = first->loop,
                                         .http = first->http,
                                         .events = &events,
                                         .ctx = b};

    *b = (struct bench){.loop = first->loop};
    b->instance = instance_new(&setup);
    assert_int_equal(instance_start(b->instance, NULL), 0);
    bench_until(b, &b->ready, 1);
}

static void leave(struct bench *b)
{
    instance_stop(b->instance, clock_ms() + 10000);
    bench_until(b, &b->stopped, 1);
    instance_free(b->instance);
}

static int count_threads(struct bench *b, int count)
{
    char seen[MANY][32];
    int threads = 0;

    for (int i = 0; i < count; i++) {
        struct delivery d;
        int k = 0;

        delivery_settle(&b[i], &d, 1);
        while (k < threads && strcmp(seen[k], d.job.message) != 0)
            k++;
        if (k == threads)
            snprintf(seen[threads++], sizeof(seen[0]), "%.31s", d.job.message);
    }
    return threads;
}

static void instances_that_never_block_share_a_few_workers(void **state)
{
    struct bench b[MANY] = {0};

    (void)state;
    bench_start(&b[0], "shares", "");
    for (int i = 1; i < MANY; i++)
        join(&b[i], &b[0]);
    assert_int_equal(count_threads(b, MANY), WORKERS_SHARED_MAX);
    for (int i = 1; i < MANY; i++)
        leave(&b[i]);
    assert_int_equal(count_threads(b, 1), 1);
    bench_end(&b[0]);
}

static void an_instance_keeps_its_worker(void **state)
{
    struct bench b[MANY] = {0};
    struct delivery first, again;

    (void)state;
    bench_start(&b[0], "shares", "");
    for (int i = 1; i < MANY; i++)
        join(&b[i], &b[0]);
    for (int i = 0; i < MANY; i++) {
        delivery_settle(&b[i], &first, 1);
        delivery_settle(&b[i], &again, 1);
        assert_string_equal(first.job.message, again.job.message);
    }
    for (int i = 1; i < MANY; i++)
        leave(&b[i]);
    bench_end(&b[0]);
}

static void one_that_waits_holds_up_only_those_on_its_worker(void **state)
{
    struct bench b[WORKERS_SHARED_MAX + 1] = {{.timeout_ms = 200}};
    struct delivery liar, behind, beside;

    (void)state;
    bench_start(&b[0], "shares", "lies = true;");
    bench_options(&b[0], ""); /* the others do not */
    for (int i = 1; i <= WORKERS_SHARED_MAX; i++)
        join(&b[i], &b[0]);
    delivery_submit(&b[0], &liar, 1);
    delivery_submit(&b[WORKERS_SHARED_MAX], &behind, 1);
    delivery_settle(&b[1], &beside, 1);
    assert_int_equal(beside.job.status, TR_OK);
    bench_until(&b[0], &liar.done, 1);
    bench_until(&b[0], &behind.done, 1);
    assert_string_equal(liar.job.message, behind.job.message);
    assert_string_not_equal(liar.job.message, beside.job.message);
    for (int i = 1; i <= WORKERS_SHARED_MAX; i++)
        leave(&b[i]);
    bench_end(&b[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_is_done_in_the_order_in_which_it_came),
        cmocka_unit_test(within_a_callback_only_its_owners_work_is_done),
        cmocka_unit_test(instances_that_never_block_share_a_few_workers),
        cmocka_unit_test(an_instance_keeps_its_worker),
        cmocka_unit_test(one_that_waits_holds_up_only_those_on_its_worker),
    };

    return cmocka_run_group_tests(tests, place_begin, place_end);
}
