/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests by wire: which calls go so, and their heads. On the network they are the same as
 * those that libcurl would write, but for the order of some lines. http_check_call() has
 * refused every byte that could end a line. Loop thread.
 */
#include "http/wire.h"

enum {
    JOINED_MAX = 4096, /* a body up to this is copied behind its head: one buffer costs the
                          kernel less than two                                             */
};

/* Of ASCII: in other letters libcurl writes a name as IDNA has it, and encodes a path. */
static bool is_plain(tr_str url)
{
    for (size_t i = 0; i < url.len; i++)
        if ((unsigned char)url.ptr[i] >= 0x80)
            return false;
    return true;
}

bool http_wire_fits(const struct http_slot *slot)
{
    const struct http_pool *pool = slot->pool;
    const struct http_call *call = slot->call;

    return pool->direct && !pool->signer && !pool->proxy[0] && pool->max_redirects == 0 &&
           !call->on_head && !call->on_data && strncmp(slot->url.ptr, "http://", 7) == 0 &&
           is_plain(buf_str(&slot->url));
}

static void add_line(struct buf *lines, tr_str name, tr_str value)
{
    buf_add_str(lines, name);
    buf_add(lines, ": ", value.len > 0 ? 2 : 1);
    buf_add_str(lines, value);
    buf_add(lines, "\r\n", 2);
}

/* The call's own headers, and those that stand for themselves where the call has none. */
static void add_headers(struct http_slot *slot, tr_str host, tr_str basic)
{
    const struct http_call *call = slot->call;
    struct buf *lines = &slot->lines;
    struct http_header own[] = {
        {STR("Host"), host},
        {STR("User-Agent"), str_c(slot->pool->http->user_agent)},
        {STR("Accept"), STR("*/*")},
        {STR("Authorization"), basic},
    };

    for (size_t i = 0; i < call->headers_count; i++)
        for (size_t k = 0; k < sizeof(own) / sizeof(own[0]); k++)
            if (call->headers[i].name.len == own[k].name.len &&
                http_name_is(call->headers[i].name, own[k].name.ptr))
                own[k].value = STR("");
    for (size_t k = 0; k < sizeof(own) / sizeof(own[0]); k++)
        if (own[k].value.len > 0)
            add_line(lines, own[k].name, own[k].value);
    for (size_t i = 0; i < call->headers_count; i++)
        add_line(lines, call->headers[i].name, call->headers[i].value);
}

static void add_length(struct buf *lines, size_t length)
{
    char digits[24], *at = digits + sizeof(digits);

    do {
        *--at = (char)('0' + length % 10);
        length /= 10;
    } while (length > 0);
    add_line(lines, STR("Content-Length"), str_n(at, (size_t)(digits + sizeof(digits) - at)));
}

void http_wire_compose(struct http_slot *slot, const char *origin, tr_str basic)
{
    struct buf *lines = &slot->lines;
    const char *verb;
    bool has_body = http_slot_verb(slot, &verb);

    buf_clear(lines);
    buf_add_c(lines, verb);
    buf_add_char(lines, ' ');
    buf_add_str(lines, str_from(buf_str(&slot->url), strlen(origin)));
    buf_add_c(lines, " HTTP/1.1\r\n");
    add_headers(slot, str_c(origin + strlen("http://")), basic);
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
