/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tailrace verify: does one database have what another has, or one server what another has?
 * It reads `_changes` of both ends, several databases at a time, and writes nowhere. Main
 * thread.
 */
#include "cli/cmd_verify.h"

#include "base/mem.h"
#include "cli/args.h"
#include "cli/print.h"
#include "cli/progress.h"

#include <stdio.h>
#include <sysexits.h>

enum {
    LIMIT = 100,
    SETTLE_S = 10,
    JOBS = 4,
    ACTIVE_MAX = 100, /* those that wait for a moment hold no connection                   */
    DIFFERENT_CODE = 1
};

/* ---- which databases ---- */

static void add_pair(struct verify *verify, tr_str source, tr_str target)
{
    verify->pairs[verify->count++] = (struct verify_pair){
        .remotes = &verify->remotes,
        .options = &verify->options,
        .db = {source, target},
    };
}

static int list_databases(struct verify *verify)
{
    struct remote_names *source = &verify->names[REMOTE_SOURCE];
    struct remote_names *target = &verify->names[REMOTE_TARGET];
    int code = EX_OK;

    for (int i = 0; code == EX_OK && i < REMOTES; i++)
        code = remotes_list(&verify->remotes, verify->args, i, &verify->names[i]);
    if (code != EX_OK)
        return code;
    verify->pairs = mem_new_array(struct verify_pair, source->count);
    for (size_t i = 0; i < source->count; i++)
        add_pair(verify, source->names[i], source->names[i]);
    for (size_t i = 0; i < target->count; i++)
        verify->extra += !remote_names_have(source, target->names[i]);
    return EX_OK;
}

static int find_databases(struct verify *verify)
{
    struct remote *ends = verify->remotes.ends;

    if (verify->all)
        return list_databases(verify);
    verify->pairs = mem_new_array(struct verify_pair, 1);
    add_pair(verify, buf_str(&ends[REMOTE_SOURCE].db), buf_str(&ends[REMOTE_TARGET].db));
    return EX_OK;
}

/* ---- comparing them ---- */

/* The list of names says it already; else it would be asked for twice. */
static bool is_at_target(const struct verify *verify, const struct verify_pair *pair)
{
    return !verify->all ||
           remote_names_have(&verify->names[REMOTE_TARGET], pair->db[REMOTE_TARGET]);
}

static void start_next(struct verify *verify)
{
    struct verify_pair *pair = &verify->pairs[verify->started++];

    if (is_at_target(verify, pair)) {
        verify_pair_start(pair);
        verify->active[verify->active_count++] = pair;
        return;
    }
    pair->failed = REMOTE_TARGET;
    error_set(&pair->error, ERR_NOINPUT, "target: there is no database \"" STR_FMT "\"",
              STR_ARG(pair->db[REMOTE_TARGET]));
    pair->stage = VERIFY_DONE;
    verify->done++;
}

static void start_more(struct verify *verify)
{
    size_t busy = 0;

    for (size_t i = 0; i < verify->active_count; i++)
        busy += verify->active[i]->stage != VERIFY_WAITS;
    for (; verify->started < verify->count && verify->active_count < ACTIVE_MAX &&
           busy < verify->jobs;
         busy = busy + 1)
        start_next(verify);
}

static uint64_t rows_of(const struct verify_pair *pair)
{
    return pair->readers[REMOTE_SOURCE].rows + pair->readers[REMOTE_TARGET].rows;
}

/* True: there is more to be done right away. */
static bool step_all(struct verify *verify)
{
    bool more = false;
    size_t kept = 0;

    for (size_t i = 0; i < verify->active_count; i++) {
        struct verify_pair *pair = verify->active[i];
        more |= verify_pair_step(pair);
        if (pair->stage != VERIFY_DONE) {
            verify->active[kept++] = pair;
            continue;
        }
        verify->rows += rows_of(pair);
        verify->done++;
        /* Others would fail as it did, each after half a minute. */
        if (pair->error.code == ERR_UNAVAIL)
            verify->started = verify->count;
    }
    verify->active_count = kept;
    return more;
}

static uint64_t pending_of(const struct verify_pair *pair, bool *ret_told)
{
    uint64_t pending = 0;
    bool told;

    *ret_told = true;
    for (int end = 0; end < REMOTES; end++) {
        pending += verify_reader_pending(&pair->readers[end], &told);
        *ret_told &= told;
    }
    return pending;
}

static void look(const void *ctx, struct engine_progress *ret_progress)
{
    const struct verify *verify = ctx;
    struct engine_progress progress = {
        .databases = verify->count,
        .read = verify->done,
        .received = verify->rows,
        .untold = verify->count - verify->started,
        .listed = true,
    };
    bool told;

    for (size_t i = 0; i < verify->active_count; i++) {
        const struct verify_pair *pair = verify->active[i];
        progress.received += rows_of(pair);
        progress.pending += pending_of(pair, &told);
        progress.untold += !told;
    }
    progress.settled = progress.received;
    *ret_progress = progress;
}

static size_t look_at_parts(const void *ctx, struct engine_part *parts, size_t room)
{
    const struct verify *verify = ctx;
    size_t count = 0;
    bool told;

    for (size_t i = 0; i < verify->active_count && count < room; i++) {
        const struct verify_pair *pair = verify->active[i];
        uint64_t rows = rows_of(pair), pending = pending_of(pair, &told);
        if (pair->stage == VERIFY_READS)
            parts[count++] = (struct engine_part){
                .db = pair->db[REMOTE_SOURCE],
                .settled = rows,
                .goal = told ? rows + pending : 0,
            };
    }
    return count;
}

