/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store of which any bytes have turned, or the end is gone: it is refused and left as it is,
 * or it says of every checkpoint what was put there, or that it cannot; never that there is
 * none.
 *
 * The input: three bytes a turn, where (two) and by what; the first two say how long the store
 * is.
 */
#include "base/file.h"
#include "fuzz.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { CHECKPOINTS = 20 };

static char dir[64], path[96];
static struct buf whole;

static void remove_others(void)
{
    static const char *const names[] = {"tailrace.db-wal", "tailrace.db-shm", "lock"};
    char name[128];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(name, sizeof(name), "%s/%s", dir, names[i]);
        (void)unlink(name);
    }
}

static void remove_all(void)
{
    remove_others();
    (void)unlink(path);
    (void)rmdir(dir);
}

static tr_str stream_of(int i, char text[32])
{
    snprintf(text, 32, "main/user-%d@1", i);
    return str_c(text);
}

static void make_whole(void)
{
    struct store *store;

    snprintf(dir, sizeof(dir), "%s/tailrace-fuzz-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    MUST(mkdtemp(dir));
    atexit(remove_all);
    snprintf(path, sizeof(path), "%s/tailrace.db", dir);
    MUST(store_open(dir, 0, &store, NULL) == 0);
    for (int i = 0; i < CHECKPOINTS; i++) {
        char text[32];
        const struct store_checkpoint checkpoint = {.binding = STR("rule"),
                                                    .stream = stream_of(i, text),
                                                    .source = STR("main"),
                                                    .db = STR("user"),
                                                    .incarnation = STR("1"),
                                                    .seq = STR("\"12-g1AAAACheJzLYWBg\""),
                                                    .ordinal = i + 1};
        MUST(store_checkpoint_set(store, &checkpoint, NULL) == 0);
    }
    store_close(store);
    MUST(file_read(path, 1 << 20, 0, &whole, NULL) == 0);
}

static void write_file(const char *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    MUST(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
    close(fd);
}

static void must_be_as_it_was(const char *bytes, size_t len)
{
    struct buf now = {0};

    MUST(file_read(path, 1 << 20, 0, &now, NULL) == 0);
    MUST(now.len == len && (len == 0 || memcmp(now.ptr, bytes, len) == 0));
    buf_fini(&now);
}

static bool count(void *context, const struct store_checkpoint *checkpoint)
{
    MUST(str_eq(checkpoint->seq, STR("\"12-g1AAAACheJzLYWBg\"")));
    ++*(int *)context;
    return true;
}

static void read_all(struct store *store)
{
    int seen = 0, rc = store_checkpoint_each(store, STR("rule"), count, &seen, NULL);
    struct arena arena;

    MUST(rc < 0 || seen == CHECKPOINTS);
    arena_init(&arena, 1024);
    for (int i = 0; i < CHECKPOINTS; i++) {
        struct store_checkpoint checkpoint;
        char text[32];
        bool found;

        if (store_checkpoint_get(store, STR("rule"), stream_of(i, text), &arena, &checkpoint,
                                 &found, NULL) < 0)
            continue;
        MUST(found);
        MUST(checkpoint.ordinal == i + 1);
    }
    arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = {0};
    struct store *store;
    size_t len;
    char *bytes;
    int rc;

    if (!whole.ptr)
        make_whole();
    if (size < 2)
        return 0;
    len = (size_t)(data[0] << 8 | data[1]);
    if (len == 0 || len > whole.len)
        len = whole.len;
    bytes = malloc(len);
    MUST(bytes);
    memcpy(bytes, whole.ptr, len);
    for (size_t at = 2; at + 3 <= size; at += 3)
        bytes[(size_t)(data[at] << 8 | data[at + 1]) % len] ^= (char)data[at + 2];
    remove_others();
    write_file(bytes, len);
    rc = store_open(dir, 0, &store, &error);
    if (rc < 0) {
        MUST(rc == ERR_DATA && error.text[0]);
        must_be_as_it_was(bytes, len);
    } else {
        read_all(store);
        store_close(store);
    }
    free(bytes);
    return 0;
}
