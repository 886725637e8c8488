/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions about a database: one request, or a short chain of them, and one answer. Called by
 * changes.c and the engine on the loop thread.
 */
#include "feed/identity.h"

#include "base/mem.h"
#include "base/random.h"
#include "json/skip.h"
#include "json/value.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    TIMEOUT_MS = 60000,
    CONFIRM_MS = 200,      /* between the first 404 and the second                    */
    BODY_MAX = 1 << 20,    /* of a document                                           */
    NAMES_MAX = 256 << 20, /* of _all_dbs: a million names                            */
    INCARNATION_MAX = 64,
    SECONDS_MAX = 11, /* digits of a time in seconds                             */
    MARKER_TRIES = 3  /* someone else may write the marker at the same time      */
};

enum ask { ASK_INFO, ASK_MARKER, PUT_MARKER, ASK_NOW, ASK_NAMES };

struct question {
    struct loop *loop;
    struct http_pool *pool;
    identity_fn answer;
    void *ctx;
    enum ask ask;
    struct buf base_url; /* of the database, to build the marker's on                      */
    struct buf url, body;
    struct http_header header;
    struct http_call call;
    struct timer timer; /* asks; or gives `failure`, out of the asker's call               */
    bool missed;        /* a 404 came already                                              */
    uint32_t tries;     /* of the marker                                                   */
    char marker[INCARNATION_MAX + 1];
    enum identity_result failed;
    struct error failure;
};

static const char MARKER_ID[] = "tailrace-incarnation";

static void free_question(struct question *question)
{
    buf_fini(&question->base_url);
    buf_fini(&question->url);
    buf_fini(&question->body);
    free(question);
}

void question_cancel(struct question *question)
{
    if (!question)
        return;
    http_cancel(&question->call);
    loop_clear_timer(question->loop, &question->timer);
    free_question(question);
}

/* The question is over before its owner hears of it: the owner may do anything. */
static void give(struct question *question, enum identity_result result, tr_str text,
                 const struct error *error)
{
    identity_fn answer = question->answer;
    void *ctx = question->ctx;

    answer(ctx, result, text, error);
    free_question(question);
}

static void send_request(struct question *question);

/* ---- what an answer says ---- */

/* The body, if it is one whole JSON value of the type; else an empty slice. */
static tr_str whole(tr_str body, enum json_type type)
{
    struct json_skip skip = {0};

    body = str_trim(body);
    if (json_type_of(body) != type ||
        json_skip_more(&skip, body.ptr, body.ptr + body.len) != body.ptr + body.len)
        return (tr_str){0};
    return body;
}

/* The body, if it is one whole object and not an error: some proxies give those a 200. */
static tr_str whole_document(tr_str body)
{
    tr_str document = whole(body, JSON_OBJECT), error;

    return json_get(document, STR("error"), &error) ? (tr_str){0} : document;
}

/* A member's text without quotes; empty: not there, or not fit for an incarnation. */
static tr_str plain_member(tr_str object, tr_str key)
{
    tr_str raw, none = {0};

    if (!json_get(object, key, &raw))
        return none;
    if (json_type_of(raw) == JSON_STRING && raw.len >= 2)
        raw = str_n(raw.ptr + 1, raw.len - 2);
    if (raw.len > INCARNATION_MAX)
        return none;
    for (size_t i = 0; i < raw.len; i++) {
        char c = raw.ptr[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              c == '-'))
            return none;
    }
    return raw;
}

/* When the database was made, in seconds. */
static bool is_real_time(tr_str text)
{
    if (text.len == 0 || text.len > SECONDS_MAX || text.ptr[0] == '0')
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
    return true;
}

static void go_to(struct question *question, enum ask ask)
{
    question->ask = ask;
    send_request(question);
}

static void give_later(struct question *question, const struct http_result *result,
                       const char *what)
{
    struct error error;

    error_set(&error, ERR_PROTOCOL, "%s: %s", what,
              result->error[0] ? result->error : "the answer is not what CouchDB answers");
    give(question, IDENTITY_LATER, (tr_str){0}, &error);
}

