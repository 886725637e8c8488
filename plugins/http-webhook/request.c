/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request: rendered into the buffers of its batch, signed and sent. Worker; explain()
 * renders and seals on [control].
 */
#include "webhook.h"

#include <time.h>

/* Behind those of the plan: type, idempotency key, signature, timestamp. */
enum { HEADERS_OWN = 4 };

static tr_status refuse(struct verdict *verdict, tr_status status, const char *part)
{
    *verdict = (struct verdict){.status = status};
    if (status == TR_RETRY)
        snprintf(verdict->message, MESSAGE_MAX, "out of memory");
    else
        snprintf(verdict->message, MESSAGE_MAX,
                 "%.80s cannot be made: a value of the change cannot stand there (a control "
                 "byte, a path segment \".\" or \"..\", or a document that is not JSON)",
                 part);
    return status;
}

tr_str request_url(const struct job *job)
{
    const struct pieces *url = &job->self->plan.url;

    return pieces_vary(url) ? text_str(&job->url) : pieces_constant(url);
}

/* ---- rendering ---- */

static tr_status render(const struct job *job, const struct pieces *pieces, uint32_t i,
                        struct text *out)
{
    return pieces_render(pieces, &job->self->tables, job->batch, tr_batch_at(job->batch, i),
                         out);
}

/* Header values one after the other; their lengths tell them apart. */
static tr_status render_values(struct job *job, const char **ret_name)
{
    const struct plan *plan = &job->self->plan;

    for (uint32_t k = 0; k < plan->headers_count; k++) {
        const struct plan_header *header = &plan->headers[k];
        size_t start = job->values.len;
        tr_status status;

        job->headers[k].name = tr_str_c(header->name);
        job->headers[k].value = pieces_constant(&header->value);
        if (!pieces_vary(&header->value))
            continue;
        *ret_name = header->name;
        status = render(job, &header->value, job->next, &job->values);
        if (status != TR_OK)
            return status;
        job->headers[k].value = tr_str_n(NULL, job->values.len - start);
    }
    return TR_OK;
}

/* The text has its final place now. */
static void place_values(struct job *job)
{
    const struct plan *plan = &job->self->plan;
    char *at = job->values.ptr;

    for (uint32_t k = 0; k < plan->headers_count; k++) {
        if (!pieces_vary(&plan->headers[k].value))
            continue;
        job->headers[k].value.ptr = at;
        at += job->headers[k].value.len;
    }
}

static tr_status render_headers(struct job *job, struct verdict *verdict)
{
    const char *name = "";
    tr_status status;

    if (!job->headers)
        job->headers = calloc(job->self->plan.headers_count + HEADERS_OWN,
                              sizeof(*job->headers));
    if (!job->headers || !text_reserve(&job->values, 1))
        return refuse(verdict, TR_RETRY, "");
    status = render_values(job, &name);
    if (status != TR_OK) {
        char part[100];
        snprintf(part, sizeof(part), "the header %s", name);
        return refuse(verdict, status, part);
    }
    place_values(job);
    job->headers_count = job->self->plan.headers_count;
    return TR_OK;
}

/* Whether the change `i` goes to the same URL with the same headers. */
static bool is_same_target(struct job *job, uint32_t i)
{
    const struct plan *plan = &job->self->plan;
    tr_status status;

    text_clear(&job->other);
    status = render(job, &plan->url, i, &job->other);
    if (status != TR_OK || !tr_str_eq(text_str(&job->other), request_url(job)))
        return false;
    for (uint32_t k = 0; k < plan->headers_count; k++) {
        if (!pieces_vary(&plan->headers[k].value))
            continue;
        text_clear(&job->other);
        status = render(job, &plan->headers[k].value, i, &job->other);
        if (status != TR_OK || !tr_str_eq(text_str(&job->other), job->headers[k].value))
            return false;
    }
    return true;
}

/* More changes behind the first, up to one that goes elsewhere or cannot be rendered: it begins
 * the next request. */
static void render_more(struct job *job, uint32_t most)
{
    const struct plan *plan = &job->self->plan;
    uint32_t end = job->batch->count;

    while (job->group < most && job->next + job->group < end) {
        size_t before = job->body.len;
        uint32_t i = job->next + job->group;

        if (job->items[i] != TR_RETRY || (!plan->same_url && !is_same_target(job, i)))
            break;
        text_add_char(&job->body, ',');
        if (render(job, &plan->body, i, &job->body) != TR_OK) {
            job->body.len = before;
            job->body.failed = false;
            break;
        }
        job->group++;
    }
    text_add_char(&job->body, ']');
}

