/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the import asks the server, one question after the other: the loop turns until the
 * answer is there. Main thread.
 */
#include "base/clock.h"
#include "cli/cmd_spiegel.h"
#include "cli/request.h"
#include "feed/identity.h"
#include "json/value.h"

enum {
    PAGE_DOCUMENTS = 1000,
    PAGE_CHANGES = 5000,
    INFOS_A_REQUEST = 100,
    NEWS_LAG_MS = 2000 /* a change shows in _global_changes half a second late, seldom one    */
};

/* ---- opening ---- */

static int open_secrets(struct spiegel_server *server, const struct settings *settings,
                        struct error *error)
{
    server->secrets = secrets_new();
    if (!settings->passwords_files[0])
        return 0;
    return secrets_load_all(server->secrets, settings->passwords_files, error);
}

int spiegel_server_open(struct spiegel_server *server, const struct settings *settings,
                        const struct source_settings *source, struct error *error)
{
    struct http_options options = {
        .ca_file = source->ca_file,
        .proxy = source->proxy,
        .insecure = source->insecure != 0,
        .connect_timeout_ms = (uint32_t)source->connect_timeout_ms,
        .max_connections = (uint32_t)source->max_connections,
    };
    int rc;

    *server = (struct spiegel_server){.source = source};
    rc = open_secrets(server, settings, error);
    if (rc == 0)
        rc = loop_new(&server->loop, error);
    if (rc == 0)
        rc = http_new(server->loop, "tailrace/" TAILRACE_VERSION, &server->http, error);
    options.secrets = server->secrets;
    if (rc == 0)
        rc = http_pool_new(server->http, &options, &server->pool, error);
    if (rc == 0 && source->auth == AUTH_COOKIE)
        rc = session_new(server->pool, source->url_text.ptr, source->session_age_ms,
                         &server->session, error);
    return rc;
}

void spiegel_server_close(struct spiegel_server *server)
{
    session_free(server->session);
    http_pool_free(server->pool);
    if (server->http)
        http_free(server->http);
    if (server->loop)
        loop_free(server->loop);
    secrets_free(server->secrets);
}

/* ---- one request ---- */

/* The body of DATABASE/REST?QUERY, into the empty `body`. */
static int get(struct spiegel_server *server, tr_str db, const char *rest, tr_str query,
               struct buf *body, struct error *error)
{
    struct request request = {
        .loop = server->loop,
        .pool = server->pool,
        .server = &server->source->url,
        .db = db,
        .rest = rest,
        .query = query,
    };

    return request_send(&request, body, NULL, error);
}

/* ---- Spiegel's documents ---- */

/* Gives how many rows there were; *ret_last is the raw id of the last. A page begins with the
 * row that the page before ended with, `taken`, unless that was deleted meanwhile. */
static size_t take_page(struct spiegel *spiegel, tr_str rows, tr_str taken, tr_str *ret_last)
{
    size_t cursor = 0, count = 0;
    struct arena arena;
    tr_str key, row, raw_id, id, doc;

    arena_init(&arena, 4096);
    for (; json_next(rows, &cursor, &key, &row); count++) {
        arena_reset(&arena);
        if (!json_get(row, STR("id"), &raw_id) || !json_decode(raw_id, &arena, &id) ||
            !json_get(row, STR("doc"), &doc) || json_type_of(doc) != JSON_OBJECT)
            continue;
        *ret_last = raw_id;
        if (!str_eq(raw_id, taken))
            spiegel_take(spiegel, id, doc);
    }
    arena_fini(&arena);
    return count;
}

int spiegel_server_documents(struct spiegel_server *server, tr_str db, struct spiegel *spiegel,
                             struct error *error)
{
    struct buf query = {0}, body = {0}, start = {0};
    size_t got, seen = 0, total = 0;
    double number;
    tr_str rows, last, raw;
    int rc;

