/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tailrace top: how the running daemon is, again and again. On a terminal a screen that is
 * drawn anew each second, with keys; elsewhere the tables of `status`, or with --json its
 * documents, one below the other. Main thread.
 */
#include "base/clock.h"
#include "cli/print.h"
#include "cli/site.h"
#include "cli/status_ask.h"
#include "cli/status_table.h"
#include "cli/terminal.h"
#include "cli/top.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

enum { INTERVAL_S = 1, INTERVAL_MAX_S = 86400 };

struct watch_run {
    const struct args *args;
    const char *dir;
    int64_t interval_ms;
    int signals; /* of SIGINT, SIGTERM and SIGWINCH                                         */
    struct buf document;
    bool stopped;
};

/* ---- signals and time ---- */

/* Signals do not interrupt: they are read, so that it ends with 0. */
static int catch_signals(struct watch_run *run)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGWINCH);
    sigprocmask(SIG_BLOCK, &set, NULL);
    run->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (run->signals >= 0)
        return EX_OK;
    print_error("signals cannot be read");
    return EX_OSERR;
}

/* Waits for a key (if `keys`) or a signal. True: there is a key. */
static bool wait_until(struct watch_run *run, int64_t until_ms, bool keys)
{
    struct pollfd fds[2] = {{.fd = run->signals, .events = POLLIN},
                            {.fd = keys ? STDIN_FILENO : -1, .events = POLLIN}};
    struct signalfd_siginfo info;
    int64_t left = until_ms - clock_ms();

    (void)poll(fds, 2, left > 0 ? (int)left : 0);
    while (read(run->signals, &info, sizeof(info)) == sizeof(info))
        run->stopped |= info.ssi_signo != SIGWINCH;
    return (fds[1].revents & (POLLIN | POLLHUP)) != 0;
}

/* ---- without a screen ---- */

static int print_look(struct watch_run *run, bool first, struct error *error)
{
    char now[CLOCK_TEXT];
    bool gave_up;
    int rc = status_ask(run->dir, -1, &run->document, &gave_up, error);

    if (rc < 0)
        return rc;
    if (run->args->json) {
        print_str(buf_str(&run->document)); /* with its line end */
        return 0;
    }
    clock_format(clock_wall_ms(), now);
    printf("%s%s\n", first ? "" : "\n", now);
    return status_print(buf_str(&run->document), error);
}

/* A daemon that goes away while it is watched may be restarting: that is said, and no end. */
static int run_plain(struct watch_run *run)
{
    struct error error;
    bool first = true;

    while (!run->stopped) {
        int64_t next_ms = clock_ms() + run->interval_ms;
        if (print_look(run, first, &error) < 0) {
            int code = print_failure(&error);
            if (first)
                return code;
        }
        first = false;
        if (fflush(stdout) != 0)
            break;
        while (!run->stopped && clock_ms() < next_ms)
            (void)wait_until(run, next_ms, false);
    }
    return EX_OK;
}

/* ---- on a screen ---- */

static void look(struct watch_run *run, struct top *top)
{
    struct error error;
    bool gave_up;

    if (status_ask(run->dir, -1, &run->document, &gave_up, &error) < 0 ||
        top_take(top, &run->document, clock_ms(), &error) < 0)
        snprintf(top->error, sizeof(top->error), "%s", error.text);
}

static void draw(struct top *top)
{
    const char *no_colour = getenv("NO_COLOR");
    struct buf frame = {0};
    int width, height;

    terminal_size(&width, &height);
    top_draw(top, width, height, !no_colour || !no_colour[0], &frame);
    terminal_draw(&frame);
    buf_fini(&frame);
}

static void scroll(struct top *top, int key)
{
    size_t page = top->shown > 0 ? top->shown : 1;

    switch (key) {
    case KEY_UP: top->first -= top->first > 0; break;
    case KEY_DOWN: top->first++; break;
    case KEY_PAGE_UP: top->first -= top->first > page ? page : top->first; break;
    case KEY_PAGE_DOWN: top->first += page; break;
    case KEY_HOME: top->first = 0; break;
    case KEY_END: top->first = top->rules_count; break;
    default: break;
    }
}

