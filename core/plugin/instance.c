/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An instance's life: start, configure, stop on its worker, batches in and outcomes back, and
 * the deadline of each batch. Called by dispatch and engine on the loop thread.
 */
#include "plugin/instance.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/mem.h"
#include "observe/log.h"
#include "observe/metrics.h"
#include "plugin/chain.h"
#include "plugin/private.h"

#include <tailrace/ext/timer.h>

enum { MOVED_A_MS = 16 }; /* bytes: a batch whose requests move less than that is late      */

/* ---- making ---- */

struct instance *instance_new(const struct instance_setup *setup)
{
    struct instance *instance = mem_new(struct instance);

    instance->setup = *setup;
    instance->config.values = setup->options;
    tickets_init(&instance->tickets);
    pthread_mutex_init(&instance->asks_lock, NULL);
    list_init(&instance->asks);
    list_init(&instance->agains);
    list_init(&instance->timers);
    list_init(&instance->http_clients);
    list_init(&instance->carriers);
    host_init(instance);
    instance->chain = chain_new(setup);
    return instance;
}

void instance_free(struct instance *instance)
{
    if (!instance)
        return;
    chain_free(instance->chain);
    workers_leave(instance->worker);
    position_free(instance);
    state_free(instance->state);
    tickets_fini(&instance->tickets);
    metrics_owner_free(instance->figures);
    pthread_mutex_destroy(&instance->asks_lock);
    free(instance);
}

/* ---- the plugin's control functions ---- */

static const tr_plugin *calls(const struct instance *instance)
{
    return &instance->setup.plugin->descriptor;
}

/* Texts come into a zeroed buffer of one byte more than the plugin is told of: one that forgets
 * the NUL does no harm. */
static int failed(const struct instance *instance, const char *function, tr_status status,
                  const char *text, struct error *error)
{
    return error_set(error, ERR_CONFIG, "rule %s: plugin %s: %s%s%s (status %d)",
                     instance->setup.rule, calls(instance)->name, function,
                     text[0] ? ": " : " failed", text, status);
}

int instance_check(struct instance *instance, struct error *error)
{
    char text[256] = "";
    tr_error plugin_error = {
        .size = sizeof(plugin_error), .cap = sizeof(text) - 1, .buf = text};
    tr_status status;

    if (chain_check(instance->chain, error) < 0)
        return ERR_CONFIG;
    if (!calls(instance)->check)
        return 0;
    status = calls(instance)->check(&instance->host, &instance->config, &plugin_error);
    return status == TR_OK ? 0 : failed(instance, "check", status, text, error);
}

static int plugin_configure(struct instance *instance, struct error *error)
{
    char text[256] = "";
    tr_error plugin_error = {
        .size = sizeof(plugin_error), .cap = sizeof(text) - 1, .buf = text};
    tr_status status = TR_OK;

    if (calls(instance)->configure)
        status = calls(instance)->configure(instance->self, &instance->config, &plugin_error);
    return status == TR_OK ? 0 : failed(instance, "configure", status, text, error);
}

int instance_open_here(struct instance *instance, struct error *error)
{
    char text[256] = "";
    tr_error plugin_error = {
        .size = sizeof(plugin_error), .cap = sizeof(text) - 1, .buf = text};
    tr_status status;

    instance->opening = true;
    status = calls(instance)->open(&instance->host, &instance->self, &plugin_error);
    instance->opening = false;
    if (status != TR_OK)
        return failed(instance, "open", status, text, error);
    instance->opened = true;
    if (instance->state && state_load(instance->state, error) < 0)
        return error->code;
    return plugin_configure(instance, error);
}

int instance_start_here(struct instance *instance, struct error *error)
{
    char text[256] = "";
    tr_error plugin_error = {
        .size = sizeof(plugin_error), .cap = sizeof(text) - 1, .buf = text};
    tr_status status = TR_OK;

    if (calls(instance)->start)
        status = calls(instance)->start(instance->self, &plugin_error);
    return status == TR_OK ? 0 : failed(instance, "start", status, text, error);
}

void instance_close_here(struct instance *instance)
{
    if (!instance->opened)
        return;
    ext_timer_end(instance);
    ext_http_end(instance);
    calls(instance)->close(instance->self);
    ext_http_free(instance);
    instance->opened = false;
    instance->self = NULL;
}

/* ---- control work: one at a time, on the worker, answered on the loop ---- */

static void end(struct instance *instance, int64_t deadline_ms)
{
    instance_close_here(instance);
    position_end(instance);
    chain_close(instance->chain, deadline_ms);
    instance->ended = true;
}

static void start_done(struct task *task)
{
    struct instance *instance = list_entry(task, struct instance, control_done);
    bool ok = instance->control_error.code == 0;

    instance->setup.events->ready(instance->setup.ctx, ok ? NULL : &instance->control_error);
}

