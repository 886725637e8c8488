/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses of the admin endpoint, see address.h. The settings parse them, observe/admin.c
 * listens, on the loop thread; Host headers are judged on the endpoint's own thread.
 */
#include "observe/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BACKLOG = 64, PORT_DIGITS = 5, HOST_MAX = 255, PATH_MODE = 0660 };

static const char FORMS[] = "\"unix:/PATH\", \"127.0.0.1:PORT\" or \"[::1]:PORT\"";

/* ---- parsing ---- */

static int parse_path(tr_str path, struct admin_address *address, struct error *error)
{
    struct sockaddr_un *local = &address->at.local;

    if (!str_starts(path, STR("/")) || str_has_control(path))
        return error_set(error, ERR_CONFIG,
                         "the path of a socket is absolute, as in "
                         "\"unix:/run/tailrace/admin.sock\"");
    if (path.len >= sizeof(local->sun_path))
        return error_set(error, ERR_CONFIG, "the path of a socket has at most %zu bytes",
                         sizeof(local->sun_path) - 1);
    local->sun_family = AF_UNIX;
    memcpy(local->sun_path, path.ptr, path.len);
    address->size = sizeof(*local);
    address->is_loopback = true;
    return 0;
}

static bool parse_port(tr_str text, in_port_t *ret_port)
{
    unsigned port = 0;

    if (text.len == 0 || text.len > PORT_DIGITS)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        port = port * 10 + (unsigned)(text.ptr[i] - '0');
    }
    *ret_port = htons((uint16_t)port);
    return port > 0 && port <= 65535;
}

/* Into a NUL-ended copy. */
static bool copy_host(tr_str host, char into[HOST_MAX + 1])
{
    if (host.len == 0 || host.len > HOST_MAX)
        return false;
    memcpy(into, host.ptr, host.len);
    into[host.len] = '\0';
    return true;
}

static bool parse_inet(const char *host, struct admin_address *address, in_port_t port)
{
    struct sockaddr_in *inet = &address->at.inet;

    if (inet_pton(AF_INET, strcasecmp(host, "localhost") == 0 ? "127.0.0.1" : host,
                  &inet->sin_addr) != 1)
        return false;
    inet->sin_family = AF_INET;
    inet->sin_port = port;
    address->size = sizeof(*inet);
    address->is_loopback = ntohl(inet->sin_addr.s_addr) >> 24 == 127;
    return true;
}

static bool parse_inet6(const char *host, struct admin_address *address, in_port_t port)
{
    struct sockaddr_in6 *inet6 = &address->at.inet6;

    if (inet_pton(AF_INET6, host, &inet6->sin6_addr) != 1)
        return false;
    inet6->sin6_family = AF_INET6;
    inet6->sin6_port = port;
    address->size = sizeof(*inet6);
    address->is_loopback = IN6_IS_ADDR_LOOPBACK(&inet6->sin6_addr);
    return true;
}

/* "[::1]:80" and "host:80" into host and what follows it, which is empty or begins with ":". */
static bool split(tr_str text, bool *ret_bracket, tr_str *ret_host, tr_str *ret_rest)
{
    size_t end;

    *ret_bracket = str_starts(text, STR("["));
    end = str_find(text, *ret_bracket ? ']' : ':');
    if (*ret_bracket && end == text.len)
        return false;
    *ret_host = *ret_bracket ? str_n(text.ptr + 1, end - 1) : str_n(text.ptr, end);
    *ret_rest = str_from(text, end + *ret_bracket);
    return ret_rest->len == 0 || ret_rest->ptr[0] == ':';
}

