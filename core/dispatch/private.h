/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of core/dispatch/ share: the parts of a binding, and which file does what.
 *
 *     binding.c   its life, its window, and which lane may send next
 *     cursor.c    rows in: match, queue, and the position behind all that is settled
 *     spread.c    which lane a change goes to
 *     lane.c      a queue of changes in order: makes batches, waits after failures
 *     outcome.c   what an instance said of a batch: settle, retry, bisect, reject
 *     reject.c    changes refused for good, and those sent again
 *     commit.c    checkpoints into the store
 *     span.c      which rows share a checkpoint, where the plugin keeps state
 *     repeats.c   a memory of rows that came lately, of all bindings
 */
#ifndef DISPATCH_PRIVATE_H
#define DISPATCH_PRIVATE_H

#include "base/map.h"
#include "dispatch/binding.h"
#include "plugin/state.h"

/* A segment that a cursor needs until all its items of it are settled. */
struct hold {
    struct list link; /* binding->holds, in the order received                             */
    struct segment *segment;
    int64_t since; /* the ordinal that segment->since is behind of                         */
    uint32_t items;
};

/* A change that matched, from cursor_take() until it is settled. */
struct item {
    struct list pending;    /* cursor->pending, in the order received                      */
    struct item *lane_next; /* lane queue, or the binding's free items                     */
    struct cursor *cursor;
    struct hold *hold;
    uint32_t row;
    uint32_t passed;     /* that were settled behind it and before the next that is pending  */
    size_t bytes;        /* of the row: it is asked for when the row itself is in no cache    */
    uint32_t attempts;   /* deliveries                                                       */
    uint32_t faults;     /* those that failed without the sink having said when to come back */
    struct place *place; /* of its document among those that are pending; NULL: one lane   */
    int64_t ordinal;     /* of its row on the stream                                       */
    int64_t first_ms;    /* loop_now() of the first delivery, once there was one             */
    int64_t letter;      /* the dead letter that it is, on replay                            */
};

/* Changes that must be handled in this order. Per document with several lanes: what is pending
 * of it is all in one. */
struct lane {
    struct cursor *cursor;
    struct item *head, **tail;
    uint32_t count;
    size_t bytes;
    struct batch *sent; /* made of the first items of the queue                           */
    uint32_t limit;     /* changes of a batch while it is bisected; 0: no limit           */
    uint32_t failures;  /* in a row                                                       */
    struct timer timer; /* until the next try, or until a batch is sent that is not full  */
    bool backing_off, waited;
    bool wants_quiet;  /* it waits for binding->quiet_wanted                                */
    struct list ready; /* binding->ready                                                 */
};

struct cursor {
    struct list link; /* binding->cursors                                                  */
    struct binding *binding;
    struct stream_name stream;
    struct list pending; /* items                                                          */
    struct lane *lanes;  /* of options.concurrency; made with the first item               */
    uint32_t run, run_left, run_lane; /* neighbours that go to one lane: see spread.c      */
    struct buf received, committed;
    int64_t received_ordinal;
    int64_t known_ordinal; /* the row that `received` is the position of: rows behind it may
                              have none */
    int64_t sent_ordinal;  /* the last that was ever sent                                   */
    int64_t drain_to;      /* a drain sends up to here; -1: nothing more                    */
    struct list dirty; /* binding->dirty                                                   */
    uint64_t seen;     /* see cursor_complete(); 0: rows may be missing yet                */
    uint64_t seen_committed;
    uint32_t commits;  /* in the store's hands                                             */
    struct span *span; /* of a plugin that keeps state: see span.c; NULL: none            */
    bool replays;      /* of dead letters: it has no position                              */
    bool retired;      /* gone when it is empty                                            */
    bool dropped;      /* the same, and what becomes of its changes is of no interest      */
    uint64_t name;     /* in the memory of repeats                                         */
    uint64_t again;    /* rows of the last segments that had come before, in a row         */
};

enum binding_state {
    BINDING_NEW,
    BINDING_STARTING,
    BINDING_RUNNING,
    BINDING_HELD,
    BINDING_DRAINING, /* waits for what is in flight                                       */
    BINDING_STOPPING, /* the instance ends                                                 */
    BINDING_DRAINED
};

