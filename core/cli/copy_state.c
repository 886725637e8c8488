/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of a copy: XDG_STATE_HOME/tailrace/copy-HASH. It has the checkpoints and the dead
 * letters of the run, its configuration, and which incarnations of the target's databases they
 * are about. The hash is of both ends and of all that decides what is copied, so that the same
 * command finds it again and another one does not. Main thread.
 */
#include "base/file.h"
#include "base/map.h"
#include "cli/cmd_copy.h"
#include "cli/folder.h"
#include "store/store.h"
#include "json/value.h"
#include "json/write.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TARGETS_MAX = 64 << 20 };

/* ---- the folder ---- */

static int find_base(struct buf *out, struct error *error)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

    if (state && state[0] == '/')
        buf_addf(out, "%s/tailrace", state);
    else if (home && home[0] == '/')
        buf_addf(out, "%s/.local/state/tailrace", home);
    else
        return error_set(error, ERR_CANTCREAT,
                         "there is no home to keep the state of the copy in: name a folder by "
                         "--state-dir");
    return 0;
}

static int hash_of(const struct copy *copy, uint64_t *ret_hash)
{
    struct buf text = {0};
    int rc;

    for (int i = 0; i < REMOTES; i++)
        url_join(&copy->remotes.ends[i].server, buf_str(&copy->remotes.ends[i].db), STR(""),
                 STR(""), &text);
    rc = copy_config_choice(copy, &text);
    *ret_hash = hash_stable(text.ptr, text.len);
    buf_fini(&text);
    return rc;
}

int copy_state_open(struct copy *copy, struct error *error)
{
    const char *given = copy->args->overrides.state_dir;
    struct buf path = {0};
    uint64_t hash = 0;
    int rc = 0;

    if (given)
        buf_add_c(&path, given);
    else
        rc = find_base(&path, error);
    if (rc == 0)
        rc = hash_of(copy, &hash);
    if (rc == 0 && !given)
        buf_addf(&path, "/copy-%016" PRIx64, hash);
    if (rc == 0)
        rc = folder_make(path.ptr, error);
    if (rc == 0 && !realpath(path.ptr, copy->dir))
        rc = error_set(error, ERR_CANTCREAT, "%s cannot be used", path.ptr);
    buf_fini(&path);
    if (rc < 0)
        return rc;
    copy->dir_is_own = !given;
    snprintf(copy->config, sizeof(copy->config), "%s/copy.conf", copy->dir);
    snprintf(copy->targets, sizeof(copy->targets), "%s/targets.json", copy->dir);
    copy->resumes = access(copy->targets, F_OK) == 0;
    return 0;
}

void copy_state_remove(const struct copy *copy)
{
    if (copy->dir_is_own)
        folder_remove(copy->dir);
}

/* ---- which databases of the target it is about ---- */

static int write_targets(const struct copy *copy, struct error *error)
{
    struct buf text = {0};
    int rc;

    json_begin(&text, NULL, '[');
    for (size_t i = 0; i < copy->count; i++) {
        json_begin(&text, NULL, '{');
        json_str(&text, "db", copy->databases[i].source);
        json_str(&text, "start", copy->databases[i].start);
        json_end(&text, '}');
    }
    json_end(&text, ']');
    rc = folder_write(copy->targets, buf_str(&text), error);
    buf_fini(&text);
    return rc;
}

/* What was copied into it is not there any more. */
static bool is_stale(const struct copy_database *database, tr_str start)
{
    return database->made || !str_eq(database->start, start);
}

static int by_source(const void *key, const void *member)
{
    return str_cmp(*(const tr_str *)key, ((const struct copy_database *)member)->source);
}

/* The stale ones, as names of sources that lead to nothing. */
static int read_stale(const struct copy *copy, struct map *stale, struct error *error)
{
    struct buf text = {0};
    struct arena arena;
    size_t cursor = 0;
    tr_str key, item, raw, db, start;
    int rc = file_read(copy->targets, TARGETS_MAX, FILE_PRIVATE, &text, error);

    arena_init(&arena, 4096);
    while (rc == 0 && json_next(buf_str(&text), &cursor, &key, &item)) {
        struct copy_database *database;
        if (!json_get(item, STR("db"), &raw) || !json_decode(raw, &arena, &db) ||
            !json_get(item, STR("start"), &raw) || !json_decode(raw, &arena, &start))
            continue;
        database = bsearch(&db, copy->databases, copy->count, sizeof(*database), by_source);
        if (database && is_stale(database, start))
            map_set(stale, db, database);
    }
    arena_fini(&arena);
    buf_fini(&text);
    return rc;
}

/* ---- going on ---- */

struct found {
    const struct map *stale;
    struct arena arena;
    tr_str *streams;
    size_t count, room;
};

static bool find_stale(void *context, const struct store_checkpoint *checkpoint)
{
    struct found *found = context;
    tr_str *grown;

    if (!map_get(found->stale, checkpoint->db))
        return true;
    if (found->count == found->room) {
        found->room = found->room ? found->room * 2 : 64;
        grown = arena_alloc(&found->arena, found->room * sizeof(*grown));
        if (found->count > 0)
            memcpy(grown, found->streams, found->count * sizeof(*grown));
        found->streams = grown;
    }
    found->streams[found->count++] = arena_str(&found->arena, checkpoint->stream);
    return true;
}

static int forget(struct store *store, const struct map *stale, struct error *error)
{
    struct found found = {.stale = stale};
    int64_t deleted;
    int rc;

    arena_init(&found.arena, 4096);
    rc = store_checkpoint_each(store, STR(COPY_RULE), find_stale, &found, error);
    for (size_t i = 0; rc == 0 && i < found.count; i++)
        rc = store_checkpoint_delete(store, STR(COPY_RULE), found.streams[i], &deleted, error);
    arena_fini(&found.arena);
    return rc;
}

int copy_state_resume(struct copy *copy, struct error *error)
{
    const struct store_filter everything = {0};
    struct map stale = {0};
    struct store *store = NULL;
    int64_t marked;
    int rc = 0;

    if (copy->resumes) {
        rc = read_stale(copy, &stale, error);
        if (rc == 0)
            rc = store_open(copy->dir, 0, &store, error);
        if (rc == 0 && stale.count > 0)
            rc = forget(store, &stale, error);
        if (rc == 0)
            rc = store_dead_letter_mark(store, &everything, &marked, error);
        store_close(store);
        map_fini(&stale);
    }
    return rc == 0 ? write_targets(copy, error) : rc;
}
