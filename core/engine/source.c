/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A source: a server's connections and login, and the databases of it that some rule is about.
 *
 * Rules that name their databases need no look-up; where one has a pattern, all names are asked
 * for at the start and again at every interval. A file is a source with one database. Loop
 * thread.
 */
#include "base/mem.h"
#include "base/random.h"
#include "engine/private.h"
#include "observe/log.h"
#include "json/value.h"

int64_t source_backoff(const struct source *source, uint32_t failures, bool denied)
{
    const struct source_settings *settings = source->settings;

    return backoff_ms(failures, settings->retry_min_ms * (denied ? FEED_DENIED_FACTOR : 1),
                      settings->retry_max_ms);
}

/* ---- which databases ---- */

static void see(struct source *source, tr_str db)
{
    struct stream *stream = map_get(&source->streams, db);

    if (stream)
        return;
    stream = stream_new(source, db);
    stream_ask(stream);
}

static bool has_fixed_names(const struct running_rule *rule, const tr_str **ret_names,
                            size_t *ret_count)
{
    return pattern_is_fixed(rule->settings->matcher->databases, ret_names, ret_count);
}

/* A database that matches some rule's pattern is seen; all others cost nothing. */
static void look_at_name(struct source *source, tr_str db)
{
    struct stream probe = {.source = source, .db = db};

    if (map_get(&source->streams, db) || db.len == 0)
        return;
    list_each (it, &source->engine->rules) {
        struct running_rule *rule = list_entry(it, struct running_rule, link);
        if (rule->source == source && !rule->leaving && stream_is_for(&probe, rule)) {
            see(source, db);
            return;
        }
    }
}

static void discover(struct source *source);

static void discover_due(struct timer *timer)
{
    discover(list_entry(timer, struct source, discover_timer));
}

static void discover_again(struct source *source, int64_t after_ms)
{
    source->discover_timer.fire = discover_due;
    loop_set_timer(source->engine->loop, &source->discover_timer, after_ms);
}

static void on_names(void *ctx, enum identity_result result, tr_str text,
                     const struct error *error)
{
    struct source *source = ctx;
    const struct source_settings *settings = source->settings;
    struct arena arena;
    tr_str key, raw, name;
    size_t cursor = 0;

    source->listing = NULL;
    if (result != IDENTITY_KNOWN) {
        if (source->discover_failures == 0)
            log_warn("databases cannot be listed: trying again",
                     LOG_S("source", settings->name),
                     LOG_C("reason", error ? error->text : "no answer"));
        discover_again(source, source_backoff(source, source->discover_failures++,
                                              result == IDENTITY_DENIED));
        if (source->engine->options.mode == ENGINE_ONCE &&
            (result == IDENTITY_DENIED || source->discover_failures > 5))
            engine_fail(source->engine,
                        error_exit_code(result == IDENTITY_DENIED ? ERR_NOPERM : ERR_UNAVAIL));
        return;
    }
    if (source->discover_failures > 0)
        log_info("databases can be listed again", LOG_S("source", settings->name));
    source->discover_failures = 0;
    arena_init(&arena, 4096);
    while (json_next(text, &cursor, &key, &raw))
        if (json_decode(raw, &arena, &name))
            look_at_name(source, name);
    arena_fini(&arena);
    source->listed = true;
    discover_again(source, settings->discover_ms);
    source_answered(source);
    engine_look(source->engine);
}

static void discover(struct source *source)
{
    bool must_list = false;

    if (source->settings->kind == SOURCE_FILE) {
        see(source, source->settings->database);
        source->listed = true;
        source_answered(source);
        return;
    }
    list_each (it, &source->engine->rules) {
        struct running_rule *rule = list_entry(it, struct running_rule, link);
        const tr_str *names;
        size_t count;
        if (rule->source != source || rule->leaving)
            continue;
        if (!has_fixed_names(rule, &names, &count)) {
            must_list = true;
            continue;
        }
        for (size_t i = 0; i < count; i++)
            see(source, names[i]);
    }
    if (!must_list) {
        source->listed = true;
        source_answered(source); /* maybe they all were, for rules that came before */
    } else if (!source->listing) {
        source->listing = identity_ask_names(source->engine->loop, source->pool,
                                             &source->settings->url, on_names, source);
    }
}

/* The first look is over when every database that it found has been asked once. */
bool source_is_known(const struct source *source)
{
    if (!source->listed)
        return false;
    list_each (it, &source->stream_list) {
        const struct stream *stream = list_entry(it, struct stream, link);
        if (stream->initial && (!stream->answered || stream->question))
            return false;
    }
    return true;
}

void source_answered(struct source *source)
{
    if (!source_is_known(source))
        return;
    list_each (it, &source->engine->rules) {
        struct running_rule *rule = list_entry(it, struct running_rule, link);
        if (rule->source == source)
            running_rule_discovered(rule);
    }
}

void source_add_rule(struct source *source, struct running_rule *rule)
{
    list_each (it, &source->stream_list) {
        struct stream *stream = list_entry(it, struct stream, link);
        if (stream_is_for(stream, rule))
            stream_add_rule(stream, rule);
    }
    /* In the next turn: the rules of a generation are all there then. */
    discover_again(source, 0);
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
    list_each_safe (it, &source->stream_list)
        stream_free(list_entry(it, struct stream, link));
    question_cancel(source->listing);
    loop_clear_timer(source->engine->loop, &source->discover_timer);
    session_free(source->session);
    if (source->pool)
        http_pool_free(source->pool);
    map_fini(&source->streams);
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
    list_init(&source->stream_list);
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
