/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tailrace run: the daemon, and with --once a run to the end of every stream.
 */
#include "base/clock.h"
#include "cli/args.h"
#include "cli/load.h"
#include "cli/print.h"
#include "cli/runner.h"
#include "cli/signals.h"

#include <sysexits.h>

/* The one line by which a script, or a person, sees what a run did. */
static void log_summary(const struct binding_stats *stats, int64_t took_ms, int code)
{
    uint64_t done = stats->filtered + stats->ok + stats->dead + stats->skipped;

    log_info("finished", LOG_I("received", stats->received), LOG_I("filtered", stats->filtered),
             LOG_I("ok", stats->ok), LOG_I("dead", stats->dead),
             LOG_I("skipped", stats->skipped), LOG_I("retried", stats->retried),
             LOG_I("repeated", stats->repeated), LOG_I("batches", stats->batches),
             LOG_I("took_ms", took_ms),
             LOG_I("rows_per_s", took_ms > 0 ? done * 1000 / (uint64_t)took_ms : 0),
             LOG_I("exit_code", code));
}

/* Options that say something of a run to the end, and of no other. */
static int take_options(const struct args *args, struct progress *progress)
{
    static const char *const of_once[] = {"progress", "accept-dead-letters"};
    const char *form = args_value(args, "progress");

    for (size_t i = 0; i < sizeof(of_once) / sizeof(of_once[0]); i++)
        if (args_has(args, of_once[i]) && !args_has(args, "once"))
            return args_wrong(args, "--%s goes with --once", of_once[i]);
    if (form && !progress_parse(form, &progress->form))
        return args_wrong(args, "--progress %s: it is one of auto, log, never", form);
    return EX_OK;
}

/* EX_TEMPFAIL: who starts it again goes on where it was stopped. */
static int run_once(const struct args *args, struct settings *settings,
                    struct progress *progress)
{
    struct binding_stats stats = {0};
    struct runner_options options = {
        .mode = ENGINE_ONCE,
        .overrides = &args->overrides,
        .stats = &stats,
        .progress = progress,
        .stopped_code = EX_TEMPFAIL,
    };
    int64_t began_ms = clock_ms();
    struct error error;
    int code;

    if (runner_run(&options, settings, &code, &error) < 0)
        return print_failure(&error);
    if (code == EX_OK && stats.dead > 0 && !args_has(args, "accept-dead-letters"))
        code = EX_DATAERR;
    log_summary(&stats, clock_ms() - began_ms, code);
    return code;
}

static int follow(const struct args *args, struct settings *settings)
{
    struct runner_options options = {
        .mode = ENGINE_FOLLOW, .overrides = &args->overrides, .is_service = true, .args = args};
    struct error error;
    int code;

    if (runner_run(&options, settings, &code, &error) < 0)
        return print_failure(&error);
    return code;
}

static int run(struct args *args)
{
    struct progress progress = {.form = PROGRESS_AUTO};
    struct settings *settings;
    int code = take_options(args, &progress);

    if (code != EX_OK)
        return code;
    signals_block();
    args_set_up_log(args, NULL);
    code = load_settings(&args->overrides, LOAD_SECRETS, NULL, &settings);
    if (code != EX_OK)
        return code;
    args_set_up_log(args, settings);
    log_info("starting", LOG_C("version", TAILRACE_VERSION),
             LOG_I("sources", settings->sources_count), LOG_I("rules", settings->rules_count),
             LOG_S("state_dir", settings->state_dir));
    return args_has(args, "once") ? run_once(args, settings, &progress)
                                  : follow(args, settings);
}

const struct command command_run = {
    .name = "run",
    .summary = "Follow the sources and hand changes to the rules' plugins",
    .text =
        "It runs until SIGTERM or SIGINT: then it reads no more, waits for what is in flight\n"
        "and writes its checkpoints. A second signal does not wait. SIGHUP reads the\n"
        "configuration again; what did not change goes on untouched. With --once the exit\n"
        "code is 0 when all was read and settled, 65 when some of it became dead letters, and\n"
        "75 when a signal came before that.",
    .options =
        (const struct args_option[]){
            {"once", 0, NULL, "read to the end of every stream, settle all, exit"},
            {"progress", 0, "HOW", "auto (a line on a terminal, else the log), log, never"},
            {"accept-dead-letters", 0, NULL, "exit with 0 also if there are new ones"},
            {.name = NULL},
        },
    .examples = "tailrace run --once -c ./tailrace.conf --log-format text",
    .run = run,
};
