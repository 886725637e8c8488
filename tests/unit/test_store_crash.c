/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a crash or a bad disk leaves behind: after a kill at any moment all that was
 * acknowledged is there, whole; a store that was cut or in which bits turned is refused, never
 * begun anew.
 */
#include "test_store_lib.h"

#include "base/file.h"
#include "base/random.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#define BINDING STR("calc-stats")
#define STREAM  STR("main/blog@1")

/* ---- kill -9 ---- */

enum { KILLS = 20, IN_FLIGHT = 8 };

struct numbered {
    struct waited waited;
    struct place *place;
    int64_t *next, number;
    char name[32];
    int report_fd;
};

static void numbered_submit(struct numbered *numbered);

static void numbered_done(struct store_commit *commit)
{
    struct waited *waited = list_entry(commit, struct waited, commit);
    struct numbered *numbered = list_entry(waited, struct numbered, waited);

    if (commit->status != STORE_DONE ||
        write(numbered->report_fd, &numbered->number, sizeof(numbered->number)) < 0)
        _exit(1);
    numbered_submit(numbered);
}

/* Number n is a dead letter and the checkpoint that covers it. */
static void numbered_submit(struct numbered *numbered)
{
    numbered->number = ++*numbered->next;
    snprintf(numbered->name, sizeof(numbered->name), "doc-%lld", (long long)numbered->number);
    numbered->waited.ops[0] = op_dead_letter(str_c(numbered->name), STR("{\"id\":1}"));
    numbered->waited.ops[1] = op_checkpoint(STREAM, STR("1"), numbered->number);
    numbered->waited.commit = (struct store_commit){
        .binding = BINDING, .ops = numbered->waited.ops, .ops_count = 2, .done = numbered_done};
    store_commit_submit(numbered->place->store, &numbered->waited.commit);
}

static _Noreturn void commit_until_killed(struct place *place, int report_fd)
{
    struct numbered all[IN_FLIGHT];
    int64_t next;

    place_start(place);
    next = ordinal_of(place->store, BINDING, STREAM);
    if (next < 0)
        next = 0;
    for (int i = 0; i < IN_FLIGHT; i++) {
        all[i] = (struct numbered){.place = place, .next = &next, .report_fd = report_fd};
        numbered_submit(&all[i]);
    }
    for (;;)
        loop_turn(place->loop, 1000);
}

/* The greatest number that was acknowledged before the end. */
static int64_t run_and_kill(struct place *place)
{
    uint64_t acks_wanted = random_below(100);
    int64_t number, greatest = 0;
    int fds[2], status;
    pid_t pid;

    assert_int_equal(pipe(fds), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(fds[0]);
        commit_until_killed(place, fds[1]);
    }
    close(fds[1]);
    while (read(fds[0], &number, sizeof(number)) == (ssize_t)sizeof(number)) {
        if (number > greatest)
            greatest = number;
        if (acks_wanted-- == 0) {
            usleep((useconds_t)random_below(3000));
            kill(pid, SIGKILL);
        }
    }
    close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    return greatest;
}

static bool expect_next(void *context, const struct store_dead_letter *letter)
{
    int64_t *number = context;
    char name[32];

    snprintf(name, sizeof(name), "doc-%lld", (long long)++*number);
    assert_true(str_eq(letter->doc_id, str_c(name)));
    return true;
}

static void what_was_acknowledged_survives_a_kill(void **state)
{
    struct store_filter all = {0};
    struct place place;

    (void)state;
    place_init(&place);
    for (int i = 0; i < KILLS; i++) {
        int64_t acknowledged = run_and_kill(&place), ordinal, letters = 0;
        place_open(&place);
        ordinal = ordinal_of(place.store, BINDING, STREAM);
        assert_true(ordinal >= acknowledged);
        assert_int_equal(store_dead_letter_each(place.store, &all, expect_next, &letters, NULL),
                         0);
        assert_int_equal(letters, ordinal); /* each checkpoint came with its letter */
        place_close(&place);
    }
    place_fini(&place);
}

/* ---- damage ---- */

enum { CHECKPOINTS = 150 };

static void put_bytes(const struct place *place, const char *name, const struct buf *bytes,
                      size_t len)
{
    char path[128];
    int fd;

    place_path(place, name, path);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes->ptr, len), (ssize_t)len);
    close(fd);
}

static void get_bytes(const struct place *place, const char *name, struct buf *ret_bytes)
{
    char path[128];

    place_path(place, name, path);
    assert_int_equal(file_read(path, 1 << 26, 0, ret_bytes, NULL), 0);
}

static void remove_log(const struct place *place)
{
    char path[128];

    place_path(place, "tailrace.db-wal", path);
    unlink(path);
    place_path(place, "tailrace.db-shm", path);
    unlink(path);
}

/* CHECKPOINTS of them with ordinals from 1 and 30 dead letters; the log is merged or kept. */
static void fill(struct place *place)
{
    struct waited waited;
    char stream[32];

    place_start(place);
    for (int i = 0; i < CHECKPOINTS; i++) {
        snprintf(stream, sizeof(stream), "main/user-%d@1", i);
        waited.ops[0] = op_checkpoint(str_c(stream), STR("\"12-g1AAAACheJzLYWBg\""), i + 1);
        waited_submit(place, &waited, BINDING, 1);
        assert_int_equal(waited_wait(place, &waited), STORE_DONE);
    }
    for (int i = 0; i < 30; i++)
        add_letter(place, BINDING, STR("doc"));
}

