/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table with an option of each type, texts checked against it, and what was said of them.
 */
#ifndef TESTS_CONFIG_SCHEMA_PLACE_H
#define TESTS_CONFIG_SCHEMA_PLACE_H

#include "base/buf.h"
#include "config/load.h"
#include "config/schema.h"

#include <stdlib.h>

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

static const char *const methods[] = {"GET", "PUT", "POST", NULL};

static const tr_option hmac[] = {
    {.name = "secret", .type = TR_TYPE_SECRET, .flags = TR_OPTION_REQUIRED},
    {.name = "header", .type = TR_TYPE_STRING, .dflt = "X-Signature"},
    {.name = NULL},
};

static const tr_option target[] = {
    {.name = "url", .type = TR_TYPE_URL, .flags = TR_OPTION_REQUIRED},
    {.name = "weight", .type = TR_TYPE_INT, .dflt = "1"},
    {.name = NULL},
};

struct bound {
    tr_str databases, unset;
    int64_t timeout, buffer, port;
    double ratio;
    int32_t debounce, method;
};

#define AT(field) offsetof(struct bound, field)
#define NOWHERE   ((size_t)-1)

static const tr_option table[] = {
    {.name = "databases", .type = TR_TYPE_REGEX, .offset = AT(databases)},
    {.name = "timeout",
     .type = TR_TYPE_DURATION,
     .dflt = "5s",
     .min = 10,
     .max = 60000,
     .offset = AT(timeout)},
    {.name = "buffer", .type = TR_TYPE_SIZE, .dflt = "8MB", .offset = AT(buffer)},
    {.name = "port", .type = TR_TYPE_INT, .min = 1, .max = 65535, .offset = AT(port)},
    {.name = "ratio",
     .type = TR_TYPE_FLOAT,
     .dflt = "0.5",
     .min = 0,
     .max = 1,
     .offset = AT(ratio)},
    {.name = "debounce", .type = TR_TYPE_BOOL, .dflt = "true", .offset = AT(debounce)},
    {.name = "method",
     .type = TR_TYPE_ENUM,
     .dflt = "PUT",
     .choices = methods,
     .offset = AT(method)},
    {.name = "target", .type = TR_TYPE_URL, .offset = NOWHERE},
    {.name = "file", .type = TR_TYPE_PATH, .offset = NOWHERE},
    {.name = "key", .type = TR_TYPE_SECRET, .offset = NOWHERE},
    {.name = "text", .type = TR_TYPE_STRING, .offset = AT(unset)},
    {.name = "hosts",
     .type = TR_TYPE_STRING,
     .flags = TR_OPTION_LIST,
     .dflt = "[\"a\", \"b\"]"},
    {.name = "sizes", .type = TR_TYPE_SIZE, .flags = TR_OPTION_LIST},
    {.name = "hmac", .type = TR_TYPE_GROUP, .group = hmac},
    {.name = "targets", .type = TR_TYPE_GROUP, .flags = TR_OPTION_LIST, .group = target},
    {.name = "params", .type = TR_TYPE_GROUP},
    {.name = "old", .type = TR_TYPE_INT, .flags = TR_OPTION_DEPRECATED, .help = "use port"},
};

enum { COUNT = sizeof(table) / sizeof(table[0]) };

struct place {
    struct diags diags;
    struct config *config;
    struct config_values *values;
    struct buf said;
};

static inline int set_up(void **state)
{
    struct place *place = calloc(1, sizeof(*place));

    diags_init(&place->diags);
    *state = place;
    return 0;
}

static inline int tear_down(void **state)
{
    struct place *place = *state;

    config_values_free(place->values);
    config_free(place->config);
    diags_fini(&place->diags);
    buf_fini(&place->said);
    free(place);
    return 0;
}

static inline int check_with(struct place *place, const char *text, const tr_option *options,
                             uint32_t count)
{
    int rc;

    assert_int_equal(config_load_text("f", str_c(text), &place->diags, &place->config), 0);
    rc = config_check(place->config->root, NULL, options, count, sizeof(options[0]),
                      &place->diags, &place->values);
    diags_print(&place->diags, &place->said);
    buf_add_c(&place->said, "");
    return rc;
}

static inline int check(struct place *place, const char *text)
{
    return check_with(place, text, table, COUNT);
}

static inline void assert_said(struct place *place, const char *part)
{
    if (!strstr(place->said.ptr, part))
        fail_msg("\"%s\" is not in:\n%s", part, place->said.ptr);
}

/* The text is refused, and exactly this is said. */
static inline void assert_refused(void **state, const char *text, const char *said)
{
    struct place *place = *state;

    assert_int_equal(check(place, text), ERR_CONFIG);
    assert_string_equal(place->said.ptr, said);
    assert_null(place->values);
    tear_down(state);
    set_up(state);
}

static inline void assert_passed(void **state, const char *text)
{
    struct place *place = *state;

    if (check(place, text) != 0)
        fail_msg("%s: %s", text, place->said.ptr);
    tear_down(state);
    set_up(state);
}

static inline tr_value get(struct place *place, const char *path, uint32_t idx)
{
    tr_value value = {.size = sizeof(value)};

    if (config_values_get(place->values, path, idx, &value) != TR_OK)
        fail_msg("%s %u cannot be read", path, (unsigned)idx);
    return value;
}

static inline tr_status status_of(struct place *place, const char *path, uint32_t idx)
{
    tr_value value = {.size = sizeof(value)};

    return config_values_get(place->values, path, idx, &value);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
