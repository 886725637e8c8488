/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lua: logic of a few lines, as a transform of a rule or as its plugin, without a compiler.
 *
 * An instance has a Lua state of its own, in which its script has run once; what the script
 * keeps in globals stays as long as the instance. A change at which the script fails is a dead
 * letter and nothing else happens; one at which it was stopped by a limit costs its globals
 * too, since nobody knows what it had half done: the script begins anew. process() and
 * transform() run on the worker, the rest is [control].
 */
#include "script.h"

#include <tailrace/bulk.h>
#include <tailrace/ext/explain.h>

#include <stdatomic.h>

struct tr_self {
    const tr_host *host;
    const tr_json *json;
    const tr_doc_api *doc;
    struct options options;
    struct script *script; /* NULL: it could not be begun anew                              */
    tr_bulk bulk;
    atomic_bool late; /* the batch in hand is                                               */
    char words[WORDS_MAX];
};

/* ---- an instance's life ---- */

/* With all libraries a script may touch files as soon as it runs, which check() must not. */
static tr_status plugin_check(const tr_host *host, const tr_config *config, tr_error *error)
{
    const tr_json *json = tr_need_ext(host, TR_EXT_JSON, error);
    struct options options = {0};
    struct script *script = NULL;
    tr_status status = json ? options_read(&options, host, json, config, error) : TR_ENOSYS;

    if (status == TR_OK)
        status = script_new(host, json, &options, options.libraries == LIBRARIES_SAFE, &script,
                            error);
    script_free(script);
    options_fini(&options);
    return status;
}

static tr_status plugin_open(const tr_host *host, tr_self **ret_self, tr_error *error)
{
    const tr_json *json = tr_need_ext(host, TR_EXT_JSON, error);
    const tr_doc_api *doc = tr_need_ext(host, TR_EXT_DOC, error);
    tr_self *self;

    if (!json || !doc)
        return TR_ENOSYS;
    self = calloc(1, sizeof(*self));
    if (!self)
        return tr_fail(error, TR_EAGAIN, "out of memory");
    self->host = host;
    self->json = json;
    self->doc = doc;
    *ret_self = self;
    return TR_OK;
}

/* The script is run here and not in start(), which `tailrace explain` does not call. */
static tr_status plugin_configure(tr_self *self, const tr_config *config, tr_error *error)
{
    tr_status status = options_read(&self->options, self->host, self->json, config, error);

    script_free(self->script);
    self->script = NULL;
    if (status == TR_OK)
        status = script_new(self->host, self->json, &self->options, true, &self->script, error);
    return status;
}

static void plugin_close(tr_self *self)
{
    script_free(self->script);
    options_fini(&self->options);
    tr_bulk_fini(&self->bulk);
    free(self);
}

/* ---- a change ---- */

static void begin(tr_self *self)
{
    char text[WORDS_MAX] = "";
    tr_error error = {.size = sizeof(error), .cap = sizeof(text), .buf = text};

    if (script_new(self->host, self->json, &self->options, true, &self->script, &error) !=
        TR_OK)
        tr_logf(self->host, TR_LOG_ERROR, "the script cannot begin anew: %s", text);
}

/* After a limit. If there is no script then, the next change tries once more. */
static void begin_anew(tr_self *self)
{
    script_free(self->script);
    self->script = NULL;
    tr_logf(self->host, TR_LOG_WARNING, "%s; the script begins anew, its globals are lost",
            self->words);
    begin(self);
}

/* Whether there is such a function to call; in bad cases `words` say why. */
static bool has(tr_self *self, bool is_transform)
{
    const char *name = is_transform ? "transform" : "handle";

    if (!self->script)
        begin(self);
    if (!self->script)
        snprintf(self->words, sizeof(self->words),
                 "the script could not begin anew after it "
                 "was stopped");
    else if (is_transform ? !self->script->transforms : !self->script->handles)
        snprintf(self->words, sizeof(self->words), "%.100s has no function %s(doc, change)",
                 self->options.name + 1, name);
    else
        return true;
    return false;
}

