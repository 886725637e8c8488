/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request: sent, waited for no longer than there is time, and its answer in words. Worker.
 */
#include "native.h"

static void done(void *user, const tr_http_response *response)
{
    struct ask *ask = user;

    if (ask->guard)
        (void)ask->self->timer->cancel(ask->self->host, ask->guard);
    ask->guard = ask->request = 0;
    ask->answered(ask, response);
}

/* The wait for a free connection counts too. */
static void out_of_time(void *user)
{
    struct ask *ask = user;

    ask->guard = 0;
    ask->late = true;
    ask_cancel(ask);
}

void ask_cancel(struct ask *ask)
{
    if (ask->request)
        (void)ask->self->http->cancel(ask->client, ask->request);
}

/* A body in parts may take long: it is the wait for its next byte that ends it, or the host, by
 * the deadline of the batch, which it puts off while bytes move. */
static tr_status send(struct ask *ask, const struct question *question, tr_str url)
{
    const tr_str json = TR_STR("application/json");
    const tr_http_header headers[] = {
        {.name = TR_STR("Content-Type"),
         .value = question->type ? tr_str_c(question->type) : json},
        {.name = TR_STR("Accept"), .value = json},
    };
    const tr_http_request request = {
        .size = sizeof(request),
        .timeout_ms = ask->patience_ms,
        .method = tr_str_c(question->method),
        .url = url,
        .headers = headers,
        .headers_count = 2,
        .body = question->body,
        .parts = question->parts,
        .parts_count = question->parts_count,
        .parts_stride = question->parts ? sizeof(*question->parts) : 0,
        .user = ask,
        .done = done,
        .ticket = question->ticket,
    };

    return ask->self->http->send(ask->client, &request, &ask->request);
}

const char *ask_send(tr_self *self, struct ask *ask, const struct question *question,
                     uint32_t left_ms)
{
    tr_status status = TR_EAGAIN;
    tr_text url = {0};

    if (!question->client) /* one end goes before the other                                */
        return "the rule ends";
    if (left_ms > self->options.timeout_ms)
        left_ms = (uint32_t)self->options.timeout_ms;
    *ask = (struct ask){
        .self = self,
        .client = question->client,
        .begun_ms = now_ms(),
        .patience_ms = left_ms > 0 ? left_ms : 1,
        .answered = question->answered,
    };
    tr_text_add(&url, question->url);
    tr_text_add_c(&url, question->path);
    if (!url.failed)
        status = send(ask, question, tr_text_str(&url));
    tr_text_fini(&url);
    switch (status) {
    case TR_OK: break;
    case TR_EAGAIN: return "out of memory";
    case TR_ESTALE: return "the rule ends";
    default: return "the URL cannot be asked";
    }
    if (question->ticket && self->host->abi_minor >= 2)
        return NULL;
    if (self->timer->set(self->host, ask->patience_ms, out_of_time, ask, &ask->guard) != TR_OK)
        ask->guard = 0; /* then the request's own timeout has to do */
    return NULL;
}

bool ask_is_error(const tr_http_response *response, const char *name)
{
    tr_str error = tr_scan_find(response->body, "error");

    return error.len == strlen(name) + 2 && memcmp(error.ptr + 1, name, strlen(name)) == 0;
}

/* CouchDB has more to say of other things that it does not find. */
bool ask_is_gone(const tr_http_response *response)
{
    return response->status == 404 && ask_is_error(response, "not_found") &&
           !tr_str_eq(tr_scan_find(response->body, "reason"), TR_STR("\"missing\""));
}

void ask_describe(const struct ask *ask, const tr_http_response *response,
                  char shown[SHOWN_MAX])
{
    const tr_json *json = ask->self->json;
    tr_text text = {0};

    if (response->status == 0) {
        tr_text_add(&text, response->error);
    } else {
        (void)tr_text_add_decoded(&text, json, tr_scan_find(response->body, "error"));
        if (text.len > 0)
            tr_text_add_c(&text, ": ");
        (void)tr_text_add_decoded(&text, json, tr_scan_find(response->body, "reason"));
        if (text.len == 0)
            tr_text_add_c(&text, "the answer is not CouchDB's");
    }
    if (ask->late)
        tr_text_clear(&text);
    if (text.len == 0)
        tr_text_add_c(&text, ask->late ? "no answer in the batch's time, the rule's timeout"
                                       : "no answer");
    tr_text_show(tr_text_str(&text), shown, SHOWN_MAX);
    tr_text_fini(&text);
}
