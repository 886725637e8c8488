/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which clients of plugins have a pool together.
 */
#include "test_plugin_lib.h"

#include "plugin/pools.h"

struct both {
    struct loop *loop;
    struct http *http;
    struct plugin plugin, other;
};

static int begin(void **state)
{
    struct both *both = mem_new(struct both);

    *state = both;
    return loop_new(&both->loop, NULL) < 0 ||
           http_new(both->loop, "test", &both->http, NULL) < 0;
}

static int end(void **state)
{
    struct both *both = *state;

    http_free(both->http);
    loop_free(both->loop);
    free(both);
    return 0;
}

static struct plugin_pool *join(struct both *both, const struct plugin *plugin,
                                const char *share, struct http_options options)
{
    return plugin_pool_join(both->loop, both->http, plugin, &options, str_c(share));
}

static void the_same_name_and_settings_have_one_pool(void **state)
{
    struct http_options options = {.max_connections = 3, .proxy = STR("http://proxy:1")};
    struct both *both = *state;
    struct plugin_pool *one = join(both, &both->plugin, "a", options);
    struct plugin_pool *two = join(both, &both->plugin, "a", options);

    assert_ptr_equal(one, two);
    plugin_pool_leave(one);
    assert_ptr_equal(join(both, &both->plugin, "a", options), two);
    plugin_pool_leave(two);
    plugin_pool_leave(two);
}

static void nothing_else_has(void **state)
{
    struct http_options options = {.max_connections = 3};
    struct both *both = *state;
    struct plugin_pool *pools[7];
    int n = 0;

    pools[n++] = join(both, &both->plugin, "a", options);
    pools[n++] = join(both, &both->plugin, "b", options);
    pools[n++] = join(both, &both->other, "a", options);
    pools[n++] = join(both, &both->plugin, "a", (struct http_options){.max_connections = 4});
    pools[n++] = join(both, &both->plugin, "a",
                      (struct http_options){.max_connections = 3, .insecure = true});
    pools[n++] = join(both, &both->plugin, "", options);
    pools[n++] = join(both, &both->plugin, "", options);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < i; k++)
            assert_ptr_not_equal(pools[i], pools[k]);
    for (int i = 0; i < n; i++)
        plugin_pool_leave(pools[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_same_name_and_settings_have_one_pool, begin, end),
        cmocka_unit_test_setup_teardown(nothing_else_has, begin, end),
    };

    return cmocka_run_group_tests(tests, place_begin, place_end);
}
