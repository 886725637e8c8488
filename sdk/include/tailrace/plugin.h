/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a plugin exports: one function, tr_plugin_v1(), that returns its descriptor.
 *
 * The major version of the ABI is part of the name, so that another major is a missing symbol
 * and not a crash, and one `.so` can serve two. The life of an instance:
 *
 *     check                          any time, pure, no open, secrets unresolved
 *     open, configure, start         then any number of process, flush
 *     stop, close                    stop waits for nothing that close does not need
 *
 * A function that is NULL is not called; only open, close and one of process and transform are
 * required. A plugin with process() can be a rule's plugin; one with transform() can stand in
 * the rule's list of transforms, before it. Threads are those of <tailrace/host.h>. Nothing is
 * freed across the border: what the host hands in is borrowed, what the plugin hands out is
 * copied before the call returns.
 */
#ifndef TAILRACE_PLUGIN_H
#define TAILRACE_PLUGIN_H

#include <tailrace/host.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The plugin's own state of one instance. */
typedef struct tr_self tr_self;

/* The document of a change on its way through transforms, see <tailrace/ext/doc.h>. */
typedef struct tr_doc tr_doc;

/* tr_plugin.caps */
enum {
    TR_CAP_CONCURRENT = 1 << 0,       /* takes a batch while others are pending           */
    TR_CAP_ORDERED = 1 << 1,          /* wants the order received: concurrency stays 1    */
    TR_CAP_NEEDS_DOC = 1 << 2,        /* does nothing useful without documents            */
    TR_CAP_NEEDS_ALL_LEAVES = 1 << 3, /* wants style=all_docs                            */

    /* No callback ever waits: not for a file, a lock that is held for long, or another thread.
     * Its instances may then share worker threads, so that there may be ten thousand of them.
     * Still one callback of an instance runs at a time, on one thread, in order; callbacks of
     * different instances may be on that thread in turn, never one within another. What
     * belongs to a thread (thread-local storage) is not an instance's own. A plugin that says
     * so and waits all the same holds up its other instances; if it hangs, so do they. */
    TR_CAP_NEVER_BLOCKS = 1 << 4
};

typedef struct tr_plugin {
    uint32_t size, abi_minor;
    const char *name, *version, *summary, *license, *url;
    uint32_t caps;
    uint32_t max_inflight; /* batches pending at once; 0 or 1: one                         */

    const tr_option *options;
    uint32_t options_count, options_stride; /* stride is the plugin's sizeof(tr_option)    */

    /* Once per process, before any other call of the plugin.            [main, no threads] */
    tr_status (*global_init)(void);

    /* Judges options that passed the table, for what a table cannot say. Pure.   [control] */
    tr_status (*check)(const tr_host *host, const tr_config *config, tr_error *error);

    /* Makes an instance. No input or output yet.                                 [control] */
    tr_status (*open)(const tr_host *host, tr_self **ret_self, tr_error *error);

    /* Takes the options; again on a reload, on a quiet instance, if all that changed is LIVE.
     *                                                                             [control] */
    tr_status (*configure)(tr_self *self, const tr_config *config, tr_error *error);

    /* Opens files, connections, threads. An error stops this rule alone.         [control] */
    tr_status (*start)(tr_self *self, tr_error *error);

    /* Handles a batch. Returns the status that it put into the outcome, or TR_PENDING.
     *                                                                             [worker]  */
    tr_status (*process)(tr_self *self, const tr_batch *batch, tr_outcome *ret_outcome);

    /* Makes what was taken so far durable, by the deadline (CLOCK_MONOTONIC ms). TR_PENDING:
     * it does so by requests or timers of this instance; it is called again whenever one of
     * them has come back, until it returns something else or the time is over.   [worker]  */
    tr_status (*flush)(tr_self *self, int64_t deadline_ms);

    /* The batch is late. Set a flag and return; complete() must still follow.     [any]     */
    void (*cancel)(tr_self *self, tr_ticket ticket);

    /* Ends threads and connections; no batch is open.                             [control] */
    tr_status (*stop)(tr_self *self, int64_t deadline_ms);

    /* Frees the instance.                                                         [control] */
    void (*close)(tr_self *self);

    /* The plugin's own tables of functions by id ("tr.explain/1"), or NULL.       [any]     */
    const void *(*get_ext)(const char *id);

    /* Changes the document of one change before the rule's plugin sees it, or drops the change.
     * `change` is what the source sent; `doc` is what earlier transforms of the rule made of
     * its document. Called for every change of a batch in order, on the worker of the rule's
     * plugin, and again when the batch is sent again: the same change shall give the same
     * result. A change without a document, as a rule without include_docs has them, has an
     * empty `doc`. TR_OK: go on. TR_SKIP: the change is settled, no more is done with it.
     * TR_REJECT: it is a dead letter, with the error text as its reason. TR_RETRY: the batch is
     * sent again later. TR_FATAL: the rule is held. Since 1.1. [worker]  */
    tr_status (*transform)(tr_self *self, const tr_batch *batch, const tr_change *change,
                           tr_doc *doc, tr_error *error);

    /* What suits it where a rule says nothing: changes and bytes of a batch, batches at once.
     * 0: what the host has for all. Since 1.1. */
    uint32_t batch_changes, concurrency;
    uint64_t batch_bytes;
} tr_plugin;

/* The one symbol of a plugin. Pure: the same pointer each time, to memory that is never freed.
 */
TR_EXPORT const tr_plugin *tr_plugin_v1(void);

#ifdef __cplusplus
}
#endif

#endif
