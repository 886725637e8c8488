/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a call: queued, sent, followed or repeated, handed over or cancelled. Loop
 * thread.
 *
 * Two things shape this file. libcurl forbids to add or remove handles from within its
 * callbacks, so what is asked for there is done when it has returned. And a callback of the
 * caller may free the call, so nothing touches a call after its on_done.
 */
#include "http/pool.h"

#include "base/clock.h"
#include "base/mem.h"
#include "http/wire.h"

bool http_is_active(const struct http_call *call)
{
    return call->pool != NULL;
}

void http_do_later(struct http_pool *pool, struct list *list, struct http_slot *slot)
{
    list_remove(&slot->later_link);
    list_push_back(list, &slot->later_link);
    if (!timer_is_set(&pool->later))
        loop_set_timer(pool->http->loop, &pool->later, 0);
}

/* ---- slots ---- */

static struct http_slot *slot_take(struct http_pool *pool, struct http_call *call)
{
    struct list *link = list_pop(&pool->idle);
    struct http_slot *slot = link ? list_entry(link, struct http_slot, link)
                                  : http_slot_new(pool);

    list_push_back(&pool->busy, &slot->link);
    pool->running++;
    slot->call = call;
    call->slot = slot;
    slot->hops = 0;
    slot->elsewhere = slot->bodyless = false;
    return slot;
}

/* Ready for another answer to the same or another call. */
static void slot_reset_answer(struct http_slot *slot)
{
    slot->status = 0;
    slot->head_done = slot->passed_over = slot->renew = slot->refused = slot->body_cut = false;
    slot->received = 0;
    slot->given = 0;
    slot->asked = slot->held = false;
    slot->end = HTTP_ANSWERED;
    slot->error[0] = slot->detail[0] = '\0';
    slot->by_wire = slot->connecting = false;
    slot->os_error = 0;
    buf_clear(&slot->body);
    buf_clear(&slot->head);
    free(slot->next_url);
    slot->next_url = NULL;
}

void http_slot_remove(struct http_slot *slot)
{
    if (slot->added)
        curl_multi_remove_handle(slot->pool->multi, slot->easy);
    slot->added = slot->connecting = false;
}

static void slot_detach(struct http_slot *slot)
{
    list_remove(&slot->later_link);
    http_slot_remove(slot);
    http_wire_drop(slot);
}

static void slot_give_back(struct http_slot *slot)
{
    struct http_pool *pool = slot->pool;

    list_remove(&slot->link);
    if (!slot->easy) {
        http_slot_free(slot);
        return;
    }
    /* The last one used is the next: what it needs is still in the cache. */
    list_push_front(&pool->idle, &slot->link);
    if (slot->body.cap > 65536)
        buf_fini(&slot->body);
    if (slot->head.cap > 65536)
        buf_fini(&slot->head);
}

void http_slot_drop(struct http_slot *slot)
{
    slot->call = NULL;
    slot_detach(slot);
    slot->pool->running--;
    slot_give_back(slot);
}

/* ---- sending ---- */

static bool multi_add(struct http_slot *slot)
{
    struct http_pool *pool = slot->pool;

    slot->added = http_multi_open(pool) &&
                  curl_multi_add_handle(pool->multi, slot->easy) == CURLM_OK;
    return slot->added;
}

static bool slot_add(struct http_slot *slot, tr_str basic, tr_str cookie)
{
    if (!slot->easy) {
        http_fault_own(slot, HTTP_FAILED, "cannot be reached: no handle");
        return false;
    }
    if (!http_slot_prepare(slot, basic, cookie)) {
        http_fault_own(slot, HTTP_FAILED,
                       "cannot be asked: libcurl does not take the URL, or has no memory");
        return false;
    }
    if (!multi_add(slot)) {
        http_fault_own(slot, HTTP_FAILED, "cannot be reached: libcurl takes no more");
        return false;
    }
    return true;
}

bool http_slot_connect(struct http_slot *slot)
{
    slot->connecting = http_slot_prepare_connect(slot) && multi_add(slot);
    return slot->connecting;
}

static bool slot_add_wire(struct http_slot *slot, const struct http_target *target)
{
    slot->by_wire = true;
    http_wire_compose(slot, target);
    if (slot->easy && http_wire_send(slot))
        return true;
    http_fault_own(slot, HTTP_FAILED, "cannot be reached: libcurl does not take the URL");
    return false;
}

