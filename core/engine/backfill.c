/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Backfills: a rule begins again where someone asked for it, while the other rules go on.
 *
 *     asked, in the store ──▶ the rule drains ──▶ one commit: its checkpoints go, its record
 *                                                 says where it begins, the request is gone
 *                                                     └──▶ the rule is made anew
 *
 * The cli writes the request, also beside a running daemon, which sees within a second that
 * something was written. A start takes up what waits before it makes any rule. A rule that does
 * not run needs no draining; it is not made before the commit is done. Loop thread.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "engine/private.h"
#include "observe/log.h"

/* One that was found in the store: engine->backfills, by the rule's name. */
struct backfill {
    struct engine *engine;
    char *name;
    bool taking; /* the commit is under way                                                */
    bool again;  /* another one was asked for meanwhile                                    */
    struct store_commit commit;
    struct store_op op;
};

/* ---- taking up ---- */

static void taken(struct store_commit *commit)
{
    struct backfill *backfill = list_entry(commit, struct backfill, commit);
    struct engine *engine = backfill->engine;
    char *name = backfill->name;
    bool again = backfill->again;

    /* Behind a dead letter of the rule that found no room; that one has been called back. */
    if (commit->status == STORE_FULL) {
        store_commit_submit(engine->store, commit);
        return;
    }
    if (commit->status == STORE_DONE && backfill->op.taken > 0)
        log_notice("rule begins again", LOG_C("rule", name),
                   LOG_I("requests", backfill->op.taken));
    map_remove(&engine->backfills, str_c(name));
    free(backfill);
    if (!engine->stopping) {
        wanted_go_on(engine, str_c(name));
        if (again)
            backfill_poll(engine);
    }
    free(name);
}

/* The store takes what it finds then, so one that was cancelled meanwhile changes nothing. */
static void take(struct backfill *backfill)
{
    backfill->taking = true;
    backfill->op = (struct store_op){.kind = STORE_TAKE_BACKFILL};
    backfill->commit = (struct store_commit){
        .binding = str_c(backfill->name),
        .ops = &backfill->op,
        .ops_count = 1,
        .done = taken,
    };
    store_commit_submit(backfill->engine->store, &backfill->commit);
}

bool backfill_comes_first(struct engine *engine, tr_str name)
{
    struct backfill *backfill = map_get(&engine->backfills, name);

    if (backfill && !backfill->taking)
        take(backfill);
    return backfill != NULL;
}

/* ---- finding ---- */

static bool note(void *context, const struct store_backfill *request)
{
    struct engine *engine = context;
    struct backfill *backfill = map_get(&engine->backfills, request->binding);

    if (backfill) {
        backfill->again |= backfill->taking;
        return true;
    }
    backfill = mem_new(struct backfill);
    backfill->engine = engine;
    backfill->name = str_dup(request->binding);
    map_set(&engine->backfills, request->binding, backfill);
    return true;
}

static void begin(struct engine *engine, struct backfill *backfill)
{
    const struct wanted_rule *wanted = map_get(&engine->wanted, str_c(backfill->name));
    struct running_rule *rule = wanted ? wanted->running : NULL;

    if (!rule) {
        take(backfill);
    } else if (!rule->leaving) {
        log_notice("rule is asked to begin again: waiting for its batches in flight",
                   LOG_C("rule", backfill->name));
        running_rule_drain(rule, clock_ms() + engine->settings->drain_ms);
    }
}

void backfill_poll(struct engine *engine)
{
    struct error error;
    size_t cursor = 0;
    void *value;

    if (engine->options.mode != ENGINE_FOLLOW)
        return; /* the next start takes it up                                              */
    if (store_backfill_each(engine->store, note, engine, &error) < 0)
        log_error("requests of backfills cannot be read", LOG_C("reason", error.text));
    while (map_next(&engine->backfills, &cursor, NULL, &value)) {
        struct backfill *backfill = value;
        if (!backfill->taking)
            begin(engine, backfill);
    }
}

/* ---- beginning and end ---- */

int backfill_start(struct engine *engine, struct error *error)
{
    int64_t count = 0;
    int rc;

    if (engine->options.mode == ENGINE_REPLAY)
        return 0;
    rc = store_backfill_take_all(engine->store, &count, error);
    if (rc == 0 && count > 0)
        log_notice("rules begin again as they were asked to", LOG_I("requests", count));
    return rc;
}

void backfill_stop(struct engine *engine)
{
    size_t cursor = 0;
    void *value;

    while (map_next(&engine->backfills, &cursor, NULL, &value)) {
        free(((struct backfill *)value)->name);
        free(value);
    }
    map_fini(&engine->backfills);
}
