/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream: one incarnation of one database, and a subscription for each rule that matches it.
 *
 * Before anything is read the server is asked which incarnation it is. Then every rule gets a
 * cursor, at its checkpoint or, where it has none, at where the rule says that it begins. When
 * the database is gone or replaced all of this is done again. Loop thread.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "engine/private.h"
#include "observe/log.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

/* ---- trouble, for the log and for status ---- */

void stream_trouble(struct stream *stream, const char *text)
{
    if (strcmp(stream->trouble, text) != 0)
        log_warn("database cannot be read now: it is tried again",
                 LOG_S("source", stream->source->settings->name), LOG_S("db", stream->db),
                 LOG_C("reason", text));
    snprintf(stream->trouble, sizeof(stream->trouble), "%s", text);
    if (stream->stuck_since_ms == 0)
        stream->stuck_since_ms = clock_ms();
}

void stream_well(struct stream *stream)
{
    if (stream->stuck_since_ms == 0)
        return;
    log_info("database can be read again", LOG_S("source", stream->source->settings->name),
             LOG_S("db", stream->db));
    stream->stuck_since_ms = 0;
    stream->trouble[0] = '\0';
}

/* ---- subscriptions ---- */

void subscription_free(struct subscription *subscription)
{
    reader_leave(subscription);
    cursor_retire(subscription->cursor);
    list_remove(&subscription->in_stream);
    list_remove(&subscription->in_rule);
    free(subscription);
}

static void drop_subscriptions(struct stream *stream)
{
    list_each_safe (it, &stream->subscriptions)
        subscription_free(list_entry(it, struct subscription, in_stream));
}

bool stream_is_for(const struct stream *stream, const struct running_rule *rule)
{
    const struct pattern *pattern = rule->settings->matcher->databases;
    const tr_str *names;
    size_t count;
    struct error error;

    if (!pattern_is_fixed(pattern, &names, &count) && stream->db.ptr[0] == '_' &&
        !rule->settings->system_databases)
        return false;
    switch (pattern_match(pattern, stream->db, &error)) {
    case VERDICT_MATCH: return true;
    case VERDICT_NO_MATCH: return false;
    default:
        log_error("rule cannot tell whether a database is its own; simplify its pattern",
                  LOG_S("rule", rule->settings->name), LOG_S("db", stream->db),
                  LOG_C("reason", error.text));
        return false;
    }
}

/* Where a rule without a checkpoint begins. False: `now` has to be asked for first. */
static bool first_position(struct stream *stream, struct running_rule *rule, tr_str *ret_since)
{
    *ret_since = STR("0");
    if (rule->settings->since_kind == SINCE_SEQ && !rule->was_discovered) {
        *ret_since = rule->settings->since;
    } else if (rule->settings->since_kind == SINCE_NOW && !rule->was_discovered &&
               stream->initial) {
        if (!stream->now)
            return false;
        *ret_since = str_c(stream->now);
    }
    return true;
}

static void ask_now(struct stream *stream);

static void subscribe(struct stream *stream, struct running_rule *rule, tr_str since,
                      int64_t ordinal, bool is_first)
{
    struct subscription *subscription = mem_new(struct subscription);
    struct stream_name name = {
        .key = str_c(stream->key),
        .source = stream->source->settings->name,
        .db = stream->db,
        .incarnation = str_c(stream->incarnation),
        .transient = stream->source->settings->kind == SOURCE_FILE &&
                     str_eq(stream->source->settings->path, STR("-")),
    };

    subscription->stream = stream;
    subscription->rule = rule;
    subscription->cursor = cursor_new(rule->binding, &name, since, ordinal);
    list_init(&subscription->in_reader);
    list_push_back(&stream->subscriptions, &subscription->in_stream);
    list_push_back(&rule->subscriptions, &subscription->in_rule);
    if (is_first) {
        cursor_advance(subscription->cursor, since);
        cursor_touch(subscription->cursor);
    }
    reader_join(subscription);
}

