/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening and closing a store. The owner's thread.
 *
 * A store is made beside its place and renamed into it when it is whole, so a file that is
 * there and empty or without tables is damage and never "a new store".
 */
#include "base/mem.h"
#include "store/internal.h"
#include "store/schema.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

static void make_path(char path[PATH_BYTES], const char *dir, const char *name)
{
    snprintf(path, PATH_BYTES, "%s/%s", dir, name);
}

static int sync_path(const char *path, int flags, struct error *error)
{
    int fd = open(path, flags | O_RDONLY | O_CLOEXEC);
    int rc = 0;

    if (fd < 0 || fsync(fd) < 0)
        rc = error_set(error, ERR_IO, "%s cannot be synced: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return rc;
}

/* ---- a new store ---- */

static int remove_leftovers(const char *dir, struct error *error)
{
    static const char *const names[] = {"tailrace.db.new", "tailrace.db.new-journal",
                                        "tailrace.db.new-wal", "tailrace.db.new-shm"};
    char path[PATH_BYTES];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        make_path(path, dir, names[i]);
        if (unlink(path) < 0 && errno != ENOENT)
            return error_set(error, ERR_CANTCREAT, "%s cannot be removed: %s", path,
                             strerror(errno));
    }
    return 0;
}

static int fill_new(const char *path, struct error *error)
{
    char mark[64];
    struct sq sq;
    int rc, sqlite_rc;

    rc = sq_open(&sq, path, SQLITE_OPEN_READWRITE, error);
    if (rc < 0)
        return rc;
    snprintf(mark, sizeof(mark), "PRAGMA application_id=%d", SCHEMA_APPLICATION_ID);
    sqlite_rc = sq_exec(&sq, mark);
    if (sqlite_rc != SQLITE_OK)
        rc = sq_error(&sq, sqlite_rc, "make the store", error);
    else
        rc = schema_migrate(&sq, schema_steps, schema_steps_count, error);
    sq_close(&sq);
    return rc;
}

