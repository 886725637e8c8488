/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dropping what an instance keeps on a stream: nobody sees it any more, and behind that, in the
 * store's order, it is gone there too. What is written after comes after.
 */
#include "base/mem.h"
#include "plugin/private.h"
#include "plugin/state_private.h"

/* On its way to the store; it needs the instance no more. */
struct dropping {
    struct task task;
    struct store *store;
    struct store_commit commit;
    struct store_op op;
    char *binding, *stream;
};

static void dropped(struct store_commit *commit)
{
    struct dropping *dropping = list_entry(commit, struct dropping, commit);

    free(dropping->binding);
    free(dropping->stream);
    free(dropping);
}

static void submit(struct task *task)
{
    struct dropping *dropping = list_entry(task, struct dropping, task);

    dropping->op = (struct store_op){
        .kind = STORE_DROP_STATE,
        .state = {.binding = str_c(dropping->binding), .stream = str_c(dropping->stream)},
    };
    dropping->commit.ops = &dropping->op;
    dropping->commit.ops_count = 1;
    dropping->commit.done = dropped;
    store_commit_submit(dropping->store, &dropping->commit);
}

static struct dropping *dropping_new(const struct state *state, tr_str stream)
{
    struct dropping *dropping = mem_new(struct dropping);

    dropping->task.run = submit;
    dropping->store = state->store;
    dropping->binding = str_dup(str_c(state->binding));
    dropping->stream = str_dup(stream);
    return dropping;
}

/* TR_ENOENT: there is nothing in the store. TR_EAGAIN: it has writes that are on their way. */
static tr_status forget(struct state *state, tr_str name)
{
    struct state_stream *stream;
    tr_status status = TR_OK;

    pthread_mutex_lock(&state->lock);
    stream = state_stream_find(state, name);
    for (struct state_epoch *it = stream ? stream->epochs : NULL; it; it = it->older)
        if (!it->done && it->table.count > 0)
            status = TR_EAGAIN;
    if (status == TR_OK && (!stream || stream->scope == 0))
        status = TR_ENOENT;
    if (status == TR_OK) {
        state->entries -= stream->entries;
        state->bytes -= stream->bytes;
        stream->scope = stream->entries = stream->bytes = 0;
        stream->filtered = true;
        state_stream_forget_done(stream);
    }
    pthread_mutex_unlock(&state->lock);
    return status;
}

tr_status state_drop_stream(struct state *state, tr_str stream)
{
    tr_status status = forget(state, stream);

    if (status == TR_OK)
        instance_tell_loop(state->instance, &dropping_new(state, stream)->task);
    return status == TR_ENOENT ? TR_OK : status;
}

void state_restart(struct state *state, tr_str stream)
{
    if (forget(state, stream) == TR_OK)
        submit(&dropping_new(state, stream)->task);
}
