/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store: what must survive a crash. Bindings, checkpoints, dead letters, and what plugins
 * keep (state.h).
 *
 * The daemon writes through commits: a commit is a list of operations of one binding that
 * become durable together or not at all. A thread of the store's own commits in groups, all
 * that is queued at a time as one transaction, so that a hundred small batches cost one fsync.
 * A commit whose callback says DONE survives a power cut.
 *
 * Threads: a store belongs to the thread that opened it (in the daemon the loop thread), which
 * makes every call here and gets every callback. Reads see what is committed. The direct writes
 * (…_set, …_delete, …_mark, …_purge) are for the cli: they wait for the disk.
 *
 * Nothing here names SQLite, so that a second backend can come. Slices in a result live in the
 * arena given, or during the call of the function that they are handed to. A store that is
 * damaged, foreign or of a newer version is refused with ERR_DATA and a line that says how to
 * go on; it is never replaced by an empty one.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/arena.h"
#include "base/error.h"
#include "base/list.h"
#include "base/loop.h"
#include "observe/histogram.h"
#include "store/state.h"

struct store;

/* How to open. Without a flag: as the daemon, with the lock on the directory that only one
 * process can hold; creates the store where there is none, brings an older one up to date. */
enum {
    STORE_READ_ONLY = 1 << 0, /* listing, also beside a running daemon                     */
    STORE_BESIDE = 1 << 1     /* the same, and marks or purges dead letters, asks for
                                 backfills                                                 */
};

/* ERR_TEMP: another process holds the lock. ERR_DATA: damaged, foreign or newer. ERR_NOINPUT:
 * there is none (with a flag). ERR_NOPERM, ERR_CANTCREAT, ERR_IO. */
int store_open(const char *dir, unsigned flags, struct store **ret_store, struct error *error);

/* Starts the thread that commits; callbacks come on `loop`. Once, and without flags only. */
int store_start(struct store *store, struct loop *loop, struct error *error);

/* Commits what is queued, calls every callback that is outstanding, frees. While stalled it
 * tries once more and then gives up: those commits end as LOST. NULL is fine. */
void store_close(struct store *store);

/* ---- bindings ---- */

struct store_binding {
    int64_t created_ms; /* wall clock, when it first started                               */
    bool discovered;    /* its first look at the databases is done: `since = now` does not
                           apply to those that appear later                                */
    tr_str since;       /* until then: where it begins instead of where its rule says, as in
                           struct store_backfill; empty: there                             */
};

int store_binding_get(struct store *store, tr_str name, struct arena *arena,
                      struct store_binding *ret_binding, bool *ret_found, struct error *error);

/* Calls `each` with the names of those that have a record, in order, until it returns false. It
 * must not call the store. */
int store_binding_each(struct store *store, bool (*each)(void *context, tr_str name),
                       void *context, struct error *error);

/* ---- checkpoints ---- */

/* Where a binding stands on a stream: everything up to here is settled. */
struct store_checkpoint {
    tr_str binding;                 /* of a commit's operation: the commit's counts    */
    tr_str stream;                  /* "source/db@incarnation": the key                */
    tr_str source, db, incarnation; /* the same in parts, for people                   */
    tr_str seq;                     /* raw JSON, opaque                                */
    int64_t ordinal;                /* rows settled on this stream                     */
    int64_t updated_ms;             /* wall clock                                      */
    uint64_t seen; /* identity_facts.token of a database of which nothing is left to settle;
                      0: unknown                                                       */
};

/* *ret_found says whether there is one: an error is never "there is none". */
int store_checkpoint_get(struct store *store, tr_str binding, tr_str stream,
                         struct arena *arena, struct store_checkpoint *ret_checkpoint,
                         bool *ret_found, struct error *error);

/* Calls `each` for those of `binding` (empty: of all) in the order of their keys, until it
 * returns false. It must not call the store. */
int store_checkpoint_each(struct store *store, tr_str binding,
                          bool (*each)(void *context, const struct store_checkpoint *),
                          void *context, struct error *error);

/* For the cli; needs the lock, since a running daemon would write over it. */
int store_checkpoint_set(struct store *store, const struct store_checkpoint *checkpoint,
                         struct error *error);

/* The one of `stream`, or with an empty `stream` all of the binding; what its plugin keeps goes
 * with it, since that is of what was settled. */
int store_checkpoint_delete(struct store *store, tr_str binding, tr_str stream,
                            int64_t *ret_deleted, struct error *error);

/* ---- backfills ---- */

#define STORE_SINCE_NOW STR("now") /* no raw JSON: is never a seq                           */

/* A request that a binding begins again. */
struct store_backfill {
    tr_str binding;
    tr_str db;        /* its checkpoints on this one are set back, and what its plugin keeps
                         of it is dropped; empty: all of it begins again, as if it had never
                         run                                                               */
    tr_str since;     /* raw JSON, or, for all of it, STORE_SINCE_NOW                      */
    int64_t asked_ms; /* wall clock                                                        */
};

/* Calls `each` for those that were not taken up yet, until it returns false. It must not call
 * the store. */
int store_backfill_each(struct store *store,
                        bool (*each)(void *context, const struct store_backfill *),
                        void *context, struct error *error);

/* For the cli, also beside a daemon. One of all takes the place of all others of its binding,
 * and ERR_USAGE is what one of a database gets while one of all waits. */
int store_backfill_ask(struct store *store, const struct store_backfill *request,
                       struct error *error);

/* Those of the binding, or, with a `db`, that one of it. For the cli, also beside a daemon. */
int store_backfill_cancel(struct store *store, tr_str binding, tr_str db,
                          int64_t *ret_cancelled, struct error *error);

/* Takes up all of all bindings at once: for the daemon, before any of them runs. While they do
 * it is an operation of a commit. */
