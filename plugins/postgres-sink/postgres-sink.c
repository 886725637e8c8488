/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postgres-sink: documents as rows of a PostgreSQL table, each change written once.
 *
 * Here is its descriptor, the life of an instance, and a batch from begin to end; pg.h says
 * what stands where, and why each change is written once. An instance has one connection and
 * waits for it, on a thread of its own.
 */
#include "pg.h"

#include <tailrace/ext/explain.h>

static tr_status pg_open(const tr_host *host, tr_self **ret_self, tr_error *error)
{
    tr_self *self = calloc(1, sizeof(*self));

    if (!self)
        return tr_fail(error, TR_EAGAIN, "out of memory");
    self->host = host;
    self->secrets = host->get_ext(host, TR_EXT_SECRETS);
    self->tmpl = host->get_ext(host, TR_EXT_TEMPLATE);
    if (self->secrets && self->tmpl) {
        *ret_self = self;
        return TR_OK;
    }
    free(self);
    return tr_fail(error, TR_ENOSYS,
                   "this host lacks an extension: tr.secrets/1 and tr.template/1 are needed");
}

static tr_status pg_configure(tr_self *self, const tr_config *config, tr_error *error)
{
    session_close(self);
    options_free(self);
    return options_load(self, config, error);
}

static tr_status pg_check(const tr_host *host, const tr_config *config, tr_error *error)
{
    tr_self self = {.host = host, .tmpl = host->get_ext(host, TR_EXT_TEMPLATE)};
    tr_status status;

    if (!self.tmpl)
        return tr_fail(error, TR_ENOSYS, "this host lacks tr.template/1");
    status = options_load(&self, config, error);
    options_free(&self);
    return status;
}

/* ---- a batch ---- */

tr_status plan_batch(tr_self *self, const tr_batch *batch)
{
    tr_bulk *bulk = &self->bulk;

    if (tr_bulk_init(bulk, batch, TR_BULK_LATEST) != TR_OK)
        return TR_EAGAIN;
    for (uint32_t i = 0; i < batch->count; i++) {
        const tr_change *change = tr_batch_at(batch, i);
        bool deleted = change->flags & TR_CHANGE_DELETED;

        if (deleted && self->options.deletes == DELETES_SKIP)
            tr_bulk_skip(bulk, i);
        else if (change->id.len == 0 || change->rev.len == 0)
            tr_bulk_reject(bulk, i, "the change has no id or no revision");
        else if (!deleted && !(change->flags & TR_CHANGE_HAS_DOC))
            tr_bulk_reject(bulk, i, "the change has no document; set the rule's include_docs");
    }
    return TR_OK;
}

/* A batch that has no table at all: each change by itself, so that the host does not look for
 * the one that is to blame. */
static void refuse(tr_self *self, tr_status status)
{
    if (status == TR_RETRY)
        tr_bulk_fail(&self->bulk, 0, "out of memory");
    for (uint32_t i = 0; status == TR_REJECT && i < self->bulk.batch->count; i++)
        tr_bulk_reject(&self->bulk, i, "%s", self->words);
}

/* For one statement, so that there is time to say what became of it. */
static int64_t statement_deadline(const tr_self *self)
{
    int64_t now = now_ms(), left = self->bulk.batch->deadline_ms - now;

    left -= left > 10000 ? 1000 : left / 10;
    return now + (left < self->options.timeout_ms ? left : self->options.timeout_ms);
}

static tr_status pg_process(tr_self *self, const tr_batch *batch, tr_outcome *ret_outcome)
{
    tr_bulk *bulk = &self->bulk;
    tr_status status;

    if (plan_batch(self, batch) != TR_OK)
        return tr_finish(ret_outcome, TR_RETRY, "out of memory");
    status = names_make(self, batch);
    if (status != TR_OK)
        refuse(self, status);
    else if (batch->flags & TR_BATCH_REPLAY)
        replay_sift(self, statement_deadline(self));
    while (tr_bulk_next(bulk, self->most)) {
        if (statement_deadline(self) > now_ms())
            write_group(self, statement_deadline(self));
        else
            /* A server that got on is slow, not broken: it goes on at once. */
            tr_bulk_fail(bulk, bulk->settled > 0 ? 1 : 0,
                         "the batch's time is over after %u of %u changes; raise the rule's "
                         "timeout, or lower its batch.size",
                         bulk->settled, batch->count);
    }
    return tr_bulk_finish(bulk, ret_outcome);
}

/* ---- the end ---- */

static tr_status pg_stop(tr_self *self, int64_t deadline_ms)
{
    (void)deadline_ms;
    session_close(self);
    return TR_OK;
}

static void pg_close(tr_self *self)
{
    session_close(self);
    options_free(self);
    tr_bulk_fini(&self->bulk);
    tr_text_fini(&self->names.table);
    tr_text_fini(&self->names.position);
    tr_text_fini(&self->names.replaced);
    tr_text_fini(&self->sql);
    free(self);
}

static const void *pg_get_ext(const char *id)
{
    return strcmp(id, TR_EXT_EXPLAIN) == 0 ? explain_table() : NULL;
}

static const tr_plugin postgres_sink = {
    TR_DESCRIPTOR("postgres-sink", "1.0.0", "documents as rows of a PostgreSQL table"),
    .license = "Apache-2.0",
    .caps = TR_CAP_NEEDS_DOC,
    TR_OPTIONS(pg_options),
    .check = pg_check,
    .open = pg_open,
    .configure = pg_configure,
    .process = pg_process,
    .stop = pg_stop,
    .close = pg_close,
    .get_ext = pg_get_ext,
};

TR_PLUGIN(postgres_sink)