static void set_url(struct http_slot *slot, const struct http_target *target)
{
    tr_str rest = str_c(slot->call->url + target->authority_len);

    buf_add(&slot->url, target->origin, target->origin_len);
    slot->origin_len = target->origin_len;
    if (!str_starts(rest, STR("/")))
        buf_add_char(&slot->url, '/');
    buf_add(&slot->url, rest.ptr, str_find(rest, '#'));
}

/* Gives a call a slot and sends it. What goes wrong ends the call later, not from here. */
static void dispatch(struct http_pool *pool, struct http_call *call, tr_str cookie,
                     enum http_end end, const char *why)
{
    struct http_slot *slot = slot_take(pool, call);
    struct http_target *target = &pool->target;
    struct error error;

    slot->begun_ms = slot->heard_ms = clock_ms();
    slot->signature = pool->signer ? pool->signer->number : 0;
    buf_clear(&slot->url);
    slot_reset_answer(slot);
    if (http_target_find(pool, call->url, &error) < 0) {
        slot->end = HTTP_FAILED; /* the passwords were loaded anew meanwhile               */
        snprintf(slot->error, sizeof(slot->error), "%s", error.text);
    } else {
        set_url(slot, target);
        if (end != HTTP_ANSWERED) {
            slot->end = end;
            snprintf(slot->error, sizeof(slot->error), "%s", why);
        } else if (target->refused) {
            slot->refused = true;
            http_fault(slot, CURLE_COULDNT_CONNECT);
        } else if (http_wire_fits(slot)
                       ? slot_add_wire(slot, target)
                       : slot_add(slot, str_n(target->basic.ptr, target->basic.len), cookie)) {
            http_slot_arm(slot);
            return;
        }
    }
    http_do_later(pool, &pool->ended, slot);
}

/* False: it has to wait for the signer. */
static bool sign_and_dispatch(struct http_pool *pool, struct http_call *call)
{
    enum http_end end = HTTP_ANSWERED;
    const char *why = "";
    tr_str cookie = STR("");

    call->bits &= ~(unsigned)HTTP_CALL_SIGNED;
    if (pool->signer && !(call->bits & HTTP_CALL_UNSIGNED) &&
        http_target_find(pool, call->url, NULL) == 0) {
        enum http_sign sign = pool->signer->sign(pool->signer, pool->target.origin, &cookie,
                                                 &end, &why);
        if (sign == HTTP_SIGN_WAIT)
            return false;
        if (sign == HTTP_SIGN_LINE)
            call->bits |= HTTP_CALL_SIGNED;
    }
    list_remove(&call->link);
    pool->queued--;
    dispatch(pool, call, cookie, end, why);
    return true;
}

void http_pool_pump(struct http_pool *pool)
{
    if (pool->in_curl)
        return;
    list_each_safe (it, &pool->waiting) {
        struct http_call *call = list_entry(it, struct http_call, link);
        if (pool->running >= pool->max_connections && !(call->bits & HTTP_CALL_AHEAD))
            break;
        if (!sign_and_dispatch(pool, call))
            break;
    }
}

static bool is_ahead(const struct list *link)
{
    return list_entry(link, struct http_call, link)->bits & HTTP_CALL_AHEAD;
}

static void enqueue(struct http_pool *pool, struct http_call *call, bool first)
{
    struct list *before = &pool->waiting;

    call->pool = pool;
    call->slot = NULL;
    if (first)
        before = pool->waiting.next;
    /* The pump stops at the first that finds no room: those that need none stand before it. */
    while (first && before != &pool->waiting && is_ahead(before) && !is_ahead(&call->link))
        before = before->next;
    list_insert_before(before, &call->link);
    pool->queued++;
}

int http_start(struct http_pool *pool, struct http_call *call, struct error *error)
{
    int rc;

    call->bits &= HTTP_CALL_UNSIGNED | HTTP_CALL_AHEAD;
    rc = http_check_call(&pool->judged, call, error);
    if (rc == 0)
        rc = http_target_find(pool, call->url, error);
    if (rc < 0)
        return rc;
    enqueue(pool, call, call->bits & HTTP_CALL_AHEAD);
    http_pool_pump(pool);
    return 0;
}

/* ---- ending ---- */

