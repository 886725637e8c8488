/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies in parts: the pipe between downloads and an upload. Loop thread.
 *
 *     server of the part ──inner──▶ buffer ──outer──▶ server of the body
 *
 * A part of bytes is copied to libcurl as it asks for it. A part with a URL goes through
 * states:
 *
 *     WAITS ──give() comes to it: inner starts──▶ FLOWS ──inner ended, all compared──▶ WHOLE
 *       ▲                                                                               │
 *       └────────────────── its last byte is given: the next part ──────────────────────┘
 *
 * In FLOWS each side waits for the other: give() has nothing and outer is held, until bytes
 * come; inner pauses while the buffer has no room for one more piece, until half of it is
 * empty.
 *
 * The last byte of a part is given in WHOLE only, after length and digest were compared. So the
 * body of a request never becomes whole with bytes in it that are not what was announced: every
 * fault ends the request before (fail()), which closes the connection, and the server sees a
 * body cut off.
 *
 * rewind() leads back to WAITS of the first part from everywhere.
 */
#include "http/parts.h"

#include "base/clock.h"
#include "base/mem.h"
#include "http/pool.h"

#include <openssl/evp.h>
#include <stdarg.h>

enum {
    PIECE_MAX = CURL_MAX_WRITE_SIZE, /* of on_data                                         */
    READ_SIZE = 65536,
    DIGEST_LEN = sizeof("md5-") - 1 + 24,
};

static const struct http_part *current(const struct http_parts *parts)
{
    return &parts->parts[parts->at];
}

/* ---- the buffer ---- */

static void buffer_put(struct http_parts *parts, tr_str bytes)
{
    size_t end = (parts->begin + parts->held) % HTTP_PARTS_BUFFER;
    size_t straight = HTTP_PARTS_BUFFER - end;

    if (straight > bytes.len)
        straight = bytes.len;
    memcpy(parts->buffer + end, bytes.ptr, straight);
    memcpy(parts->buffer, bytes.ptr + straight, bytes.len - straight);
    parts->held += bytes.len;
    if (parts->held > parts->most_held)
        parts->most_held = parts->held;
}

static void buffer_take(struct http_parts *parts, char *to, size_t len)
{
    size_t straight = HTTP_PARTS_BUFFER - parts->begin;

    if (straight > len)
        straight = len;
    memcpy(to, parts->buffer + parts->begin, straight);
    memcpy(to + straight, parts->buffer, len - straight);
    parts->begin = (parts->begin + len) % HTTP_PARTS_BUFFER;
    parts->held -= len;
}

static size_t buffer_room(const struct http_parts *parts)
{
    return HTTP_PARTS_BUFFER - parts->held;
}

/* ---- faults ---- */

/* Back to the first part; nothing is under way or kept. */
static void start_over(struct http_parts *parts)
{
    http_cancel(&parts->inner);
    EVP_MD_CTX_free(parts->md5);
    free(parts->buffer);
    parts->md5 = NULL;
    parts->buffer = NULL;
    parts->state = PART_WAITS;
    parts->at = parts->begin = parts->held = 0;
    parts->given = parts->received = 0;
}

