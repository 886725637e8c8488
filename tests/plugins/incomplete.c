/* SPDX-License-Identifier: Apache-2.0 */
/* incomplete: a descriptor without process(), which is required. */
#include "common.h"

static const tr_plugin plugin = {COMMON("incomplete", "cannot take a batch")};

TR_PLUGIN(plugin)