static void tell_of_write(const struct http_slot *slot)
{
    const struct http *http = slot->pool->http;
    const char *method;
    tr_str url = buf_str(&slot->url);

    if (!http->wrote || slot->end != HTTP_ANSWERED || slot->status < 200 || slot->status > 299)
        return;
    http_slot_verb(slot, &method);
    if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
        return;
    http->wrote(http->wrote_ctx, str_n(url.ptr, slot->origin_len), method,
                str_from(url, slot->origin_len));
}

static void count(struct http_stats *stats, const struct http_result *result)
{
    if (result->end == HTTP_ANSWERED && result->status < 600)
        stats->answered[result->status / 100]++;
    else
        stats->failed++;
}

static void hand_over(struct http_slot *slot)
{
    struct http_call *call = slot->call;
    struct http_result result = {
        .end = slot->end,
        .status = slot->status >= 200 ? slot->status : 0,
        .error = slot->error,
        .body = buf_str(&slot->body),
        .body_cut = slot->body_cut,
        .received = slot->received,
    };
    tr_str retry_after;

    http_slot_rewind(slot);
    if (result.status >= 300 && http_answer_header(call, "Retry-After", &retry_after))
        result.retry_after_ms = http_retry_after(retry_after, clock_wall_ms());
    tell_of_write(slot);
    count(&slot->pool->stats, &result);
    slot->call = NULL;
    call->pool = NULL;
    slot->pool->running--;
    call->on_done(call, &result);
    slot_give_back(slot);
}

/* Sends to where the redirect points. */
static bool follow(struct http_slot *slot)
{
    struct http_pool *pool = slot->pool;
    tr_str basic = STR(""), cookie = STR("");
    enum http_end end;
    const char *why;
    struct url next = {0};
    bool refused;

    http_slot_rewind(slot);
    if (url_parse(str_c(slot->next_url), &next, NULL) < 0)
        return false;
    /* Once elsewhere, always elsewhere: it may send us back with a path of its choice. */
    if (http_target_find(pool, slot->call->url, NULL) < 0 ||
        strcmp(next.origin, pool->target.origin) != 0)
        slot->elsewhere = true;
    if (!slot->elsewhere)
        basic = str_n(pool->target.basic.ptr, pool->target.basic.len);
    if (!slot->elsewhere && (slot->call->bits & HTTP_CALL_SIGNED) && pool->signer)
        (void)pool->signer->sign(pool->signer, pool->target.origin, &cookie, &end, &why);
    if (slot->status == 303 || (slot->status < 303 && strcmp(slot->verb, "POST") == 0))
        slot->bodyless = true;
    slot->hops++;
    buf_clear(&slot->url);
    url_write(&next, &slot->url);
    slot->origin_len = strlen(next.origin);
    refused = http_host_is_refused(pool, next.host);
    url_fini(&next);
    slot_reset_answer(slot);
    if (refused) {
        slot->refused = true;
        http_fault(slot, CURLE_COULDNT_CONNECT);
        return false;
    }
    if (!slot_add(slot, basic, cookie))
        return false;
    http_slot_arm(slot);
    return true;
}

/* The call waits once more, before all that have not been sent. */
static void send_again(struct http_slot *slot, unsigned why)
{
    struct http_pool *pool = slot->pool;
    struct http_call *call = slot->call;

    http_slot_rewind(slot);
    call->bits |= why;
    slot->call = NULL;
    pool->running--;
    slot_give_back(slot);
    enqueue(pool, call, true);
}

static void renew(struct http_slot *slot)
{
    struct http_signer *signer = slot->pool->signer;

    send_again(slot, HTTP_CALL_RENEWED);
    signer->denied(signer, slot->signature);
}

/* libcurl does it where the end of a kept connection shows as it reads, but not while it still
 * sends a body. */
static bool repeat(struct http_slot *slot, CURLcode code)
{
    long connects = 1;

    if (code != CURLE_SEND_ERROR || !slot->call->source || slot->status != 0 ||
        slot->end != HTTP_ANSWERED || !http_slot_may_repeat(slot))
        return false;
    curl_easy_getinfo(slot->easy, CURLINFO_NUM_CONNECTS, &connects);
    if (connects > 0)
        return false;
    send_again(slot, HTTP_CALL_REPEATED);
    return true;
}

