/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the status document. It only looks, and asks nobody but the store for a count a rule;
 * what it costs is bounded by its lists, one look at each database, and one at each stream that
 * is read. Called by the socket on the loop thread.
 */
#include "engine/status.h"

#include "base/clock.h"
#include "engine/document_rules.h"
#include "engine/private.h"
#include "engine/tally.h"
#include "http/url.h"
#include "observe/log.h"
#include "observe/socket.h"
#include "json/write.h"

#include <unistd.h>

/* ---- databases ---- */

/* A name that only a pattern matched may come and go; one that a rule names is missed. */
static bool is_in_trouble(const struct database *database)
{
    return database->missing ? rule_index_names(&database->source->index, database->name)
                             : database->stream && database->stream->stuck_since_ms > 0;
}

static void write_trouble(struct buf *out, const struct database *database)
{
    const struct stream *stream = database->stream;

    json_begin(out, NULL, '{');
    json_str(out, "db", database->name);
    json_str(out, "state", database->missing ? STR("missing") : STR("waiting"));
    if (stream && stream->stuck_since_ms > 0)
        json_seconds(out, "for_s", clock_ms() - stream->stuck_since_ms);
    if (stream && stream->trouble)
        json_str(out, "reason", str_c(stream->trouble));
    else if (database->missing)
        json_str(out, "reason", STR("a rule names it, and the server has no such database"));
    json_end(out, '}');
}

static void write_tally(struct buf *out, const struct tally *tally)
{
    json_begin(out, "streams", '{');
    json_num(out, "hot", tally->hot);
    json_num(out, "reading", tally->reading);
    json_num(out, "waiting", tally->waiting);
    json_num(out, "idle", tally->idle);
    json_num(out, "missing", tally->missing);
    json_num(out, "queued", tally->queued);
    json_end(out, '}');
}

static void write_databases(struct buf *out, const struct source *source)
{
    struct tally tally = {0};
    uint32_t troubles = 0;
    size_t cursor = 0;
    tr_str name;
    void *value;

    json_begin(out, "troubles", '[');
    while (map_next(&source->databases, &cursor, &name, &value)) {
        tally_database(&tally, value);
        if (!is_in_trouble(value))
            continue;
        if (troubles++ < STATUS_TROUBLES_MAX)
            write_trouble(out, value);
    }
    json_end(out, ']');
    json_num(out, "troubles_more",
             troubles > STATUS_TROUBLES_MAX ? troubles - STATUS_TROUBLES_MAX : 0);
    write_tally(out, &tally);
}

/* ---- sources ---- */

static void write_address(struct buf *out, const struct source_settings *settings)
{
    struct buf url = {0};

    if (settings->kind == SOURCE_FILE) {
        json_str(out, "path", settings->path);
        return;
    }
    url_redact(&url, settings->url_text);
    json_str(out, "url", buf_str(&url));
    buf_fini(&url);
}

static void write_updates(struct buf *out, const struct source *source)
{
    static const char *const names[] = {
        [UPDATES_CONNECTING] = "connecting",
        [UPDATES_LIVE] = "live",
        [UPDATES_WAITING] = "waiting",
        [UPDATES_UNAVAILABLE] = "unavailable",
    };
    enum updates_state state = source->updates_state;

    json_begin(out, "updates", '{');
    json_str(out, "state", str_c(source->updates ? names[state] : "off"));
    if (source->updates && (state == UPDATES_WAITING || state == UPDATES_UNAVAILABLE))
        json_str(out, "reason", str_c(source->updates_error.text));
    json_end(out, '}');
}

static void write_sweep(struct buf *out, const struct sweep *sweep)
{
    json_begin(out, "sweep", '{');
    json_str(out, "state",
             str_c(sweep->running        ? "running"
                   : sweep->failures > 0 ? "waiting"
                                         : "idle"));
    if (sweep->ended_ms > 0)
        json_seconds(out, "finished_s_ago", clock_ms() - sweep->ended_ms);
    json_num(out, "databases", sweep->looked);
    json_num(out, "changed", sweep->changed);
    json_end(out, '}');
}

