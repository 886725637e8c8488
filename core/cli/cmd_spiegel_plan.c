/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where each rule begins on each database, so that it goes on where Spiegel stopped: nothing is
 * lost, and little is repeated. Pure. Main thread.
 *
 * Spiegel keeps one position a database, for all of its on_change rules together, and moves it
 * only when all of a batch was answered. So it is right for each of them, whether the database
 * is marked dirty or not. Where there is none, Spiegel would begin at the beginning as soon as
 * it hears of a change. Replicators have no position: CouchDB knows how far they came. Of them
 * it is only asked whether one is due.
 */
#include "cli/cmd_spiegel.h"

#include "base/mem.h"
#include "json/value.h"

#include <stdlib.h>

void spiegel_plan_init(struct spiegel_plan *plan)
{
    *plan = (struct spiegel_plan){0};
    arena_init(&plan->arena, 64 << 10);
}

void spiegel_plan_fini(struct spiegel_plan *plan)
{
    free(plan->databases);
    free(plan->places);
    map_fini(&plan->by_name);
    arena_fini(&plan->arena);
}

const char *spiegel_why_text(enum spiegel_why why)
{
    switch (why) {
    case SPIEGEL_LISTENED: return "where Spiegel stood";
    case SPIEGEL_UNANSWERED: return "Spiegel never got through its first batch";
    case SPIEGEL_MADE_ANEW: return "the database was made anew since";
    case SPIEGEL_CHANGED: return "changed, and Spiegel had not come to it";
    case SPIEGEL_NEVER: return "Spiegel never listened to it";
    case SPIEGEL_REPLICATED: return "replicated, nothing new since";
    case SPIEGEL_TO_REPLICATE: return "to be replicated once";
    }
    return "";
}

const char *spiegel_why_word(enum spiegel_why why)
{
    switch (why) {
    case SPIEGEL_LISTENED: return "listened";
    case SPIEGEL_UNANSWERED: return "unanswered";
    case SPIEGEL_MADE_ANEW: return "made_anew";
    case SPIEGEL_CHANGED: return "changed";
    case SPIEGEL_NEVER: return "never";
    case SPIEGEL_REPLICATED: return "replicated";
    case SPIEGEL_TO_REPLICATE: return "to_replicate";
    }
    return "";
}

/* ---- databases ---- */

static struct spiegel_database *find_database(const struct spiegel_plan *plan, tr_str name)
{
    uintptr_t place = (uintptr_t)map_get(&plan->by_name, name);

    return place ? &plan->databases[place - 1] : NULL;
}

struct spiegel_database *spiegel_plan_database(struct spiegel_plan *plan, tr_str name)
{
    struct spiegel_database *database = find_database(plan, name);

    if (database)
        return database;
    if (plan->databases_count == plan->databases_room) {
        plan->databases_room = plan->databases_room ? 2 * plan->databases_room : 64;
        plan->databases = mem_resize(plan->databases,
                                     plan->databases_room * sizeof(*plan->databases));
    }
    database = &plan->databases[plan->databases_count++];
    *database = (struct spiegel_database){.name = arena_str(&plan->arena, name)};
    map_set(&plan->by_name, name, (void *)(uintptr_t)plan->databases_count);
    return database;
}

/* As the engine tells whether a stream is for a rule. */
static bool is_about(const struct spiegel_rule *rule, tr_str db)
{
    const tr_str *names;
    size_t count;

    if (!rule->databases)
        return false;
    if (!pattern_is_fixed(rule->databases, &names, &count) && str_starts(db, STR("_")) &&
        !rule->system_databases)
        return false;
    return pattern_match(rule->databases, db, NULL) == VERDICT_MATCH;
}

bool spiegel_is_wanted(const struct spiegel *spiegel, tr_str db)
{
    for (size_t i = 0; i < spiegel->patterns_count; i++)
        if (is_about(&spiegel->rules[spiegel->patterns[i]], db))
            return true;
    return false;
}

size_t spiegel_plan_changed(struct spiegel_plan *plan, tr_str results)
{
    struct spiegel_database *database;
    size_t cursor = 0, rows = 0;
    struct arena arena;
    tr_str key, row, raw, id, db;

    arena_init(&arena, 4096);
    for (; json_next(results, &cursor, &key, &row); rows++) {
        arena_reset(&arena);
        /* "updated:NAME", "created:NAME"; design documents have no colon. */
        if (!json_get(row, STR("id"), &raw) || !json_decode(raw, &arena, &id))
            continue;
        db = str_from(id, str_find(id, ':') + 1);
        database = db.len > 0 ? find_database(plan, db) : NULL;
        if (database)
            database->changed = true;
    }
    arena_fini(&arena);
    return rows;
}

