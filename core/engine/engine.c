/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine: starts what a generation of settings describes, loads another one on a reload,
 * notices when all is done, and ends it all in order. Made by the cli; on the loop thread.
 */
#include "engine/engine.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/mem.h"
#include "engine/admin.h"
#include "engine/descriptors.h"
#include "engine/document_rules.h"
#include "engine/metrics.h"
#include "engine/private.h"
#include "engine/status.h"
#include "observe/log.h"

#include <stdio.h>
#include <unistd.h>

enum {
    WATCH_MS = 1000,         /* marks in the store, streams that do not come on             */
    ONCE_PATIENCE_MS = 30000 /* `run --once` waits so long for a source that does not answer */
};

/* ---- the end ---- */

void engine_finish(struct engine *engine)
{
    if (engine->finished)
        return;
    engine->finished = true;
    loop_clear_timer(engine->loop, &engine->drain_timer);
    loop_clear_timer(engine->loop, &engine->watch_timer);
    engine->options.finished(engine->options.ctx, engine->exit_code);
}

/* A batch that does not come back cannot be waited for, and its memory cannot be freed under
 * the plugin. What is settled is committed; the rest is delivered again by the next start. */
static void drain_overdue(struct timer *timer)
{
    struct engine *engine = list_entry(timer, struct engine, drain_timer);

    log_warn("batches in flight did not come back in time: ending without them, they will be "
             "delivered again");
    list_each (it, &engine->rules)
        binding_commit(list_entry(it, struct running_rule, link)->binding);
    store_close(engine->store);
    log_notice("stopped");
    _exit(engine->exit_code);
}

void engine_stop(struct engine *engine)
{
    int64_t deadline = clock_ms() + engine->settings->drain_ms;

    if (engine->stopping) {
        if (!engine->finished)
            drain_overdue(&engine->drain_timer);
        return;
    }
    engine->stopping = true;
    document_rules_stop(engine);
    log_notice("stopping: waiting for batches in flight",
               LOG_I("drain_timeout_ms", engine->settings->drain_ms));
    engine->drain_timer.fire = drain_overdue;
    loop_set_timer(engine->loop, &engine->drain_timer, engine->settings->drain_ms);
    list_each (it, &engine->rules)
        running_rule_drain(list_entry(it, struct running_rule, link), deadline);
    if (list_empty(&engine->rules))
        engine_finish(engine);
}

void engine_fail(struct engine *engine, int exit_code)
{
    if (engine->options.mode == ENGINE_FOLLOW || engine->stopping)
        return;
    if (engine->exit_code == 0)
        engine->exit_code = exit_code;
    engine_look(engine);
}

/* ---- is all done? ---- */

static bool sources_are_done(const struct engine *engine)
{
    list_each (it, &engine->sources) {
        if (!source_is_done(list_entry(it, struct source, link)))
            return false;
    }
    return true;
}

/* One that is held is done, in its way. */
static bool rules_are_done(const struct engine *engine, bool *ret_held)
{
    *ret_held = false;
    list_each (it, &engine->rules) {
        struct running_rule *rule = list_entry(it, struct running_rule, link);
        if (binding_held(rule->binding)) {
            *ret_held = true;
            continue;
        }
        if (!binding_is_running(rule->binding) || !binding_is_idle(rule->binding) ||
            rule->replay_wanted)
            return false;
    }
    return true;
}

static void look(struct task *task)
{
    struct engine *engine = list_entry(task, struct engine, look_task);
    bool held = false;

    engine->look_posted = false;
    if (engine->stopping || engine->options.mode == ENGINE_FOLLOW)
        return;
    if (engine->exit_code != 0) {
        engine_stop(engine);
        return;
    }
    if (!document_rules_are_read(engine) || !rules_are_done(engine, &held) ||
        !sources_are_done(engine))
        return;
    if (held)
        engine->exit_code = error_exit_code(ERR_SOFTWARE);
    engine_stop(engine);
}

