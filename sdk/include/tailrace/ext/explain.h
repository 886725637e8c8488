/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tr.explain/1, offered by a plugin: says what process() would do with a batch, and does
 * nothing. `tailrace explain` and `tailrace try --dry-run` print it.
 */
#ifndef TAILRACE_EXT_EXPLAIN_H
#define TAILRACE_EXT_EXPLAIN_H

#include <tailrace/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TR_EXT_EXPLAIN "tr.explain/1"

typedef struct tr_explain {
    uint32_t size;

    /* Calls `line` for each line of the explanation, without secrets. The instance is open and
     * configured, not started.                                                   [control] */
    tr_status (*explain)(tr_self *self, const tr_batch *batch,
                         void (*line)(void *user, tr_str text), void *user);
} tr_explain;

#ifdef __cplusplus
}
#endif

#endif
