/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan of a request: URL, headers and body, prepared from the options. [control]
 */
#include "webhook.h"

#include <strings.h>

/* ---- headers ---- */

bool header_is_token(tr_str name)
{
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.ptr[i] <= 0x20 || (unsigned char)name.ptr[i] >= 0x7f ||
            strchr("\"(),/:;<=>?@[\\]{}", name.ptr[i]))
            return false;
    return name.len > 0;
}

bool header_is(tr_str name, const char *other)
{
    return other && name.len == strlen(other) && strncasecmp(name.ptr, other, name.len) == 0;
}

static tr_status judge_header(const tr_self *self, tr_str name, tr_error *error)
{
    static const char *const own[] = {"Content-Length", "Transfer-Encoding", "Connection",
                                      "Expect",         "Upgrade",           "TE",
                                      "Trailer"};
    int len = name.len < 60 ? (int)name.len : 60;

    if (!header_is_token(name))
        return tr_fail(error, TR_EINVAL,
                       "headers: \"%.*s\" is not a name that a header can have", len, name.ptr);
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        if (header_is(name, own[i]))
            return tr_fail(error, TR_EINVAL, "headers: %s is set by tailrace; leave it out",
                           own[i]);
    if (header_is(name, "Content-Type"))
        return tr_fail(error, TR_EINVAL, "headers: use the option content_type instead");
    if (self->options.idempotency && header_is(name, "Idempotency-Key"))
        return tr_fail(error, TR_EINVAL,
                       "headers: Idempotency-Key is sent already; or set idempotency = false");
    if (header_is(name, self->signature_header) || header_is(name, self->timestamp_header))
        return tr_fail(error, TR_EINVAL, "headers: %.*s is the signature's; rename one", len,
                       name.ptr);
    for (uint32_t i = 0; i < self->plan.headers_count; i++)
        if (header_is(name, self->plan.headers[i].name))
            return tr_fail(error, TR_EINVAL, "headers: %.*s is given twice", len, name.ptr);
    return TR_OK;
}

static struct plan_header *add_header(tr_self *self, tr_str name, tr_error *error)
{
    struct plan *plan = &self->plan;
    struct plan_header *grown;

    if (judge_header(self, name, error) != TR_OK)
        return NULL;
    grown = realloc(plan->headers, (plan->headers_count + 1) * sizeof(*grown));
    if (!grown) {
        (void)pieces_no_memory(error);
        return NULL;
    }
    plan->headers = grown;
    grown += plan->headers_count;
    *grown = (struct plan_header){.name = strndup(name.ptr, name.len)};
    if (!grown->name) {
        (void)pieces_no_memory(error);
        return NULL;
    }
    plan->headers_count++;
    return grown;
}

/* The secret that `reference` stands for becomes the value. In check() none is looked at. */
static tr_status resolve_header(tr_self *self, struct plan_header *header, tr_str reference,
                                tr_error *error)
{
    char secret[4096], why[160] = "";
    tr_error reason = {.size = sizeof(reason), .cap = sizeof(why), .buf = why};
    size_t len = 0;
    tr_status status;

    header->secret = true;
    if (!self->hasher)
        return TR_OK;
    status = self->secrets->resolve(self->host, reference, secret, sizeof(secret), &len,
                                    &reason);
    if (status != TR_OK) {
        snprintf(self->missing, sizeof(self->missing), "secret_headers.%.60s: %s", header->name,
                 why[0] ? why : "the secret is longer than 4 KB");
        return TR_OK;
    }
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)secret[i] < 0x20 || secret[i] == 0x7f)
            status = tr_fail(error, TR_EINVAL,
                             "secret_headers.%s holds a line end or another control byte",
                             header->name);
    if (status == TR_OK)
        status = pieces_add_literal(&header->value, tr_str_n(secret, len), error);
    explicit_bzero(secret, sizeof(secret));
    return status;
}

static bool is_reference(tr_str text)
{
    return (text.len > 5 &&
            (memcmp(text.ptr, "file:", 5) == 0 || memcmp(text.ptr, "cred:", 5) == 0)) ||
           (text.len > 4 && memcmp(text.ptr, "env:", 4) == 0);
}

static tr_status add_header_value(tr_self *self, struct plan_header *header,
                                  const tr_json_value *value, bool secret, tr_error *error)
{
    int32_t type = self->tables.json->type(value);
    tr_str text = self->tables.json->string(value);

    if (secret && (type != TR_JSON_STRING || !is_reference(text)))
        return tr_fail(error, TR_EINVAL,
                       "secret_headers.%s is not a reference to a secret; write "
                       "\"file:/path\", \"env:NAME\" or \"cred:NAME\"",
                       header->name);
    if (secret)
        return resolve_header(self, header, text, error);
    if (type == TR_JSON_STRING)
        return pieces_add_template(&header->value, &self->tables, text, TR_PLACE_HEADER, error);
    if (type == TR_JSON_ARRAY || type == TR_JSON_OBJECT)
        return tr_fail(error, TR_EINVAL, "headers.%s is a group or list; write a string",
                       header->name);
    return pieces_add_json(&header->value, &self->tables, value, false, error);
}

