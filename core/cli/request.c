/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A question and its answer. Main thread.
 */
#include "cli/request.h"

#include "json/value.h"

enum { TIMEOUT_MS = 60000, BODY_MAX = 256 << 20 };

struct sent {
    struct http_call call;
    struct buf *body;
    struct error *error;
    const char *shown; /* the URL without secrets                                          */
    int rc, status;
    bool done;
};

static int code_of(const struct http_result *result)
{
    if (result->status == 401 || result->status == 403 || result->end == HTTP_UNAUTHORIZED)
        return ERR_NOPERM;
    if (result->status == 404)
        return ERR_NOINPUT;
    return ERR_UNAVAIL;
}

static void on_done(struct http_call *call, const struct http_result *result)
{
    struct sent *sent = list_entry(call, struct sent, call);
    tr_str reason = {0};

    sent->done = true;
    sent->status = result->status;
    if (result->end == HTTP_ANSWERED && result->status >= 200 && result->status < 300) {
        buf_add_str(sent->body, result->body);
        return;
    }
    if (!json_get(result->body, STR("reason"), &reason))
        reason = str_c(result->error);
    reason = str_clip(reason, 200);
    sent->rc = error_set(sent->error, code_of(result), "%s: %d " STR_FMT, sent->shown,
                         result->status, STR_ARG(reason));
}

/* However the transport ended: only its last bracket says that an answer is whole. */
static bool is_whole(tr_str text)
{
    text = str_trim(text);
    return (str_starts(text, STR("{")) && str_ends(text, STR("}"))) ||
           (str_starts(text, STR("[")) && str_ends(text, STR("]")));
}

int request_send(const struct request *request, struct buf *body, int *ret_status,
                 struct error *error)
{
    struct http_header type = {STR("Content-Type"), STR("application/json")};
    struct sent sent = {.body = body, .error = error};
    struct buf url = {0}, shown = {0};
    size_t before = body->len;
    int rc;

    url_join(request->server, request->db, str_c(request->rest), request->query, &url);
    url_redact(&shown, buf_str(&url));
    sent.shown = shown.ptr;
    sent.call = (struct http_call){
        .url = url.ptr,
        .method = request->method,
        .headers = &type,
        .headers_count = request->body.len > 0,
        .body = request->body,
        .first_byte_ms = TIMEOUT_MS,
        .idle_ms = TIMEOUT_MS,
        .keep_max = BODY_MAX,
        .keep_strict = true,
        .on_done = on_done,
    };
    rc = http_start(request->pool, &sent.call, error);
    while (rc == 0 && !sent.done && !(request->stopped && *request->stopped))
        loop_turn(request->loop, 1000);
    if (rc == 0 && !sent.done)
        rc = error_set(error, ERR_TEMP, "stopped");
    http_cancel(&sent.call);
    if (rc == 0)
        rc = sent.rc;
    if (rc == 0 && !is_whole(str_from(buf_str(body), before)))
        rc = error_set(error, ERR_PROTOCOL, "%s: the answer is not what CouchDB answers",
                       shown.ptr);
    if (ret_status)
        *ret_status = sent.status;
    buf_fini(&url);
    buf_fini(&shown);
    return rc;
}
