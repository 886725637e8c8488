/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tailrace try: runs a plugin on a file of changes, without a server and without anything of
 * the user's state. It is `run --once` on a configuration and a state directory that are made
 * for it and removed after; what was rejected is read out of that directory's dead letters.
 */
#include "base/mem.h"
#include "cli/document.h"
#include "cli/folder.h"
#include "cli/load.h"
#include "cli/print.h"
#include "cli/runner.h"
#include "cli/signals.h"
#include "cli/site.h"
#include "cli/try_config.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

struct trial {
    struct args *args;
    struct site site;
    struct try_setup setup;
    char feed[PATH_MAX];
    char dir[PATH_MAX]; /* empty: not made                                                 */
    char config[PATH_MAX + 16], state[PATH_MAX + 16];
    struct settings *settings;
    struct binding_stats stats;
};

/* ---- the temporary folder ---- */

static int make_dir(struct trial *trial, struct error *error)
{
    const char *base = getenv("TMPDIR");
    char dir[PATH_MAX];
    int n = snprintf(dir, sizeof(dir), "%s/tailrace-try-XXXXXX", base && *base ? base : "/tmp");

    if (n < 0 || (size_t)n >= sizeof(dir) || !mkdtemp(dir))
        return error_set(error, ERR_CANTCREAT, "no temporary folder can be made in %s: %s",
                         base && *base ? base : "/tmp", strerror(errno));
    memcpy(trial->dir, dir, sizeof(dir));
    snprintf(trial->config, sizeof(trial->config), "%s/try.conf", dir);
    snprintf(trial->state, sizeof(trial->state), "%s/state", dir);
    return 0;
}

/* ---- what is tried ---- */

static int find_feed(struct trial *trial, struct error *error)
{
    const char *feed = args_value(trial->args, "feed");

    trial->setup.feed = "-";
    if (strcmp(feed, "-") == 0)
        return 0;
    if (!realpath(feed, trial->feed))
        return error_set(error, ERR_NOINPUT, "%s cannot be opened: %s", feed, strerror(errno));
    trial->setup.feed = trial->feed;
    return 0;
}

static int find_plugin(struct trial *trial, struct error *error)
{
    const char *name = trial->args->operands[0];
    bool is_path = strchr(name, '/') || str_ends(str_c(name), STR(".so"));
    char real[PATH_MAX];
    int rc;

    if (is_path && !realpath(name, real))
        return error_set(error, ERR_NOINPUT, "plugin %s: %s", name, strerror(errno));
    rc = plugin_load(str_c(is_path ? real : name), trial->site.plugin_dirs,
                     &trial->setup.plugin, error);
    if (rc == 0 &&
        (!trial->setup.plugin->descriptor.process || args_has(trial->args, "transform")))
        rc = plugin_load(STR("file-sink"), trial->site.plugin_dirs, &trial->setup.sink, error);
    return rc;
}

static int load(struct trial *trial)
{
    static const struct load_name names[] = {
        {TRY_OPTIONS_PATH, "--option "}, {TRY_TRANSFORM_PATH, "--option "}, {.path = NULL}};
    const struct settings_overrides overrides = {.path = trial->config,
                                                 .state_dir = trial->state};

    return load_settings(&overrides, args_has(trial->args, "dry-run") ? 0 : LOAD_SECRETS, names,
                         &trial->settings);
}

/* Gives the exit code. */
static int prepare(struct trial *trial)
{
    struct buf text = {0};
    struct error error;
    int rc, code;

    rc = find_feed(trial, &error);
    if (rc == 0)
        rc = find_plugin(trial, &error);
    if (rc < 0)
        return print_failure(&error);
    rc = try_config_write(&trial->setup, &text);
    if (rc < 0) {
        buf_fini(&text);
        return EX_USAGE;
    }
    rc = make_dir(trial, &error);
    if (rc == 0)
        rc = folder_write(trial->config, buf_str(&text), &error);
    code = rc < 0 ? print_failure(&error) : load(trial);
    buf_fini(&text);
    return code;
}

/* ---- the run and its report ---- */

struct rejects {
    bool as_json;
    struct table table;
    struct buf json;
    size_t count;
};

