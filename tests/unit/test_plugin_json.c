/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tr.json/1: what find_all() finds at many paths at once is what find() finds at each.
 */
#include "plugin/private.h"

#include <tailrace/ext/json.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const tr_str paths[] = {
    {"a", 1},      {"a.b", 3},   {"a.b.c", 5}, {"a.c", 3},  {"list", 4},    {"list.1", 6},
    {"list.9", 6}, {"x\\.y", 4}, {"x", 1},     {"none", 4}, {"", 0},        {".", 1},
    {".a", 2},     {"a.", 2},    {"a..b", 4},  {"0", 1},    {"a.b.c.d", 7}, {"a", 1},
};

static void assert_same(const tr_json *json, const char *document, const tr_str *all)
{
    for (size_t i = 0; i < COUNT(paths); i++) {
        tr_str one = {0};

        (void)json->find(str_c(document), paths[i], &one);
        if (!str_eq(one, all[i]))
            fail_msg("%s: " STR_FMT " is " STR_FMT " and not " STR_FMT, document,
                     STR_ARG(paths[i]), STR_ARG(all[i]), STR_ARG(one));
    }
}

static void all_at_once_are_as_one_by_one(void **state)
{
    static const char *const documents[] = {
        "{}",
        " { } ",
        "{\"a\":1}",
        "{\"a\":{\"b\":{\"c\":[1]},\"c\":null},\"list\":[1,\"two\"],\"x.y\":true,\"x\":2}",
        "{\"a\":1,\"a\":{\"b\":2},\"\\u0061\":{\"b\":3},\"\":4}",
        "{\"a\":{\"b\":1},\"list\":",
        "{\"a\":{\"b\":1} \"list\":2}",
        "[{\"a\":1},2]",
        "17",
        "",
    };
    const tr_json *json = ext_json_table();
    tr_str found[COUNT(paths)];

    (void)state;
    for (size_t i = 0; i < COUNT(documents); i++) {
        json->find_all(str_c(documents[i]), paths, COUNT(paths), found);
        assert_same(json, documents[i], found);
    }
}

static void there_may_be_very_many(void **state)
{
    const tr_json *json = ext_json_table();
    tr_str many[100], found[100];

    (void)state;
    for (size_t i = 0; i < COUNT(many); i++)
        many[i] = i % 2 ? STR("b.c") : STR("a");
    json->find_all(STR("{\"a\":\"A\",\"b\":{\"c\":\"C\"}}"), many, COUNT(many), found);
    for (size_t i = 0; i < COUNT(many); i++)
        assert_true(str_eq(found[i], i % 2 ? STR("\"C\"") : STR("\"A\"")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_at_once_are_as_one_by_one),
        cmocka_unit_test(there_may_be_very_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
