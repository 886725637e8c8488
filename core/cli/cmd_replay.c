/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tailrace dead-letter replay: sends changes again that were given up.
 *
 * The letters are marked in the store, which works beside a daemon: it sees the marks within a
 * second and sends them. Where none runs, this process sends them itself, by an engine that
 * reads no source. A letter goes away only after its plugin said ok.
 */
#include "base/mem.h"
#include "cli/letters.h"
#include "cli/load.h"
#include "cli/print.h"
#include "cli/runner.h"
#include "cli/signals.h"

#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

/* The letters that carry a mark: those of now, and of earlier calls that nobody served yet. */
struct marked {
    int64_t *ids;
    size_t count, room;
};

static bool note_marked(void *context, const struct store_dead_letter *letter)
{
    struct marked *marked = context;

    if (!letter->replay)
        return true;
    if (marked->count == marked->room) {
        marked->room = marked->room ? marked->room * 2 : 64;
        marked->ids = mem_resize(marked->ids, marked->room * sizeof(*marked->ids));
    }
    marked->ids[marked->count++] = letter->id;
    return true;
}

/* Gives the exit code. */
static int mark(const struct args *args, const struct letters *letters, struct marked *marked)
{
    const struct store_filter everything = {0};
    struct store *store = NULL;
    struct error error;
    int64_t count;
    int code = site_open_store(args, STORE_BESIDE, &store);

    if (code == EX_OK)
        code = letters_find(letters, store);
    for (size_t i = 0; code == EX_OK && i < letters->count; i++)
        if (store_dead_letter_mark(store, &letters->filters[i], &count, &error) < 0)
            code = print_failure(&error);
    if (code == EX_OK &&
        store_dead_letter_each(store, &everything, note_marked, marked, &error) < 0)
        code = print_failure(&error);
    store_close(store);
    return code;
}

/* ---- reports ---- */

static void report(const struct args *args, const struct marked *marked, size_t stayed,
                   bool by_daemon)
{
    size_t sent = by_daemon ? 0 : marked->count - stayed;
    char text[PRINT_COUNT];
    struct buf out = {0};

    if (args->json) {
        json_begin(&out, NULL, '{');
        json_num(&out, "marked", (int64_t)marked->count);
        json_num(&out, "sent", (int64_t)sent);
        json_num(&out, "stayed", (int64_t)stayed);
        json_bool(&out, "daemon", by_daemon);
        json_end(&out, '}');
        print_json(&out);
        buf_fini(&out);
        return;
    }
    print_count(text, (int64_t)marked->count, "dead letter");
    if (by_daemon)
        printf("%s marked: the running daemon sends %s\n", text,
               marked->count == 1 ? "it" : "them");
    else
        printf("%s sent again: %zu went, %zu stayed%s\n", text, sent, stayed,
               stayed > 0 ? " (see tailrace dead-letter list)" : "");
}

/* How many of the marked ones are still there. */
static int count_stayed(const struct args *args, const struct marked *marked,
                        size_t *ret_stayed)
{
    struct store *store = NULL;
    struct arena arena;
    struct error error;
    int code = site_open_store(args, STORE_READ_ONLY, &store);

    arena_init(&arena, 4096);
    *ret_stayed = 0;
    for (size_t i = 0; code == EX_OK && i < marked->count; i++) {
        struct store_dead_letter letter;
        bool found = false;

        if (store_dead_letter_get(store, marked->ids[i], &arena, &letter, &found, &error) < 0)
            code = print_failure(&error);
        else
            *ret_stayed += found;
        arena_reset(&arena);
    }
    arena_fini(&arena);
    store_close(store);
    return code;
}

/* ---- sending ---- */

/* Whether another process holds the lock; gives the exit code of all that is wrong else. */
static int find_daemon(const struct args *args, bool *ret_runs)
{
    struct store *store;
    struct site site;
    struct error error;
    int rc, code = site_init(&site, args);

    if (code == EX_OK) {
        rc = store_open(site.state_dir, 0, &store, &error);
        *ret_runs = rc == ERR_TEMP;
        if (rc == 0)
            store_close(store);
        else if (rc != ERR_TEMP)
            code = print_failure(&error);
    }
    site_fini(&site);
    return code;
}

static int send_marked(const struct args *args, const struct marked *marked)
{
    struct runner_options options = {.mode = ENGINE_REPLAY, .overrides = &args->overrides};
    struct settings *settings;
    struct error error;
    size_t stayed = 0;
    int code = load_settings(&args->overrides, LOAD_SECRETS, NULL, &settings), counted, rc;

    if (code != EX_OK)
        return code;
    rc = runner_run(&options, settings, &code, &error);
    if (rc == ERR_TEMP) { /* it has started in the meantime */
        report(args, marked, 0, true);
        return EX_OK;
    }
    if (rc < 0)
        return print_failure(&error);
    counted = count_stayed(args, marked, &stayed);
    if (counted != EX_OK)
        return counted;
    report(args, marked, stayed, false);
    return code == EX_OK && stayed > 0 ? EX_DATAERR : code;
}

static int replay(struct args *args)
{
    struct marked marked = {0};
    struct letters letters;
    bool daemon_runs = false;
    int code = EX_USAGE;

    signals_block();
    args_set_up_log(args, NULL);
    if (letters_init(&letters, args) == 0)
        code = mark(args, &letters, &marked);
    if (code == EX_OK && marked.count > 0)
        code = find_daemon(args, &daemon_runs);
    if (code == EX_OK && (marked.count == 0 || daemon_runs))
        report(args, &marked, 0, daemon_runs);
    else if (code == EX_OK)
        code = send_marked(args, &marked);
    letters_fini(&letters);
    free(marked.ids);
    return code;
}

const struct command command_dead_letter_replay = {
    .name = "dead-letter",
    .verb = "replay",
    .operands = "[ID]...",
    .operands_max = -1,
    .summary = "Send dead letters again, through the same rule",
    .text =
        "A letter goes away when its plugin says ok, and stays with the new reason when not.\n"
        "A running daemon sends them; without one this command does, and the exit code says\n"
        "whether any stayed (65).",
    .options =
        (const struct args_option[]){
            {"rule", 'r', "RULE", "those of this rule"},
            {"db", 'd', "DATABASE", "those of this database"},
            {"all", 'a', NULL, "all there are"},
            {.name = NULL},
        },
    .examples = "tailrace dead-letter replay --rule calc-stats",
    .run = replay,
};
