/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commits: the hand-over between the owner's thread and the commit thread, in both directions.
 *
 * All that is queued when the thread gets to it forms one transaction (group.c). It goes back
 * through a list and an eventfd on the loop: no task of ours can be left behind in a loop that
 * outlives the store.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "observe/log.h"
#include "store/group.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum { RETRY_BASE_MS = 250, RETRY_CAP_MS = 10000, LOCK_TRIES = 3 };

/* ---- the owner's thread ---- */

static struct store_lane *lane_of(struct store *store, tr_str binding)
{
    struct store_lane *lane = map_get(&store->lanes, binding);

    if (!lane) {
        lane = mem_new(struct store_lane);
        map_set(&store->lanes, binding, lane);
    }
    return lane;
}

void store_commit_submit(struct store *store, struct store_commit *commit)
{
    bool closing;

    commit->status = STORE_PENDING;
    commit->lane = lane_of(store, commit->binding);
    commit->lane->outstanding++;
    list_init(&commit->link);
    pthread_mutex_lock(&store->lock);
    closing = store->closing;
    if (closing)
        commit->status = STORE_LOST;
    list_push_back(closing ? &store->done : &store->queue, &commit->link);
    pthread_cond_signal(&store->wake);
    pthread_mutex_unlock(&store->lock);
}

static void call_back(struct store_commit *commit)
{
    struct store_lane *lane = commit->lane;

    if (--lane->outstanding == 0)
        lane->full = false;
    commit->done(commit); /* may free it, or submit it again */
}

/* Whatever callbacks submit is not waited for here, except when closing: then it is in `done`.
 */
static void deliver(struct store *store)
{
    struct list batch;
    struct list *link;

    list_init(&batch);
    pthread_mutex_lock(&store->lock);
    list_append(&batch, &store->done);
    pthread_mutex_unlock(&store->lock);
    while ((link = list_pop(&batch)) != NULL)
        call_back(list_entry(link, struct store_commit, link));
}

static void done_ready(struct watch *watch, uint32_t events)
{
    struct store *store = list_entry(watch, struct store, done_ready);
    uint64_t count;
    ssize_t n = read(watch->fd, &count, sizeof(count));

    (void)events;
    (void)n;
    deliver(store);
}

void store_health(struct store *store, struct store_health *ret_health)
{
    pthread_mutex_lock(&store->lock);
    *ret_health = store->health;
    pthread_mutex_unlock(&store->lock);
}

bool store_changed(struct store *store)
{
    bool changed;

    pthread_mutex_lock(&store->lock);
    changed = store->changed;
    store->changed = false;
    store->look = true;
    pthread_cond_signal(&store->wake);
    pthread_mutex_unlock(&store->lock);
    return changed;
}

/* ---- the commit thread ---- */

/* fsync failed: the kernel may have dropped what it could not write, and a second fsync would
 * say that all is well. Only the log on disk, read again from the start, tells what is there.
 */
static _Noreturn void die_of_fsync(struct store *store, int rc)
{
    struct error error;

    sq_error(&store->committer, rc, "commit", &error);
    log_error("fsync of the store failed, so what is on disk is unknown; ending, and the next "
              "start reads it again",
              LOG_C("error", error.text));
    _exit(EX_IOERR);
}

static _Noreturn void die_of_damage(struct store *store, int rc)
{
    struct error error;

    sq_error(&store->committer, rc, "commit", &error);
    log_error("the store is damaged; ending", LOG_C("error", error.text));
    _exit(EX_DATAERR);
}

/* SQLite has asked for a lock for ten seconds, again and again, and commands that write are
 * done sooner: this process holds what it believes to have let go. Only its end frees that. */
static _Noreturn void die_of_lock(struct store *store, int rc)
{
    struct error error;

    sq_error(&store->committer, rc, "commit", &error);
    log_error("a lock of the store is not let go; ending, and the next start takes it anew",
              LOG_C("error", error.text));
    _exit(EX_IOERR);
}

