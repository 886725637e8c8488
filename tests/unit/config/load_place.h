/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A directory of its own for each test, configurations loaded from it, and what was said of
 * them.
 */
#ifndef TESTS_CONFIG_LOAD_PLACE_H
#define TESTS_CONFIG_LOAD_PLACE_H

#include "base/buf.h"
#include "config/load.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

/* A directory of its own for each test. */
struct place {
    char dir[64];
    struct diags diags;
    struct config *config;
    struct buf said; /* the diagnostics as text, with "DIR/" taken out                      */
};

static inline int set_up(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    char conf_d[80];

    strcpy(place->dir, "/tmp/test_config_XXXXXX");
    assert_non_null(mkdtemp(place->dir));
    assert_int_equal(chmod(place->dir, 0755), 0);
    snprintf(conf_d, sizeof(conf_d), "%s/conf.d", place->dir);
    assert_int_equal(mkdir(conf_d, 0755), 0);
    diags_init(&place->diags);
    *state = place;
    return 0;
}

static inline int tear_down(void **state)
{
    struct place *place = *state;
    char command[128];

    snprintf(command, sizeof(command), "rm -rf '%s'", place->dir);
    assert_int_equal(system(command), 0);
    config_free(place->config);
    diags_fini(&place->diags);
    buf_fini(&place->said);
    free(place);
    return 0;
}

static const char *path_in(struct place *place, const char *name)
{
    static char path[256];

    snprintf(path, sizeof(path), "%s/%s", place->dir, name);
    return path;
}

static inline void write_bytes(struct place *place, const char *name, const char *bytes,
                               size_t len)
{
    FILE *file = fopen(path_in(place, name), "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static inline void write_file(struct place *place, const char *name, const char *text)
{
    write_bytes(place, name, text, strlen(text));
}

static inline void print_said(struct place *place)
{
    struct buf all = {0};
    size_t len = strlen(place->dir) + 1;

    diags_print(&place->diags, &all);
    buf_add_c(&all, "");
    for (const char *at = all.ptr; *at; at++) {
        if (strncmp(at, place->dir, len - 1) == 0 && at[len - 1] == '/')
            at += len - 1;
        else
            buf_add_char(&place->said, *at);
    }
    buf_add_c(&place->said, "");
    buf_fini(&all);
}

static inline int load(struct place *place)
{
    int rc = config_load(path_in(place, "main.conf"), &place->diags, &place->config);

    print_said(place);
    return rc;
}

static inline int load_main(struct place *place, const char *text)
{
    write_file(place, "main.conf", text);
    return load(place);
}

static inline void assert_said(struct place *place, const char *part)
{
    if (!strstr(place->said.ptr, part))
        fail_msg("\"%s\" is not in:\n%s", part, place->said.ptr);
}

static inline int64_t number_at(struct place *place, const char *path)
{
    const struct config_node *node = config_at(place->config->root, path);

    assert_non_null(node);
    return node->number;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
