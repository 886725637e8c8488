/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tailrace spiegel import: an installation of Spiegel is taken over. Its documents are rules
 * already, through rule_documents; what is left is where each of them begins.
 *
 * It reads Spiegel's database and writes nothing there, so that Spiegel can go on where it was.
 * Main thread.
 */
#include "cli/cmd_spiegel.h"

#include "base/clock.h"
#include "cli/args.h"
#include "cli/load.h"
#include "cli/print.h"

#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

enum { ACTIVE_MS = 60000, USERS_SHOWN = 20 };

struct import {
    struct args *args;
    bool dry_run;
    struct settings *settings;
    struct document_settings *group;
    struct store *store; /* NULL: a dry run, and there is none yet */
    struct spiegel_server server;
    struct spiegel spiegel;
    struct spiegel_plan plan;
};

/* ---- what is asked for ---- */

static void print_groups(const struct settings *settings)
{
    struct buf names = {0};

    for (size_t i = 0; i < settings->documents_count; i++)
        buf_addf(&names, "%s" STR_FMT, i ? ", " : "", STR_ARG(settings->documents[i].name));
    print_error("name one of the groups of rule_documents with --group: %s", names.ptr);
    buf_fini(&names);
}

static int find_group(struct import *import)
{
    const char *name = args_value(import->args, "group");
    struct settings *settings = import->settings;

    if (settings->documents_count == 0) {
        print_error("the configuration has no rule_documents: add a group that names Spiegel's "
                    "database (see tailrace-spiegel(7))");
        return EX_CONFIG;
    }
    if (!name && settings->documents_count > 1) {
        print_groups(settings);
        return EX_USAGE;
    }
    import->group = name ? settings_documents(settings, str_c(name)) : settings->documents;
    if (import->group)
        return EX_OK;
    print_groups(settings);
    return EX_USAGE;
}

/* Before anything else: while a daemon runs on it there is nothing to be done. */
static int open_store(struct import *import)
{
    const char *dir = import->settings->state_dir.ptr;
    struct error error;
    int rc = store_open(dir, import->dry_run ? STORE_READ_ONLY : 0, &import->store, &error);

    if (rc == 0 || (import->dry_run && rc == ERR_NOINPUT))
        return EX_OK;
    return print_failure(&error);
}

static int prepare(struct import *import)
{
    struct error error;
    int code = load_settings(&import->args->overrides, LOAD_SECRETS, NULL, &import->settings);

    if (code == EX_OK)
        code = find_group(import);
    if (code == EX_OK)
        code = open_store(import);
    if (code == EX_OK && spiegel_server_open(&import->server, import->settings,
                                             import->group->source, &error) < 0)
        code = print_failure(&error);
    return code;
}

/* ---- making the plan ---- */

static int read_server(struct import *import)
{
    struct spiegel_server *server = &import->server;
    struct spiegel *spiegel = &import->spiegel;
    struct spiegel_plan *plan = &import->plan;
    struct error error;

    if (spiegel_server_documents(server, import->group->database, spiegel, &error) < 0 ||
        spiegel_server_databases(server, spiegel, plan, &error) < 0) {
        spiegel_progress("", 1, 1); /* no bar before the message */
        return print_failure(&error);
    }
    if (spiegel_server_changed(server, spiegel, plan, &error) < 0)
        print_error("which databases changed since Spiegel cannot be told, so every replicator "
                    "runs once: %s",
                    error.text);
    return EX_OK;
}

static int make_plan(struct import *import)
{
    struct error error;
    int code = read_server(import);

    if (code != EX_OK)
        return code;
    spiegel_plan_make(&import->plan, &import->spiegel, import->group->source->name);
    if (!import->store || args_has(import->args, "force"))
        return EX_OK;
    if (spiegel_find_kept(import->store, &import->spiegel, &import->plan, &error) < 0)
        return print_failure(&error);
    return EX_OK;
}

