/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workers, shared or not: a list of those that are shared, with how many use each. Called by
 * instance.c on the loop thread.
 */
#include "plugin/workers.h"

#include "base/mem.h"

struct place {
    struct worker worker; /* first: a worker that was given out is its place               */
    struct list link;
    const struct plugin *plugin;
    uint32_t users;
};

static struct list shared = {&shared, &shared};

/* The worker with the fewest users; NULL: there may be one more. */
static struct place *find(const struct plugin *plugin, const struct loop *loop)
{
    struct place *best = NULL;
    uint32_t count = 0;

    list_each (it, &shared) {
        struct place *place = list_entry(it, struct place, link);
        if (place->plugin != plugin || place->worker.loop != loop)
            continue;
        count++;
        if (!best || place->users < best->users)
            best = place;
    }
    return count < WORKERS_SHARED_MAX ? NULL : best;
}

int workers_join(const struct plugin *plugin, bool may_share, const char *rule,
                 struct loop *loop, struct worker **ret_worker, struct error *error)
{
    bool shares = may_share && (plugin->descriptor.caps & TR_CAP_NEVER_BLOCKS) != 0;
    struct place *place = shares ? find(plugin, loop) : NULL;

    if (!place) {
        int rc;

        place = mem_new(struct place);
        rc = worker_start(&place->worker, shares ? plugin->descriptor.name : rule, loop, error);
        if (rc < 0) {
            free(place);
            return rc;
        }
        place->plugin = plugin;
        list_init(&place->link);
        if (shares)
            list_push_back(&shared, &place->link);
    }
    place->users++;
    *ret_worker = &place->worker;
    return 0;
}

void workers_leave(struct worker *worker)
{
    struct place *place = (struct place *)(void *)worker;

    if (!worker || --place->users > 0)
        return;
    list_remove(&place->link);
    worker_join(worker);
    free(place);
}
