/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an instance keeps (tr.state/1), between its batches and the store.
 *
 *     put(ticket) ──▶ epoch ──freeze──▶ operation of a commit, beside its checkpoint
 *     get() ◀── epochs, newest first ◀── store
 *
 * An epoch is what the batches of a span of rows wrote. Dispatch begins one with the first
 * batch of a span and sees to it that no batch is of two. When every row of the span and before
 * it is settled, the epoch is frozen and committed together with the checkpoint at its end: so
 * a batch is covered by the checkpoint with all that it wrote, or with nothing of it, whatever
 * finished first and whatever a batch was split into.
 *
 * What reads see: the newest epoch that has the key, and within it the last write; else the
 * store. So of two batches that are in flight at the same time and write one key, the later
 * write counts, or that of the later span, and it stays if the other's is taken back. Only
 * documents that share no key may have several batches in flight; a counter of a rule with
 * concurrency is kept for each lane or not at all.
 *
 * A batch whose outcome as a whole is not TR_OK has written nothing: its writes are taken back
 * in the moment in which its ticket is closed, before any other callback. Where changes have
 * outcomes of their own what was written stays, also for those that are sent again or rejected;
 * so a plugin writes for those only which it takes.
 *
 * Between the commit and the moment in which the worker's snapshot shows it a key is in both;
 * it is never in neither. An epoch that is durable goes when no snapshot is open that is older.
 *
 * The lock guards all of this: the worker reads and writes, the loop freezes and frees, and any
 * thread may close a ticket. Functions of the loop unless they say otherwise.
 */
#ifndef PLUGIN_STATE_H
#define PLUGIN_STATE_H

#include "store/store.h"

#include <tailrace/ext/state.h>

struct instance;
struct job;
struct state;
struct state_epoch;

/* NULL: the plugin did not ask for the extension in its open(), or there is no store. From the
 * answer to the instance's start on. */
struct state *instance_state(const struct instance *instance);

/* An empty epoch, the newest of its stream. */
struct state_epoch *state_epoch_new(struct state *state, tr_str stream, tr_str source,
                                    tr_str db);

/* What was written before it is in part gone, and its rows come again: batches are told. */
bool state_epoch_is_rolled_back(const struct state_epoch *epoch);

/* Nobody writes to it any more: fills an operation, or gives false if it has no entries. Again
 * after a commit that failed: with the same entries. */
bool state_epoch_freeze(struct state_epoch *epoch, struct store_op *op);

/* It is in the store, by this operation (NULL: it had no entries). Frees it, at once or when no
 * snapshot needs it. */
void state_epoch_done(struct state_epoch *epoch, const struct store_op *op);

/* It never will be, but batches that write to it are still out: nobody reads it any more. NULL
 * is fine. */
void state_epoch_hide(struct state_epoch *epoch);

/* It never will be: of a cursor that ends before its time. NULL is fine. */
void state_epoch_drop(struct state_epoch *epoch);

/* What it kept on a stream is gone, at once for all that read and in the store's order for all
 * that is committed; with no epoch that has writes. */
void state_restart(struct state *state, tr_str stream);

/* The memory of what is not in the store yet. */
size_t state_memory(struct state *state);

/* ---- for plugin/ ---- */

/* `binding` is borrowed. Worker. */
struct state *state_new(struct instance *instance, struct store *store, const char *binding,
                        uint64_t bytes_max);
void state_free(struct state *state); /* NULL is fine                                      */

/* A ticket's outcome is there, under the lock of the tickets; any thread. */
void state_settle(struct job *job);

/* Reads what the store has of the binding; before all else, once. Worker. */
int state_load(struct state *state, struct error *error);

/* Around process(): reads in between see one snapshot. Worker. */
void state_batch_begin(struct state *state);
void state_batch_end(struct state *state);

/* The functions of tr_state, on the worker. */
tr_status state_get(struct state *state, tr_str stream, tr_str key, tr_str *ret_value);
tr_status state_write(struct state *state, struct job *job, tr_str key, tr_str value,
                      bool removed);
void state_streams(struct state *state,
                   int32_t (*each)(void *user, const tr_state_stream *stream), void *user);
void state_usage(struct state *state, tr_state_usage *usage);
tr_status state_drop_stream(struct state *state, tr_str stream);
tr_status state_scan(struct state *state, tr_str stream, tr_str from, tr_str to, bool backwards,
                     int32_t (*each)(void *user, tr_str key, tr_str value), void *user);

#endif
