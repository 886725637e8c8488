/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http: asks its url once a batch. `mode` says what then: wait for the answer, cancel the
 * request at once, or settle the batch and leave the request under way. close() ends the
 * process if a done() is missing, and a done() at the end finds that it can send and set
 * nothing.
 */
#include "common.h"

#include <tailrace/ext/http.h>
#include <tailrace/ext/timer.h>

static const char *const modes[] = {"wait", "cancel", "leave", NULL};

static const tr_option options[] = {
    {.name = "url", .type = TR_TYPE_URL, .flags = TR_OPTION_REQUIRED},
    {.name = "mode", .type = TR_TYPE_ENUM, .dflt = "wait", .choices = modes},
};

static const tr_http *http;
static const tr_timer *timer;
static tr_http_client *client;
static tr_http_request request;
static char url[256];
static int64_t mode;
static int ending;

static tr_status configure(tr_self *self, const tr_config *config, tr_error *error)
{
    tr_http_options wishes;
    tr_value value;

    memset(&wishes, 0, sizeof(wishes));
    wishes.size = (uint32_t)sizeof(wishes);
    value.size = (uint32_t)sizeof(value);
    self->host->config_get(config, "url", 0, &value);
    snprintf(url, sizeof(url), "%.*s", (int)value.s.len, value.s.ptr);
    self->host->config_get(config, "mode", 0, &value);
    mode = value.i;
    ending = 0;
    http = (const tr_http *)self->host->get_ext(self->host, TR_EXT_HTTP);
    timer = (const tr_timer *)self->host->get_ext(self->host, TR_EXT_TIMER);
    return http->client_new(self->host, &wishes, &client, error);
}

static void never(void *user)
{
    (void)user;
    abort();
}

static void done(void *user, const tr_http_response *response)
{
    tr_self *self = (tr_self *)user;
    char text[200];

    self->count--;
    snprintf(text, sizeof(text), "%d %.*s%.*s", (int)response->status, (int)response->body.len,
             response->body.ptr, (int)response->error.len, response->error.ptr);
    if (mode != 2)
        common_complete(self, TR_OK, text);
    else if (ending && (http->send(client, &request, NULL) != TR_ESTALE ||
                        timer->set(self->host, 0, never, self, NULL) != TR_ESTALE))
        abort();
}

static tr_status process(tr_self *self, const tr_batch *batch, tr_outcome *outcome)
{
    uint64_t id = 0;

    memset(&request, 0, sizeof(request));
    request.size = (uint32_t)sizeof(request);
    request.url = TR_STR("nonsense://");
    request.user = self;
    request.done = done;
    if (http->send(client, &request, NULL) != TR_EINVAL)
        return tr_finish(outcome, TR_FATAL, "a bad URL was taken");
    request.url = tr_str_c(url);
    if (http->send(client, &request, &id) != TR_OK)
        return tr_finish(outcome, TR_FATAL, "not sent");
    self->ticket = batch->ticket;
    self->count++;
    if (mode == 1 && http->cancel(client, id) != TR_OK)
        return tr_finish(outcome, TR_FATAL, "not cancelled");
    return mode == 2 ? tr_finish(outcome, TR_OK, "left") : TR_PENDING;
}

static tr_status stop(tr_self *self, int64_t deadline_ms)
{
    ending = 1;
    return common_stop(self, deadline_ms);
}

static void end(tr_self *self)
{
    if (self->count != 0)
        abort();
    http->client_free(client);
    common_close(self);
}

static const tr_plugin plugin = {TR_DESCRIPTOR("http", "1.0", "asks a server"),
                                 TR_OPTIONS(options),
                                 .open = common_open,
                                 .configure = configure,
                                 .process = process,
                                 .stop = stop,
                                 .close = end};

TR_PLUGIN(plugin)