static void start_work(struct work *work)
{
    struct instance *instance = list_entry(work, struct instance, control);
    int rc = chain_open(instance->chain, instance->worker, &instance->control_error);

    if (rc == 0)
        rc = instance_open_here(instance, &instance->control_error);
    if (rc == 0)
        rc = instance_start_here(instance, &instance->control_error);
    if (rc < 0)
        end(instance, 0);
    instance->runs = rc == 0;
    instance_tell_loop(instance, &instance->control_done);
}

int instance_start(struct instance *instance, struct error *error)
{
    const struct instance_setup *setup = &instance->setup;
    int rc = workers_join(setup->plugin, chain_never_blocks(instance->chain), setup->rule,
                          setup->loop, &instance->worker, error);

    if (rc < 0)
        return rc;
    instance->control_error.code = 0;
    instance->control.run = start_work;
    instance->control_done.run = start_done;
    instance_post(instance, &instance->control);
    return 0;
}

static void configure_work(struct work *work)
{
    struct instance *instance = list_entry(work, struct instance, control);

    instance->control_error.code = 0;
    plugin_configure(instance, &instance->control_error);
    instance_tell_loop(instance, &instance->control_done);
}

void instance_reconfigure(struct instance *instance, const struct config_values *options)
{
    instance->config.values = options;
    instance->control.run = configure_work;
    instance->control_done.run = start_done;
    instance_post(instance, &instance->control);
}

static void stop_done(struct task *task)
{
    struct instance *instance = list_entry(task, struct instance, control_done);

    instance->setup.events->stopped(instance->setup.ctx);
}

/* A plugin that cannot end well is ended all the same: what it had is settled or comes again.
 */
static void ended_badly(const struct instance *instance, const char *function, tr_status status)
{
    if (status != TR_OK)
        log_warn("plugin did not end well", LOG_C("rule", instance->setup.rule),
                 LOG_C("plugin", calls(instance)->name), LOG_C("function", function),
                 LOG_I("status", status));
}

void instance_stop_here(struct instance *instance, int64_t deadline_ms)
{
    if (calls(instance)->flush)
        ended_badly(instance, "flush", calls(instance)->flush(instance->self, deadline_ms));
    if (calls(instance)->stop)
        ended_badly(instance, "stop", calls(instance)->stop(instance->self, deadline_ms));
}

/* What follows the flush; the last of the instance on its worker. */
static void stop_on(struct instance *instance)
{
    if (instance->opened && calls(instance)->stop)
        ended_badly(instance, "stop",
                    calls(instance)->stop(instance->self, instance->stop_deadline_ms));
    end(instance, instance->stop_deadline_ms);
    instance_tell_loop(instance, &instance->control_done);
}

static void flush_late(void *user)
{
    ((struct instance *)user)->flush_late = true;
}

/* A tenth of the time is left for the rest: at the deadline the process ends. */
static bool flush_waits(struct instance *instance)
{
    int64_t left = (instance->stop_deadline_ms - clock_ms()) * 9 / 10;
    const tr_timer *timer = ext_timer_table();

    return left > 0 &&
           timer->set(&instance->host, (uint32_t)left, flush_late, instance, NULL) == TR_OK;
}

/* A flush by requests is asked for again whenever one of them has come back. */
static void flush_on(struct instance *instance)
{
    bool first = !instance->flushing;
    tr_status status = TR_OK;

    instance->flushing = false; /* not from within itself                                  */
    if (instance->flush_late)
        status = TR_PENDING;
    else if (instance->opened && calls(instance)->flush)
        status = calls(instance)->flush(instance->self, instance->stop_deadline_ms);
    if (status == TR_PENDING && !instance->flush_late && (!first || flush_waits(instance))) {
        instance->flushing = true;
        return;
    }
    ended_badly(instance, "flush", status);
    stop_on(instance);
}

void instance_came_back(struct instance *instance)
{
    if (instance->flushing)
        flush_on(instance);
}

static void stop_work(struct work *work)
{
    struct instance *instance = list_entry(work, struct instance, control);

    instance->runs = false;
    flush_on(instance);
}

void instance_stop(struct instance *instance, int64_t deadline_ms)
{
    instance->stopping = true;
    instance->stop_deadline_ms = deadline_ms;
    instance->control_done.run = stop_done;
    instance->control.run = stop_work;
    /* A start that failed, or that never was, has nothing to stop. */
    if (!instance->worker || instance->ended)
        loop_post(instance->setup.loop, &instance->control_done);
    else
        instance_post(instance, &instance->control);
}

/* ---- batches ---- */

