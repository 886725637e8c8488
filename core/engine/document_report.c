/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing reports into documents: a queue, and one PUT at a time. Loop thread.
 */
#include "engine/document_report.h"

#include "base/mem.h"
#include "base/random.h"
#include "observe/log.h"
#include "json/value.h"

enum {
    TIMEOUT_MS = 30000,
    RETRY_MIN_MS = 1000,
    RETRY_MAX_MS = 300000,
    QUEUE_MAX = 1000 /* beyond, a document is told at its next change or the next start    */
};

struct report {
    struct list link;
    struct buf id, body;
};

struct document_reporter {
    struct loop *loop;
    struct http_pool *pool;
    const struct url *server;
    tr_str database;
    struct list queue; /* the first one is under way, or waits for `timer`                 */
    size_t count;
    struct buf url;
    struct http_call call;
    struct timer timer;
    uint32_t failures;
    bool refused; /* it was said that we may not write                                     */
};

static const struct http_header json_header = {{"Content-Type", 12}, {"application/json", 16}};

static void send_first(struct document_reporter *reporter);

static void report_free(struct document_reporter *reporter, struct report *report)
{
    list_remove(&report->link);
    reporter->count--;
    buf_fini(&report->id);
    buf_fini(&report->body);
    free(report);
}

/* ---- what it says ---- */

static bool text_is(tr_str object, tr_str key, tr_str wanted)
{
    struct arena arena;
    bool is = false;
    tr_str raw, text;

    arena_init(&arena, 512);
    if (json_get(object, key, &raw) && json_type_of(raw) == JSON_STRING &&
        json_decode(raw, &arena, &text))
        is = str_eq(text, wanted);
    arena_fini(&arena);
    return is;
}

/* As it reads once it went through JSON: bytes that are not UTF-8 do not survive that. */
static bool reason_is(tr_str report, tr_str reason)
{
    struct buf written = {0};
    struct arena arena;
    tr_str text;
    bool is;

    arena_init(&arena, 512);
    json_write_string(&written, reason);
    is = json_decode(buf_str(&written), &arena, &text) && text_is(report, STR("reason"), text);
    buf_fini(&written);
    arena_fini(&arena);
    return is;
}

bool document_says(tr_str doc, tr_str reason)
{
    tr_str report;

    if (!json_get(doc, STR("tailrace"), &report))
        return reason.len == 0;
    if (reason.len == 0)
        return !text_is(report, STR("state"), STR("invalid"));
    return text_is(report, STR("state"), STR("invalid")) && reason_is(report, reason);
}

static void write_body(tr_str doc, tr_str reason, struct buf *out)
{
    size_t cursor = 0;
    tr_str key, raw;

    buf_add_char(out, '{');
    while (json_next(doc, &cursor, &key, &raw)) {
        if (str_eq(key, STR("tailrace")))
            continue;
        buf_add(out, key.ptr - 1, key.len + 2);
        buf_add_char(out, ':');
        buf_add_str(out, raw);
        buf_add_char(out, ',');
    }
    if (reason.len == 0) {
        buf_add_c(out, "\"tailrace\":{\"state\":\"running\"}}");
        return;
    }
    buf_add_c(out, "\"tailrace\":{\"state\":\"invalid\",\"reason\":");
    json_write_string(out, reason);
    buf_add_c(out, "}}");
}

void document_report(struct document_reporter *reporter, tr_str id, tr_str doc, tr_str reason)
{
    struct report *report;

    if (document_says(doc, reason) || reporter->count >= QUEUE_MAX)
        return;
    report = mem_new(struct report);
    buf_add_str(&report->id, id);
    write_body(doc, reason, &report->body);
    list_push_back(&reporter->queue, &report->link);
    if (reporter->count++ == 0)
        send_first(reporter);
}

/* ---- sending ---- */

static void timer_due(struct timer *timer)
{
    send_first(list_entry(timer, struct document_reporter, timer));
}

static void try_again(struct document_reporter *reporter)
{
    reporter->timer.fire = timer_due;
    loop_set_timer(reporter->loop, &reporter->timer,
                   backoff_ms(reporter->failures++, RETRY_MIN_MS, RETRY_MAX_MS));
}

static void done(struct http_call *call, const struct http_result *result)
{
    struct document_reporter *reporter = list_entry(call, struct document_reporter, call);
    struct report *report = list_entry(reporter->queue.next, struct report, link);
    bool answered = result->end == HTTP_ANSWERED;

    if (!answered ? result->end != HTTP_REFUSED && result->end != HTTP_UNAUTHORIZED
                  : result->status == 429 || result->status >= 500) {
        try_again(reporter);
        return;
    }
    reporter->failures = 0;
    /* 409: it has changed, and is judged anew. 404: the database is gone. */
    if (result->status / 100 != 2 && result->status != 409 && result->status != 404 &&
        !reporter->refused) {
        log_warn("report cannot be written into a document", LOG_S("db", reporter->database),
                 LOG_S("document", buf_str(&report->id)), LOG_I("status", result->status),
                 LOG_C("reason", result->error));
        reporter->refused = true;
    }
    report_free(reporter, report);
    send_first(reporter);
}

static void send_first(struct document_reporter *reporter)
{
    while (!list_empty(&reporter->queue)) {
        struct report *report = list_entry(reporter->queue.next, struct report, link);
        struct buf id = {0};
        struct error error;
        int rc;

        url_encode(&id, buf_str(&report->id));
        buf_clear(&reporter->url);
        url_join(reporter->server, reporter->database, buf_str(&id), STR(""), &reporter->url);
        buf_fini(&id);
        reporter->call = (struct http_call){
            .url = reporter->url.ptr,
            .method = "PUT",
            .headers = &json_header,
            .headers_count = 1,
            .body = buf_str(&report->body),
            .timeout_ms = TIMEOUT_MS,
            .keep_max = 1024,
            .on_done = done,
        };
        rc = http_start(reporter->pool, &reporter->call, &error);
        if (rc == 0)
            return;
        if (!reporter->refused)
            log_warn("report cannot be written into a document",
                     LOG_S("db", reporter->database), LOG_C("reason", error.text));
        reporter->refused = true;
        report_free(reporter, report);
    }
}

/* ---- making and ending ---- */

struct document_reporter *document_reporter_new(struct loop *loop, struct http_pool *pool,
                                                const struct url *server, tr_str database)
{
    struct document_reporter *reporter = mem_new(struct document_reporter);

    reporter->loop = loop;
    reporter->pool = pool;
    reporter->server = server;
    reporter->database = database;
    list_init(&reporter->queue);
    return reporter;
}

void document_reporter_free(struct document_reporter *reporter)
{
    if (!reporter)
        return;
    http_cancel(&reporter->call);
    loop_clear_timer(reporter->loop, &reporter->timer);
    while (!list_empty(&reporter->queue))
        report_free(reporter, list_entry(reporter->queue.next, struct report, link));
    buf_fini(&reporter->url);
    free(reporter);
}
