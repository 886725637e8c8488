/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugin of the cli's tests: its outcomes are written in the documents.
 *
 *     {"_id":"a"}                  ok
 *     {"_id":"b","reject":true}    rejected, until the file of the option `gate` exists
 *     {"_id":"c","retry":true}     once retried, then ok
 *     {"_id":"d","fatal":true}     the instance is broken
 *
 * The tests compile it themselves (cli.js).
 */
#include <tailrace/ext/explain.h>
#include <tailrace/sdk.h>

#include <unistd.h>

struct self {
    const tr_host *host;
    char *prefix, *gate, *token;
    int64_t count, pause, room;
    int32_t level, loud;
};

static const char *const levels[] = {"low", "high", NULL};

static const tr_option limits[] = {
    {.name = "rate",
     .type = TR_TYPE_INT,
     .dflt = "5",
     .min = 1,
     .max = 9,
     .offset = TR_NO_OFFSET,
     .help = "how many"},
    {.name = NULL},
};

static const tr_option options[] = {
    {.name = "prefix",
     .type = TR_TYPE_STRING,
     .flags = TR_OPTION_LIVE,
     .dflt = "doc",
     .offset = offsetof(struct self, prefix),
     .help = "what explain says first"},
    {.name = "gate",
     .type = TR_TYPE_PATH,
     .offset = offsetof(struct self, gate),
     .help = "rejects nothing once this file exists"},
    {.name = "token",
     .type = TR_TYPE_SECRET,
     .offset = offsetof(struct self, token),
     .help = "a secret"},
    {.name = "count",
     .type = TR_TYPE_INT,
     .dflt = "3",
     .min = 1,
     .max = 10,
     .offset = offsetof(struct self, count),
     .help = "a number"},
    {.name = "pause",
     .type = TR_TYPE_DURATION,
     .dflt = "2s",
     .min = 1000,
     .max = 3600000,
     .offset = offsetof(struct self, pause),
     .help = "a time"},
    {.name = "room",
     .type = TR_TYPE_SIZE,
     .dflt = "64KB",
     .min = 1024,
     .max = 1048576,
     .offset = offsetof(struct self, room),
     .help = "a size"},
    {.name = "level",
     .type = TR_TYPE_ENUM,
     .choices = levels,
     .dflt = "low",
     .offset = offsetof(struct self, level),
     .help = "a choice"},
    {.name = "loud",
     .type = TR_TYPE_BOOL,
     .dflt = "false",
     .offset = offsetof(struct self, loud),
     .help = "a switch"},
    {.name = "tags",
     .type = TR_TYPE_STRING,
     .flags = TR_OPTION_LIST,
     .offset = TR_NO_OFFSET,
     .help = "words"},
    {.name = "limits",
     .type = TR_TYPE_GROUP,
     .group = limits,
     .offset = TR_NO_OFFSET,
     .help = "bounds"},
    {.name = "params", .type = TR_TYPE_GROUP, .offset = TR_NO_OFFSET, .help = "anything"},
};
enum { OPTIONS = sizeof(options) / sizeof(options[0]) };

static tr_status check(const tr_host *host, const tr_config *config, tr_error *error)
{
    tr_value value = {.size = sizeof(value)};

    if (host->config_get(config, "prefix", 0, &value) == TR_OK && value.s.len == 3 &&
        memcmp(value.s.ptr, "bad", 3) == 0)
        return tr_fail(error, TR_EINVAL, "prefix may not be bad");
    return TR_OK;
}

static tr_status open_(const tr_host *host, tr_self **ret_self, tr_error *error)
{
    struct self *self = calloc(1, sizeof(*self));

    (void)error;
    if (!self)
        return TR_EAGAIN;
    self->host = host;
    *ret_self = (tr_self *)(void *)self;
    return TR_OK;
}

static tr_status configure(tr_self *opaque, const tr_config *config, tr_error *error)
{
    struct self *self = (struct self *)(void *)opaque;

    return tr_bind(self->host, config, options, OPTIONS, self, error);
}

static int says(const tr_change *change, const char *word)
{
    return change->doc.len > 0 && memmem(change->doc.ptr, change->doc.len, word, strlen(word));
}

static int32_t judge(const struct self *self, const tr_change *change)
{
    if (says(change, "\"fatal\":true"))
        return TR_FATAL;
    if (says(change, "\"retry\":true") && change->attempt == 1)
        return TR_RETRY;
    if (says(change, "\"reject\":true") && !(self->gate && access(self->gate, F_OK) == 0))
        return TR_REJECT;
    return TR_OK;
}

static tr_status process(tr_self *opaque, const tr_batch *batch, tr_outcome *outcome)
{
    static int32_t items[100000];
    const struct self *self = (const struct self *)(const void *)opaque;

    for (uint32_t i = 0; i < batch->count; i++) {
        items[i] = judge(self, tr_batch_at(batch, i));
        if (items[i] == TR_FATAL)
            return tr_finish(outcome, TR_FATAL, "a fatal document");
        if (items[i] != TR_OK)
            outcome->status = items[i];
    }
    outcome->items = items;
    outcome->items_count = batch->count;
    outcome->message = tr_str_c("as the document says");
    return outcome->status;
}

static void close_(tr_self *opaque)
{
    struct self *self = (struct self *)(void *)opaque;

    tr_unbind(options, OPTIONS, self);
    free(self);
}

static tr_status explain(tr_self *opaque, const tr_batch *batch,
                         void (*line)(void *user, tr_str text), void *user)
{
    const struct self *self = (const struct self *)(const void *)opaque;

    for (uint32_t i = 0; i < batch->count; i++) {
        const tr_change *change = tr_batch_at(batch, i);
        char text[256];
        snprintf(text, sizeof(text), "%s %.*s %.*s of %.*s for %.*s", self->prefix,
                 (int)change->id.len, change->id.ptr, (int)change->rev.len, change->rev.ptr,
                 (int)batch->db.len, batch->db.ptr, (int)batch->rule.len, batch->rule.ptr);
        line(user, tr_str_c(text));
    }
    return TR_OK;
}

static const void *get_ext(const char *id)
{
    static const tr_explain table = {.size = sizeof(table), .explain = explain};

    return strcmp(id, TR_EXT_EXPLAIN) == 0 ? &table : NULL;
}

const tr_plugin *tr_plugin_v1(void)
{
    static const tr_plugin plugin = {
        .size = sizeof(plugin),
        .abi_minor = TR_ABI_MINOR,
        .name = "cli-plugin",
        .version = "1.2.3",
        .summary = "does as its documents say",
        .license = "Apache-2.0",
        .options = options,
        .options_count = OPTIONS,
        .options_stride = sizeof(tr_option),
        .check = check,
        .open = open_,
        .configure = configure,
        .process = process,
        .close = close_,
        .get_ext = get_ext,
    };

    return &plugin;
}