struct binding {
    struct binding_setup setup;
    struct instance *instance;
    struct state *kept;    /* what it keeps, once it is up; NULL: nothing                     */
    bool ahead;            /* of the store: some lanes wait for that                         */
    uint32_t quiet_wanted; /* lanes of dead letters that wait until nothing is in hand      */
    uint32_t replaying;    /* their batches, until what these wrote is durable: one at most */
    bool instance_up;
    bool asked;       /* to start or to take options: it will answer                       */
    bool configuring; /* nothing is sent until the new options are taken                   */
    const struct config_values *new_options; /* they wait until nothing is in hand         */
    enum binding_state state;
    char why[400]; /* held                                                                 */
    struct list cursors, dirty, ready;
    struct map retired; /* cursors that end when they are settled, by stream             */
    struct item *free_items;
    struct place *places; /* see spread.c; NULL: not needed yet                            */
    uint32_t places_count;
    uint32_t inflight, inflight_max; /* batches                                            */
    uint32_t rows;                   /* items                                              */
    uint32_t passed;                 /* settled behind one that is not: a kill repeats them */
    size_t bytes;                    /* of their segments                                  */
    struct list holds;               /* on these                                           */
    uint32_t retrying;               /* lanes that back off                                */
    char *failure;                   /* why the last of them does; NULL                    */
    bool was_full;
    uint32_t letters; /* on replay                                                         */
    struct item *replayed; /* of the batch whose outcome is applied: taken                  */
    uint32_t commits; /* in the store's hands                                              */
    uint32_t settled; /* rows since the last commit                                        */
    struct timer commit_timer;
    struct task drain_task;
    int64_t drain_deadline_ms;
    struct binding_stats stats;
    struct binding_times times;
    int64_t read_ms;     /* when the changes were read that were settled last               */
    uint64_t read_count; /* and how many; not in `times` yet                               */
};

/* A batch in flight: `job` is what the instance sees of it. */
struct batch {
    struct job job;
    struct lane *lane;
    uint32_t count;
    int64_t sent_ms;
    tr_change changes[];
};

static inline const tr_change *item_change(const struct item *item)
{
    return &item->hold->segment->rows[item->row];
}

/* ---- counting: in a header, where tests/bench/bench_counting.c has it from ---- */

/* What was settled in this turn goes into the binding's times. */
static inline void count_end(struct binding *binding)
{
    if (binding->read_count > 0)
        histogram_add(&binding->times.settled, loop_now(binding->setup.loop) - binding->read_ms,
                      binding->read_count);
    binding->read_count = 0;
}

/* A change that was read then. Those that were read together are settled together: they are
 * added up before they are put into the histogram. */
static inline void count_settled(struct binding *binding, int64_t read_ms)
{
    if (read_ms != binding->read_ms)
        count_end(binding);
    binding->read_ms = read_ms;
    binding->read_count++;
}

static inline void count_batch(struct binding *binding, int64_t sent_ms)
{
    histogram_add(&binding->times.batches, loop_now(binding->setup.loop) - sent_ms, 1);
}