/* ---- places ---- */

static struct spiegel_place *add_place(struct spiegel_plan *plan)
{
    if (plan->places_count == plan->places_room) {
        plan->places_room = plan->places_room ? 2 * plan->places_room : 256;
        plan->places = mem_resize(plan->places, plan->places_room * sizeof(*plan->places));
    }
    plan->places[plan->places_count] = (struct spiegel_place){.seq = STR("0")};
    return &plan->places[plan->places_count++];
}

/* Incarnations of digits are the second in which the database was made. The server takes a
 * position of an earlier one for the beginning too; to say so is better. */
static bool is_younger(const struct spiegel_database *database, int64_t than_ms)
{
    int64_t made = 0;

    if (than_ms == 0 || database->incarnation.len == 0 || database->incarnation.len > 11)
        return false;
    for (size_t i = 0; i < database->incarnation.len; i++) {
        char c = database->incarnation.ptr[i];
        if (c < '0' || c > '9')
            return false;
        made = made * 10 + (c - '0');
    }
    return made > than_ms / 1000;
}

static void place_listener(const struct spiegel_plan *plan, const struct spiegel *spiegel,
                           const struct spiegel_database *database, struct spiegel_place *place)
{
    const struct spiegel_listener *listener = map_get(&spiegel->listeners, database->name);

    if (listener && is_younger(database, listener->updated_ms)) {
        place->why = SPIEGEL_MADE_ANEW;
    } else if (listener && listener->seq.len > 0) {
        place->why = SPIEGEL_LISTENED;
        place->seq = listener->seq;
    } else if (listener) {
        place->why = SPIEGEL_UNANSWERED;
    } else if (plan->changes_known && database->changed) {
        place->why = SPIEGEL_CHANGED;
    } else {
        place->why = SPIEGEL_NEVER;
        if (plan->unlistened_now && database->end.len > 0)
            place->seq = database->end;
    }
}

static void place_replicator(const struct spiegel_plan *plan, const struct spiegel_rule *rule,
                             const struct spiegel_database *database,
                             struct spiegel_place *place)
{
    place->why = SPIEGEL_TO_REPLICATE;
    if (rule->is_dirty || !plan->changes_known || database->changed || plan->replicate_all ||
        database->end.len == 0)
        return;
    place->why = SPIEGEL_REPLICATED;
    place->seq = database->end;
}

static void place_rule(struct spiegel_plan *plan, const struct spiegel *spiegel, size_t rule,
                       const struct spiegel_database *database, tr_str source)
{
    struct spiegel_place *place = add_place(plan);
    struct buf key = {0};

    place->rule = rule;
    place->database = (size_t)(database - plan->databases);
    if (spiegel->rules[rule].is_replicator)
        place_replicator(plan, &spiegel->rules[rule], database, place);
    else
        place_listener(plan, spiegel, database, place);
    buf_addf(&key, STR_FMT "/" STR_FMT "@" STR_FMT, STR_ARG(source), STR_ARG(database->name),
             STR_ARG(database->incarnation));
    place->stream = arena_str(&plan->arena, buf_str(&key));
    buf_fini(&key);
}

static int by_stream(const void *a, const void *b)
{
    return str_cmp(((const struct spiegel_place *)a)->stream,
                   ((const struct spiegel_place *)b)->stream);
}

/* All databases of one rule. */
static void place_everywhere(struct spiegel_plan *plan, const struct spiegel *spiegel,
                             size_t rule, tr_str source)
{
    const struct spiegel_rule *it = &spiegel->rules[rule];
    const struct spiegel_database *database;
    const tr_str *names;
    size_t count;

    if (pattern_is_fixed(it->databases, &names, &count)) {
        for (size_t i = 0; i < count; i++)
            if ((database = find_database(plan, names[i])) && database->exists)
                place_rule(plan, spiegel, rule, database, source);
        return;
    }
    for (size_t i = 0; i < plan->databases_count; i++)
        if (plan->databases[i].exists && is_about(it, plan->databases[i].name))
            place_rule(plan, spiegel, rule, &plan->databases[i], source);
}

void spiegel_plan_make(struct spiegel_plan *plan, const struct spiegel *spiegel, tr_str source)
{
    for (size_t i = 0; i < spiegel->rules_count; i++) {
        size_t first = plan->places_count;

        if (!spiegel->rules[i].databases)
            continue;
        place_everywhere(plan, spiegel, i, source);
        if (plan->places_count > first)
            qsort(plan->places + first, plan->places_count - first, sizeof(*plan->places),
                  by_stream);
    }
}
