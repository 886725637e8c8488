/* SPDX-License-Identifier: Apache-2.0 */
/*
 * omit: drops the fields that are named.
 *
 * A transform: it stands in a rule's list of transforms and sees each change before the rule's
 * plugin does. transform() runs on that plugin's worker.
 */
#include <tailrace/transform.h>

struct tr_self {
    const tr_host *host;
    const tr_doc_api *doc;
    tr_paths fields;
};

static const tr_option options[] = {
    {.name = "fields",
     .type = TR_TYPE_STRING,
     .flags = TR_OPTION_REQUIRED | TR_OPTION_LIST,
     .offset = TR_NO_OFFSET,
     .help = "paths of what is dropped, such as \"password\" or \"author.mail\""},
};

static tr_status load(tr_self *self, const tr_config *config, tr_error *error)
{
    return tr_paths_bind(self->host, self->doc, config, "fields", &self->fields, error);
}

static tr_status omit_open(const tr_host *host, tr_self **ret_self, tr_error *error)
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

static void omit_close(tr_self *self)
{
    tr_paths_unbind(self->doc, &self->fields);
    free(self);
}

static tr_status omit_check(const tr_host *host, const tr_config *config, tr_error *error)
{
    return tr_check_instance(omit_open, load, omit_close, host, config, error);
}

/* What is not there is omitted. What is there and stays must not go on as if it were not. */
static tr_status omit_transform(tr_self *self, const tr_batch *batch, const tr_change *change,
                                tr_doc *doc, tr_error *error)
{
    tr_str there;

    (void)batch, (void)change;
    for (uint32_t i = 0; i < self->fields.count; i++) {
        const tr_path *field = self->fields.items[i];

        if (self->doc->remove(doc, field) != TR_OK &&
            self->doc->get(doc, field, &there) == TR_OK)
            return tr_fail(error, TR_REJECT,
                           "field number %u is within a list and cannot be omitted; omit the "
                           "list",
                           (unsigned)i + 1);
    }
    return TR_OK;
}

static const tr_plugin omit = {
    TR_DESCRIPTOR("omit", "1.0.0", "drops the fields that are named"),
    .license = "Apache-2.0",
    .caps = TR_CAP_NEVER_BLOCKS | TR_CAP_CONCURRENT | TR_CAP_NEEDS_DOC,
    TR_OPTIONS(options),
    .check = omit_check,
    .open = omit_open,
    .configure = load,
    .transform = omit_transform,
    .close = omit_close,
};

TR_PLUGIN(omit)
