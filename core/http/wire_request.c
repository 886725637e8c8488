/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests by wire: which calls go so, and their heads. On the network they are the same as
 * those that libcurl would write, but for the order of some lines. http_check_call() has
 * refused every byte that could end a line. Loop thread.
 */
#include "http/wire.h"

enum {
    JOINED_MAX = 4096, /* a body up to this is copied behind its head: one buffer costs the
                          kernel so much less than two                                     */
};

bool http_wire_fits(const struct http_slot *slot)
{
    const struct http_pool *pool = slot->pool;
    const struct http_call *call = slot->call;

    return pool->direct && !pool->signer && !pool->proxy[0] && pool->max_redirects == 0 &&
           !call->on_head && !call->on_data && !call->source &&
           strncmp(slot->url.ptr, "http://", 7) == 0 &&
           /* In other letters libcurl writes a name as IDNA has it, and encodes a path. */
           str_is_ascii(buf_str(&slot->url));
}

/* ---- the head: its room is made once, for it is made for every request ---- */

static char *put(char *at, const void *bytes, size_t len)
{
    return len > 0 ? (char *)memcpy(at, bytes, len) + len : at;
}

static char *put_str(char *at, tr_str s)
{
    return put(at, s.ptr, s.len);
}

static char *put_line(char *at, tr_str name, tr_str value)
{
    at = put_str(at, name);
    at = put(at, ": ", value.len > 0 ? 2 : 1);
    at = put_str(at, value);
    return put(at, "\r\n", 2);
}

/* Those that stand for themselves where the call has none, and the call's. */
static char *put_headers(char *at, const struct http_call *call,
                         const struct http_target *target)
{
    for (size_t k = 0; k < HTTP_OWN_LINES; k++)
        if (!(call->bits & HTTP_CALL_OWN(k)))
            at = put(at, target->lines[k].ptr, target->lines[k].len);
    for (size_t i = 0; i < call->headers_count; i++)
        at = put_line(at, call->headers[i].name, call->headers[i].value);
    return at;
}

/* Bytes that are no less than the head has. */
static size_t measure(const struct http_call *call, const struct http_target *target,
                      tr_str verb, tr_str path)
{
    size_t size = verb.len + path.len + sizeof("  HTTP/1.1\r\nContent-Length: \r\n\r\n") +
                  STR_NUMBER;

    for (size_t k = 0; k < HTTP_OWN_LINES; k++)
        size += target->lines[k].len;
    for (size_t i = 0; i < call->headers_count; i++)
        size += call->headers[i].name.len + call->headers[i].value.len + sizeof(": \r\n");
    return size;
}

void http_wire_compose(struct http_slot *slot, const struct http_target *target)
{
    struct buf *lines = &slot->lines;
    const struct http_call *call = slot->call;
    tr_str path = str_from(buf_str(&slot->url), slot->origin_len), verb, joined = {0};
    char digits[STR_NUMBER], *at;
    const char *word;
    bool has_body = http_slot_verb(slot, &word);

    verb = str_c(word);
    slot->payload = has_body ? call->body : STR("");
    if (slot->payload.len <= JOINED_MAX) {
        joined = slot->payload;
        slot->payload = STR("");
    }
    buf_clear(lines);
    at = buf_reserve(lines, measure(call, target, verb, path) + joined.len);
    at = put_str(at, verb);
    at = put(at, " ", 1);
    at = put_str(at, path);
    at = put_str(at, STR(" HTTP/1.1\r\n"));
    at = put_headers(at, call, target);
    if (has_body)
        at = put_line(at, STR("Content-Length"), str_of_number(call->body.len, digits));
    at = put(at, "\r\n", 2);
    at = put_str(at, joined);
    lines->len = (size_t)(at - lines->ptr);
    slot->to_head = str_eq(verb, STR("HEAD"));
}
