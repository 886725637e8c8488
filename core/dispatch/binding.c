/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A binding's life, from the opening of its instance to the last commit; its window; and which
 * of its lanes may send next. Called by the engine on the loop thread.
 */
#include "dispatch/binding.h"

#include "base/clock.h"
#include "base/mem.h"
#include "dispatch/private.h"
#include "observe/log.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- what the instance reports ---- */

static void drain_on(struct binding *binding);

static void instance_ready(void *ctx, const struct error *error)
{
    struct binding *binding = ctx;

    binding->instance_up = error == NULL || binding->instance_up;
    binding->asked = binding->configuring = false;
    if (binding->state == BINDING_DRAINING) {
        drain_on(binding);
        return;
    }
    if (error) {
        binding_hold(binding, "%s", error->text);
        return;
    }
    if (binding->state != BINDING_STARTING) { /* the end of a reconfigure */
        binding_pump(binding);
        return;
    }
    binding->state = BINDING_RUNNING;
    binding->kept = instance_state(binding->instance);
    if (binding->kept && binding->setup.options.commit_rows_kept > 0)
        binding->setup.options.commit_rows = binding->setup.options.commit_rows_kept;
    log_info("rule started", LOG_C("rule", binding->setup.name),
             LOG_C("plugin", binding->setup.instance.plugin->descriptor.name));
    binding->setup.events->started(binding->setup.ctx);
    binding_update_lanes(binding);
    binding_pump(binding);
    binding_check(binding); /* rows that no plugin has to see may be settled already */
}

static void instance_wedged(void *ctx)
{
    binding_hold(ctx, "the plugin did not give a batch back in time; restart tailrace");
}

static void instance_stopped(void *ctx)
{
    struct binding *binding = ctx;

    binding->state = BINDING_DRAINED;
    binding->setup.events->drained(binding->setup.ctx);
}

static void instance_wants_again(void *ctx, tr_str stream, tr_str seq)
{
    struct binding *binding = ctx;

    binding->setup.events->again(binding->setup.ctx, stream, seq);
}

static const struct instance_events instance_answers = {
    .ready = instance_ready,
    .wedged = instance_wedged,
    .stopped = instance_stopped,
    .again = instance_wants_again,
};

/* ---- life ---- */

/* One batch at a time unless the plugin says that it takes several, and then as many as the
 * rule wants and the plugin takes. */
static uint32_t judge_concurrency(const tr_plugin *plugin, uint32_t wanted)
{
    uint32_t most = plugin->max_inflight > 0 ? plugin->max_inflight : 1;

    if (!(plugin->caps & TR_CAP_CONCURRENT) || (plugin->caps & TR_CAP_ORDERED) || wanted == 0)
        return 1;
    if (most > TICKETS_MAX / 2)
        most = TICKETS_MAX / 2;
    return wanted < most ? wanted : most;
}

struct binding *binding_new(const struct binding_setup *setup)
{
    struct binding *binding = mem_new(struct binding);
    struct binding_options *options = &binding->setup.options;

    binding->setup = *setup;
    options->concurrency = judge_concurrency(&setup->instance.plugin->descriptor,
                                             options->concurrency);
    binding->inflight_max = options->concurrency;
    binding->setup.instance.rule = setup->name;
    binding->setup.instance.loop = setup->loop;
    binding->setup.instance.events = &instance_answers;
    binding->setup.instance.ctx = binding;
    list_init(&binding->cursors);
    list_init(&binding->dirty);
    list_init(&binding->ready);
    list_init(&binding->holds);
    binding->instance = instance_new(&binding->setup.instance);
    return binding;
}

void binding_start(struct binding *binding)
{
    struct error error;

    binding->state = BINDING_STARTING;
    binding->asked = true;
    if (instance_start(binding->instance, &error) == 0)
        return;
    binding->asked = false;
    binding_hold(binding, "%s", error.text);
}

void binding_hold(struct binding *binding, const char *fmt, ...)
{
    va_list args;

    if (binding->why[0])
        return;
    va_start(args, fmt);
    vsnprintf(binding->why, sizeof(binding->why), fmt, args);
    va_end(args);
    if (binding->state >= BINDING_DRAINING)
        return;
    binding->state = BINDING_HELD;
    log_error("rule held: its checkpoints stay, other rules go on",
              LOG_C("rule", binding->setup.name), LOG_C("reason", binding->why));
    binding->setup.events->held(binding->setup.ctx, binding->why);
}

/* Plugins are promised that they take options with nothing in hand. */
static void configure_on(struct binding *binding)
{
    if (!binding->configuring || binding->asked || binding->inflight > 0)
        return;
    binding->asked = true;
    instance_reconfigure(binding->instance, binding->new_options);
}

bool binding_reconfigure(struct binding *binding, const struct config_values *options)
{
    if (!binding->instance_up || binding->state != BINDING_RUNNING || binding->configuring)
        return false;
    binding->configuring = true;
    binding->new_options = options;
    configure_on(binding);
    return true;
}

void binding_free(struct binding *binding)
{
    if (!binding)
        return;
    instance_free(binding->instance);
    binding->kept = NULL; /* with all its epochs                                           */
    list_each_safe (it, &binding->cursors)
        cursor_free(list_entry(it, struct cursor, link));
    map_fini(&binding->retired);
    while (binding->free_items) {
        struct item *item = binding->free_items;
        binding->free_items = item->lane_next;
        free(item);
    }
    free(binding->places);
    loop_clear_timer(binding->setup.loop, &binding->commit_timer);
    free(binding->failure);
    free(binding);
}

