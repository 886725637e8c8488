/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answer as it comes: libcurl's callbacks and the deadlines. Loop thread; libcurl is on the
 * stack in http_take_head() and http_take_body().
 *
 * The deadlines are ours. CURLOPT_LOW_SPEED_TIME would end a healthy feed that is merely quiet.
 */
#include "http/pool.h"

#include "base/clock.h"
#include "base/mem.h"

/* ---- deadlines ---- */

static void nearer(int64_t *due, int64_t from_ms, uint32_t after_ms)
{
    if (after_ms > 0 && from_ms + after_ms < *due)
        *due = from_ms + after_ms;
}

static bool is_paused(const struct http_call *call)
{
    return call->bits & HTTP_CALL_PAUSED;
}

/* Whether it is the other side that should take or send a byte. */
static bool is_idle(const struct http_slot *slot)
{
    return (slot->status != 0 || slot->asked) && !is_paused(slot->call) && !slot->held;
}

void http_slot_arm(struct http_slot *slot)
{
    const struct http_call *call = slot->call;
    struct loop *loop = slot->pool->http->loop;
    int64_t due = INT64_MAX;

    nearer(&due, slot->begun_ms, call->timeout_ms);
    if (slot->status == 0)
        nearer(&due, slot->begun_ms, call->first_byte_ms);
    if (is_idle(slot))
        nearer(&due, slot->heard_ms, call->idle_ms);
    /* One that is set and fires too early is set again then: mostly no call needs it at all,
     * and setting and clearing it for each would cost more. */
    if (due != INT64_MAX && !(timer_is_set(&slot->timer) && slot->timer.due_ms <= due))
        loop_set_timer(loop, &slot->timer, due - clock_ms());
}

static bool is_past(int64_t from_ms, uint32_t after_ms, int64_t now)
{
    return after_ms > 0 && now >= from_ms + after_ms;
}

void http_slot_deadline(struct timer *timer)
{
    struct http_slot *slot = list_entry(timer, struct http_slot, timer);
    const struct http_call *call = slot->call;
    int64_t now = clock_ms();

    if (!call)
        return; /* left over from a call that is over                                      */
    if (is_past(slot->begun_ms, call->timeout_ms, now))
        http_fault_own(slot, HTTP_TIMED_OUT, "did not answer whole within %u ms",
                       call->timeout_ms);
    else if (slot->status == 0 && is_past(slot->begun_ms, call->first_byte_ms, now))
        http_fault_own(slot, HTTP_TIMED_OUT, "did not begin to answer within %u ms",
                       call->first_byte_ms);
    else if (is_idle(slot) && is_past(slot->heard_ms, call->idle_ms, now))
        http_fault_own(slot, HTTP_TIMED_OUT, "%s nothing for %u ms",
                       slot->status != 0 ? "sent" : "took and sent", call->idle_ms);
    if (slot->end == HTTP_ANSWERED) {
        /* Bytes came since the timer was set; setting it for each of them would cost more. */
        http_slot_arm(slot);
        return;
    }
    http_slot_over(slot, CURLE_OK);
    http_pool_settle(slot->pool);
}

/* ---- the head ---- */

static bool is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* From clear text to TLS, but never back, and to nothing that is not HTTP. */
static bool may_follow(tr_str from, tr_str to)
{
    if (str_starts(to, STR("https://")))
        return true;
    return str_starts(to, STR("http://")) && !str_starts(from, STR("https://"));
}

/* Sets next_url when this answer is a redirect that shall be followed. */
static void see_redirect(struct http_slot *slot)
{
    tr_str location;
    char *next;

    if (!is_redirect(slot->status) || slot->hops >= slot->pool->max_redirects ||
        !http_answer_header(slot->call, "Location", &location))
        return;
    next = url_resolve(slot->url.ptr, location.ptr);
    if (next && may_follow(buf_str(&slot->url), str_c(next)))
        slot->next_url = next;
    else
        free(next);
}

/* libcurl sends no more of a body after such an answer, but it takes a request for unfinished
 * as long as it waits for bytes (seen in 7.88). */
static void stop_sending(struct http_slot *slot)
{
    http_send_more(slot->call);
    http_slot_rewind(slot);
}