static void judge(struct store *store, int rc)
{
    if (rc == SQLITE_IOERR_FSYNC || rc == SQLITE_IOERR_DIR_FSYNC)
        die_of_fsync(store, rc);
    if ((rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB)
        die_of_damage(store, rc);
}

static void begin_stall(struct store *store, int rc)
{
    struct error error;
    bool first;

    sq_error(&store->committer, rc, "commit", &error);
    pthread_mutex_lock(&store->lock);
    first = !store->health.stalled;
    if (first)
        store->health.stalled_since_ms = clock_ms();
    store->health.stalled = true;
    sqlite3_snprintf(sizeof(store->health.error), store->health.error, "%s", error.text);
    pthread_mutex_unlock(&store->lock);
    if (first)
        log_error("the store is stalled; nothing is lost, commits are tried again until they "
                  "succeed",
                  LOG_C("error", error.text));
}

static void end_stall(struct store *store, uint64_t commits, int64_t took_ms)
{
    int64_t stalled_ms = -1;

    pthread_mutex_lock(&store->lock);
    if (store->health.stalled)
        stalled_ms = clock_ms() - store->health.stalled_since_ms;
    store->health.stalled = false;
    store->health.stalled_since_ms = 0;
    store->health.error[0] = '\0';
    store->health.commits += commits;
    store->health.groups++;
    histogram_add(&store->health.times, took_ms, 1);
    pthread_mutex_unlock(&store->lock);
    if (stalled_ms >= 0)
        log_notice("the store works again", LOG_I("stalled_ms", stalled_ms));
}

/* False: the store is being closed. */
static bool wait_to_retry(struct store *store, uint32_t attempt)
{
    int64_t due = clock_ms() + backoff_ms(attempt, RETRY_BASE_MS, RETRY_CAP_MS);
    struct timespec until = {.tv_sec = due / 1000, .tv_nsec = due % 1000 * 1000000};
    bool closing;

    pthread_mutex_lock(&store->lock);
    while (!store->closing &&
           pthread_cond_clockwait(&store->wake, &store->lock, CLOCK_MONOTONIC, &until) == 0)
        ;
    closing = store->closing;
    pthread_mutex_unlock(&store->lock);
    return !closing;
}

/* SQLite's hook tells the size of the log after a commit. */
static int note_log_pages(void *context, sqlite3 *handle, const char *name, int pages)
{
    struct store *store = context;

    (void)handle;
    (void)name;
    store->log_pages = pages;
    return SQLITE_OK;
}

static int open_committer(struct store *store, struct sq *ret_sq, struct error *error)
{
    int rc = sq_open(ret_sq, store->own.path, SQLITE_OPEN_READWRITE, error);

    if (rc < 0)
        return rc;
    /* It alone writes while the daemon runs, so the pages that it keeps stay true. */
    sq_exec(ret_sq, "PRAGMA cache_size=-16000");
    sqlite3_wal_hook(ret_sq->handle, note_log_pages, store);
    return 0;
}

/* SQLite that could not open a file for writing, be it for want of a descriptor in that moment,
 * opens it for reading, and never comes back to it. What others wrote meanwhile is looked for.
 */
static void open_again(struct store *store)
{
    struct sq fresh;

    if (open_committer(store, &fresh, NULL) < 0)
        return;
    sq_close(&store->committer);
    store->committer = fresh;
    store->data_version = -1;
}

static void lose(struct list *group)
{
    list_each (it, group)
        list_entry(it, struct store_commit, link)->status = STORE_LOST;
}

static void commit_group(struct store *store, struct list *group)
{
    bool last_try = false;

    for (uint32_t attempt = 0;; attempt++) {
        uint64_t commits = 0;
        int64_t began_ms = clock_ms();
        int rc = group_commit(store, group, &commits);
        if (rc == SQLITE_OK) {
            end_stall(store, commits, clock_ms() - began_ms);
            return;
        }
        judge(store, rc);
        if (rc == SQLITE_PROTOCOL && (last_try || attempt + 1 >= LOCK_TRIES))
            die_of_lock(store, rc);
        begin_stall(store, rc);
        if (last_try)
            break;
        last_try = !wait_to_retry(store, attempt);
        if ((rc & 0xff) == SQLITE_READONLY)
            open_again(store);
    }
    log_error("closing a stalled store; what it could not write is done again after the next "
              "start");
    lose(group);
}

static void look_for_changes(struct store *store)
{
    int64_t version = 0;

    /* Only what others wrote counts; this fails only where the next commit will too. */
    if (sq_number(&store->committer, "PRAGMA data_version", &version) != SQLITE_OK ||
        version == store->data_version)
        return;
    store->data_version = version;
    pthread_mutex_lock(&store->lock);
    store->changed = true;
    pthread_mutex_unlock(&store->lock);
}

static void hand_back(struct store *store, struct list *group)
{
    uint64_t one = 1;
    ssize_t n;

    pthread_mutex_lock(&store->lock);
    list_append(&store->done, group);
    pthread_mutex_unlock(&store->lock);
    n = write(store->done_ready.fd, &one, sizeof(one));
    (void)n;
}

/* Waits for work. False: closing, and nothing is left to do. */
static bool take_work(struct store *store, struct list *group, bool *ret_look)
{
    bool closing;

    pthread_mutex_lock(&store->lock);
    while (list_empty(&store->queue) && !store->look && !store->closing && !store->sweeping)
        pthread_cond_wait(&store->wake, &store->lock);
    list_append(group, &store->queue);
    closing = store->closing;
    *ret_look = store->look;
    store->look = false;
    pthread_mutex_unlock(&store->lock);
    return *ret_look || !list_empty(group) || !closing;
}

/* Between groups; what fails here fails at the next commit too, which says so. */
static void sweep(struct store *store)
{
    int rc = state_sweep(&store->committer, &store->sweeping);

    if (rc == SQLITE_OK)
        return;
    judge(store, rc);
    store->sweeping = false;
}

static bool drops(const struct list *group)
{
    list_each (it, group) {
        const struct store_commit *commit = list_entry(it, struct store_commit, link);
        for (size_t i = 0; i < commit->ops_count; i++)
            if (commit->ops[i].kind == STORE_DROP_STATE ||
                commit->ops[i].kind == STORE_TAKE_BACKFILL)
                return true;
    }
    return false;
}

static void trim_log(struct store *store)
{
    int rc = group_trim_log(store);

    if (rc != SQLITE_OK)
        judge(store, rc);
}

static void *run(void *argument)
{
    struct store *store = argument;
    struct list group;
    bool look;

    list_init(&group);
    store->sweeping = true; /* a process before this one may have left some                */
    while (take_work(store, &group, &look)) {
        if (look)
            look_for_changes(store);
        if (!list_empty(&group)) {
            commit_group(store, &group);
            store->sweeping |= drops(&group);
            hand_back(store, &group);
            trim_log(store);
        }
        if (store->sweeping) {
            sweep(store);
            trim_log(store);
        }
    }
    return NULL;
}

/* ---- beginning and end ---- */

/* Signals are for the loop thread. */
static int start_thread(struct store *store)
{
    sigset_t all, old;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(&store->thread, NULL, run, store);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc;
}

static void stop_watching(struct store *store)
{
    loop_unwatch(store->loop, &store->done_ready);
    close(store->done_ready.fd);
    store->done_ready.fd = -1;
}

int store_start(struct store *store, struct loop *loop, struct error *error)
{
    int fd, rc;

    rc = open_committer(store, &store->committer, error);
    if (rc < 0)
        return rc;
    /* What is found now is seen by whoever starts with reading. */
    rc = sq_number(&store->committer, "PRAGMA data_version", &store->data_version);
    if (rc != SQLITE_OK) {
        rc = sq_error(&store->committer, rc, "start the store", error);
        goto fail;
    }
    fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) {
        rc = error_set(error, ERR_OS, "eventfd: %s; raise the limit of open files",
                       strerror(errno));
        goto fail;
    }
    store->loop = loop;
    store->done_ready = (struct watch){.fd = fd, .ready = done_ready};
    rc = loop_watch(loop, &store->done_ready, EPOLLIN, error);
    if (rc < 0)
        goto fail_fd;
    rc = start_thread(store);
    if (rc != 0) {
        rc = error_set(error, ERR_OS, "the store's thread cannot start: %s", strerror(rc));
        goto fail_fd;
    }
    store->started = true;
    return 0;
fail_fd:
    stop_watching(store);
fail:
    sq_close(&store->committer);
    return rc;
}

static void call_back_all(struct store *store)
{
    bool more;

    do {
        deliver(store);
        pthread_mutex_lock(&store->lock);
        more = !list_empty(&store->done);
        pthread_mutex_unlock(&store->lock);
    } while (more);
}

void commit_stop(struct store *store)
{
    pthread_mutex_lock(&store->lock);
    store->closing = true;
    if (!store->started) {
        lose(&store->queue);
        list_append(&store->done, &store->queue);
    }
    pthread_cond_signal(&store->wake);
    pthread_mutex_unlock(&store->lock);
    if (store->started) {
        pthread_join(store->thread, NULL);
        store->started = false;
        stop_watching(store);
        sq_close(&store->committer);
    }
    call_back_all(store);
}
