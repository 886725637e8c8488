/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tailrace/connection.h: options as the host judges them, and what a client is made of then. In
 * C++ it is tests/plugins/cxx_http.cpp, which test_plugin_http.c runs.
 */
#include "config/load.h"
#include "plugin/private.h"

#include <tailrace/connection.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct wishes {
    char *url;
    tr_connection connection;
};

#define AT(member_) offsetof(struct wishes, member_)

static const tr_option table[] = {
    {.name = "url", .type = TR_TYPE_URL, .offset = AT(url)},
    TR_CONNECTION_LIMITS(AT(connection), "8", "requests at once"),
    TR_CONNECTION_TRUST(AT(connection)),
};

enum { OPTIONS_COUNT = sizeof(table) / sizeof(table[0]) };

static tr_status get(const tr_config *config, const char *path, uint32_t idx, tr_value *value)
{
    return config_values_get(config->values, path, idx, value);
}

/* What is wrong with the options; empty: they are bound. */
static const char *bind(const char *text, struct wishes *wishes)
{
    static char said[512];
    const tr_host host = {.size = sizeof(host), .config_get = get};
    struct config_values *values = NULL;
    struct config *config = NULL;
    struct buf all = {0};
    struct diags diags;

    diags_init(&diags);
    assert_int_equal(config_load_text("test", str_c(text), &diags, &config), 0);
    if (config_check(config->root, NULL, table, OPTIONS_COUNT, 0, &diags, &values) == 0) {
        const tr_config options = {.values = values};

        assert_int_equal(tr_bind(&host, &options, table, OPTIONS_COUNT, wishes, NULL), TR_OK);
    }
    diags_print(&diags, &all);
    snprintf(said, sizeof(said), "%.*s", (int)all.len, all.ptr ? all.ptr : "");
    buf_fini(&all);
    config_values_free(values);
    config_free(config);
    diags_fini(&diags);
    return said;
}

static void what_is_not_set_has_the_defaults(void **state)
{
    struct wishes wishes = {0};
    tr_http_options http;

    (void)state;
    assert_string_equal(bind("", &wishes), "");
    http = tr_connection_http(&wishes.connection);
    assert_int_equal(http.size, sizeof(http));
    assert_int_equal(http.max_connections, 8);
    assert_int_equal(http.connect_timeout_ms, 10000);
    assert_int_equal(http.deny_private, 0);
    assert_int_equal(http.insecure_tls, 0);
    assert_int_equal(http.ca_file.len, 0);
    assert_int_equal(http.proxy.len, 0);
    assert_int_equal(http.max_redirects, 0);
    assert_true(http.max_response == 0);
    assert_int_equal(http.share.len, 0);
    tr_unbind(table, OPTIONS_COUNT, &wishes);
}

static void what_is_set_reaches_the_client(void **state)
{
    struct wishes wishes = {0};
    tr_http_options http;

    (void)state;
    assert_string_equal(bind("max_connections = 3; connect_timeout = \"2s\"; "
                             "deny_private = true; insecure = true; "
                             "ca_file = \"/etc/ca.pem\"; proxy = \"http://proxy:3128\";",
                             &wishes),
                        "");
    http = tr_connection_http(&wishes.connection);
    assert_int_equal(http.max_connections, 3);
    assert_int_equal(http.connect_timeout_ms, 2000);
    assert_int_equal(http.deny_private, 1);
    assert_int_equal(http.insecure_tls, 1);
    assert_true(tr_str_eq(http.ca_file, TR_STR("/etc/ca.pem")));
    assert_true(tr_str_eq(http.proxy, TR_STR("http://proxy:3128")));
    tr_unbind(table, OPTIONS_COUNT, &wishes);
    assert_null(wishes.connection.ca_file);
    assert_null(wishes.connection.proxy);
}

static void bounds_are_judged_by_the_host(void **state)
{
    static const char *const wrong[] = {
        "max_connections = 0;",       "max_connections = 4097;", "connect_timeout = \"9ms\";",
        "connect_timeout = \"11m\";", "ca_file = \"ca.pem\";",   "proxy = \"proxy:3128\";",
    };
    struct wishes wishes = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_string_not_equal(bind(wrong[i], &wishes), "");
}

/* Paths are refused to documents anyway. */
static void no_document_says_whom_to_trust(void **state)
{
    const tr_option trust[] = {TR_CONNECTION_TRUST(0)};

    (void)state;
    for (size_t i = 0; i < sizeof(trust) / sizeof(trust[0]); i++)
        assert_true((trust[i].flags & TR_OPTION_OPERATOR) || trust[i].type == TR_TYPE_PATH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_set_has_the_defaults),
        cmocka_unit_test(what_is_set_reaches_the_client),
        cmocka_unit_test(bounds_are_judged_by_the_host),
        cmocka_unit_test(no_document_says_whom_to_trust),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
