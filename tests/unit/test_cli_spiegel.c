/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `tailrace spiegel import`: what Spiegel's own documents say, and where each rule begins. The
 * command is a program and no library, so its pure files are compiled into this test.
 */
#include "cli/cmd_spiegel_plan.c"
#include "cli/cmd_spiegel_read.c"
#include "config/build.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct fixture {
    struct spiegel spiegel;
    struct spiegel_plan plan;
    struct arena arena;
};

static int set_up(void **state)
{
    struct fixture *f = mem_new(struct fixture);

    spiegel_init(&f->spiegel, NULL, NULL);
    spiegel_plan_init(&f->plan);
    f->plan.changes_known = true;
    arena_init(&f->arena, 4096);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < f->spiegel.rules_count; i++)
        pattern_free((struct pattern *)(uintptr_t)f->spiegel.rules[i].databases);
    spiegel_fini(&f->spiegel);
    spiegel_plan_fini(&f->plan);
    arena_fini(&f->arena);
    free(f);
    return 0;
}

/* A rule on the databases of `expression`. */
static struct spiegel_rule *add(struct fixture *f, const char *expression, bool is_replicator)
{
    struct spiegel_rule *rules = mem_new_array(struct spiegel_rule, f->spiegel.rules_count + 1);
    struct spiegel_rule *rule = rules + f->spiegel.rules_count;
    struct pattern *pattern = NULL;
    struct diags diags;

    diags_init(&diags);
    assert_int_equal(
        pattern_new(config_node_text(&f->arena, STR("databases"), str_c(expression)), &diags,
                    &pattern),
        0);
    diags_fini(&diags);
    if (f->spiegel.rules_count > 0)
        memcpy(rules, f->spiegel.rules, f->spiegel.rules_count * sizeof(*rules));
    free(f->spiegel.rules);
    f->spiegel.rules = rules;
    *rule = (struct spiegel_rule){.id = STR("r"), .name = STR("g/r")};
    rule->is_replicator = is_replicator;
    rule->databases = pattern;
    f->spiegel.rules_count++;
    return rule;
}

static struct spiegel_database *exists(struct fixture *f, const char *name,
                                       const char *incarnation, const char *end)
{
    struct spiegel_database *database = spiegel_plan_database(&f->plan, str_c(name));

    database->exists = true;
    database->incarnation = str_c(incarnation);
    database->end = str_c(end);
    return database;
}

static void take(struct fixture *f, const char *id, const char *doc)
{
    spiegel_take(&f->spiegel, str_c(id), str_c(doc));
}

static const struct spiegel_place *only_place(struct fixture *f)
{
    spiegel_plan_make(&f->plan, &f->spiegel, STR("main"));
    assert_int_equal(f->plan.places_count, 1);
    return f->plan.places;
}

static void assert_seq(const struct spiegel_place *place, enum spiegel_why why, const char *seq)
{
    assert_string_equal(spiegel_why_word(place->why), spiegel_why_word(why));
    assert_true(str_eq(place->seq, str_c(seq)));
}

/* ---- reading ---- */

static void times_are_read_to_the_millisecond(void **state)
{
    (void)state;
    assert_int_equal(spiegel_time(STR("1970-01-01T00:00:01.500Z")), 1500);
    assert_int_equal(spiegel_time(STR("2026-01-31T12:00:00.123Z")), 1769860800123);
    assert_int_equal(spiegel_time(STR("2026-01-31")), 0);
    assert_int_equal(spiegel_time(STR("2026-01-31T12:00:00.123Z and more")), 0);
    assert_int_equal(spiegel_time(STR("")), 0);
}

static void listeners_are_kept_by_the_real_name(void **state)
{
    struct fixture *f = *state;
    const struct spiegel_listener *listener;

    take(f, "spiegel_cl_a%2Fb",
         "{\"type\":\"change_listener\",\"db_name\":\"a%2Fb\",\"last_seq\":\"7-x\","
         "\"updated_at\":\"2026-01-31T12:00:00.123Z\",\"locked_at\":null}");
    listener = map_get(&f->spiegel.listeners, STR("a/b"));
    assert_non_null(listener);
    assert_true(str_eq(listener->seq, STR("\"7-x\"")));
    assert_int_equal(listener->updated_ms, 1769860800123);
    assert_int_equal(f->spiegel.active_ms, 1769860800123);
    assert_int_equal(f->spiegel.locked, 0);
}

