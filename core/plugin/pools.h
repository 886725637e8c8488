/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pools of plugins' HTTP clients. A client that waits costs nothing: its pool is made at the
 * first call and given up when none was made for a minute. Clients of one plugin that name the
 * same `share`, with the same settings, have one pool together, and so its limit of connections
 * and its open connections; other plugins never do. Loop thread.
 */
#ifndef PLUGIN_POOLS_H
#define PLUGIN_POOLS_H

#include "http/client.h"
#include "plugin/loader.h"

struct plugin_pool;

/* The options and `share` are copied; an empty `share` gives one of the client's own. */
struct plugin_pool *plugin_pool_join(struct loop *loop, struct http *http,
                                     const struct plugin *plugin,
                                     const struct http_options *options, tr_str share);

/* After the last of the client's calls. NULL is fine. */
void plugin_pool_leave(struct plugin_pool *pool);

/* http_start() in it; the same errors and those of http_pool_new(). */
int plugin_pool_start(struct plugin_pool *pool, struct http_call *call, struct error *error);

#endif
