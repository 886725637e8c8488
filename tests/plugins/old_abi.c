/* SPDX-License-Identifier: Apache-2.0 */
/*
 * old_abi: as if built with the headers of an earlier minor: its descriptor ends before
 * get_ext(), and its rows of options, also those of a group, are shorter than the host's.
 */
#include "common.h"

struct old_option {
    const char *name;
    uint32_t type, flags;
    const char *dflt;
    int64_t min, max;
    const char *const *choices;
    const struct old_option *group; /* help and offset came later                          */
};

static const struct old_option inner[] = {
    {.name = "first", .type = TR_TYPE_STRING, .dflt = "1st"},
    {.name = "second", .type = TR_TYPE_STRING, .dflt = "2nd"},
    {.name = NULL},
};

static const struct old_option options[] = {
    {.name = "size", .type = TR_TYPE_INT, .dflt = "7", .min = 1, .max = 9},
    {.name = "group", .type = TR_TYPE_GROUP, .group = inner},
    {.name = "last", .type = TR_TYPE_BOOL, .dflt = "true"},
};

static tr_status process(tr_self *self, const tr_batch *batch, tr_outcome *outcome)
{
    (void)self;
    (void)batch;
    return tr_finish(outcome, TR_OK, "old");
}

/* Behind `size` bytes the host must not look: what stands there would be called. */
static const tr_plugin plugin = {
    .size = offsetof(tr_plugin, get_ext),
    .name = "old_abi",
    .version = "0.1",
    .options = (const tr_option *)(const void *)options,
    .options_count = 3,
    .options_stride = sizeof(struct old_option),
    .open = common_open,
    .process = process,
    .stop = common_stop,
    .close = common_close,
    .get_ext = (const void *(*)(const char *))(uintptr_t)1,
};

TR_PLUGIN(plugin)