static void on_info(struct question *question, const struct http_result *result)
{
    tr_str info = whole_document(result->body), time;

    if (info.len == 0) {
        give_later(question, result, "information on the database");
        return;
    }
    time = plain_member(info, STR("instance_start_time"));
    if (is_real_time(time))
        give(question, IDENTITY_KNOWN, time, NULL);
    else
        go_to(question, ASK_MARKER);
}

static void on_marker(struct question *question, const struct http_result *result)
{
    tr_str marker = whole_document(result->body);

    if (marker.len == 0)
        give_later(question, result, "the marker in _local");
    else
        give(question, IDENTITY_KNOWN, plain_member(marker, STR("incarnation")), NULL);
}

static void on_now(struct question *question, const struct http_result *result)
{
    tr_str page = whole(result->body, JSON_OBJECT), seq;

    if (page.len == 0 || !json_get(page, STR("last_seq"), &seq) ||
        json_type_of(seq) == JSON_NULL)
        give_later(question, result, "the end of the feed");
    else
        give(question, IDENTITY_KNOWN, seq, NULL);
}

static void on_names(struct question *question, const struct http_result *result)
{
    tr_str names = whole(result->body, JSON_ARRAY);

    if (names.len == 0)
        give_later(question, result, "the list of databases");
    else
        give(question, IDENTITY_KNOWN, names, NULL);
}

static void on_success(struct question *question, const struct http_result *result)
{
    switch (question->ask) {
    case ASK_INFO: on_info(question, result); break;
    case ASK_MARKER: on_marker(question, result); break;
    case PUT_MARKER: give(question, IDENTITY_KNOWN, str_c(question->marker), NULL); break;
    case ASK_NOW: on_now(question, result); break;
    case ASK_NAMES: on_names(question, result); break;
    }
}

/* ---- what an answer that is no success says ---- */

/* The marker is not there: write one. Not allowed to: then nothing is known. True: it was dealt
 * with. */
static bool on_marker_refused(struct question *question, int status)
{
    bool again = question->tries++ < MARKER_TRIES;

    if (question->ask == ASK_MARKER && status == 404 && again) {
        go_to(question, PUT_MARKER);
        return true;
    }
    if (question->ask == PUT_MARKER && status == 409 && again) {
        go_to(question, ASK_MARKER);
        return true;
    }
    /* May not be read now: the one that is there has checkpoints to its name. */
    if (question->ask == ASK_MARKER && (status == 401 || status == 403))
        return false;
    /* 404 on writing: the database went away meanwhile. */
    if (status >= 400 && status < 500 && status != 404 && status != 408 && status != 409 &&
        status != 429) {
        give(question, IDENTITY_KNOWN, (tr_str){0}, NULL);
        return true;
    }
    return false;
}

static void on_refused(struct question *question, const struct http_result *result)
{
    bool marker = question->ask == ASK_MARKER || question->ask == PUT_MARKER;
    enum identity_result why = IDENTITY_LATER;
    struct buf shown = {0};
    struct error error;
    tr_str reason = {0};

    if (marker && on_marker_refused(question, result->status))
        return;
    if (result->status == 404 && !question->missed && !marker) {
        question->missed = true;
        loop_set_timer(question->loop, &question->timer, CONFIRM_MS);
        return;
    }
    if (result->status == 404 && !marker)
        why = IDENTITY_GONE;
    else if (result->status == 401 || result->status == 403 || result->end == HTTP_UNAUTHORIZED)
        why = IDENTITY_DENIED;
    if (!json_get(result->body, STR("reason"), &reason))
        reason = str_c(result->error);
    url_redact(&shown, buf_str(&question->url));
    error_set(&error,
              why == IDENTITY_DENIED ? ERR_NOPERM
              : why == IDENTITY_GONE ? ERR_NOINPUT
                                     : ERR_UNAVAIL,
              "%s: %d %.*s", shown.ptr, result->status,
              (int)(reason.len < 300 ? reason.len : 300), reason.ptr ? reason.ptr : "");
    buf_fini(&shown);
    give(question, why, (tr_str){0}, &error);
}

