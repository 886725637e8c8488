/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A binding: a rule and its instance, with a position of its own on every stream that it
 * matches.
 *
 *     segment ──cursor_take──▶ match ──▶ lanes ──batches──▶ instance
 *                                                              │ outcome
 *     store ◀──watermark── cursor ◀──settled, dead letters─────┘
 *
 * The engine makes one for each rule, gives it a cursor for each stream and pushes segments
 * into the cursors. Everything is on the loop thread. What is in a binding is bounded by its
 * window; when that is full, whoever reads for it must stop until room() is called. A binding
 * that cannot go on is held: it takes and sends nothing more, keeps its checkpoints, and
 * disturbs no other.
 */
#ifndef DISPATCH_BINDING_H
#define DISPATCH_BINDING_H

#include "dispatch/repeats.h"
#include "feed/segment.h"
#include "observe/histogram.h"
#include "plugin/position.h"
#include "rule/match.h"
#include "store/store.h"

struct binding;
struct cursor;

/* What becomes of a change that is rejected for good. */
enum on_reject { ON_REJECT_DEAD_LETTER, ON_REJECT_STOP, ON_REJECT_SKIP };

/* And of one that its source sends again, as far as that is noticed (repeats.h). */
enum on_repeat { ON_REPEAT_DELIVER, ON_REPEAT_SKIP };

struct binding_options {
    uint32_t batch_size;   /* changes of a batch, at most                                  */
    size_t batch_bytes;    /* and bytes of their rows; one change may be larger            */
    int64_t batch_wait_ms; /* how long a batch that is not full waits for more; 0: not     */
    uint32_t concurrency;  /* lanes of a stream, and batches in flight                     */
    uint32_t window_rows;  /* changes held at once, and settled behind one that is held     */
    size_t window_bytes;   /* and memory that they hold on to                              */
    uint32_t
        max_attempts; /* deliveries before a change that always fails is rejected; 0: no end */
    enum on_reject on_reject;
    enum on_repeat on_repeat;
    int64_t retry_min_ms, retry_max_ms;
    int64_t commit_ms;    /* checkpoints are committed this often                          */
    uint32_t commit_rows; /* or after so many settled rows                                 */
    uint32_t commit_rows_kept; /* the same, of a plugin that keeps state; 0: as others      */
};

struct binding_events {
    void (*started)(void *ctx);
    /* It takes and sends nothing any more; `why` says what a person can do. Once. */
    void (*held)(void *ctx, const char *why);
    /* The window was full and has room again. */
    void (*room)(void *ctx);
    /* Everything it was given is settled. */
    void (*idle)(void *ctx);
    /* So is every dead letter that binding_replay() was given. */
    void (*replayed)(void *ctx);
    /* The plugin wants a stream to begin again at `seq`: cursor_again() is for that. Strings
     * live until it returns. */
    void (*again)(void *ctx, tr_str stream, tr_str seq);
    /* The end of binding_drain(): what was in flight is settled and committed, the instance is
     * closed. Free it. */
    void (*drained)(void *ctx);
};

struct binding_setup {
    const char *name; /* the rule's; borrowed                                              */
    struct binding_options options;
    const struct matcher *matcher;
    struct loop *loop;
    struct store *store;
    struct repeats *repeats; /* borrowed; NULL: nothing is remembered                      */
    struct instance_setup instance; /* its rule, events and ctx are filled in here         */
    const struct binding_events *events;
    void *ctx;
};

/* Counters since the start, for logs, status and the summary of `run --once`. Of those received
 * `repeated` had come before. */
struct binding_stats {
    uint64_t received, filtered, ok, dead, skipped, retried, batches, repeated;
    uint64_t forgotten; /* received no more: taken back, and read again                    */
};

/* How long things took, for metrics. */
struct binding_times {
    struct histogram batches; /* from the hand-over of a batch to its outcome              */
    struct histogram settled; /* from when a change was read until it was settled          */
};

/* What it has in hand now, for status. */
struct binding_lag {
    uint32_t rows;        /* received and not settled                                       */
    uint32_t window_rows; /* and settled behind one of them: what the window counts         */
    size_t bytes;         /* of the segments that those not settled keep in memory          */
    uint32_t in_flight;   /* batches that the plugin has                                     */
    uint32_t retrying;    /* lanes that wait after a failure                                 */
    const char *failure;  /* the plugin's words about the last of these; ""                 */
    int64_t oldest_ms;    /* clock_ms() when the oldest of the rows came in; 0: none          */
};

