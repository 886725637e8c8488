/* SPDX-License-Identifier: Apache-2.0 */
/* bad_symbol: a shared object whose entry is that of another major version of the ABI. */
#include "common.h"

static const tr_plugin plugin = {TR_DESCRIPTOR("bad_symbol", "1.0", "is of another major")};

TR_EXPORT const tr_plugin *tr_plugin_v2(void);

TR_EXPORT const tr_plugin *tr_plugin_v2(void)
{
    return &plugin;
}
