/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine on files: once, following, stopping at bad moments, reloading, and files that are
 * cut short or replaced.
 */
#include "test_engine_lib.h"

#define RULE(name_, more_)                                                                     \
    name_ ": { source = \"f\"; databases = \"^rows$\"; plugin = \"sink\"; " more_ " };"
#define OPTIONS(live_) "options: { where = \"x\"; live = \"" live_ "\"; };"

static void once_reads_to_the_end_and_finishes(void **state)
{
    struct binding_stats stats;
    struct site site;

    (void)state;
    site_init(&site);
    site_configure(&site, RULE("r", OPTIONS("1")));
    site_add_rows(&site, 1, 10);
    site_start(&site, ENGINE_ONCE);
    assert_int_equal(site_answer(&site, TR_OK).count, 10);
    SITE_WAIT(&site, site.finished);
    assert_int_equal(site.exit_code, 0);
    engine_get_stats(site.engine, &stats);
    assert_int_equal(stats.received, 10);
    assert_int_equal(stats.ok, 10);
    site_stop(&site);

    /* And again: nothing comes twice after a stop that drained. */
    site_add_rows(&site, 11, 11);
    site_start(&site, ENGINE_ONCE);
    assert_int_equal(site_answer(&site, TR_OK).rows[0], 11);
    SITE_WAIT(&site, site.finished);
    site_stop(&site);
    site_fini(&site);
}

static void once_finishes_on_an_empty_file(void **state)
{
    struct site site;

    (void)state;
    site_init(&site);
    site_configure(&site, RULE("r", OPTIONS("1")));
    site_add_rows(&site, 1, 0);
    site_write(&site, "rows", "w", "");
    site_start(&site, ENGINE_ONCE);
    SITE_WAIT(&site, site.finished);
    assert_int_equal(site.exit_code, 0);
    site_stop(&site);
    site_fini(&site);
}

static void once_ends_with_an_error_when_a_rule_is_held(void **state)
{
    struct site site;

    (void)state;
    site_init(&site);
    site_configure(&site,
                   RULE("r", OPTIONS("1") "on_reject = \"stop\"; batch: { size = 1; };"));
    site_add_rows(&site, 1, 3);
    site_start(&site, ENGINE_ONCE);
    site_answer(&site, TR_REJECT);
    SITE_WAIT(&site, site.finished);
    assert_int_not_equal(site.exit_code, 0);
    site_stop(&site);
    site_fini(&site);
}

/* The record of the first start is on its way to the store while all ends. */
static void a_stop_right_after_the_start_ends(void **state)
{
    (void)state;
    for (int turns = 0; turns < 12; turns++) {
        struct site site;

        site_init(&site);
        site_configure(&site, RULE("r", OPTIONS("1")));
        site_add_rows(&site, 1, 1);
        site_start(&site, ENGINE_FOLLOW);
        for (int i = 0; i < turns; i++)
            loop_turn(site.loop, 0);
        engine_stop(site.engine);
        while (!site.finished) {
            loop_turn(site.loop, 1);
            if (sink_count() > 0)
                site_answer(&site, TR_OK);
        }
        site_stop(&site);
        site_fini(&site);
    }
}

static void a_stop_while_the_record_is_written_ends(void **state)
{
    struct site site;

    (void)state;
    site_init(&site);
    site_configure(&site, RULE("r", OPTIONS("1")));
    site_write(&site, "rows", "w", "");
    site_start(&site, ENGINE_FOLLOW);
    while (!site_rule(&site, "r")->recording && !site_rule(&site, "r")->was_discovered)
        loop_turn(site.loop, 0);
    site_stop(&site);
    site_fini(&site);
}

/* One rule of two cannot be made: the other one has not been started. */
static void a_start_that_fails_gives_an_error_and_does_not_hang(void **state)
{
    struct error error = {0};
    struct site site;
    char text[1024];

    (void)state;
    site_init(&site);
    snprintf(
        text, sizeof(text),
        "sources: { f: { type = \"file\"; path = \"%s/rows\"; };"
        " c: { url = \"https://127.0.0.1:1\"; ca_file = \"/nonexistent/ca.pem\"; }; };\n"
        "rules: { " RULE(
            "a",
            OPTIONS(
                "1")) "\n"
                      "b: { source = \"c\"; databases = \"^x$\"; plugin = \"sink\"; " OPTIONS(
                          "1") " }; };",
        site.dir);
    site_write(&site, "tailrace.conf", "w", text);
    site_write(&site, "rows", "w", "");
    assert_int_equal(site_load(&site), 0);
    assert_true(site_try(&site, ENGINE_FOLLOW, &error) < 0);
    assert_true(error.text[0]);
    assert_int_equal(sink_number(&sink.started), 0);
    site_fini(&site);
}

