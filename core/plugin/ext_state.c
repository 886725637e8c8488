/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tr.state/1: the table that plugins get; their arguments are judged here, state*.c does the
 * work. Called by plugins, on the worker.
 */
#include "plugin/private.h"
#include "plugin/state.h"

/* Within open() only: from the first batch on it must be known. */
void ext_state_ask(struct instance *instance)
{
    const struct instance_setup *setup = &instance->setup;

    if (instance->opening && setup->store && instance->worker &&
        worker_is_current(instance->worker) && !instance->state)
        instance->state = state_new(instance, setup->store, setup->rule,
                                    setup->state_bytes_max);
}

static struct state *state_of(const tr_host *host, const char *function)
{
    struct instance *instance = instance_of(host);

    return host_on_worker(instance, function) ? instance->state : NULL;
}

static bool is_key(tr_str key)
{
    return key.ptr && key.len > 0 && key.len <= TR_STATE_KEY_BYTES;
}

static tr_status ext_get(const tr_host *host, tr_str stream, tr_str key, tr_str *ret_value)
{
    struct state *state = state_of(host, "state.get");

    if (!state)
        return TR_ENOSYS;
    return is_key(key) && ret_value ? state_get(state, stream, key, ret_value) : TR_EINVAL;
}

struct writing {
    struct state *state;
    tr_str key, value;
    bool removed;
};

static tr_status write_one(void *context, struct job *job)
{
    const struct writing *it = context;

    return state_write(it->state, job, it->key, it->value, it->removed);
}

static tr_status write_with(const tr_host *host, tr_ticket ticket, struct writing *writing)
{
    if (!writing->state)
        return TR_ENOSYS;
    if (!is_key(writing->key) || writing->value.len > TR_STATE_VALUE_BYTES)
        return TR_EINVAL;
    return tickets_with(&instance_of(host)->tickets, ticket, write_one, writing);
}

static tr_status ext_put(const tr_host *host, tr_ticket ticket, tr_str key, tr_str value)
{
    struct writing writing = {.state = state_of(host, "state.put"), .key = key, .value = value};

    return write_with(host, ticket, &writing);
}

static tr_status ext_remove(const tr_host *host, tr_ticket ticket, tr_str key)
{
    struct writing writing = {
        .state = state_of(host, "state.remove"), .key = key, .removed = true};

    return write_with(host, ticket, &writing);
}

static tr_status ext_scan(const tr_host *host, tr_str stream, tr_str from, tr_str to,
                          int32_t backwards,
                          int32_t (*each)(void *user, tr_str key, tr_str value), void *user)
{
    struct state *state = state_of(host, "state.scan");

    if (!state)
        return TR_ENOSYS;
    return each ? state_scan(state, stream, from, to, backwards != 0, each, user) : TR_EINVAL;
}

static tr_status ext_streams(const tr_host *host,
                             int32_t (*each)(void *user, const tr_state_stream *stream),
                             void *user)
{
    struct state *state = state_of(host, "state.streams");

    if (!state)
        return TR_ENOSYS;
    if (!each)
        return TR_EINVAL;
    state_streams(state, each, user);
    return TR_OK;
}

static tr_status ext_drop(const tr_host *host, tr_str stream)
{
    struct state *state = state_of(host, "state.drop");

    return state ? state_drop_stream(state, stream) : TR_ENOSYS;
}

static tr_status ext_usage(const tr_host *host, tr_state_usage *ret_usage)
{
    struct state *state = state_of(host, "state.usage");
    tr_state_usage usage = {0};

    if (!state)
        return TR_ENOSYS;
    if (!ret_usage || ret_usage->size < sizeof(usage))
        return TR_EINVAL;
    usage.size = ret_usage->size;
    state_usage(state, &usage);
    *ret_usage = usage;
    return TR_OK;
}

const void *ext_state_table(void)
{
    static const tr_state table = {
        .size = sizeof(table),
        .get = ext_get,
        .put = ext_put,
        .remove = ext_remove,
        .scan = ext_scan,
        .streams = ext_streams,
        .drop = ext_drop,
        .usage = ext_usage,
    };

    return &table;
}
