/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Standard output. It may be a pipe that does not block and whose reader is slow, and instances
 * share it: each writes its batch in one go. Worker.
 */
#include "sink.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

static int write_all(const char *at, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDOUT_FILENO, at, len);

        if (n >= 0) {
            at += n;
            len -= (size_t)n;
        } else if (errno == EAGAIN) {
            /* There is no way to take back half a line: wait until the rest goes out. */
            struct pollfd wait = {.fd = STDOUT_FILENO, .events = POLLOUT};
            (void)poll(&wait, 1, -1);
        } else if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

tr_status console_write(const struct lines *lines, char message[MESSAGE_MAX])
{
    sigset_t pipe_signal, old;
    int rc;

    /* A reader that has gone is an error to report, not the end of the daemon. */
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    pthread_mutex_lock(&turn);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, &old);
    rc = write_all(lines->ptr, lines->len);
    if (rc == EPIPE && !sigismember(&old, SIGPIPE)) {
        struct timespec now = {0};
        (void)sigtimedwait(&pipe_signal, NULL, &now);
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_mutex_unlock(&turn);
    if (rc == 0)
        return TR_OK;
    if (rc == EPIPE)
        snprintf(message, MESSAGE_MAX,
                 "standard output is closed: nobody reads it any more; start the reader and "
                 "tailrace again");
    else
        snprintf(message, MESSAGE_MAX, "standard output cannot be written: %s", strerror(rc));
    return TR_FATAL;
}