/* ---- what a person should know ---- */

static void warn_of_activity(const struct spiegel *spiegel)
{
    int64_t age_ms = clock_wall_ms() - spiegel->active_ms;
    char text[PRINT_COUNT];

    if (spiegel->active_ms > 0 && age_ms < ACTIVE_MS)
        print_error("Spiegel wrote to its database %" PRId64
                    " s ago: if it runs still, stop all "
                    "of it, and import after that",
                    age_ms > 0 ? age_ms / 1000 : 0);
    if (spiegel->locked > 0)
        print_error("%s locked: a process of Spiegel's was at work when it ended, or is still",
                    print_count(text, (int64_t)spiegel->locked, "document"));
}

/* Which of the files that --passwords named has this one's; NULL: none. */
static const char *find_in_files(const struct args *args, const struct spiegel_user *user)
{
    struct secret secret = {0};

    for (size_t i = 0; i < args->given_count; i++) {
        struct secrets *secrets;
        struct error error;
        bool found;
        if (strcmp(args->given[i].name, "passwords") != 0)
            continue;
        secrets = secrets_new();
        found = secrets_load(secrets, args->given[i].value, &error) == 0 &&
                secrets_password(secrets, user->host, user->user, &secret);
        secrets_free(secrets);
        secret_fini(&secret);
        if (found)
            return args->given[i].value;
    }
    return NULL;
}

static void warn_of_user(const struct import *import, const struct spiegel_user *user)
{
    const char *file = find_in_files(import->args, user);

    if (file)
        print_error("rule " STR_FMT " needs the password of " STR_FMT " at " STR_FMT
                    ": add %s to passwords_file",
                    STR_ARG(user->rule), STR_ARG(user->user), STR_ARG(user->host), file);
    else
        print_error("rule " STR_FMT " needs the password of " STR_FMT " at " STR_FMT
                    ", and no passwords file has it",
                    STR_ARG(user->rule), STR_ARG(user->user), STR_ARG(user->host));
}

static void warn_of_passwords(const struct import *import)
{
    size_t cursor = 0, lacking = 0;
    struct secret secret = {0};
    void *value;
    tr_str key;

    while (map_next(&import->spiegel.users, &cursor, &key, &value)) {
        const struct spiegel_user *user = value;
        if (secrets_password(import->server.secrets, user->host, user->user, &secret))
            secret_fini(&secret);
        else if (++lacking <= USERS_SHOWN)
            warn_of_user(import, user);
    }
    if (lacking > USERS_SHOWN)
        print_error("and %zu more users have no password", lacking - USERS_SHOWN);
}

/* The files that were named have to be of the form, and to agree. */
static int check_passwords(const struct args *args, const struct settings *settings)
{
    const char *paths[ARGS_GIVEN_MAX + 64];
    struct secrets *secrets = secrets_new();
    struct error error;
    size_t count = 0;
    int code = EX_OK;

    for (size_t i = 0; settings->passwords_files[i] && count < 63; i++)
        paths[count++] = settings->passwords_files[i];
    for (size_t i = 0; i < args->given_count; i++)
        if (strcmp(args->given[i].name, "passwords") == 0)
            paths[count++] = args->given[i].value;
    paths[count] = NULL;
    if (secrets_load_all(secrets, paths, &error) < 0)
        code = print_failure(&error);
    secrets_free(secrets);
    return code;
}

