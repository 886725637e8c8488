/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tailrace copy: a database, or all of a server, copied once to another place, every leaf with
 * its history. It is `run --once` on a configuration that is made for it, with a state that
 * stays until the copy is complete. Main thread.
 */
#include "cli/cmd_copy.h"

#include "base/clock.h"
#include "base/mem.h"
#include "cli/folder.h"
#include "cli/load.h"
#include "cli/print.h"
#include "cli/request.h"
#include "cli/runner.h"
#include "store/store.h"
#include "json/value.h"

#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

enum { JOBS = 8, SAMPLE = 200, REFUSED_SHOWN = 10 };

/* ---- which databases ---- */

static void add_database(struct copy *copy, tr_str source, tr_str target)
{
    copy->databases[copy->count++] = (struct copy_database){.source = source, .target = target};
}

static int find_databases(struct copy *copy)
{
    struct remote *ends = copy->remotes.ends;
    int code = EX_OK;

    if (copy->all)
        code = remotes_list(&copy->remotes, copy->args, REMOTE_SOURCE, &copy->names);
    if (code != EX_OK)
        return code;
    copy->databases = mem_new_array(struct copy_database, copy->names.count + 1);
    for (size_t i = 0; i < copy->names.count; i++)
        add_database(copy, copy->names.names[i], copy->names.names[i]);
    if (!copy->all)
        add_database(copy, buf_str(&ends[REMOTE_SOURCE].db), buf_str(&ends[REMOTE_TARGET].db));
    if (copy->count > 0)
        return EX_OK;
    print_error("the source has no database%s",
                args_has(copy->args, "databases") ? " that matches" : "");
    return EX_NOINPUT;
}

/* Documents that were never changed are copied straight out of the feed; of the others it would
 * bring what has to be asked for again. Some of the first database tell which there are more
 * of.
 */
static int sample(struct copy *copy, bool *ret_include_docs, struct error *error)
{
    struct remote *remote = &copy->remotes.ends[REMOTE_SOURCE];
    struct buf query = {0}, answer = {0};
    size_t cursor = 0, seen = 0, first = 0;
    tr_str rows, key, row, value, rev;
    int rc;

    buf_addf(&query, "limit=%d", SAMPLE);
    rc = request_send(&(struct request){.loop = copy->remotes.loop,
                                        .pool = remote->pool,
                                        .server = &remote->server,
                                        .db = copy->databases[0].source,
                                        .rest = "_all_docs",
                                        .query = buf_str(&query),
                                        .stopped = &copy->remotes.stopped},
                      &answer, NULL, error);
    if (rc < 0)
        error_prefix(error, "source");
    if (rc == 0 && json_get(buf_str(&answer), STR("rows"), &rows))
        while (json_next(rows, &cursor, &key, &row))
            if (json_get(row, STR("value"), &value) && json_get(value, STR("rev"), &rev)) {
                seen++;
                first += str_starts(rev, STR("\"1-"));
            }
    *ret_include_docs = first * 2 >= seen;
    buf_fini(&query);
    buf_fini(&answer);
    return rc;
}

/* ---- the run ---- */

static struct settings_overrides overrides_of(const struct copy *copy)
{
    return (struct settings_overrides){
        .path = copy->config,
        .plugin_dir = copy->args->overrides.plugin_dir,
        .state_dir = copy->dir,
    };
}

static int load(struct copy *copy)
{
    const struct settings_overrides overrides = overrides_of(copy);
    char rule[64];
    const struct load_name names[] = {{rule, "--"}, {.path = NULL}};

    snprintf(rule, sizeof(rule), "rules.%s.", copy->rule);
    return load_settings(&overrides, LOAD_SECRETS, names, &copy->settings);
}

static int write_config(struct copy *copy, bool include_docs, struct error *error)
{
    struct buf text = {0};
    int rc = copy_config_write(copy, include_docs, &text);

    if (rc == 0)
        rc = folder_write(copy->config, buf_str(&text), error);
    buf_fini(&text);
    return rc;
}

/* Everything before the first document. Nothing is made at TARGET before all else is right. */
static int prepare(struct copy *copy)
{
    bool include_docs = true;
    struct error error = {.code = 0};
    int rc = sample(copy, &include_docs, &error), code;

    if (rc == 0)
        rc = copy_state_open(copy, &error);
    if (rc == 0)
        rc = copy_state_resume(copy, &error);
    if (rc == 0)
        rc = write_config(copy, include_docs, &error);
    if (rc == ERR_USAGE)
        return EX_USAGE; /* it was said where it was found                                 */
    code = rc < 0 ? print_failure(&error) : load(copy);
    if (code == EX_OK && copy_targets_prepare(copy, &error) < 0)
        code = print_failure(&error);
    return code;
}

