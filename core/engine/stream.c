/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream: one incarnation of one database while it is read, and a subscription for each rule
 * that matches it.
 *
 * Before anything is read the server is asked which incarnation it is. Then every rule gets a
 * cursor, at its checkpoint or, where it has none, at where the rule says that it begins. When
 * the database is gone or replaced all of this is done again; when it is one of many and is
 * read to its end, the stream is over. Loop thread.
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
    if (!stream->trouble || strcmp(stream->trouble, text) != 0)
        log_warn("database cannot be read now: it is tried again",
                 LOG_S("source", stream->source->settings->name), LOG_S("db", stream->db),
                 LOG_C("reason", text));
    free(stream->trouble);
    stream->trouble = str_dup(str_c(text));
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
    free(stream->trouble);
    stream->trouble = NULL;
}

/* ---- subscriptions ---- */

static void drop_subscriptions(struct stream *stream)
{
    list_each_safe (it, &stream->subscriptions)
        subscription_free(list_entry(it, struct subscription, in_stream));
}

static void ask_now(struct stream *stream);

/* ---- where a rule begins ---- */

/* The rule is about all that happens from its start on. So a database that it found when it
 * first looked is read from where the rule says, and one that came later from its beginning. */
enum first rule_first(const struct running_rule *rule, const struct database *database)
{
    bool is_file = database->source->settings->kind == SOURCE_FILE;
    const tr_str *names;
    size_t count;

    if (rule->since_kind == SINCE_BEGINNING || rule->was_discovered)
        return FIRST_BEGINNING;
    if (!is_file && !rule_is_fixed(rule, &names, &count)) {
        if (rule->listing == 0 || rule->listing > database->source->sweep.listed)
            return FIRST_UNDECIDED;
        if (database->first == 0 || database->first > rule->listing)
            return FIRST_BEGINNING;
    }
    return rule->since_kind == SINCE_NOW ? FIRST_NOW : FIRST_SEQ;
}

/* False: something has to be found out before. */
static bool first_position(struct stream *stream, struct running_rule *rule, tr_str *ret_since)
{
    switch (rule_first(rule, stream->database)) {
    case FIRST_BEGINNING: *ret_since = STR("0"); return true;
    case FIRST_SEQ: *ret_since = rule->since; return true;
    case FIRST_NOW: *ret_since = stream->now ? str_c(stream->now) : STR(""); break;
    case FIRST_UNDECIDED: stream->undecided = true; return false;
    }
    if (!stream->now)
        ask_now(stream);
    return stream->now != NULL;
}

/* A file that was cut short is read from its beginning: it keeps its inode, and so its name. */
static bool is_cut_short(const struct stream *stream, tr_str position)
{
    return stream->source->settings->kind == SOURCE_FILE && stream->now &&
           strtoll(position.ptr, NULL, 10) > strtoll(stream->now, NULL, 10);
}

/* A thousand rules may be about one database, and a rule about ten thousand: the shorter of the
 * two lists tells. */
static bool has_rule(const struct stream *stream, const struct running_rule *rule)
{
    const struct list *one = &stream->subscriptions, *other = &rule->subscriptions;

    for (;;) {
        one = one->next;
        if (one == &stream->subscriptions)
            return false;
        if (list_entry(one, struct subscription, in_stream)->rule == rule)
            return true;
        other = other->next;
        if (other == &rule->subscriptions)
            other = rule->stalled.next;
        if (other == &rule->stalled)
            return false;
        if (list_entry(other, struct subscription, in_rule)->stream == stream)
            return true;
    }
}

void stream_add_rule(struct stream *stream, struct running_rule *rule)
{
    struct engine *engine = stream->source->engine;
    struct store_checkpoint checkpoint = {0};
    struct arena arena;
    struct error error;
    bool found;
    tr_str since;

    if (stream->state != STREAM_READY || rule->leaving || has_rule(stream, rule))
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
        subscription_new(stream, rule, STR("0"), 0, true);
    } else if (found) {
        subscription_new(stream, rule, checkpoint.seq, checkpoint.ordinal, false);
    } else if (first_position(stream, rule, &since)) {
        subscription_new(stream, rule, since, 0, true);
    }
    arena_fini(&arena);
}

void stream_add_rules(struct stream *stream)
{
    struct index_cursor cursor;

    stream->undecided = false;
    for (struct running_rule *rule =
             rule_index_first(&stream->source->index, stream->db, &cursor);
         rule; rule = rule_index_next(stream->db, &cursor))
        stream_add_rule(stream, rule);
    stream_check(stream);
}

/* ---- its turn, and its end ---- */

void stream_yield(struct stream *stream)
{
    if (!stream->turn)
        return;
    stream->turn = false;
    stream->source->reading--;
    database_turns_soon(stream->source);
}

bool stream_is_read(const struct stream *stream)
{
    if (stream->state != STREAM_READY || stream->question || stream->undecided)
        return false;
    list_each (it, &stream->subscriptions) {
        const struct subscription *subscription = list_entry(it, struct subscription,
                                                             in_stream);
        if (binding_held(subscription->rule->binding))
            continue;
        if (!subscription->reader || !subscription->reader->complete)
            return false;
    }
    return true;
}

/* One that stalls must not keep a database from the others: what happens there meanwhile is
 * read by asking anew. */
bool stream_is_parked(const struct stream *stream)
{
    if (stream->state != STREAM_READY || stream->question || stream->undecided ||
        stream->given_up || !source_has_many(stream->source) || stream_is_read(stream))
        return false;
    list_each (it, &stream->readers) {
        const struct reader *reader = list_entry(it, struct reader, link);
        if (!reader->complete && !reader->paused)
            return false;
    }
    return true;
}

