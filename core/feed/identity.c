/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions about databases: one request, or a short chain of them, and one answer. What the
 * bodies of answers say is read in identity_read.c. Called by changes.c, updates.c and the
 * engine on the loop thread.
 */
#include "feed/identity_read.h"

#include "base/mem.h"
#include "base/random.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    TIMEOUT_MS = 60000,
    CONFIRM_MS = 200,     /* between the first 404 and the second                    */
    BODY_MAX = 1 << 20,   /* of a document                                           */
    LIST_MAX = 256 << 20, /* of _all_dbs: a million names                             */
    MARKER_TRIES = 3      /* someone else may write the marker at the same time      */
};

enum ask { ASK_INFO, ASK_MARKER, PUT_MARKER, ASK_NOW, ASK_NAMES, ASK_INFOS, ASK_UPDATES };

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
    bool informed; /* `facts` are filled                                              */
    struct identity_facts facts;
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
    tr_str time;

    question->informed = identity_read_info(result->body, &question->facts, &time, NULL);
    if (!question->informed)
        give_later(question, result, "information on the database");
    else if (time.len > 0)
        give(question, IDENTITY_KNOWN, time, NULL);
    else
        go_to(question, ASK_MARKER);
}

static void on_marker(struct question *question, const struct http_result *result)
{
    tr_str marker = body_document(result->body);

    if (marker.len == 0)
        give_later(question, result, "the marker in _local");
    else
        give(question, IDENTITY_KNOWN, body_plain_member(marker, STR("incarnation")), NULL);
}

/* `text` is what was asked for; empty: the body does not have it. */
static void give_text(struct question *question, const struct http_result *result, tr_str text,
                      const char *what)
{
    if (text.len == 0)
        give_later(question, result, what);
    else
        give(question, IDENTITY_KNOWN, text, NULL);
}