static void on_done(struct http_call *call, const struct http_result *result)
{
    struct question *question = list_entry(call, struct question, call);

    if (result->end == HTTP_ANSWERED && result->status >= 200 && result->status < 300)
        on_success(question, result);
    else
        on_refused(question, result);
}

/* ---- asking ---- */

static void write_marker(struct question *question)
{
    snprintf(question->marker, sizeof(question->marker), "%016" PRIx64 "%016" PRIx64,
             random_u64(), random_u64());
    buf_clear(&question->body);
    buf_addf(&question->body, "{\"_id\":\"_local/%s\",\"incarnation\":\"%s\"}", MARKER_ID,
             question->marker);
}

static void on_timer(struct timer *timer)
{
    struct question *question = list_entry(timer, struct question, timer);

    if (question->failure.code != 0)
        give(question, question->failed, (tr_str){0}, &question->failure);
    else
        send_request(question);
}

static void send_request(struct question *question)
{
    int rc;

    if (question->ask == ASK_MARKER || question->ask == PUT_MARKER) {
        buf_clear(&question->url);
        buf_addf(&question->url, STR_FMT "/_local/%s", STR_ARG(buf_str(&question->base_url)),
                 MARKER_ID);
    }
    question->call = (struct http_call){
        .url = question->url.ptr,
        .timeout_ms = question->ask == ASK_NAMES ? 0 : TIMEOUT_MS,
        .first_byte_ms = TIMEOUT_MS,
        .idle_ms = TIMEOUT_MS,
        .keep_max = question->ask == ASK_NAMES ? NAMES_MAX : BODY_MAX,
        .on_done = on_done,
    };
    if (question->ask == PUT_MARKER) {
        write_marker(question);
        question->header = (struct http_header){STR("Content-Type"), STR("application/json")};
        question->call.method = "PUT";
        question->call.headers = &question->header;
        question->call.headers_count = 1;
        question->call.body = buf_str(&question->body);
    }
    rc = http_start(question->pool, &question->call, &question->failure);
    if (rc == 0)
        return;
    question->failed = rc == ERR_NOPERM ? IDENTITY_DENIED : IDENTITY_LATER;
    loop_set_timer(question->loop, &question->timer, 0);
}

static struct question *new_question(struct loop *loop, struct http_pool *pool,
                                     const struct url *server, tr_str db, enum ask ask,
                                     identity_fn answer, void *ctx)
{
    struct question *question = mem_new(struct question);
    tr_str rest = {0}, query = {0};

    question->loop = loop;
    question->pool = pool;
    question->answer = answer;
    question->ctx = ctx;
    question->ask = ask;
    question->timer.fire = on_timer;
    if (ask == ASK_NOW) {
        rest = STR("_changes");
        query = STR("since=now&limit=1");
    } else if (ask == ASK_NAMES) {
        rest = STR("_all_dbs");
    }
    url_join(server, db, (tr_str){0}, (tr_str){0}, &question->base_url);
    url_join(server, db, rest, query, &question->url);
    send_request(question);
    return question;
}

struct question *identity_ask(struct loop *loop, struct http_pool *pool,
                              const struct url *server, tr_str db, identity_fn answer,
                              void *ctx)
{
    return new_question(loop, pool, server, db, ASK_INFO, answer, ctx);
}

struct question *identity_ask_now(struct loop *loop, struct http_pool *pool,
                                  const struct url *server, tr_str db, identity_fn answer,
                                  void *ctx)
{
    return new_question(loop, pool, server, db, ASK_NOW, answer, ctx);
}

struct question *identity_ask_names(struct loop *loop, struct http_pool *pool,
                                    const struct url *server, identity_fn answer, void *ctx)
{
    return new_question(loop, pool, server, (tr_str){0}, ASK_NAMES, answer, ctx);
}
