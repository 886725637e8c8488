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

static void add_line(struct buf *lines, tr_str name, tr_str value)
{
    buf_add_str(lines, name);
    buf_add(lines, ": ", value.len > 0 ? 2 : 1);
    buf_add_str(lines, value);
    buf_add(lines, "\r\n", 2);
}

static bool has_header(const struct http_call *call, tr_str name)
{
    for (size_t i = 0; i < call->headers_count; i++)
        if (http_name_is(call->headers[i].name, name))
            return true;
    return false;
}

/* Those that stand for themselves where the call has none, and the call's. */
static void add_headers(struct buf *lines, const struct http_call *call,
                        const struct http_target *target)
{
    static const tr_str names[HTTP_OWN_LINES] = {
        [HTTP_HOST] = {"Host", 4},
        [HTTP_USER_AGENT] = {"User-Agent", 10},
        [HTTP_ACCEPT] = {"Accept", 6},
        [HTTP_AUTHORIZATION] = {"Authorization", 13},
    };

    for (size_t k = 0; k < HTTP_OWN_LINES; k++)
        if (!has_header(call, names[k]))
            buf_add(lines, target->lines[k].ptr, target->lines[k].len);
    for (size_t i = 0; i < call->headers_count; i++)
        add_line(lines, call->headers[i].name, call->headers[i].value);
}

static void add_length(struct buf *lines, size_t length)
{
    char digits[STR_NUMBER];

    add_line(lines, STR("Content-Length"), str_of_number(length, digits));
}

void http_wire_compose(struct http_slot *slot, const struct http_target *target)
{
    struct buf *lines = &slot->lines;
    const char *verb;
    bool has_body = http_slot_verb(slot, &verb);

    buf_clear(lines);
    buf_add_c(lines, verb);
    buf_add_char(lines, ' ');
    buf_add_str(lines, str_from(buf_str(&slot->url), slot->origin_len));
    buf_add_c(lines, " HTTP/1.1\r\n");
    add_headers(lines, slot->call, target);
    slot->payload = has_body ? slot->call->body : STR("");
    if (has_body)
        add_length(lines, slot->payload.len);
    buf_add(lines, "\r\n", 2);
    if (slot->payload.len <= JOINED_MAX) {
        buf_add_str(lines, slot->payload);
        slot->payload = STR("");
    }
    slot->to_head = strcmp(verb, "HEAD") == 0;
}
