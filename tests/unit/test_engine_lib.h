/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of the engine share: a site in a directory of its own, with a configuration,
 * files as sources, and three plugins with the same options: "sink" of test_dispatch_lib.h,
 * "pass", a transform, and "placed", a sink with a position of its own.
 *
 * plugin_load() stands here instead of the loader's: a program's own file cannot be loaded.
 */
#ifndef TEST_ENGINE_LIB_H
#define TEST_ENGINE_LIB_H

#include "engine/private.h"
#include "test_dispatch_lib.h"

#include <dirent.h>
#include <sys/stat.h>

static const tr_option sink_options[] = {
    {.name = "where", .type = TR_TYPE_STRING, .flags = TR_OPTION_REQUIRED},
    {.name = "size", .type = TR_TYPE_INT, .dflt = "5", .min = 1, .max = 10},
    {.name = "live", .type = TR_TYPE_STRING, .flags = TR_OPTION_LIVE},
};

static tr_status pass_on(tr_self *self, const tr_batch *batch, const tr_change *change,
                         tr_doc *doc, tr_error *error)
{
    (void)self, (void)batch, (void)change, (void)doc, (void)error;
    return TR_OK;
}

/* What "placed" says of where to begin, and what it was told. */
static struct {
    bool never; /* it does not answer                                                      */
    char seq[32], settled[32];
    char again[32]; /* where it has a stream begin again, once it was told of a checkpoint */
} placed;

static void placed_begin(tr_self *self, const tr_begin *begin)
{
    const tr_host *host = (const tr_host *)(void *)self;
    const tr_position_host *table = host->get_ext(host, TR_EXT_POSITION);

    if (!placed.never)
        table->answer(host, begin->question, str_c(placed.seq));
}

static void placed_settled(tr_self *self, const tr_place *place)
{
    const tr_host *host = (const tr_host *)(void *)self;
    const tr_position_host *table = host->get_ext(host, TR_EXT_POSITION);

    snprintf(placed.settled, sizeof(placed.settled), STR_FMT, STR_ARG(place->seq));
    if (placed.again[0] && atoi(placed.settled) > 0)
        assert_int_equal(table->again(host, place->stream, str_c(placed.again)), TR_OK);
    placed.again[0] = '\0';
}

static const void *placed_get_ext(const char *id)
{
    static const tr_position table = {
        .size = sizeof(table), .begin = placed_begin, .settled = placed_settled};

    return strcmp(id, TR_EXT_POSITION) == 0 ? &table : NULL;
}

int plugin_load(tr_str name, const char *const *dirs, const struct plugin **ret_plugin,
                struct error *error)
{
    static const char *const names[] = {"sink", "pass", "placed"};
    static struct plugin plugins[3];

    assert_non_null(dirs);
    for (size_t i = 0; i < 3; i++) {
        struct plugin *plugin = &plugins[i];

        if (!str_eq(name, str_c(names[i])))
            continue;
        *ret_plugin = plugin;
        if (plugin->options) /* instances may read it by now                               */
            return 0;
        *plugin = sink_plugin;
        plugin->options = (tr_option *)(uintptr_t)sink_options;
        plugin->options_count = sizeof(sink_options) / sizeof(sink_options[0]);
        plugin->descriptor.transform = i == 1 ? pass_on : NULL;
        plugin->descriptor.process = i == 1 ? NULL : sink_process;
        plugin->descriptor.get_ext = i == 2 ? placed_get_ext : NULL;
        return 0;
    }
    return error_set(error, ERR_NOINPUT, "there is no plugin \"" STR_FMT "\"", STR_ARG(name));
}

struct site {
    char dir[64], conf[96];
    struct settings_overrides overrides;
    struct diags diags;
    struct settings *settings;
    struct loop *loop;
    struct engine *engine;
    bool finished;
    int exit_code;
};

