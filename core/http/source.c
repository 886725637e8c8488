/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies with a source: libcurl asks for their bytes as the socket takes them, and is told to
 * wait while there are none. Loop thread; libcurl is on the stack in http_give_body(),
 * http_begin_request() and http_rewind_body().
 *
 * A request may have to go out again after part of its body went: on another connection when
 * the one that had idled was dead, with a new session, or to where a redirect points. Then the
 * source starts again from its first byte. The first happens once to a call and no more:
 * libcurl would try five kept connections, and send as many times what may be a gigabyte.
 */
#include "http/pool.h"

static uint64_t left_of(const struct http_slot *slot)
{
    return slot->call->source->length - slot->given;
}

size_t http_give_body(char *to, size_t size, size_t count, void *data)
{
    struct http_slot *slot = data;
    struct http_call *call = slot->call;
    size_t room = size * count, n;

    /* After an answer of 300 or more the source has been rewound, and nothing may go on. */
    if (!call || slot->end != HTTP_ANSWERED || slot->status >= 300)
        return CURL_READFUNC_ABORT;
    if (left_of(slot) < room)
        room = (size_t)left_of(slot);
    if (room == 0)
        return 0;
    slot->heard_ms = loop_now(slot->pool->http->loop);
    if (!slot->asked) {
        slot->asked = true;
        http_slot_arm(slot);
    }
    n = call->source->give(call->source, call, to, room);
    if (!slot->call || slot->end != HTTP_ANSWERED)
        return CURL_READFUNC_ABORT;
    slot->given += n;
    slot->held = n == 0;
    return slot->held ? CURL_READFUNC_PAUSE : n;
}

void http_slot_rewind(struct http_slot *slot)
{
    slot->given = 0;
    slot->asked = slot->held = false;
    if (slot->call && slot->call->source)
        slot->call->source->rewind(slot->call->source);
}

int http_begin_request(void *data, char *to, char *from, int to_port, int from_port)
{
    struct http_slot *slot = data;

    (void)to, (void)from, (void)to_port, (void)from_port;
    if (!slot->call)
        return CURL_PREREQFUNC_ABORT;
    if (!slot->asked)
        return CURL_PREREQFUNC_OK;
    if (!http_slot_may_repeat(slot)) {
        http_fault_own(slot, HTTP_FAILED, "closed the connection without an answer, twice");
        return CURL_PREREQFUNC_ABORT;
    }
    slot->call->bits |= HTTP_CALL_REPEATED;
    http_slot_rewind(slot);
    return CURL_PREREQFUNC_OK;
}

bool http_slot_may_repeat(const struct http_slot *slot)
{
    return !(slot->call->bits & HTTP_CALL_REPEATED);
}

/* libcurl asks only when bytes went to the socket, but some may be lost in its own buffer (seen
 * in 7.88): http_begin_request() is where the source starts again. */
int http_rewind_body(void *data, curl_off_t offset, int origin)
{
    (void)data;
    return offset == 0 && origin == SEEK_SET ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

void http_send_more(struct http_call *call)
{
    struct http_slot *slot = call->slot;

    if (!call->pool || !slot || !slot->held || slot->end != HTTP_ANSWERED)
        return;
    slot->held = false;
    slot->heard_ms = loop_now(call->pool->http->loop);
    http_do_later(call->pool, &call->pool->resumed, slot);
}

void http_fail(struct http_call *call, enum http_end end, const char *error)
{
    struct http_slot *slot = call->slot;

    if (!call->pool || !slot || slot->end != HTTP_ANSWERED)
        return;
    slot->end = end;
    snprintf(slot->error, sizeof(slot->error), "%s", error);
    http_do_later(call->pool, &call->pool->ended, slot);
}