tr_status request_render(struct job *job, struct verdict *ret_verdict)
{
    const tr_self *self = job->self;
    uint32_t most = job->limit ? job->limit : (uint32_t)self->options.batch_changes;
    tr_status status = TR_OK;

    text_clear(&job->url);
    text_clear(&job->body);
    text_clear(&job->values);
    if (pieces_vary(&self->plan.url))
        status = render(job, &self->plan.url, job->next, &job->url);
    if (status != TR_OK)
        return refuse(ret_verdict, status, "the URL");
    status = render_headers(job, ret_verdict);
    if (status != TR_OK)
        return status;
    job->group = 1;
    if (self->options.batch_changes > 1)
        text_add_char(&job->body, '[');
    status = render(job, &self->plan.body, job->next, &job->body);
    if (status != TR_OK)
        return refuse(ret_verdict, status, "the body");
    if (self->options.batch_changes > 1)
        render_more(job, most);
    return job->body.failed ? refuse(ret_verdict, TR_RETRY, "") : TR_OK;
}

/* ---- sealing ---- */

static void add_header(struct job *job, tr_str name, tr_str value)
{
    job->headers[job->headers_count++] = (tr_http_header){.name = name, .value = value};
}

/* Without a body, what a request says is its path and query. */
static tr_str payload_of(const struct job *job)
{
    tr_str url = request_url(job);
    const char *end = url.ptr + url.len, *at = memchr(url.ptr, ':', url.len);

    if (job->self->plan.has_body)
        return text_str(&job->body);
    at = at && end - at > 3 ? at + 3 : end;
    while (at < end && *at != '/' && *at != '?')
        at++;
    return tr_str_n(at, (size_t)(end - at));
}

static bool add_signature(struct job *job)
{
    tr_self *self = job->self;

    snprintf(job->timestamp, sizeof(job->timestamp), "%lld", (long long)time(NULL));
    if (self->signature_header) {
        if (!signer_sign(self->signer, job->timestamp, payload_of(job), job->signature))
            return false;
        add_header(job, tr_str_c(self->signature_header), tr_str_c(job->signature));
    }
    if (self->timestamp_header)
        add_header(job, tr_str_c(self->timestamp_header), tr_str_c(job->timestamp));
    return true;
}

bool request_seal(struct job *job)
{
    const struct options *options = &job->self->options;

    job->headers_count = job->self->plan.headers_count;
    if (job->body.len > 0)
        add_header(job, TR_STR("Content-Type"), tr_str_c(options->content_type));
    if (options->idempotency)
        add_header(job, TR_STR("Idempotency-Key"), key_make(job));
    /* Also of what debounce compared before; an instance that is only looked at has none. */
    if (job->self->hasher && hasher_has_failed(job->self->hasher)) {
        job->origin[0] = '\0';
        return false;
    }
    return !job->self->signer || add_signature(job);
}

tr_status request_send(struct job *job, uint32_t timeout_ms,
                       void (*done)(void *job, const tr_http_response *response),
                       struct verdict *ret_verdict)
{
    tr_self *self = job->self;
    tr_http_request request = {
        .size = sizeof(request),
        .timeout_ms = timeout_ms,
        .method = tr_str_c(webhook_methods[self->options.method]),
        .user = job,
        .done = done,
    };
    tr_status status;

    if (!request_seal(job))
        return refuse(ret_verdict, TR_RETRY, "");
    request.url = request_url(job);
    request.headers = job->headers;
    request.headers_count = job->headers_count;
    request.body = text_str(&job->body);
    status = self->http->send(self->client, &request, NULL);
    if (status == TR_OK)
        return TR_OK;
    return refuse(ret_verdict, status == TR_EINVAL ? TR_REJECT : TR_RETRY, "the request");
}

void request_digest(struct job *job, struct digest *ret_digest)
{
    struct hasher *hasher = job->self->hasher;

    hasher_begin(hasher);
    hasher_add(hasher, request_url(job));
    for (uint32_t k = 0; k < job->self->plan.headers_count; k++)
        hasher_add(hasher, job->headers[k].value);
    hasher_add(hasher, text_str(&job->body));
    hasher_end(hasher, ret_digest);
}
