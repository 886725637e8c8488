/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Buckets of records in one file. Main thread.
 *
 * A record is a head and the id behind it. The records of a bucket are one run of bytes, of
 * which whole blocks lie in the file, at places that the bucket knows, and the rest in memory.
 */
#include "cli/verify_spool.h"

#include "base/map.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { BLOCK = 16 << 10, ROUND_MAX = 63 };

struct record {
    uint64_t leaves;
    uint32_t id_len;
    uint8_t end, deleted, round, unused;
};

struct bucket {
    struct buf tail; /* less than a block                                                  */
    uint32_t *blocks;
    size_t count, room;
};

struct spool {
    int fd;          /* -1: not made yet                                                   */
    uint32_t blocks; /* that lie in it                                                     */
    struct bucket buckets[SPOOL_BUCKETS];
};

struct spool *spool_new(void)
{
    struct spool *spool = mem_new(struct spool);

    spool->fd = -1;
    return spool;
}

void spool_free(struct spool *spool)
{
    if (!spool)
        return;
    for (int i = 0; i < SPOOL_BUCKETS; i++) {
        buf_fini(&spool->buckets[i].tail);
        free(spool->buckets[i].blocks);
    }
    if (spool->fd >= 0)
        close(spool->fd);
    free(spool);
}

/* ---- the file ---- */

static const char *folder(void)
{
    const char *dir = getenv("TMPDIR");

    /* Not /tmp, which may lie in memory. */
    return dir && *dir ? dir : "/var/tmp";
}

static int open_file(struct spool *spool, struct error *error)
{
    struct buf path = {0};

    if (spool->fd >= 0)
        return 0;
    buf_addf(&path, "%s/tailrace-verify-XXXXXX", folder());
    spool->fd = mkostemp(path.ptr, O_CLOEXEC);
    if (spool->fd >= 0)
        unlink(path.ptr);
    buf_fini(&path);
    if (spool->fd >= 0)
        return 0;
    return error_set(error, ERR_CANTCREAT,
                     "no file can be made in %s: %s; name another folder by TMPDIR", folder(),
                     strerror(errno));
}

static int write_block(struct spool *spool, const char *block, struct error *error)
{
    off_t at = (off_t)spool->blocks * BLOCK;
    size_t done = 0;

    while (done < BLOCK) {
        ssize_t n = pwrite(spool->fd, block + done, BLOCK - done, at + (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return error_set(error, ERR_IO,
                             "%s: %s; name a folder with more room by TMPDIR, 100 bytes a "
                             "document are plenty",
                             folder(), strerror(errno));
        done += (size_t)n;
    }
    return 0;
}

static int read_block(const struct spool *spool, uint32_t block, char *to, struct error *error)
{
    off_t at = (off_t)block * BLOCK;
    size_t done = 0;

    while (done < BLOCK) {
        ssize_t n = pread(spool->fd, to + done, BLOCK - done, at + (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return error_set(error, ERR_IO, "%s: what was written there cannot be read: %s",
                             folder(), n < 0 ? strerror(errno) : "it is shorter");
        done += (size_t)n;
    }
    return 0;
}

/* ---- adding ---- */

/* Its first block goes to the file. */
static int flush_block(struct spool *spool, struct bucket *bucket, struct error *error)
{
    int rc = open_file(spool, error);

    if (rc == 0)
        rc = write_block(spool, bucket->tail.ptr, error);
    if (rc < 0)
        return rc;
    if (bucket->count == bucket->room) {
        bucket->room = bucket->room ? bucket->room * 2 : 16;
        bucket->blocks = mem_resize(bucket->blocks, bucket->room * sizeof(*bucket->blocks));
    }
    bucket->blocks[bucket->count++] = spool->blocks++;
    bucket->tail.len -= BLOCK;
    memmove(bucket->tail.ptr, bucket->tail.ptr + BLOCK, bucket->tail.len);
    return 0;
}

int spool_add(struct spool *spool, int end, tr_str id, bool deleted, uint64_t leaves,
              unsigned round, struct error *error)
{
    uint64_t hash = hash_stable(id.ptr, id.len);
    struct bucket *bucket = &spool->buckets[(hash ^ hash >> 32) % SPOOL_BUCKETS];
    struct record record = {
        .leaves = leaves,
        .id_len = (uint32_t)id.len,
        .end = (uint8_t)end,
        .deleted = deleted,
        .round = (uint8_t)(round < ROUND_MAX ? round : ROUND_MAX),
    };
    int rc = 0;

    buf_add(&bucket->tail, &record, sizeof(record));
    buf_add_str(&bucket->tail, id);
    while (rc == 0 && bucket->tail.len >= BLOCK)
        rc = flush_block(spool, bucket, error);
    return rc;
}

/* ---- joining ---- */

static int load(const struct spool *spool, const struct bucket *bucket, struct buf *out,
                struct error *error)
{
    char *to = buf_reserve(out, bucket->count * BLOCK + bucket->tail.len);
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < bucket->count; i++)
        rc = read_block(spool, bucket->blocks[i], to + i * BLOCK, error);
    out->len = bucket->count * BLOCK;
    buf_add_str(out, buf_str(&bucket->tail));
    return rc;
}

static void join(struct map *entries, struct arena *arena, tr_str records)
{
    while (records.len > 0) {
        struct spool_entry *entry;
        struct record record;
        tr_str id;

        memcpy(&record, records.ptr, sizeof(record));
        id = str_n(records.ptr + sizeof(record), record.id_len);
        records = str_from(records, sizeof(record) + record.id_len);
        entry = map_get(entries, id);
        if (!entry) {
            entry = arena_zero(arena, sizeof(*entry));
            entry->id = id;
            map_set(entries, id, entry);
        }
        entry->at[record.end] = (struct spool_stand){true, record.deleted, record.leaves};
        if (record.round > entry->round)
            entry->round = record.round;
    }
}

int spool_each(struct spool *spool, unsigned bucket,
               void (*each)(void *ctx, const struct spool_entry *entry), void *ctx,
               struct error *error)
{
    struct map entries = {0};
    struct buf records = {0};
    struct arena arena;
    size_t cursor = 0;
    void *value;
    tr_str key;
    int rc = load(spool, &spool->buckets[bucket], &records, error);

    arena_init(&arena, 64 << 10);
    if (rc == 0)
        join(&entries, &arena, buf_str(&records));
    while (rc == 0 && map_next(&entries, &cursor, &key, &value))
        each(ctx, value);
    map_fini(&entries);
    arena_fini(&arena);
    buf_fini(&records);
    return rc;
}
