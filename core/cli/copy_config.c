/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration of a copy: one source, one rule, the plugin replicator in its native mode.
 * It goes through the same checks as anybody's, and stays beside the dead letters of a copy
 * that has some, so that they can be sent again. Main thread.
 */
#include "cli/cmd_copy.h"
#include "cli/config_text.h"
#include "config/scan_text.h"
#include "json/value.h"

#include <inttypes.h>
#include <stdlib.h>

enum { CONNECTIONS_MIN = 8, BATCHES_MIN = 4 };

/* ---- what is chosen ---- */

static int add_doc_ids(const struct copy *copy, const char *json, struct buf *out)
{
    size_t cursor = 0, count = 0;
    tr_str key, raw, id;
    struct arena arena;
    bool ok = json_type_of(str_c(json)) == JSON_ARRAY;

    arena_init(&arena, 4096);
    buf_add_c(out, "doc_ids = ( ");
    for (; ok && json_next(str_trim(str_c(json)), &cursor, &key, &raw); count++) {
        ok = json_decode(raw, &arena, &id);
        if (!ok)
            break;
        if (count > 0)
            buf_add_c(out, ", ");
        config_text_add(out, id);
    }
    buf_add_c(out, " );\n");
    arena_fini(&arena);
    if (ok && count > 0)
        return 0;
    args_wrong(copy->args, "--doc-ids: a JSON array of ids is wanted, such as '[\"a\",\"b\"]'");
    return ERR_USAGE;
}

static int add_filter_params(const struct copy *copy, struct buf *out)
{
    const struct args *args = copy->args;

    buf_add_c(out, "filter_params: {\n");
    for (size_t i = 0; i < args->given_count; i++) {
        tr_str value, name = str_cut(str_c(args->given[i].value), '=', &value);
        if (strcmp(args->given[i].name, "filter-param") != 0)
            continue;
        if (!scan_is_name(name) || name.len == strlen(args->given[i].value)) {
            args_wrong(args, "--filter-param %s: NAME=VALUE is wanted", args->given[i].value);
            return ERR_USAGE;
        }
        buf_addf(out, STR_FMT " = ", STR_ARG(name));
        config_text_add(out, value);
        buf_add_c(out, ";\n");
    }
    buf_add_c(out, "};\n");
    return 0;
}

int copy_config_choice(const struct copy *copy, struct buf *out)
{
    const struct args *args = copy->args;
    bool winners = args_has(args, "winning-revs-only");
    int rc = 0;

    config_text_member(out, "since", args_value(args, "since"));
    config_text_member(out, "filter", args_value(args, "filter"));
    config_text_member(out, "selector", args_value(args, "selector"));
    if (args_has(args, "filter-param"))
        rc = add_filter_params(copy, out);
    if (rc == 0 && args_has(args, "doc-ids"))
        rc = add_doc_ids(copy, args_value(args, "doc-ids"), out);
    buf_addf(out, "all_leaves = %s;\n", winners ? "false" : "true");
    return rc;
}

/* ---- the whole ---- */

/* What both the source and the plugin are told of a connection. */
static void add_tls(const struct args *args, struct buf *out)
{
    char real[PATH_MAX];
    const char *file = args_value(args, "ca-file");

    if (file && realpath(file, real))
        file = real;
    config_text_member(out, "ca_file", file);
    if (args_has(args, "insecure"))
        buf_add_c(out, "insecure = true;\n");
}

static void add_url(const char *name, const struct remote *remote, tr_str db, const char *rest,
                    struct buf *out)
{
    struct buf url = {0};

    url_join(&remote->server, db, str_c(rest), STR(""), &url);
    config_text_member(out, name, url.ptr);
    buf_fini(&url);
}

static void add_main(const struct copy *copy, struct buf *out)
{
    const struct args *args = copy->args;
    char real[PATH_MAX];

    config_text_member(out, "state_dir", copy->dir);
    if (copy->remotes.passwords[0]) {
        buf_add_c(out, "passwords_file = ( ");
        for (const char **path = copy->remotes.passwords; *path; path++) {
            if (path > copy->remotes.passwords)
                buf_add_c(out, ", ");
            config_text_add(out, str_c(*path));
        }
        buf_add_c(out, " );\n");
    }
    if (args->overrides.plugin_dir && realpath(args->overrides.plugin_dir, real)) {
        buf_add_c(out, "plugin_dirs = [ ");
        config_text_add(out, str_c(real));
        buf_add_c(out, " ];\n");
    }
}

static void add_source(const struct copy *copy, struct buf *out)
{
    int64_t connections = copy->jobs < CONNECTIONS_MIN ? CONNECTIONS_MIN : copy->jobs;

    buf_add_c(out, "sources: { source: {\n");
    add_url("url", &copy->remotes.ends[REMOTE_SOURCE], STR(""), "", out);
    add_tls(copy->args, out);
    /* Twenty requests a second for each that may be read at once: see request_rate. */
    buf_addf(out,
             "max_connections = %" PRId64 ";\nmax_feeds = 1;\nrequest_rate = %" PRId64
             ";\ndb_updates = false;\nseq_interval = 500;\n}; };\n",
             connections, copy->jobs * 20 > 200 ? copy->jobs * 20 : 200);
}

static void add_options(const struct copy *copy, struct buf *out)
{
    const struct remote *ends = copy->remotes.ends;

    buf_add_c(out, "plugin = \"replicator\";\noptions: {\nmode = \"native\";\n");
    add_url("source_url", &ends[REMOTE_SOURCE], STR(""), "", out);
    if (copy->all)
        add_url("target", &ends[REMOTE_TARGET], STR(""), "$db_name", out);
    else
        add_url("target", &ends[REMOTE_TARGET], buf_str(&ends[REMOTE_TARGET].db), "", out);
    if (args_has(copy->args, "winning-revs-only"))
        buf_add_c(out, "winning_revs_only = true;\n");
    add_tls(copy->args, out);
    buf_add_c(out, "};\n");
}

int copy_config_write(const struct copy *copy, bool include_docs, struct buf *out)
{
    int rc;

    add_main(copy, out);
    add_source(copy, out);
    buf_addf(out, "rules: { %s: {\nsource = \"source\";\ndatabases = [ ", copy->rule);
    for (size_t i = 0; i < copy->count; i++) {
        if (i > 0)
            buf_add_c(out, ",\n");
        config_text_add(out, copy->databases[i].source);
    }
    buf_addf(out,
             " ];\ndesign_documents = \"include\";\ninclude_docs = %s;\n"
             "concurrency = %" PRId64 ";\ntimeout = \"10m\";\n"
             "batch: { size = 2000; bytes = \"8MB\"; wait = \"200ms\"; };\n"
             "window: { rows = 20000; bytes = \"32MB\"; };\n"
             "retry: { min = \"250ms\"; max = \"30s\"; };\n",
             include_docs ? "true" : "false",
             copy->jobs < BATCHES_MIN ? BATCHES_MIN : copy->jobs);
    rc = copy_config_choice(copy, out);
    add_options(copy, out);
    buf_add_c(out, "}; };\n");
    return rc;
}
