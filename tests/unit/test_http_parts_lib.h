/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the tests of http/parts.h: a server that hands out parts below /part/ and takes bodies
 * below /to, each as its path says, and uploads that remember what became of them.
 */
#ifndef TEST_HTTP_PARTS_LIB_H
#define TEST_HTTP_PARTS_LIB_H

#include "test_http_fixture.h"

#include "http/parts.h"

#include <openssl/evp.h>

/* What came to /to, by all connections. */
static struct {
    pthread_mutex_t lock;
    int whole, cut;   /* bodies                                                            */
    uint64_t bytes;   /* of all of them                                                    */
    int inside, most; /* bodies and parts at once                                          */
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER};

static inline void seen_add(int whole, int cut, uint64_t bytes, int inside)
{
    pthread_mutex_lock(&seen.lock);
    seen.whole += whole;
    seen.cut += cut;
    seen.bytes += bytes;
    seen.inside += inside;
    if (seen.inside > seen.most)
        seen.most = seen.inside;
    pthread_mutex_unlock(&seen.lock);
}

static inline uint64_t seen_bytes(void)
{
    uint64_t bytes;

    pthread_mutex_lock(&seen.lock);
    bytes = seen.bytes;
    pthread_mutex_unlock(&seen.lock);
    return bytes;
}

static inline void seen_reset(void)
{
    pthread_mutex_lock(&seen.lock);
    seen.whole = seen.cut = seen.inside = seen.most = 0;
    seen.bytes = 0;
    pthread_mutex_unlock(&seen.lock);
}

/* ---- bytes, and the sum of them ---- */

enum { PATTERN_LEN = 65521 }; /* a prime, so that no buffer's length fits into it           */

static char pattern[PATTERN_LEN];

/* The bytes from place `at` of a part on, up to `len`; as many as were written. */
static inline size_t fill_pattern(char *to, size_t len, uint64_t at)
{
    size_t from = (size_t)(at % PATTERN_LEN);
    size_t n = len < PATTERN_LEN - from ? len : PATTERN_LEN - from;

    memcpy(to, pattern + from, n);
    return n;
}

struct sum {
    EVP_MD_CTX *md5;
    uint64_t length;
};

static inline void sum_add(struct sum *sum, const char *bytes, size_t len)
{
    if (!sum->md5) {
        sum->md5 = EVP_MD_CTX_new();
        EVP_DigestInit_ex(sum->md5, EVP_md5(), NULL);
    }
    EVP_DigestUpdate(sum->md5, bytes, len);
    sum->length += len;
}

static inline void sum_add_pattern(struct sum *sum, uint64_t length)
{
    char piece[16384];
    size_t n;

    for (uint64_t at = 0; at < length; at += n) {
        n = length - at < sizeof(piece) ? (size_t)(length - at) : sizeof(piece);
        n = fill_pattern(piece, n, at);
        sum_add(sum, piece, n);
    }
}

/* "LENGTH DIGEST"; the sum is used up. */
static inline void sum_end(struct sum *sum, char *text, size_t cap)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    int at = snprintf(text, cap, "%llu ", (unsigned long long)sum->length);

    if (sum->md5)
        EVP_DigestFinal_ex(sum->md5, digest, &len);
    for (unsigned i = 0; i < len; i++)
        at += snprintf(text + at, cap - (size_t)at, "%02x", digest[i]);
    EVP_MD_CTX_free(sum->md5);
    sum->md5 = NULL;
}

/* ---- the server of parts: /part/LENGTH, /part/LENGTH?how ---- */

static inline void send_pattern(struct request *request, uint64_t from, uint64_t to, bool slow)
{
    char piece[16384];
    size_t most = slow ? 1000 : sizeof(piece);

    for (size_t n; from < to; from += n) {
        n = to - from < most ? (size_t)(to - from) : most;
        n = fill_pattern(piece, n, from);
        if (!server_send(request->fd, piece, n))
            return;
        if (slow)
            usleep(500);
    }
}

static inline bool has(const struct request *request, const char *how)
{
    const char *query = strchr(request->path, '?');

    return query && strstr(query, how);
}

/* `more` bytes beyond what the path says, in one chunk of an answer without a length. */
static inline void send_chunked(struct request *request, uint64_t length)
{
    char line[64];

    server_say(request, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    snprintf(line, sizeof(line), "%llx\r\n", (unsigned long long)length);
    server_say(request, line);
    send_pattern(request, 0, length, false);
    server_say(request, "\r\n0\r\n\r\n");
}

static inline void answer_part(struct request *request)
{
    uint64_t length = strtoull(request->path + strlen("/part/"), NULL, 10);
    char head[128];

    if (has(request, "missing")) {
        server_reply(request, "404 Not Found", "", "{\"error\":\"not_found\"}");
    } else if (has(request, "busy")) {
        server_reply(request, "503 Busy", "Retry-After: 7\r\n", "");
    } else if (has(request, "longer")) {
        send_chunked(request, length + 1);
    } else if (has(request, "shorter")) {
        send_chunked(request, length - 1);
    } else if (has(request, "hang")) {
        server_wait(request->server);
        request->close_after = true;
    } else {
        snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %llu\r\n\r\n",
                 (unsigned long long)length + (has(request, "other") ? 1 : 0));
        server_say(request, head);
        send_pattern(request, 0, length / 2, has(request, "slow"));
        request->close_after = has(request, "cut");
        if (has(request, "hold"))
            server_wait(request->server);
        if (!request->close_after)
            send_pattern(request, length / 2, length, has(request, "slow"));
    }
}