/* A file that was cut short is read from its beginning: it keeps its inode, and so its name. */
static bool is_cut_short(const struct stream *stream, tr_str position)
{
    return stream->source->settings->kind == SOURCE_FILE && stream->now &&
           strtoll(position.ptr, NULL, 10) > strtoll(stream->now, NULL, 10);
}

void stream_add_rule(struct stream *stream, struct running_rule *rule)
{
    struct engine *engine = stream->source->engine;
    struct store_checkpoint checkpoint = {0};
    struct arena arena;
    struct error error;
    bool found;
    tr_str since;

    if (stream->state != STREAM_READY || rule->leaving)
        return;
    arena_init(&arena, 1024);
    if (store_checkpoint_get(engine->store, rule->settings->name, str_c(stream->key), &arena,
                             &checkpoint, &found, &error) < 0) {
        /* Not knowing is not "there is none": to begin anew would be a flood, or a loss. */
        log_error("checkpoint cannot be read: the database is not followed",
                  LOG_S("rule", rule->settings->name), LOG_S("db", stream->db),
                  LOG_C("reason", error.text));
        engine_fail(engine, error_exit_code(error.code));
    } else if (found && is_cut_short(stream, checkpoint.seq)) {
        log_notice("file is shorter than what was read of it: it begins anew",
                   LOG_S("rule", rule->settings->name), LOG_S("db", stream->db));
        subscribe(stream, rule, STR("0"), 0, true);
    } else if (found) {
        subscribe(stream, rule, checkpoint.seq, checkpoint.ordinal, false);
    } else if (first_position(stream, rule, &since)) {
        subscribe(stream, rule, since, 0, true);
    } else {
        ask_now(stream);
    }
    arena_fini(&arena);
}

static void add_rules(struct stream *stream)
{
    list_each (it, &stream->source->engine->rules) {
        struct running_rule *rule = list_entry(it, struct running_rule, link);
        bool there = false;

        if (rule->source != stream->source || !stream_is_for(stream, rule))
            continue;
        list_each (link, &stream->subscriptions)
            there |= list_entry(link, struct subscription, in_stream)->rule == rule;
        if (!there)
            stream_add_rule(stream, rule);
    }
}

/* ---- which incarnation it is ---- */

static void answered(struct stream *stream)
{
    stream->answered = true;
    source_answered(stream->source);
    engine_look(stream->source->engine);
}

static void ask_again(struct timer *timer)
{
    stream_ask(list_entry(timer, struct stream, again));
}

static void wait_and_ask(struct stream *stream, int64_t after_ms)
{
    stream->state = STREAM_WAITING;
    stream->again.fire = ask_again;
    loop_set_timer(stream->source->engine->loop, &stream->again, after_ms);
    answered(stream);
}

static void back_off(struct stream *stream, bool denied)
{
    wait_and_ask(stream, source_backoff(stream->source, stream->failures++, denied));
}

static void identified(struct stream *stream, tr_str incarnation)
{
    struct buf key = {0};

    free(stream->incarnation);
    free(stream->key);
    stream->incarnation = str_dup(incarnation);
    buf_addf(&key, STR_FMT "/" STR_FMT "@" STR_FMT, STR_ARG(stream->source->settings->name),
             STR_ARG(stream->db), STR_ARG(incarnation));
    stream->key = str_dup(buf_str(&key));
    buf_fini(&key);
    stream->state = STREAM_READY;
    stream->missing = false;
    stream->failures = 0;
    stream_well(stream);
    add_rules(stream);
    answered(stream);
}

static void on_missing(struct stream *stream)
{
    struct engine *engine = stream->source->engine;

    if (!stream->missing)
        log_warn("database does not exist: it is looked for again",
                 LOG_S("source", stream->source->settings->name), LOG_S("db", stream->db));
    stream->missing = true;
    wait_and_ask(stream, stream->source->settings->poll_ms);
    if (engine->options.mode == ENGINE_ONCE)
        engine_fail(engine, error_exit_code(ERR_NOINPUT));
}

