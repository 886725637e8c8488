/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One database of rules.
 *
 *     which incarnation? ──▶ all from the beginning ──▶ what was not there is gone ──▶ live
 *              ▲                                                                        │
 *              └────────── database replaced or gone, a reload ◀───────────────────────┘
 *
 * Every reading from the beginning is a round; a document that a whole round did not bring is
 * gone. So one that fails, or never ends, takes no rule away. Each group has connections of its
 * own: rules are learnt also while a source's are busy. Loop thread.
 */
#include "engine/document_group.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "observe/log.h"

#include <stdio.h>

enum {
    CONNECTIONS = 2,   /* the feed; a question or a report                                  */
    ONCE_ATTEMPTS = 5, /* `run --once` gives up after so many                               */
    AWAITED_MS = 10000 /* ten thousand documents take a second or two                       */
};

static void ask(struct document_group *group);

/* ---- documents ---- */

static void unwant(struct document_group *group, tr_str id)
{
    struct arena arena;

    arena_init(&arena, 256);
    wanted_remove(group->engine, document_rule_name(str_c(group->name), id, &arena));
    arena_fini(&arena);
}

static void count(struct document_group *group, const struct document *document, size_t by)
{
    if (document->reason)
        group->invalid += by;
    else if (document->rev)
        group->rules += by;
}

static void document_free(struct document *document)
{
    free(document->rev);
    free(document->reason);
    free(document);
}

static void forget(struct document_group *group, tr_str id)
{
    struct document *document = map_get(&group->documents, id);

    if (!document)
        return;
    count(group, document, (size_t)-1);
    if (!document->reason) {
        log_info("rule of a document ends", LOG_C("group", group->name), LOG_S("document", id));
        unwant(group, id);
    }
    map_remove(&group->documents, id); /* last: it may be the map's own key              */
    document_free(document);
}

/* What it was before is over: `reason` is NULL for one that is a rule now. */
static void set(struct document_group *group, struct document *document, tr_str rev,
                const char *reason)
{
    count(group, document, (size_t)-1);
    free(document->rev);
    free(document->reason);
    document->rev = str_dup(rev);
    document->reason = reason ? str_dup(str_c(reason)) : NULL;
    document->judged = group->serial;
    count(group, document, 1);
}

/* Most writes of a document change nothing that matters. What runs already goes on with the
 * generation that it has: two of each would be memory for nothing. */
static bool runs_already(const struct engine *engine, const struct rule_settings *rule)
{
    const struct wanted_rule *wanted = map_get(&engine->wanted, rule->name);

    return wanted && wanted->generation && wanted->running && !wanted->running->leaving &&
           !binding_held(wanted->running->binding) &&
           str_eq(buf_str(&wanted->settings->canonical), buf_str(&rule->canonical)) &&
           str_eq(buf_str(&wanted->settings->source->canonical),
                  buf_str(&rule->source->canonical));
}

static void take_rule(struct document_group *group, struct document *document,
                      const tr_change *row, struct settings *settings)
{
    bool is_new = !document->rev || document->reason;

    set(group, document, row->rev, NULL);
    if (is_new) /* of ten thousand at a start a sum is enough, see end_round() */
        log_at(group->reading ? LOG_DEBUG : LOG_INFO, "rule of a document",
               LOG_C("group", group->name), LOG_S("document", row->id),
               LOG_C("plugin", settings->rules[0].plugin->descriptor.name));
    if (!runs_already(group->engine, &settings->rules[0]))
        wanted_put(group->engine, settings, &settings->rules[0]);
    settings_unref(settings);
    if (group->reporter)
        document_report(group->reporter, row->id, row->doc, STR(""));
}

static void take_mistake(struct document_group *group, struct document *document,
                         const tr_change *row, const char *reason)
{
    bool was_rule = document->rev && !document->reason;
    bool is_known = document->reason && strcmp(document->reason, reason) == 0 &&
                    (str_eq(str_c(document->rev), row->rev) ||
                     document_says(row->doc, str_c(reason)));

    set(group, document, row->rev, reason);
    if (!is_known)
        log_warn("document is no proper rule", LOG_C("group", group->name),
                 LOG_S("document", row->id), LOG_S("rev", row->rev), LOG_C("reason", reason));
    if (was_rule)
        unwant(group, row->id);
    if (group->reporter && row->doc.len > 0)
        document_report(group->reporter, row->id, row->doc, str_c(reason));
}

static struct document *find_or_add(struct document_group *group, tr_str id)
{
    struct document *document = map_get(&group->documents, id);

    if (!document) {
        document = mem_new(struct document);
        map_set(&group->documents, id, document);
    }
    document->round = group->round;
    return document;
}

static void judge(struct document_group *group, const tr_change *row)
{
    struct settings *settings = NULL;
    struct buf reason = {0};
    struct diags diags;

    diags_init(&diags);
    switch (settings_from_document(group->generation, group->settings, row->id, row->doc,
                                   &diags, &settings)) {
    case DOCUMENT_NONE: forget(group, row->id); break;
    case DOCUMENT_RULE: take_rule(group, find_or_add(group, row->id), row, settings); break;
    case DOCUMENT_INVALID:
        document_reason(&diags, &reason);
        take_mistake(group, find_or_add(group, row->id), row, reason.ptr ? reason.ptr : "");
        break;
    }
    buf_fini(&reason);
    diags_fini(&diags);
}