/* ---- draining ---- */

/* A sink that is down is not waited for, and what it took behind the first change that it lacks
 * is nowhere kept. */
static void tell_ahead(const struct binding *binding)
{
    uint64_t rows = 0;

    list_each (it, &binding->cursors)
        rows += cursor_ahead(list_entry(it, struct cursor, link));
    if (rows > 0)
        log_notice("rule stopped while its sink failed: what it took behind that comes again",
                   LOG_C("rule", binding->setup.name), LOG_I("rows", (int64_t)rows),
                   LOG_C("reason", binding->failure ? binding->failure : binding->why));
}

/* Called whenever something came back; what comes after the last must not stop it again. An
 * instance that still starts or takes options is not stopped: its answer comes here too. */
static void drain_on(struct binding *binding)
{
    if (binding->state != BINDING_DRAINING || binding->asked || binding->inflight > 0 ||
        binding->commits > 0 || (!list_empty(&binding->ready) && !binding->why[0]))
        return;
    commit_flush(binding);
    if (binding->commits > 0)
        return;
    binding->state = BINDING_STOPPING;
    tell_ahead(binding);
    instance_stop(binding->instance, binding->drain_deadline_ms);
}

static void drain_task(struct task *task)
{
    struct binding *binding = list_entry(task, struct binding, drain_task);

    binding_pump(binding);
    drain_on(binding);
}

static void drain_cursor(struct cursor *cursor, bool sends)
{
    cursor->drain_to = sends ? cursor_drain_end(cursor) : -1;
    lanes_drain(cursor);
}

void binding_drain(struct binding *binding, int64_t deadline_ms)
{
    bool sends = binding->state == BINDING_RUNNING && !binding->configuring;

    if (binding->state >= BINDING_DRAINING)
        return;
    binding->state = BINDING_DRAINING;
    binding->drain_deadline_ms = deadline_ms;
    list_each (it, &binding->cursors)
        drain_cursor(list_entry(it, struct cursor, link), sends);
    if (binding->asked)
        return; /* instance_ready() goes on */
    binding->drain_task.run = drain_task;
    loop_post(binding->setup.loop, &binding->drain_task);
}

/* ---- the window and who may send ---- */

void binding_update_lanes(struct binding *binding)
{
    list_each (it, &binding->cursors)
        lanes_update(list_entry(it, struct cursor, link));
}

static uint32_t rows_in_window(const struct binding *binding)
{
    return binding->rows + binding->passed;
}

bool binding_has_room(const struct binding *binding)
{
    return binding->state <= BINDING_RUNNING &&
           rows_in_window(binding) < binding->setup.options.window_rows &&
           binding->bytes < binding->setup.options.window_bytes;
}

bool binding_is_idle(const struct binding *binding)
{
    return binding->rows == 0;
}

bool binding_is_replaying(const struct binding *binding)
{
    return binding->letters > 0;
}

bool binding_is_running(const struct binding *binding)
{
    return binding->state == BINDING_RUNNING;
}

static bool may_send(const struct binding *binding)
{
    return (binding->state == BINDING_RUNNING && !binding->configuring) ||
           (binding->state == BINDING_DRAINING && !binding->why[0]);
}

void binding_pump(struct binding *binding)
{
    while (may_send(binding) && binding->inflight < binding->inflight_max) {
        struct list *link = list_pop(&binding->ready);
        if (!link)
            return;
        if (!lane_may_send(list_entry(link, struct lane, ready)))
            continue; /* it comes back when what it waits for is over                       */
        if (!lane_send(list_entry(link, struct lane, ready))) {
            list_push_front(&binding->ready, link);
            return;
        }
    }
}

/* Half empty before it reads again: a window that opens for every row makes reading stutter. */
static bool has_drained(const struct binding *binding)
{
    return rows_in_window(binding) <= binding->setup.options.window_rows / 2 &&
           binding->bytes <= binding->setup.options.window_bytes / 2;
}

void binding_check(struct binding *binding)
{
    if (binding->state == BINDING_DRAINING) {
        drain_on(binding);
        return;
    }
    if (binding->state != BINDING_RUNNING)
        return;
    configure_on(binding);
    if (binding->was_full && has_drained(binding)) {
        binding->was_full = false;
        binding->setup.events->room(binding->setup.ctx);
    }
    if (binding->rows == 0)
        binding->setup.events->idle(binding->setup.ctx);
}

struct position_ask *binding_ask_position(struct binding *binding,
                                          const struct position_question *question)
{
    return instance_ask_position(binding->instance, question);
}

void binding_commit(struct binding *binding)
{
    commit_flush(binding);
}

/* ---- for the engine and status ---- */

const char *binding_held(const struct binding *binding)
{
    return binding->why[0] ? binding->why : NULL;
}

void binding_get_lag(const struct binding *binding, struct binding_lag *ret_lag)
{
    *ret_lag = (struct binding_lag){
        .rows = binding->rows,
        .window_rows = rows_in_window(binding),
        .bytes = binding->bytes,
        .in_flight = binding->inflight,
        .retrying = binding->retrying,
        .failure = binding->retrying > 0 && binding->failure ? binding->failure : "",
    };
    if (!list_empty(&binding->holds))
        ret_lag->oldest_ms =
            list_entry(binding->holds.next, struct hold, link)->segment->received_ms;
}

const struct binding_stats *binding_get_stats(const struct binding *binding)
{
    return &binding->stats;
}

const struct binding_times *binding_get_times(const struct binding *binding)
{
    return &binding->times;
}
