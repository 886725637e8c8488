/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tr.timer/1: a call later, on the instance's own worker.
 */
#ifndef TAILRACE_EXT_TIMER_H
#define TAILRACE_EXT_TIMER_H

#include <tailrace/host.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TR_EXT_TIMER "tr.timer/1"

typedef struct tr_timer {
    uint32_t size;

    /* Calls `fire` once, not before `after_ms` from now. Timers that have not fired when the
     * instance stops never do. TR_EAGAIN: 1,024 are set; TR_ESTALE: the instance ends.
     *                                                                           [worker] */
    tr_status (*set)(const tr_host *host, uint32_t after_ms, void (*fire)(void *user),
                     void *user, uint64_t *ret_id);

    /* TR_ESTALE: it fired or was cancelled already.                             [worker] */
    tr_status (*cancel)(const tr_host *host, uint64_t id);
} tr_timer;

#ifdef __cplusplus
}
#endif

#endif
