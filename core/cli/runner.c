/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An engine on a loop, and the signals that steer it. Main thread.
 */
#include "cli/runner.h"

#include "cli/notify.h"
#include "cli/signals.h"
#include "observe/log.h"

#include <signal.h>

struct runner {
    const struct runner_options *options;
    struct loop *loop;
    struct engine *engine;
    struct signals signals;
    int exit_code;
};

/* ---- signals ---- */

/* The line of the progress goes first: a second signal ends the process where it stands. */
static void stop(struct runner *runner)
{
    progress_stop(runner->options->progress);
    engine_interrupt(runner->engine, runner->options->stopped_code);
}

static void hang_up(struct runner *runner)
{
    /* What a terminal sends when it goes away; a service is asked to reload by it. */
    if (!runner->options->is_service) {
        stop(runner);
        return;
    }
    notify_reloading();
    engine_reload(runner->engine);
    notify_ready();
}

static void signal_came(struct signals *signals, int number)
{
    struct runner *runner = list_entry(signals, struct runner, signals);

    if (number == SIGHUP) {
        hang_up(runner);
        return;
    }
    if (runner->options->is_service)
        notify_stopping();
    stop(runner);
}

/* ---- the run ---- */

static void finished(void *ctx, int exit_code)
{
    struct runner *runner = ctx;

    progress_stop(runner->options->progress);
    runner->exit_code = exit_code;
    if (runner->options->stats)
        engine_get_stats(runner->engine, runner->options->stats);
    loop_stop(runner->loop);
}

static void reloaded(void *ctx, const struct settings *settings)
{
    const struct runner *runner = ctx;

    args_set_up_log(runner->options->args, settings);
}

static void look(const void *ctx, struct engine_progress *ret_progress)
{
    const struct runner *runner = ctx;

    engine_get_progress(runner->engine, ret_progress);
}

static size_t look_at_parts(const void *ctx, struct engine_part *parts, size_t room)
{
    const struct runner *runner = ctx;

    return engine_get_parts(runner->engine, parts, room);
}

int runner_run(const struct runner_options *options, struct settings *settings,
               int *ret_exit_code, struct error *error)
{
    struct runner runner = {.options = options, .signals.came = signal_came};
    struct engine_options engine_options = {
        .mode = options->mode,
        .overrides = *options->overrides,
        .finished = finished,
        .reloaded = options->is_service ? reloaded : NULL,
        .ctx = &runner,
    };
    int rc = loop_new(&runner.loop, error);

    if (rc == 0)
        rc = signals_watch(&runner.signals, runner.loop, error);
    if (rc < 0) {
        settings_unref(settings);
        goto out;
    }
    engine_options.loop = runner.loop;
    rc = engine_new(&engine_options, settings, &runner.engine, error);
    if (rc < 0)
        goto out;
    if (options->is_service)
        notify_ready();
    if (options->progress)
        progress_start(options->progress, runner.loop, look, look_at_parts, &runner);
    loop_run(runner.loop);
    engine_free(runner.engine);
    *ret_exit_code = runner.exit_code;
out:
    signals_unwatch(&runner.signals, runner.loop);
    loop_free(runner.loop);
    return rc;
}
