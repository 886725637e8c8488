/* SPDX-License-Identifier: Apache-2.0 */
/*
 * set: puts values at paths: constants, or texts with variables of the change.
 *
 * A transform: it stands in a rule's list of transforms and sees each change before the rule's
 * plugin does. transform() runs on that plugin's worker; the rest is [control].
 */
#include <tailrace/ext/json.h>
#include <tailrace/ext/template.h>
#include <tailrace/transform.h>

/* What is put at one path: `json` or `raw`, or what `tmpl` gives for the change. */
struct field {
    char *path_text, *json;
    int32_t overwrite;
    tr_path *path;
    tr_template *tmpl;
    char *raw;
    size_t raw_len;
};

struct tr_self {
    const tr_host *host;
    const tr_doc_api *doc;
    const tr_json *json;
    const tr_template_api *tmpl;
    struct field *fields;
    uint32_t count;
    char *rendered; /* room for what a template gives                                      */
    size_t rendered_cap;
};

#define AT(member_) offsetof(struct field, member_)

static const tr_option field_options[] = {
    {.name = "path",
     .type = TR_TYPE_STRING,
     .flags = TR_OPTION_REQUIRED,
     .offset = AT(path_text),
     .help = "where to, such as \"meta.source\"; objects on the way are made"},
    {.name = "value",
     .type = TR_TYPE_ANY,
     .offset = TR_NO_OFFSET,
     .help = "a value, as it is written; a text may hold $db_name, $seq, $change.id, "
             "$change.rev and $change.FIELD"},
    {.name = "json",
     .type = TR_TYPE_STRING,
     .offset = AT(json),
     .help = "the value as JSON, instead of value: null, or what else a file cannot say"},
    {.name = "overwrite",
     .type = TR_TYPE_BOOL,
     .dflt = "true",
     .offset = AT(overwrite),
     .help = "false: what is there, even null, is left as it is"},
    {.name = NULL},
};

static const tr_option options[] = {
    {.name = "fields",
     .type = TR_TYPE_GROUP,
     .flags = TR_OPTION_REQUIRED | TR_OPTION_LIST,
     .group = field_options,
     .help = "what is set, in this order"},
};

enum { FIELD_OPTIONS_COUNT = sizeof(field_options) / sizeof(field_options[0]) - 1 };

/* ---- options ---- */

static void unload(tr_self *self)
{
    for (uint32_t i = 0; i < self->count; i++) {
        struct field *field = &self->fields[i];

        self->doc->path_free(field->path);
        if (field->tmpl)
            self->tmpl->free(field->tmpl);
        free(field->raw);
        tr_unbind(field_options, FIELD_OPTIONS_COUNT, field);
    }
    free(self->fields);
    self->fields = NULL;
    self->count = 0;
}

/* A tree as the text that is put into documents. */
static tr_status load_tree(tr_self *self, struct field *field, const tr_json_value *root,
                           tr_error *error)
{
    (void)self->json->dump(root, NULL, 0, &field->raw_len);
    field->raw = malloc(field->raw_len);
    if (!field->raw ||
        self->json->dump(root, field->raw, field->raw_len, &field->raw_len) != TR_OK)
        return tr_fail(error, TR_EAGAIN, "out of memory");
    return TR_OK;
}

static tr_status load_value(tr_self *self, const tr_config *config, uint32_t idx,
                            tr_error *error)
{
    struct field *field = &self->fields[idx];
    tr_value value = {.size = sizeof(value)};
    tr_json_value *root = NULL;
    char option[64];
    tr_status status;

    snprintf(option, sizeof(option), "fields.%u.value", (unsigned)idx);
    status = self->host->config_get(config, option, 0, &value);
    if ((status == TR_OK) == (field->json != NULL))
        status = tr_fail(error, TR_EINVAL, "fields: \"%s\" has %s value and json; set one",
                         field->path_text, field->json ? "both" : "neither");
    else if (field->json)
        status = self->json->parse(tr_str_c(field->json), &root, error);
    else if (value.type == TR_TYPE_STRING)
        return self->tmpl->compile(value.s, TR_PLACE_JSON, &field->tmpl, error);
    else
        status = self->json->from_config(config, option, &root);
    /* The option's own text goes in as it is: a number keeps all its digits. */
    if (status == TR_OK && !field->json)
        status = load_tree(self, field, root, error);
    self->json->free(root);
    return status;
}