static void positions_are_kept_as_they_stand(void **state)
{
    static const struct {
        const char *given, *kept;
    } cases[] = {{"\"7-x\"", "\"7-x\""},
                 {"42", "42"},
                 {"[7,\"x\"]", "[7,\"x\"]"},
                 {"null", ""},
                 {"\"\"", ""},
                 {"{}", ""},
                 {"true", ""}};
    struct fixture *f = *state;
    const struct spiegel_listener *listener;
    char doc[128];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(doc, sizeof(doc),
                 "{\"type\":\"change_listener\",\"db_name\":\"a\",\"last_seq\":%s}",
                 cases[i].given);
        take(f, "spiegel_cl_a", doc);
        listener = map_get(&f->spiegel.listeners, STR("a"));
        assert_true(str_eq(listener->seq, str_c(cases[i].kept)));
    }
}

static void where_it_stood_on_the_list_of_changes_is_known(void **state)
{
    struct fixture *f = *state;

    take(f, "global_other", "{\"type\":\"global\",\"value\":\"1-x\"}");
    assert_int_equal(f->spiegel.updates_seq.len, 0);
    take(f, "global_lastSeq", "{\"type\":\"global\",\"value\":\"9-x\"}");
    assert_true(str_eq(f->spiegel.updates_seq, STR("\"9-x\"")));
}

static void what_is_not_its_own_is_passed_over(void **state)
{
    struct fixture *f = *state;

    take(f, "_design/on_changes", "{\"views\":{}}");
    take(f, "x", "{\"type\":7}");
    take(f, "y", "{\"type\":\"change_listener\"}");
    take(f, "z", "[]");
    take(f, "l", "{\"type\":\"change_listener\",\"db_name\":\"a\",\"locked_at\":\"now\"}");
    assert_int_equal(f->spiegel.rules_count, 0);
    assert_int_equal(f->spiegel.listeners.count, 1);
    assert_int_equal(f->spiegel.locked, 1);
}

static void a_replicator_is_clean_only_when_it_says_so(void **state)
{
    (void)state;
    assert_false(is_dirty(STR("{\"dirty\":false,\"dirty_at\":null,\"locked_at\":null}")));
    assert_true(is_dirty(STR("{}")));
    assert_true(is_dirty(STR("{\"dirty\":true}")));
    assert_true(is_dirty(STR("{\"dirty\":null}")));
    assert_true(is_dirty(STR("{\"dirty\":false,\"dirty_at\":\"2026-01-31T12:00:00.000Z\"}")));
    assert_true(is_dirty(STR("{\"dirty\":false,\"locked_at\":\"2026-01-31T12:00:00.000Z\"}")));
}

/* ---- where a rule begins ---- */

#define LISTENER                                                                               \
    "{\"type\":\"change_listener\",\"db_name\":\"a\",\"last_seq\":\"7-x\","                    \
    "\"updated_at\":\"2026-01-31T12:00:00.900Z\",\"dirty\":true}"
#define UPDATED_S "1769860800"

static void a_database_is_gone_on_with_where_it_was_listened_to(void **state)
{
    struct fixture *f = *state;
    const struct spiegel_place *place;

    add(f, "^a", false);
    take(f, "spiegel_cl_a", LISTENER);
    exists(f, "a", UPDATED_S, "\"9-x\"")->changed = true;
    place = only_place(f);
    assert_seq(place, SPIEGEL_LISTENED, "\"7-x\"");
    assert_true(str_eq(place->stream, STR("main/a@" UPDATED_S)));
}

static void a_database_that_is_younger_than_its_position_begins_anew(void **state)
{
    struct fixture *f = *state;

    add(f, "^a", false);
    take(f, "spiegel_cl_a", LISTENER);
    exists(f, "a", "1769860801", "\"9-x\"");
    assert_seq(only_place(f), SPIEGEL_MADE_ANEW, "0");
}

static void a_marker_is_no_time(void **state)
{
    struct fixture *f = *state;

    add(f, "^a", false);
    take(f, "spiegel_cl_a", LISTENER);
    exists(f, "a", "9f00000000000000", "\"9-x\"");
    assert_seq(only_place(f), SPIEGEL_LISTENED, "\"7-x\"");
}

static void a_listener_without_a_position_begins_at_the_beginning(void **state)
{
    struct fixture *f = *state;

    f->plan.unlistened_now = true;
    add(f, "^a", false);
    take(f, "spiegel_cl_a", "{\"type\":\"change_listener\",\"db_name\":\"a\",\"retries\":3}");
    exists(f, "a", "1", "\"9-x\"");
    assert_seq(only_place(f), SPIEGEL_UNANSWERED, "0");
}

static void what_was_never_listened_to_begins_at_the_beginning_or_now(void **state)
{
    struct fixture *f = *state;

    add(f, "^a", false);
    exists(f, "a", "1", "\"9-x\"");
    assert_seq(only_place(f), SPIEGEL_NEVER, "0");
    f->plan.places_count = 0;
    f->plan.unlistened_now = true;
    assert_seq(only_place(f), SPIEGEL_NEVER, "\"9-x\"");
    f->plan.places_count = 0;
    f->plan.databases[0].changed = true;
    assert_seq(only_place(f), SPIEGEL_CHANGED, "0");
}

