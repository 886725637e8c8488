/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of the store share: a store in a directory of its own, and commits that are
 * waited for.
 */
#ifndef TEST_STORE_LIB_H
#define TEST_STORE_LIB_H

#include "base/mem.h"
#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

struct place {
    char dir[64];
    struct store *store;
    struct loop *loop;
    struct error error;
};

static inline void place_init(struct place *place)
{
    *place = (struct place){0};
    snprintf(place->dir, sizeof(place->dir), "/tmp/tailrace-test-XXXXXX");
    assert_non_null(mkdtemp(place->dir));
    assert_int_equal(loop_new(&place->loop, NULL), 0);
}

static inline void place_path(const struct place *place, const char *name, char path[128])
{
    snprintf(path, 128, "%s/%s", place->dir, name);
}

static inline void place_fini(struct place *place)
{
    static const char *const names[] = {"tailrace.db", "tailrace.db-wal", "tailrace.db-shm",
                                        "lock", "filler"};
    char path[128];

    store_close(place->store);
    loop_free(place->loop);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        place_path(place, names[i], path);
        unlink(path);
    }
    assert_int_equal(rmdir(place->dir), 0); /* nothing else was left in there */
}

static inline void place_open(struct place *place)
{
    if (store_open(place->dir, 0, &place->store, &place->error) < 0)
        fail_msg("%s", place->error.text);
}

static inline void place_start(struct place *place)
{
    place_open(place);
    assert_int_equal(store_start(place->store, place->loop, &place->error), 0);
}

static inline void place_close(struct place *place)
{
    store_close(place->store);
    place->store = NULL;
}

/* A commit of one or two operations that knows when it was called back. */
struct waited {
    struct store_commit commit;
    struct store_op ops[2];
    bool called;
};

static inline void waited_done(struct store_commit *commit)
{
    struct waited *waited = list_entry(commit, struct waited, commit);

    assert_false(waited->called);
    waited->called = true;
}

static inline void waited_submit(struct place *place, struct waited *waited, tr_str binding,
                                 size_t ops_count)
{
    waited->called = false;
    waited->commit = (struct store_commit){
        .binding = binding, .ops = waited->ops, .ops_count = ops_count, .done = waited_done};
    store_commit_submit(place->store, &waited->commit);
}

static inline enum store_status waited_wait(struct place *place, struct waited *waited)
{
    while (!waited->called)
        loop_turn(place->loop, 1000);
    return waited->commit.status;
}

static inline struct store_op op_checkpoint(tr_str stream, tr_str seq, int64_t ordinal)
{
    return (struct store_op){.kind = STORE_PUT_CHECKPOINT,
                             .checkpoint = {.stream = stream,
                                            .source = STR("main"),
                                            .db = STR("blog"),
                                            .incarnation = STR("1"),
                                            .seq = seq,
                                            .ordinal = ordinal,
                                            .updated_ms = 1000}};
}

static inline struct store_op op_dead_letter(tr_str doc_id, tr_str row)
{
    return (struct store_op){.kind = STORE_ADD_DEAD_LETTER,
                             .dead_letter = {.stream = STR("main/blog@1"),
                                             .source = STR("main"),
                                             .db = STR("blog"),
                                             .doc_id = doc_id,
                                             .revs = STR("[{\"rev\":\"1-a\"}]"),
                                             .seq = STR("\"1-x\""),
                                             .error = STR("400 Bad Request"),
                                             .attempts = 3,
                                             .first_ms = 100,
                                             .last_ms = 200,
                                             .row = row}};
}

/* One dead letter, durable; its id. */
static inline int64_t add_letter(struct place *place, tr_str binding, tr_str doc_id)
{
    struct waited waited = {.ops = {op_dead_letter(doc_id, STR("{\"id\":\"x\"}"))}};

    waited_submit(place, &waited, binding, 1);
    assert_int_equal(waited_wait(place, &waited), STORE_DONE);
    return waited.ops[0].dead_letter.id;
}

/* The ordinal of the checkpoint, or -1 when there is none. */
static inline int64_t ordinal_of(struct store *store, tr_str binding, tr_str stream)
{
    struct store_checkpoint checkpoint;
    struct arena arena;
    bool found = false;

    arena_init(&arena, 1024);
    assert_int_equal(
        store_checkpoint_get(store, binding, stream, &arena, &checkpoint, &found, NULL), 0);
    arena_fini(&arena);
    return found ? checkpoint.ordinal : -1;
}

#endif