static tr_status load_field(tr_self *self, const tr_config *config, uint32_t idx,
                            tr_error *error)
{
    struct field *field = &self->fields[idx];
    tr_status status = tr_bind_item(self->host, config, "fields", idx, field_options,
                                    FIELD_OPTIONS_COUNT, field, error);

    if (status == TR_OK)
        status = self->doc->path_new(tr_str_c(field->path_text), &field->path, error);
    for (uint32_t i = 0; i < idx && status == TR_OK; i++)
        if (tr_path_is_within(tr_str_c(self->fields[i].path_text), tr_str_c(field->path_text)))
            status = tr_fail(
                error, TR_EINVAL,
                "fields: \"%s\" would be written over by \"%s\"; change their order, "
                "or take one out",
                self->fields[i].path_text, field->path_text);
    return status == TR_OK ? load_value(self, config, idx, error) : status;
}

static tr_status load(tr_self *self, const tr_config *config, tr_error *error)
{
    uint32_t count = tr_list_count(self->host, config, "fields");
    tr_status status = TR_OK;

    unload(self);
    if (count == 0)
        return tr_fail(error, TR_EINVAL,
                       "fields is empty; write ( { path = \"a\"; value = 1; } )");
    self->fields = calloc(count, sizeof(*self->fields));
    if (!self->fields)
        return tr_fail(error, TR_EAGAIN, "out of memory");
    while (self->count < count && status == TR_OK) {
        self->count++;
        status = load_field(self, config, self->count - 1, error);
    }
    return status;
}

/* ---- an instance's life ---- */

static tr_status set_open(const tr_host *host, tr_self **ret_self, tr_error *error)
{
    const tr_doc_api *doc = tr_need_ext(host, TR_EXT_DOC, error);
    const tr_json *json = tr_need_ext(host, TR_EXT_JSON, error);
    const tr_template_api *tmpl = tr_need_ext(host, TR_EXT_TEMPLATE, error);
    tr_self *self = doc && json && tmpl ? calloc(1, sizeof(*self)) : NULL;

    if (!self)
        return doc && json && tmpl ? tr_fail(error, TR_EAGAIN, "out of memory") : TR_ENOSYS;
    self->host = host;
    self->doc = doc;
    self->json = json;
    self->tmpl = tmpl;
    *ret_self = self;
    return TR_OK;
}

static void set_close(tr_self *self)
{
    unload(self);
    free(self->rendered);
    free(self);
}

static tr_status set_check(const tr_host *host, const tr_config *config, tr_error *error)
{
    return tr_check_instance(set_open, load, set_close, host, config, error);
}

/* ---- changes ---- */

static tr_status value_of(tr_self *self, const struct field *field, const tr_batch *batch,
                          const tr_change *change, tr_str *ret_raw)
{
    size_t len = 0;
    tr_status status;

    if (!field->tmpl) {
        *ret_raw = field->json ? tr_str_c(field->json) : tr_str_n(field->raw, field->raw_len);
        return TR_OK;
    }
    status = self->tmpl->render(field->tmpl, batch, change, self->rendered, self->rendered_cap,
                                &len);
    if (status == TR_EINVAL && len > self->rendered_cap) {
        char *grown = realloc(self->rendered, len);

        if (!grown)
            return TR_RETRY;
        self->rendered = grown;
        self->rendered_cap = len;
        status = self->tmpl->render(field->tmpl, batch, change, grown, len, &len);
    }
    *ret_raw = tr_str_n(self->rendered, len);
    return status;
}

/* A value that did not get to its place. */
static tr_status refuse(const struct field *field, tr_status status, tr_error *error)
{
    if (status == TR_RETRY)
        return tr_fail(error, TR_RETRY, "out of memory");
    if (status != TR_ENOENT)
        return tr_fail(error, TR_REJECT,
                       "\"%s\" cannot be set: its value for this change is no JSON",
                       field->path_text);
    return tr_fail(error, TR_REJECT,
                   "\"%s\" cannot be set: something on the way to it is no object",
                   field->path_text);
}

static tr_status set_transform(tr_self *self, const tr_batch *batch, const tr_change *change,
                               tr_doc *doc, tr_error *error)
{
    /* Where there is no document nothing is set. */
    for (uint32_t i = 0; i < self->count && change->doc.len > 0; i++) {
        const struct field *field = &self->fields[i];
        tr_str raw;
        tr_status status;

        if (!field->overwrite && self->doc->get(doc, field->path, &raw) == TR_OK)
            continue;
        status = value_of(self, field, batch, change, &raw);
        if (status == TR_OK)
            status = self->doc->set(doc, field->path, raw);
        if (status != TR_OK)
            return refuse(field, status, error);
    }
    return TR_OK;
}

static const tr_plugin set = {
    TR_DESCRIPTOR("set", "1.0.0", "puts values into documents"),
    .license = "Apache-2.0",
    .caps = TR_CAP_NEVER_BLOCKS | TR_CAP_CONCURRENT | TR_CAP_NEEDS_DOC,
    TR_OPTIONS(options),
    .check = set_check,
    .open = set_open,
    .configure = load,
    .transform = set_transform,
    .close = set_close,
};

TR_PLUGIN(set)
