/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The other end of the daemon's local socket (observe/socket.h): connects and reads to the end.
 * Main thread.
 */
#include "cli/status_ask.h"

#include "observe/socket.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
    PATIENCE_MS = 3 * OBSERVE_DEADLINE_MS, /* without a byte: others may be served first   */
    PIECE = 64 << 10,
    DOCUMENT_MAX = 256 << 20 /* what answers is no tailrace                                 */
};

static int refuse(const char *dir, const char *path, struct error *error)
{
    switch (errno) {
    case ENOENT:
    case ENOTDIR:
        return error_set(error, ERR_UNAVAIL,
                         "no tailrace runs with the state directory %s (there is no %s)", dir,
                         path);
    case ECONNREFUSED:
        return error_set(error, ERR_UNAVAIL,
                         "no tailrace runs with the state directory %s (the one that made %s "
                         "has died)",
                         dir, path);
    case EACCES:
    case EPERM:
        return error_set(error, ERR_NOPERM,
                         "%s may not be opened by this user; be the user that "
                         "tailrace runs as, or in the group of an open state directory",
                         path);
    case EAGAIN:
        return error_set(error, ERR_UNAVAIL, "the tailrace of %s does not answer", dir);
    default: return error_set(error, ERR_UNAVAIL, "%s: %s", path, strerror(errno));
    }
}

static int reach(const char *dir, int *ret_fd, struct error *error)
{
    struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
    struct sockaddr_un address;
    int fd, rc = observe_socket_address(dir, &address, error);

    if (rc < 0)
        return rc;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return error_set(error, ERR_OS, "no socket can be made: %s", strerror(errno));
    /* It bounds connect() too, which waits while the queue of the socket is full. */
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        rc = refuse(dir, address.sun_path, error);
        close(fd);
        return rc;
    }
    *ret_fd = fd;
    return 0;
}

static int read_on(int fd, const char *dir, struct buf *document, struct error *error)
{
    ssize_t n = read(fd, buf_reserve(document, PIECE), PIECE);

    if (n < 0 && errno != EINTR)
        return error_set(error, ERR_UNAVAIL, "the tailrace of %s: %s", dir, strerror(errno));
    if (n > 0)
        document->len += (size_t)n;
    if (n == 0 && !str_ends(buf_str(document), STR("}\n")))
        return error_set(error, ERR_UNAVAIL,
                         "the tailrace of %s ended, or let go of this command, in the middle "
                         "of its answer",
                         dir);
    if (document->len > DOCUMENT_MAX)
        return error_set(error, ERR_PROTOCOL, "what answers in %s is no tailrace", dir);
    return n == 0 ? 0 : 1;
}

int status_ask(const char *dir, int stop_fd, struct buf *ret_document, bool *ret_stopped,
               struct error *error)
{
    struct pollfd fds[2] = {{.events = POLLIN}, {.fd = stop_fd, .events = POLLIN}};
    int rc = reach(dir, &fds[0].fd, error);

    if (rc < 0)
        return rc;
    buf_clear(ret_document);
    for (rc = 1; rc > 0;) {
        int ready = poll(fds, 2, PATIENCE_MS);
        if (ready < 0 && errno == EINTR)
            continue;
        *ret_stopped = (fds[1].revents & POLLIN) != 0;
        if (*ret_stopped)
            break;
        if (ready <= 0)
            rc = error_set(error, ERR_UNAVAIL, "the tailrace of %s does not answer", dir);
        else
            rc = read_on(fds[0].fd, dir, ret_document, error);
    }
    close(fds[0].fd);
    return rc < 0 ? rc : 0;
}
