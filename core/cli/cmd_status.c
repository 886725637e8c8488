/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tailrace status: how the running daemon is, once or over and over again.
 */
#include "base/clock.h"
#include "cli/print.h"
#include "cli/site.h"
#include "cli/status_ask.h"
#include "cli/status_table.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

enum { INTERVAL_S = 1, INTERVAL_MAX_S = 86400 };

struct look {
    const struct args *args;
    const char *dir;
    bool watches, redraws; /* again and again; in the same place of a terminal             */
    int64_t interval_s;
    int stop_fd; /* of SIGINT and SIGTERM while it watches; -1                              */
    struct buf document;
};

/* Rows of the terminal; 0: unknown. */
static int terminal_lines(void)
{
    struct winsize window = {0};

    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 ? window.ws_row : 0;
}

static void begin_frame(const struct look *look, bool first)
{
    char now[CLOCK_TEXT];

    if (!look->watches || look->args->json)
        return;
    clock_format(clock_wall_ms(), now);
    if (look->redraws)
        printf("\033[H\033[J%s  every %d s, Ctrl-C ends it\n\n", now, (int)look->interval_s);
    else
        printf("%s%s\n", first ? "" : "\n", now);
}

static int print_document(const struct look *look, bool first, struct error *error)
{
    if (look->args->json) {
        print_str(buf_str(&look->document)); /* with its line end */
        return 0;
    }
    begin_frame(look, first);
    return status_print(buf_str(&look->document), look->redraws ? terminal_lines() : 0, error);
}

/* One look. A daemon that goes away while it is watched may be restarting: that is shown. */
static int look_once(struct look *look, bool first, bool *ret_stopped)
{
    struct error error;
    int rc = status_ask(look->dir, look->stop_fd, &look->document, ret_stopped, &error);

    if (rc == 0 && *ret_stopped)
        return EX_OK;
    if (rc == 0)
        rc = print_document(look, first, &error);
    else if (!first)
        begin_frame(look, first);
    if (rc < 0 && (first || !look->redraws))
        return print_failure(&error);
    if (rc < 0) {
        print_clean(str_c(error.text));
        putchar('\n');
    }
    return EX_OK;
}

/* Signals do not interrupt: they are read, so that a watch ends with 0. */
static int catch_signals(struct look *look)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    look->stop_fd = signalfd(-1, &set, SFD_CLOEXEC);
    if (look->stop_fd >= 0)
        return EX_OK;
    print_error("signals cannot be read");
    return EX_OSERR;
}

static bool wait_for_stop(const struct look *look)
{
    struct pollfd fd = {.fd = look->stop_fd, .events = POLLIN};

    return poll(&fd, 1, (int)look->interval_s * 1000) > 0;
}

static int watch(struct look *look)
{
    int code = catch_signals(look);
    bool stopped = false;

    if (code != EX_OK)
        return code;
    look->redraws = !look->args->json && isatty(STDOUT_FILENO);
    code = look_once(look, true, &stopped);
    while (code == EX_OK && !stopped && fflush(stdout) == 0 && !wait_for_stop(look))
        (void)look_once(look, false, &stopped);
    close(look->stop_fd);
    return code;
}

static int look_at(struct look *look)
{
    bool stopped = false;
    int code = look->watches ? watch(look) : look_once(look, true, &stopped);

    buf_fini(&look->document);
    return code;
}

static int take_interval(const struct args *args, struct look *look)
{
    struct args given = *args;

    look->watches = args_has(args, "watch");
    look->interval_s = INTERVAL_S;
    if (args->operands_count == 0)
        return EX_OK;
    if (!look->watches)
        return args_wrong(args, "\"%s\" is one word too many", args->operands[0]);
    given.given_count = 0;
    given.given[given.given_count++] = (struct args_given){"watch", args->operands[0]};
    if (args_number(&given, "watch", 1, &look->interval_s) < 0)
        return EX_USAGE;
    if (look->interval_s > INTERVAL_MAX_S)
        look->interval_s = INTERVAL_MAX_S;
    return EX_OK;
}

static int run(struct args *args)
{
    struct look look = {.args = args, .stop_fd = -1};
    struct site site;
    int code = take_interval(args, &look);

    if (code != EX_OK)
        return code;
    /* Whoever names the directory needs no configuration at all. */
    if (args->overrides.state_dir && !args->config_given) {
        look.dir = args->overrides.state_dir;
        return look_at(&look);
    }
    code = site_init(&site, args);
    look.dir = site.state_dir;
    if (code == EX_OK)
        code = look_at(&look);
    site_fini(&site);
    return code;
}

const struct command command_status = {
    .name = "status",
    .operands = "[SECONDS]",
    .operands_max = 1,
    .summary = "Show how the running daemon is: sources, rules, what is in trouble",
    .text =
        "LAG is the age of the oldest change that was read and is not settled, ROWS what is\n"
        "known to wait: read and not settled, or told by the server to come. SENT are batches\n"
        "that a plugin has, RETRYING are sequences of changes that wait after a failure.\n"
        "HOT databases have a feed of their own; others are read when they change. What runs\n"
        "is asked over a socket in the state directory; the exit code is 69 when nothing\n"
        "does.",
    .options =
        (const struct args_option[]){
            {"watch", 'w', NULL, "show it again every second, or every SECONDS"},
            {.name = NULL},
        },
    .examples = "tailrace status\n"
                "tailrace status --watch 5\n"
                "tailrace status --json | jq '.rules[] | select(.lag_s > 60) | .name'",
    .run = run,
};
