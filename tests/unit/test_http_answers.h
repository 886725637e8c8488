/* SPDX-License-Identifier: Apache-2.0 */
/* What the server of the tests of http/client.h answers, by path. */
#ifndef TEST_HTTP_ANSWERS_H
#define TEST_HTTP_ANSWERS_H

#include "test_http_fixture.h"

enum { BIG = 3000000 };

static inline char pattern(size_t at)
{
    return (char)('a' + (at * 7 + at / 251) % 26);
}

static inline void send_big(struct request *request, bool cut)
{
    char piece[5000];

    server_say(request, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (size_t at = 0; at < BIG; at += sizeof(piece)) {
        char head[32];
        int n = snprintf(head, sizeof(head), "%zx\r\n", sizeof(piece));
        for (size_t i = 0; i < sizeof(piece); i++)
            piece[i] = pattern(at + i);
        server_send(request->fd, head, (size_t)n);
        server_send(request->fd, piece, sizeof(piece));
        server_say(request, "\r\n");
    }
    if (!cut)
        server_say(request, "0\r\n\r\n");
    request->close_after = cut;
}

static inline void redirect(struct request *request)
{
    struct buf headers = {0};
    int status = atoi(request->path + strlen("/redirect/"));
    const char *to = strchr(request->path, '?') + 1;

    buf_addf(&headers, "Location: %s\r\n", to);
    char line[32];
    snprintf(line, sizeof(line), "%d Moved", status);
    server_reply(request, line, headers.ptr, "moved");
    buf_fini(&headers);
}

static inline void answer(struct request *request)
{
    const char *path = request->path;

    if (strcmp(path, "/big") == 0 || strcmp(path, "/cut") == 0) {
        send_big(request, path[1] == 'c');
    } else if (strcmp(path, "/hang") == 0) {
        server_wait(request->server);
        server_reply(request, "200 OK", "", "late");
    } else if (strcmp(path, "/stall") == 0) {
        server_say(request, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome");
        server_wait(request->server);
        request->close_after = true;
    } else if (strcmp(path, "/short") == 0) {
        server_say(request, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome");
        request->close_after = true;
    } else if (strcmp(path, "/head") == 0) {
        server_say(request, "HTTP/1.1 200 OK\r\nContent-Le");
        request->close_after = true;
    } else if (strcmp(path, "/nothing") == 0) {
        request->close_after = true;
    } else if (strcmp(path, "/busy") == 0) {
        server_reply(request, "429 Slow", "Retry-After: 7\r\n", "");
    } else if (strncmp(path, "/redirect/", 10) == 0) {
        redirect(request);
    } else if (strcmp(path, "/drip") == 0) {
        server_say(request, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (int i = 0; i < 12; i++) {
            usleep(50000);
            server_say(request, "1\r\n\n\r\n");
        }
        server_say(request, "0\r\n\r\n");
    } else {
        server_reply(request, "200 OK", "X-One: 1\r\nX-One: 2\r\n", request->text.ptr);
    }
}

#endif
