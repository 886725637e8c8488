/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An instance: a plugin opened and configured for one rule, on a worker thread of its own or,
 * if its plugin never blocks, of a few that its instances share (workers.h).
 *
 * dispatch and engine call it on the loop thread and are answered there by callbacks. The
 * plugin's own functions run on the worker; one that hangs, hangs alone (with those that share
 * its worker). A batch that misses its deadline is cancelled; when it does not come back after
 * the grace period either, the instance is reported as wedged, and its memory stays until it
 * does.
 */
#ifndef PLUGIN_INSTANCE_H
#define PLUGIN_INSTANCE_H

#include "config/schema.h"
#include "plugin/loader.h"
#include "plugin/ticket.h"

struct http;
struct metrics;
struct secrets;
struct store;
struct instance;

/* Answers, on the loop thread. */
struct instance_events {
    /* The end of instance_start() or instance_reconfigure(); `error` is NULL on success. After
     * a failed start the instance is closed: free it. */
    void (*ready)(void *ctx, const struct error *error);
    void (*wedged)(void *ctx);
    /* The end of instance_stop(): free it now or later. */
    void (*stopped)(void *ctx);
    /* What was settled of the stream is not in the sink any more: it is to be read again from
     * `seq`, and nothing of the reading before may be told any more (plugin/position.h).
     * Strings live until it returns. */
    void (*again)(void *ctx, tr_str stream, tr_str seq);
};

/* A transform of a rule; borrowed, as all of a setup. */
struct transform_setup {
    const struct plugin *plugin;
    const struct config_values *options;
};

struct instance_setup {
    const struct plugin *plugin;
    const char *rule;                    /* for logs; borrowed                              */
    const struct config_values *options; /* checked; borrowed until the next configure      */
    const struct transform_setup *transforms; /* in order                                  */
    uint32_t transforms_count;
    int64_t timeout_ms, grace_ms; /* of a batch; then till it counts as wedged       */
    struct loop *loop;            /* NULL: no worker; see instance_new()             */
    struct http *http;
    struct secrets *secrets;
    struct metrics *metrics;  /* NULL: nobody looks at what the plugin counts               */
    uint32_t transform;       /* its place in the rule's chain, from 1; 0: the rule's own     */
    struct store *store;      /* for what the plugin keeps; NULL: it cannot                */
    uint64_t state_bytes_max; /* of that; 0: no bound                                      */
    const struct instance_events *events;
    void *ctx;
};

/* Makes it; nothing of the plugin is called yet. Without a loop it is a bare one, for `check`
 * and `explain`: only instance_check() and instance_explain() may be used. */
struct instance *instance_new(const struct instance_setup *setup);
void instance_free(struct instance *instance);

/* The plugin's own check() of the options; this thread. */
int instance_check(struct instance *instance, struct error *error);

/* What the plugin says it would do with the batch, line by line; this thread; the bare instance
 * is opened and closed for it. ERR_UNAVAIL: the plugin does not offer tr.explain/1. */
int instance_explain(struct instance *instance, const tr_batch *batch,
                     void (*line)(void *user, tr_str text), void *user, struct error *error);

/* open, configure and start on the worker; ready() answers. */
int instance_start(struct instance *instance, struct error *error);

/* New options, all of whose differences are LIVE, on a quiet instance; ready() answers. */
void instance_reconfigure(struct instance *instance, const struct config_values *options);

/* Hands over a batch; job->done() answers. False: it has all it can take. */
bool instance_submit(struct instance *instance, struct job *job);

/* Batches that it has in hand. */
uint32_t instance_inflight(struct instance *instance);

/* flush, stop and close on the worker, then stopped(). Nothing may be in hand. */
void instance_stop(struct instance *instance, int64_t deadline_ms);

#endif
