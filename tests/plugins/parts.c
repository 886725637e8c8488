/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parts: puts a body of three parts, `head`, what `part` answers and `tail`, to its url, once a
 * batch, and settles the batch with what became of it: TR_OK for 201, else TR_REJECT. `mode`
 * says whether it waits for the answer, cancels the request at once, or settles the batch and
 * leaves the request under way. close() ends the process if a done() is missing.
 */
#include "common.h"

#include <tailrace/ext/http.h>

static const char *const modes[] = {"wait", "cancel", "leave", NULL};

static const tr_option options[] = {
    {.name = "url", .type = TR_TYPE_URL, .flags = TR_OPTION_REQUIRED},
    {.name = "part", .type = TR_TYPE_URL, .flags = TR_OPTION_REQUIRED},
    {.name = "length", .type = TR_TYPE_INT, .flags = TR_OPTION_REQUIRED, .max = INT64_MAX},
    {.name = "digest", .type = TR_TYPE_STRING, .dflt = ""},
    {.name = "type", .type = TR_TYPE_STRING, .dflt = "text/plain"},
    {.name = "head", .type = TR_TYPE_STRING, .dflt = "head"},
    {.name = "tail", .type = TR_TYPE_STRING, .dflt = "tail"},
    {.name = "ca_file", .type = TR_TYPE_STRING, .dflt = ""},
    {.name = "mode", .type = TR_TYPE_ENUM, .dflt = "wait", .choices = modes},
};

/* Of the plugin's one instance. */
static const tr_http *http;
static tr_http_client *client;
static char *url, *part, *digest, *type, *head, *tail, *ca_file;
static int64_t length, mode;

static int64_t number(const tr_self *self, const tr_config *config, const char *name)
{
    tr_value value;

    value.size = (uint32_t)sizeof(value);
    self->host->config_get(config, name, 0, &value);
    return value.i;
}

static void text(const tr_self *self, const tr_config *config, const char *name, char **to)
{
    tr_value value;

    value.size = (uint32_t)sizeof(value);
    self->host->config_get(config, name, 0, &value);
    free(*to);
    *to = strndup(value.s.ptr, value.s.len);
}

static tr_status configure(tr_self *self, const tr_config *config, tr_error *error)
{
    tr_http_options wishes;

    memset(&wishes, 0, sizeof(wishes));
    wishes.size = (uint32_t)sizeof(wishes);
    wishes.max_connections = 2;
    text(self, config, "url", &url);
    text(self, config, "part", &part);
    text(self, config, "digest", &digest);
    text(self, config, "type", &type);
    text(self, config, "head", &head);
    text(self, config, "tail", &tail);
    text(self, config, "ca_file", &ca_file);
    wishes.ca_file = tr_str_c(ca_file);
    length = number(self, config, "length");
    mode = number(self, config, "mode");
    http = (const tr_http *)self->host->get_ext(self->host, TR_EXT_HTTP);
    return http->client_new(self->host, &wishes, &client, error);
}

static void done(void *user, const tr_http_response *response)
{
    tr_self *self = (tr_self *)user;
    char said[400];

    self->count--;
    if (mode == 2)
        return;
    snprintf(said, sizeof(said), "%d %u %u %d %u %.*s%.*s", (int)response->status,
             response->flags, response->part, (int)response->part_status,
             response->retry_after_ms, (int)response->body.len, response->body.ptr,
             (int)response->error.len, response->error.ptr);
    common_complete(self, response->status == 201 ? TR_OK : TR_REJECT, said);
}

static void fill(tr_http_request *request, tr_http_part *parts, tr_http_header *header,
                 tr_self *self)
{
    memset(request, 0, sizeof(*request));
    memset(parts, 0, 3 * sizeof(*parts));
    header->name = TR_STR("Content-Type");
    header->value = tr_str_c(type);
    parts[0].bytes = tr_str_c(head);
    parts[1].url = tr_str_c(part);
    parts[1].length = (uint64_t)length;
    parts[1].digest = tr_str_c(digest);
    parts[2].bytes = tr_str_c(tail);
    request->size = (uint32_t)sizeof(*request);
    request->method = TR_STR("PUT");
    request->url = tr_str_c(url);
    request->headers = header;
    request->headers_count = 1;
    request->parts = parts;
    request->parts_count = 3;
    request->parts_stride = (uint32_t)sizeof(*parts);
    request->user = self;
    request->done = done;
}

/* Each of these is refused, and what is filled is right again afterwards. */
static int takes_nonsense(tr_http_request *request, tr_http_part *parts)
{
    tr_http_header bad = {TR_STR("A"), TR_STR("b\r\nC: d")};
    tr_str right = parts[1].digest;
    int taken = 0;

    request->body = TR_STR("x");
    taken |= http->send(client, request, NULL) != TR_EINVAL;
    request->body.len = 0;
    request->parts_stride = 8;
    taken |= http->send(client, request, NULL) != TR_EINVAL;
    request->parts_stride = (uint32_t)sizeof(*parts);
    parts[1].bytes = TR_STR("x");
    taken |= http->send(client, request, NULL) != TR_EINVAL;
    parts[1].bytes.len = 0;
    parts[1].digest = TR_STR("md5-short");
    taken |= http->send(client, request, NULL) != TR_EINVAL;
    parts[1].digest = right;
    parts[1].headers = &bad;
    parts[1].headers_count = 1;
    taken |= http->send(client, request, NULL) != TR_EINVAL;
    parts[1].headers_count = 0;
    return taken;
}

static tr_status process(tr_self *self, const tr_batch *batch, tr_outcome *outcome)
{
    tr_http_request request;
    tr_http_part parts[3];
    tr_http_header header;
    uint64_t id = 0;

    fill(&request, parts, &header, self);
    request.ticket = batch->ticket;
    if (takes_nonsense(&request, parts))
        return tr_finish(outcome, TR_FATAL, "nonsense was taken");
    if (http->send(client, &request, &id) != TR_OK)
        return tr_finish(outcome, TR_FATAL, "not sent");
    memset(parts, 0, sizeof(parts)); /* all was copied                                    */
    self->ticket = batch->ticket;
    self->count++;
    if (mode == 1 && http->cancel(client, id) != TR_OK)
        return tr_finish(outcome, TR_FATAL, "not cancelled");
    return mode == 2 ? tr_finish(outcome, TR_OK, "left") : TR_PENDING;
}

static void end(tr_self *self)
{
    if (self->count != 0)
        abort();
    http->client_free(client);
    free(url), free(part), free(digest), free(type), free(head), free(tail), free(ca_file);
    url = part = digest = type = head = tail = ca_file = NULL;
    common_close(self);
}

static const tr_plugin plugin = {TR_DESCRIPTOR("parts", "1.0", "puts bodies in parts"),
                                 TR_OPTIONS(options),
                                 .open = common_open,
                                 .configure = configure,
                                 .process = process,
                                 .stop = common_stop,
                                 .close = end};

TR_PLUGIN(plugin)
