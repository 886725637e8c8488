/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine: builds what a configuration describes, runs it, changes it on a reload, ends it.
 *
 *     settings ──▶ sources ──▶ streams ──▶ readers ──rows──▶ subscriptions ──▶ cursors of
 * bindings
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

/* After finished(). */
void engine_free(struct engine *engine);

/* Totals over all rules, for a summary. */
void engine_get_stats(const struct engine *engine, struct binding_stats *ret_stats);

#endif
