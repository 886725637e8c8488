/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine: builds what a configuration describes, runs it, changes it on a reload, ends it.
 *
 *     settings ──▶ sources ──▶ streams ──▶ readers ──rows──▶ subscriptions ──▶ bindings
 *
 * The cli makes one on the loop thread; everything happens there. A stop reads no more, waits
 * for what is in flight, commits, and then finished() is called, once, with the exit code.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "engine/settings.h"

struct engine;

enum engine_mode {
    ENGINE_FOLLOW, /* for ever                                                             */
    ENGINE_ONCE,   /* to the end of every stream, settle, finish                           */
    ENGINE_REPLAY  /* no source is read: dead letters marked for it are sent, then finish  */
};

struct engine_options {
    struct loop *loop;
    enum engine_mode mode;
    struct settings_overrides overrides; /* a reload reads the same files; borrowed        */
    void (*finished)(void *ctx, int exit_code);
    void (*reloaded)(void *ctx, const struct settings *settings); /* are in force; NULL: well */
    void *ctx;
};

/* Opens the store (and takes its lock), starts rules and sources. The engine takes over the
 * caller's reference of `settings`, also on an error. */
int engine_new(const struct engine_options *options, struct settings *settings,
               struct engine **ret_engine, struct error *error);

/* Reads the configuration again. What did not change goes on untouched; when the new one is
 * wrong the old one stays, and the log says why. */
void engine_reload(struct engine *engine);

/* Drains and finishes; a second call does not wait. */
void engine_stop(struct engine *engine);

/* The same from outside, where a stop before the end is no success: `exit_code` is that of the
 * engine then, unless it has failed already or was about to finish. */
void engine_interrupt(struct engine *engine, int exit_code);

/* After finished(). */
void engine_free(struct engine *engine);

/* Totals over all rules, for a summary. */
void engine_get_stats(const struct engine *engine, struct binding_stats *ret_stats);

/* How far ENGINE_ONCE is. Rows count once for each rule that reads them. */
struct engine_progress {
    uint64_t databases, read;   /* read: to the end, and nothing of it waits to be asked    */
    uint64_t received, settled; /* rows, since the start                                    */
    uint64_t pending;           /* rows that servers say are still to be read               */
    uint64_t untold;            /* databases that are not read, and of which nobody says
                                   how many rows those are                                  */
    bool listed;                /* all databases are known                                  */
    bool stopping;              /* nothing is read any more: the rest means little          */
};

/* Looks at every database: a few times a second, not for each row. Before finished(). */
void engine_get_progress(const struct engine *engine, struct engine_progress *ret_progress);

/* A database that a rule is under way with. */
struct engine_part {
    tr_str db; /* lives until the next turn of the loop                                    */
    uint64_t settled, goal; /* rows, since the first run; goal 0: nobody knows it          */
};

/* Some of them, `room` at most; gives how many. */
size_t engine_get_parts(const struct engine *engine, struct engine_part *parts, size_t room);

#endif