static void write_connections(struct buf *out, const struct source *source)
{
    json_begin(out, "connections", '{');
    json_num(out, "running", source->pool ? http_pool_running(source->pool) : 0);
    json_num(out, "waiting", source->pool ? http_pool_waiting(source->pool) : 0);
    json_num(out, "max", source->pool ? source->settings->max_connections : 0);
    json_end(out, '}');
}

static void write_traffic(struct buf *out, const struct source *source)
{
    json_num(out, "rows", (int64_t)source->rows);
    json_num(out, "row_bytes", (int64_t)source->row_bytes);
    json_num(out, "feed_failures", (int64_t)source->feed_failures);
}

static void write_sources(struct buf *out, const struct engine *engine)
{
    json_begin(out, "sources", '[');
    list_each (it, &engine->sources) {
        const struct source *source = list_entry(it, struct source, link);
        json_begin(out, NULL, '{');
        json_str(out, "name", source->settings->name);
        write_address(out, source->settings);
        json_num(out, "databases", (int64_t)source->databases.count);
        write_databases(out, source);
        write_updates(out, source);
        write_sweep(out, &source->sweep);
        write_connections(out, source);
        write_traffic(out, source);
        json_end(out, '}');
    }
    json_end(out, ']');
}

/* ---- rules ---- */

static void write_stats(struct buf *out, const struct binding_stats *stats)
{
    json_num(out, "received", (int64_t)stats->received);
    json_num(out, "filtered", (int64_t)stats->filtered);
    json_num(out, "ok", (int64_t)stats->ok);
    json_num(out, "dead", (int64_t)stats->dead);
    json_num(out, "skipped", (int64_t)stats->skipped);
    json_num(out, "retried", (int64_t)stats->retried);
    json_num(out, "repeated", (int64_t)stats->repeated);
    json_num(out, "batches", (int64_t)stats->batches);
}

/* Where the store has none at all, which is how it should be, nobody is asked for each rule. */
static int64_t count_letters(const struct engine *engine, tr_str rule)
{
    int64_t count = 0, bytes;

    (void)store_dead_letter_count(engine->store, rule, &count, &bytes, NULL);
    return count;
}

static void write_lag(struct buf *out, const struct running_rule *rule,
                      const struct binding_lag *lag)
{
    struct reading reading = reading_of(rule);

    json_num(out, "streams", reading.streams);
    json_num(out, "lag_rows", lag->rows + reading.pending);
    json_seconds(out, "lag_s", lag->oldest_ms > 0 ? clock_ms() - lag->oldest_ms : 0);
    json_num(out, "window_rows", lag->window_rows);
    json_num(out, "window_bytes", (int64_t)lag->bytes);
    json_num(out, "in_flight", lag->in_flight);
    json_num(out, "retrying", lag->retrying);
}

static void write_rule(struct buf *out, const struct running_rule *rule, bool has_letters)
{
    const char *held = binding_held(rule->binding);
    struct binding_lag lag;

    binding_get_lag(rule->binding, &lag);
    json_begin(out, NULL, '{');
    json_str(out, "name", rule->settings->name);
    json_str(out, "plugin", str_c(rule->settings->plugin->descriptor.name));
    json_str(out, "source", rule->settings->source->name);
    json_str(out, "state", str_c(tally_state(rule)));
    if (held || lag.retrying > 0)
        json_str(out, "reason", str_c(held ? held : lag.failure));
    write_lag(out, rule, &lag);
    write_stats(out, binding_get_stats(rule->binding));
    json_num(out, "dead_letters",
             has_letters ? count_letters(rule->engine, rule->settings->name) : 0);
    json_end(out, '}');
}

static bool needs_a_person(const struct running_rule *rule)
{
    struct binding_lag lag;

    binding_get_lag(rule->binding, &lag);
    return lag.retrying > 0 || binding_held(rule->binding);
}

/* In the engine's order; of more than are told, those in trouble first. */
static void write_rules(struct buf *out, const struct engine *engine)
{
    bool has_letters = count_letters(engine, STR("")) > 0;
    uint32_t count = 0, told = 0;

    list_each (it, &engine->rules) {
        (void)it;
        count++;
    }
    json_begin(out, "rules", '[');
    for (int pass = count > STATUS_RULES_MAX ? 0 : 1; pass < 2; pass++)
        list_each (it, &engine->rules) {
            const struct running_rule *rule = list_entry(it, struct running_rule, link);
            if (told == STATUS_RULES_MAX)
                break;
            if (count > STATUS_RULES_MAX && needs_a_person(rule) != (pass == 0))
                continue;
            write_rule(out, rule, has_letters);
            told++;
        }
    json_end(out, ']');
    json_num(out, "rules_more", count - told);
}