/* ---- the server of bodies: /to, /to?how ---- */

static inline void hang_up(struct request *request)
{
    struct sockaddr nowhere = {.sa_family = AF_UNSPEC};

    (void)connect(request->fd, &nowhere, sizeof(nowhere)); /* which sends a reset           */
    request->close_after = true;
}

static inline const char *body_begin(const struct request *request)
{
    return strstr(request->text.ptr, "\r\n\r\n") + 4;
}

/* Reads what is left, until there were `most` bytes of the body, into a sum if there is one. */
static inline void take_body(struct request *request, uint64_t most, struct sum *sum)
{
    const char *begin = body_begin(request);
    size_t n = request->text.len - (size_t)(begin - request->text.ptr);
    char piece[16384];

    if (sum)
        sum_add(sum, begin, n);
    seen_add(0, 0, n, 0);
    for (uint64_t all = n; all < most; all += n) {
        n = server_read_on(request, piece, sizeof(piece));
        if (n == 0)
            break;
        if (sum)
            sum_add(sum, piece, n);
        seen_add(0, 0, n, 0);
        if (has(request, "slow"))
            usleep(1000);
    }
}

static inline void answer_body(struct request *request)
{
    char text[64];
    struct sum sum = {0};

    if (has(request, "early")) {
        server_reply(request, "413 Too Large", "Connection: close\r\n", "too large");
        take_body(request, UINT64_MAX, NULL);
        request->close_after = true;
        seen_add(0, request->body_left > 0, 0, 0);
        return;
    }
    if (has(request, "gate"))
        server_wait(request->server);
    if (has(request, "reset")) {
        take_body(request, 100000, NULL);
        hang_up(request);
        return;
    }
    take_body(request, UINT64_MAX, &sum);
    seen_add(request->body_left == 0, request->body_left > 0, 0, 0);
    request->close_after = request->body_left > 0;
    if (has(request, "late"))
        server_wait(request->server);
    sum_end(&sum, text, sizeof(text));
    server_reply(request, "201 Created", "", text);
}

static inline void answer_parts(struct request *request)
{
    seen_add(0, 0, 0, 1);
    if (strncmp(request->path, "/part/", 6) == 0)
        answer_part(request);
    else
        answer_body(request);
    seen_add(0, 0, 0, -1);
}

/* ---- uploads ---- */

struct upload {
    struct probe *probe;
    struct http_parts parts;
    struct http_part list[8];
    size_t count;
    char urls[8][256];
    struct sum sum; /* of the body, if it is whole                                         */
};

static inline void upload_add_bytes(struct upload *u, tr_str bytes)
{
    u->list[u->count++].bytes = bytes;
    sum_add(&u->sum, bytes.ptr, bytes.len);
}

/* `how` begins with a question mark, or is empty. */
static inline void upload_add(struct upload *u, uint64_t length, const char *how)
{
    char *url = u->urls[u->count];

    snprintf(url, sizeof(u->urls[0]), "http://127.0.0.1:%d/part/%llu%s",
             u->probe->fixture->server.port, (unsigned long long)length, how);
    u->list[u->count++] = (struct http_part){.url = url, .length = length};
    sum_add_pattern(&u->sum, length);
}

static inline struct upload *upload_new(struct fixture *f, const char *path)
{
    struct upload *u = mem_new(struct upload);

    u->probe = probe_new(f, path);
    u->probe->call.method = "PUT";
    u->probe->call.on_head = NULL;
    u->probe->call.on_data = NULL;
    u->probe->call.keep_max = 1000;
    u->probe->call.idle_ms = 20000;
    return u;
}

static inline void upload_start(struct upload *u, uint32_t idle_ms)
{
    assert_int_equal(http_parts_init(&u->parts, u->list, u->count, idle_ms, NULL), 0);
    u->probe->call.source = &u->parts.source;
    probe_start(u->probe);
}

/* A body of bytes, a part as `how` says, and bytes again. */
static inline struct upload *upload_begin(struct fixture *f, const char *path, uint64_t length,
                                          const char *how)
{
    struct upload *u = upload_new(f, path);

    upload_add_bytes(u, STR("--b\r\n\r\n{}\r\n--b\r\n\r\n"));
    upload_add(u, length, how);
    upload_add_bytes(u, STR("\r\n--b--"));
    upload_start(u, 20000);
    return u;
}

static inline void upload_free(struct upload *u)
{
    assert_null(u->parts.buffer);
    assert_false(http_is_active(&u->parts.inner));
    assert_in_range(u->parts.most_held, 0, HTTP_PARTS_BUFFER);
    EVP_MD_CTX_free(u->sum.md5);
    probe_free(u->probe);
    free(u);
}

static inline void assert_arrived(struct upload *u)
{
    char text[64];

    sum_end(&u->sum, text, sizeof(text));
    assert_string_equal(u->probe->error, "");
    assert_int_equal(u->probe->end, HTTP_ANSWERED);
    assert_int_equal(u->probe->status, 201);
    assert_string_equal(u->probe->body.ptr, text);
    assert_int_equal(u->probe->dones, 1);
    assert_false(u->parts.fault.happened);
}

static inline void parts_begin(struct fixture *f, struct http_options options)
{
    seen_reset();
    for (size_t i = 0; i < PATTERN_LEN; i++)
        pattern[i] = (char)(i * 31 + (i >> 8) * 7);
    fixture_begin(f, answer_parts, options);
    f->server.heads_only = true;
}

#endif
