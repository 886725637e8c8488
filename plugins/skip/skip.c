/* SPDX-License-Identifier: Apache-2.0 */
/*
 * skip: lets a change pass whose field stands as is wanted to a value, and settles the others.
 *
 * A transform: it stands in a rule's list of transforms and sees each change before the rule's
 * plugin does. What cannot be judged is refused, with the reason: it is neither a yes nor a no.
 * transform() runs on the worker of the rule's plugin.
 */
#include "skip.h"

#include <tailrace/ext/doc.h>

enum { DELETES_PASS, DELETES_JUDGE };

struct tr_self {
    const tr_host *host;
    const tr_doc_api *doc;
    const tr_json *json;
    struct {
        char *field;
        int32_t op, deletes;
    } options;
    tr_path *path;
    struct test test;
};

#define AT(member_)                                                                            \
    (offsetof(struct tr_self, options.member_) - offsetof(struct tr_self, options))

static const char *const operators[] = {"==", "=~", ">", ">=", "<", "<=", NULL};
static const char *const deletes[] = {"pass", "judge", NULL};

static const tr_option options[] = {
    {.name = "field",
     .type = TR_TYPE_STRING,
     .flags = TR_OPTION_REQUIRED,
     .offset = AT(field),
     .help = "path of what is looked at, such as \"author.age\""},
    {.name = "operator",
     .type = TR_TYPE_ENUM,
     .flags = TR_OPTION_REQUIRED,
     .choices = operators,
     .offset = AT(op),
     .help = "how the field has to stand to match for the change to pass"},
    {.name = "match",
     .type = TR_TYPE_ANY,
     .flags = TR_OPTION_REQUIRED,
     .offset = TR_NO_OFFSET,
     .help = "a text, number or boolean, or with =~ a regular expression"},
    {.name = "deletes",
     .type = TR_TYPE_ENUM,
     .choices = deletes,
     .dflt = "pass",
     .offset = AT(deletes),
     .help = "deletions, which mostly have no fields: let all pass, or judge them too"},
};

enum { OPTIONS_COUNT = sizeof(options) / sizeof(options[0]) };

/* ---- options ---- */

static void unload(tr_self *self)
{
    if (self->path)
        self->doc->path_free(self->path);
    self->path = NULL;
    test_fini(&self->test);
    tr_unbind(options, OPTIONS_COUNT, &self->options);
}

static tr_status load(tr_self *self, const tr_config *config, tr_error *error)
{
    const tr_host *host = self->host;
    tr_value match = {.size = sizeof(match)};
    tr_status status;

    unload(self);
    status = tr_bind(host, config, options, OPTIONS_COUNT, &self->options, error);
    if (status == TR_OK)
        status = self->doc->path_new(tr_str_c(self->options.field), &self->path, error);
    if (status == TR_OK)
        status = host->config_get(config, "match", 0, &match);
    if (status == TR_OK)
        status = test_init(&self->test, self->json, self->options.op, &match, error);
    return status;
}

/* ---- an instance's life ---- */

static tr_status skip_open(const tr_host *host, tr_self **ret_self, tr_error *error)
{
    const tr_doc_api *doc = tr_need_ext(host, TR_EXT_DOC, error);
    const tr_json *json = tr_need_ext(host, TR_EXT_JSON, error);
    tr_self *self = doc && json ? calloc(1, sizeof(*self)) : NULL;

    if (!self)
        return doc && json ? tr_fail(error, TR_EAGAIN, "out of memory") : TR_ENOSYS;
    self->host = host;
    self->doc = doc;
    self->json = json;
    *ret_self = self;
    return TR_OK;
}

static void skip_close(tr_self *self)
{
    unload(self);
    free(self);
}

static tr_status skip_check(const tr_host *host, const tr_config *config, tr_error *error)
{
    return tr_check_instance(skip_open, load, skip_close, host, config, error);
}

static tr_status skip_transform(tr_self *self, const tr_batch *batch, const tr_change *change,
                                tr_doc *doc, tr_error *error)
{
    tr_str raw;

    (void)batch;
    if ((change->flags & TR_CHANGE_DELETED) && self->options.deletes == DELETES_PASS)
        return TR_OK;
    if (self->doc->get(doc, self->path, &raw) == TR_OK)
        return test_value(&self->test, raw, error);
    if (change->doc.len > 0)
        return TR_SKIP;
    return tr_fail(
        error, TR_REJECT,
        "the row has no document to look for \"%s\" in; give rows with documents, or "
        "take the transform out",
        self->options.field);
}

static const tr_plugin skip = {
    TR_DESCRIPTOR("skip", "1.0.0", "lets changes pass by the value of a field"),
    .license = "Apache-2.0",
    .caps = TR_CAP_NEVER_BLOCKS | TR_CAP_CONCURRENT | TR_CAP_NEEDS_DOC,
    TR_OPTIONS(options),
    .check = skip_check,
    .open = skip_open,
    .configure = load,
    .transform = skip_transform,
    .close = skip_close,
};

TR_PLUGIN(skip)
