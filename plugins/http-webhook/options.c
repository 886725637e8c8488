/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of http-webhook, and what a table cannot say of them. Called on [control], by
 * check() also on an instance that is never opened.
 */
#include "webhook.h"

#include <strings.h>

#define AT(member_) offsetof(struct options, member_)

const char *const webhook_methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", NULL};

static const tr_option hmac_options[] = {
    {.name = "secret",
     .type = TR_TYPE_SECRET,
     .offset = TR_NO_OFFSET,
     .help = "the key: \"file:/path\", \"env:NAME\" or \"cred:NAME\""},
    {.name = "header",
     .type = TR_TYPE_STRING,
     .dflt = "X-Tailrace-Signature",
     .offset = TR_NO_OFFSET,
     .help = "the header that carries t=TIMESTAMP,v1=HEX"},
    {.name = "timestamp_header",
     .type = TR_TYPE_STRING,
     .offset = TR_NO_OFFSET,
     .help = "one more header with the timestamp alone"},
    {.name = NULL},
};

const tr_option webhook_options[OPTIONS_COUNT] = {
    {.name = "url",
     .type = TR_TYPE_URL,
     .flags = TR_OPTION_REQUIRED,
     .offset = AT(url),
     .help = "where to; variables behind the host, as ${change.id} or ${db_name}"},
    {.name = "method",
     .type = TR_TYPE_ENUM,
     .choices = webhook_methods,
     .offset = AT(method),
     .help = "default GET, or POST with body or batch_changes"},
    {.name = "params",
     .type = TR_TYPE_GROUP,
     .offset = TR_NO_OFFSET,
     .help = "sent as JSON; with GET, HEAD and DELETE as a query string; a value that is one "
             "variable, as \"$change\", is replaced"},
    {.name = "body",
     .type = TR_TYPE_STRING,
     .offset = AT(body),
     .help = "instead of params: a body with variables, encoded as content_type needs"},
    {.name = "content_type",
     .type = TR_TYPE_STRING,
     .dflt = "application/json",
     .offset = AT(content_type),
     .help = "of a body"},
    {.name = "headers",
     .type = TR_TYPE_GROUP,
     .offset = TR_NO_OFFSET,
     .help = "more headers, NAME = \"value\"; values may hold variables"},
    {.name = "secret_headers",
     .type = TR_TYPE_GROUP,
     .offset = TR_NO_OFFSET,
     .help =
         "headers whose values are secrets, as Authorization = \"file:/etc/tailrace/token\""},
    {.name = "batch_changes",
     .type = TR_TYPE_INT,
     .dflt = "1",
     .min = 1,
     .max = 10000,
     .offset = AT(batch_changes),
     .help = "changes in one request; more than 1: the body is a JSON array"},
    {.name = "block",
     .type = TR_TYPE_BOOL,
     .dflt = "false",
     .offset = AT(block),
     .help = "one request at a time, whatever the rule's concurrency"},
    {.name = "debounce",
     .type = TR_TYPE_BOOL,
     .dflt = "false",
     .offset = AT(debounce),
     .help = "while a request is under way, those alike wait and share the next one"},
    {.name = "timeout",
     .type = TR_TYPE_DURATION,
     .dflt = "30s",
     .min = 10,
     .max = 3600000,
     .offset = AT(timeout_ms),
     .help = "of a request"},
    TR_CONNECTION_LIMITS(AT(connection), "32", "requests at once; more wait"),
    {.name = "max_redirects",
     .type = TR_TYPE_INT,
     .dflt = "0",
     .min = 0,
     .max = 3,
     .offset = AT(max_redirects),
     .help = "redirects that are followed"},
    {.name = "success",
     .type = TR_TYPE_STRING,
     .dflt = "200-299",
     .offset = AT(success),
     .help = "statuses that settle a change, as \"200-299,304\""},
    {.name = "reject_on",
     .type = TR_TYPE_STRING,
     .dflt = "400,410,413-415,422,431",
     .offset = AT(reject_on),
     .help = "statuses that reject a change for good; all others are tried again"},
    {.name = "idempotency",
     .type = TR_TYPE_BOOL,
     .dflt = "true",
     .offset = AT(idempotency),
     .help = "send Idempotency-Key, the same on every attempt"},
    {.name = "hmac",
     .type = TR_TYPE_GROUP,
     .group = hmac_options,
     .offset = TR_NO_OFFSET,
     .help = "sign requests by HMAC-SHA256"},
    TR_CONNECTION_TRUST(AT(connection)),
};

/* ---- the signature ---- */