static void a_clean_replicator_waits_for_the_next_change(void **state)
{
    struct fixture *f = *state;

    add(f, "^a$", true);
    exists(f, "a", "1", "\"9-x\"");
    assert_seq(only_place(f), SPIEGEL_REPLICATED, "\"9-x\"");
}

static void a_replicator_runs_once_when_it_may_be_due(void **state)
{
    struct fixture *f = *state;
    struct spiegel_rule *rule = add(f, "^a$", true);
    struct spiegel_database *database = exists(f, "a", "1", "\"9-x\"");

    rule->is_dirty = true;
    assert_seq(only_place(f), SPIEGEL_TO_REPLICATE, "0");
    rule->is_dirty = false;
    database->changed = true;
    f->plan.places_count = 0;
    assert_seq(only_place(f), SPIEGEL_TO_REPLICATE, "0");
    database->changed = false;
    f->plan.changes_known = false;
    f->plan.places_count = 0;
    assert_seq(only_place(f), SPIEGEL_TO_REPLICATE, "0");
    f->plan.changes_known = true;
    f->plan.replicate_all = true;
    f->plan.places_count = 0;
    assert_seq(only_place(f), SPIEGEL_TO_REPLICATE, "0");
    f->plan.replicate_all = false;
    database->end = STR("");
    f->plan.places_count = 0;
    assert_seq(only_place(f), SPIEGEL_TO_REPLICATE, "0");
}

static void databases_that_do_not_exist_have_no_place(void **state)
{
    struct fixture *f = *state;

    add(f, "^a$", false);
    add(f, "^b", false);
    spiegel_plan_database(&f->plan, STR("a"));
    spiegel_plan_database(&f->plan, STR("b"));
    spiegel_plan_make(&f->plan, &f->spiegel, STR("main"));
    assert_int_equal(f->plan.places_count, 0);
}

static void system_databases_are_for_rules_that_ask_for_them(void **state)
{
    struct fixture *f = *state;
    struct spiegel_rule *rule = add(f, "users", false);

    exists(f, "_users", "1", "1");
    spiegel_plan_make(&f->plan, &f->spiegel, STR("main"));
    assert_int_equal(f->plan.places_count, 0);
    rule->system_databases = true;
    only_place(f);
}

static void places_of_a_rule_are_in_order(void **state)
{
    struct fixture *f = *state;

    add(f, "^[abc]$", false);
    add(f, "^b$", false);
    exists(f, "c", "1", "1");
    exists(f, "a", "1", "1");
    exists(f, "b", "1", "1");
    spiegel_plan_make(&f->plan, &f->spiegel, STR("main"));
    assert_int_equal(f->plan.places_count, 4);
    assert_true(str_eq(f->plan.places[0].stream, STR("main/a@1")));
    assert_true(str_eq(f->plan.places[2].stream, STR("main/c@1")));
    assert_int_equal(f->plan.places[3].rule, 1);
    assert_true(str_eq(f->plan.places[3].stream, STR("main/b@1")));
}

static void changes_are_marked_by_name(void **state)
{
    struct fixture *f = *state;

    exists(f, "a/b", "1", "1");
    exists(f, "c", "1", "1");
    exists(f, "sieve", "1", "1");
    assert_int_equal(
        spiegel_plan_changed(&f->plan, STR("[{\"id\":\"updated:a/b\"},{\"id\":\"created:x\"},"
                                           "{\"id\":\"_design/sieve\"},{\"seq\":1}]")),
        4);
    assert_true(f->plan.databases[0].changed);
    assert_false(f->plan.databases[1].changed);
    assert_false(f->plan.databases[2].changed);
    assert_int_equal(spiegel_plan_changed(&f->plan, STR("[]")), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(times_are_read_to_the_millisecond),
        TEST(listeners_are_kept_by_the_real_name),
        TEST(positions_are_kept_as_they_stand),
        TEST(where_it_stood_on_the_list_of_changes_is_known),
        TEST(what_is_not_its_own_is_passed_over),
        TEST(a_replicator_is_clean_only_when_it_says_so),
        TEST(a_database_is_gone_on_with_where_it_was_listened_to),
        TEST(a_database_that_is_younger_than_its_position_begins_anew),
        TEST(a_marker_is_no_time),
        TEST(a_listener_without_a_position_begins_at_the_beginning),
        TEST(what_was_never_listened_to_begins_at_the_beginning_or_now),
        TEST(a_clean_replicator_waits_for_the_next_change),
        TEST(a_replicator_runs_once_when_it_may_be_due),
        TEST(databases_that_do_not_exist_have_no_place),
        TEST(system_databases_are_for_rules_that_ask_for_them),
        TEST(places_of_a_rule_are_in_order),
        TEST(changes_are_marked_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
