/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pick: keeps the fields that are named, and drops all others.
 *
 * A transform: it stands in a rule's list of transforms and sees each change before the rule's
 * plugin does. transform() runs on that plugin's worker.
 */
#include <tailrace/transform.h>

struct tr_self {
    const tr_host *host;
    const tr_doc_api *doc;
    tr_paths fields;
    int32_t special;
};

static const tr_option options[] = {
    {.name = "fields",
     .type = TR_TYPE_STRING,
     .flags = TR_OPTION_REQUIRED | TR_OPTION_LIST,
     .offset = TR_NO_OFFSET,
     .help = "paths of what is kept, such as \"title\" or \"author.name\""},
    {.name = "special",
     .type = TR_TYPE_BOOL,
     .dflt = "true",
     .offset = offsetof(struct tr_self, special),
     .help = "keep CouchDB's own members too, whose names begin with _: a target needs them"},
};

enum { OPTIONS_COUNT = sizeof(options) / sizeof(options[0]) };

static tr_status load(tr_self *self, const tr_config *config, tr_error *error)
{
    tr_status status = tr_bind(self->host, config, options, OPTIONS_COUNT, self, error);

    if (status == TR_OK)
        status = tr_paths_bind(self->host, self->doc, config, "fields", &self->fields, error);
    return status;
}

static tr_status pick_open(const tr_host *host, tr_self **ret_self, tr_error *error)
{
    const tr_doc_api *doc = tr_need_ext(host, TR_EXT_DOC, error);
    tr_self *self = doc ? calloc(1, sizeof(*self)) : NULL;

    if (!self)
        return doc ? tr_fail(error, TR_EAGAIN, "out of memory") : TR_ENOSYS;
    self->host = host;
    self->doc = doc;
    *ret_self = self;
    return TR_OK;
}

static void pick_close(tr_self *self)
{
    tr_paths_unbind(self->doc, &self->fields);
    free(self);
}

static tr_status pick_check(const tr_host *host, const tr_config *config, tr_error *error)
{
    return tr_check_instance(pick_open, load, pick_close, host, config, error);
}

static tr_status pick_transform(tr_self *self, const tr_batch *batch, const tr_change *change,
                                tr_doc *doc, tr_error *error)
{
    (void)batch, (void)change, (void)error;
    return self->doc->keep(doc, self->fields.items, self->fields.count,
                           self->special ? TR_DOC_KEEP_SPECIAL : 0);
}

static const tr_plugin pick = {
    TR_DESCRIPTOR("pick", "1.0.0", "keeps the fields that are named"),
    .license = "Apache-2.0",
    .caps = TR_CAP_NEVER_BLOCKS | TR_CAP_CONCURRENT | TR_CAP_NEEDS_DOC,
    TR_OPTIONS(options),
    .check = pick_check,
    .open = pick_open,
    .configure = load,
    .transform = pick_transform,
    .close = pick_close,
};

TR_PLUGIN(pick)
