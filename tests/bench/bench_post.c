/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor under `webhook`: what the kernel takes for the requests, and next to nothing else:
 *
 *     bench_post PORT COUNT CONCURRENCY
 *
 * Sends one and the same POST of 1 KB to 127.0.0.1, so many at once, each by one send(), and
 * looks at nothing of an answer but that it begins with a 204. What sends by HTTP/1.1, one
 * request a send, cannot cost less.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { BODY = 1000 };

static char request[BODY + 512];
static size_t request_len;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void write_request(int port)
{
    int len = snprintf(request, sizeof(request),
                       "POST /hook HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAccept: */*\r\n"
                       "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n",
                       port, BODY);

    memset(request + len, 'x', BODY);
    request_len = (size_t)len + BODY;
}

static void send_one(int fd)
{
    if (send(fd, request, request_len, MSG_NOSIGNAL) != (ssize_t)request_len)
        fail("send");
}

static void receive_one(int fd)
{
    static const char begin[] = "HTTP/1.1 204";
    char bytes[16384];
    ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

    if (n < (ssize_t)sizeof(begin) || memcmp(bytes, begin, sizeof(begin) - 1) != 0)
        fail("the answer is no 204");
}

static int connect_one(int port, int epoll_fd)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        fail("epoll_ctl");
    return fd;
}

int main(int argc, char **argv)
{
    struct epoll_event events[64];
    int epoll_fd = epoll_create1(0);
    int port, count, concurrency, sent = 0, answered = 0;

    if (argc != 4) {
        fprintf(stderr, "usage: bench_post PORT COUNT CONCURRENCY\n");
        return 64;
    }
    port = atoi(argv[1]);
    count = atoi(argv[2]);
    concurrency = atoi(argv[3]);
    write_request(port);
    for (; sent < concurrency && sent < count; sent++)
        send_one(connect_one(port, epoll_fd));
    while (answered < count) {
        int ready = epoll_wait(epoll_fd, events, 64, -1);
        for (int i = 0; i < ready; i++, answered++) {
            receive_one(events[i].data.fd);
            if (sent < count) {
                send_one(events[i].data.fd);
                sent++;
            }
        }
    }
    return 0;
}