struct binding *binding_new(const struct binding_setup *setup);

/* Opens the instance; started() or held() answers. */
void binding_start(struct binding *binding);

/* Waits for what is in flight, commits, stops the instance; drained() answers, from the loop.
 * Nothing new is sent but the few rows up to the next one that has a seq, without which those
 * before them would come again. What waits in the window is dropped: it is read again at the
 * next start. */
void binding_drain(struct binding *binding, int64_t deadline_ms);

/* With all its cursors. At once; only when drained, or when the process ends anyway. */
void binding_free(struct binding *binding);

/* New options of the instance, whose differences are all LIVE. Nothing is sent until they are
 * taken, and that waits for what is in flight; those before them are not read any more. False:
 * not now, it is starting or takes options already. */
bool binding_reconfigure(struct binding *binding, const struct config_values *options);

bool binding_has_room(const struct binding *binding);
/* Nothing of what it was given waits to be settled. */
bool binding_is_idle(const struct binding *binding);
bool binding_is_running(const struct binding *binding);
/* Why it is held, or NULL. */
const char *binding_held(const struct binding *binding);
const struct binding_stats *binding_get_stats(const struct binding *binding);
const struct binding_times *binding_get_times(const struct binding *binding);
void binding_get_lag(const struct binding *binding, struct binding_lag *ret_lag);

/* How far it is with a stream that it has in hand. */
struct binding_part {
    tr_str db;                  /* lives until the next turn of the loop                   */
    uint64_t received, settled; /* rows, ever                                              */
    bool is_read;               /* no more rows will come                                  */
};

/* Calls each() for every such stream, until it returns false. */
void binding_each_part(const struct binding *binding,
                       bool (*each)(void *ctx, const struct binding_part *part), void *ctx);

/* Sends a dead letter again. The record goes away after ok and stays, with the new reason,
 * after another reject. */
void binding_replay(struct binding *binding, const struct store_dead_letter *letter);
/* Some of them are still on their way. */
bool binding_is_replaying(const struct binding *binding);

/* Asks the plugin where to begin on a stream; NULL: it has no word in that. */
struct position_ask *binding_ask_position(struct binding *binding,
                                          const struct position_question *question);

/* Commits what is settled now and not at the next interval. */
void binding_commit(struct binding *binding);

/* ---- cursors: where a binding stands on one stream ---- */

/* The parts of a stream's name; copied. */
struct stream_name {
    tr_str key; /* "source/db@incarnation"                                                 */
    tr_str source, db, incarnation;
    bool transient; /* standard input: there is nothing to come back to, no checkpoint     */
};

/* `since` is where reading begins (raw JSON); `ordinal` as the store has it. A cursor of the
 * same stream that was retired and is not done comes back instead, and goes on where it was. */
struct cursor *cursor_new(struct binding *binding, const struct stream_name *stream,
                          tr_str since, int64_t ordinal);

/* What was settled of the stream counts no more. The cursor of it, which has been retired,
 * comes not back: what it has is dropped, and outcomes that are still to come change nothing.
 * The new one begins at `since`, which is its checkpoint from now on. */
struct cursor *cursor_again(struct binding *binding, const struct stream_name *stream,
                            tr_str since);

/* The cursor of a stream that was retired and is not done; NULL: there is none. */
const struct stream_name *cursor_retired(const struct binding *binding, tr_str stream);

/* No more rows will come: it settles what it has, commits, and is gone. */
void cursor_retire(struct cursor *cursor);

/* Takes all rows of a segment; look at binding_has_room() after. */
void cursor_take(struct cursor *cursor, struct segment *segment);

/* Everything up to this position was given to cursor_take(). */
void cursor_advance(struct cursor *cursor, tr_str seq);

/* It was given everything that the database had when the server called its end `seen`
 * (identity_facts.token); the checkpoint says so once all of that is settled. */
void cursor_complete(struct cursor *cursor, uint64_t seen);

/* Where to read on: behind the last row that was taken. Valid until the next call. */
tr_str cursor_received(const struct cursor *cursor);

/* Writes where it stands although nothing was settled yet, so that `since = now` means the same
 * now after a crash. */
void cursor_touch(struct cursor *cursor);

#endif
