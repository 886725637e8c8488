/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the answer to POST /_replicate means. Worker.
 *
 *     2xx, a whole JSON object with "ok":true     ok
 *     400                                         reject: it would be the same again
 *     all else                                    retry
 *
 * A database, user, filter or server that is not there may come; CouchDB says 500 of a database
 * that is missing.
 */
#include "replicator.h"

#include <time.h>

static tr_str member(const tr_json *json, const tr_json_value *object, const char *name)
{
    return json->string(json->get(object, tr_str_c(name)));
}

static bool is_true(const tr_json *json, const tr_json_value *object, const char *name)
{
    return json->type(json->get(object, tr_str_c(name))) == TR_JSON_TRUE;
}

/* The newest entry of the history; NULL: the answer is about an older replication. */
static const tr_json_value *session_of(const tr_json *json, const tr_json_value *root)
{
    const tr_json_value *history = json->get(root, TR_STR("history"));

    if (is_true(json, root, "no_changes") || json->type(history) != TR_JSON_ARRAY ||
        json->count(history) == 0)
        return NULL;
    return json->at(history, 0);
}

/* Seconds of the server's clock, or -1. */
static int64_t time_of(tr_str text)
{
    struct tm tm = {0};
    char date[40];

    if (text.len == 0 || text.len >= sizeof(date))
        return -1;
    memcpy(date, text.ptr, text.len);
    date[text.len] = '\0';
    return strptime(date, "%a, %d %b %Y %H:%M:%S GMT", &tm) ? (int64_t)timegm(&tm) : -1;
}

/* Whether it took longer than we have waited: somebody else had asked for it before. */
static bool is_older(const tr_json *json, const tr_json_value *session, int64_t elapsed_ms)
{
    int64_t start = time_of(member(json, session, "start_time"));
    int64_t end = time_of(member(json, session, "end_time"));

    return start >= 0 && end >= 0 && (end - start - 1) * 1000 >= elapsed_ms && end > start + 1;
}

static void take_ok(const tr_self *self, const tr_json_value *root, int64_t elapsed_ms,
                    struct verdict *verdict)
{
    const tr_json_value *session = session_of(self->json, root);
    double refused = 0;

    verdict->status = TR_OK;
    verdict->heard = true;
    if (!session)
        return;
    verdict->again = is_older(self->json, session, elapsed_ms);
    refused = self->json->number(self->json->get(session, TR_STR("doc_write_failures")));
    if (refused > 0)
        tr_logf(self->host, TR_LOG_WARNING,
                "the target refused %.0f documents of a replication (its validate_doc_update "
                "did, as a rule)",
                refused);
}

/* One line of what the server said, which may hold anything. */
static void describe(const tr_self *self, const tr_http_response *response,
                     const tr_json_value *root, char message[MESSAGE_MAX])
{
    tr_str error = root ? member(self->json, root, "error") : tr_str_n(NULL, 0);
    tr_str reason = root ? member(self->json, root, "reason") : tr_str_n(NULL, 0);
    char text[512];
    char shown[512];
    struct out out = {.ptr = shown, .cap = sizeof(shown) - 1};

    if (response->status == 0)
        snprintf(text, sizeof(text), "%.*s", (int)response->error.len, response->error.ptr);
    else if (error.len > 0)
        snprintf(text, sizeof(text), "%.*s: %.*s", (int)error.len, error.ptr, (int)reason.len,
                 reason.len > 0 ? reason.ptr : "");
    else
        snprintf(text, sizeof(text), "%s",
                 root ? "its answer has no \"ok\":true" : "its answer is not whole JSON");
    for (char *at = text; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = ' ';
    endpoint_add_shown(&out, text);
    shown[out.len <= out.cap ? out.len : 0] = '\0';
    if (response->status == 0)
        snprintf(message, MESSAGE_MAX, "POST _replicate: %.200s", shown);
    else
        snprintf(message, MESSAGE_MAX, "POST _replicate: %d: %.200s", (int)response->status,
                 shown);
}

void answer_judge(const tr_self *self, const tr_http_response *response, int64_t elapsed_ms,
                  struct verdict *ret_verdict)
{
    int32_t status = response->status;
    tr_json_value *root = NULL;

    *ret_verdict = (struct verdict){.status = TR_RETRY,
                                    .retry_after_ms = response->retry_after_ms};
    if (status == 0 || self->json->parse(response->body, &root, NULL) != TR_OK ||
        self->json->type(root) != TR_JSON_OBJECT) {
        self->json->free(root);
        root = NULL;
    }
    if (root && status >= 200 && status < 300 && is_true(self->json, root, "ok")) {
        take_ok(self, root, elapsed_ms, ret_verdict);
    } else {
        if (status == 400 && root)
            ret_verdict->status = TR_REJECT;
        /* A proxy's words are not the end of what the server does. */
        ret_verdict->heard = root && status >= 400 && status != 408 && status != 429 &&
                             status < 502 && member(self->json, root, "error").len > 0;
        describe(self, response, root, ret_verdict->message);
    }
    self->json->free(root);
}