static inline void site_init(struct site *site)
{
    *site = (struct site){.finished = false};
    log_set_level(getenv("TEST_LOG") ? LOG_DEBUG : 0);
    sink_init();
    snprintf(site->dir, sizeof(site->dir), "/tmp/tailrace-test-XXXXXX");
    assert_non_null(mkdtemp(site->dir));
    snprintf(site->conf, sizeof(site->conf), "%s/tailrace.conf", site->dir);
    site->overrides = (struct settings_overrides){.path = site->conf, .state_dir = site->dir};
    assert_int_equal(loop_new(&site->loop, NULL), 0);
    diags_init(&site->diags);
    alarm(getenv("TEST_ALARM") ? 8 : 60);
}

static inline void site_fini(struct site *site)
{
    DIR *dir = opendir(site->dir);
    struct dirent *entry;

    settings_unref(site->settings);
    diags_fini(&site->diags);
    loop_free(site->loop);
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL)
        unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
    assert_int_equal(rmdir(site->dir), 0);
    alarm(0);
}

static inline void site_write(struct site *site, const char *name, const char *mode,
                              const char *text)
{
    char path[160];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", site->dir, name);
    file = fopen(path, mode);
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* One source, the file "rows", and these rules. */
static inline void site_configure(struct site *site, const char *rules)
{
    char text[4096];

    snprintf(text, sizeof(text),
             "sources: { f: { type = \"file\"; path = \"%s/rows\"; retry_min = \"1ms\";"
             " retry_max = \"2ms\"; poll_interval = \"10ms\"; }; };\nrules: { %s };\n",
             site->dir, rules);
    site_write(site, "tailrace.conf", "w", text);
}

/* Rows `from` to `to` at the end of "rows". */
static inline void site_add_rows(struct site *site, int from, int to)
{
    for (int i = from; i <= to; i++) {
        char text[96];
        snprintf(text, sizeof(text), "{\"id\":\"d%d\",\"changes\":[{\"rev\":\"%d-r\"}]}\n", i,
                 i);
        site_write(site, "rows", "a", text);
    }
}

static inline int site_load(struct site *site)
{
    return settings_load(&site->overrides, &site->diags, &site->settings);
}

static inline void on_finished(void *ctx, int exit_code)
{
    struct site *site = ctx;

    assert_false(site->finished);
    site->finished = true;
    site->exit_code = exit_code;
}

static inline int site_try(struct site *site, enum engine_mode mode, struct error *error)
{
    struct engine_options options = {.loop = site->loop,
                                     .mode = mode,
                                     .overrides = site->overrides,
                                     .finished = on_finished,
                                     .ctx = site};
    struct settings *settings = site->settings;

    site->finished = false;
    site->settings = NULL;
    return engine_new(&options, settings, &site->engine, error);
}

static inline void site_start(struct site *site, enum engine_mode mode)
{
    struct error error = {0};

    if (site_load(site) < 0) {
        struct buf text = {0};
        diags_print(&site->diags, &text);
        fail_msg(STR_FMT, STR_ARG(buf_str(&text)));
    }
    if (site_try(site, mode, &error) < 0)
        fail_msg("%s", error.text);
}

#define SITE_WAIT(site_, condition_)                                                           \
    do {                                                                                       \
        while (!(condition_))                                                                  \
            loop_turn((site_)->loop, 1);                                                       \
    } while (0)

static inline void site_turns(struct site *site, int turns)
{
    while (turns-- > 0)
        loop_turn(site->loop, 1);
}

static inline void site_stop(struct site *site)
{
    if (!site->finished)
        engine_stop(site->engine);
    SITE_WAIT(site, site->finished);
    engine_free(site->engine);
    site->engine = NULL;
}

static inline struct sink_batch site_answer(struct site *site, tr_status status)
{
    struct sink_batch batch;

    SITE_WAIT(site, sink_count() > 0);
    batch = sink_take(0);
    sink_answer(&batch, status, NULL, 0);
    return batch;
}

static inline struct running_rule *site_rule(struct site *site, const char *name)
{
    list_each (it, &site->engine->rules) {
        struct running_rule *rule = list_entry(it, struct running_rule, link);
        if (str_eq(rule->settings->name, str_c(name)))
            return rule;
    }
    return NULL;
}

#endif