static void on_success(struct question *question, const struct http_result *result)
{
    switch (question->ask) {
    case ASK_INFO: on_info(question, result); break;
    case ASK_MARKER: on_marker(question, result); break;
    case PUT_MARKER: give(question, IDENTITY_KNOWN, str_c(question->marker), NULL); break;
    case ASK_NOW:
    case ASK_UPDATES:
        give_text(question, result, body_last_seq(result->body), "the end of the feed");
        break;
    case ASK_NAMES:
        give_text(question, result, body_whole(result->body, JSON_ARRAY),
                  "the list of databases");
        break;
    case ASK_INFOS:
        give_text(question, result, body_whole(result->body, JSON_ARRAY),
                  "information on databases");
        break;
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

/* A question to the server itself, which not every server has: some take its path for the name
 * of a database, and a bad one. */
static bool is_optional(const struct question *question)
{
    return question->ask == ASK_INFOS || question->ask == ASK_UPDATES;
}

static enum identity_result judge(const struct question *question,
                                  const struct http_result *result)
{
    bool marker = question->ask == ASK_MARKER || question->ask == PUT_MARKER;

    switch (result->status) {
    case 404: return marker ? IDENTITY_LATER : IDENTITY_GONE;
    case 400:
    case 405:
    case 410:
    case 501: return is_optional(question) ? IDENTITY_GONE : IDENTITY_LATER;
    case 401:
    case 403: return IDENTITY_DENIED;
    default: return result->end == HTTP_UNAUTHORIZED ? IDENTITY_DENIED : IDENTITY_LATER;
    }
}

static void on_refused(struct question *question, const struct http_result *result)
{
    bool marker = question->ask == ASK_MARKER || question->ask == PUT_MARKER;
    enum identity_result why = judge(question, result);
    struct buf shown = {0};
    struct error error;
    tr_str reason = body_reason(result->body, result->error);

    if (marker && on_marker_refused(question, result->status))
        return;
    if (why == IDENTITY_GONE && !is_optional(question) && !question->missed) {
        question->missed = true;
        loop_set_timer(question->loop, &question->timer, CONFIRM_MS);
        return;
    }
    url_redact(&shown, buf_str(&question->url));
    error_set(&error,
              why == IDENTITY_DENIED ? ERR_NOPERM
              : why == IDENTITY_GONE ? ERR_NOINPUT
                                     : ERR_UNAVAIL,
              "%s: %d " STR_FMT, shown.ptr, result->status, STR_ARG(reason));
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

/* Lists are as long as they are; a document is not. */
static struct http_call new_call(const struct question *question)
{
    bool list = question->ask == ASK_NAMES || question->ask == ASK_INFOS;

    return (struct http_call){
        .url = question->url.ptr,
        .timeout_ms = list ? 0 : TIMEOUT_MS,
        .first_byte_ms = TIMEOUT_MS,
        .idle_ms = TIMEOUT_MS,
        .keep_max = list ? LIST_MAX : BODY_MAX,
        .on_done = on_done,
    };
}

static void send_request(struct question *question)
{
    int rc;

    if (question->ask == ASK_MARKER || question->ask == PUT_MARKER) {
        buf_clear(&question->url);
        buf_addf(&question->url, STR_FMT "/_local/%s", STR_ARG(buf_str(&question->base_url)),
                 MARKER_ID);
    }
    question->call = new_call(question);
    if (question->ask == PUT_MARKER)
        write_marker(question);
    if (question->ask == PUT_MARKER || question->ask == ASK_INFOS) {
        question->header = (struct http_header){STR("Content-Type"), STR("application/json")};
        question->call.method = question->ask == PUT_MARKER ? "PUT" : "POST";
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

static struct question *new_question(struct loop *loop, struct http_pool *pool, enum ask ask,
                                     identity_fn answer, void *ctx)
{
    struct question *question = mem_new(struct question);

    question->loop = loop;
    question->pool = pool;
    question->answer = answer;
    question->ctx = ctx;
    question->ask = ask;
    question->timer.fire = on_timer;
    return question;
}

/* Sends the first request: to a database, or with an empty `db` to the server. */
static struct question *ask_at(struct question *question, const struct url *server, tr_str db,
                               tr_str rest, tr_str query)
{
    url_join(server, db, rest, query, &question->url);
    send_request(question);
    return question;
}

struct question *identity_ask(struct loop *loop, struct http_pool *pool,
                              const struct url *server, tr_str db, identity_fn answer,
                              void *ctx)
{
    struct question *question = new_question(loop, pool, ASK_INFO, answer, ctx);

    url_join(server, db, (tr_str){0}, (tr_str){0}, &question->base_url);
    return ask_at(question, server, db, (tr_str){0}, (tr_str){0});
}

struct question *identity_ask_now(struct loop *loop, struct http_pool *pool,
                                  const struct url *server, tr_str db, identity_fn answer,
                                  void *ctx)
{
    return ask_at(new_question(loop, pool, ASK_NOW, answer, ctx), server, db, STR("_changes"),
                  STR("since=now&limit=1"));
}

struct question *identity_ask_names(struct loop *loop, struct http_pool *pool,
                                    const struct url *server, identity_fn answer, void *ctx)
{
    return ask_at(new_question(loop, pool, ASK_NAMES, answer, ctx), server, (tr_str){0},
                  STR("_all_dbs"), (tr_str){0});
}

struct question *identity_ask_updates_now(struct loop *loop, struct http_pool *pool,
                                          const struct url *server, identity_fn answer,
                                          void *ctx)
{
    return ask_at(new_question(loop, pool, ASK_UPDATES, answer, ctx), server, (tr_str){0},
                  STR("_db_updates"), STR("since=now&limit=0"));
}

struct question *identity_ask_infos(struct loop *loop, struct http_pool *pool,
                                    const struct url *server, tr_str keys, identity_fn answer,
                                    void *ctx)
{
    struct question *question = new_question(loop, pool, ASK_INFOS, answer, ctx);

    buf_add_c(&question->body, "{\"keys\":");
    buf_add_str(&question->body, keys);
    buf_add_char(&question->body, '}');
    return ask_at(question, server, (tr_str){0}, STR("_dbs_info"), (tr_str){0});
}

const struct identity_facts *question_facts(const struct question *question)
{
    return question->informed ? &question->facts : NULL;
}
