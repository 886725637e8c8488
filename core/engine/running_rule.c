/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A running rule: the binding of a rule, the source it reads, and the record of its first
 * start. Made by engine.c at the start and on a reload; leaves by draining. Loop thread.
 */
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/mem.h"
#include "engine/metrics.h"
#include "observe/log.h"

#include <stdio.h>

/* ---- what the binding reports ---- */

static void on_started(void *ctx)
{
    struct running_rule *rule = ctx;

    rule->replay_wanted = true;
    replay_look(rule);
    engine_look(rule->engine);
}

static void on_held(void *ctx, const char *why)
{
    struct running_rule *rule = ctx;

    (void)why;
    /* Leaving moves each to the list of those that wait. */
    while (!list_empty(&rule->subscriptions))
        reader_leave(list_entry(rule->subscriptions.next, struct subscription, in_rule));
    list_each (it, &rule->stalled)
        stream_check(list_entry(it, struct subscription, in_rule)->stream);
    engine_look(rule->engine);
}

static void on_room(void *ctx)
{
    reader_room(ctx);
}

static void on_idle(void *ctx)
{
    engine_look(((struct running_rule *)ctx)->engine);
}

static void on_replayed(void *ctx)
{
    struct running_rule *rule = ctx;

    replay_look(rule);
    engine_look(rule->engine);
}

static void on_again(void *ctx, tr_str stream, tr_str seq)
{
    again_begin(ctx, stream, seq);
}

static void on_drained(void *ctx)
{
    struct running_rule *rule = ctx;

    rule->drained = true;
    wanted_gone(rule);
}

static const struct binding_events binding_events = {
    .started = on_started,
    .held = on_held,
    .room = on_room,
    .idle = on_idle,
    .replayed = on_replayed,
    .again = on_again,
    .drained = on_drained,
};

/* ---- the record of its first start ---- */

static void recorded(struct store_commit *commit)
{
    struct running_rule *rule = list_entry(commit, struct running_rule, record);

    FAILPOINT("engine.recorded");
    rule->recording = false;
    rule->was_discovered = commit->status == STORE_DONE;
    if (rule->drained)
        wanted_gone(rule);
}

void running_rule_discovered(struct running_rule *rule)
{
    if (rule->was_discovered || rule->recording || rule->leaving)
        return;
    rule->recording = true;
    /* Behind the first checkpoints, in the store's order: were it in front, a crash in between
     * would make `now` mean the beginning. */
    binding_commit(rule->binding);
    rule->record_op = (struct store_op){
        .kind = STORE_PUT_BINDING,
        .binding = {.created_ms = clock_wall_ms(), .discovered = true},
    };
    rule->record = (struct store_commit){
        .binding = rule->settings->name,
        .ops = &rule->record_op,
        .ops_count = 1,
        .done = recorded,
    };
    FAILPOINT("engine.discovered");
    store_commit_submit(rule->engine->store, &rule->record);
}

/* ---- making and ending ---- */

static struct binding *make_binding(struct running_rule *rule)
{
    const struct rule_settings *settings = rule->settings;
    struct engine *engine = rule->engine;
    struct binding_setup setup = {
        .name = settings->name.ptr,
        .options = settings->binding,
        .matcher = settings->matcher,
        .loop = engine->loop,
        .store = engine->store,
        .repeats = engine->repeats,
        .instance = settings_instance(settings),
        .events = &binding_events,
        .ctx = rule,
    };

    setup.instance.http = engine->http;
    setup.instance.secrets = engine->secrets;
    setup.instance.metrics = engine->metrics;
    setup.instance.store = engine->store;
    setup.instance.state_bytes_max = (uint64_t)settings->state_bytes;
    return binding_new(&setup);
}

/* What the store knows of its earlier runs, and of a backfill. */
static int read_record(struct running_rule *rule, struct error *error)
{
    const struct rule_settings *settings = rule->settings;
    struct store_binding record = {0};
    bool found = false;
    int rc = store_binding_get(rule->engine->store, settings->name, &rule->since_arena, &record,
                               &found, error);

    if (rc < 0)
        return rc;
    rule->was_discovered = found && record.discovered;
    rule->since_kind = settings->since_kind;
    rule->since = settings->since;
    if (record.since.len == 0)
        return 0;
    rule->is_backfill = true;
    rule->since = record.since;
    rule->since_kind = str_eq(record.since, STORE_SINCE_NOW) ? SINCE_NOW
                       : str_eq(record.since, STR("0"))      ? SINCE_BEGINNING
                                                             : SINCE_SEQ;
    return 0;
}

int running_rule_new(struct engine *engine, struct settings *generation,
                     struct rule_settings *settings, struct running_rule **ret_rule,
                     struct error *error)
{
    struct running_rule *rule = mem_new(struct running_rule);
    struct source *source = NULL;
    int rc;

    rule->engine = engine;
    rule->settings = settings;
    arena_init(&rule->since_arena, 64);
    rc = read_record(rule, error);
    if (rc == 0 && engine->options.mode != ENGINE_REPLAY)
        rc = source_get(engine, generation, settings->source, &source, error);
    if (rc < 0) {
        arena_fini(&rule->since_arena);
        free(rule);
        return rc;
    }
    rule->generation = generation;
    settings_ref(generation);
    rule->source = source;
    list_init(&rule->subscriptions);
    list_init(&rule->stalled);
    list_init(&rule->in_source);
    rule->binding = make_binding(rule);
    list_push_back(&engine->rules, &rule->link);
    engine_metrics_add(rule);
    *ret_rule = rule;
    return 0;
}

void running_rule_start(struct running_rule *rule)
{
    if (rule->begun)
        return;
    rule->begun = true;
    binding_start(rule->binding);
    if (rule->source)
        source_add_rule(rule->source, rule);
}

/* Its streams have one rule less to wait for. */
static void leave_streams(struct running_rule *rule)
{
    struct list *lists[] = {&rule->subscriptions, &rule->stalled};

    for (size_t i = 0; i < 2; i++) {
        while (!list_empty(lists[i])) {
            struct subscription *subscription = list_entry(lists[i]->next, struct subscription,
                                                           in_rule);
            struct stream *stream = subscription->stream;
            subscription_free(subscription);
            stream_check(stream);
        }
    }
}

void running_rule_drain(struct running_rule *rule, int64_t deadline_ms)
{
    if (rule->leaving)
        return;
    rule->leaving = true;
    if (rule->source)
        source_remove_rule(rule->source, rule);
    leave_streams(rule);
    binding_drain(rule->binding, deadline_ms);
}

void running_rule_free(struct running_rule *rule)
{
    if (rule->source)
        source_remove_rule(rule->source, rule);
    leave_streams(rule);
    engine_keep_stats(rule);
    binding_free(rule->binding);
    list_remove(&rule->link);
    source_release(rule->source);
    settings_unref(rule->options_generation);
    settings_unref(rule->generation);
    arena_fini(&rule->since_arena);
    free(rule);
}