int store_backfill_take_all(struct store *store, int64_t *ret_taken, struct error *error);

/* ---- sources ---- */

/* Where a source's list of changed databases was read to, raw JSON; *ret_found is false where
 * nothing is known. A hint only: what it is worth is checked by looking at the databases, so it
 * may be written ahead of what is settled, and one that is damaged is as good as none. */
int store_source_get(struct store *store, tr_str name, struct arena *arena, tr_str *ret_updates,
                     bool *ret_found, struct error *error);

/* ---- dead letters ---- */

struct store_dead_letter {
    int64_t id; /* given by the store, never reused                                        */
    tr_str binding, stream, source, db, doc_id;
    tr_str revs, seq; /* raw JSON                                                          */
    tr_str error;
    int64_t attempts, first_ms, last_ms; /* wall clock                                     */
    tr_str row;                          /* as the feed sent it; empty in a listing        */
    int64_t row_size;                    /* its bytes as they are kept; set by the store   */
    bool row_cut;                        /* it was over the cap: only its head is kept     */
    bool replay;                         /* someone asked to send it again                 */
};

/* Which ones: what is 0 or empty does not restrict. */
struct store_filter {
    tr_str binding, db;
    int64_t id_from, id_to; /* both included                                               */
    int64_t before_ms;      /* last_ms before this                                         */
    int64_t limit;
    bool marked; /* those asked to be sent again; with their rows; needs `binding`         */
};

/* Calls `each` by rising id until it returns false. It must not call the store. To send the
 * marked ones again, take them in pieces: `marked`, `limit`, and `id_from` = the last id + 1.
 */
int store_dead_letter_each(struct store *store, const struct store_filter *filter,
                           bool (*each)(void *context, const struct store_dead_letter *),
                           void *context, struct error *error);

int store_dead_letter_get(struct store *store, int64_t id, struct arena *arena,
                          struct store_dead_letter *ret_letter, bool *ret_found,
                          struct error *error);

/* How many, and their bytes as the limits count them; of all bindings when `binding` is empty.
 * Costs the same however many there are. */
int store_dead_letter_count(struct store *store, tr_str binding, int64_t *ret_count,
                            int64_t *ret_bytes, struct error *error);

/* For the cli, also beside a daemon. `filter->marked` is not looked at by the first. */
int store_dead_letter_mark(struct store *store, const struct store_filter *filter,
                           int64_t *ret_marked, struct error *error);
int store_dead_letter_purge(struct store *store, const struct store_filter *filter,
                            int64_t *ret_deleted, struct error *error);

/* The bound of dead letters per binding; 0: none. Before store_start(). */
struct store_limits {
    int64_t count, bytes;
};
void store_set_limits(struct store *store, const struct store_limits *limits);

/* ---- commits ---- */

enum store_op_kind {
    STORE_PUT_BINDING,
    STORE_PUT_CHECKPOINT,
    STORE_PUT_STATE,          /* fills in the end of struct store_state                    */
    STORE_DROP_STATE,         /* of state.binding on state.stream; in a commit whose binding is
                                 empty, so that no dead letter keeps it back               */
    STORE_PUT_SOURCE,         /* of a commit whose binding is empty                        */
    STORE_TAKE_BACKFILL,      /* all requests of the binding, which must not run; fills in
                                 taken                                                     */
    STORE_ADD_DEAD_LETTER,    /* fills in dead_letter.id                                   */
    STORE_DELETE_DEAD_LETTER, /* by dead_letter.id, after it was sent again: ok            */
    STORE_FAIL_DEAD_LETTER    /* the same: failed. The mark goes; error and last_ms are
                                 replaced, attempts are added                              */
};

struct store_source {
    tr_str name, updates; /* see store_source_get()                                       */
};

struct store_op {
    enum store_op_kind kind;
    union {
        struct store_source source;
        int64_t taken; /* requests; 0: there was none, nothing was done                    */
        struct store_binding binding;
        struct store_checkpoint checkpoint;
        struct store_state state;
        struct store_dead_letter dead_letter;
    };
};

enum store_status {
    STORE_PENDING = 0,
    STORE_DONE = 1, /* durable                                                             */
    STORE_FULL = 2, /* nothing of it was written: the binding's dead letters are at their
                       bound                                                               */
    STORE_LOST = 3  /* nothing of it was written: the store was closed while stalled       */
};

/* Storage of the caller, as all it points to, until done() was called. After FULL every commit
 * of that binding ends so until none of them is outstanding: a later checkpoint must not pass
 * the dead letter that found no room. */
struct store_commit {
    tr_str binding;
    struct store_op *ops;
    size_t ops_count;
    void (*done)(struct store_commit *commit);
    enum store_status status;

    struct list link; /* from here on the store's                                          */
    struct store_lane *lane;
};

/* Never fails and never waits. Commits become durable, and are called back, in this order. A
 * disk that is full or fails to write is waited for, for ever: see store_health(). When the
 * kernel lost writes (fsync failed), a lock is not let go or the store turns out damaged, the
 * process ends: EX_IOERR, EX_IOERR, EX_DATAERR. */
void store_commit_submit(struct store *store, struct store_commit *commit);

struct store_health {
    bool stalled;
    int64_t stalled_since_ms; /* monotonic                                                 */
    char error[256];          /* why                                                       */
    uint64_t commits, groups; /* done, and in how many transactions                        */
    struct histogram times;   /* of these transactions, each with its fsync                */
};
void store_health(struct store *store, struct store_health *ret_health);

/* Whether another process wrote (the cli marked, purged or asked) since the last time this said
 * so. Cheap and never waits: it tells what the look found that the call before it asked for. */
bool store_changed(struct store *store);

#endif
