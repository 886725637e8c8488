/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tr.explain/1: the requests that a batch would be, as text. [control], on an instance that is
 * configured and not started: nothing is sent.
 */
#include "webhook.h"

#include <tailrace/ext/explain.h>

struct printer {
    void (*line)(void *user, tr_str text);
    void *user;
    struct text text;
};

static void end_line(struct printer *printer)
{
    printer->line(printer->user, text_str(&printer->text));
    text_clear(&printer->text);
}

static bool is_secret(const struct job *job, tr_str name)
{
    const struct plan *plan = &job->self->plan;

    for (uint32_t k = 0; k < plan->headers_count; k++)
        if (header_is(name, plan->headers[k].name))
            return plan->headers[k].secret;
    return false;
}

static tr_str shown_value(const struct job *job, const tr_http_header *header)
{
    const tr_self *self = job->self;

    if (is_secret(job, header->name))
        return TR_STR("(secret)");
    if (header_is(header->name, self->signature_header) ||
        header_is(header->name, self->timestamp_header))
        return TR_STR("(computed)");
    return header->value;
}

static void print_body(struct printer *printer, tr_str body)
{
    if (body.len == 0)
        return;
    end_line(printer);
    while (body.len > 0) {
        const char *end = memchr(body.ptr, '\n', body.len);
        size_t len = end ? (size_t)(end - body.ptr) : body.len;

        text_add(&printer->text, body.ptr, len);
        end_line(printer);
        len += end ? 1 : 0;
        body = tr_str_n(body.ptr + len, body.len - len);
    }
}

static void print_request(struct printer *printer, struct job *job)
{
    struct text *text = &printer->text;

    (void)request_seal(job); /* what it lacks is not shown                                  */
    text_add_str(text, tr_str_c(webhook_methods[job->self->options.method]));
    text_add_char(text, ' ');
    answer_add_url(text, request_url(job), false);
    end_line(printer);
    for (uint32_t i = 0; i < job->headers_count; i++) {
        text_add_str(text, job->headers[i].name);
        text_add(text, ": ", 2);
        text_add_str(text, shown_value(job, &job->headers[i]));
        end_line(printer);
    }
    print_body(printer, text_str(&job->body));
}

static tr_status explain(tr_self *self, const tr_batch *batch,
                         void (*line)(void *user, tr_str text), void *user)
{
    struct printer printer = {.line = line, .user = user};
    struct job *job = job_take(self, batch);
    struct verdict verdict;

    if (!job)
        return TR_EAGAIN;
    for (job->next = 0; job->next < batch->count; job->next += job->group) {
        if (job->next > 0)
            end_line(&printer);
        if (request_render(job, &verdict) == TR_OK) {
            print_request(&printer, job);
            continue;
        }
        job->group = 1;
        text_add(&printer.text, "rejected: ", 10);
        text_add_str(&printer.text, tr_str_c(verdict.message));
        end_line(&printer);
    }
    text_fini(&printer.text);
    job->link = self->idle;
    self->idle = job;
    return TR_OK;
}

const void *explain_table(void)
{
    static const tr_explain table = {.size = sizeof(table), .explain = explain};

    return &table;
}