static bool add_reject(void *context, const struct store_dead_letter *it)
{
    struct rejects *rejects = context;

    rejects->count++;
    if (!rejects->as_json) {
        table_add(&rejects->table, it->doc_id);
        table_add(&rejects->table, it->seq);
        table_addf(&rejects->table, "%" PRId64, it->attempts);
        table_add(&rejects->table, it->error);
        return true;
    }
    json_begin(&rejects->json, NULL, '{');
    json_str(&rejects->json, "id", it->doc_id);
    json_raw(&rejects->json, "seq", it->seq);
    json_num(&rejects->json, "attempts", it->attempts);
    json_str(&rejects->json, "error", it->error);
    json_end(&rejects->json, '}');
    return true;
}

static int read_rejects(const struct trial *trial, struct rejects *rejects)
{
    const struct store_filter everything = {0};
    struct store *store;
    struct error error;
    int rc = store_open(trial->state, STORE_READ_ONLY, &store, &error);

    if (rc < 0)
        return print_failure(&error);
    rc = store_dead_letter_each(store, &everything, add_reject, rejects, &error);
    store_close(store);
    return rc < 0 ? print_failure(&error) : EX_OK;
}

static void report_json(const struct binding_stats *stats, const struct rejects *rejects)
{
    struct buf out = {0};

    json_begin(&out, NULL, '{');
    json_num(&out, "received", (int64_t)stats->received);
    json_num(&out, "batches", (int64_t)stats->batches);
    json_num(&out, "ok", (int64_t)stats->ok);
    json_num(&out, "filtered", (int64_t)stats->filtered);
    json_num(&out, "retried", (int64_t)stats->retried);
    json_raw(&out, "rejected", buf_str(&rejects->json));
    json_end(&out, '}');
    print_json(&out);
    buf_fini(&out);
}

static void report_text(const struct binding_stats *stats, struct rejects *rejects)
{
    char received[PRINT_COUNT], batches[PRINT_COUNT];

    printf("%s in %s: %" PRIu64 " ok, ",
           print_count(received, (int64_t)stats->received, "change"),
           print_count(batches, (int64_t)stats->batches, "batch"), stats->ok);
    if (stats->filtered > 0)
        printf("%" PRIu64 " left out, ", stats->filtered);
    printf("%zu rejected, %" PRIu64 " retried\n", rejects->count, stats->retried);
    if (rejects->count > 0)
        putchar('\n');
    table_print(&rejects->table);
}

static int report(const struct trial *trial)
{
    struct rejects rejects = {
        .as_json = trial->args->json,
        .table = {.columns = 4, .heads = {"REJECTED", "SEQ", "TRIES", "ERROR"}},
    };
    int code;

    json_begin(&rejects.json, NULL, '[');
    code = read_rejects(trial, &rejects);
    json_end(&rejects.json, ']');
    if (code == EX_OK && rejects.as_json)
        report_json(&trial->stats, &rejects);
    else if (code == EX_OK)
        report_text(&trial->stats, &rejects);
    buf_fini(&rejects.json);
    return code == EX_OK && rejects.count > 0 ? EX_DATAERR : code;
}

static int run_trial(struct trial *trial)
{
    struct settings_overrides overrides = {.path = trial->config, .state_dir = trial->state};
    struct runner_options options = {
        .mode = ENGINE_ONCE, .overrides = &overrides, .stats = &trial->stats};
    struct settings *settings = trial->settings;
    struct error error;
    int code = EX_OK, reported;

    trial->settings = NULL; /* the engine's now */
    if (runner_run(&options, settings, &code, &error) < 0)
        return print_failure(&error);
    reported = report(trial);
    return code != EX_OK ? code : reported;
}

/* ---- --dry-run ---- */

/* Rows that make up the next batch. */
struct dry_batch {
    struct segment **segments;
    tr_change *rows;
    uint32_t count, room;
};

static void print_line(void *user, tr_str text)
{
    (void)user;
    fputs("  ", stdout);
    print_clean(text);
    putchar('\n');
}

