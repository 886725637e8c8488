/* SPDX-License-Identifier: Apache-2.0 */
/*
 * new_abi: as if built with the headers of a later minor: a longer descriptor, longer rows of
 * options, also those of a group, and a type of option that this host does not know.
 */
#include "common.h"

struct new_option {
    tr_option known;
    const char *unit;
    uint64_t since;
};

struct new_plugin {
    tr_plugin known;
    tr_status (*pause)(tr_self *self);
    uint64_t more[4];
};

static const struct new_option inner[] = {
    {{.name = "first", .type = TR_TYPE_STRING, .dflt = "1st"}, "m", 2},
    {{.name = "second", .type = TR_TYPE_STRING, .dflt = "2nd"}, "m", 2},
    {{.name = NULL}, NULL, 0},
};

static const struct new_option options[] = {
    {{.name = "group", .type = TR_TYPE_GROUP, .group = &inner[0].known}, "kg", 2},
    {{.name = "colour", .type = 99, .dflt = "blue"}, "nm", 3},
    {{.name = "last", .type = TR_TYPE_BOOL, .flags = 1u << 31, .dflt = "true"}, "s", 3},
};

static tr_status process(tr_self *self, const tr_batch *batch, tr_outcome *outcome)
{
    (void)self;
    (void)batch;
    return tr_finish(outcome, TR_OK, "new");
}

static const struct new_plugin plugin = {
    .known = {COMMON("new_abi", "comes from the future"), .process = process,
              .options = &options[0].known, .options_count = 3,
              .options_stride = sizeof(struct new_option)},
    .more = {1, 2, 3, 4},
};

TR_EXPORT const tr_plugin *tr_plugin_v1(void)
{
    static struct new_plugin late;

    late = plugin;
    late.known.size = sizeof(late);
    late.known.abi_minor = TR_ABI_MINOR + 7;
    return &late.known;
}
