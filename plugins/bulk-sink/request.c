/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request of a round: sent, waited for no longer than the batch has time, and its answer in
 * words. Worker.
 */
#include "bulk.h"

static void answered(void *user, const tr_http_response *response)
{
    struct job *job = user;
    tr_self *self = job->self;

    if (job->guard)
        (void)self->timer->cancel(self->host, job->guard);
    job->guard = job->request = 0;
    job->answered(job, response);
    if (job->request == 0)
        job_advance(job);
}

/* The wait for a free connection counts too. */
static void out_of_time(void *user)
{
    struct job *job = user;

    job->guard = 0;
    job->late = true;
    if (job->request)
        (void)job->self->http->cancel(job->self->client, job->request);
}

void request_send(struct job *job, const struct target_request *given)
{
    const tr_str type = TR_STR("application/json");
    const tr_http_header headers[] = {
        {.name = TR_STR("Accept"), .value = type},
        {.name = TR_STR("Content-Type"), .value = type},
    };
    tr_self *self = job->self;
    uint32_t left = job_time_left(job);
    tr_http_request request = {
        .size = sizeof(request),
        .method = tr_str_c(given->method),
        .headers = headers,
        .headers_count = given->body.len > 0 ? 2 : 1,
        .body = given->body,
        .user = job,
        .done = answered,
    };
    tr_status status = TR_EAGAIN;

    job->patience_ms = left < self->options.timeout_ms ? left
                                                       : (uint32_t)self->options.timeout_ms;
    request.timeout_ms = job->patience_ms > 0 ? job->patience_ms : 1;
    job->scratch.len = 0;
    tr_text_add(&job->scratch, tr_text_str(given->database));
    tr_text_add(&job->scratch, given->path);
    request.url = tr_text_str(&job->scratch);
    job->answered = given->answered;
    job->asked_ms = now_ms();
    job->guard = job->request = 0;
    job->late = false;
    if (!job->scratch.failed && !job->path.failed && !job->body.failed && !job->notes.failed)
        status = self->http->send(self->client, &request, &job->request);
    if (status == TR_EAGAIN)
        tr_bulk_fail(&job->bulk, 0, "out of memory");
    else if (status == TR_ESTALE)
        tr_bulk_fail(&job->bulk, 0, "the rule ends");
    else if (status != TR_OK)
        tr_bulk_fail(&job->bulk, 0, "the URL cannot be asked");
    else if (self->timer->set(self->host, left > 0 ? left : 1, out_of_time, job, &job->guard) !=
             TR_OK)
        job->guard = 0; /* then the request's own timeout has to do */
}

bool request_is_error(const tr_http_response *response, const char *name)
{
    tr_str error = tr_scan_find(response->body, "error");

    return error.len == strlen(name) + 2 && memcmp(error.ptr + 1, name, strlen(name)) == 0;
}

void request_describe(const tr_self *self, const tr_http_response *response,
                      char shown[SHOWN_MAX])
{
    tr_text text = {0};

    if (response->status == 0) {
        tr_text_add(&text, response->error);
    } else {
        tr_text_add_decoded(&text, self->json, tr_scan_find(response->body, "error"));
        if (text.len > 0)
            tr_text_add_c(&text, ": ");
        tr_text_add_decoded(&text, self->json, tr_scan_find(response->body, "reason"));
        if (text.len == 0)
            tr_text_add_c(&text, "the answer is not CouchDB's");
    }
    if (text.len == 0)
        tr_text_add_c(&text, "no answer");
    tr_text_show(tr_text_str(&text), shown, SHOWN_MAX);
    tr_text_fini(&text);
}

void request_fail(struct job *job, const char *what, const tr_http_response *response)
{
    uint32_t after = response->retry_after_ms;
    char shown[SHOWN_MAX];

    /* A server that asks for patience blames no document, also if it does not say how much. */
    if (response->status == 429 && after == 0)
        after = 1000;
    request_describe(job->self, response, shown);
    if (response->status == 0 && job->late)
        tr_bulk_fail(&job->bulk, after, "%s: no answer in the batch's time, the rule's timeout",
                     what);
    else if (response->status == 0)
        tr_bulk_fail(&job->bulk, after, "%s: %s", what, shown);
    else
        tr_bulk_fail(&job->bulk, after, "%s: %d: %s", what, (int)response->status, shown);
}