int admin_address_parse(tr_str text, struct admin_address *ret_address, struct error *error)
{
    struct admin_address address = {.size = 0};
    char name[HOST_MAX + 1];
    bool bracket, good;
    tr_str host, rest;
    in_port_t port;
    int rc;

    if (str_starts(text, STR("unix:"))) {
        rc = parse_path(str_from(text, 5), &address, error);
        if (rc == 0)
            *ret_address = address;
        return rc;
    }
    good = split(text, &bracket, &host, &rest) && parse_port(str_from(rest, 1), &port) &&
           copy_host(host, name) &&
           (bracket ? parse_inet6(name, &address, port) : parse_inet(name, &address, port));
    if (!good)
        return error_set(error, ERR_CONFIG, "\"" STR_FMT "\" is no address; write %s",
                         STR_ARG(str_clip(text, HOST_MAX)), FORMS);
    *ret_address = address;
    return 0;
}

/* ---- listening ---- */

/* What a process that died has left. One that lives answers. */
static int remove_stale(const struct sockaddr_un *local, struct error *error)
{
    const char *path = local->sun_path;
    struct stat st;
    int fd, rc;

    if (lstat(path, &st) < 0)
        return 0; /* bind() has the better word */
    if (!S_ISSOCK(st.st_mode))
        return error_set(error, ERR_CANTCREAT, "%s is there and is no socket; remove it", path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return error_set(error, ERR_OS, "no socket can be made: %s", strerror(errno));
    rc = connect(fd, (const struct sockaddr *)local, sizeof(*local));
    rc = rc == 0 || errno == EAGAIN ? EADDRINUSE : errno;
    close(fd);
    if (rc != ECONNREFUSED)
        return error_set(error, ERR_UNAVAIL, "%s: %s; another process listens there", path,
                         strerror(rc));
    return unlink(path) == 0 ? 0
                             : error_set(error, ERR_CANTCREAT,
                                         "%s of a process that died cannot be removed: %s",
                                         path, strerror(errno));
}

static int fail(int code, struct error *error)
{
    switch (code) {
    case EADDRINUSE:
        return error_set(error, ERR_UNAVAIL, "another process listens there already");
    case EACCES:
    case EPERM:
        return error_set(error, ERR_NOPERM, "this user may not listen there: %s",
                         strerror(code));
    default: return error_set(error, ERR_CANTCREAT, "%s", strerror(code));
    }
}

/* Nobody can connect before listen(), so the mode of a path is right from the first moment. */
static int open_socket(int fd, const struct admin_address *address, struct error *error)
{
    const bool is_path = address->at.any.sa_family == AF_UNIX;
    const int one = 1;

    if (!is_path)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (address->at.any.sa_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
    if (bind(fd, &address->at.any, address->size) < 0)
        return fail(errno, error);
    if ((is_path && chmod(address->at.local.sun_path, PATH_MODE) < 0) ||
        listen(fd, BACKLOG) < 0) {
        int code = errno;
        if (is_path)
            unlink(address->at.local.sun_path);
        return fail(code, error);
    }
    return 0;
}

int admin_address_listen(const struct admin_address *address, int *ret_fd, struct error *error)
{
    int fd, rc = 0;

    if (address->at.any.sa_family == AF_UNIX)
        rc = remove_stale(&address->at.local, error);
    if (rc < 0)
        return rc;
    fd = socket(address->at.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return error_set(error, ERR_OS, "no socket can be made: %s", strerror(errno));
    rc = open_socket(fd, address, error);
    if (rc < 0)
        close(fd);
    else
        *ret_fd = fd;
    return rc;
}

/* ---- Host headers ---- */

bool admin_address_is_host(tr_str header, const char *const *hosts)
{
    struct admin_address address;
    char name[HOST_MAX + 1];
    bool bracket;
    tr_str host, rest;
    in_port_t port;

    if (!split(header, &bracket, &host, &rest) || !copy_host(host, name) ||
        (rest.len > 0 && !parse_port(str_from(rest, 1), &port)))
        return false;
    if (bracket)
        return parse_inet6(name, &address, 0);
    if (parse_inet(name, &address, 0))
        return true;
    for (; hosts && *hosts; hosts++)
        if (strcasecmp(name, *hosts) == 0)
            return true;
    return false;
}