static int run_copy(struct copy *copy, struct progress *progress)
{
    struct settings_overrides overrides = overrides_of(copy);
    struct runner_options options = {
        .mode = ENGINE_ONCE,
        .overrides = &overrides,
        .stats = &copy->stats,
        .progress = progress,
        .stopped_code = EX_TEMPFAIL,
    };
    struct settings *settings = copy->settings;
    struct error error;
    int code;

    copy->settings = NULL; /* the engine's now                                             */
    if (runner_run(&options, settings, &code, &error) < 0)
        return print_failure(&error);
    copy->ran = true;
    if (code == EX_OK && args_has(copy->args, "security") &&
        copy_targets_secure(copy, &error) < 0)
        code = print_failure(&error);
    return code;
}

/* ---- the report ---- */

struct refused {
    bool as_json, with_db;
    struct table table;
    struct buf json;
    int64_t count; /* in all                                                               */
};

static bool add_refused(void *context, const struct store_dead_letter *it)
{
    struct refused *refused = context;

    if (!refused->as_json) {
        if (refused->with_db)
            table_add(&refused->table, it->db);
        table_add(&refused->table, it->doc_id);
        table_add(&refused->table, it->error);
        return true;
    }
    json_begin(&refused->json, NULL, '{');
    json_str(&refused->json, "db", it->db);
    json_str(&refused->json, "id", it->doc_id);
    json_str(&refused->json, "error", it->error);
    json_end(&refused->json, '}');
    return true;
}

static int read_refused(const struct copy *copy, struct refused *refused)
{
    const struct store_filter first = {.limit = REFUSED_SHOWN};
    struct store *store;
    struct error error;
    int64_t bytes;
    int rc = store_open(copy->dir, STORE_READ_ONLY, &store, &error);

    if (rc < 0)
        return print_failure(&error);
    rc = store_dead_letter_count(store, STR(""), &refused->count, &bytes, &error);
    if (rc == 0)
        rc = store_dead_letter_each(store, &first, add_refused, refused, &error);
    store_close(store);
    return rc < 0 ? print_failure(&error) : EX_OK;
}

static uint64_t rate_of(const struct copy *copy, int64_t took_ms)
{
    return took_ms > 0 ? copy->stats.ok * 1000 / (uint64_t)took_ms : 0;
}

static void report_json(const struct copy *copy, const struct refused *refused, int64_t took_ms,
                        int code)
{
    struct buf out = {0};

    json_begin(&out, NULL, '{');
    json_num(&out, "format", 1);
    for (int end = 0; end < REMOTES; end++)
        json_str(&out, remote_words[end], buf_str(&copy->remotes.ends[end].shown));
    json_bool(&out, "complete", code == EX_OK || code == EX_DATAERR);
    json_num(&out, "databases", (int64_t)copy->count);
    json_num(&out, "databases_made", (int64_t)copy->made);
    json_num(&out, "security_copied", (int64_t)copy->secured);
    json_num(&out, "read", (int64_t)copy->stats.received);
    json_num(&out, "copied", (int64_t)copy->stats.ok);
    json_num(&out, "refused", refused->count);
    json_raw(&out, "refused_first", buf_str(&refused->json));
    json_bool(&out, "resumed", copy->resumes);
    json_seconds(&out, "took_s", took_ms);
    json_num(&out, "documents_per_s", (int64_t)rate_of(copy, took_ms));
    if (code == EX_OK)
        json_raw(&out, "state_dir", STR("null"));
    else
        json_str(&out, "state_dir", str_c(copy->dir));
    json_end(&out, '}');
    print_json(&out);
    buf_fini(&out);
}

static void report_refused(const struct copy *copy, struct refused *refused)
{
    table_print(&refused->table);
    if (refused->count > REFUSED_SHOWN)
        printf("and %" PRId64 " more\n", refused->count - REFUSED_SHOWN);
    printf("they are kept, see tailrace dead-letter list --state-dir %s\n"
           "the same command tries them again\n",
           copy->dir);
}

static void report_text(const struct copy *copy, struct refused *refused, int64_t took_ms,
                        int code)
{
    char databases[PRINT_COUNT], documents[PRINT_COUNT];

    printf("%s, %s read, %" PRIu64 " copied or there already, %" PRId64 " refused; %" PRId64
           ".%d s, %" PRIu64 "/s\n",
           print_count(databases, (int64_t)copy->count, "database"),
           print_count(documents, (int64_t)copy->stats.received, "document"), copy->stats.ok,
           refused->count, took_ms / 1000, (int)(took_ms % 1000 / 100), rate_of(copy, took_ms));
    if (copy->made > 0)
        printf("%s made at the target\n",
               print_count(databases, (int64_t)copy->made, "database"));
    if (refused->count > 0)
        report_refused(copy, refused);
    if (code != EX_OK)
        printf("it is not complete: the same command goes on from here\n");
}