static void take_row(struct document_group *group, const tr_change *row)
{
    struct document *document = map_get(&group->documents, row->id);

    if (row->flags & TR_CHANGE_DESIGN)
        return;
    if (row->flags & TR_CHANGE_DELETED) {
        forget(group, row->id);
    } else if (document && document->judged == group->serial &&
               str_eq(str_c(document->rev), row->rev)) {
        document->round = group->round; /* the next round brings it again                   */
    } else if (row->doc.len > 0) {
        judge(group, row);
    } else if (document) {
        take_mistake(group, find_or_add(group, row->id), row,
                     "the document is longer than the max_row of its source");
    }
}

/* ---- rounds ---- */

static void end_round(struct document_group *group)
{
    size_t cursor = 0;
    void *value;
    tr_str id;

    if (!group->reading)
        return;
    group->reading = false;
    group->read = true;
    while (map_next(&group->documents, &cursor, &id, &value)) {
        if (((struct document *)value)->round != group->round)
            forget(group, id);
    }
    log_notice("rules of documents are read", LOG_C("group", group->name),
               LOG_I("rules", group->rules), LOG_I("invalid", group->invalid));
}

static void set_state(struct document_group *group, enum document_state state,
                      const char *reason)
{
    if (*reason && strcmp(group->reason, reason) != 0)
        log_warn("documents of rules cannot be read now: tried again",
                 LOG_C("group", group->name), LOG_S("db", group->settings->database),
                 LOG_C("reason", reason));
    else if (!*reason && *group->reason)
        log_info("documents of rules can be read again", LOG_C("group", group->name));
    group->state = state;
    snprintf(group->reason, sizeof(group->reason), "%s", reason);
}

static void ask_again(struct timer *timer)
{
    ask(list_entry(timer, struct document_group, again));
}

static void wait(struct document_group *group, int64_t after_ms, int code)
{
    group->again.fire = ask_again;
    loop_set_timer(group->engine->loop, &group->again, after_ms);
    if (code != 0)
        engine_fail(group->engine, error_exit_code(code));
}

static void back_off(struct document_group *group, bool denied)
{
    const struct source_settings *source = group->settings->source;

    int64_t base = source->retry_min_ms * (denied ? FEED_DENIED_FACTOR : 1);

    wait(group, backoff_ms(group->failures, base, source->retry_max_ms),
         denied                            ? ERR_NOPERM
         : group->failures > ONCE_ATTEMPTS ? ERR_UNAVAIL
                                           : 0);
    group->failures++;
}

static void end_feed(struct document_group *group)
{
    feed_free(group->feed);
    group->feed = NULL;
    group->reading = false;
}

/* ---- what the feed brings ---- */

static void on_rows(void *ctx, struct segment *segment)
{
    struct document_group *group = ctx;

    for (uint32_t i = 0; i < segment->count && !group->engine->stopping; i++)
        take_row(group, &segment->rows[i]);
}

static void on_position(void *ctx, tr_str seq)
{
    (void)ctx;
    (void)seq;
}

static void on_state(void *ctx, enum feed_state state, const struct error *error)
{
    struct document_group *group = ctx;

    switch (state) {
    case FEED_LIVE:
        group->failures = 0;
        end_round(group);
        set_state(group, DOCUMENTS_LIVE, "");
        break;
    case FEED_DENIED:
        set_state(group, DOCUMENTS_DENIED, error ? error->text : "not allowed");
        engine_fail(group->engine, error_exit_code(ERR_NOPERM));
        break;
    case FEED_WAITING:
        set_state(group, DOCUMENTS_WAITING, error ? error->text : "no answer");
        if (group->failures++ > ONCE_ATTEMPTS)
            engine_fail(group->engine, error_exit_code(ERR_UNAVAIL));
        break;
    case FEED_CONNECTING:
    case FEED_CATCHING_UP: break;
    }
}

static void on_ended(void *ctx, enum feed_end end, const struct error *error)
{
    struct document_group *group = ctx;

    switch (end) {
    case FEED_COMPLETE:
        end_round(group);
        end_feed(group);
        set_state(group, DOCUMENTS_DONE, "");
        engine_look(group->engine);
        break;
    case FEED_REPLACED:
        log_notice("database of rules was replaced: its documents are read anew",
                   LOG_C("group", group->name), LOG_S("db", group->settings->database));
        end_feed(group);
        ask(group);
        break;
    case FEED_GONE:
    case FEED_REFUSED:
        end_feed(group);
        set_state(group, end == FEED_GONE ? DOCUMENTS_MISSING : DOCUMENTS_WAITING,
                  error ? error->text : "the database is gone");
        wait(group,
             end == FEED_GONE ? group->settings->source->poll_ms
                              : group->settings->source->retry_max_ms,
             end == FEED_GONE ? ERR_NOINPUT : ERR_DATA);
        break;
    }
}

