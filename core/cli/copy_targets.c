/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The databases of a copy: which of them there are at TARGET, those that are made, and who may
 * do what in them. One request after the other. Main thread.
 */
#include "cli/cmd_copy.h"
#include "cli/print.h"
#include "cli/request.h"
#include "json/value.h"
#include "json/write.h"

#include <inttypes.h>
#include <stdio.h>

enum { INFOS_A_REQUEST = 100 };

static int send(struct copy *copy, int end, const char *method, tr_str db, const char *rest,
                tr_str body, struct buf *answer, int *ret_status, struct error *error)
{
    struct remote *remote = &copy->remotes.ends[end];
    struct request request = {
        .loop = copy->remotes.loop,
        .pool = remote->pool,
        .server = &remote->server,
        .method = method,
        .db = db,
        .rest = rest,
        .body = body,
        .stopped = &copy->remotes.stopped,
    };

    return request_send(&request, answer, ret_status, error);
}

/* ---- which there are ---- */

static int look_at_one(struct copy *copy, struct copy_database *database, struct error *error)
{
    struct buf answer = {0};
    int rc = send(copy, REMOTE_TARGET, NULL, database->target, "", STR(""), &answer, NULL,
                  error);

    database->exists = rc == 0;
    buf_fini(&answer);
    return rc == ERR_NOINPUT ? 0 : rc;
}

/* *ret_without: the server has no such question. */
static int look_at_many(struct copy *copy, size_t from, size_t to, bool *ret_without,
                        struct error *error)
{
    struct buf keys = {0}, answer = {0};
    size_t cursor = 0;
    tr_str key, entry, info;
    int status, rc;

    json_begin(&keys, NULL, '{');
    json_begin(&keys, "keys", '[');
    for (size_t i = from; i < to; i++)
        json_str(&keys, NULL, copy->databases[i].target);
    json_end(&keys, ']');
    json_end(&keys, '}');
    rc = send(copy, REMOTE_TARGET, "POST", STR(""), "_dbs_info", buf_str(&keys), &answer,
              &status, error);
    for (size_t i = from;
         rc == 0 && i < to && json_next(buf_str(&answer), &cursor, &key, &entry); i++)
        copy->databases[i].exists = json_get(entry, STR("info"), &info);
    buf_fini(&keys);
    buf_fini(&answer);
    /* Also where only an administrator may ask that: each can be asked for by itself. */
    *ret_without = rc < 0 && status >= 400 && status < 500;
    return *ret_without ? 0 : rc;
}

static int look(struct copy *copy, struct error *error)
{
    bool without = copy->count == 1;
    int rc = 0;

    for (size_t from = 0, to; rc == 0 && from < copy->count; from = to) {
        to = from + INFOS_A_REQUEST < copy->count ? from + INFOS_A_REQUEST : copy->count;
        if (!without)
            rc = look_at_many(copy, from, to, &without, error);
        for (size_t i = from; without && rc == 0 && i < to; i++)
            rc = look_at_one(copy, &copy->databases[i], error);
    }
    return rc;
}

/* ---- those that are not ---- */

static int make(struct copy *copy, const struct copy_database *database, struct error *error)
{
    struct buf rest = {0}, answer = {0};
    int rc;

    if (copy->q > 0)
        buf_addf(&rest, "?q=%" PRId64, copy->q);
    if (copy->n > 0)
        buf_addf(&rest, "%sn=%" PRId64, rest.len > 0 ? "&" : "?", copy->n);
    rc = send(copy, REMOTE_TARGET, "PUT", database->target, rest.len > 0 ? rest.ptr : "",
              STR(""), &answer, NULL, error);
    copy->made += rc == 0;
    buf_fini(&rest);
    buf_fini(&answer);
    return rc;
}

int copy_targets_prepare(struct copy *copy, struct error *error)
{
    bool may_make = args_has(copy->args, "create");
    const struct copy_database *missing = NULL;
    size_t lacking = 0;
    int rc = look(copy, error);

    for (size_t i = 0; rc == 0 && i < copy->count; i++) {
        struct copy_database *database = &copy->databases[i];
        if (database->exists)
            continue;
        if (may_make) {
            rc = make(copy, database, error);
            continue;
        }
        missing = missing ? missing : database;
        lacking++;
    }
    if (rc < 0)
        return error_prefix(error, "target");
    if (lacking == 0)
        return 0;
    return error_set(error, ERR_NOINPUT,
                     "the target has no database " STR_FMT "%s: make %s by --create",
                     STR_ARG(missing->target), lacking > 1 ? ", and lacks others too" : "",
                     lacking > 1 ? "them" : "it");
}

/* ---- who may do what ---- */

int copy_targets_secure(struct copy *copy, struct error *error)
{
    struct buf security = {0}, answer = {0};
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < copy->count; i++) {
        const struct copy_database *database = &copy->databases[i];
        buf_clear(&security);
        buf_clear(&answer);
        rc = send(copy, REMOTE_SOURCE, NULL, database->source, "_security", STR(""), &security,
                  NULL, error);
        if (rc == 0)
            rc = send(copy, REMOTE_TARGET, "PUT", database->target, "_security",
                      str_trim(buf_str(&security)), &answer, NULL, error);
        copy->secured += rc == 0;
    }
    buf_fini(&security);
    buf_fini(&answer);
    return rc;
}
