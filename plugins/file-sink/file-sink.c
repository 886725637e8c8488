/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file-sink: appends changes to files or to standard output, a line of JSON each.
 *
 * A batch is of one database and so goes to one file. It is answered when it is on the disk, so
 * an answer waits for the disk, not for the page cache. Everything runs on the instance's
 * worker.
 */
#include "sink.h"

#include <tailrace/ext/explain.h>
#include <tailrace/ext/timer.h>

enum { HOUR_S = 3600 };

static const char *const whats[] = {"row", "doc", "envelope", NULL};
static const char *const fsyncs[] = {"batch", "interval", "never", NULL};

#define AT(member_) offsetof(struct options, member_)

static const tr_option options_table[] = {
    {.name = "path",
     .type = TR_TYPE_STRING,
     .flags = TR_OPTION_REQUIRED | TR_OPTION_OPERATOR,
     .offset = AT(path),
     .help = "where to: a path, which may hold ${db_name}, ${date}, ${year}, ${month}, "
             "${day} and ${hour}, in UTC, or \"-\" for standard output"},
    {.name = "what",
     .type = TR_TYPE_ENUM,
     .choices = whats,
     .dflt = "row",
     .offset = AT(what),
     .help = "the row of the feed, its document, or {\"db\",\"seq\",\"id\",\"change\": row}"},
    {.name = "rotate_size",
     .type = TR_TYPE_SIZE,
     .dflt = "0",
     .min = 0,
     .max = INT64_MAX,
     .offset = AT(rotate_size),
     .help = "begin a new file before this one is longer; 0: never"},
    {.name = "rotate_keep",
     .type = TR_TYPE_INT,
     .dflt = "5",
     .min = 1,
     .max = 1000,
     .offset = AT(rotate_keep),
     .help = "old files kept, as PATH.1, PATH.2 and so on"},
    {.name = "fsync",
     .type = TR_TYPE_ENUM,
     .choices = fsyncs,
     .dflt = "batch",
     .offset = AT(fsync),
     .help = "when a batch counts as done: on the disk, or written and synced at intervals, or "
             "just written"},
    {.name = "fsync_interval",
     .type = TR_TYPE_DURATION,
     .dflt = "1s",
     .min = 1,
     .max = 3600000,
     .offset = AT(fsync_interval_ms),
     .help = "with fsync = \"interval\""},
    {.name = "mode",
     .type = TR_TYPE_STRING,
     .dflt = "0640",
     .offset = AT(mode),
     .help = "permissions of new files, in octal"},
};

enum { OPTIONS_COUNT = sizeof(options_table) / sizeof(options_table[0]) };

struct tr_self {
    const tr_host *host;
    const tr_template_api *tmpl;
    const tr_timer *timer;
    struct options options;
    struct outputs outputs;
    bool turn_is_set; /* a timer that looks whether the period of the files is over          */
    struct lines lines;
    int32_t *items;
    uint32_t items_cap;
    char message[MESSAGE_MAX];
};

/* ---- options ---- */

static tr_status read_options(const tr_host *host, const tr_config *config,
                              struct options *options, mode_t *ret_mode, tr_error *error)
{
    tr_status status = tr_bind(host, config, options_table, OPTIONS_COUNT, options, error);
    char *end;
    unsigned long mode;

    if (status != TR_OK)
        return status;
    mode = strtoul(options->mode, &end, 8);
    if (*end != '\0' || end == options->mode || mode > 0777 || (mode & 0200) == 0)
        return tr_fail(error, TR_EINVAL,
                       "mode is not an octal number such as \"0640\", or the owner may not "
                       "write");
    *ret_mode = (mode_t)mode;
    return path_check(options->path, error);
}

static tr_status sink_check(const tr_host *host, const tr_config *config, tr_error *error)
{
    struct options options = {0};
    mode_t mode;
    tr_status status = read_options(host, config, &options, &mode, error);

    tr_unbind(options_table, OPTIONS_COUNT, &options);
    return status;
}

/* ---- an instance's life ---- */

static tr_status sink_open(const tr_host *host, tr_self **ret_self, tr_error *error)
{
    tr_self *self = calloc(1, sizeof(*self));

    if (!self)
        return tr_fail(error, TR_EAGAIN, "out of memory");
    self->host = host;
    self->tmpl = host->get_ext(host, TR_EXT_TEMPLATE);
    self->timer = host->get_ext(host, TR_EXT_TIMER);
    if (!self->tmpl || !self->timer) {
        const char *id = self->tmpl ? TR_EXT_TIMER : TR_EXT_TEMPLATE;
        free(self);
        return tr_fail(error, TR_ENOSYS, "this host lacks the extension %s", id);
    }
    *ret_self = self;
    return TR_OK;
}

static tr_status sink_configure(tr_self *self, const tr_config *config, tr_error *error)
{
    const struct options *options = &self->options;
    struct output_settings *settings = &self->outputs.settings;
    tr_status status;

    outputs_fini(&self->outputs);
    status = read_options(self->host, config, &self->options, &settings->mode, error);
    if (status != TR_OK)
        return status;
    self->outputs.path = options->path;
    settings->host = self->host;
    settings->fixed = path_fixed(options->path);
    settings->fsync = options->fsync;
    settings->fsync_interval_ms = options->fsync_interval_ms;
    settings->rotate_size = (off_t)options->rotate_size;
    settings->rotate_keep = (int)options->rotate_keep;
    return TR_OK;
}