/* binding.c */
void binding_hold(struct binding *binding, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void binding_pump(struct binding *binding);  /* sends what may be sent */
void binding_check(struct binding *binding); /* room, idle, drained: after things settled  */
void binding_update_lanes(struct binding *binding);

/* cursor.c */
void cursor_free(struct cursor *cursor);
/* Frees it if it is retired, has nothing left to settle and all of it is durable: whoever comes
 * back to the stream takes up this one, or finds its checkpoint in the store. */
void cursor_reap(struct cursor *cursor);
/* `since`: the ordinal of the row that the segment's `since` is behind of. */
struct hold *hold_new(struct binding *binding, struct segment *segment, int64_t since);
void hold_release(struct binding *binding, struct hold *hold);
struct item *item_new(struct cursor *cursor, struct hold *hold, uint32_t row);
void item_settle(struct item *item);
void item_forget(struct item *item); /* as if it had not come: it is read again            */
/* The position behind everything settled, and its ordinal. */
tr_str cursor_watermark(const struct cursor *cursor, int64_t *ret_ordinal);
/* Up to which row to send so that the position behind all that was sent is a known one. */
int64_t cursor_drain_end(const struct cursor *cursor);
/* How many rows are settled behind the position: a stop now brings them again.             */
uint64_t cursor_ahead(const struct cursor *cursor);
/* The first position that is known and behind all that was sent, and its row; -1: none yet. */
int64_t cursor_known_end(const struct cursor *cursor, tr_str *ret_seq);
/* The one for dead letters of a stream; made when it is not there. */
struct cursor *cursor_replays(struct binding *binding, const struct stream_name *stream);

/* spread.c. A segment of so many rows comes; the lane of a change of this document; the change
 * is not pending any more. */
void spread_begin(struct cursor *cursor, uint32_t rows);
struct lane *spread_lane(struct cursor *cursor, struct item *item, tr_str id);
void spread_drop(struct item *item);

/* lane.c */
void lane_push(struct lane *lane, struct item *item);
struct item *lane_pop(struct lane *lane);
void lane_update(struct lane *lane); /* joins or leaves the ready ones                     */
bool lane_may_send(const struct lane *lane); /* one that was ready may not be any more     */
bool lane_send(struct lane *lane);
void lane_back_off(struct lane *lane, uint32_t retry_after_ms);
void lane_clear(struct lane *lane); /* it sends nothing any more                           */
void lane_drop(struct lane *lane);  /* what waits in it is forgotten, but for what was sent */
void lane_fini(struct lane *lane);

/* lanes.c. All of a cursor; none before lanes_make(). */
void lanes_make(struct cursor *cursor);
void lanes_free(struct cursor *cursor);
void lanes_update(struct cursor *cursor);
void lanes_drop(struct cursor *cursor);
/* Each sends no more than drain_to, which is nothing if one of them backs off. */
void lanes_drain(struct cursor *cursor);

/* span.c */

/* A span of rows that is committed as one, ended at a position that is known. */
struct span {
    int64_t end;    /* the ordinal of its last row; -1: it has none yet                     */
    struct buf seq; /* the position there                                                   */
    struct state_epoch *epoch; /* what its batches write; NULL: none was sent               */
    struct state_epoch *next;  /* those behind its end                                      */
    bool wants_end; /* a commit was due and no position was known                           */
};

/* The epoch of a batch that begins with this item; NULL: the plugin keeps nothing. */
struct state_epoch *span_epoch(struct cursor *cursor, const struct item *first);
/* Whether an item may be in one batch with the first. */
bool span_joins(const struct cursor *cursor, const struct item *first, const struct item *item);
/* Whether an item may be sent now, for all that waits to be stored. */
bool span_may_send(const struct cursor *cursor, const struct item *item);
/* A lane was looked at: whether it waits for the others. */
void span_want_quiet(struct lane *lane, bool wants);
/* Something was stored, or has its end: those that wait may go on. */
void span_wake(struct binding *binding);
/* Whether all of the span is settled and it can be committed; an end is set if there is none.
 */
bool span_is_over(struct cursor *cursor);
/* It has an end, is over and nobody has committed it. */
bool span_is_due(const struct cursor *cursor);
/* Rows came in: maybe with the position that it waits for. */
void span_grew(struct cursor *cursor);
/* The span that is over was committed, or had nothing to commit: the next one begins. */
void span_next(struct cursor *cursor, const struct store_op *op);
/* The stream begins again: what was written and not stored is as if it never was. */
void span_hide(struct cursor *cursor);
void span_free(struct cursor *cursor);
/* So much waits to be stored that it should be. */
bool span_is_large(const struct binding *binding);

/* outcome.c: job->done */
void outcome_apply(struct job *job);

/* reject.c: takes items that are in no lane. */
void reject_items(struct binding *binding, struct item **items, uint32_t count,
                  const char *const *messages);
void replay_settled(struct item *item);
/* The outcome of a batch of dead letters of a plugin that keeps state: those that were taken
 * are forgotten in one commit with what was written. */
void replay_keep(struct binding *binding, struct state_epoch *epoch);

/* commit.c */
void commit_mark(struct cursor *cursor); /* its watermark may have moved                   */
void commit_flush(struct binding *binding);
void commit_cursor(struct cursor *cursor); /* this one, if it is behind                     */
void commit_due(struct timer *timer);

#endif
