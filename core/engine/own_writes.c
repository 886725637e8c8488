/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What plugins write, through the host's HTTP, into a database that is followed too: a webhook
 * that stores a document, a sink that fills a mirror, whose changes go on to other rules.
 *
 * CouchDB tells of a change half a second late, and a chain of databases would wait that long
 * at each link. The write itself was seen here, so the database is read at once. This is a hint
 * as
 * `_db_updates` is one: when it is wrong it costs a request. Loop thread.
 */
#include "base/arena.h"
#include "engine/private.h"

/* "/base/db/rest" of a source: the name, decoded, and what follows. */
static bool split(const struct source *source, tr_str path, struct arena *arena, tr_str *ret_db,
                  tr_str *ret_rest)
{
    tr_str base = str_c(source->settings->url.path);
    size_t end;

    while (base.len > 0 && base.ptr[base.len - 1] == '/')
        base.len--;
    if (path.len <= base.len || memcmp(path.ptr, base.ptr, base.len) != 0 ||
        path.ptr[base.len] != '/')
        return false;
    path = str_from(path, base.len + 1);
    path.len = str_find(path, '?');
    end = str_find(path, '/');
    *ret_rest = end < path.len ? str_from(path, end + 1) : STR("");
    *ret_db = url_decode(str_n(path.ptr, end), arena);
    return true;
}

/* Requests that ask with a body are no writes, nor is what is not replicated. */
static bool changes_database(const char *method, tr_str rest)
{
    if (strcmp(method, "POST") == 0)
        return rest.len == 0 || str_eq(rest, STR("_bulk_docs"));
    return rest.len > 0 && !str_starts(rest, STR("_local/"));
}

static void look_in(struct source *source, const char *method, tr_str path)
{
    struct database *database;
    struct arena arena;
    tr_str name, rest;

    arena_init(&arena, 256);
    if (split(source, path, &arena, &name, &rest) && changes_database(method, rest)) {
        database = database_find(source, name);
        if (database)
            database_changed(database);
    }
    arena_fini(&arena);
}

static void on_wrote(void *ctx, tr_str origin, const char *method, tr_str path)
{
    const struct engine *engine = ctx;

    if (engine->stopping)
        return;
    list_each (it, &engine->sources) {
        struct source *source = list_entry(it, struct source, link);
        if (source->settings->kind == SOURCE_COUCHDB && source_has_many(source) &&
            str_eq(str_c(source->settings->url.origin), origin))
            look_in(source, method, path);
    }
}

void own_writes_watch(struct engine *engine)
{
    http_watch_writes(engine->http, on_wrote, engine);
}
