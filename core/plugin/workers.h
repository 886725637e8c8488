/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which instance has which worker. An instance has one of its own, unless its plugin says
 * TR_CAP_NEVER_BLOCKS: then all instances of the plugin have a few together, so that ten
 * thousand rules do not need ten thousand threads. Loop thread.
 */
#ifndef PLUGIN_WORKERS_H
#define PLUGIN_WORKERS_H

#include "plugin/loader.h"
#include "plugin/worker.h"

/* Workers that the instances of one plugin share, at most. The first instances still have one
 * each; later ones join the worker with the fewest. */
enum { WORKERS_SHARED_MAX = 4 };

/* A worker for an instance of the plugin; give it back with workers_leave(). `may_share`: so
 * far as others are concerned that run on it too, its transforms. `rule` names the thread of
 * one that is not shared. */
int workers_join(const struct plugin *plugin, bool may_share, const char *rule,
                 struct loop *loop, struct worker **ret_worker, struct error *error);

/* The last one to leave waits for the thread's end. NULL is fine. */
void workers_leave(struct worker *worker);

#endif
