/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the host offers to an instance: logging, outcomes, options, and extensions by name.
 *
 * Threads are named on every function: [control] the instance's worker, while nothing else of
 * the instance runs (and, for check(), the thread of the command); [worker] the instance's one
 * worker thread, on which all its callbacks run one at a time (instances of a plugin that never
 * blocks may have the same one, see TR_CAP_NEVER_BLOCKS); [any] any thread, the plugin's own
 * too.
 */
#ifndef TAILRACE_HOST_H
#define TAILRACE_HOST_H

#include <tailrace/change.h>
#include <tailrace/option.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Log levels: the numbers of syslog. */
enum {
    TR_LOG_ERROR = 3,
    TR_LOG_WARNING = 4,
    TR_LOG_NOTICE = 5,
    TR_LOG_INFO = 6,
    TR_LOG_DEBUG = 7
};

typedef struct tr_host tr_host;

/* One per instance, from open() until close() has returned. */
struct tr_host {
    uint32_t size, abi_minor;
    const char *name, *version; /* of the host program                                    */

    /* One line, without a line end; `msg` is copied.                            [any]    */
    void (*log)(const tr_host *host, int32_t level, tr_str msg);

    /* The most detailed level that is shown; do not format what lies above it.  [any]    */
    int32_t (*log_level)(const tr_host *host);

    /* The outcome of a batch for which process() returned TR_PENDING. Exactly once; it may
     * come before process() has returned. Enqueues and never blocks. TR_ESTALE: the ticket is
     * not open, nothing was done. TR_EINVAL: the outcome is malformed; the ticket stays open.
     *                                                                            [any]    */
    tr_status (*complete)(const tr_host *host, tr_ticket ticket, const tr_outcome *outcome);

    /* An option's value; `path` is dotted ("hmac.secret"), `idx` the place in a list or the
     * number of a group's member. TR_ENOENT: not set and without default, or idx past the end.
     *                                                                            [control] */
    tr_status (*config_get)(const tr_config *config, const char *path, uint32_t idx,
                            tr_value *ret_value);

    /* A table of functions by its id ("tr.http/1"), or NULL.                     [any]    */
    const void *(*get_ext)(const tr_host *host, const char *id);
};

#ifdef __cplusplus
}
#endif

#endif
