/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An engine on a loop, and the signals that steer it. Main thread.
 */
#include "cli/runner.h"

#include "cli/notify.h"
#include "cli/print.h"
#include "observe/log.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

struct runner {
    const struct runner_options *options;
    struct loop *loop;
    struct engine *engine;
    struct watch signals;
    int exit_code;
};

/* ---- signals ---- */

static void fill_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
}

void runner_block_signals(void)
{
    sigset_t set;

    fill_signals(&set);
    /* Never read: a socket that the other side closed is told by EPIPE. */
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

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

static void signal_came(struct watch *watch, uint32_t events)
{
    struct runner *runner = list_entry(watch, struct runner, signals);
    struct signalfd_siginfo info;

    (void)events;
    while (read(watch->fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGHUP) {
            hang_up(runner);
            continue;
        }
        if (runner->options->is_service)
            notify_stopping();
        stop(runner);
    }
}

static int watch_signals(struct runner *runner, struct error *error)
{
    sigset_t set;

    fill_signals(&set);
    runner->signals.ready = signal_came;
    runner->signals.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (runner->signals.fd < 0)
        return error_set(error, ERR_OS, "signals cannot be read: %s", strerror(errno));
    return loop_watch(runner->loop, &runner->signals, EPOLLIN, error);
}

/* ---- settings ---- */

int runner_load(const struct settings_overrides *overrides, struct settings **ret_settings)
{
    struct settings *settings = NULL;
    struct diags diags;
    int rc;

    diags_init(&diags);
    rc = settings_load(overrides, &diags, &settings);
    if (rc == 0)
        rc = settings_resolve(settings, &diags);
    print_diags(&diags);
    diags_fini(&diags);
    if (rc < 0) {
        settings_unref(settings);
        return error_exit_code(rc);
    }
    *ret_settings = settings;
    return EX_OK;
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

int runner_run(const struct runner_options *options, struct settings *settings,
               int *ret_exit_code, struct error *error)
{
    struct runner runner = {.options = options, .signals.fd = -1};
    struct engine_options engine_options = {
        .mode = options->mode,
        .overrides = *options->overrides,
        .finished = finished,
        .ctx = &runner,
    };
    int rc = loop_new(&runner.loop, error);

    if (rc == 0)
        rc = watch_signals(&runner, error);
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
        progress_start(options->progress, runner.loop, runner.engine);
    loop_run(runner.loop);
    engine_free(runner.engine);
    *ret_exit_code = runner.exit_code;
out:
    if (runner.signals.fd >= 0) {
        loop_unwatch(runner.loop, &runner.signals);
        close(runner.signals.fd);
    }
    loop_free(runner.loop);
    return rc;
}