void http_slot_over(struct http_slot *slot, CURLcode code)
{
    if (slot->connecting && slot->call && slot->end == HTTP_ANSWERED && code == CURLE_OK &&
        http_wire_adopt(slot))
        return;
    slot_detach(slot);
    if (!slot->call) {
        http_slot_drop(slot);
        return;
    }
    if (repeat(slot, code))
        return;
    if (code != CURLE_OK && slot->end == HTTP_ANSWERED)
        http_fault(slot, code);
    else if (slot->end == HTTP_ANSWERED && !slot->head_done)
        /* libcurl takes an answer that ends within its headers for a whole one (seen in 7.88).
         */
        http_fault_own(slot, HTTP_FAILED,
                       "closed the connection within the headers of its answer");
    if (slot->end == HTTP_ANSWERED && slot->renew && slot->pool->signer) {
        renew(slot);
        return;
    }
    if (slot->end == HTTP_ANSWERED && slot->next_url && follow(slot))
        return;
    hand_over(slot);
}

void http_pool_settle(struct http_pool *pool)
{
    struct list *link;
    CURLMsg *message;
    int left;

    while ((link = list_pop(&pool->ended)))
        http_slot_over(list_entry(link, struct http_slot, later_link), CURLE_OK);
    while ((message = curl_multi_info_read(pool->multi, &left))) {
        CURLcode code = message->data.result;
        struct http_slot *slot = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&slot);
        http_slot_over(slot, code);
    }
    http_pool_pump(pool);
}

void http_slot_abandon(struct http_slot *slot, const char *why)
{
    if (!slot->call)
        return;
    http_fault_own(slot, HTTP_FAILED, "cannot be listened to: %s", why);
    http_do_later(slot->pool, &slot->pool->ended, slot);
}

void http_pool_abandon(struct http_pool *pool, const char *why)
{
    list_each (it, &pool->busy) {
        struct http_slot *slot = list_entry(it, struct http_slot, link);
        if (!slot->added)
            continue;
        http_slot_remove(slot);
        http_slot_abandon(slot, why);
    }
    http_multi_close(pool);
}

void http_pool_later(struct timer *timer)
{
    struct http_pool *pool = list_entry(timer, struct http_pool, later);
    struct list resumed, *link;

    /* Only those of now: one that pauses and resumes at once waits for the next turn. */
    list_init(&resumed);
    list_append(&resumed, &pool->resumed);
    pool->in_curl = true;
    while ((link = list_pop(&resumed))) {
        struct http_slot *slot = list_entry(link, struct http_slot, later_link);
        if (!slot->call)
            continue;
        http_slot_pause(slot);
        if (slot->call)
            http_slot_arm(slot);
    }
    pool->in_curl = false;
    http_pool_settle(pool);
}

void http_cancel(struct http_call *call)
{
    struct http_pool *pool = call->pool;
    struct http_slot *slot = call->slot;

    if (!pool)
        return;
    if (slot)
        http_slot_rewind(slot);
    call->pool = NULL;
    call->slot = NULL;
    if (!slot) {
        list_remove(&call->link);
        pool->queued--;
        return;
    }
    if (pool->in_curl) {
        slot->call = NULL;
        http_do_later(pool, &pool->ended, slot);
        return;
    }
    http_slot_drop(slot);
    http_pool_pump(pool);
}

/* ---- pausing ---- */

void http_slot_pause(struct http_slot *slot)
{
    bool received = slot->call->bits & HTTP_CALL_PAUSED;

    curl_easy_pause(slot->easy, (received ? CURLPAUSE_RECV : CURLPAUSE_RECV_CONT) |
                                    (slot->held ? CURLPAUSE_SEND : CURLPAUSE_SEND_CONT));
}

void http_pause(struct http_call *call)
{
    if (!call->pool || !call->on_data || (call->bits & HTTP_CALL_PAUSED))
        return;
    call->bits |= HTTP_CALL_PAUSED;
    /* Harmless where there is no connection yet: http_take_body() asks the bit again. */
    if (call->slot && call->slot->added)
        http_slot_pause(call->slot);
}

void http_resume(struct http_call *call)
{
    if (!call->pool || !(call->bits & HTTP_CALL_PAUSED))
        return;
    call->bits &= ~(unsigned)HTTP_CALL_PAUSED;
    if (!call->slot || !call->slot->added)
        return;
    call->slot->heard_ms = clock_ms();
    http_do_later(call->pool, &call->pool->resumed, call->slot);
}