static void sort(struct top *top, enum top_sort by)
{
    top->sort = by;
    top->reverse = false;
    top->first = 0;
    top_sort(top);
}

/* False: it is the one that ends it. */
static bool obey(struct top *top, int key)
{
    switch (key) {
    case 'q': return false;
    case 't': sort(top, TOP_BY_TROUBLE); break;
    case 'n': sort(top, TOP_BY_NAME); break;
    case 'r': sort(top, TOP_BY_RATE); break;
    case 'l': sort(top, TOP_BY_LAG); break;
    case 'w': sort(top, TOP_BY_WAITING); break;
    case 'd': sort(top, TOP_BY_LETTERS); break;
    case 'i':
        top->reverse = !top->reverse;
        top_sort(top);
        break;
    case 'p': top->paused = !top->paused; break;
    default: scroll(top, key); break;
    }
    return true;
}

static void watch_on_screen(struct watch_run *run, struct top *top)
{
    int64_t next_ms = clock_ms() + run->interval_ms;
    int key;

    while (!run->stopped) {
        draw(top);
        if (wait_until(run, next_ms, true) && (!terminal_key(&key) || !obey(top, key)))
            return;
        if (clock_ms() < next_ms)
            continue;
        next_ms = clock_ms() + run->interval_ms;
        if (!top->paused)
            look(run, top);
    }
}

/* Where no daemon runs at the start there is nothing to look at. */
static int run_on_screen(struct watch_run *run)
{
    struct error error;
    struct top top;
    bool gave_up;
    int rc = status_ask(run->dir, -1, &run->document, &gave_up, &error), code = EX_OK;

    top_init(&top);
    if (rc == 0)
        rc = top_take(&top, &run->document, clock_ms(), &error);
    if (rc < 0) {
        code = print_failure(&error);
    } else if (!terminal_open()) {
        code = run_plain(run);
    } else {
        watch_on_screen(run, &top);
        terminal_close();
    }
    top_fini(&top);
    return code;
}

/* ---- the command ---- */

static int take_interval(const struct args *args, int64_t *ret_ms)
{
    struct args given = {.command = args->command, .given_count = 1};
    int64_t seconds = INTERVAL_S;

    if (args->operands_count > 0) {
        given.given[0] = (struct args_given){"seconds", args->operands[0]};
        if (args_number(&given, "seconds", 1, &seconds) < 0)
            return EX_USAGE;
    }
    *ret_ms = 1000 * (seconds < INTERVAL_MAX_S ? seconds : INTERVAL_MAX_S);
    return EX_OK;
}

static int watch_dir(const struct args *args, const char *dir, void *ctx)
{
    struct watch_run run = {.args = args, .dir = dir, .signals = -1};
    int code = take_interval(args, &run.interval_ms);

    (void)ctx;
    if (code == EX_OK)
        code = catch_signals(&run);
    if (code == EX_OK)
        code = !args->json && terminal_possible() ? run_on_screen(&run) : run_plain(&run);
    if (run.signals >= 0)
        close(run.signals);
    buf_fini(&run.document);
    return code;
}

static int run_top(struct args *args)
{
    return site_with_dir(args, watch_dir, NULL);
}

const struct command command_top = {
    .name = "top",
    .operands = "[SECONDS]",
    .operands_max = 1,
    .summary = "Watch the running daemon: rates, sources, rules, what is in trouble",
    .text = "On a terminal a screen that is drawn anew every second, or every SECONDS. Keys "
            "choose\n"
            "the order of the rules, arrows scroll, q quits. Where the output is no terminal, "
            "what\n"
            "\"tailrace status\" prints comes again and again, or with --json its document, a "
            "line\n"
            "each. OK/S are changes that plugins took a second; the rest is as in status.",
    .examples = "tailrace top\n"
                "tailrace top --json 10 >> status.ndjson",
    .run = run_top,
};