static const struct feed_events feed_events = {
    .rows = on_rows, .position = on_position, .state = on_state, .ended = on_ended};

static void read_all(struct document_group *group, tr_str incarnation)
{
    const struct source_settings *source = group->settings->source;
    bool follow = group->engine->options.mode == ENGINE_FOLLOW;
    struct feed_query query = {.include_docs = true,
                               .page_rows = (uint32_t)source->page_rows,
                               .heartbeat_ms = (uint32_t)source->heartbeat_ms,
                               .read_size = (uint32_t)source->read_size,
                               .max_row = CONFIG_FILE_MAX};
    struct feed_options options = {.loop = group->engine->loop,
                                   .mode = follow ? FEED_FOLLOW : FEED_ONCE,
                                   .retry_min_ms = source->retry_min_ms,
                                   .retry_max_ms = source->retry_max_ms,
                                   .events = &feed_events,
                                   .ctx = group};

    free(group->incarnation);
    group->incarnation = str_dup(incarnation);
    group->round++;
    group->reading = true;
    set_state(group, DOCUMENTS_READING, "");
    group->feed = feed_changes_new(&options, &query, group->pool, &source->url,
                                   group->settings->database, str_c(group->incarnation));
    feed_start(group->feed);
}

static void on_identity(void *ctx, enum identity_result result, tr_str text,
                        const struct error *error)
{
    struct document_group *group = ctx;

    group->question = NULL;
    switch (result) {
    case IDENTITY_KNOWN:
        group->failures = 0;
        read_all(group, text);
        break;
    case IDENTITY_GONE:
        set_state(group, DOCUMENTS_MISSING, "the database does not exist");
        wait(group, group->settings->source->poll_ms, ERR_NOINPUT);
        break;
    case IDENTITY_DENIED:
        set_state(group, DOCUMENTS_DENIED, error ? error->text : "not allowed");
        back_off(group, true);
        break;
    case IDENTITY_LATER:
        set_state(group, DOCUMENTS_WAITING, error ? error->text : "no answer");
        back_off(group, false);
        break;
    }
}

static void ask(struct document_group *group)
{
    group->question = identity_ask(group->engine->loop, group->pool,
                                   &group->settings->source->url, group->settings->database,
                                   on_identity, group);
}

/* ---- connections ---- */

static int open_connections(struct document_group *group, struct error *error)
{
    const struct source_settings *source = group->settings->source;
    struct http_options options = {
        .secrets = group->engine->secrets,
        .ca_file = source->ca_file,
        .proxy = source->proxy,
        .insecure = source->insecure != 0,
        .connect_timeout_ms = (uint32_t)source->connect_timeout_ms,
        .max_connections = CONNECTIONS,
    };
    int rc = http_pool_new(group->engine->http, &options, &group->pool, error);

    if (rc == 0 && source->auth == AUTH_COOKIE)
        rc = session_new(group->pool, source->url_text.ptr, source->session_age_ms,
                         &group->session, error);
    return rc;
}

void document_group_disconnect(struct document_group *group)
{
    question_cancel(group->question);
    group->question = NULL;
    loop_clear_timer(group->engine->loop, &group->again);
    end_feed(group);
    document_reporter_free(group->reporter);
    group->reporter = NULL;
    session_free(group->session);
    group->session = NULL;
    http_pool_free(group->pool);
    group->pool = NULL;
}

/* By the settings of the engine's generation. */
void document_group_connect(struct document_group *group,
                            const struct document_settings *settings)
{
    struct settings *generation = group->engine->settings;
    struct error error;
    int rc;

    settings_ref(generation);
    settings_unref(group->generation);
    group->generation = generation;
    group->settings = settings;
    group->serial++;
    group->failures = 0;
    group->state = DOCUMENTS_CONNECTING;
    group->awaited_until_ms = clock_ms() + AWAITED_MS;
    rc = open_connections(group, &error);
    if (rc < 0) {
        set_state(group, DOCUMENTS_WAITING, error.text);
        engine_fail(group->engine, error_exit_code(rc));
        return; /* until a reload: what it says is wrong with the configuration             */
    }
    if (settings->report)
        group->reporter = document_reporter_new(group->engine->loop, group->pool,
                                                &settings->source->url, settings->database);
    ask(group);
}

/* ---- ending ---- */

void document_group_forget(struct document_group *group)
{
    size_t cursor = 0;
    void *value;
    tr_str id;

    while (map_next(&group->documents, &cursor, &id, &value))
        forget(group, id);
}

void document_group_free(struct document_group *group)
{
    size_t cursor = 0;
    void *value;
    tr_str id;

    document_group_disconnect(group);
    while (map_next(&group->documents, &cursor, &id, &value))
        document_free(value);
    map_fini(&group->documents);
    list_remove(&group->link);
    settings_unref(group->generation);
    free(group->incarnation);
    free(group->name);
    free(group);
}