/* Ends the request. What is known of the fault stands in parts->fault. */
static void fail(struct http_parts *parts, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void fail(struct http_parts *parts, const char *fmt, ...)
{
    char words[400], text[480];
    va_list args;

    va_start(args, fmt);
    vsnprintf(words, sizeof(words), fmt, args);
    va_end(args);
    snprintf(text, sizeof(text), "part %zu of %zu of the body: %s", parts->at + 1, parts->count,
             words);
    parts->fault.happened = true;
    parts->fault.part = parts->at;
    start_over(parts);
    http_fail(parts->outer, HTTP_FAILED, text);
}

static void fail_by_status(struct http_parts *parts, int status)
{
    char place[272];

    http_write_place(str_c(current(parts)->url), place, sizeof(place));
    parts->fault.status = status;
    fail(parts, "%s answered %d instead of 200", place, status);
}

/* A whole answer, but not the one that was announced. */
static void fail_by_content(struct http_parts *parts, const char *what, uint64_t length)
{
    char place[272];

    http_write_place(str_c(current(parts)->url), place, sizeof(place));
    parts->fault.status = 200;
    parts->fault.differs = true;
    fail(parts, "%s sent %s (%llu bytes, announced are %llu)", place, what,
         (unsigned long long)length, (unsigned long long)current(parts)->length);
}

/* ---- the part's request ---- */

/* A length that is another is known before all of the bytes have been carried. */
static void see_length(struct http_parts *parts)
{
    tr_str value;
    uint64_t length;

    if (!http_answer_header(&parts->inner, "Content-Length", &value))
        return;
    length = strtoull(value.ptr, NULL, 10);
    if (length != current(parts)->length)
        fail_by_content(parts, "another length", length);
}

static void inner_head(struct http_call *call, int status)
{
    struct http_parts *parts = list_entry(call, struct http_parts, inner);
    tr_str value;

    if (status == 200) {
        see_length(parts);
        return;
    }
    if (http_answer_header(call, "Retry-After", &value))
        parts->fault.retry_after_ms = http_retry_after(value, clock_wall_ms());
    fail_by_status(parts, status);
}

static int inner_data(struct http_call *call, tr_str bytes)
{
    struct http_parts *parts = list_entry(call, struct http_parts, inner);

    parts->received += bytes.len;
    if (parts->received > current(parts)->length) {
        fail_by_content(parts, "too much", parts->received);
        return 0;
    }
    if (parts->md5)
        EVP_DigestUpdate(parts->md5, bytes.ptr, bytes.len);
    buffer_put(parts, bytes);
    http_send_more(parts->outer);
    return buffer_room(parts) < PIECE_MAX ? HTTP_PAUSE : 0;
}

static bool digest_is_right(struct http_parts *parts)
{
    unsigned char digest[EVP_MAX_MD_SIZE], text[DIGEST_LEN + 1] = "md5-";
    unsigned len = 0;

    if (!parts->md5)
        return true;
    EVP_DigestFinal_ex(parts->md5, digest, &len);
    EVP_EncodeBlock(text + 4, digest, (int)len);
    return str_eq(current(parts)->digest, str_c((const char *)text));
}

static void inner_done(struct http_call *call, const struct http_result *result)
{
    struct http_parts *parts = list_entry(call, struct http_parts, inner);

    if (result->end != HTTP_ANSWERED) {
        parts->fault.status = result->status;
        parts->fault.refused = result->end == HTTP_REFUSED;
        fail(parts, "%s", result->error);
    } else if (result->status != 200) {
        fail_by_status(parts, result->status); /* a redirect that led nowhere               */
    } else if (parts->received < current(parts)->length) {
        fail_by_content(parts, "too little", parts->received);
    } else if (!digest_is_right(parts)) {
        fail_by_content(parts, "something else: the digest is another", parts->received);
    } else {
        parts->state = PART_WHOLE;
        http_send_more(parts->outer);
    }
}

/* False: it failed. */
static bool start_digest(struct http_parts *parts)
{
    if (current(parts)->digest.len == 0)
        return true;
    parts->md5 = EVP_MD_CTX_new();
    if (parts->md5 && EVP_DigestInit_ex(parts->md5, EVP_md5(), NULL))
        return true;
    fail(parts,
         "its digest cannot be compared: libcrypto has no MD5 here; leave the digest out");
    return false;
}

static bool start_inner(struct http_parts *parts)
{
    const struct http_part *part = current(parts);
    struct error error = {0};
    int rc;

    if (!start_digest(parts))
        return false;
    if (!parts->buffer)
        parts->buffer = mem_alloc(HTTP_PARTS_BUFFER);
    parts->inner = (struct http_call){
        .url = part->url,
        .method = "GET",
        .headers = part->headers,
        .headers_count = part->headers_count,
        .first_byte_ms = parts->idle_ms,
        .idle_ms = parts->idle_ms,
        .read_size = READ_SIZE,
        .on_head = inner_head,
        .on_data = inner_data,
        .on_done = inner_done,
        .bits = HTTP_CALL_AHEAD,
    };
    rc = http_start(parts->outer->pool, &parts->inner, &error);
    if (rc < 0) {
        parts->fault.refused = rc == ERR_CONFIG;
        fail(parts, "%s", error.text);
        return false;
    }
    parts->state = PART_FLOWS;
    return true;
}

/* ---- the body's request ---- */

static uint64_t part_length(const struct http_part *part)
{
    return part->url ? part->length : part->bytes.len;
}

static size_t give_bytes(struct http_parts *parts, char *to, size_t room)
{
    tr_str left = str_from(current(parts)->bytes, (size_t)parts->given);
    size_t n = left.len < room ? left.len : room;

    memcpy(to, left.ptr, n);
    return n;
}

static size_t give_flowed(struct http_parts *parts, char *to, size_t room)
{
    size_t n = parts->held;

    if (parts->state != PART_WHOLE && parts->given + n == current(parts)->length)
        n--;
    if (n > room)
        n = room;
    buffer_take(parts, to, n);
    if (parts->held <= HTTP_PARTS_BUFFER / 2)
        http_resume(&parts->inner);
    return n;
}

static void next_part(struct http_parts *parts)
{
    EVP_MD_CTX_free(parts->md5);
    parts->md5 = NULL;
    parts->state = PART_WAITS;
    parts->at++;
    parts->given = parts->received = 0;
}

static size_t parts_give(struct http_source *source, struct http_call *call, char *to,
                         size_t room)
{
    struct http_parts *parts = list_entry(source, struct http_parts, source);
    size_t n = 0;

    parts->outer = call;
    while (n < room && parts->at < parts->count) {
        const struct http_part *part = current(parts);
        size_t given;
        if (parts->given == part_length(part)) {
            next_part(parts);
            continue;
        }
        if (part->url && parts->state == PART_WAITS && !start_inner(parts))
            return 0;
        given = part->url ? give_flowed(parts, to + n, room - n)
                          : give_bytes(parts, to + n, room - n);
        if (given == 0)
            break;
        parts->given += given;
        n += given;
    }
    parts->moved += n;
    return n;
}

static void parts_rewind(struct http_source *source)
{
    start_over(list_entry(source, struct http_parts, source));
}

/* ---- making ---- */

static int check_part(const struct http_part *part, struct error *error)
{
    tr_str shown = str_clip(part->digest, 40);

    if (part->digest.len == 0 ||
        (part->digest.len == DIGEST_LEN && str_starts(part->digest, STR("md5-"))))
        return 0;
    return error_set(error, ERR_CONFIG,
                     "\"" STR_FMT "\" is not a digest of a part; it is \"md5-\" and 24 letters "
                     "of base 64",
                     STR_ARG(shown));
}

int http_parts_init(struct http_parts *parts, const struct http_part *list, size_t count,
                    uint32_t idle_ms, struct error *error)
{
    uint64_t length = 0;

    for (size_t i = 0; i < count; i++) {
        int rc = check_part(&list[i], error);
        if (rc < 0)
            return rc;
        if (part_length(&list[i]) > INT64_MAX - length)
            return error_set(error, ERR_CONFIG, "a body is too long to be true");
        length += part_length(&list[i]);
    }
    if (length == 0)
        return error_set(error, ERR_CONFIG, "a body in parts has no bytes; send none instead");
    *parts = (struct http_parts){
        .source = {.length = length, .give = parts_give, .rewind = parts_rewind},
        .parts = list,
        .count = count,
        .idle_ms = idle_ms,
    };
    return 0;
}