/* ---- rules of documents ---- */

struct groups {
    struct buf *out;
    bool open; /* a group and its list of invalid ones                                      */
    size_t untold;
};

static void end_group(struct groups *groups)
{
    if (!groups->open)
        return;
    json_end(groups->out, ']');
    json_num(groups->out, "invalid_more", (int64_t)groups->untold);
    json_end(groups->out, '}');
    groups->open = false;
}

static void write_group(void *ctx, const struct document_group_status *status)
{
    struct groups *groups = ctx;

    end_group(groups);
    json_begin(groups->out, NULL, '{');
    json_str(groups->out, "group", status->name);
    json_str(groups->out, "source", status->source);
    json_str(groups->out, "database", status->database);
    json_str(groups->out, "state", str_c(document_state_name(status->state)));
    if (status->reason[0])
        json_str(groups->out, "reason", str_c(status->reason));
    json_num(groups->out, "rules", (int64_t)status->rules);
    json_begin(groups->out, "invalid", '[');
    groups->untold = status->invalid;
    groups->open = true;
}

static void write_invalid(void *ctx, tr_str id, const char *reason)
{
    struct groups *groups = ctx;

    json_begin(groups->out, NULL, '{');
    json_str(groups->out, "id", id);
    json_str(groups->out, "reason", str_c(reason));
    json_end(groups->out, '}');
    groups->untold--;
}

static void write_groups(struct buf *out, const struct engine *engine)
{
    struct groups groups = {.out = out};

    json_begin(out, "documents", '[');
    document_rules_each(engine, STATUS_INVALID_MAX, write_group, write_invalid, &groups);
    end_group(&groups);
    json_end(out, ']');
}

/* ---- the whole ---- */

static void write_store(struct buf *out, const struct engine *engine)
{
    struct store_health health;

    store_health(engine->store, &health);
    json_begin(out, "store", '{');
    json_str(out, "state", str_c(health.stalled ? "stalled" : "ok"));
    if (health.stalled) {
        json_seconds(out, "for_s", clock_ms() - health.stalled_since_ms);
        json_str(out, "reason", str_c(health.error));
    }
    json_end(out, '}');
}

/* Of all rules, also of those that have ended or are not told. */
static void write_totals(struct buf *out, const struct engine *engine)
{
    struct binding_stats stats;

    engine_get_stats(engine, &stats);
    json_begin(out, "totals", '{');
    write_stats(out, &stats);
    json_end(out, '}');
}

void status_write(const struct engine *engine, struct buf *out)
{
    static const char *const modes[] = {
        [ENGINE_FOLLOW] = "follow", [ENGINE_ONCE] = "once", [ENGINE_REPLAY] = "replay"};

    json_begin(out, NULL, '{');
    json_num(out, "format", STATUS_FORMAT);
    json_str(out, "version", STR(TAILRACE_VERSION));
    json_num(out, "pid", getpid());
    json_seconds(out, "uptime_s", clock_ms() - engine->started_ms);
    json_str(out, "state", str_c(engine->stopping ? "stopping" : "running"));
    json_str(out, "mode", str_c(modes[engine->options.mode]));
    write_store(out, engine);
    write_totals(out, engine);
    write_sources(out, engine);
    write_rules(out, engine);
    write_groups(out, engine);
    json_end(out, '}');
    buf_add_char(out, '\n');
}

static void render(void *ctx, struct buf *out)
{
    status_write(ctx, out);
}

void status_start(struct engine *engine)
{
    struct observe_options options = {
        .loop = engine->loop,
        .dir = engine->settings->state_dir.ptr,
        .render = render,
        .ctx = engine,
    };
    struct error error;

    if (observe_socket_new(&options, &engine->socket, &error) < 0)
        log_warn("\"tailrace status\" will not work", LOG_C("reason", error.text));
}

void status_stop(struct engine *engine)
{
    observe_socket_free(engine->socket);
    engine->socket = NULL;
}