static tr_status plan_headers(tr_self *self, const tr_config *config, const char *group,
                              bool secret, tr_error *error)
{
    const tr_json *json = self->tables.json;
    const tr_json_value *value;
    tr_json_value *root = NULL;
    tr_status status = json->from_config(config, group, &root);
    void *cursor = NULL;
    tr_str name;

    if (status != TR_OK)
        return status == TR_ENOENT ? TR_OK : tr_fail(error, status, "%s cannot be read", group);
    while (status == TR_OK && json->next(root, &cursor, &name, &value)) {
        struct plan_header *header = add_header(self, name, error);
        status = header ? add_header_value(self, header, value, secret, error) : TR_EINVAL;
    }
    json->free(root);
    return status;
}

/* ---- URL and body ---- */

static tr_status plan_query(tr_self *self, const tr_json_value *params, tr_error *error)
{
    struct pieces *url = &self->plan.url;
    bool has_query = strchr(self->options.url, '?') != NULL;

    if (self->tables.json->count(params) == 0)
        return TR_OK;
    if (pieces_add_literal(url, has_query ? TR_STR("&") : TR_STR("?"), error) != TR_OK)
        return TR_EAGAIN;
    return pieces_add_query(url, &self->tables, params, error);
}

static tr_status plan_params(tr_self *self, const tr_config *config, tr_error *error)
{
    struct pieces *body = &self->plan.body;
    tr_json_value *params = NULL;
    tr_status status = self->tables.json->from_config(config, "params", &params);

    if (status == TR_ENOENT && self->plan.has_body)
        return pieces_add_template(body, &self->tables, TR_STR("$change"), TR_PLACE_JSON,
                                   error);
    if (status != TR_OK)
        return status == TR_ENOENT ? TR_OK : tr_fail(error, status, "params cannot be read");
    status = self->plan.has_body ? pieces_add_params(body, &self->tables, params, error)
                                 : plan_query(self, params, error);
    self->tables.json->free(params);
    return status;
}

static bool is_one_variable(const tr_self *self, tr_str text)
{
    tr_template *tmpl = NULL;
    bool is = false;

    if (self->tables.tmpl->compile(text, TR_PLACE_JSON, &tmpl, NULL) == TR_OK)
        is = self->tables.tmpl->is_variable(tmpl);
    self->tables.tmpl->free(tmpl);
    return is;
}

/* A JSON body is taken apart, so that a value can neither leave its string nor add a member. */
static tr_status plan_body(tr_self *self, tr_error *error)
{
    const char *type = self->options.content_type;
    struct pieces *body = &self->plan.body;
    tr_str text = tr_str_c(self->options.body);
    char why[128] = "";
    tr_error reason = {.size = sizeof(reason), .cap = sizeof(why), .buf = why};
    tr_json_value *root = NULL;
    tr_status status;

    if (!content_is_json(type))
        return pieces_add_template(body, &self->tables, text,
                                   strncasecmp(type, "application/x-www-form-urlencoded", 33)
                                       ? TR_PLACE_TEXT
                                       : TR_PLACE_QUERY,
                                   error);
    if (is_one_variable(self, text))
        return pieces_add_template(body, &self->tables, text, TR_PLACE_JSON, error);
    if (self->tables.json->parse(text, &root, &reason) != TR_OK)
        return tr_fail(error, TR_EINVAL,
                       "body is not JSON: %s; put variables into strings, as {\"doc\": "
                       "\"$change\"}, or set content_type",
                       why);
    status = pieces_add_json(body, &self->tables, root, true, error);
    self->tables.json->free(root);
    return status;
}

static bool url_varies(const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->headers_count; i++)
        if (pieces_vary(&plan->headers[i].value))
            return true;
    return pieces_vary(&plan->url);
}

tr_status plan_make(tr_self *self, const tr_config *config, tr_error *error)
{
    struct plan *plan = &self->plan;
    tr_status status;

    for (const char *at = self->options.content_type; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            return tr_fail(error, TR_EINVAL, "content_type holds a control byte");
    status = pieces_add_template(&plan->url, &self->tables, tr_str_c(self->options.url),
                                 TR_PLACE_URL, error);
    if (status == TR_OK)
        status = self->options.body ? plan_body(self, error) : plan_params(self, config, error);
    if (status == TR_OK)
        status = plan_headers(self, config, "headers", false, error);
    if (status == TR_OK)
        status = plan_headers(self, config, "secret_headers", true, error);
    plan->same_url = status == TR_OK && !url_varies(plan);
    return status;
}

void plan_free(tr_self *self)
{
    struct plan *plan = &self->plan;

    pieces_fini(&plan->url, &self->tables);
    pieces_fini(&plan->body, &self->tables);
    for (uint32_t i = 0; i < plan->headers_count; i++) {
        struct pieces *value = &plan->headers[i].value;
        if (plan->headers[i].secret && value->count)
            explicit_bzero(value->at[0].literal.ptr, value->at[0].literal.len);
        pieces_fini(value, &self->tables);
        free(plan->headers[i].name);
    }
    free(plan->headers);
    *plan = (struct plan){0};
}
