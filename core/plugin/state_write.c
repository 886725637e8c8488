/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing what an instance keeps: into the epoch of the batch, until its ticket is closed. On
 * the worker; a ticket is closed by any thread.
 */
#include "observe/log.h"
#include "plugin/state_private.h"
#include "plugin/ticket.h"

static void at_bound(struct state *state)
{
    if (!state->warned)
        log_warn(
            "what a plugin keeps is at its bound: it is told so until there is room; raise "
            "max_bytes in the rule's group `state`",
            LOG_C("rule", state->binding), LOG_I("max_bytes", state->bytes_max));
    state->warned = true;
}

/* Bytes of the value that shows now; what is not known counts as nothing. */
static int64_t size_now(const struct state *state, const struct state_stream *stream,
                        tr_str key, uint64_t hash)
{
    const struct state_write *top = state_stream_top(stream, key, hash);

    if (top)
        return top->removed ? 0 : (int64_t)(key.len + top->len);
    if (state->seen.stream == stream && state->seen.hash == hash && state->seen.was >= 0)
        return (int64_t)key.len + state->seen.was;
    return 0;
}

static bool has_room(struct state *state, const struct state_stream *stream, tr_str key,
                     uint64_t hash, tr_str value)
{
    int64_t total = state->bytes + state->more_bytes;
    int64_t more = (int64_t)(key.len + value.len);

    if (state->bytes_max == 0 || total + more <= (int64_t)state->bytes_max)
        return true;
    more -= size_now(state, stream, key, hash);
    return more <= 0 || total + more <= (int64_t)state->bytes_max;
}

/* What the store will have of the key when this epoch comes to it. */
static int64_t was_before(struct state *state, const struct state_epoch *epoch, tr_str key,
                          uint64_t hash)
{
    bool seen = state->seen.stream == epoch->stream && state->seen.hash == hash;

    if (!state_stream_may_know(state, epoch->stream, hash))
        return STORE_STATE_ABSENT;
    for (const struct state_epoch *it = epoch->older; it; it = it->older) {
        const struct state_key *found = state_epoch_find(it, key, hash);
        if (!found)
            continue;
        if (!it->frozen)
            return STORE_STATE_UNKNOWN;
        return found->top->removed ? STORE_STATE_ABSENT : (int64_t)found->top->len;
    }
    if (seen)
        return state->seen.was;
    return epoch->stream->entries > 0 ? STORE_STATE_UNKNOWN : STORE_STATE_ABSENT;
}

/* Newer epochs took it from the store or from one before this: that is so no more. */
static void forget_in_newer(const struct state_epoch *epoch, tr_str key, uint64_t hash)
{
    for (struct state_epoch *it = epoch->stream->epochs; it != epoch; it = it->older) {
        struct state_key *found = state_table_find(&it->table, key, hash);
        if (found)
            state_table_forget(&it->table, found);
    }
}

/* The epoch's sums are part of the state's, before and after a change. */
static void count(struct state_epoch *epoch, int sign)
{
    struct state *state = epoch->state;

    for (struct state_epoch *it = epoch->stream->epochs; it; it = it->older) {
        if (it->done)
            continue;
        state->more_entries += sign * it->table.more_entries;
        state->more_bytes += sign * it->table.more_bytes;
    }
    if (sign > 0)
        state->memory += epoch->table.memory;
    else
        state->memory -= epoch->table.memory;
}

static void write_into(struct state_epoch *epoch, struct job *job, tr_str key, uint64_t hash,
                       tr_str value, bool removed)
{
    struct state *state = epoch->state;
    struct state_table *table = &epoch->table;
    struct state_key *entry = state_table_find(table, key, hash);

    if (!entry) {
        entry = state_table_key(table, key, hash, was_before(state, epoch, key, hash));
        state_filter_add(&state->filter, hash ^ epoch->stream->salt);
    }
    forget_in_newer(epoch, key, hash);
    if (!job->writes)
        job->writes = state_table_ticket(table);
    state_table_write(table, job->writes, entry, value, removed);
    state->seen.stream = NULL;
}

tr_status state_write(struct state *state, struct job *job, tr_str key, tr_str value,
                      bool removed)
{
    struct state_epoch *epoch = job->epoch;
    uint64_t hash = hash_bytes(key.ptr, key.len);
    tr_status status = TR_OK;

    if (!epoch)
        return TR_ESTALE;
    pthread_mutex_lock(&state->lock);
    if (!removed && !has_room(state, epoch->stream, key, hash, value)) {
        status = TR_EAGAIN;
    } else {
        count(epoch, -1);
        write_into(epoch, job, key, hash, value, removed);
        count(epoch, 1);
    }
    pthread_mutex_unlock(&state->lock);
    if (status == TR_EAGAIN)
        at_bound(state);
    else if (!removed)
        state->warned = false;
    return status;
}

void state_settle(struct job *job)
{
    struct state_epoch *epoch = job->epoch;

    if (!job->writes)
        return;
    pthread_mutex_lock(&epoch->state->lock);
    count(epoch, -1);
    state_table_settle(&epoch->table, job->writes, job->status == TR_OK || job->items != NULL);
    count(epoch, 1);
    pthread_mutex_unlock(&epoch->state->lock);
    job->writes = NULL;
}
