/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One replication after the other. What comes while one is under way waits for the next, which
 * speaks for all that came meanwhile: a change is settled by a replication that began after the
 * change was there. Worker.
 *
 * A server that is asked for a replication that it runs already lets the second one who asks
 * wait for the end of the first. It read its source before, so its ok says nothing of what came
 * later. This happens after an answer that was lost on the way or given up for its time, and
 * after a crash: so until one was heard to its end, an ok only means to ask once more.
 */
#include "replicator.h"

#include <time.h>

static void begin(tr_self *self);

int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- the end of one ---- */

/* A refusal is of the request, not of a change: said of each, so that the host does not look
 * for the one that is to blame. */
static void give_back(const tr_self *self, const struct part *part,
                      const struct verdict *verdict)
{
    tr_outcome outcome = {
        .size = sizeof(outcome),
        .status = verdict->status,
        .retry_after_ms = verdict->retry_after_ms,
        .message = tr_str_c(verdict->message),
    };
    int32_t *items = NULL;

    if (verdict->status == TR_REJECT && part->count > 1)
        items = calloc(part->count, sizeof(*items));
    for (uint32_t i = 0; items && i < part->count; i++)
        items[i] = TR_REJECT;
    outcome.items = items;
    outcome.items_count = items ? part->count : 0;
    (void)self->host->complete(self->host, part->ticket, &outcome);
    free(items);
}

static void finish(tr_self *self, const struct verdict *verdict)
{
    struct part *part;

    self->running = false;
    while ((part = self->covered) != NULL) {
        self->covered = part->next;
        give_back(self, part, verdict);
        free(part);
    }
    if (self->waiting)
        begin(self);
}

static void fail(tr_self *self, const char *message)
{
    struct verdict verdict = {.status = TR_RETRY};

    snprintf(verdict.message, sizeof(verdict.message), "%s", message);
    finish(self, &verdict);
}

static void answered(void *user, const tr_http_response *response)
{
    tr_self *self = user;
    struct verdict verdict;
    bool sure = self->sure;

    if (self->guard)
        (void)self->timer->cancel(self->host, self->guard);
    self->guard = self->request = 0;
    answer_judge(self, response, now_ms() - self->begun_ms, &verdict);
    if (self->late && verdict.status != TR_OK)
        snprintf(verdict.message, sizeof(verdict.message),
                 "the replication has not ended within the rule's timeout; the server goes on "
                 "with it and is asked again; raise the timeout");
    self->late = false;
    self->sure = verdict.heard;
    if (verdict.status == TR_OK && (verdict.again || !sure))
        begin(self);
    else
        finish(self, &verdict);
}

/* ---- the time that is left ---- */

/* Batches go back before their deadline; the server's work goes on, and the next request waits
 * for its end. */
static void out_of_time(void *user)
{
    tr_self *self = user;

    self->guard = 0;
    self->late = true;
    if (self->request)
        (void)self->http->cancel(self->client, self->request);
}

static uint32_t time_left(const tr_self *self)
{
    int64_t left = INT32_MAX;

    for (const struct part *part = self->covered; part; part = part->next) {
        int64_t mine = part->deadline_ms - now_ms();
        if (mine < left)
            left = mine;
    }
    left -= left > 10000 ? 1000 : left / 10;
    return left < 1 ? 0 : (uint32_t)left;
}

/* ---- the begin of one ---- */

static char *make_url(const struct options *options)
{
    struct out url = {0};

    endpoint_add_server(&url, options);
    url.cap = url.len;
    url.ptr = malloc(url.cap + 1);
    if (!url.ptr)
        return NULL;
    url.len = 0;
    endpoint_add_server(&url, options);
    url.ptr[url.len] = '\0';
    return url.ptr;
}

static tr_status send(tr_self *self, tr_str body)
{
    const tr_str type = TR_STR("application/json");
    const tr_http_header headers[] = {
        {.name = TR_STR("Content-Type"), .value = type},
        {.name = TR_STR("Accept"), .value = type},
    };
    char *url = make_url(&self->options);
    tr_http_request request = {
        .size = sizeof(request),
        .timeout_ms = (uint32_t)self->options.timeout_ms,
        .method = TR_STR("POST"),
        .url = tr_str_c(url),
        .headers = headers,
        .headers_count = 2,
        .body = body,
        .user = self,
        .done = answered,
    };
    tr_status status = url ? self->http->send(self->client, &request, &self->request)
                           : TR_EAGAIN;

    if (url)
        explicit_bzero(url, strlen(url));
    free(url);
    return status;
}

static void take_waiting(tr_self *self)
{
    struct part **last = &self->covered;

    while (*last)
        last = &(*last)->next;
    *last = self->waiting;
    self->waiting = NULL;
    self->due_ms = 0;
}

/* For all that is in hand. */
static void begin(tr_self *self)
{
    char message[MESSAGE_MAX] = "out of memory";
    uint32_t left;
    tr_status status;
    tr_str body;

    take_waiting(self);
    left = time_left(self);
    if (left == 0) {
        fail(self, "no time is left for a replication; raise the rule's timeout");
        return;
    }
    self->running = true;
    self->begun_ms = now_ms();
    status = body_make(self, &body, message);
    if (status == TR_OK) {
        status = send(self, body);
        body_free(body);
        if (status == TR_ESTALE)
            snprintf(message, sizeof(message), "the rule ends");
        else if (status == TR_EINVAL)
            snprintf(message, sizeof(message), "the URL of the server cannot be asked");
    }
    if (status != TR_OK)
        fail(self, message);
    else if (self->timer->set(self->host, left, out_of_time, self, &self->guard) != TR_OK)
        self->guard = 0; /* then the request's own timeout has to do */
}

/* ---- batches in ---- */

/* What is collected waits with the host, which keeps the order and stops at once when it has
 * to. */
static bool is_early(tr_self *self, tr_outcome *outcome)
{
    int64_t now = now_ms();

    if (self->options.delay_ms == 0)
        return false;
    if (self->due_ms == 0)
        self->due_ms = now + self->options.delay_ms;
    if (now >= self->due_ms)
        return false;
    outcome->retry_after_ms = (uint32_t)(self->due_ms - now);
    return true;
}

tr_status run_process(tr_self *self, const tr_batch *batch, tr_outcome *ret_outcome)
{
    struct part *part, **last = &self->waiting;

    if (is_early(self, ret_outcome))
        return tr_finish(ret_outcome, TR_RETRY, NULL);
    part = calloc(1, sizeof(*part));
    if (!part)
        return tr_finish(ret_outcome, TR_RETRY, "out of memory");
    part->ticket = batch->ticket;
    part->deadline_ms = batch->deadline_ms;
    part->count = batch->count;
    while (*last)
        last = &(*last)->next;
    *last = part;
    if (!self->running)
        begin(self);
    return TR_PENDING;
}
