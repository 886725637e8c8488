/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transform: as a transform does what the document's id asks for; as a sink refuses every
 * change and says in the reason which row it saw.
 */
#include "common.h"

#include <tailrace/ext/doc.h>

static int is(const tr_change *change, const char *id)
{
    return tr_str_eq(change->id, tr_str_c(id));
}

/* Counts in the member `passes` how many of its kind the document went through. */
static tr_status count(const tr_doc_api *api, tr_doc *doc, tr_error *error)
{
    tr_path *path = NULL;
    char text[16] = "1";
    tr_status status;
    tr_str raw;

    if (api->path_new(TR_STR("passes"), &path, error) != TR_OK)
        return TR_FATAL;
    if (api->get(doc, path, &raw) == TR_OK)
        snprintf(text, sizeof(text), "%d", atoi(raw.ptr) + 1);
    status = api->set(doc, path, tr_str_c(text));
    api->path_free(path);
    return status == TR_OK ? TR_OK : tr_fail(error, TR_REJECT, "there is no document");
}

static tr_status transform(tr_self *self, const tr_batch *batch, const tr_change *change,
                           tr_doc *doc, tr_error *error)
{
    const tr_doc_api *api = (const tr_doc_api *)self->host->get_ext(self->host, TR_EXT_DOC);

    (void)batch;
    if (is(change, "skip"))
        return TR_SKIP;
    if (is(change, "refuse"))
        return tr_fail(error, TR_REJECT, "not this one");
    if (is(change, "later") && change->attempt == 1)
        return tr_fail(error, TR_RETRY, "not now");
    if (is(change, "broken"))
        return tr_fail(error, TR_FATAL, "it is broken");
    if (is(change, "odd"))
        return 77;
    return is(change, "same") ? TR_OK : count(api, doc, error);
}

static tr_status process(tr_self *self, const tr_batch *batch, tr_outcome *outcome)
{
    static int32_t items[64];
    static tr_str rows[64];

    (void)self;
    for (uint32_t i = 0; i < batch->count && i < 64; i++) {
        items[i] = TR_REJECT;
        rows[i] = tr_batch_at(batch, i)->raw;
    }
    outcome->items = items;
    outcome->items_count = batch->count;
    outcome->messages = rows;
    return tr_finish(outcome, TR_REJECT, "");
}

static const tr_plugin plugin = {COMMON("transform", "does what the id asks for"),
                                 .process = process, .transform = transform};

TR_PLUGIN(plugin)