static tr_status copy_header(const tr_host *host, const tr_config *config, const char *path,
                             char **ret_name, tr_error *error)
{
    tr_value value = {.size = sizeof(value)};

    if (host->config_get(config, path, 0, &value) != TR_OK)
        return TR_OK;
    if (!header_is_token(value.s))
        return tr_fail(error, TR_EINVAL, "%s is not a name that a header can have", path);
    *ret_name = strndup(value.s.ptr, value.s.len);
    return *ret_name ? TR_OK : pieces_no_memory(error);
}

static tr_status load_hmac(tr_self *self, const tr_config *config, tr_error *error)
{
    tr_value value = {.size = sizeof(value)};
    tr_status status;

    if (self->host->config_get(config, "hmac", 0, &value) != TR_OK)
        return TR_OK;
    if (self->host->config_get(config, "hmac.secret", 0, &value) != TR_OK)
        return tr_fail(error, TR_EINVAL,
                       "hmac has no secret: add secret = \"file:/path/of/the/key\"");
    if (value.s.len == 0)
        snprintf(self->missing, sizeof(self->missing),
                 "hmac.secret is empty: put a key where it points to");
    self->signer = signer_new(value.s);
    if (!self->signer)
        return pieces_no_memory(error);
    status = copy_header(self->host, config, "hmac.header", &self->signature_header, error);
    if (status == TR_OK)
        status = copy_header(self->host, config, "hmac.timestamp_header",
                             &self->timestamp_header, error);
    return status;
}

/* ---- what belongs together ---- */

static bool sends_body(int32_t method)
{
    return method == METHOD_POST || method == METHOD_PUT || method == METHOD_PATCH;
}

bool content_is_json(const char *type)
{
    size_t len = strcspn(type, "; ");

    return (len == 16 && strncasecmp(type, "application/json", 16) == 0) ||
           (len > 5 && strncasecmp(type + len - 5, "+json", 5) == 0);
}

static tr_status judge(const tr_self *self, const tr_config *config, tr_error *error)
{
    const struct options *options = &self->options;
    const char *method = webhook_methods[options->method];
    tr_value value = {.size = sizeof(value)};

    if (strchr(options->url, '#'))
        return tr_fail(error, TR_EINVAL,
                       "url has a #, behind which nothing is ever sent; write %%23 instead");
    if (options->body && !sends_body(options->method))
        return tr_fail(error, TR_EINVAL,
                       "body cannot go with method %s; use params, or POST, PUT or PATCH",
                       method);
    if (options->body && self->host->config_get(config, "params", 0, &value) == TR_OK)
        return tr_fail(error, TR_EINVAL, "body and params exclude each other; take one");
    if (options->batch_changes == 1)
        return TR_OK;
    if (!sends_body(options->method))
        return tr_fail(error, TR_EINVAL,
                       "batch_changes cannot go with method %s; use POST, PUT or PATCH",
                       method);
    if (!content_is_json(options->content_type))
        return tr_fail(error, TR_EINVAL,
                       "batch_changes makes a JSON array, but content_type is another");
    if (options->debounce)
        return tr_fail(error, TR_EINVAL,
                       "batch_changes and debounce exclude each other; take one");
    return TR_OK;
}

static tr_status load_verdicts(tr_self *self, tr_error *error)
{
    tr_status status;

    memset(self->verdicts, TR_RETRY, sizeof(self->verdicts));
    status = answer_set(self->verdicts, self->options.reject_on, TR_REJECT, error);
    if (status == TR_OK)
        status = answer_set(self->verdicts, self->options.success, TR_OK, error);
    return status;
}

tr_status options_load(tr_self *self, const tr_config *config, tr_error *error)
{
    struct options *options = &self->options;
    tr_status status;

    options->method = -1;
    self->missing[0] = '\0';
    status = tr_bind(self->host, config, webhook_options, OPTIONS_COUNT, options, error);
    if (status != TR_OK)
        return status;
    if (options->method < 0)
        options->method = options->body || options->batch_changes > 1 ? METHOD_POST
                                                                      : METHOD_GET;
    self->plan.has_body = sends_body(options->method);
    status = judge(self, config, error);
    if (status == TR_OK)
        status = load_verdicts(self, error);
    if (status == TR_OK)
        status = load_hmac(self, config, error);
    if (status == TR_OK)
        status = plan_make(self, config, error);
    return status;
}

void options_free(tr_self *self)
{
    plan_free(self);
    signer_free(self->signer);
    self->signer = NULL;
    free(self->signature_header);
    free(self->timestamp_header);
    self->signature_header = self->timestamp_header = NULL;
    tr_unbind(webhook_options, OPTIONS_COUNT, &self->options);
}
