/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies in parts: copies of what a plugin said of them, in one block of memory that holds the
 * list, all headers, and behind them the bytes of all strings. Worker thread, but for
 * parcel_moved() and parcel_report().
 */
#include "plugin/parcel.h"

#include "base/mem.h"
#include "http/parts.h"

enum { DEFAULT_IDLE_MS = 60000 };

struct parcel {
    struct http_parts parts;
    uint32_t idle_ms;
    size_t count;
    struct http_part list[]; /* then the headers, then the strings                         */
};

/* ---- what can be sent ---- */

bool parcel_headers_are_clean(const tr_http_header *headers, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (str_has_control(headers[i].name) || str_has_control(headers[i].value))
            return false;
    return true;
}

/* The i-th part, whatever size the plugin knows it with. */
static tr_http_part part_at(const tr_http_request *given, uint32_t i)
{
    const char *at = (const char *)given->parts + (size_t)i * given->parts_stride;
    tr_http_part part = {0};

    memcpy(&part, at, given->parts_stride < sizeof(part) ? given->parts_stride : sizeof(part));
    return part;
}

static bool is_sendable(const tr_http_part *part)
{
    if (part->url.len == 0)
        return true;
    /* The rest is judged where it is used, and by http_parts_init(). */
    return part->bytes.len == 0 && !str_has_control(part->url) &&
           parcel_headers_are_clean(part->headers, part->headers_count);
}

/* ---- copies ---- */

struct copier {
    struct http_header *headers; /* where the next ones go                                 */
    char *text;
};

static tr_str copy(struct copier *to, tr_str s)
{
    tr_str made = str_n(to->text, s.len);

    if (s.len > 0)
        memcpy(to->text, s.ptr, s.len);
    to->text += s.len;
    *to->text++ = '\0';
    return made;
}

static void measure(const tr_http_part *part, size_t *headers, size_t *text)
{
    *headers += part->headers_count;
    *text += part->bytes.len + part->url.len + part->digest.len + 3;
    for (uint32_t i = 0; i < part->headers_count; i++)
        *text += part->headers[i].name.len + part->headers[i].value.len + 2;
}

static struct http_part copy_part(struct copier *to, const tr_http_part *part)
{
    struct http_part made = {
        .bytes = copy(to, part->bytes),
        .url = part->url.len > 0 ? copy(to, part->url).ptr : NULL,
        .headers = to->headers,
        .headers_count = part->headers_count,
        .length = part->length,
        .digest = copy(to, part->digest),
    };

    for (uint32_t i = 0; i < part->headers_count; i++) {
        to->headers->name = copy(to, part->headers[i].name);
        to->headers->value = copy(to, part->headers[i].value);
        to->headers++;
    }
    return made;
}

/* ---- the parcel ---- */

bool parcel_new(const tr_http_request *given, struct parcel **ret_parcel)
{
    size_t headers = 0, text = 0, list;
    struct parcel *parcel;
    struct copier to;

    *ret_parcel = NULL;
    if (!TR_ROOM(given, tr_http_request, parts_stride) || given->parts_count == 0)
        return true;
    if (given->body.len > 0 || given->parts_stride < sizeof(tr_http_part))
        return false;
    for (uint32_t i = 0; i < given->parts_count; i++) {
        tr_http_part part = part_at(given, i);
        if (!is_sendable(&part))
            return false;
        measure(&part, &headers, &text);
    }
    list = given->parts_count * sizeof(struct http_part);
    parcel = mem_zero(1, sizeof(*parcel) + list + headers * sizeof(struct http_header) + text);
    to.headers = (struct http_header *)(void *)((char *)parcel->list + list);
    to.text = (char *)(to.headers + headers);
    for (uint32_t i = 0; i < given->parts_count; i++) {
        tr_http_part part = part_at(given, i);
        parcel->list[i] = copy_part(&to, &part);
    }
    parcel->count = given->parts_count;
    parcel->idle_ms = given->timeout_ms ? given->timeout_ms : DEFAULT_IDLE_MS;
    if (http_parts_init(&parcel->parts, parcel->list, parcel->count, parcel->idle_ms, NULL) <
        0) {
        parcel_free(parcel);
        return false;
    }
    *ret_parcel = parcel;
    return true;
}

void parcel_free(struct parcel *parcel)
{
    free(parcel);
}

void parcel_attach(struct parcel *parcel, struct http_call *call)
{
    if (!parcel)
        return;
    call->source = &parcel->parts.source;
    call->timeout_ms = 0;
    call->idle_ms = parcel->idle_ms;
}

uint64_t parcel_moved(const struct parcel *parcel)
{
    return parcel ? parcel->parts.moved : 0;
}

void parcel_report(const struct parcel *parcel, tr_http_response *response)
{
    const struct http_parts_fault *fault = parcel ? &parcel->parts.fault : NULL;

    if (!fault || !fault->happened)
        return;
    response->flags |= TR_HTTP_PART_FAILED | (fault->differs ? TR_HTTP_PART_DIFFERS : 0u) |
                       (fault->refused ? TR_HTTP_REFUSED : 0u);
    response->part = (uint32_t)fault->part;
    response->part_status = fault->status;
    response->retry_after_ms = (uint32_t)fault->retry_after_ms;
}