static int explain_batch(const struct trial *trial, struct dry_batch *dry, struct error *error)
{
    struct rule_settings *rule = &trial->settings->rules[0];
    struct instance_setup setup = settings_instance(rule);
    struct instance *instance;
    char text[PRINT_COUNT];
    tr_batch batch = {
        .size = sizeof(batch),
        .source = rule->source->name,
        .db = str_c(trial->setup.db),
        .rule = rule->name,
        .changes = dry->rows,
        .count = dry->count,
        .stride = sizeof(tr_change),
        .stream = STR("feed/try@dry-run"),
    };
    int rc = 0;

    if (dry->count > 0) {
        printf("batch of %s\n", print_count(text, dry->count, "change"));
        instance = instance_new(&setup);
        rc = instance_explain(instance, &batch, print_line, NULL, error);
        instance_free(instance);
    }
    for (uint32_t i = 0; i < dry->count; i++)
        segment_unref(dry->segments[i]);
    dry->count = 0;
    return rc;
}

static int explain_rows(const struct trial *trial, tr_str text, struct error *error)
{
    uint32_t size = (uint32_t)trial->setup.batch;
    struct dry_batch dry = {.segments = mem_new_array(struct segment *, size),
                            .rows = mem_new_array(tr_change, size)};
    int64_t number = 0;
    int rc = 0;

    while (rc == 0 && text.len > 0) {
        tr_str line = str_trim(str_cut(text, '\n', &text));
        number++;
        if (line.len == 0)
            continue;
        rc = document_to_segment(line, &dry.segments[dry.count], error);
        if (rc < 0) {
            error_prefix(error, "line %" PRId64, number);
            break;
        }
        dry.rows[dry.count] = dry.segments[dry.count]->rows[0];
        dry.rows[dry.count++].attempt = 1;
        if (dry.count == size)
            rc = explain_batch(trial, &dry, error);
    }
    if (rc == 0)
        rc = explain_batch(trial, &dry, error);
    else /* what was read before the mistake is explained nevertheless, and freed */
        (void)explain_batch(trial, &dry, NULL);
    free(dry.segments);
    free(dry.rows);
    return rc;
}

static int run_dry(const struct trial *trial)
{
    struct buf text = {0};
    struct error error = {0};
    int rc = document_read(trial->setup.feed, &text, &error);

    if (rc == 0)
        rc = explain_rows(trial, buf_str(&text), &error);
    buf_fini(&text);
    return rc < 0 ? print_failure(&error) : EX_OK;
}

/* ---- the command ---- */

static int run(struct args *args)
{
    struct trial trial = {.args = args,
                          .setup = {.args = args, .db = "try", .batch = 500, .attempts = 3}};
    int code;

    if (!args_has(args, "feed"))
        return args_wrong(args, "--feed FILE is missing: changes or documents, one a line");
    if (args_has(args, "db"))
        trial.setup.db = args_value(args, "db");
    if (args_number(args, "batch", 1, &trial.setup.batch) < 0 ||
        args_number(args, "attempts", 1, &trial.setup.attempts) < 0)
        return EX_USAGE;
    signals_block();
    args_set_up_log(args, NULL);
    code = site_init(&trial.site, args);
    if (code == EX_OK)
        code = prepare(&trial);
    if (code == EX_OK)
        code = args_has(args, "dry-run") ? run_dry(&trial) : run_trial(&trial);
    settings_unref(trial.settings);
    if (trial.dir[0])
        folder_remove(trial.dir);
    site_fini(&trial.site);
    return code;
}

const struct command command_try = {
    .name = "try",
    .operands = "PLUGIN.so|NAME",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "Run a plugin on a file of changes, without a server",
    .text = "The file has a row of a _changes feed or a document a line. A transform's "
            "documents go\n"
            "to standard output. Nothing of your state is touched. The exit code is 65 if a "
            "change\n"
            "was rejected.",
    .options =
        (const struct args_option[]){
            {"feed", 'f', "FILE", "the changes; - is standard input"},
            {"option", 'o', "KEY=VALUE", "an option of the plugin; again for more"},
            {"db", 'd', "NAME", "the database's name; \"try\" by default"},
            {"batch", 'b', "N", "changes of a batch at most; 500 by default"},
            {"attempts", 'n', "N", "tries until a change is rejected; 3 by default"},
            {"transform", 't', NULL, "as a transform, where the plugin is both"},
            {"dry-run", 0, NULL, "only say what the plugin would do"},
            {.name = NULL},
        },
    .examples =
        "tailrace try ./my-plugin.so --feed rows.ndjson --option url=http://localhost:8000/",
    .run = run,
};