    do {
        buf_clear(&query);
        buf_clear(&body);
        buf_addf(&query, "include_docs=true&limit=%d", PAGE_DOCUMENTS);
        if (start.len > 0) {
            buf_add_c(&query, "&startkey=");
            url_encode(&query, buf_str(&start));
        }
        rc = get(server, db, "_all_docs", buf_str(&query), &body, error);
        if (rc < 0)
            break;
        if (!json_get(buf_str(&body), STR("rows"), &rows)) {
            rc = error_set(error, ERR_PROTOCOL, STR_FMT "/_all_docs: no rows", STR_ARG(db));
            break;
        }
        if (json_get(buf_str(&body), STR("total_rows"), &raw) && json_number(raw, &number))
            total = number > 0 ? (size_t)number : 0;
        last = (tr_str){0};
        got = take_page(spiegel, rows, buf_str(&start), &last);
        seen += got;
        buf_clear(&start);
        buf_add_str(&start, last);
        spiegel_progress("documents", seen < total ? seen : total, total);
    } while (got >= PAGE_DOCUMENTS && last.len > 0);
    buf_fini(&query);
    buf_fini(&body);
    buf_fini(&start);
    return rc;
}

/* ---- questions of feed/identity ---- */

struct answer {
    struct buf text;
    enum identity_result result;
    struct error *error;
    bool done;
};

static void on_answer(void *ctx, enum identity_result result, tr_str text,
                      const struct error *error)
{
    struct answer *answer = ctx;

    answer->done = true;
    answer->result = result;
    buf_add_str(&answer->text, text);
    if (error && answer->error)
        *answer->error = *error;
}

static enum identity_result wait_for(struct spiegel_server *server, struct answer *answer)
{
    while (!answer->done)
        loop_turn(server->loop, 1000);
    return answer->result;
}

/* ---- which databases ---- */

/* Those that documents name, and of the server's those that a pattern is about. */
static int name_databases(struct spiegel_server *server, const struct spiegel *spiegel,
                          struct spiegel_plan *plan, struct error *error)
{
    struct answer answer = {.error = error};
    size_t cursor = 0, count;
    const tr_str *names;
    tr_str key, raw, name;
    struct arena arena;

    for (size_t i = 0; i < spiegel->rules_count; i++) {
        const struct pattern *pattern = spiegel->rules[i].databases;
        if (pattern && pattern_is_fixed(pattern, &names, &count))
            for (size_t n = 0; n < count; n++)
                spiegel_plan_database(plan, names[n]);
    }
    if (spiegel->patterns_count == 0)
        return 0;
    identity_ask_names(server->loop, server->pool, &server->source->url, on_answer, &answer);
    if (wait_for(server, &answer) != IDENTITY_KNOWN) {
        buf_fini(&answer.text);
        return error_prefix(error, "the list of databases");
    }
    arena_init(&arena, 64 << 10);
    while (json_next(buf_str(&answer.text), &cursor, &key, &raw))
        if (json_decode(raw, &arena, &name) && spiegel_is_wanted(spiegel, name))
            spiegel_plan_database(plan, name);
    arena_fini(&arena);
    buf_fini(&answer.text);
    return 0;
}

/* ---- what each is ---- */

static void take_info(struct spiegel_plan *plan, struct spiegel_database *database, tr_str info)
{
    tr_str incarnation, end;

    if (!identity_read_info(info, NULL, &incarnation, &end))
        return;
    database->incarnation = arena_str(&plan->arena, incarnation);
    database->end = arena_str(&plan->arena, end);
    database->exists = true;
}

/* The server knows no time at which the database was made, or tells of one at a time only. */
static int ask_one(struct spiegel_server *server, struct spiegel_plan *plan,
                   struct spiegel_database *database, struct error *error)
{
    struct answer identity = {.error = error}, now = {.error = error};
    int rc = 0;

    identity_ask(server->loop, server->pool, &server->source->url, database->name, on_answer,
                 &identity);
    if (wait_for(server, &identity) == IDENTITY_KNOWN) {
        identity_ask_now(server->loop, server->pool, &server->source->url, database->name,
                         on_answer, &now);
        wait_for(server, &now);
    }
    if (identity.result == IDENTITY_KNOWN && now.result == IDENTITY_KNOWN) {
        database->exists = true;
        database->incarnation = arena_str(&plan->arena, buf_str(&identity.text));
        database->end = arena_str(&plan->arena, buf_str(&now.text));
    } else if (identity.result != IDENTITY_GONE) {
        rc = error_prefix(error, STR_FMT, STR_ARG(database->name));
    }
    buf_fini(&identity.text);
    buf_fini(&now.text);
    return rc;
}

