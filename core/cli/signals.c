/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals by a descriptor. Main thread.
 */
#include "cli/signals.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void fill(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
}

void signals_block(void)
{
    sigset_t set;

    fill(&set);
    /* Never read: a socket that the other side closed is told by EPIPE, a file at its limit
     * (ulimit -f) by EFBIG. */
    sigaddset(&set, SIGPIPE);
    sigaddset(&set, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void ready(struct watch *watch, uint32_t events)
{
    struct signals *signals = list_entry(watch, struct signals, watch);
    struct signalfd_siginfo info;

    (void)events;
    while (read(watch->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        signals->came(signals, (int)info.ssi_signo);
}

int signals_watch(struct signals *signals, struct loop *loop, struct error *error)
{
    sigset_t set;
    int fd, rc;

    fill(&set);
    fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0)
        return error_set(error, ERR_OS, "signals cannot be read: %s", strerror(errno));
    signals->watch = (struct watch){.fd = fd, .ready = ready};
    rc = loop_watch(loop, &signals->watch, EPOLLIN, error);
    if (rc < 0) {
        close(fd);
        signals->watch.ready = NULL;
    }
    return rc;
}

void signals_unwatch(struct signals *signals, struct loop *loop)
{
    if (!signals->watch.ready)
        return;
    loop_unwatch(loop, &signals->watch);
    close(signals->watch.fd);
    signals->watch.ready = NULL;
}
