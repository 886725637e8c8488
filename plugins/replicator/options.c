/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of replicator, and what a table cannot say of them. [control], by check() also on
 * an instance that is never opened.
 *
 * max_connections: a server that waits up to 5 s before it begins does eighteen replications a
 * second by 48 requests, of which hardly more than a handful copy at a time. And were all of
 * them large, at 20 connections to the source and 20 to the target each, they would stay below
 * the 2,048 that CouchDB takes, and far below the 500 that it runs at once.
 */
#include "replicator.h"

#define AT(member_) offsetof(struct options, member_)

static const char *const modes[] = {"native", "server", NULL};
static const char *const attachments[] = {"copy", "drop", "reject", NULL};

const tr_option replicator_options[OPTIONS_COUNT] = {
    {.name = "mode",
     .type = TR_TYPE_ENUM,
     .choices = modes,
     .dflt = "native",
     .offset = AT(mode),
     .help = "who copies: this plugin, or a server that is asked by POST /_replicate"},
    {.name = "source",
     .type = TR_TYPE_STRING,
     .offset = AT(source),
     .help = "what is copied: http(s)://USER@HOST/DATABASE, which may hold $db_name; server: "
             "or a database of the server"},
    {.name = "source_url",
     .type = TR_TYPE_URL,
     .offset = AT(source_url),
     .help = "native: instead, its server; the database is the one that changed"},
    {.name = "target",
     .type = TR_TYPE_STRING,
     .flags = TR_OPTION_REQUIRED,
     .offset = AT(target),
     .help = "and to where; native: it may hold $db_name"},
    {.name = "create_target",
     .type = TR_TYPE_BOOL,
     .dflt = "false",
     .offset = AT(create_target),
     .help = "native: make the target when it is missing"},
    {.name = "q",
     .type = TR_TYPE_INT,
     .dflt = "0",
     .min = 0,
     .max = 1024,
     .offset = AT(q),
     .help = "shards of a target that is made; 0: as the server has it"},
    {.name = "n",
     .type = TR_TYPE_INT,
     .dflt = "0",
     .min = 0,
     .max = 16,
     .offset = AT(n),
     .help = "and copies of each"},
    {.name = "winning_revs_only",
     .type = TR_TYPE_BOOL,
     .dflt = "false",
     .offset = AT(winning_revs_only),
     .help = "native: leave out what lost a conflict"},
    {.name = "attachments",
     .type = TR_TYPE_ENUM,
     .choices = attachments,
     .dflt = "copy",
     .offset = AT(attachments),
     .help = "native: copied, left out, or a reason to refuse the document"},
    {.name = "attachments_inline",
     .type = TR_TYPE_SIZE,
     .dflt = "256KB",
     .min = 0,
     .max = 32 << 20,
     .offset = AT(attachments_inline),
     .help =
         "native: up to this size in all they go within their document, beyond it they flow "
         "from the source to the target"},
    {.name = "write_docs",
     .type = TR_TYPE_INT,
     .dflt = "2000",
     .min = 1,
     .max = 100000,
     .offset = AT(write_docs),
     .help = "native: documents of a request to the target, at most"},
    {.name = "write_bytes",
     .type = TR_TYPE_SIZE,
     .dflt = "8MB",
     .min = 1024,
     .max = 1LL << 30,
     .offset = AT(write_bytes),
     .help = "and their size; one document may be larger"},
    {.name = "fetch_docs",
     .type = TR_TYPE_INT,
     .dflt = "500",
     .min = 1,
     .max = 100000,
     .offset = AT(fetch_docs),
     .help = "native: revisions of a request to the source, at most"},
    {.name = "checkpoint_interval",
     .type = TR_TYPE_DURATION,
     .dflt = "30s",
     .min = 100,
     .max = 86400000,
     .offset = AT(checkpoint_ms),
     .help = "native: after how long both ends are told in _local how far it is"},
    {.name = "server",
     .type = TR_TYPE_URL,
     .offset = AT(server),
     .help = "server: which one shall do it; by default the one in source"},
    {.name = "body",
     .type = TR_TYPE_STRING,
     .offset = AT(body),
     .help = "server: a JSON object with further fields of _replicate, as create_target, "
             "filter, doc_ids or selector"},
    {.name = "delay",
     .type = TR_TYPE_DURATION,
     .dflt = "0s",
     .min = 0,
     .max = 86400000,
     .offset = AT(delay_ms),
     .help = "server: how long changes are collected before it runs"},
    {.name = "timeout",
     .type = TR_TYPE_DURATION,
     .dflt = "1h",
     .min = 10,
     .max = 86400000,
     .offset = AT(timeout_ms),
     .help = "of a request; the rule's timeout ends it earlier"},
    TR_CONNECTION_LIMITS(AT(connection), "48",
                         "requests at once, of all rules with the same server; more wait"),
    TR_CONNECTION_TRUST(AT(connection)),
};