/* Gives the exit code. */
static int report(const struct copy *copy, int64_t took_ms, int code)
{
    struct refused refused = {
        .as_json = copy->args->json,
        .with_db = copy->all,
        .table = {.columns = 2, .heads = {"REFUSED", "ERROR"}},
    };
    int read;

    if (copy->all)
        refused.table = (struct table){.columns = 3, .heads = {"DATABASE", "REFUSED", "ERROR"}};
    json_begin(&refused.json, NULL, '[');
    read = read_refused(copy, &refused);
    json_end(&refused.json, ']');
    if (read == EX_OK && !refused.as_json)
        report_text(copy, &refused, took_ms, code);
    if (code == EX_OK)
        code = read != EX_OK ? read : refused.count > 0 ? EX_DATAERR : EX_OK;
    if (read == EX_OK && refused.as_json)
        report_json(copy, &refused, took_ms, code);
    buf_fini(&refused.json);
    return code;
}

/* ---- the command ---- */

static int take_options(struct copy *copy, struct progress *progress)
{
    static const char *const one_of[] = {"filter", "doc-ids", "selector"};
    const struct args *args = copy->args;
    const char *form = args_value(args, "progress");
    int chosen = 0;

    if (args_number(args, "jobs", 1, &copy->jobs) < 0 ||
        args_number(args, "q", 1, &copy->q) < 0 || args_number(args, "n", 1, &copy->n) < 0)
        return EX_USAGE;
    if (form && !progress_parse(form, &progress->form))
        return args_wrong(args, "--progress %s: it is one of auto, log, never", form);
    if ((copy->q > 0 || copy->n > 0) && !args_has(args, "create"))
        return args_wrong(args,
                          "--q and --n are of databases that are made: they go with --create");
    for (size_t i = 0; i < sizeof(one_of) / sizeof(one_of[0]); i++)
        chosen += args_has(args, one_of[i]);
    if (chosen > 1)
        return args_wrong(args, "--filter, --doc-ids and --selector exclude each other");
    if (args_has(args, "filter-param") && !args_has(args, "filter"))
        return args_wrong(args, "--filter-param goes with --filter");
    copy->all = args_has(args, "all-dbs");
    if (copy->all && args_has(args, "since"))
        return args_wrong(args,
                          "--since is a place in one database, and --all-dbs are several");
    return EX_OK;
}

static int open_ends(struct copy *copy)
{
    int code = remotes_open(&copy->remotes, copy->args);

    if (code == EX_OK && remotes_are_same(&copy->remotes))
        code = args_wrong(copy->args, "SOURCE and TARGET are the same");
    return code;
}

static void free_all(struct copy *copy)
{
    settings_unref(copy->settings);
    free(copy->databases);
    remote_names_fini(&copy->names);
    remotes_close(&copy->remotes);
}

static int run(struct args *args)
{
    struct progress progress = {.form = PROGRESS_AUTO, .is_wanted = true};
    struct copy copy = {.args = args, .jobs = JOBS};
    int64_t began_ms = clock_ms();
    int code = take_options(&copy, &progress);

    if (code != EX_OK)
        return code;
    signals_block();
    args_set_up_log(args, NULL);
    code = open_ends(&copy);
    if (code == EX_OK)
        code = find_databases(&copy);
    if (code == EX_OK)
        code = prepare(&copy);
    if (code == EX_OK) {
        code = run_copy(&copy, &progress);
        if (copy.ran)
            code = report(&copy, clock_ms() - began_ms, code);
        if (code == EX_OK)
            copy_state_remove(&copy);
    } else {
        copy_state_discard(&copy);
    }
    free_all(&copy);
    return code;
}

const struct command command_copy = {
    .name = "copy",
    .operands = "SOURCE TARGET",
    .operands_min = 2,
    .operands_max = 2,
    .summary = "Copy a database, or all databases of a server",
    .text =
        "Both are URLs, http(s)://USER@HOST/DATABASE; passwords come from --passwords or the\n"
        "configuration's passwords_file. Every leaf is copied with its history, design\n"
        "documents and attachments too. A copy that was cut short goes on where it was when\n"
        "the same command is given again. The exit code is 0 when it is complete, 65 when\n"
        "the target refused documents, and 75 when a signal came before its end.",
    .options =
        (const struct args_option[]){
            REMOTE_OPTIONS{"create", 0, NULL, "make databases that are missing at the target"},
            {"q", 0, "N", "with --create: shards of each"},
            {"n", 0, "N", "with --create: copies of each shard"},
            {"security", 0, NULL, "copy _security of each database, too"},
            {"winning-revs-only", 0, NULL, "leave out what lost a conflict"},
            {"filter", 0, "DESIGN/NAME", "what a filter function of the source lets pass"},
            {"filter-param", 0, "NAME=VALUE", "a parameter of it; again for more"},
            {"selector", 0, "JSON", "what a Mango selector lets pass"},
            {"doc-ids", 0, "JSON", "an array of ids: only these documents"},
            {"since", 0, "SEQ", "what was written behind it"},
            {"jobs", 'j', "N", "databases that are copied at once; 8 by default"},
            {"progress", 0, "HOW", "auto (a line on a terminal, else the log), log, never"},
            {.name = NULL},
        },
    .examples = "tailrace copy --create http://ada@old.example.com/posts "
                "http://ada@new.example.com/posts\n"
                "tailrace copy --all-dbs --create --security http://ada@old.example.com "
                "http://ada@new.example.com",
    .run = run,
};
