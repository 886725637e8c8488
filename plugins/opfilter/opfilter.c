/* SPDX-License-Identifier: Apache-2.0 */
/*
 * opfilter: lets inserts, updates or deletes pass, and settles the others.
 *
 * A transform: it stands in a rule's list of transforms and sees each change before the rule's
 * plugin does. transform() runs on that plugin's worker. It needs no document.
 */
#include <tailrace/sdk.h>

enum { INSERT, UPDATE, DELETE };

static const char *const operations[] = {"insert", "update", "delete", NULL};

struct tr_self {
    const tr_host *host;
    uint32_t allowed; /* a bit for each operation                                          */
};

static const tr_option options[] = {
    {.name = "whitelist",
     .type = TR_TYPE_ENUM,
     .flags = TR_OPTION_LIST,
     .choices = operations,
     .offset = TR_NO_OFFSET,
     .help = "operations that pass"},
    {.name = "blacklist",
     .type = TR_TYPE_ENUM,
     .flags = TR_OPTION_LIST,
     .choices = operations,
     .offset = TR_NO_OFFSET,
     .help = "operations that do not pass, instead of a whitelist"},
};

/* The operations of a list as bits. */
static tr_status read_list(const tr_host *host, const tr_config *config, const char *list,
                           uint32_t *ret_bits, tr_error *error)
{
    tr_value value = {.size = sizeof(value)};
    uint32_t bits = 0;

    for (uint32_t i = 0; host->config_get(config, list, i, &value) == TR_OK; i++) {
        if (bits & 1u << value.i)
            return tr_fail(error, TR_EINVAL, "%s: \"%s\" is there twice; take one out", list,
                           operations[value.i]);
        bits |= 1u << value.i;
    }
    *ret_bits = bits;
    return TR_OK;
}

static tr_status load(tr_self *self, const tr_config *config, tr_error *error)
{
    const uint32_t all = 1u << INSERT | 1u << UPDATE | 1u << DELETE;
    uint32_t white, black;
    tr_status status = read_list(self->host, config, "whitelist", &white, error);

    if (status == TR_OK)
        status = read_list(self->host, config, "blacklist", &black, error);
    if (status != TR_OK)
        return status;
    if ((white != 0) == (black != 0))
        return tr_fail(error, TR_EINVAL,
                       "%s whitelist and blacklist; set one of them, as whitelist = "
                       "[ \"insert\", \"update\" ]",
                       white ? "there are both" : "there is nothing in");
    if (black == all)
        return tr_fail(error, TR_EINVAL, "the blacklist lets nothing pass; leave out one");
    self->allowed = white ? white : all & ~black;
    return TR_OK;
}

static tr_status opfilter_check(const tr_host *host, const tr_config *config, tr_error *error)
{
    tr_self self = {.host = host};

    return load(&self, config, error);
}

static tr_status opfilter_open(const tr_host *host, tr_self **ret_self, tr_error *error)
{
    tr_self *self = calloc(1, sizeof(*self));

    if (!self)
        return tr_fail(error, TR_EAGAIN, "out of memory");
    self->host = host;
    *ret_self = self;
    return TR_OK;
}

/* A feed does not say it: the first revision of a document is an insert. */
static uint32_t operation_of(const tr_change *change)
{
    if (change->flags & TR_CHANGE_DELETED)
        return DELETE;
    return change->rev.len >= 2 && memcmp(change->rev.ptr, "1-", 2) == 0 ? INSERT : UPDATE;
}

static tr_status opfilter_transform(tr_self *self, const tr_batch *batch,
                                    const tr_change *change, tr_doc *doc, tr_error *error)
{
    (void)batch, (void)doc, (void)error;
    return self->allowed & 1u << operation_of(change) ? TR_OK : TR_SKIP;
}

static void opfilter_close(tr_self *self)
{
    free(self);
}

static const tr_plugin opfilter = {
    TR_DESCRIPTOR("opfilter", "1.0.0", "lets inserts, updates or deletes pass"),
    .license = "Apache-2.0",
    .caps = TR_CAP_NEVER_BLOCKS | TR_CAP_CONCURRENT,
    TR_OPTIONS(options),
    .check = opfilter_check,
    .open = opfilter_open,
    .configure = load,
    .transform = opfilter_transform,
    .close = opfilter_close,
};

TR_PLUGIN(opfilter)
