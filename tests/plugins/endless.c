/* SPDX-License-Identifier: Apache-2.0 */
/* endless: a group of options that is a member of itself. */
#include "common.h"

static const tr_option options[] = {
    {.name = "group", .type = TR_TYPE_GROUP, .group = options},
    {.name = NULL},
};

static tr_status process(tr_self *self, const tr_batch *batch, tr_outcome *outcome)
{
    (void)self;
    (void)batch;
    return tr_finish(outcome, TR_OK, NULL);
}

static const tr_plugin plugin = {COMMON("endless", "has options without end"),
                                 .process = process, .options = options, .options_count = 1,
                                 .options_stride = sizeof(tr_option)};

TR_PLUGIN(plugin)
