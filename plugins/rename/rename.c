/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rename: moves fields to other names or places, one after the other in the order that is
 * written.
 *
 * A transform: it stands in a rule's list of transforms and sees each change before the rule's
 * plugin does. transform() runs on that plugin's worker.
 */
#include <tailrace/transform.h>

struct move {
    tr_path *from, *to;
    char *from_text, *to_text; /* for messages                                             */
};

struct tr_self {
    const tr_host *host;
    const tr_doc_api *doc;
    struct move *moves;
    uint32_t count;
};

#define AT(member_) offsetof(struct move, member_)

static const tr_option move_options[] = {
    {.name = "from",
     .type = TR_TYPE_STRING,
     .flags = TR_OPTION_REQUIRED,
     .offset = AT(from_text),
     .help = "path of a field, such as \"author.name\""},
    {.name = "to",
     .type = TR_TYPE_STRING,
     .flags = TR_OPTION_REQUIRED,
     .offset = AT(to_text),
     .help = "path that it has afterwards; objects on the way are made"},
    {.name = NULL},
};

static const tr_option options[] = {
    {.name = "fields",
     .type = TR_TYPE_GROUP,
     .flags = TR_OPTION_REQUIRED | TR_OPTION_LIST,
     .group = move_options,
     .help = "what is renamed, in this order"},
};

enum { MOVE_OPTIONS_COUNT = sizeof(move_options) / sizeof(move_options[0]) - 1 };

/* ---- options ---- */

static void unload(tr_self *self)
{
    for (uint32_t i = 0; i < self->count; i++) {
        self->doc->path_free(self->moves[i].from);
        self->doc->path_free(self->moves[i].to);
        tr_unbind(move_options, MOVE_OPTIONS_COUNT, &self->moves[i]);
    }
    free(self->moves);
    self->moves = NULL;
    self->count = 0;
}

static int is_same(const char *a, const char *b)
{
    return tr_path_is_within(tr_str_c(a), tr_str_c(b)) &&
           tr_path_is_within(tr_str_c(b), tr_str_c(a));
}

/* Whether a move and one that comes before it defeat each other. */
static tr_status judge_pair(const struct move *earlier, const struct move *later,
                            tr_error *error)
{
    if (tr_path_is_within(tr_str_c(later->from_text), tr_str_c(earlier->from_text)))
        return tr_fail(error, TR_EINVAL,
                       "fields: \"%s\" cannot be renamed once \"%s\" was; change their order, "
                       "or take one out",
                       later->from_text, earlier->from_text);
    if (tr_path_is_within(tr_str_c(earlier->to_text), tr_str_c(later->to_text)))
        return tr_fail(error, TR_EINVAL,
                       "fields: \"%s\", renamed to \"%s\", would be written over by \"%s\"",
                       earlier->from_text, earlier->to_text, later->from_text);
    if (is_same(earlier->to_text, later->from_text))
        return tr_fail(error, TR_EINVAL,
                       "fields: \"%s\" is renamed to \"%s\", and that again to \"%s\"; change "
                       "their order, or put one into another rename",
                       earlier->from_text, earlier->to_text, later->to_text);
    return TR_OK;
}

/* The last of `count` moves, and with those before it. */
static tr_status judge(const struct move *moves, uint32_t count, tr_error *error)
{
    const struct move *last = &moves[count - 1];
    tr_status status = TR_OK;

    if (is_same(last->from_text, last->to_text))
        return tr_fail(error, TR_EINVAL, "fields: \"%s\" is renamed to itself; take it out",
                       last->from_text);
    for (uint32_t i = 0; i + 1 < count && status == TR_OK; i++)
        status = judge_pair(&moves[i], last, error);
    return status;
}

static tr_status load(tr_self *self, const tr_config *config, tr_error *error)
{
    const tr_doc_api *doc = self->doc;
    uint32_t count = tr_list_count(self->host, config, "fields");
    tr_status status = TR_OK;

    unload(self);
    if (count == 0)
        return tr_fail(error, TR_EINVAL,
                       "fields is empty; write ( { from = \"a\"; to = \"b\"; } )");
    self->moves = calloc(count, sizeof(*self->moves));
    if (!self->moves)
        return tr_fail(error, TR_EAGAIN, "out of memory");
    while (self->count < count && status == TR_OK) {
        struct move *move = &self->moves[self->count];

        status = tr_bind_item(self->host, config, "fields", self->count++, move_options,
                              MOVE_OPTIONS_COUNT, move, error);
        if (status == TR_OK)
            status = doc->path_new(tr_str_c(move->from_text), &move->from, error);
        if (status == TR_OK)
            status = doc->path_new(tr_str_c(move->to_text), &move->to, error);
        if (status == TR_OK)
            status = judge(self->moves, self->count, error);
    }
    return status;
}

/* ---- an instance's life ---- */

static tr_status rename_open(const tr_host *host, tr_self **ret_self, tr_error *error)
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

static void rename_close(tr_self *self)
{
    unload(self);
    free(self);
}

static tr_status rename_check(const tr_host *host, const tr_config *config, tr_error *error)
{
    return tr_check_instance(rename_open, load, rename_close, host, config, error);
}

/* What is not there has no name to change. What is there and cannot move must not go on under
 * its old name, as if it had been renamed. */
static tr_status rename_transform(tr_self *self, const tr_batch *batch, const tr_change *change,
                                  tr_doc *doc, tr_error *error)
{
    tr_str there;

    (void)batch, (void)change;
    for (uint32_t i = 0; i < self->count; i++) {
        const struct move *move = &self->moves[i];

        if (self->doc->rename(doc, move->from, move->to) != TR_OK &&
            self->doc->get(doc, move->from, &there) == TR_OK)
            return tr_fail(error, TR_REJECT,
                           "\"%s\" cannot be renamed to \"%s\": it is within a list, or "
                           "something on the way to its new place is no object",
                           move->from_text, move->to_text);
    }
    return TR_OK;
}

static const tr_plugin rename_fields = {
    TR_DESCRIPTOR("rename", "1.0.0", "moves fields to other names"),
    .license = "Apache-2.0",
    .caps = TR_CAP_NEVER_BLOCKS | TR_CAP_CONCURRENT | TR_CAP_NEEDS_DOC,
    TR_OPTIONS(options),
    .check = rename_check,
    .open = rename_open,
    .configure = load,
    .transform = rename_transform,
    .close = rename_close,
};

TR_PLUGIN(rename_fields)
