/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks at what the server says of one of many databases: is it as it was when all of it was
 * settled? And writes down where rules begin that have no checkpoint in it. For sweep.c, on the
 * loop thread.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "engine/private.h"
#include "json/value.h"

/* ---- first positions ---- */

/* Where rules without a checkpoint begin is written for many databases at once: a stream for
 * each would cost a request more, and all of them would have to be read. */
struct placing {
    struct list link; /* sweep->placings                                                   */
    struct store_commit commit;
    struct store_op op;
    struct source *source; /* NULL: it ended                                               */
    struct arena arena;
};

static void placed(struct store_commit *commit)
{
    struct placing *placing = list_entry(commit, struct placing, commit);
    struct source *source = placing->source;

    list_remove(&placing->link);
    arena_fini(&placing->arena);
    free(placing);
    if (source && list_empty(&source->sweep.placings)) {
        database_turns(source);
        engine_look(source->engine);
    }
}

static void place(struct running_rule *rule, const struct database *database, tr_str key,
                  tr_str incarnation, tr_str seq, uint64_t token)
{
    struct source *source = database->source;
    struct placing *placing = mem_new(struct placing);

    arena_init(&placing->arena, 1024);
    placing->source = source;
    placing->op.kind = STORE_PUT_CHECKPOINT;
    placing->op.checkpoint = (struct store_checkpoint){
        .stream = arena_str(&placing->arena, key),
        .source = arena_str(&placing->arena, source->settings->name),
        .db = arena_str(&placing->arena, database->name),
        .incarnation = arena_str(&placing->arena, incarnation),
        .seq = arena_str(&placing->arena, seq),
        .updated_ms = clock_wall_ms(),
        .seen = token,
    };
    placing->commit = (struct store_commit){
        .binding = arena_str(&placing->arena, rule->settings->name),
        .ops = &placing->op,
        .ops_count = 1,
        .done = placed,
    };
    list_push_back(&source->sweep.placings, &placing->link);
    store_commit_submit(source->engine->store, &placing->commit);
}

/* ---- is it as it was? ---- */

struct look {
    struct database *database;
    struct identity_facts facts;
    tr_str incarnation, seq;
};

/* By one rule: true when nothing is to be read for it. */
static bool is_settled_by(struct running_rule *rule, const struct look *look, tr_str key)
{
    struct store_checkpoint checkpoint = {0};
    struct arena arena;
    struct error error;
    bool found = false, settled = false;
    int rc;

    arena_init(&arena, 1024);
    rc = store_checkpoint_get(rule->engine->store, rule->settings->name, key, &arena,
                              &checkpoint, &found, &error);
    arena_fini(&arena);
    if (rc < 0)
        return false; /* the stream will say so */
    if (found)
        return checkpoint.seen == look->facts.token;
    switch (rule_first(rule, look->database)) {
    case FIRST_BEGINNING: settled = look->facts.empty; break;
    case FIRST_NOW:
        settled = look->seq.len > 0;
        if (settled)
            place(rule, look->database, key, look->incarnation, look->seq, look->facts.token);
        break;
    case FIRST_SEQ:
    case FIRST_UNDECIDED: break;
    }
    return settled;
}

static bool is_settled(struct look *look)
{
    struct database *database = look->database;
    struct source *source = database->source;
    struct index_cursor cursor;
    struct buf key = {0};
    bool settled = true;

    if (look->facts.token == 0)
        return false;
    if (database->stream) /* parked: what it has read it read for all that had room */
        return look->facts.one_copy && database->stream->facts.token == look->facts.token;
    if (database->token == look->facts.token && database->settled)
        return true;
    if (look->incarnation.len == 0)
        return false; /* the checkpoints are under a name that must be asked for */
    stream_key(source, database->name, look->incarnation, &key);
    for (struct running_rule *rule = rule_index_first(&source->index, database->name, &cursor);
         rule; rule = rule_index_next(database->name, &cursor))
        if (!binding_held(rule->binding) && !is_settled_by(rule, look, buf_str(&key)))
            settled = false;
    buf_fini(&key);
    if (settled) {
        database->token = look->facts.token;
        database->settled = true;
    }
    return settled;
}

void sweep_judge(struct source *source, tr_str entry, struct arena *arena)
{
    struct look look = {0};
    tr_str raw, name, info;

    if (!json_get(entry, STR("key"), &raw) || !json_decode(raw, arena, &name))
        return;
    look.database = database_find(source, name);
    /* Some may have begun to be read meanwhile, or have been told to have changed. */
    if (!look.database || list_empty(&look.database->sweep) || !database_is_idle(look.database))
        return;
    list_remove(&look.database->sweep);
    look.database->missing = !json_get(entry, STR("info"), &info);
    if (look.database->missing
            ? source->engine->options.mode != ENGINE_ONCE
            : identity_read_info(info, &look.facts, &look.incarnation, &look.seq) &&
                  is_settled(&look)) {
        database_answered(look.database);
        return;
    }
    source->sweep.changed++;
    database_look(look.database);
}

void first_positions_fini(struct source *source)
{
    list_each_safe (it, &source->sweep.placings) {
        list_entry(it, struct placing, link)->source = NULL;
        list_remove(it);
    }
}