static void head_is_whole(struct http_slot *slot)
{
    struct http_call *call = slot->call;

    if (slot->status < 200)
        return; /* 100 Continue and its like: the answer follows                           */
    slot->head_done = true;
    if (slot->status == 401 && (call->bits & HTTP_CALL_SIGNED) &&
        !(call->bits & HTTP_CALL_RENEWED))
        slot->renew = true;
    else
        see_redirect(slot);
    slot->passed_over = slot->renew || slot->next_url;
    if (call->source && slot->status >= 300)
        stop_sending(slot);
    if (call->idle_ms > 0)
        http_slot_arm(slot);
    if (!slot->passed_over && call->on_head)
        call->on_head(call, slot->status);
}

static int parse_status(const char *line, size_t len)
{
    const char *space = memchr(line, ' ', len);
    int status = 0;

    if (!space)
        return 0;
    for (const char *at = space + 1; at < line + len && *at >= '0' && *at <= '9'; at++)
        status = status < 1000 ? status * 10 + (*at - '0') : status;
    return status;
}

size_t http_take_head(char *line, size_t size, size_t count, void *data)
{
    struct http_slot *slot = data;
    size_t len = size * count;

    if (!slot->call)
        return 0;
    slot->heard_ms = loop_now(slot->pool->http->loop);
    if (slot->head_done)
        return len; /* trailers                                                            */
    if (slot->status < 200 && len > 5 && memcmp(line, "HTTP/", 5) == 0)
        slot->status = parse_status(line, len);
    else if (len <= 2 && (line[0] == '\r' || line[0] == '\n'))
        head_is_whole(slot);
    return slot->call ? len : 0;
}

bool http_take_whole_head(struct http_slot *slot, int status)
{
    if (!slot->call)
        return false;
    slot->heard_ms = loop_now(slot->pool->http->loop);
    slot->status = status;
    head_is_whole(slot);
    return slot->call != NULL;
}

/* ---- the body ---- */

static size_t keep(struct http_slot *slot, const char *bytes, size_t len)
{
    const struct http_call *call = slot->call;
    size_t room = call->keep_max > slot->body.len ? call->keep_max - slot->body.len : 0;

    buf_add(&slot->body, bytes, len < room ? len : room);
    if (len <= room)
        return len;
    slot->body_cut = true;
    if (!call->keep_strict)
        return len;
    http_fault_own(slot, HTTP_TOO_LONG, "answered with more than %zu bytes", call->keep_max);
    return 0;
}

size_t http_take_body(char *bytes, size_t size, size_t count, void *data)
{
    struct http_slot *slot = data;
    struct http_call *call = slot->call;
    size_t len = size * count;

    if (!call)
        return 0;
    slot->heard_ms = loop_now(slot->pool->http->loop);
    if (slot->passed_over)
        return len;
    if (is_paused(call))
        return CURL_WRITEFUNC_PAUSE; /* libcurl keeps the bytes and brings them again      */
    slot->received += (int64_t)len;
    slot->pool->stats.body_bytes += len;
    if (!call->on_data)
        return keep(slot, bytes, len);
    if (call->on_data(call, str_n(bytes, len)) == HTTP_PAUSE && slot->call)
        call->bits |= HTTP_CALL_PAUSED;
    if (!slot->call)
        return 0;
    if (is_paused(call))
        http_slot_pause(slot);
    return len;
}

/* The last of the lines with this name. */
static bool find_line(tr_str head, tr_str name, tr_str *ret_value)
{
    bool found = false;

    while (head.len > 0) {
        size_t len = str_find(head, '\n');
        tr_str line = str_n(head.ptr, len);
        size_t colon = str_find(line, ':');

        if (colon < len && http_name_is(str_n(line.ptr, colon), name)) {
            *ret_value = str_trim(str_from(line, colon + 1));
            found = true;
        }
        head = str_from(head, len + 1);
    }
    return found;
}

bool http_answer_header(struct http_call *call, const char *name, tr_str *ret_value)
{
    struct curl_header *header;

    if (call->slot && call->slot->by_wire)
        return find_line(buf_str(&call->slot->head), str_c(name), ret_value);

    if (!call->slot || !call->slot->easy ||
        curl_easy_header(call->slot->easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return false;
    if (header->amount > 1 && curl_easy_header(call->slot->easy, name, header->amount - 1,
                                               CURLH_HEADER, -1, &header) != CURLHE_OK)
        return false;
    *ret_value = str_c(header->value);
    return true;
}