/* Up to a hundred; *ret_without: the server has no such question. */
static int ask_many(struct spiegel_server *server, struct spiegel_plan *plan, size_t from,
                    size_t to, bool *ret_without, struct error *error)
{
    struct answer answer = {.error = error};
    struct buf keys = {0};
    size_t cursor = 0;
    tr_str key, entry, info;

    buf_add_char(&keys, '[');
    for (size_t i = from; i < to; i++) {
        if (i > from)
            buf_add_char(&keys, ',');
        json_write_string(&keys, plan->databases[i].name);
    }
    buf_add_char(&keys, ']');
    identity_ask_infos(server->loop, server->pool, &server->source->url, buf_str(&keys),
                       on_answer, &answer);
    wait_for(server, &answer);
    for (size_t i = from; i < to && answer.result == IDENTITY_KNOWN &&
                          json_next(buf_str(&answer.text), &cursor, &key, &entry);
         i++)
        if (json_get(entry, STR("info"), &info))
            take_info(plan, &plan->databases[i], info);
    buf_fini(&keys);
    buf_fini(&answer.text);
    /* Some proxies let an admin's question pass to nobody: each can be asked by itself. */
    *ret_without = answer.result == IDENTITY_GONE || answer.result == IDENTITY_DENIED;
    return answer.result == IDENTITY_LATER ? error_prefix(error, "_dbs_info") : 0;
}

int spiegel_server_databases(struct spiegel_server *server, const struct spiegel *spiegel,
                             struct spiegel_plan *plan, struct error *error)
{
    size_t count, to;
    bool without = false;
    int rc = name_databases(server, spiegel, plan, error);

    count = plan->databases_count;
    for (size_t from = 0; rc == 0 && from < count; from = to) {
        to = from + INFOS_A_REQUEST < count ? from + INFOS_A_REQUEST : count;
        if (!without)
            rc = ask_many(server, plan, from, to, &without, error);
        for (size_t i = from; rc == 0 && i < to; i++)
            if (without ||
                (plan->databases[i].exists && plan->databases[i].incarnation.len == 0))
                rc = ask_one(server, plan, &plan->databases[i], error);
        spiegel_progress("databases", to, count);
    }
    return rc;
}

/* ---- which have changed ---- */

/* It matters where something shall be passed over because nothing has changed. */
static bool must_be_sure(const struct spiegel *spiegel, const struct spiegel_plan *plan)
{
    for (size_t i = 0; i < spiegel->rules_count; i++)
        if (spiegel->rules[i].is_replicator && !spiegel->rules[i].is_dirty)
            return true;
    return plan->unlistened_now;
}

static void wait_for_news(struct spiegel_server *server)
{
    int64_t until = clock_ms() + NEWS_LAG_MS;

    while (clock_ms() < until)
        loop_turn(server->loop, until - clock_ms());
}

/* A position as it stands behind since=: a string without its quotes. */
static void add_since(struct buf *query, tr_str seq)
{
    struct arena arena;
    tr_str text;

    arena_init(&arena, 256);
    url_encode(query, json_decode(seq, &arena, &text) ? text : seq);
    arena_fini(&arena);
}

int spiegel_server_changed(struct spiegel_server *server, const struct spiegel *spiegel,
                           struct spiegel_plan *plan, struct error *error)
{
    struct buf query = {0}, body = {0}, since = {0};
    tr_str results, last;
    size_t rows;
    int rc;

    if (spiegel->updates_seq.len == 0)
        return error_set(error, ERR_DATA,
                         "Spiegel's update-listener has saved no position (global_lastSeq)");
    if (must_be_sure(spiegel, plan))
        wait_for_news(server);
    buf_add_str(&since, spiegel->updates_seq);
    do {
        buf_clear(&query);
        buf_clear(&body);
        buf_addf(&query, "limit=%d&since=", PAGE_CHANGES);
        add_since(&query, buf_str(&since));
        rc = get(server, STR("_global_changes"), "_changes", buf_str(&query), &body, error);
        if (rc < 0)
            break;
        if (!json_get(buf_str(&body), STR("results"), &results) ||
            !json_get(buf_str(&body), STR("last_seq"), &last)) {
            rc = error_set(error, ERR_PROTOCOL, "_global_changes/_changes: no results");
            break;
        }
        rows = spiegel_plan_changed(plan, results);
        buf_clear(&since);
        buf_add_str(&since, last);
    } while (rows >= PAGE_CHANGES);
    plan->changes_known = rc == 0;
    buf_fini(&query);
    buf_fini(&body);
    buf_fini(&since);
    return rc;
}