static void a_rule_that_is_full_does_not_hold_up_another(void **state)
{
    struct sink_batch batch;
    struct site site;
    uint32_t done_of_b = 0;

    (void)state;
    site_init(&site);
    site_configure(&site, RULE("a", OPTIONS("1") "window: { rows = 5; }; batch: { size = 5; };")
                              RULE("b", OPTIONS("1") "window: { rows = 5; };"
                                                     "batch: { size = 5; };"));
    site_add_rows(&site, 1, 5);
    site_start(&site, ENGINE_FOLLOW);
    /* Both are full with the same rows, and the feed they share stands still. */
    SITE_WAIT(&site, sink_count() == 2);
    site_add_rows(&site, 6, 30);
    site_answer(&site, TR_OK); /* one of them goes on; the other never does */
    while (done_of_b < 25) {
        SITE_WAIT(&site, sink_count() == 2);
        batch = sink_take(1);
        done_of_b += batch.count;
        sink_answer(&batch, TR_OK, NULL, 0);
    }
    while (sink_count() > 0)
        site_answer(&site, TR_OK);
    engine_stop(site.engine);
    while (!site.finished) {
        loop_turn(site.loop, 1);
        if (sink_count() > 0)
            site_answer(&site, TR_OK);
    }
    site_stop(&site);
    site_fini(&site);
}

/* ---- reload ---- */

static void a_reload_gives_live_options_and_takes_them_back(void **state)
{
    struct site site;

    (void)state;
    site_init(&site);
    site_configure(&site, RULE("r", OPTIONS("1")));
    site_write(&site, "rows", "w", "");
    site_start(&site, ENGINE_FOLLOW);
    SITE_WAIT(&site, sink_number(&sink.started) == 1 &&
                         binding_is_running(site_rule(&site, "r")->binding));
    assert_int_equal(sink_number(&sink.configured), 1);
    engine_reload(site.engine); /* nothing changed */
    site_turns(&site, 5);
    assert_int_equal(sink_number(&sink.configured), 1);
    site_configure(&site, RULE("r", OPTIONS("2")));
    engine_reload(site.engine);
    SITE_WAIT(&site, sink_number(&sink.configured) == 2);
    site_turns(&site, 5);
    site_configure(&site, RULE("r", OPTIONS("1"))); /* back to what it began with */
    engine_reload(site.engine);
    SITE_WAIT(&site, sink_number(&sink.configured) == 3);
    site_turns(&site, 5);
    assert_int_equal(sink_number(&sink.started), 1); /* all that without a restart */
    site_stop(&site);
    site_fini(&site);
}

static void a_reload_restarts_what_changed_and_refuses_what_is_wrong(void **state)
{
    struct site site;

    (void)state;
    site_init(&site);
    site_configure(&site, RULE("r", OPTIONS("1")));
    site_add_rows(&site, 1, 1);
    site_start(&site, ENGINE_FOLLOW);
    site_answer(&site, TR_OK);
    site_configure(&site, RULE("r", "options: { where = \"y\"; size = 99; };"));
    engine_reload(site.engine);
    site_turns(&site, 10);
    assert_int_equal(sink_number(&sink.started), 1);
    site_configure(&site, RULE("r", "options: { where = \"y\"; };"));
    engine_reload(site.engine);
    SITE_WAIT(&site, sink_number(&sink.started) == 2);
    site_add_rows(&site, 2, 2);
    assert_int_equal(site_answer(&site, TR_OK).rows[0], 2); /* row 1 does not come again */
    site_stop(&site);
    site_fini(&site);
}

static void a_reload_while_starting_ends_well(void **state)
{
    struct site site;

    (void)state;
    site_init(&site);
    site_configure(&site, RULE("r", OPTIONS("1")));
    site_add_rows(&site, 1, 1);
    sink.start_waits = true;
    site_start(&site, ENGINE_FOLLOW);
    site_turns(&site, 3);
    site_configure(&site, RULE("r", OPTIONS("2")));
    engine_reload(site.engine);
    engine_reload(site.engine);
    site_turns(&site, 3);
    sink_let_start();
    assert_int_equal(site_answer(&site, TR_OK).rows[0], 1);
    site_stop(&site);
    site_fini(&site);
}

