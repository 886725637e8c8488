/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last row of the terminal. Everything for one change goes there in one write(), which no
 * other write() gets between. Main thread, but for the signals.
 */
#include "cli/bottom_line.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* What a VT100 and all that came after it do: keep the cursor, come back to it; the rows that
 * scroll, which also moves the cursor; to a row; erase to the end of it. */
#define SAVE       "\0337"
#define RESTORE    "\0338"
#define REGION     "\033[1;%dr"
#define REGION_ALL "\033[r"
#define TO_ROW     "\033[%d;1H"
#define ERASE      "\033[K"
#define UP         "\033[1A"

enum { ROWS_MIN = 4, COLUMNS_MIN = 16, TEXT_MAX = 512 };

struct size {
    int rows, columns;
};

static struct size held;     /* rows 0: no row is kept                                      */
static char shown[TEXT_MAX]; /* the text that stands there                                  */
static char giving_back[64]; /* what ends it, for the signals                                */
static size_t giving_back_len;
static atomic_bool given_back; /* by a signal */

static void put(const char *text, size_t len)
{
    ssize_t n;

    while (len > 0) {
        n = write(STDERR_FILENO, text, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; /* the terminal has gone                                                */
        text += n;
        len -= (size_t)n;
    }
}

/* ---- signals ---- */

/* A terminal without its last row is no place to leave a person in. SIGTSTP is among them: the
 * row is taken again when the program goes on. */
static const int parting[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGQUIT, SIGTSTP};

enum { PARTING = sizeof(parting) / sizeof(parting[0]) };

static struct sigaction before[PARTING];

static void restore_signals(void)
{
    for (int i = 0; i < PARTING; i++)
        sigaction(parting[i], &before[i], NULL);
}

/* Any thread. A fault comes again by itself, and meets whoever was there before. */
static void part(int number)
{
    int saved_errno = errno;

    if (!atomic_exchange(&given_back, true))
        put(giving_back, giving_back_len);
    restore_signals();
    if (number == SIGABRT || number == SIGQUIT || number == SIGTSTP)
        raise(number);
    errno = saved_errno;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = part, .sa_flags = SA_RESTART | SA_ONSTACK};

    sigemptyset(&action.sa_mask);
    for (int i = 0; i < PARTING; i++) {
        sigaction(parting[i], NULL, &before[i]);
        if (before[i].sa_handler != SIG_IGN)
            sigaction(parting[i], &action, NULL);
    }
}

/* ---- the terminal ---- */

static struct size size_now(void)
{
    struct winsize window = {0};

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &window) < 0)
        return (struct size){0};
    return (struct size){window.ws_row, window.ws_col};
}

bool bottom_line_possible(void)
{
    const char *term = getenv("TERM");

    return term && term[0] && strcmp(term, "dumb") != 0 && isatty(STDERR_FILENO) &&
           size_now().rows > 0;
}

/* The last column stays free: where a cursor stands behind it is not the same everywhere. */
static int usable(struct size size)
{
    pid_t foreground = tcgetpgrp(STDERR_FILENO);

    if (size.rows < ROWS_MIN || size.columns < COLUMNS_MIN)
        return 0;
    return foreground > 0 && foreground != getpgrp() ? 0 : size.columns - 1;
}

int bottom_line_width(void)
{
    return usable(size_now());
}

/* The line feed makes room where the cursor stands in the last row. */
static void begin(struct size size)
{
    char text[64];
    int len = snprintf(text, sizeof(text), "\n" SAVE REGION RESTORE UP, size.rows - 1);

    giving_back_len = (size_t)snprintf(giving_back, sizeof(giving_back),
                                       SAVE REGION_ALL TO_ROW ERASE RESTORE, size.rows);
    atomic_store(&given_back, false);
    catch_signals();
    held = size;
    shown[0] = '\0';
    put(text, (size_t)len);
}

void bottom_line_end(void)
{
    if (held.rows == 0)
        return;
    restore_signals();
    if (!atomic_exchange(&given_back, true))
        put(giving_back, giving_back_len);
    held = (struct size){0};
}

void bottom_line_draw(const char *text)
{
    struct size size = size_now();
    char frame[TEXT_MAX + 64];
    int len;

    if (usable(size) == 0 || atomic_load(&given_back) || size.rows != held.rows ||
        size.columns != held.columns)
        bottom_line_end();
    if (usable(size) == 0)
        return;
    if (held.rows == 0)
        begin(size);
    if (strcmp(text, shown) == 0)
        return;
    snprintf(shown, sizeof(shown), "%s", text);
    len = snprintf(frame, sizeof(frame), SAVE TO_ROW "%.*s" ERASE RESTORE, held.rows,
                   usable(size), shown);
    put(frame, (size_t)len);
}