static void job_finished(struct task *task)
{
    struct job *job = list_entry(task, struct job, task);

    loop_clear_timer(job->instance->setup.loop, &job->deadline);
    if (job->late)
        log_notice("late batch came back", LOG_C("rule", job->instance->setup.rule),
                   LOG_S("db", job->batch.db), LOG_I("changes", job->batch.count));
    passage_merge(job);
    job->done(job);
}

static tr_status process(struct instance *instance, struct job *job, tr_outcome *outcome)
{
    tr_status status;

    if (instance->state)
        state_batch_begin(instance->state);
    status = calls(instance)->process(instance->self, job_seen(job), outcome);
    if (instance->state)
        state_batch_end(instance->state);
    return status;
}

static void process_work(struct work *work)
{
    struct job *job = list_entry(work, struct job, work);
    struct instance *instance = job->instance;
    tr_outcome outcome = {.size = sizeof(outcome)};
    tr_status status = TR_OK;
    struct job *ready;
    bool ignored;

    if (atomic_load(&instance->broken)) { /* it said so of a batch before this one         */
        outcome.status = status = TR_RETRY;
        outcome.message = STR("not sent: the plugin said that it cannot go on");
    } else {
        status = chain_run(instance->chain, job, &outcome);
        if (status == TR_OK && job_seen(job)->count > 0)
            status = process(instance, job, &outcome);
    }
    FAILPOINT("plugin.processed");
    ready = tickets_returned(&instance->tickets, job, status, &outcome, &ignored);
    if (status == TR_FATAL && !ignored)
        atomic_store(&instance->broken, true);
    if (ignored)
        log_warn("plugin gave an outcome twice: the first one counts",
                 LOG_C("rule", instance->setup.rule), LOG_C("plugin", calls(instance)->name));
    if (ready)
        instance_tell_loop(instance, &ready->task);
}

static void wedged(struct timer *timer)
{
    struct job *job = list_entry(timer, struct job, deadline);
    struct instance *instance = job->instance;

    if (!tickets_hold(&instance->tickets, job))
        return;
    log_error(
        "plugin does not give its batch back: it counts as wedged; its checkpoint is held, "
        "restart tailrace to end it",
        LOG_C("rule", instance->setup.rule), LOG_C("plugin", calls(instance)->name),
        LOG_S("db", job->batch.db), LOG_I("changes", job->batch.count));
    instance->setup.events->wedged(instance->setup.ctx);
}

/* Whether its requests have moved so much that it is no wonder that it is not done. */
static bool moves(struct job *job)
{
    struct instance *instance = job->instance;
    uint64_t moved = job->moved + ext_http_moved(instance, job->batch.ticket);

    job->moved = 0;
    return moved >= (uint64_t)instance->setup.timeout_ms * MOVED_A_MS;
}

static void overdue(struct timer *timer)
{
    struct job *job = list_entry(timer, struct job, deadline);
    struct instance *instance = job->instance;

    /* Its outcome may be on the way to this thread. Then the plugin shall not hear of it again:
     * with nothing in hand it may be closed at any time. */
    if (!tickets_hold(&instance->tickets, job))
        return;
    if (moves(job)) {
        loop_set_timer(instance->setup.loop, timer, instance->setup.timeout_ms);
        return;
    }
    job->late = true;
    log_warn("batch is late: it is cancelled", LOG_C("rule", instance->setup.rule),
             LOG_C("plugin", calls(instance)->name), LOG_S("db", job->batch.db),
             LOG_I("changes", job->batch.count),
             LOG_I("timeout_ms", instance->setup.timeout_ms));
    timer->fire = wedged;
    loop_set_timer(instance->setup.loop, timer, instance->setup.grace_ms);
    ext_http_late(instance, job->batch.ticket);
    if (calls(instance)->cancel)
        calls(instance)->cancel(instance->self, job->batch.ticket);
}

bool instance_submit(struct instance *instance, struct job *job)
{
    job->instance = instance;
    job->batch.size = sizeof(job->batch);
    job->items = NULL;
    job->undecided = false;
    job->moved = 0;
    job->passage = NULL;
    job->writes = NULL;
    job->messages = NULL;
    job->message[0] = '\0';
    job->work.run = process_work;
    job->task.run = job_finished;
    job->deadline = (struct timer){.fire = overdue};
    if (!tickets_open(&instance->tickets, job))
        return false;
    loop_set_timer(instance->setup.loop, &job->deadline, instance->setup.timeout_ms);
    job->batch.deadline_ms = job->deadline.due_ms;
    instance_post(instance, &job->work);
    return true;
}

struct state *instance_state(const struct instance *instance)
{
    return instance->state;
}

uint32_t instance_inflight(struct instance *instance)
{
    return tickets_count(&instance->tickets);
}
