/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The import's plan into the store: a commit for each rule, with its checkpoints and the note
 * that it has looked at its databases, so that a rule is taken over as a whole or not at all.
 * The store commits many of them at once. Main thread.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "cli/cmd_spiegel.h"

int spiegel_find_kept(struct store *store, const struct spiegel *spiegel,
                      struct spiegel_plan *plan, struct error *error)
{
    struct store_checkpoint there;
    struct arena arena;
    bool found;
    int rc = 0;

    arena_init(&arena, 1024);
    for (size_t i = 0; rc == 0 && i < plan->places_count; i++) {
        struct spiegel_place *place = &plan->places[i];
        arena_reset(&arena);
        rc = store_checkpoint_get(store, spiegel->rules[place->rule].name, place->stream,
                                  &arena, &there, &found, error);
        place->kept = rc == 0 && found;
    }
    arena_fini(&arena);
    return rc;
}

/* ---- writing ---- */

struct writing {
    struct store *store;
    const struct spiegel *spiegel;
    const struct spiegel_plan *plan;
    tr_str source;
    int64_t now_ms;
    size_t outstanding, lost;
};

/* The commit of one rule. */
struct rule_commit {
    struct store_commit commit;
    struct writing *writing;
    struct store_op ops[];
};

static void on_done(struct store_commit *commit)
{
    struct rule_commit *it = list_entry(commit, struct rule_commit, commit);
    struct writing *writing = it->writing;

    if (commit->status != STORE_DONE)
        writing->lost++;
    writing->outstanding--;
    free(it);
}

static void fill_checkpoint(const struct writing *writing, const struct spiegel_place *place,
                            struct store_op *op)
{
    const struct spiegel_database *database = &writing->plan->databases[place->database];

    op->kind = STORE_PUT_CHECKPOINT;
    op->checkpoint = (struct store_checkpoint){
        .binding = writing->spiegel->rules[place->rule].name,
        .stream = place->stream,
        .source = writing->source,
        .db = database->name,
        .incarnation = database->incarnation,
        .seq = place->seq,
        .updated_ms = writing->now_ms,
    };
}

/* The places of one rule, `count` from `first` on. */
static int write_rule(struct writing *writing, size_t rule, const struct spiegel_place *first,
                      size_t count, struct error *error)
{
    tr_str name = writing->spiegel->rules[rule].name;
    struct store_binding binding = {.created_ms = writing->now_ms};
    struct rule_commit *it;
    bool found;
    size_t ops = 0;
    struct arena arena;
    int rc;

    arena_init(&arena, 256);
    rc = store_binding_get(writing->store, name, &arena, &binding, &found, error);
    arena_fini(&arena);
    binding.since = (tr_str){0}; /* it is over */
    if (rc < 0)
        return rc;
    it = mem_alloc(sizeof(*it) + (count + 1) * sizeof(it->ops[0]));
    memset(it, 0, sizeof(*it) + (count + 1) * sizeof(it->ops[0]));
    for (size_t i = 0; i < count; i++)
        if (!first[i].kept)
            fill_checkpoint(writing, &first[i], &it->ops[ops++]);
    if (!found || !binding.discovered) {
        binding.discovered = true;
        it->ops[ops].kind = STORE_PUT_BINDING;
        it->ops[ops++].binding = binding;
    }
    if (ops == 0) {
        free(it);
        return 0;
    }
    it->writing = writing;
    it->commit = (struct store_commit){
        .binding = name, .ops = it->ops, .ops_count = ops, .done = on_done};
    writing->outstanding++;
    store_commit_submit(writing->store, &it->commit);
    return 0;
}

int spiegel_write(struct store *store, struct loop *loop, const struct spiegel *spiegel,
                  const struct spiegel_plan *plan, tr_str source, struct error *error)
{
    struct writing writing = {.store = store,
                              .spiegel = spiegel,
                              .plan = plan,
                              .source = source,
                              .now_ms = clock_wall_ms()};
    size_t at = 0;
    int rc = store_start(store, loop, error);

    for (size_t rule = 0; rc == 0 && rule < spiegel->rules_count; rule++) {
        size_t first = at;
        while (at < plan->places_count && plan->places[at].rule == rule)
            at++;
        if (spiegel->rules[rule].databases)
            rc = write_rule(&writing, rule, plan->places + first, at - first, error);
    }
    while (writing.outstanding > 0)
        loop_turn(loop, 1000);
    if (rc == 0 && writing.lost > 0)
        rc = error_set(error, ERR_IO, "%zu rules could not be written; run the import again",
                       writing.lost);
    return rc;
}
