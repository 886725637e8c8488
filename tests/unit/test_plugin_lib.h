/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the tests of plugin/: the plugins of tests/plugins in a folder of their own, an instance
 * of one of them on a loop, and batches that remember what became of them.
 */
#ifndef TEST_PLUGIN_LIB_H
#define TEST_PLUGIN_LIB_H

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "config/load.h"
#include "http/client.h"
#include "plugin/instance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- the folder: nobody else may write to it, whatever the umask of the build was ---- */

static char place_dir[64];

static inline int place_begin(void **state)
{
    (void)state;
    snprintf(place_dir, sizeof(place_dir), "/tmp/tailrace-plugins-XXXXXX");
    return mkdtemp(place_dir) ? 0 : -1;
}

static inline const char *place_path(const char *name)
{
    static char path[192];

    snprintf(path, sizeof(path), "%s/%s.so", place_dir, name);
    return path;
}

/* Copies a plugin out of the build, unless it is there. */
static inline void place_add(const char *name)
{
    struct buf bytes = {0};
    char from[512];
    FILE *file;

    if (access(place_path(name), F_OK) == 0)
        return;
    snprintf(from, sizeof(from), "%s/%s.so", PLUGINS_DIR, name);
    assert_int_equal(file_read(from, 64u << 20, 0, &bytes, NULL), 0);
    file = fopen(place_path(name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes.ptr, 1, bytes.len, file), bytes.len);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(place_path(name), 0644), 0);
    buf_fini(&bytes);
}

static inline int place_end(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf -- '%s'", place_dir);
    return system(command);
}

static inline int place_load(const char *name, const struct plugin **ret_plugin,
                             struct error *error)
{
    const char *dirs[] = {place_dir, NULL};

    return plugin_load(str_c(name), dirs, ret_plugin, error);
}

/* ---- an instance ---- */

struct bench {
    struct loop *loop;
    struct http *http;
    const struct plugin *plugin;
    struct diags diags;
    struct config *config;
    struct config_values *options;
    struct instance *instance;
    int ready, wedged, stopped, agains;
    char again[64]; /* stream and seq of the last                                          */
    struct error error; /* of ready()                                                      */
    int64_t timeout_ms, grace_ms;
    uint32_t transforms;        /* so many stand before it                                  */
    const char *transform_name; /* of this plugin; NULL: the same                            */
    struct metrics *metrics;    /* where it counts; NULL: nowhere                            */
};

static inline void bench_ready(void *ctx, const struct error *error)
{
    struct bench *b = ctx;

    b->error = error ? *error : (struct error){0};
    b->ready++;
}

static inline void bench_wedged(void *ctx)
{
    ((struct bench *)ctx)->wedged++;
}

static inline void bench_stopped(void *ctx)
{
    ((struct bench *)ctx)->stopped++;
}

static inline void bench_again(void *ctx, tr_str stream, tr_str seq)
{
    struct bench *b = ctx;

    snprintf(b->again, sizeof(b->again), STR_FMT " " STR_FMT, STR_ARG(stream), STR_ARG(seq));
    b->agains++;
}

/* Turns the loop until the count is reached. */
static inline void bench_until(struct bench *b, const int *count, int wanted)
{
    int64_t end = clock_ms() + 60000;

    while (*count < wanted && clock_ms() < end)
        loop_turn(b->loop, 50);
    assert_int_equal(*count, wanted);
}

/* Checks options for the plugin; what was there before is freed. */
static inline void bench_options(struct bench *b, const char *text)
{
    struct buf said = {0};

    config_values_free(b->options);
    config_free(b->config);
    b->options = NULL;
    b->config = NULL;
    assert_int_equal(config_load_text("test", str_c(text), &b->diags, &b->config), 0);
    if (config_check(b->config->root, NULL, b->plugin->options, b->plugin->options_count, 0,
                     &b->diags, &b->options) < 0) {
        diags_print(&b->diags, &said);
        fail_msg("%s", said.ptr);
    }
}

/* Starts an instance; b->error says how that went. Timeouts that matter are set before. */
static inline void bench_start(struct bench *b, const char *name, const char *options)
{
    static const struct instance_events events = {.ready = bench_ready,
                                                  .wedged = bench_wedged,
                                                  .stopped = bench_stopped,
                                                  .again = bench_again};
    struct instance_setup setup = {.rule = "rule", .events = &events, .ctx = b};
    struct transform_setup transforms[4];
    struct error error = {0};

    diags_init(&b->diags);
    place_add(name);
    if (place_load(name, &b->plugin, &error) < 0)
        fail_msg("%s", error.text);
    bench_options(b, options);
    assert_int_equal(loop_new(&b->loop, NULL), 0);
    assert_int_equal(http_new(b->loop, "tailrace/test", &b->http, NULL), 0);
    setup.plugin = b->plugin;
    setup.options = b->options;
    for (uint32_t i = 0; i < b->transforms; i++) {
        transforms[i] = (struct transform_setup){.plugin = b->plugin, .options = b->options};
        if (b->transform_name) {
            place_add(b->transform_name);
            assert_int_equal(place_load(b->transform_name, &transforms[i].plugin, NULL), 0);
        }
    }
    setup.transforms = transforms;
    setup.transforms_count = b->transforms;
    setup.timeout_ms = b->timeout_ms ? b->timeout_ms : 60000;
    setup.grace_ms = b->grace_ms ? b->grace_ms : 60000;
    setup.loop = b->loop;
    setup.http = b->http;
    setup.metrics = b->metrics;
    b->instance = instance_new(&setup);
    assert_int_equal(instance_start(b->instance, NULL), 0);
    bench_until(b, &b->ready, 1);
}

/* Of one that has stopped. */
static inline void bench_free(struct bench *b)
{
    instance_free(b->instance);
    http_free(b->http);
    loop_free(b->loop);
    config_values_free(b->options);
    config_free(b->config);
    diags_fini(&b->diags);
}

/* Stops it, and frees all. */
static inline void bench_end(struct bench *b)
{
    instance_stop(b->instance, clock_ms() + 10000);
    bench_until(b, &b->stopped, 1);
    bench_free(b);
}

/* ---- batches ---- */

struct delivery {
    struct job job;
    tr_change changes[8];
    int done;
};

static inline void delivery_done(struct job *job)
{
    list_entry(job, struct delivery, job)->done++;
}

static inline void delivery_fill(struct delivery *d, uint32_t count, uint32_t attempt)
{
    *d = (struct delivery){.job.done = delivery_done};
    for (uint32_t i = 0; i < count; i++)
        d->changes[i] = (tr_change){
            .raw = STR("{\"seq\":1,\"id\":\"a\"}"), .id = STR("a"), .attempt = attempt};
    d->job.batch = (tr_batch){.source = STR("main"),
                              .db = STR("db"),
                              .rule = STR("rule"),
                              .changes = d->changes,
                              .count = count,
                              .stride = sizeof(d->changes[0])};
}

static inline void delivery_submit(struct bench *b, struct delivery *d, uint32_t count)
{
    delivery_fill(d, count, 1);
    assert_true(instance_submit(b->instance, &d->job));
}

/* Submits a batch and waits for its outcome; job_fini() is up to the caller. */
static inline void delivery_settle(struct bench *b, struct delivery *d, uint32_t count)
{
    delivery_submit(b, d, count);
    bench_until(b, &d->done, 1);
}

#define assert_outcome(d_, status_, message_)                                                  \
    do {                                                                                       \
        assert_string_equal((d_)->job.message, message_);                                      \
        assert_int_equal((d_)->job.status, status_);                                           \
    } while (0)

#endif
