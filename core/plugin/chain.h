/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transforms of a rule: plugins of a second kind, one behind the other, before the rule's
 * own.
 *
 *     batch ──▶ transform ──▶ … ──▶ transform ──▶ passage ──▶ process() ──▶ outcome
 *                 skip, reject: settled             what is left, renumbered │
 *     job  ◀───────────────── merged again ─────────────────────────────────┘
 *
 * A chain belongs to an instance and lives on its worker, one thread for all of them. What it
 * makes of a batch is a passage: the plugin sees that one, dispatch sees its own batch and an
 * outcome for each change of it.
 */
#ifndef PLUGIN_CHAIN_H
#define PLUGIN_CHAIN_H

#include "plugin/instance.h"

struct chain;

/* Makes the instances; nothing of the plugins is called yet. NULL: the setup has none. */
struct chain *chain_new(const struct instance_setup *setup);
void chain_free(struct chain *chain);

/* Whether none of them ever waits (TR_CAP_NEVER_BLOCKS). */
bool chain_never_blocks(const struct chain *chain);

/* The plugins' own check() of their options, this thread. */
int chain_check(struct chain *chain, struct error *error);

/* open, configure and start, in order; on an error all are closed again. Worker; of a bare
 * instance, `worker` is NULL and nothing is started. */
int chain_open(struct chain *chain, struct worker *worker, struct error *error);
/* stop and close, in reverse. Worker. */
void chain_close(struct chain *chain, int64_t deadline_ms);

/*
 * Sends the changes of the job's batch through; job_seen() is then what is left of it, maybe
 * nothing. Worker. TR_RETRY or TR_FATAL: the batch as a whole, with the reason in `outcome`
 * (valid until the next call).
 */
tr_status chain_run(struct chain *chain, struct job *job, tr_outcome *outcome);

/* The outcome of what the plugin saw as one of the whole batch; nothing is to be done for a job
 * that went through no chain. Loop thread, before done(). */
void passage_merge(struct job *job);
void passage_free(struct passage *passage);

#endif
