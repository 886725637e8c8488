/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A source: a server's connections and login, the rules that are about it, and what they may
 * cost it. A file is a source with one database. Loop thread.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "engine/private.h"

int64_t source_backoff(const struct source *source, uint32_t failures, bool denied)
{
    const struct source_settings *settings = source->settings;

    return backoff_ms(failures, settings->retry_min_ms * (denied ? FEED_DENIED_FACTOR : 1),
                      settings->retry_max_ms);
}

bool source_has_many(const struct source *source)
{
    return source->databases.count > (size_t)source->settings->max_feeds;
}

/* In no second shall there be more than the rate: nine tenths come steadily, and what was saved
 * and what is under way (source_reads_at_once) are a twentieth each. */
int64_t source_spend(struct source *source, uint32_t requests)
{
    struct budget *budget = &source->budget;
    double rate = (double)source->settings->request_rate * 0.9 / 1000;
    double most = (double)source->settings->request_rate / 20;
    int64_t now = clock_ms();

    if (most < requests)
        most = requests;
    budget->tokens += (double)(now - budget->filled_ms) * rate;
    if (budget->tokens > most)
        budget->tokens = most;
    budget->filled_ms = now;
    if (budget->tokens < requests)
        return 1 + (int64_t)((requests - budget->tokens) / rate);
    budget->tokens -= requests;
    return 0;
}

uint32_t source_reads_at_once(const struct source *source)
{
    int64_t most = source->settings->request_rate / 20;

    if (most > source->settings->max_connections)
        most = source->settings->max_connections;
    return most > 0 ? (uint32_t)most : 1;
}

/* ---- what is known of it ---- */

/* The first look is over when every database that it found has been asked once. */
bool source_is_known(const struct source *source)
{
    return source->sweep.listed > 0 && !source->sweep.running && source->initial_left == 0;
}

bool source_is_done(const struct source *source)
{
    return source_is_known(source) && list_empty(&source->streams) &&
           list_empty(&source->urgent) && list_empty(&source->backlog) &&
           list_empty(&source->sweep.left) && !source->sweep.question &&
           list_empty(&source->sweep.placings);
}

void source_answered(struct source *source)
{
    if (!source_is_known(source))
        return;
    list_each (it, &source->rules) {
        struct running_rule *rule = list_entry(it, struct running_rule, in_source);
        if (rule->listing > 0 && rule->listing <= source->sweep.listed)
            running_rule_discovered(rule);
    }
}

/* ---- its rules ---- */

/* Databases that are at rest for the rules before it need not be so for this one. */
static void look_again(struct source *source, const struct running_rule *rule)
{
    size_t cursor = 0;
    tr_str name;
    void *value;

    while (map_next(&source->databases, &cursor, &name, &value)) {
        struct database *database = value;
        if (pattern_match(rule->settings->matcher->databases, name, NULL) == VERDICT_MATCH)
            database->settled = false;
    }
}

/* One that names its databases needs no look at all names; there may be very many of those. */
static void look_at_named(struct source *source, struct running_rule *rule, const tr_str *names,
                          size_t count)
{
    rule->listing = source->sweep.listing;
    for (size_t i = 0; i < count; i++) {
        struct database *database = database_find(source, names[i]);
        if (!database)
            database = database_add(source, names[i]);
        database->settled = false;
        if (database->stream) { /* it alone: there may be a thousand others already       */
            stream_add_rule(database->stream, rule);
            stream_check(database->stream);
        }
        sweep_database(database);
    }
    if (source_is_known(source)) /* all of them are read already                            */
        running_rule_discovered(rule);
}

void source_add_rule(struct source *source, struct running_rule *rule)
{
    const tr_str *names;
    size_t count;

    rule_index_add(&source->index, rule);
    list_push_back(&source->rules, &rule->in_source);
    if (source->sweep.listed > 0 && source->settings->kind != SOURCE_FILE &&
        rule_is_fixed(rule, &names, &count)) {
        look_at_named(source, rule, names, count);
        return;
    }
    look_again(source, rule);
    list_each (it, &source->streams) {
        struct stream *stream = list_entry(it, struct stream, link);
        if (pattern_match(rule->settings->matcher->databases, stream->db, NULL) ==
            VERDICT_MATCH)
            stream_add_rules(stream);
    }
    /* In the next turn: the rules of a generation are all there then. */
    sweep_soon(source);
}

void source_remove_rule(struct source *source, struct running_rule *rule)
{
    if (list_empty(&rule->in_source))
        return;
    list_remove(&rule->in_source);
    rule_index_remove(&source->index, rule);
}

/* ---- making and ending ---- */

static int open_connections(struct source *source, struct error *error)
{
    const struct source_settings *settings = source->settings;
    struct http_options options = {
        .secrets = source->engine->secrets,
        .ca_file = settings->ca_file,
        .proxy = settings->proxy,
        .insecure = settings->insecure != 0,
        .connect_timeout_ms = (uint32_t)settings->connect_timeout_ms,
        .max_connections = (uint32_t)settings->max_connections,
    };
    int rc;

    if (settings->kind == SOURCE_FILE)
        return 0;
    rc = http_pool_new(source->engine->http, &options, &source->pool, error);
    if (rc == 0 && settings->auth == AUTH_COOKIE)
        rc = session_new(source->pool, settings->url_text.ptr, settings->session_age_ms,
                         &source->session, error);
    return rc < 0 ? error_prefix(error, "source " STR_FMT, STR_ARG(settings->name)) : 0;
}

static void source_free(struct source *source)
{
    size_t cursor = 0;
    tr_str name;
    void *database;

    news_stop(source);
    sweep_fini(source);
    loop_clear_timer(source->engine->loop, &source->turn);
    while (map_next(&source->databases, &cursor, &name, &database))
        database_free(database);
    map_fini(&source->databases);
    rule_index_fini(&source->index);
    session_free(source->session);
    if (source->pool)
        http_pool_free(source->pool);
    list_remove(&source->link);
    settings_unref(source->generation);
    free(source);
}

int source_get(struct engine *engine, struct settings *generation,
               struct source_settings *settings, struct source **ret_source,
               struct error *error)
{
    struct source *source;
    int rc;

    list_each (it, &engine->sources) {
        source = list_entry(it, struct source, link);
        if (!str_eq(buf_str(&source->settings->canonical), buf_str(&settings->canonical)) ||
            !str_eq(source->settings->name, settings->name))
            continue;
        source->users++;
        *ret_source = source;
        return 0;
    }
    source = mem_new(struct source);
    source->engine = engine;
    source->generation = generation;
    settings_ref(generation);
    source->settings = settings;
    source->users = 1;
    list_init(&source->rules);
    list_init(&source->urgent);
    list_init(&source->backlog);
    list_init(&source->streams);
    rule_index_init(&source->index);
    sweep_init(source);
    list_push_back(&engine->sources, &source->link);
    rc = open_connections(source, error);
    if (rc < 0) {
        source_free(source);
        return rc;
    }
    *ret_source = source;
    return 0;
}

void source_release(struct source *source)
{
    if (source && --source->users == 0)
        source_free(source);
}