static tr_status sink_flush(tr_self *self, int64_t deadline_ms)
{
    tr_status status = outputs_sync(&self->outputs, self->message);

    (void)deadline_ms;
    if (status != TR_OK)
        tr_logf(self->host, TR_LOG_ERROR, "%s", self->message);
    return status;
}

static tr_status sink_stop(tr_self *self, int64_t deadline_ms)
{
    (void)deadline_ms;
    outputs_fini(&self->outputs);
    return TR_OK;
}

static void sink_close(tr_self *self)
{
    outputs_fini(&self->outputs);
    lines_fini(&self->lines);
    free(self->items);
    tr_unbind(options_table, OPTIONS_COUNT, &self->options);
    free(self);
}

/* ---- the turn of the day ---- */

static void set_turn(tr_self *self);

/* Nothing came since: a file of yesterday is not kept open for a batch of tomorrow. */
static void on_turn(void *user)
{
    tr_self *self = user;

    self->turn_is_set = false;
    if (outputs_turn(&self->outputs, time(NULL), self->message) != TR_OK)
        tr_logf(self->host, TR_LOG_ERROR, "%s", self->message);
    set_turn(self);
}

/* At the next full hour, the shortest period there is. */
static void set_turn(tr_self *self)
{
    uint32_t left_ms = (uint32_t)(HOUR_S - time(NULL) % HOUR_S) * 1000;
    uint64_t id;

    if (!self->turn_is_set && self->outputs.count > 0 && path_has_time(self->options.path))
        self->turn_is_set = self->timer->set(self->host, left_ms, on_turn, self, &id) == TR_OK;
}

/* ---- batches ---- */

static tr_status finish(tr_self *self, tr_outcome *outcome, tr_status status, const char *why)
{
    if (why != self->message)
        snprintf(self->message, sizeof(self->message), "%s", why);
    return tr_finish(outcome, status, self->message);
}

/* What is no document is rejected by itself; TR_RETRY: no memory. */
static tr_status make_lines(tr_self *self, const tr_batch *batch, uint32_t *ret_rejected)
{
    self->lines.len = 0;
    *ret_rejected = 0;
    if (self->items_cap < batch->count) {
        int32_t *grown = realloc(self->items, batch->count * sizeof(*grown));
        if (!grown)
            return TR_RETRY;
        self->items = grown;
        self->items_cap = batch->count;
    }
    for (uint32_t i = 0; i < batch->count; i++) {
        self->items[i] = line_add(&self->lines, self->tmpl, self->options.what, batch,
                                  tr_batch_at(batch, i));
        if (self->items[i] == TR_RETRY)
            return TR_RETRY;
        *ret_rejected += self->items[i] == TR_REJECT;
    }
    return TR_OK;
}

static tr_status append(tr_self *self, const tr_batch *batch)
{
    tr_status status;

    if (self->lines.len == 0)
        return TR_OK;
    if (path_is_console(self->options.path))
        return console_write(&self->lines, self->message);
    status = outputs_append(&self->outputs, batch->db, time(NULL), &self->lines, self->message);
    set_turn(self);
    return status;
}

static tr_status sink_process(tr_self *self, const tr_batch *batch, tr_outcome *ret_outcome)
{
    uint32_t rejected;
    tr_status status;

    self->message[0] = '\0';
    if (make_lines(self, batch, &rejected) != TR_OK)
        return finish(self, ret_outcome, TR_RETRY, "out of memory");
    status = append(self, batch);
    if (status != TR_OK || rejected == 0)
        return finish(self, ret_outcome, status, self->message);
    ret_outcome->items = self->items;
    ret_outcome->items_count = batch->count;
    return finish(self, ret_outcome, TR_REJECT, "the document is not JSON");
}

static tr_status sink_explain(tr_self *self, const tr_batch *batch,
                              void (*line)(void *user, tr_str text), void *user)
{
    bool console = path_is_console(self->options.path);
    char *path = console ? strdup("standard output")
                         : path_for(self->options.path, batch->db, time(NULL));
    uint32_t rejected;
    tr_status status = path ? make_lines(self, batch, &rejected) : TR_EAGAIN;

    if (status == TR_OK)
        status = explain_lines(path, &self->lines, line, user);
    free(path);
    return status;
}

static const void *sink_get_ext(const char *id)
{
    static const tr_explain table = {.size = sizeof(table), .explain = sink_explain};

    return strcmp(id, TR_EXT_EXPLAIN) == 0 ? &table : NULL;
}

static const tr_plugin file_sink = {
    TR_DESCRIPTOR("file-sink", "1.0.0", "appends changes to files, a line of JSON each"),
    .license = "Apache-2.0",
    TR_OPTIONS(options_table),
    .check = sink_check,
    .open = sink_open,
    .configure = sink_configure,
    .process = sink_process,
    .flush = sink_flush,
    .stop = sink_stop,
    .close = sink_close,
    .get_ext = sink_get_ext,
};

TR_PLUGIN(file_sink)
