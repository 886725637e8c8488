/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A rule's transforms: their instances, and the way of a batch through them. On the worker of
 * the rule's instance, or for `explain` on the thread of the command.
 */
#include "plugin/chain.h"

#include "base/mem.h"
#include "observe/log.h"
#include "plugin/passage.h"
#include "plugin/private.h"
#include "json/doc.h"

#include <stdio.h>

struct chain {
    struct arena scratch; /* of one change                                                 */
    char why[256];        /* of the last that failed                                       */
    uint32_t count, opened;
    struct instance *links[];
};

/* ---- making and ending ---- */

struct chain *chain_new(const struct instance_setup *setup)
{
    struct chain *chain;

    if (setup->transforms_count == 0)
        return NULL;
    chain = mem_zero(1, sizeof(*chain) + setup->transforms_count * sizeof(chain->links[0]));
    arena_init(&chain->scratch, 16384);
    chain->count = setup->transforms_count;
    for (uint32_t i = 0; i < chain->count; i++) {
        struct instance_setup link = *setup;

        link.plugin = setup->transforms[i].plugin;
        link.options = setup->transforms[i].options;
        link.transforms_count = 0;
        link.transform = i + 1;
        link.store = NULL; /* a change may be transformed more often than it is settled    */
        chain->links[i] = instance_new(&link);
    }
    return chain;
}

void chain_free(struct chain *chain)
{
    if (!chain)
        return;
    for (uint32_t i = 0; i < chain->count; i++) {
        chain->links[i]->worker = NULL; /* it is that of the rule's own instance            */
        instance_free(chain->links[i]);
    }
    arena_fini(&chain->scratch);
    free(chain);
}

bool chain_never_blocks(const struct chain *chain)
{
    for (uint32_t i = 0; chain && i < chain->count; i++)
        if (!(chain->links[i]->setup.plugin->descriptor.caps & TR_CAP_NEVER_BLOCKS))
            return false;
    return true;
}

int chain_check(struct chain *chain, struct error *error)
{
    int rc = 0;

    for (uint32_t i = 0; chain && i < chain->count && rc == 0; i++)
        rc = instance_check(chain->links[i], error);
    return rc;
}

int chain_open(struct chain *chain, struct worker *worker, struct error *error)
{
    int rc = 0;

    while (chain && chain->opened < chain->count && rc == 0) {
        struct instance *link = chain->links[chain->opened];

        link->worker = worker;
        rc = instance_open_here(link, error);
        if (rc == 0 && worker)
            rc = instance_start_here(link, error);
        if (rc < 0)
            instance_close_here(link);
        else
            chain->opened++;
    }
    if (rc < 0)
        chain_close(chain, 0);
    return rc;
}

void chain_close(struct chain *chain, int64_t deadline_ms)
{
    while (chain && chain->opened > 0) {
        struct instance *link = chain->links[--chain->opened];

        if (link->worker)
            instance_stop_here(link, deadline_ms);
        instance_close_here(link);
    }
}

/* ---- one change ---- */

/* Says on whose account it is; a text of the plugin comes into chain->why. */
static void blame(struct chain *chain, const struct instance *link, const char *text)
{
    snprintf(chain->why, sizeof(chain->why), "transform %s: %s",
             link->setup.plugin->descriptor.name, text);
}

static tr_status transform(struct chain *chain, struct instance *link, const struct job *job,
                           const tr_change *change, struct json_doc *doc)
{
    char text[200] = "";
    tr_error error = {.size = sizeof(error), .cap = sizeof(text) - 1, .buf = text};
    tr_status status = link->setup.plugin->descriptor.transform(link->self, &job->batch, change,
                                                                (tr_doc *)doc, &error);

    switch (status) {
    case TR_OK:
    case TR_SKIP: return status;
    case TR_REJECT:
    case TR_RETRY:
    case TR_FATAL: blame(chain, link, text[0] ? text : "no reason given"); return status;
    default: break;
    }
    snprintf(text, sizeof(text), "transform() returned %d, which it must not", status);
    blame(chain, link, text);
    return TR_FATAL;
}

static tr_status transform_all(struct chain *chain, const struct job *job,
                               const tr_change *change, struct json_doc *doc)
{
    tr_status status = TR_OK;

    for (uint32_t i = 0; i < chain->count && status == TR_OK; i++)
        status = transform(chain, chain->links[i], job, change, doc);
    /* What could not be read was not missing: neither may it pass nor be left out. */
    if ((status != TR_OK && status != TR_SKIP) || !doc->broken)
        return status;
    snprintf(chain->why, sizeof(chain->why), "transform: the document is not a JSON object");
    return TR_REJECT;
}

/* ---- a batch ---- */

tr_status chain_run(struct chain *chain, struct job *job, tr_outcome *outcome)
{
    struct passage *passage;

    if (!chain)
        return TR_OK;
    passage = passage_new(&job->batch);
    for (uint32_t i = 0; i < job->batch.count; i++) {
        const tr_change *change = tr_batch_at(&job->batch, i);
        struct json_doc doc;
        tr_status status;

        arena_reset(&chain->scratch);
        json_doc_init(&doc, change->doc, &chain->scratch);
        status = transform_all(chain, job, change, &doc);
        if (status == TR_RETRY || status == TR_FATAL) {
            passage_free(passage);
            outcome->status = status;
            outcome->message = str_c(chain->why);
            return status;
        }
        if (status == TR_OK)
            passage_add(passage, i, change, &doc);
        else
            passage_settle(passage, i, status, status == TR_REJECT ? chain->why : "");
    }
    job->passage = passage;
    return TR_OK;
}
