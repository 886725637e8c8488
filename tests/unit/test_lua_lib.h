/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the tests of the plugin lua: an instance of it on a host that remembers the last line of
 * its log, with documents and JSON of the core's own, and no files.
 */
#ifndef TEST_LUA_LIB_H
#define TEST_LUA_LIB_H

#include "base/arena.h"
#include "plugin/private.h"
#include "json/doc.h"

#include "../../plugins/lua/script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

/* What stands for a tr_config. */
struct setup {
    const char *code, *params;
    int64_t time_ms, memory;
    bool all;
};

static char bench_log[1024];

static void bench_host_log(const tr_host *host, int32_t level, tr_str msg)
{
    (void)host;
    (void)level;
    snprintf(bench_log, sizeof(bench_log), "%.*s", (int)msg.len, msg.ptr);
}

static int32_t bench_host_level(const tr_host *host)
{
    (void)host;
    return TR_LOG_INFO;
}

static tr_status bench_host_get(const tr_config *config, const char *path, uint32_t idx,
                                tr_value *value)
{
    const struct setup *setup = (const void *)config;

    (void)idx;
    if (strcmp(path, "code") == 0 && setup->code)
        value->s = tr_str_c(setup->code);
    else if (strcmp(path, "time_limit") == 0)
        value->i = setup->time_ms ? setup->time_ms : 1000;
    else if (strcmp(path, "memory_limit") == 0)
        value->i = setup->memory ? setup->memory : 32 << 20;
    else if (strcmp(path, "libraries") == 0)
        value->i = setup->all;
    else
        return TR_ENOENT;
    return TR_OK;
}

static tr_status bench_json_params(const tr_config *config, const char *path,
                                   tr_json_value **ret_root)
{
    const tr_json *json = ext_json_table();
    const struct setup *setup = (const void *)config;

    (void)path;
    return setup->params ? json->parse(tr_str_c(setup->params), ret_root, NULL) : TR_ENOENT;
}

static const void *bench_host_ext(const tr_host *host, const char *id)
{
    static tr_json json;

    (void)host;
    json = *(const tr_json *)ext_json_table();
    json.from_config = bench_json_params;
    return strcmp(id, TR_EXT_JSON) == 0  ? (const void *)&json
           : strcmp(id, TR_EXT_DOC) == 0 ? ext_doc_table()
                                         : NULL;
}

static const tr_host bench_host = {.size = sizeof(tr_host),
                                   .abi_minor = TR_ABI_MINOR,
                                   .name = "bench",
                                   .version = "1",
                                   .log = bench_host_log,
                                   .log_level = bench_host_level,
                                   .config_get = bench_host_get,
                                   .get_ext = bench_host_ext};

const tr_plugin *tr_plugin_v1(void);

/* ---- an instance ---- */

static inline tr_self *bench_open(const struct setup *setup)
{
    char text[256] = "";
    tr_error error = {.size = sizeof(error), .cap = sizeof(text), .buf = text};
    tr_self *self = NULL;

    assert_int_equal(tr_plugin_v1()->open(&bench_host, &self, &error), TR_OK);
    if (tr_plugin_v1()->configure(self, (const void *)setup, &error) != TR_OK)
        fail_msg("%s", text);
    return self;
}

static inline void bench_close(tr_self *self)
{
    tr_plugin_v1()->close(self);
}

/* What check() says; empty: nothing. */
static inline const char *bench_check(const struct setup *setup)
{
    static char text[256];
    tr_error error = {.size = sizeof(error), .cap = sizeof(text), .buf = text};

    text[0] = '\0';
    if ((tr_plugin_v1()->check(&bench_host, (const void *)setup, &error) == TR_OK) != !text[0])
        fail_msg("%s", text);
    return text;
}

/* ---- a change through transform() ---- */

struct passed {
    tr_status status;
    char error[256];
    char *doc; /* what it is now, to be freed                                              */
    bool changed;
};

/* The text is in memory of its very length, and gone when this returns. */
static inline struct passed bench_pass(tr_self *self, tr_str text)
{
    struct passed passed = {0};
    tr_error error = {.size = sizeof(error), .cap = sizeof(passed.error), .buf = passed.error};
    tr_change change = {.id = TR_STR("an id"), .rev = TR_STR("1-a"), .seq = TR_STR("\"7-x\"")};
    tr_batch batch = {.size = sizeof(batch), .db = TR_STR("db"), .source = TR_STR("main")};
    const tr_doc_api *api = ext_doc_table();
    char *exact = malloc(text.len + 1);
    struct json_doc doc;
    struct arena arena;
    tr_str now;

    assert_non_null(exact);
    if (text.len > 0)
        memcpy(exact, text.ptr, text.len);
    arena_init(&arena, 1024);
    json_doc_init(&doc, tr_str_n(exact, text.len), &arena);
    passed.status = tr_plugin_v1()->transform(self, &batch, &change, (tr_doc *)(void *)&doc,
                                              &error);
    passed.changed = doc.changed;
    now = api->text((tr_doc *)(void *)&doc);
    passed.doc = strndup(now.len > 0 ? now.ptr : "", now.len);
    arena_fini(&arena);
    free(exact);
    return passed;
}

#endif