static void on_identity(void *ctx, enum identity_result result, tr_str text,
                        const struct error *error)
{
    struct stream *stream = ctx;

    stream->question = NULL;
    switch (result) {
    case IDENTITY_KNOWN: identified(stream, text); break;
    case IDENTITY_GONE: on_missing(stream); break;
    case IDENTITY_DENIED:
        stream_trouble(stream, error ? error->text : "not allowed");
        back_off(stream, true);
        if (stream->source->engine->options.mode == ENGINE_ONCE)
            engine_fail(stream->source->engine, error_exit_code(ERR_NOPERM));
        break;
    case IDENTITY_LATER:
        stream_trouble(stream, error ? error->text : "no answer");
        back_off(stream, false);
        break;
    }
}

/* A file's incarnation is its inode: one that was rotated away and made anew is another stream.
 */
static void identify_file(struct stream *stream)
{
    const char *path = stream->source->settings->path.ptr;
    char text[64], why[256];
    struct stat st;

    if (strcmp(path, "-") == 0) {
        identified(stream, STR("stdin"));
        return;
    }
    if (stat(path, &st) < 0) {
        snprintf(why, sizeof(why), "%s: %s", path, strerror(errno));
        stream_trouble(stream, why);
        on_missing(stream);
        return;
    }
    free(stream->now);
    snprintf(text, sizeof(text), "%jd", (intmax_t)st.st_size);
    stream->now = str_dup(str_c(text));
    snprintf(text, sizeof(text), "%jx-%jx", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    identified(stream, str_c(text));
}

void stream_ask(struct stream *stream)
{
    struct source *source = stream->source;

    drop_subscriptions(stream);
    question_cancel(stream->question);
    stream->question = NULL;
    loop_clear_timer(source->engine->loop, &stream->again);
    free(stream->now);
    stream->now = NULL;
    stream->state = STREAM_ASKING;
    if (source->settings->kind == SOURCE_FILE)
        identify_file(stream);
    else
        stream->question = identity_ask(source->engine->loop, source->pool,
                                        &source->settings->url, stream->db, on_identity,
                                        stream);
}

/* ---- where `now` is ---- */

static void on_now(void *ctx, enum identity_result result, tr_str text,
                   const struct error *error)
{
    struct stream *stream = ctx;

    stream->question = NULL;
    if (result != IDENTITY_KNOWN) {
        on_identity(stream, result, text, error);
        return;
    }
    free(stream->now);
    stream->now = str_dup(text);
    add_rules(stream);
    answered(stream);
}

static void ask_now(struct stream *stream)
{
    if (!stream->question)
        stream->question = identity_ask_now(stream->source->engine->loop, stream->source->pool,
                                            &stream->source->settings->url, stream->db, on_now,
                                            stream);
}

/* ---- making and ending ---- */

struct stream *stream_new(struct source *source, tr_str db)
{
    struct stream *stream = mem_new(struct stream);

    stream->source = source;
    stream->db = str_c(str_dup(db));
    stream->initial = !source->listed;
    list_init(&stream->subscriptions);
    list_init(&stream->readers);
    list_push_back(&source->stream_list, &stream->link);
    map_set(&source->streams, db, stream);
    return stream;
}

void stream_free(struct stream *stream)
{
    drop_subscriptions(stream);
    list_each_safe (it, &stream->readers)
        reader_free(list_entry(it, struct reader, link));
    question_cancel(stream->question);
    loop_clear_timer(stream->source->engine->loop, &stream->again);
    map_remove(&stream->source->streams, stream->db);
    list_remove(&stream->link);
    free(stream->incarnation);
    free(stream->key);
    free(stream->now);
    free((char *)(uintptr_t)stream->db.ptr);
    free(stream);
}