static tr_status judge_field(tr_str name, tr_error *error)
{
    static const struct {
        const char *name, *remedy;
    } refused[] = {
        {"continuous", "take it out: tailrace has it run whenever the source changes"},
        {"cancel", "take it out: disable the rule to end it"},
        {"source", "it is an option of its own"},
        {"target", "it is an option of its own"},
    };

    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        if (tr_str_eq(name, tr_str_c(refused[i].name)))
            return tr_fail(error, TR_EINVAL, "body has the field %s; %s", refused[i].name,
                           refused[i].remedy);
    return TR_OK;
}

static tr_status judge_body(const tr_self *self, tr_error *error)
{
    const tr_json *json = self->json;
    char why[160] = "it is not an object";
    tr_error reason = {.size = sizeof(reason), .cap = sizeof(why), .buf = why};
    tr_status status = TR_OK;
    const tr_json_value *value;
    tr_json_value *root = NULL;
    void *cursor = NULL;
    tr_str name;

    if (!self->options.body)
        return TR_OK;
    if (json->parse(tr_str_c(self->options.body), &root, &reason) != TR_OK ||
        json->type(root) != TR_JSON_OBJECT)
        status = tr_fail(error, TR_EINVAL,
                         "body is not a JSON object: %s; write it as "
                         "\"{\\\"create_target\\\":true}\"",
                         why);
    while (status == TR_OK && json->next(root, &cursor, &name, &value))
        status = judge_field(name, error);
    json->free(root);
    return status;
}

static tr_status judge_endpoint(const char *option, const char *text,
                                struct endpoint *ret_endpoint, tr_error *error)
{
    char why[200] = "";
    tr_error reason = {.size = sizeof(reason), .cap = sizeof(why), .buf = why};

    if (endpoint_parse(text, ret_endpoint, &reason) == TR_OK)
        return TR_OK;
    return tr_fail(error, TR_EINVAL, "%s %s", option, why);
}

/* Options that a server is not told of, since it has names of its own for them. */
static tr_status judge_native_only(const struct options *options, tr_error *error)
{
    const char *name = options->source_url          ? "source_url"
                       : options->create_target     ? "create_target"
                       : options->winning_revs_only ? "winning_revs_only"
                       : options->attachments       ? "attachments"
                                                    : NULL;

    if (!name)
        return TR_OK;
    return tr_fail(error, TR_EINVAL,
                   "%s is for mode = \"native\"; write what the server shall be told into body",
                   name);
}

static tr_status judge_server(const tr_self *self, tr_error *error)
{
    const struct options *options = &self->options;
    struct endpoint source, target;
    tr_status status = judge_native_only(options, error);

    if (status == TR_OK && !options->source)
        status = tr_fail(error, TR_EINVAL, "source is required with mode = \"server\"");
    if (status == TR_OK)
        status = judge_endpoint("source", options->source, &source, error);
    if (status == TR_OK)
        status = judge_endpoint("target", options->target, &target, error);
    if (status == TR_OK)
        status = judge_body(self, error);
    if (status == TR_OK && !source.is_url && !options->server)
        return tr_fail(error, TR_EINVAL,
                       "source is the name of a database, but nothing says of which server; "
                       "set server, or write source as a URL");
    return status;
}

tr_status options_judge(const tr_self *self, tr_error *error)
{
    return self->options.mode == MODE_SERVER ? judge_server(self, error)
                                             : native_judge(self, error);
}
