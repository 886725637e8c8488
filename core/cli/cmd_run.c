/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tailrace run: the daemon, and with --once a run to the end of every stream.
 */
#include "cli/args.h"
#include "cli/print.h"
#include "cli/runner.h"

#include <sysexits.h>

/* The one line by which a script, or a person, sees what a run did. */
static void log_summary(const struct binding_stats *stats)
{
    log_info("finished", LOG_I("received", stats->received), LOG_I("filtered", stats->filtered),
             LOG_I("ok", stats->ok), LOG_I("dead", stats->dead),
             LOG_I("skipped", stats->skipped), LOG_I("retried", stats->retried),
             LOG_I("batches", stats->batches));
}

static int run(struct args *args)
{
    bool once = args_has(args, "once");
    struct binding_stats stats = {0};
    struct runner_options options = {
        .mode = once ? ENGINE_ONCE : ENGINE_FOLLOW,
        .overrides = &args->overrides,
        .is_service = !once,
        .stats = &stats,
    };
    struct settings *settings;
    struct error error;
    int code;

    runner_block_signals();
    args_set_up_log(args, NULL);
    code = runner_load(&args->overrides, &settings);
    if (code != EX_OK)
        return code;
    args_set_up_log(args, settings);
    log_info("starting", LOG_C("version", TAILRACE_VERSION),
             LOG_I("sources", settings->sources_count), LOG_I("rules", settings->rules_count),
             LOG_S("state_dir", settings->state_dir));
    if (runner_run(&options, settings, &code, &error) < 0)
        return print_failure(&error);
    if (once)
        log_summary(&stats);
    return code;
}

const struct command command_run = {
    .name = "run",
    .summary = "Follow the sources and hand changes to the rules' plugins",
    .text =
        "It runs until SIGTERM or SIGINT: then it reads no more, waits for what is in flight\n"
        "and writes its checkpoints. A second signal does not wait. SIGHUP reads the\n"
        "configuration again; what did not change goes on untouched.",
    .options =
        (const struct args_option[]){
            {"once", 0, NULL, "read to the end of every stream, settle all, exit"},
            {.name = NULL},
        },
    .examples = "tailrace run --once -c ./tailrace.conf --log-format text",
    .run = run,
};
