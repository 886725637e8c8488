/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules that are asked to begin again, in the engine: beside one that goes on, at a stop, at a
 * reload.
 */
#include "test_engine_lib.h"

#define RULE(name_, more_)                                                                     \
    name_ ": { source = \"f\"; databases = \"^rows$\"; plugin = \"sink\"; " more_ " };"
#define OPTIONS(live_) "options: { where = \"x\"; live = \"" live_ "\"; };"

/* As the cli does, beside the engine. */
static void ask(struct site *site, const char *rule, tr_str since)
{
    struct store_backfill request = {.binding = str_c(rule), .since = since, .asked_ms = 1};
    struct store *store;
    struct error error;

    assert_int_equal(store_open(site->dir, STORE_BESIDE, &store, &error), 0);
    assert_int_equal(store_backfill_ask(store, &request, &error), 0);
    store_close(store);
}

static bool count_one(void *context, const struct store_backfill *request)
{
    (void)request;
    ++*(int *)context;
    return true;
}

static int waiting(struct site *site)
{
    struct store *store;
    struct error error;
    int count = 0;

    assert_int_equal(store_open(site->dir, STORE_READ_ONLY, &store, &error), 0);
    assert_int_equal(store_backfill_each(store, count_one, &count, &error), 0);
    store_close(store);
    return count;
}

static void a_rule_begins_again_beside_one_that_goes_on(void **state)
{
    struct running_rule *other;
    struct binding_stats stats;
    struct site site;

    (void)state;
    site_init(&site);
    site_configure(&site, RULE("r", OPTIONS("1")) RULE("other", OPTIONS("2")));
    site_add_rows(&site, 1, 3);
    site_start(&site, ENGINE_FOLLOW);
    other = site_rule(&site, "other");
    site_answer(&site, TR_OK);
    site_answer(&site, TR_OK);
    ask(&site, "r", STR("0"));
    assert_int_equal(site_answer(&site, TR_OK).count, 3);
    SITE_WAIT(&site, waiting(&site) == 0);
    assert_ptr_equal(site_rule(&site, "other"), other); /* the same one all the time       */
    site_add_rows(&site, 4, 4);
    assert_int_equal(site_answer(&site, TR_OK).rows[0], 4);
    assert_int_equal(site_answer(&site, TR_OK).rows[0], 4);
    SITE_WAIT(&site, (engine_get_stats(site.engine, &stats), stats.ok >= 3 + 3 + 3 + 2));
    assert_int_equal(stats.ok, 3 + 3 + 3 + 2);
    site_stop(&site);
    site_fini(&site);
}

static void from_now_only_what_is_new_comes(void **state)
{
    struct site site;

    (void)state;
    site_init(&site);
    site_configure(&site, RULE("r", OPTIONS("1")));
    site_add_rows(&site, 1, 3);
    site_start(&site, ENGINE_FOLLOW);
    site_answer(&site, TR_OK);
    ask(&site, "r", STORE_SINCE_NOW);
    SITE_WAIT(&site, waiting(&site) == 0);
    SITE_WAIT(&site, site_rule(&site, "r") && site_rule(&site, "r")->was_discovered);
    site_add_rows(&site, 4, 4);
    assert_int_equal(site_answer(&site, TR_OK).rows[0], 4);
    site_stop(&site);
    site_fini(&site);
}

/* Between the draining and the commit, during it, after it. */
static void a_stop_at_any_moment_leaves_the_request_or_has_it_done(void **state)
{
    (void)state;
    for (int turns = 0; turns < 40; turns++) {
        struct site site;

        site_init(&site);
        site_configure(&site, RULE("r", OPTIONS("1")));
        site_add_rows(&site, 1, 2);
        site_start(&site, ENGINE_FOLLOW);
        site_answer(&site, TR_OK);
        ask(&site, "r", STR("0"));
        backfill_poll(site.engine);
        for (int i = 0; i < turns; i++)
            loop_turn(site.loop, 0);
        engine_stop(site.engine);
        while (!site.finished) {
            if (sink_count() > 0) {
                struct sink_batch batch = sink_take(0);
                sink_answer(&batch, TR_RETRY, NULL, 0);
            }
            loop_turn(site.loop, 1);
        }
        site_stop(&site);
        site_start(&site, ENGINE_ONCE);
        assert_int_equal(waiting(&site), 0);
        assert_int_equal(site_answer(&site, TR_OK).count, 2);
        SITE_WAIT(&site, site.finished);
        site_stop(&site);
        site_fini(&site);
    }
}

static void a_reload_meanwhile_ends_well(void **state)
{
    (void)state;
    for (int turns = 0; turns < 12; turns++) {
        struct site site;

        site_init(&site);
        site_configure(&site, RULE("r", OPTIONS("1")));
        site_add_rows(&site, 1, 2);
        site_start(&site, ENGINE_FOLLOW);
        site_answer(&site, TR_OK);
        ask(&site, "r", STR("0"));
        backfill_poll(site.engine);
        site_turns(&site, turns);
        site_configure(&site, RULE("other", OPTIONS("1")));
        engine_reload(site.engine);
        backfill_poll(site.engine);
        site_configure(&site, RULE("r", OPTIONS("1")));
        engine_reload(site.engine);
        SITE_WAIT(&site, site_rule(&site, "r") && waiting(&site) == 0);
        while (sink_count() < 1)
            loop_turn(site.loop, 1);
        while (sink_count() > 0)
            site_answer(&site, TR_OK);
        site_stop(&site);
        site_fini(&site);
    }
}

/* A rule that is not there needs no draining. */
static void one_of_a_rule_that_does_not_run_is_taken_up_too(void **state)
{
    struct site site;

    (void)state;
    site_init(&site);
    site_configure(&site, RULE("r", OPTIONS("1")));
    site_add_rows(&site, 1, 1);
    site_start(&site, ENGINE_FOLLOW);
    site_answer(&site, TR_OK);
    ask(&site, "absent", STR("0"));
    SITE_WAIT(&site, waiting(&site) == 0);
    site_stop(&site);
    site_fini(&site);
}

static void a_replay_of_dead_letters_takes_none_up(void **state)
{
    struct site site;

    (void)state;
    site_init(&site);
    site_configure(&site, RULE("r", OPTIONS("1")));
    site_add_rows(&site, 1, 1);
    site_start(&site, ENGINE_ONCE);
    site_answer(&site, TR_OK);
    SITE_WAIT(&site, site.finished);
    site_stop(&site);
    ask(&site, "r", STR("0"));
    site_start(&site, ENGINE_REPLAY);
    SITE_WAIT(&site, site.finished);
    site_stop(&site);
    assert_int_equal(waiting(&site), 1);
    site_fini(&site);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rule_begins_again_beside_one_that_goes_on),
        cmocka_unit_test(from_now_only_what_is_new_comes),
        cmocka_unit_test(a_stop_at_any_moment_leaves_the_request_or_has_it_done),
        cmocka_unit_test(a_reload_meanwhile_ends_well),
        cmocka_unit_test(one_of_a_rule_that_does_not_run_is_taken_up_too),
        cmocka_unit_test(a_replay_of_dead_letters_takes_none_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
