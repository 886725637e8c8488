/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/rule_index: a database finds the rules that are about it, each once, and no others,
 * whichever way they say which databases they want.
 */
#include "engine/private.h"

#include "base/mem.h"
#include "config/load.h"

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

static const char *const wanted[] = {
    "\"^user-\"",
    "\"^user-[0-9]+$\"",
    "\"^user-1$\"",
    "\"user\"",
    "\"^u\"",
    "\"^us?\"",
    "\".*\"",
    "\"^user-1|^x\"",
    "[\"user-1\", \"x\"]",
    "\"^x$\"",
    "\"^a_name_that_is_longer_than_a_prefix_may_be_x\"",
    "\"^a_name_that_is_longer_than_a_prefix_may_be_y\"",
    "\"^$\"",
    "\"-1$\"",
    "\"^user-1/a\"",
};
enum { RULES = sizeof(wanted) / sizeof(wanted[0]) };

static const char *const databases[] = {
    "user-1",
    "user-2",
    "user-12",
    "user-1/a",
    "u",
    "us",
    "x",
    "y",
    "_users",
    "auser-1",
    "a_name_that_is_longer_than_a_prefix_may_be_x1",
    "a_name_that_is_longer_than_a_prefix_may_be_y",
    "a_name_that_is_longer_than_a_pre",
};
enum { DATABASES = sizeof(databases) / sizeof(databases[0]) };

struct fixture {
    struct config *configs[RULES];
    struct rule_settings settings[RULES];
    struct running_rule rules[RULES];
    struct rule_index index;
};

static void open_all(struct fixture *fixture)
{
    *fixture = (struct fixture){0};
    rule_index_init(&fixture->index);
    for (int i = 0; i < RULES; i++) {
        struct buf text = {0};
        struct diags diags;
        diags_init(&diags);
        buf_addf(&text, "databases = %s;", wanted[i]);
        assert_int_equal(config_load_text("t", buf_str(&text), &diags, &fixture->configs[i]),
                         0);
        assert_int_equal(
            matcher_new(fixture->configs[i]->root, &diags, &fixture->settings[i].matcher), 0);
        fixture->rules[i].settings = &fixture->settings[i];
        buf_fini(&text);
        diags_fini(&diags);
    }
}

static void close_all(struct fixture *fixture)
{
    rule_index_fini(&fixture->index);
    for (int i = 0; i < RULES; i++) {
        matcher_free(fixture->settings[i].matcher);
        config_free(fixture->configs[i]);
    }
}

/* As asking every rule says; the rules from `from` on are in. */
static void assert_found(struct fixture *fixture, int from)
{
    for (int d = 0; d < DATABASES; d++) {
        tr_str db = str_c(databases[d]);
        int found[RULES] = {0};
        struct index_cursor cursor;
        struct running_rule *rule;

        for (rule = rule_index_first(&fixture->index, db, &cursor); rule;
             rule = rule_index_next(db, &cursor))
            found[rule - fixture->rules]++;
        for (int i = 0; i < RULES; i++) {
            const struct pattern *pattern = fixture->settings[i].matcher->databases;
            bool is_for = i >= from && pattern_match(pattern, db, NULL) == VERDICT_MATCH &&
                          (db.ptr[0] != '_' || fixture->settings[i].system_databases);
            if (found[i] != is_for)
                fail_msg("%s and %s: %d times", databases[d], wanted[i], found[i]);
        }
    }
}

static void a_database_finds_its_rules(void **state)
{
    struct fixture fixture;

    (void)state;
    open_all(&fixture);
    for (int i = 0; i < RULES; i++)
        rule_index_add(&fixture.index, &fixture.rules[i]);
    assert_true(rule_index_has_patterns(&fixture.index));
    assert_true(rule_index_names(&fixture.index, STR("user-1")));
    assert_false(rule_index_names(&fixture.index, STR("user-2")));
    assert_found(&fixture, 0);
    for (int i = 0; i < RULES; i++) {
        rule_index_remove(&fixture.index, &fixture.rules[i]);
        assert_found(&fixture, i + 1);
    }
    assert_false(rule_index_has_patterns(&fixture.index));
    assert_false(rule_index_names(&fixture.index, STR("user-1")));
    close_all(&fixture);
}

static void rules_that_are_still_in_are_given_back_with_the_index(void **state)
{
    struct fixture fixture;

    (void)state;
    open_all(&fixture);
    for (int i = 0; i < RULES; i++)
        rule_index_add(&fixture.index, &fixture.rules[i]);
    close_all(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_database_finds_its_rules),
        cmocka_unit_test(rules_that_are_still_in_are_given_back_with_the_index),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
