/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fits the connections of sources into the descriptors that there are. Called by engine.c with
 * each new generation of settings, on the loop thread.
 */
#include "engine/descriptors.h"

#include "observe/log.h"

#include <sys/resource.h>

/* Kept for the store, the log, plugins and their connections: half, but no more than this. */
enum { OTHERS_MAX = 256 };

static int64_t limit_raised(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return INT64_MAX;
    if (limit.rlim_cur < limit.rlim_max) {
        struct rlimit raised = {limit.rlim_max, limit.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
            limit = raised;
    }
    return limit.rlim_cur > INT32_MAX ? INT32_MAX : (int64_t)limit.rlim_cur;
}

static void fit(struct source_settings *source, int64_t room, int64_t wanted)
{
    int64_t most = source->max_connections * room / wanted;
    int64_t feeds = source->max_feeds * room / wanted;

    source->max_connections = most < 2 ? 2 : most;
    if (feeds > source->max_connections - 1)
        feeds = source->max_connections - 1;
    source->max_feeds = feeds < 1 ? 1 : feeds;
    log_warn("too few descriptors: a source has fewer connections; raise the limit "
             "(LimitNOFILE, ulimit -n), or lower max_connections",
             LOG_S("source", source->name), LOG_I("max_connections", source->max_connections),
             LOG_I("max_feeds", source->max_feeds));
}

void descriptors_fit(struct settings *settings)
{
    int64_t limit = limit_raised(), others = limit / 2, room, wanted = 0;

    if (others > OTHERS_MAX)
        others = OTHERS_MAX;
    room = limit - others;
    for (size_t i = 0; i < settings->sources_count; i++)
        if (settings->sources[i].kind == SOURCE_COUCHDB)
            wanted += settings->sources[i].max_connections;
    if (wanted <= room)
        return;
    for (size_t i = 0; i < settings->sources_count; i++)
        if (settings->sources[i].kind == SOURCE_COUCHDB)
            fit(&settings->sources[i], room, wanted);
}