static void compare(struct verify *verify, struct progress *progress)
{
    bool more = true;

    verify->active = mem_new_array(struct verify_pair *, ACTIVE_MAX);
    progress_start(progress, verify->remotes.loop, look, look_at_parts, verify);
    while (!verify->remotes.stopped) {
        start_more(verify);
        if (verify->active_count == 0 && verify->started == verify->count)
            break;
        loop_turn(verify->remotes.loop, more ? 0 : 1000);
        more = step_all(verify);
    }
    progress_stop(progress);
}

/* ---- the result ---- */

enum verify_result verify_result_of(const struct verify_pair *pair, bool all)
{
    if (pair->error.code == ERR_NOINPUT && pair->failed == REMOTE_TARGET && all)
        return VERIFY_NO_DATABASE;
    if (pair->error.code != 0 || pair->stage != VERIFY_DONE)
        return VERIFY_FAILED;
    return verify_pair_differing(pair) > 0 ? VERIFY_DIFFERS : VERIFY_EQUAL;
}

/* What failed comes before what differs: then nobody knows of all. */
static int judge(const struct verify *verify)
{
    int code = EX_OK;

    for (size_t i = 0; i < verify->count; i++) {
        const struct verify_pair *pair = &verify->pairs[i];
        switch (verify_result_of(pair, verify->all)) {
        case VERIFY_EQUAL: break;
        case VERIFY_DIFFERS:
        case VERIFY_NO_DATABASE:
            if (code == EX_OK)
                code = DIFFERENT_CODE;
            break;
        case VERIFY_FAILED:
            if (pair->error.code == 0)
                break; /* it was not begun, since another one failed                       */
            print_failure(&pair->error);
            if (code == EX_OK || code == DIFFERENT_CODE)
                code = error_exit_code(pair->error.code);
            break;
        }
    }
    return code;
}

static int report(const struct verify *verify)
{
    if (verify->remotes.stopped) {
        print_error("stopped: nothing is known yet");
        return EX_TEMPFAIL;
    }
    if (verify->args->json)
        verify_show_json(verify);
    else if (verify->all || verify->pairs[0].error.code == 0)
        verify_show_text(verify);
    fflush(stdout);
    return judge(verify);
}

/* ---- the command ---- */

static int take_options(struct verify *verify, struct progress *progress)
{
    const struct args *args = verify->args;
    const char *form = args_value(args, "progress");
    int64_t limit = LIMIT, settle_s = SETTLE_S, jobs = JOBS;

    if (args_number(args, "limit", 0, &limit) < 0 ||
        args_number(args, "settle", 0, &settle_s) < 0 ||
        args_number(args, "jobs", 1, &jobs) < 0)
        return EX_USAGE;
    if (form && !progress_parse(form, &progress->form))
        return args_wrong(args, "--progress %s: it is one of auto, log, never", form);
    if (args_has(args, "ids-only") && args_has(args, "winning-revs-only"))
        return args_wrong(args, "--ids-only looks at no revision, so --winning-revs-only says "
                                "nothing");
    verify->all = args_has(args, "all-dbs");
    verify->jobs = (size_t)jobs;
    verify->options = (struct verify_options){
        .winners = args_has(args, "ids-only") || args_has(args, "winning-revs-only"),
        .ids_only = args_has(args, "ids-only"),
        .ignore_deleted = args_has(args, "ignore-deleted"),
        .settle_ms = settle_s * 1000,
        .limit = (size_t)limit,
    };
    return EX_OK;
}

static void free_all(struct verify *verify)
{
    for (size_t i = 0; i < verify->count; i++)
        verify_pair_fini(&verify->pairs[i]);
    free(verify->pairs);
    free(verify->active);
    for (int i = 0; i < REMOTES; i++)
        remote_names_fini(&verify->names[i]);
    remotes_close(&verify->remotes);
}

static int run(struct args *args)
{
    struct verify verify = {.args = args};
    struct progress progress = {.form = PROGRESS_AUTO};
    int code = take_options(&verify, &progress);

    if (code != EX_OK)
        return code;
    signals_block();
    args_set_up_log(args, NULL);
    code = remotes_open(&verify.remotes, args);
    if (code == EX_OK)
        code = find_databases(&verify);
    if (code == EX_OK) {
        compare(&verify, &progress);
        code = report(&verify);
    }
    free_all(&verify);
    return code;
}

const struct command command_verify = {
    .name = "verify",
    .operands = "SOURCE TARGET",
    .operands_min = 2,
    .operands_max = 2,
    .summary = "Compare two databases, or all databases of two servers",
    .text =
        "Both are URLs, http(s)://USER@HOST/DATABASE; passwords come from --passwords or the\n"
        "configuration's passwords_file. Compared are ids, leaves (conflicts and deleted ones\n"
        "too) and whether the winner is deleted. What differs only because it is being\n"
        "written is looked at again. The exit code is 0 if all is equal and 1 if not.",
    .options =
        (const struct args_option[]){
            REMOTE_OPTIONS{"limit", 'l', "N",
                           "documents of a database that are listed; 100 by default"},
            {"winning-revs-only", 0, NULL, "compare winners, not the other leaves"},
            {"ids-only", 0, NULL, "compare which documents there are, not their revisions"},
            {"ignore-deleted", 0, NULL, "a deleted document is as good as none"},
            {"settle", 0, "SECONDS", "how long to look again at what differs; 10 by default"},
            {"jobs", 'j', "N", "databases that are read at once; 4 by default"},
            {"progress", 0, "HOW", "auto (a line on a terminal, else the log), log, never"},
            {.name = NULL},
        },
    .examples =
        "tailrace verify http://ada@old.example.com/posts http://ada@new.example.com/posts\n"
        "tailrace verify --all-dbs -d '^user_' http://ada@old.example.com "
        "http://ada@new.example.com",
    .run = run,
};