static tr_status plugin_transform(tr_self *self, const tr_batch *batch, const tr_change *change,
                                  tr_doc *doc, tr_error *error)
{
    int verdict = VERDICT_SAME;

    if (!has(self, true))
        return tr_fail(error, TR_FATAL, "%s", self->words);
    switch (transform_run(self->script, batch, change, self->doc->text(doc), &verdict,
                          self->words)) {
    case ENTERED_STOPPED: begin_anew(self); return tr_fail(error, TR_REJECT, "%s", self->words);
    case ENTERED_SHORT: begin_anew(self); return tr_fail(error, TR_RETRY, "%s", self->words);
    case ENTERED_ERROR: return tr_fail(error, TR_REJECT, "%s", self->words);
    default: break;
    }
    if (verdict == VERDICT_SKIP)
        return TR_SKIP;
    if (verdict == VERDICT_CHANGED &&
        self->doc->replace(doc, tr_str_n(self->script->out.ptr, self->script->out.len)) !=
            TR_OK)
        return tr_fail(error, TR_REJECT, "what transform() returned is no document");
    return TR_OK;
}

/* Whether an earlier state of the same document is to come again: then this one comes after it.
 */
static bool must_wait(const tr_bulk *bulk, uint32_t i)
{
    uint32_t count;
    const tr_bulk_key *key = tr_bulk_find(bulk, tr_batch_at(bulk->batch, i)->id, &count);

    for (; key && count > 0 && key->i < i; key++, count--)
        if (tr_bulk_is_open(bulk, key->i))
            return true;
    return false;
}

static void handle(tr_self *self, const tr_batch *batch, uint32_t i)
{
    tr_status status = TR_OK;
    uint32_t after_ms = 0;
    int rc = handle_run(self->script, batch, tr_batch_at(batch, i), &status, &after_ms,
                        self->words);

    if (rc == ENTERED_SHORT)
        tr_bulk_fail(&self->bulk, 0, "%s", self->words);
    else if (rc != ENTERED_WELL || status == TR_REJECT)
        tr_bulk_reject(&self->bulk, i, "%s", self->words);
    else if (status == TR_RETRY)
        tr_bulk_fail(&self->bulk, after_ms, "%s", self->words);
    else
        tr_bulk_accept(&self->bulk, i);
    if (rc == ENTERED_STOPPED || rc == ENTERED_SHORT)
        begin_anew(self);
}

static tr_status plugin_process(tr_self *self, const tr_batch *batch, tr_outcome *ret_outcome)
{
    tr_bulk *bulk = &self->bulk;

    atomic_store(&self->late, false);
    if (!has(self, false))
        return tr_finish(ret_outcome, TR_FATAL, self->words);
    if (tr_bulk_init(bulk, batch, 0) != TR_OK)
        return tr_finish(ret_outcome, TR_RETRY, "out of memory");
    for (uint32_t i = 0; i < batch->count && self->script; i++) {
        if (must_wait(bulk, i))
            continue;
        handle(self, batch, i);
        if (atomic_load(&self->late) && i + 1 < batch->count) {
            tr_bulk_fail(bulk, 1, "the batch took longer than the rule's timeout");
            break;
        }
    }
    if (!self->script)
        tr_bulk_fail(bulk, 1, "the script could not begin anew");
    return tr_bulk_finish(bulk, ret_outcome);
}

static void plugin_cancel(tr_self *self, tr_ticket ticket)
{
    (void)ticket;
    atomic_store(&self->late, true);
}

/* ---- tr.explain/1 ---- */

static tr_status plugin_explain(tr_self *self, const tr_batch *batch,
                                void (*line)(void *user, tr_str text), void *user)
{
    if (!has(self, false)) {
        line(user, tr_str_c(self->words));
        return TR_EINVAL;
    }
    for (uint32_t i = 0; i < batch->count; i++) {
        tr_str id = tr_batch_at(batch, i)->id;

        snprintf(self->words, sizeof(self->words),
                 "call handle(doc, change) of %.100s for %.*s", self->options.name + 1,
                 (int)(id.len < 100 ? id.len : 100), id.ptr);
        line(user, tr_str_c(self->words));
    }
    return TR_OK;
}

static const void *plugin_get_ext(const char *id)
{
    static const tr_explain table = {.size = sizeof(table), .explain = plugin_explain};

    return strcmp(id, TR_EXT_EXPLAIN) == 0 ? &table : NULL;
}

static const tr_plugin plugin = {
    TR_DESCRIPTOR("lua", "1.0.0", "transforms or handles changes by a script in Lua"),
    .license = "Apache-2.0",
    TR_OPTIONS(options_table),
    .check = plugin_check,
    .open = plugin_open,
    .configure = plugin_configure,
    .process = plugin_process,
    .cancel = plugin_cancel,
    .close = plugin_close,
    .get_ext = plugin_get_ext,
    .transform = plugin_transform,
};

TR_PLUGIN(plugin)
