/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A group of commits as one transaction. Called by commit.c, on the commit thread.
 *
 * Each commit has a savepoint in it, so that one that finds no room for its dead letters is
 * undone alone.
 */
#include "store/group.h"

#include "base/failpoint.h"

/* About 4 MB of log: rarely enough to be cheap, soon enough to be read fast at a start. */
enum { LOG_PAGES = 1000 };

static const char SQL_BEGIN[] = "BEGIN IMMEDIATE";
static const char SQL_COMMIT[] = "COMMIT";
static const char SQL_ROLLBACK[] = "ROLLBACK";
static const char SQL_SAVEPOINT[] = "SAVEPOINT one";
static const char SQL_RELEASE[] = "RELEASE one";
static const char SQL_UNDO[] = "ROLLBACK TO one";

static struct store_commit *commit_of(struct list *link)
{
    return list_entry(link, struct store_commit, link);
}

static int run_op(struct store *store, tr_str binding, struct store_op *op, bool *ret_full)
{
    struct sq *sq = &store->committer;

    switch (op->kind) {
    case STORE_PUT_BINDING: return binding_put(sq, binding, &op->binding);
    case STORE_PUT_CHECKPOINT: return checkpoint_put(sq, binding, &op->checkpoint);
    case STORE_PUT_STATE: return state_put(sq, binding, &op->state);
    case STORE_DROP_STATE:
        return state_drop(sq, op->state.binding, op->state.stream, (tr_str){0});
    case STORE_PUT_SOURCE: return source_put(sq, &op->source);
    case STORE_TAKE_BACKFILL: return backfill_take(sq, binding, &op->taken);
    case STORE_ADD_DEAD_LETTER:
        return dead_letter_add(sq, &store->limits, binding, &op->dead_letter, ret_full);
    case STORE_DELETE_DEAD_LETTER: return dead_letter_delete(sq, op->dead_letter.id);
    case STORE_FAIL_DEAD_LETTER: return dead_letter_fail(sq, &op->dead_letter);
    }
    return SQLITE_MISUSE;
}

/* Only a dead letter may find no room. A savepoint costs a copy of each page that is written
 * behind it, which is much for what plugins keep. */
static bool may_be_undone(const struct store_commit *commit)
{
    for (size_t i = 0; i < commit->ops_count; i++)
        if (commit->ops[i].kind == STORE_ADD_DEAD_LETTER)
            return true;
    return false;
}

static int run_commit(struct store *store, struct store_commit *commit)
{
    struct sq *sq = &store->committer;
    bool full = false, undoable = may_be_undone(commit);
    int rc = SQLITE_OK;

    if (commit->lane->full_now) {
        commit->status = STORE_FULL;
        return SQLITE_OK;
    }
    if (undoable)
        rc = sq_run(sq, SQL_SAVEPOINT, "");
    for (size_t i = 0; i < commit->ops_count && rc == SQLITE_OK && !full; i++)
        rc = run_op(store, commit->binding, &commit->ops[i], &full);
    if (rc == SQLITE_OK && full) {
        commit->lane->full_now = true;
        rc = sq_run(sq, SQL_UNDO, "");
    }
    if (rc == SQLITE_OK && undoable)
        rc = sq_run(sq, SQL_RELEASE, "");
    commit->status = full ? STORE_FULL : STORE_DONE;
    return rc;
}

static int run_all(struct store *store, struct list *group, uint64_t *ret_done)
{
    int rc = sq_run(&store->committer, SQL_BEGIN, "");

    FAILPOINT("store.commit.begun");
    list_each (it, group) {
        if (rc == SQLITE_OK)
            rc = run_commit(store, commit_of(it));
        if (rc == SQLITE_OK && commit_of(it)->status == STORE_DONE)
            (*ret_done)++;
    }
    FAILPOINT("store.commit.written");
    if (rc == SQLITE_OK)
        rc = sq_run(&store->committer, SQL_COMMIT, "");
    FAILPOINT("store.commit.durable");
    return rc;
}

int group_commit(struct store *store, struct list *group, uint64_t *ret_done)
{
    uint64_t done = 0;
    int rc;

    /* An attempt that failed may have found lanes full that are not any more. */
    list_each (it, group)
        commit_of(it)->lane->full_now = commit_of(it)->lane->full;
    rc = run_all(store, group, &done);
    if (rc != SQLITE_OK) {
        if (!sqlite3_get_autocommit(store->committer.handle))
            sq_run(&store->committer, SQL_ROLLBACK, "");
        return rc;
    }
    list_each (it, group)
        commit_of(it)->lane->full = commit_of(it)->lane->full_now;
    *ret_done = done;
    return SQLITE_OK;
}

int group_trim_log(struct store *store)
{
    int rc;

    if (store->log_pages < LOG_PAGES)
        return SQLITE_OK;
    rc = sqlite3_wal_checkpoint_v2(store->committer.handle, NULL, SQLITE_CHECKPOINT_PASSIVE,
                                   NULL, NULL);
    return rc == SQLITE_BUSY || rc == SQLITE_LOCKED ? SQLITE_OK : rc;
}