static bool add_ordinal(void *context, const struct store_checkpoint *checkpoint)
{
    int64_t *sum = context;

    assert_true(str_eq(checkpoint->seq, STR("\"12-g1AAAACheJzLYWBg\"")));
    *sum += checkpoint->ordinal;
    return true;
}

/* Opens what is there. True: refused, with ERR_DATA, advice, and the file as it was. */
static bool is_refused(struct place *place, const struct buf *bytes, size_t len)
{
    struct buf after = {0};
    struct error error = {0};
    int rc = store_open(place->dir, 0, &place->store, &error);

    if (rc == 0)
        return false;
    assert_int_equal(rc, ERR_DATA);
    assert_true(strstr(error.text, "start anew") || strstr(error.text, "newer"));
    get_bytes(place, "tailrace.db", &after);
    assert_int_equal(after.len, len);
    assert_memory_equal(after.ptr, bytes->ptr, len);
    buf_fini(&after);
    return true;
}

static void assert_nothing_is_missing(struct place *place)
{
    int64_t sum = 0;

    assert_int_equal(
        store_checkpoint_each(place->store, STR(""), add_ordinal, &sum, &place->error), 0);
    assert_int_equal(sum, CHECKPOINTS * (CHECKPOINTS + 1) / 2);
    for (int i = 0; i < CHECKPOINTS; i++) {
        char stream[32];
        snprintf(stream, sizeof(stream), "main/user-%d@1", i);
        assert_int_equal(ordinal_of(place->store, BINDING, str_c(stream)), i + 1);
    }
}

/* Each of the first, some of the others, and the last: all but one byte. */
static size_t next_cut(size_t at, size_t len)
{
    size_t next = at + (at < 128 ? 1 : 499);

    return next >= len && at < len - 1 ? len - 1 : next;
}

static void a_store_that_was_cut_is_refused(void **state)
{
    struct buf whole = {0};
    struct place place;

    (void)state;
    place_init(&place);
    fill(&place);
    place_close(&place);
    get_bytes(&place, "tailrace.db", &whole);
    for (size_t len = 0; len < whole.len; len = next_cut(len, whole.len)) {
        put_bytes(&place, "tailrace.db", &whole, len);
        if (!is_refused(&place, &whole, len))
            fail_msg("a store cut from %zu to %zu bytes was opened", whole.len, len);
        remove_log(&place);
    }
    place_fini(&place);
    buf_fini(&whole);
}

/* Some bytes do not matter; those that do are noticed. */
static void flip_and_open(struct place *place, struct buf *whole, size_t at, unsigned char bits)
{
    whole->ptr[at] = (char)((unsigned char)whole->ptr[at] ^ bits);
    put_bytes(place, "tailrace.db", whole, whole->len);
    if (!is_refused(place, whole, whole->len)) {
        assert_nothing_is_missing(place);
        place_close(place);
    }
    whole->ptr[at] = (char)((unsigned char)whole->ptr[at] ^ bits);
    remove_log(place);
}

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void a_turned_bit_never_loses_a_checkpoint(void **state)
{
    const char *given = getenv("TAILRACE_TEST_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : random_u64() | 1;
    struct buf whole = {0};
    struct place place;

    (void)state;
    place_init(&place);
    fill(&place);
    place_close(&place);
    get_bytes(&place, "tailrace.db", &whole);
    for (size_t at = 0; at < 100; at++) {
        flip_and_open(&place, &whole, at, 0x01);
        flip_and_open(&place, &whole, at, 0xff);
    }
    print_message("TAILRACE_TEST_SEED=%llu\n", (unsigned long long)seed);
    for (int i = 0; i < 400; i++) {
        size_t at = next_random(&seed) % whole.len;
        unsigned char bits = (unsigned char)(1u << next_random(&seed) % 8);
        flip_and_open(&place, &whole, at, bits);
    }
    place_fini(&place);
    buf_fini(&whole);
}

/* The tail of a log that was cut was never promised, or is lost with what it covered: an older
 * state, but a whole one. */
static void a_cut_log_gives_an_older_state_that_is_whole(void **state)
{
    struct buf whole = {0}, log = {0};
    struct place place, copy;

    (void)state;
    place_init(&place);
    place_init(&copy);
    fill(&place);
    get_bytes(&place, "tailrace.db", &whole);
    get_bytes(&place, "tailrace.db-wal", &log);
    assert_true(log.len > 100000);
    for (size_t len = 0; len <= log.len; len += log.len / 60) {
        int64_t sum = 0, ordinal = -1;
        put_bytes(&copy, "tailrace.db", &whole, whole.len);
        put_bytes(&copy, "tailrace.db-wal", &log, len);
        place_open(&copy);
        assert_int_equal(
            store_checkpoint_each(copy.store, STR(""), add_ordinal, &sum, &copy.error), 0);
        while ((ordinal + 1) * (ordinal + 2) / 2 <= sum)
            ordinal++;
        assert_int_equal(ordinal * (ordinal + 1) / 2, sum);
        place_close(&copy);
        remove_log(&copy);
    }
    place_fini(&copy);
    place_fini(&place);
    buf_fini(&whole);
    buf_fini(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_acknowledged_survives_a_kill),
        cmocka_unit_test(a_store_that_was_cut_is_refused),
        cmocka_unit_test(a_turned_bit_never_loses_a_checkpoint),
        cmocka_unit_test(a_cut_log_gives_an_older_state_that_is_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