void engine_look(struct engine *engine)
{
    if (engine->look_posted || engine->options.mode == ENGINE_FOLLOW)
        return;
    engine->look_posted = true;
    engine->look_task.run = look;
    loop_post(engine->loop, &engine->look_task);
}

static void watch_streams(struct engine *engine)
{
    list_each (it, &engine->sources) {
        const struct source *source = list_entry(it, struct source, link);
        list_each (link, &source->streams) {
            const struct stream *stream = list_entry(link, struct stream, link);
            if (stream->stuck_since_ms > 0 &&
                clock_ms() - stream->stuck_since_ms > ONCE_PATIENCE_MS)
                engine_fail(engine, error_exit_code(ERR_UNAVAIL));
        }
    }
}

static void watch(struct timer *timer)
{
    struct engine *engine = list_entry(timer, struct engine, watch_timer);

    if (engine->stopping)
        return;
    if (store_changed(engine->store)) {
        replay_poll(engine);
        backfill_poll(engine);
    }
    list_each (it, &engine->sources) {
        reader_yield(list_entry(it, struct source, link));
        database_cool(list_entry(it, struct source, link));
    }
    list_each (it, &engine->rules) {
        struct running_rule *rule = list_entry(it, struct running_rule, link);
        if (!list_empty(&rule->stalled))
            reader_room(rule);
    }
    if (engine->options.mode == ENGINE_ONCE)
        watch_streams(engine);
    loop_set_timer(engine->loop, &engine->watch_timer, WATCH_MS);
}

/* ---- reload ---- */

static void log_diags(const struct diags *diags)
{
    for (const struct diag *diag = diags->first; diag; diag = diag->next)
        log_at(diag->severity == DIAG_ERROR ? LOG_ERROR : LOG_WARN, diag->message,
               LOG_C("file", diag->file), LOG_I("line", diag->line), LOG_C("key", diag->path),
               LOG_C("remedy", diag->remedy));
}

static int load_passwords(struct engine *engine, const struct settings *settings,
                          struct error *error)
{
    if (!settings->passwords_files[0])
        return 0;
    return secrets_load_all(engine->secrets, settings->passwords_files, error);
}

static void tell_of_restart(const char *key)
{
    log_warn("this setting takes a restart: it stays as it was", LOG_C("key", key));
}

/* What was opened at the start stays as the first settings said. */
static void tell_what_stays(const struct settings *old, const struct settings *settings)
{
    if (!str_eq(old->state_dir, settings->state_dir))
        tell_of_restart("state_dir");
    if (old->letters_count != settings->letters_count ||
        old->letters_bytes != settings->letters_bytes)
        tell_of_restart("dead_letters");
}

void engine_reload(struct engine *engine)
{
    struct settings *settings = NULL, *old;
    struct diags diags;
    struct error error;
    int rc;

    if (engine->stopping)
        return;
    diags_init(&diags);
    rc = settings_load(&engine->options.overrides, &diags, &settings);
    if (rc == 0)
        rc = settings_resolve(settings, &diags);
    log_diags(&diags);
    diags_fini(&diags);
    if (rc == 0 && load_passwords(engine, settings, &error) < 0) {
        log_error("passwords file cannot be read", LOG_C("reason", error.text));
        rc = error.code;
    }
    if (rc < 0) {
        log_error("the new configuration is refused, the old one stays in force");
        engine->reloads_refused++;
        settings_unref(settings);
        return;
    }
    FAILPOINT("reload.read");
    descriptors_fit(settings);
    old = engine->settings;
    engine->settings = settings;
    if (engine->options.reloaded)
        engine->options.reloaded(engine->options.ctx, settings);
    tell_what_stays(old, settings);
    wanted_change(engine, old, settings);
    settings_unref(old);
    list_each (it, &engine->sources) {
        struct source *source = list_entry(it, struct source, link);
        if (source->session)
            session_retry(source->session);
    }
    document_rules_reload(engine);
    engine_admin_reload(engine);
    engine->reloads++;
    FAILPOINT("reload.done");
    log_notice("configuration loaded again", LOG_I("rules", settings->rules_count));
}

