/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which rules shall run, and what runs for each: what the files and the documents want is
 * compared with what is there. A rule that did not change goes on untouched; one that did
 * drains, and comes again as it is wanted then. Called by engine.c and for documents; on the
 * loop thread.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "engine/private.h"
#include "observe/log.h"

/* ---- one rule ---- */

static int make(struct engine *engine, struct wanted_rule *wanted, struct error *error)
{
    return running_rule_new(engine, wanted->generation, wanted->settings, &wanted->running,
                            error);
}

static void make_and_start(struct engine *engine, struct wanted_rule *wanted)
{
    struct error error;

    if (backfill_comes_first(engine, wanted->settings->name))
        return;
    if (make(engine, wanted, &error) < 0) {
        log_error("rule cannot start", LOG_S("rule", wanted->settings->name),
                  LOG_C("reason", error.text));
        return;
    }
    wanted->running->wanted = wanted;
    running_rule_start(wanted->running);
}

/* True when the rule goes on as it is, or with new LIVE options. */
static bool keep(struct running_rule *rule, const struct wanted_rule *wanted)
{
    struct rule_settings *now = rule->options_settings ? rule->options_settings
                                                       : rule->settings;

    if (!wanted->generation || binding_held(rule->binding) || !rule->source ||
        !str_eq(buf_str(&rule->source->settings->canonical),
                buf_str(&wanted->settings->source->canonical)))
        return false;
    if (str_eq(buf_str(&now->canonical), buf_str(&wanted->settings->canonical)))
        return true;
    if (!str_eq(buf_str(&rule->settings->canonical_base),
                buf_str(&wanted->settings->canonical_base)) ||
        !binding_reconfigure(rule->binding, wanted->settings->options))
        return false;
    log_info("rule takes new options", LOG_S("rule", rule->settings->name));
    settings_ref(wanted->generation);
    settings_unref(rule->options_generation);
    rule->options_generation = wanted->generation;
    rule->options_settings = wanted->settings;
    return true;
}

/* A rule that changed comes when its old self is gone. */
static void bring_about(struct engine *engine, struct wanted_rule *wanted)
{
    if (!wanted->running && wanted->generation)
        make_and_start(engine, wanted);
    else if (wanted->running && !wanted->running->leaving && !keep(wanted->running, wanted))
        running_rule_drain(wanted->running, clock_ms() + engine->settings->drain_ms);
}

static struct wanted_rule *set_wanted(struct engine *engine, tr_str name,
                                      struct settings *generation,
                                      struct rule_settings *settings)
{
    struct wanted_rule *wanted = map_get(&engine->wanted, name);

    if (!wanted) {
        wanted = mem_new(struct wanted_rule);
        map_set(&engine->wanted, name, wanted);
    }
    if (generation)
        settings_ref(generation);
    settings_unref(wanted->generation);
    wanted->generation = generation;
    wanted->settings = settings;
    return wanted;
}

static void forget_wanted(struct engine *engine, struct wanted_rule *wanted, tr_str name)
{
    if (wanted->running || wanted->generation)
        return;
    map_remove(&engine->wanted, name);
    free(wanted);
}

void wanted_put(struct engine *engine, struct settings *generation, struct rule_settings *rule)
{
    struct wanted_rule *wanted = set_wanted(engine, rule->name, generation, rule);

    if (!engine->stopping)
        bring_about(engine, wanted);
}

void wanted_remove(struct engine *engine, tr_str name)
{
    struct wanted_rule *wanted = map_get(&engine->wanted, name);

    if (!wanted)
        return;
    set_wanted(engine, name, NULL, NULL);
    if (!engine->stopping)
        bring_about(engine, wanted);
    forget_wanted(engine, wanted, name);
}

void wanted_go_on(struct engine *engine, tr_str name)
{
    struct wanted_rule *wanted = map_get(&engine->wanted, name);

    if (wanted && !engine->stopping)
        bring_about(engine, wanted);
}

void wanted_gone(struct running_rule *rule)
{
    struct engine *engine = rule->engine;
    struct wanted_rule *wanted = rule->wanted;
    char *name;

    if (rule->recording)
        return; /* recorded() comes back here */
    name = str_dup(rule->settings->name);
    running_rule_free(rule);
    wanted->running = NULL;
    if (!engine->stopping)
        bring_about(engine, wanted);
    forget_wanted(engine, wanted, str_c(name));
    free(name);
    if (engine->stopping && list_empty(&engine->rules))
        engine_finish(engine);
}

/* ---- the rules of the files ---- */

/* All of them or none: nothing has started before. */
int wanted_make_first(struct engine *engine, struct error *error)
{
    struct settings *settings = engine->settings;

    for (size_t i = 0; i < settings->rules_count; i++) {
        struct rule_settings *rule = &settings->rules[i];
        struct wanted_rule *wanted;
        int rc;
        if (!rule->enabled)
            continue;
        wanted = set_wanted(engine, rule->name, settings, rule);
        rc = make(engine, wanted, error);
        if (rc < 0) {
            log_error("rule cannot start", LOG_S("rule", rule->name),
                      LOG_C("reason", error->text));
            return rc;
        }
        wanted->running->wanted = wanted;
    }
    return 0;
}

void wanted_start(struct engine *engine)
{
    list_each (it, &engine->rules)
        running_rule_start(list_entry(it, struct running_rule, link));
}

static bool is_in(struct settings *settings, tr_str name)
{
    const struct rule_settings *rule = settings_rule(settings, name);

    return rule && rule->enabled;
}

/* The rules of the files: those that are new, changed and gone. */
void wanted_change(struct engine *engine, struct settings *old, struct settings *settings)
{
    for (size_t i = 0; old && i < old->rules_count; i++)
        if (!is_in(settings, old->rules[i].name))
            wanted_remove(engine, old->rules[i].name);
    for (size_t i = 0; i < settings->rules_count; i++)
        if (settings->rules[i].enabled)
            wanted_put(engine, settings, &settings->rules[i]);
}

void wanted_free(struct engine *engine)
{
    size_t cursor = 0;
    tr_str name;
    void *value;

    while (map_next(&engine->wanted, &cursor, &name, &value)) {
        struct wanted_rule *wanted = value;
        settings_unref(wanted->generation);
        free(wanted);
    }
    map_fini(&engine->wanted);
}
