/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of core/plugin/ share about an instance, and no other folder sees; and which
 * file has what.
 *
 *     loader.c       from a name to a descriptor
 *     instance.c     an instance's life, and batches in and out
 *     worker.c       the thread on which its callbacks run; workers.c  which instance has which
 *     ticket.c       a batch that is in its hands, until its outcome is there
 *     chain.c        a rule's transforms; passage.c  what they made of a batch
 *     host.c         what a plugin may call; ext_*.c  the tables of <tailrace/ext/…>
 *     position.c     where a stream begins, asked and told (tr.position/1)
 *     state*.c       what it keeps, between its batches and the store (tr.state/1)
 *     pools.c        connections of tr.http/1; parcel.c  bodies in parts
 *     explain.c      what it would do with a batch
 *
 * `host` is the first member: the tr_host that a plugin was given is the instance.
 */
#ifndef PLUGIN_PRIVATE_H
#define PLUGIN_PRIVATE_H

#include "plugin/instance.h"
#include "plugin/state.h"
#include "plugin/workers.h"

#include <stdatomic.h>

struct tr_config {
    const struct config_values *values;
};

struct instance {
    tr_host host;
    struct instance_setup setup;
    tr_config config;
    tr_self *self;

    struct worker *worker; /* NULL: not started                                            */
    struct chain *chain;   /* the rule's transforms; NULL: none                            */
    struct tickets tickets;

    struct work control; /* the start, configure or stop under way                         */
    struct task control_done;
    struct error control_error;
    int64_t stop_deadline_ms;
    atomic_bool broken; /* TR_FATAL: process() is not called any more                      */
    bool opened, ended; /* the plugin has a self; it was closed                            */
    bool runs;          /* worker: from its start to when it is to stop                    */
    bool stopping;      /* loop: it was told to stop                                       */
    bool opening;       /* within open()                                                   */
    bool flushing, flush_late; /* worker: it flushes by requests; and has no more time  */

    struct list timers; /* worker: timers that are set (ext_timer.c)                 */
    uint32_t timers_count;
    bool timers_ending;
    pthread_mutex_t asks_lock; /* guards the next two                                       */
    uint64_t asked;
    struct list asks;         /* questions that wait for an answer (position.c)              */
    struct list agains;       /* worker: streams that begin again (position.c)               */
    uint64_t ids;             /* worker: the last id given to a timer or request           */
    struct list http_clients; /* worker: open clients (ext_http.c)                         */
    struct list carriers;     /* loop: requests that are made for a batch (ext_http.c)     */
    struct metrics_owner *figures; /* worker: NULL until one is declared (ext_metrics.c)   */
    struct state *state; /* NULL: the plugin keeps nothing (state.h)                  */
};

static inline struct instance *instance_of(const tr_host *host)
{
    return (struct instance *)(uintptr_t)host;
}

/* Work for the instance; loop thread. */
static inline void instance_post(struct instance *instance, struct work *work)
{
    work->owner = instance;
    worker_post(instance->worker, work);
}

/* A task for the loop; any thread. */
static inline void instance_tell_loop(struct instance *instance, struct task *task)
{
    worker_tell_loop(instance->worker, task);
}

/* On the worker, from within a callback: runs the instance's next piece of work. */
static inline void instance_run_one(struct instance *instance)
{
    worker_run_one(instance->worker, instance);
}

/* instance.c: the plugin's functions, on this thread; for chain.c. Stopped and closed is only
 * what was opened; a start that failed is closed, not stopped. */
int instance_open_here(struct instance *instance, struct error *error);
int instance_start_here(struct instance *instance, struct error *error);
void instance_stop_here(struct instance *instance, int64_t deadline_ms);
void instance_close_here(struct instance *instance);
/* A request or timer of the instance is over: a flush that waits for it goes on. The instance
 * may be closed when this returns. Worker. */
void instance_came_back(struct instance *instance);

/* host.c: fills instance->host. */
void host_init(struct instance *instance);

/* ext_*.c: the tables that get_ext() hands out. */
const void *ext_doc_table(void);
const void *ext_http_table(void);
const void *ext_json_table(void);
const void *ext_metrics_table(void);
const void *ext_position_table(void);
const void *ext_secrets_table(void);
const void *ext_state_table(void);
const void *ext_timer_table(void);
const void *ext_template_table(void);

/* The plugin wants to keep something: it says so by asking for the table. Any thread. */
void ext_state_ask(struct instance *instance);

/* What an instance that ends leaves behind; worker, after the plugin's stop(), before close().
 * A done() that is called meanwhile finds that it can set and send nothing any more. */
void ext_timer_end(struct instance *instance);
void ext_http_end(struct instance *instance);

/* Questions that the plugin has not answered; worker, behind its close(). */
void position_end(struct instance *instance);

/* Streams that were to begin again and did not, for the instance ended; loop. */
void position_free(struct instance *instance);

/* What the requests of a batch have moved since this was asked last; loop. */
uint64_t ext_http_moved(struct instance *instance, tr_ticket ticket);

/* The batch is late: they end; loop. */
void ext_http_late(struct instance *instance, tr_ticket ticket);

/* Clients that the plugin did not give back; after close(). */
void ext_http_free(struct instance *instance);

/* False, and a log line that names the function, when this thread is not the worker. */
bool host_on_worker(const struct instance *instance, const char *function);

#endif