static void end_due(struct timer *timer)
{
    struct stream *stream = list_entry(timer, struct stream, end_timer);

    if (stream->given_up)
        database_rest(stream->database, NULL);
    else if (stream_is_read(stream))
        database_rest(stream->database, &stream->facts);
}

static void end_soon(struct stream *stream)
{
    stream->end_timer.fire = end_due;
    loop_set_timer(stream->source->engine->loop, &stream->end_timer, 0);
}

/* Few databases keep their streams; at the end of `run --once` none does. */
void stream_check(struct stream *stream)
{
    const struct source *source = stream->source;

    if (!source_has_many(source) && source->engine->options.mode != ENGINE_ONCE)
        return;
    if (stream_is_read(stream)) {
        end_soon(stream);
    } else if (stream_is_parked(stream)) {
        stream_yield(stream);
        if (stream->database->again)
            database_read_again(stream->database);
    }
}

void stream_give_up(struct stream *stream)
{
    stream->given_up = true;
    drop_subscriptions(stream);
    end_soon(stream);
}

/* ---- which incarnation it is ---- */

static void answered(struct stream *stream)
{
    stream->answered = true;
    database_answered(stream->database);
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
    stream_yield(stream);
}

static void back_off(struct stream *stream, bool denied)
{
    wait_and_ask(stream, source_backoff(stream->source, stream->failures++, denied));
}

void stream_key(const struct source *source, tr_str db, tr_str incarnation, struct buf *out)
{
    buf_addf(out, STR_FMT "/" STR_FMT "@" STR_FMT, STR_ARG(source->settings->name), STR_ARG(db),
             STR_ARG(incarnation));
}

/* Told twice of one change, or of one that was read by the way. */
static bool is_as_it_was(const struct stream *stream)
{
    const struct database *database = stream->database;

    return source_has_many(stream->source) && database->settled &&
           stream->facts.token == database->token && !database_is_hot(database);
}

static void identified(struct stream *stream, tr_str incarnation)
{
    struct buf key = {0};

    free(stream->incarnation);
    free(stream->key);
    stream->incarnation = str_dup(incarnation);
    stream_key(stream->source, stream->db, incarnation, &key);
    stream->key = str_dup(buf_str(&key));
    buf_fini(&key);
    stream->state = STREAM_READY;
    stream->missing = stream->database->missing = false;
    stream->failures = 0;
    stream->active_ms = clock_ms();
    stream_well(stream);
    if (is_as_it_was(stream))
        stream_check(stream); /* no rule has joined: it has nothing to read                 */
    else
        stream_add_rules(stream);
    if (!stream->question) /* a rule's `now`: on_now() goes on                              */
        answered(stream);
}

/* One of many is looked for by the sweep, and by the server's word that it was made. */
static void on_missing(struct stream *stream)
{
    struct source *source = stream->source;
    struct engine *engine = source->engine;
    bool named = source->settings->kind == SOURCE_FILE ||
                 rule_index_names(&source->index, stream->db);

    if (named && !stream->database->missing)
        log_warn("database does not exist: it is looked for again",
                 LOG_S("source", source->settings->name), LOG_S("db", stream->db));
    stream->missing = stream->database->missing = true;
    wait_and_ask(stream, source->settings->poll_ms);
    if (named)
        engine_fail(engine, error_exit_code(ERR_NOINPUT));
    if (source_has_many(source) || !named)
        stream_give_up(stream);
}

static void on_refused(struct stream *stream, enum identity_result result,
                       const struct error *error)
{
    if (result == IDENTITY_GONE) {
        on_missing(stream);
        return;
    }
    stream_trouble(stream, error ? error->text : "no answer");
    if (result == IDENTITY_LATER)
        database_read_failed(stream->source);
    back_off(stream, result == IDENTITY_DENIED);
    if (result == IDENTITY_DENIED)
        engine_fail(stream->source->engine, error_exit_code(ERR_NOPERM));
}

static void on_identity(void *ctx, enum identity_result result, tr_str text,
                        const struct error *error)
{
    struct stream *stream = ctx;
    const struct identity_facts *facts = question_facts(stream->question);

    stream->facts = facts ? *facts : (struct identity_facts){0};
    stream->question = NULL;
    if (result == IDENTITY_KNOWN)
        identified(stream, text);
    else
        on_refused(stream, result, error);
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
        on_refused(stream, result, error);
        return;
    }
    free(stream->now);
    stream->now = str_dup(text);
    stream_add_rules(stream);
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

struct stream *stream_new(struct database *database)
{
    struct stream *stream = mem_new(struct stream);

    stream->source = database->source;
    stream->database = database;
    stream->db = database->name;
    list_init(&stream->subscriptions);
    list_init(&stream->readers);
    list_push_back(&stream->source->streams, &stream->link);
    return stream;
}

void stream_free(struct stream *stream)
{
    struct loop *loop = stream->source->engine->loop;

    drop_subscriptions(stream);
    list_each_safe (it, &stream->readers)
        reader_free(list_entry(it, struct reader, link));
    question_cancel(stream->question);
    loop_clear_timer(loop, &stream->again);
    loop_clear_timer(loop, &stream->end_timer);
    stream->database->stream = NULL;
    if (stream->turn)
        stream->source->reading--;
    list_remove(&stream->link);
    free(stream->incarnation);
    free(stream->key);
    free(stream->now);
    free(stream->trouble);
    free(stream);
}