static int create(const char *dir, const char *path, struct error *error)
{
    char fresh[PATH_BYTES];
    int fd, rc = remove_leftovers(dir, error);

    if (rc < 0)
        return rc;
    make_path(fresh, dir, "tailrace.db.new");
    /* SQLite gives the -wal and -shm files the mode of the database. */
    fd = open(fresh, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return error_set(error, ERR_CANTCREAT, "%s cannot be made: %s", fresh, strerror(errno));
    close(fd);
    rc = fill_new(fresh, error);
    if (rc == 0)
        rc = sync_path(fresh, 0, error);
    if (rc == 0 && rename(fresh, path) < 0)
        rc = error_set(error, ERR_CANTCREAT, "%s cannot be put in place: %s", path,
                       strerror(errno));
    if (rc == 0)
        rc = sync_path(dir, O_DIRECTORY, error);
    return rc;
}

/* ---- one that is there ---- */

/* What can be told before SQLite touches it: it would take an empty file for a new database. */
static int judge_file(const char *path, int access_mode, bool *ret_absent, struct error *error)
{
    struct stat st;

    if (lstat(path, &st) < 0) {
        if (errno != ENOENT)
            return error_set(error, errno == EACCES ? ERR_NOPERM : ERR_IO,
                             "%s cannot be opened: %s", path, strerror(errno));
        *ret_absent = true;
        return 0;
    }
    *ret_absent = false;
    if (!S_ISREG(st.st_mode))
        return error_set(error, ERR_DATA, "%s is not a regular file", path);
    if (st.st_size == 0)
        return sq_damaged(path, "it is empty", error);
    if (access(path, access_mode) < 0)
        return error_set(error, ERR_NOPERM,
                         "%s cannot be used: %s; run as the user that tailrace runs as", path,
                         strerror(errno));
    return 0;
}

/* A database that went away leaves its log behind: what is in there was promised to last. */
static int judge_absence(const char *path, struct error *error)
{
    char wal[PATH_BYTES + 8];
    struct stat st;

    snprintf(wal, sizeof(wal), "%s-wal", path);
    if (lstat(wal, &st) == 0)
        return sq_damaged(path, "the file is gone and its -wal is still there", error);
    return 0;
}

/* SQLite reads a last page that is cut as if zeros followed. A crash while the log was merged
 * may have cut it, but then the log is still there and has that page. */
static int judge_length(const char *path, struct error *error)
{
    unsigned char head[18] = {0};
    char wal[PATH_BYTES + 8];
    struct stat st, log = {.st_size = 0};
    off_t page_size;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool is_read = fd >= 0 && fstat(fd, &st) == 0 && read(fd, head, sizeof(head)) > 0;

    if (fd >= 0)
        close(fd);
    if (!is_read)
        return error_set(error, ERR_IO, "%s cannot be read: %s", path, strerror(errno));
    snprintf(wal, sizeof(wal), "%s-wal", path);
    (void)lstat(wal, &log);
    page_size = head[16] << 8 | head[17];
    if (page_size == 1) /* stands for 65,536, which 16 bits cannot */
        page_size = 1 << 16;
    if (page_size > 0 && st.st_size % page_size != 0 && log.st_size == 0)
        return sq_damaged(path, "its end was cut off", error);
    return 0;
}

static int open_shared(struct store *store, const char *path, struct error *error)
{
    int flags = store->flags & STORE_READ_ONLY ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    int rc = sq_open(&store->own, path, flags, error);

    if (rc == 0)
        rc = schema_probe(&store->own, false, error);
    if (rc == 0)
        rc = schema_check_version(&store->own, error);
    return rc;
}

static int open_alone(struct store *store, const char *path, struct error *error)
{
    int sqlite_rc, rc = sq_open(&store->own, path, SQLITE_OPEN_READWRITE, error);

    if (rc == 0)
        rc = schema_probe(&store->own, true, error);
    if (rc < 0)
        return rc;
    sqlite_rc = sq_exec(&store->own, "PRAGMA journal_mode=WAL");
    if (sqlite_rc != SQLITE_OK)
        return sq_error(&store->own, sqlite_rc, "switch the store to its write-ahead log",
                        error);
    rc = schema_migrate(&store->own, schema_steps, schema_steps_count, error);
    if (rc == 0)
        rc = checkpoint_verify_all(&store->own, error);
    if (rc == 0)
        rc = backfill_verify_all(&store->own, error);
    if (rc == 0)
        rc = state_verify_all(&store->own, error);
    return rc;
}

/* ---- the whole ---- */

static int open_files(struct store *store, struct error *error)
{
    bool shared = store->flags & (STORE_READ_ONLY | STORE_BESIDE), absent = false;
    char path[PATH_BYTES];
    int rc;

    if (strlen(store->dir) + sizeof("/tailrace.db.new-journal") > PATH_BYTES)
        return error_set(error, ERR_CONFIG, "state_dir is too long a path");
    if (!shared) {
        if (mkdir(store->dir, 0700) < 0 && errno != EEXIST)
            return error_set(error, ERR_CANTCREAT, "%s cannot be made: %s", store->dir,
                             strerror(errno));
        rc = store_lock_dir(store->dir, &store->lock_fd, error);
        if (rc < 0)
            return rc;
    }
    make_path(path, store->dir, "tailrace.db");
    rc = judge_file(path, store->flags & STORE_READ_ONLY ? R_OK : R_OK | W_OK, &absent, error);
    if (rc == 0 && absent)
        rc = judge_absence(path, error);
    else if (rc == 0 && !shared)
        rc = judge_length(path, error);
    if (rc < 0)
        return rc;
    if (absent && shared)
        return error_set(error, ERR_NOINPUT,
                         "there is no store in %s; check state_dir, or start the daemon first",
                         store->dir);
    if (absent)
        rc = create(store->dir, path, error);
    if (rc == 0)
        rc = shared ? open_shared(store, path, error) : open_alone(store, path, error);
    return rc;
}

int store_open(const char *dir, unsigned flags, struct store **ret_store, struct error *error)
{
    struct store *store = mem_new(struct store);
    int rc;

    store->dir = str_dup(str_c(dir));
    store->flags = flags;
    store->lock_fd = -1;
    store->done_ready.fd = -1;
    pthread_mutex_init(&store->readers_lock, NULL);
    pthread_mutex_init(&store->lock, NULL);
    pthread_cond_init(&store->wake, NULL);
    list_init(&store->queue);
    list_init(&store->done);
    rc = open_files(store, error);
    if (rc < 0)
        store_close(store);
    else
        *ret_store = store;
    return rc;
}

static void free_lanes(struct map *lanes)
{
    size_t cursor = 0;
    void *lane;

    while (map_next(lanes, &cursor, NULL, &lane))
        free(lane);
    map_fini(lanes);
}

void store_close(struct store *store)
{
    if (!store)
        return;
    commit_stop(store);
    readers_close(store);
    sq_close(&store->own);
    free_lanes(&store->lanes);
    pthread_cond_destroy(&store->wake);
    pthread_mutex_destroy(&store->lock);
    pthread_mutex_destroy(&store->readers_lock);
    /* Last: from here on another may open it. */
    if (store->lock_fd >= 0)
        close(store->lock_fd);
    free(store->dir);
    free(store);
}

void store_set_limits(struct store *store, const struct store_limits *limits)
{
    store->limits = *limits;
}