/* ---- making ---- */

static int open_all(struct engine *engine, struct error *error)
{
    const struct settings *settings = engine->settings;
    struct store_limits limits = {.count = settings->letters_count,
                                  .bytes = settings->letters_bytes};
    int rc;

    engine->metrics = engine_metrics_new();
    engine->secrets = secrets_new();
    rc = load_passwords(engine, settings, error);
    if (rc < 0)
        return rc;
    rc = http_new(engine->loop, "tailrace/" TAILRACE_VERSION, &engine->http, error);
    if (rc < 0)
        return rc;
    own_writes_watch(engine);
    rc = store_open(settings->state_dir.ptr, 0, &engine->store, error);
    if (rc < 0)
        return rc;
    store_set_limits(engine->store, &limits);
    rc = store_start(engine->store, engine->loop, error);
    return rc < 0 ? rc : backfill_start(engine, error);
}

int engine_new(const struct engine_options *options, struct settings *settings,
               struct engine **ret_engine, struct error *error)
{
    struct engine *engine = mem_new(struct engine);
    int rc;

    engine->options = *options;
    engine->loop = options->loop;
    descriptors_fit(settings);
    engine->settings = settings;
    engine->started_ms = clock_ms();
    engine->repeats = repeats_new();
    list_init(&engine->sources);
    list_init(&engine->rules);
    list_init(&engine->idle_readers);
    rc = open_all(engine, error);
    if (rc == 0)
        rc = wanted_make_first(engine, error);
    if (rc < 0) { /* nothing has started yet that would have to be drained */
        engine_free(engine);
        return rc;
    }
    wanted_start(engine);
    document_rules_start(engine);
    status_start(engine);
    engine_admin_start(engine);
    engine->watch_timer.fire = watch;
    loop_set_timer(engine->loop, &engine->watch_timer, WATCH_MS);
    engine_look(engine);
    *ret_engine = engine;
    return 0;
}

void engine_free(struct engine *engine)
{
    if (!engine)
        return;
    document_rules_stop(engine);
    engine_admin_stop(engine);
    status_stop(engine);
    loop_clear_timer(engine->loop, &engine->drain_timer);
    loop_clear_timer(engine->loop, &engine->watch_timer);
    list_each_safe (it, &engine->rules)
        running_rule_free(list_entry(it, struct running_rule, link));
    while (!list_empty(&engine->idle_readers))
        reader_free(list_entry(engine->idle_readers.next, struct reader, link));
    store_close(engine->store);
    backfill_stop(engine);
    if (engine->http)
        http_free(engine->http);
    secrets_free(engine->secrets);
    engine_metrics_free(engine);
    wanted_free(engine);
    settings_unref(engine->settings);
    repeats_free(engine->repeats);
    free(engine);
}

static void add_stats(struct binding_stats *sum, const struct binding_stats *stats)
{
    sum->received += stats->received;
    sum->filtered += stats->filtered;
    sum->ok += stats->ok;
    sum->dead += stats->dead;
    sum->skipped += stats->skipped;
    sum->retried += stats->retried;
    sum->repeated += stats->repeated;
    sum->batches += stats->batches;
}

void engine_keep_stats(struct running_rule *rule)
{
    add_stats(&rule->engine->gone, binding_get_stats(rule->binding));
    engine_metrics_remove(rule);
}

void engine_get_stats(const struct engine *engine, struct binding_stats *ret_stats)
{
    *ret_stats = engine->gone;
    list_each (it, &engine->rules)
        add_stats(ret_stats,
                  binding_get_stats(list_entry(it, struct running_rule, link)->binding));
}
