/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last rows of the terminal. Everything for one change goes there in one write(), which no
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
#define UP         "\033[%dA"

enum { ROWS_MIN = 4, COLUMNS_MIN = 16, LINE_MAX_BYTES = 512, OTHERS = 3 };

struct size {
    int rows, columns;
};

static struct size held; /* rows 0: no row is kept                                          */
static int held_count;   /* of the rows that are kept                                       */
static char shown[BOTTOM_LINES * (LINE_MAX_BYTES + 16) + 16]; /* what was written last      */
static char giving_back[BOTTOM_LINES * 16 + 32]; /* what ends it, for the signals            */
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

/* A terminal without its last rows is no place to leave a person in. SIGTSTP is among them:
 * they are taken again when the program goes on. */
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

int bottom_line_count(void)
{
    int count = size_now().rows / OTHERS;

    return count < 1 ? 1 : count > BOTTOM_LINES ? BOTTOM_LINES : count;
}

/* The line feeds make room where the cursor stands in the last rows. */
static void begin(struct size size, int count)
{
    static const char feeds[BOTTOM_LINES + 1] = "\n\n\n\n\n\n\n\n\n";
    char text[BOTTOM_LINES + 64];
    int len = snprintf(text, sizeof(text), "%.*s" SAVE REGION RESTORE UP, count, feeds,
                       size.rows - count, count);
    int at = snprintf(giving_back, sizeof(giving_back), SAVE REGION_ALL);

    for (int row = size.rows - count + 1; row <= size.rows; row++)
        at += snprintf(giving_back + at, sizeof(giving_back) - (size_t)at, TO_ROW ERASE, row);
    at += snprintf(giving_back + at, sizeof(giving_back) - (size_t)at, RESTORE);
    giving_back_len = (size_t)at;
    atomic_store(&given_back, false);
    catch_signals();
    held = size;
    held_count = count;
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

void bottom_line_draw(const char *const *lines, int count)
{
    struct size size = size_now();
    char frame[sizeof(shown)];
    int len, width = usable(size);

    if (width == 0 || atomic_load(&given_back) || size.rows != held.rows ||
        size.columns != held.columns || count != held_count)
        bottom_line_end();
    if (width == 0)
        return;
    if (held.rows == 0)
        begin(size, count);
    if (width > LINE_MAX_BYTES)
        width = LINE_MAX_BYTES;
    len = snprintf(frame, sizeof(frame), SAVE);
    for (int i = 0; i < count; i++)
        len += snprintf(frame + len, sizeof(frame) - (size_t)len, TO_ROW "%.*s" ERASE,
                        size.rows - count + 1 + i, width, lines[i]);
    len += snprintf(frame + len, sizeof(frame) - (size_t)len, RESTORE);
    if (strcmp(frame, shown) == 0)
        return;
    memcpy(shown, frame, (size_t)len + 1);
    put(frame, (size_t)len);
}