static void a_reload_starts_a_held_rule_again(void **state)
{
    struct site site;

    (void)state;
    site_init(&site);
    site_configure(&site, RULE("r", OPTIONS("1")));
    site_add_rows(&site, 1, 1);
    site_start(&site, ENGINE_FOLLOW);
    site_answer(&site, TR_FATAL);
    SITE_WAIT(&site, binding_held(site_rule(&site, "r")->binding));
    engine_reload(site.engine);
    assert_int_equal(site_answer(&site, TR_OK).rows[0], 1);
    site_stop(&site);
    site_fini(&site);
}

/* ---- files ---- */

static void a_file_that_was_cut_short_is_read_from_its_beginning(void **state)
{
    struct site site;

    (void)state;
    site_init(&site);
    site_configure(&site, RULE("r", OPTIONS("1") "commit: { interval = \"1ms\"; };"));
    site_add_rows(&site, 1, 9);
    site_start(&site, ENGINE_FOLLOW);
    assert_int_equal(site_answer(&site, TR_OK).count, 9);
    site_turns(&site, 20);
    site_write(&site, "rows", "w", "");
    site_add_rows(&site, 10, 10);
    assert_int_equal(site_answer(&site, TR_OK).rows[0], 10);
    site_add_rows(&site, 11, 11);
    assert_int_equal(site_answer(&site, TR_OK).rows[0], 11);
    site_stop(&site);

    /* Also when it happened while nothing ran, and its position is the new one then. */
    site_write(&site, "rows", "w", "");
    site_add_rows(&site, 12, 12);
    for (int i = 0; i < 2; i++) {
        site_start(&site, ENGINE_ONCE);
        if (i == 0)
            assert_int_equal(site_answer(&site, TR_OK).rows[0], 12);
        SITE_WAIT(&site, site.finished);
        site_stop(&site);
    }
    site_fini(&site);
}

/* `now` is where the rule began; what comes in a new file came after that. */
static void a_file_that_is_rotated_is_read_from_its_beginning_also_after_now(void **state)
{
    char old[160], new[160];
    struct site site;

    (void)state;
    site_init(&site);
    site_configure(&site, RULE("r", OPTIONS("1") "since = \"now\";"));
    site_add_rows(&site, 1, 3);
    site_start(&site, ENGINE_FOLLOW);
    site_turns(&site, 50);
    site_add_rows(&site, 4, 4);
    assert_int_equal(site_answer(&site, TR_OK).rows[0], 4);
    snprintf(old, sizeof(old), "%s/rows", site.dir);
    snprintf(new, sizeof(new), "%s/rows.1", site.dir);
    site_turns(&site, 5);
    assert_int_equal(rename(old, new), 0);
    site_add_rows(&site, 5, 6);
    assert_int_equal(site_answer(&site, TR_OK).rows[0], 5);
    while (sink_count() > 0)
        site_answer(&site, TR_OK);
    site_stop(&site);
    site_fini(&site);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(once_reads_to_the_end_and_finishes),
        cmocka_unit_test(once_finishes_on_an_empty_file),
        cmocka_unit_test(once_ends_with_an_error_when_a_rule_is_held),
        cmocka_unit_test(a_stop_right_after_the_start_ends),
        cmocka_unit_test(a_stop_while_the_record_is_written_ends),
        cmocka_unit_test(a_start_that_fails_gives_an_error_and_does_not_hang),
        cmocka_unit_test(a_rule_that_is_full_does_not_hold_up_another),
        cmocka_unit_test(a_reload_gives_live_options_and_takes_them_back),
        cmocka_unit_test(a_reload_restarts_what_changed_and_refuses_what_is_wrong),
        cmocka_unit_test(a_reload_while_starting_ends_well),
        cmocka_unit_test(a_reload_starts_a_held_rule_again),
        cmocka_unit_test(a_file_that_was_cut_short_is_read_from_its_beginning),
        cmocka_unit_test(a_file_that_is_rotated_is_read_from_its_beginning_also_after_now),
    };

    cmocka_set_test_filter(getenv("TEST_FILTER"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
