/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an instance would do with a batch: what its transforms make of it, and what the plugin
 * says by tr.explain/1. Called by commands, on their thread, on a bare instance.
 */
#include "base/buf.h"
#include "plugin/chain.h"
#include "plugin/passage.h"
#include "plugin/private.h"

#include <tailrace/ext/explain.h>

struct listener {
    void (*line)(void *user, tr_str text);
    void *user;
};

static void say(const struct listener *listener, struct buf *text)
{
    listener->line(listener->user, buf_str(text));
    buf_clear(text);
}

static void explain_change(const struct passage *passage, const tr_change *change, uint32_t i,
                           const tr_change **next, const struct listener *listener)
{
    struct buf text = {0};

    buf_add_str(&text, change->id);
    switch (passage->settled[i]) {
    case TR_SKIP: buf_add_c(&text, ": the transforms leave it out"); break;
    case TR_REJECT: buf_addf(&text, ": refused, %s", passage->reasons[i]); break;
    default:
        buf_add_c(&text, ((*next)->flags & TR_CHANGE_TRANSFORMED)
                             ? " after the transforms: "
                             : " is not changed by the transforms");
        if ((*next)->flags & TR_CHANGE_TRANSFORMED)
            buf_add_str(&text, (*next)->doc);
        ++*next;
    }
    say(listener, &text);
    buf_fini(&text);
}

static int explain_chain(struct instance *instance, struct job *job,
                         const struct listener *listener, struct error *error)
{
    tr_outcome outcome = {.size = sizeof(outcome)};
    const tr_change *next;

    if (chain_run(instance->chain, job, &outcome) != TR_OK)
        return error_set(error, ERR_SOFTWARE, STR_FMT, STR_ARG(outcome.message));
    next = job->passage ? job->passage->changes : NULL;
    for (uint32_t i = 0; next && i < job->batch.count; i++)
        explain_change(job->passage, tr_batch_at(&job->batch, i), i, &next, listener);
    return 0;
}

static int explain_plugin(struct instance *instance, const tr_batch *batch,
                          const struct listener *listener, struct error *error)
{
    const tr_plugin *plugin = &instance->setup.plugin->descriptor;
    const tr_explain *explain = plugin->get_ext ? plugin->get_ext(TR_EXT_EXPLAIN) : NULL;
    int rc;

    if (!explain || !TR_HAS(explain, tr_explain, explain))
        return error_set(error, ERR_UNAVAIL, "plugin %s does not explain itself", plugin->name);
    rc = instance_open_here(instance, error);
    if (rc == 0 &&
        explain->explain(instance->self, batch, listener->line, listener->user) != TR_OK)
        rc = error_set(error, ERR_SOFTWARE, "plugin %s: explain failed", plugin->name);
    instance_close_here(instance);
    return rc;
}

int instance_explain(struct instance *instance, const tr_batch *batch,
                     void (*line)(void *user, tr_str text), void *user, struct error *error)
{
    const struct listener listener = {.line = line, .user = user};
    struct job job = {.batch = *batch};
    int rc = chain_open(instance->chain, NULL, error);

    if (rc == 0)
        rc = explain_chain(instance, &job, &listener, error);
    if (rc == 0 && job_seen(&job)->count > 0)
        rc = explain_plugin(instance, job_seen(&job), &listener, error);
    chain_close(instance->chain, 0);
    job_fini(&job);
    return rc;
}
