/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The terminal as a screen, see terminal.h. `top` uses it. Main thread.
 */
#include "cli/terminal.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum { WIDTH = 80, HEIGHT = 24 };

static struct termios before;
static bool is_open;

bool terminal_possible(void)
{
    const char *term = getenv("TERM");

    return term && term[0] && strcmp(term, "dumb") != 0 && isatty(STDIN_FILENO) &&
           isatty(STDOUT_FILENO);
}

/* Ctrl-C is a signal as ever; Ctrl-Z would leave the screen behind as it is. */
bool terminal_open(void)
{
    struct termios own;

    if (tcgetattr(STDIN_FILENO, &before) < 0)
        return false;
    own = before;
    own.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    own.c_cc[VMIN] = 0;
    own.c_cc[VTIME] = 0;
    own.c_cc[VSUSP] = _POSIX_VDISABLE;
    if (tcsetattr(STDIN_FILENO, TCSANOW, &own) < 0)
        return false;
    fputs("\033[?1049h\033[?25l\033[H", stdout);
    fflush(stdout);
    if (!is_open)
        atexit(terminal_close);
    is_open = true;
    return true;
}

void terminal_close(void)
{
    if (!is_open)
        return;
    is_open = false;
    fputs("\033[?25h\033[?1049l", stdout);
    fflush(stdout);
    tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

void terminal_size(int *ret_width, int *ret_height)
{
    struct winsize window = {0};

    (void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &window);
    *ret_width = window.ws_col > 0 ? window.ws_col : WIDTH;
    *ret_height = window.ws_row > 0 ? window.ws_row : HEIGHT;
}

/* Each line clears what is behind it, so that nothing flickers. */
void terminal_draw(const struct buf *frame)
{
    tr_str rest = buf_str(frame), line;

    fputs("\033[H", stdout);
    while (rest.len > 0) {
        line = str_cut(rest, '\n', &rest);
        fwrite(line.ptr, 1, line.len, stdout);
        fputs(rest.len > 0 ? "\033[K\r\n" : "\033[K", stdout);
    }
    fputs("\033[J", stdout);
    fflush(stdout);
}

/* ---- keys ---- */

static int next_byte(void)
{
    struct pollfd fd = {.fd = STDIN_FILENO, .events = POLLIN};
    unsigned char c;

    return poll(&fd, 1, 0) > 0 && read(STDIN_FILENO, &c, 1) == 1 ? c : -1;
}

/* What follows ESC [: digits, and the letter that ends it. */
static int sequence(void)
{
    int number = 0, c;

    while ((c = next_byte()) >= '0' && c <= ';')
        number = c == ';' ? 0 : number * 10 + c - '0';
    switch (c) {
    case 'A': return KEY_UP;
    case 'B': return KEY_DOWN;
    case 'H': return KEY_HOME;
    case 'F': return KEY_END;
    case '~':
        return number == 5   ? KEY_PAGE_UP
               : number == 6 ? KEY_PAGE_DOWN
               : number == 1 ? KEY_HOME
               : number == 4 ? KEY_END
                             : KEY_NONE;
    default: return KEY_NONE;
    }
}

bool terminal_key(int *ret_key)
{
    unsigned char c;
    int next;

    if (read(STDIN_FILENO, &c, 1) != 1)
        return false;
    *ret_key = c;
    if (c != '\033')
        return true;
    next = next_byte();
    *ret_key = next == '[' || next == 'O' ? sequence() : KEY_NONE;
    return true;
}