static void print_summary(const struct import *import)
{
    char rules[PRINT_COUNT], places[PRINT_COUNT], more[PRINT_COUNT];
    size_t invalid = 0, kept = 0, never = 0;
    int64_t written;

    for (size_t i = 0; i < import->spiegel.rules_count; i++)
        invalid += import->spiegel.rules[i].databases == NULL;
    for (size_t i = 0; i < import->plan.places_count; i++) {
        kept += import->plan.places[i].kept;
        never += !import->plan.places[i].kept && import->plan.places[i].why == SPIEGEL_NEVER;
    }
    written = (int64_t)(import->plan.places_count - kept);
    fprintf(stderr, "%s, %s %swritten\n",
            print_count(rules, (int64_t)(import->spiegel.rules_count - invalid), "rule"),
            print_count(places, written, "checkpoint"), import->dry_run ? "to be " : "");
    if (kept > 0)
        fprintf(stderr, "%s there already and stay; --force writes over them\n",
                print_count(more, (int64_t)kept, "checkpoint"));
    if (invalid > 0)
        fprintf(stderr, "%s cannot be a rule\n",
                print_count(more, (int64_t)invalid, "document"));
    if (never > 0 && !import->plan.unlistened_now)
        fprintf(stderr,
                "%s of a database that Spiegel never listened to begin at its beginning; "
                "--unlistened now skips what is there\n",
                print_count(more, (int64_t)never, "checkpoint"));
}

/* ---- the command ---- */

static int finish(struct import *import)
{
    struct error error;

    if (!import->dry_run &&
        spiegel_write(import->store, import->server.loop, &import->spiegel, &import->plan,
                      import->group->source->name, &error) < 0)
        return print_failure(&error);
    if (import->args->json)
        spiegel_show_json(&import->spiegel, &import->plan, import->group->source->name,
                          import->dry_run);
    else
        spiegel_show_table(&import->spiegel, &import->plan);
    fflush(stdout);
    warn_of_activity(&import->spiegel);
    warn_of_passwords(import);
    print_summary(import);
    return EX_OK;
}

static int run_import(struct import *import)
{
    int code = prepare(import);

    if (code == EX_OK)
        code = check_passwords(import->args, import->settings);
    if (code != EX_OK)
        return code;
    spiegel_init(&import->spiegel, import->settings, import->group);
    code = make_plan(import);
    if (code == EX_OK)
        code = finish(import);
    spiegel_fini(&import->spiegel);
    return code;
}

static int import_spiegel(struct args *args)
{
    struct import import = {.args = args, .dry_run = args_has(args, "dry-run")};
    const char *where = args_value(args, "unlistened");
    int code;

    if (where && strcmp(where, "now") != 0 && strcmp(where, "beginning") != 0)
        return args_wrong(args, "--unlistened %s: it is \"now\" or \"beginning\"", where);
    args_set_up_log(args, NULL);
    spiegel_plan_init(&import.plan);
    import.plan.unlistened_now = where && strcmp(where, "now") == 0;
    import.plan.replicate_all = args_has(args, "replicate-all");
    code = run_import(&import);
    spiegel_plan_fini(&import.plan);
    store_close(import.store);
    spiegel_server_close(&import.server);
    settings_unref(import.settings);
    return code;
}

const struct command command_spiegel_import = {
    .name = "spiegel",
    .verb = "import",
    .summary = "Take over where an installation of Spiegel stands",
    .text =
        "Reads the database that a group of rule_documents names, and writes a checkpoint for\n"
        "each of its rules and each database, so that nothing is lost and little is repeated.\n"
        "Spiegel's database is only read. Neither Spiegel nor the daemon may run. A second\n"
        "run changes nothing. See tailrace-spiegel(7).",
    .options =
        (const struct args_option[]){
            {"group", 'g', "NAME", "of rule_documents; needed where there are several"},
            {"dry-run", 'n', NULL, "print the same, write nothing"},
            {"unlistened", 0, "WHERE", "what it never listened to: beginning (default), now"},
            {"replicate-all", 0, NULL,
             "run every replicator once, not only those that are due"},
            {"force", 0, NULL, "write over checkpoints that are there"},
            {"passwords", 0, "FILE", "one of Spiegel's: say whose password is only there"},
            {.name = NULL},
        },
    .examples = "tailrace spiegel import --dry-run\n"
                "tailrace spiegel import --passwords change-listener-passwords.json",
    .run = import_spiegel,
};
