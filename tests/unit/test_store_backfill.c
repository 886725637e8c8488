/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that a binding begins again: asked beside a daemon, cancelled, and taken up as a
 * whole or not at all.
 */
#include "test_store_lib.h"

#include "base/random.h"

#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>

#define A    STR("rule-a")
#define B    STR("rule-b")
#define BLOG STR("main/blog@1")
#define NEWS STR("main/news@1")

enum { MADE_MS = 1234 };

/* ---- what the store holds ---- */

struct seen {
    int count, stop_after;
    char text[512];
};

static bool see(void *context, const struct store_backfill *request)
{
    struct seen *seen = context;
    size_t len = strlen(seen->text);

    snprintf(seen->text + len, sizeof(seen->text) - len, "%s" STR_FMT "/" STR_FMT "=" STR_FMT,
             len > 0 ? " " : "", STR_ARG(request->binding), STR_ARG(request->db),
             STR_ARG(request->since));
    return ++seen->count != seen->stop_after;
}

static struct seen list(struct store *store)
{
    struct seen seen = {0};

    assert_int_equal(store_backfill_each(store, see, &seen, NULL), 0);
    return seen;
}

#define ASSERT_LIST(store_, text_) assert_string_equal(list(store_).text, text_)

static int ask_for(struct store *store, tr_str binding, tr_str db, tr_str since,
                   struct error *error)
{
    struct store_backfill request = {
        .binding = binding, .db = db, .since = since, .asked_ms = 1};

    return store_backfill_ask(store, &request, error);
}

static void ask(struct place *place, tr_str binding, tr_str db, tr_str since)
{
    if (ask_for(place->store, binding, db, since, &place->error) < 0)
        fail_msg("%s", place->error.text);
}

static int64_t cancel(struct place *place, tr_str binding, tr_str db)
{
    int64_t cancelled = -1;

    assert_int_equal(
        store_backfill_cancel(place->store, binding, db, &cancelled, &place->error), 0);
    return cancelled;
}

static int64_t take(struct place *place, tr_str binding)
{
    struct waited waited = {.ops = {{.kind = STORE_TAKE_BACKFILL}}};

    waited_submit(place, &waited, binding, 1);
    assert_int_equal(waited_wait(place, &waited), STORE_DONE);
    return waited.ops[0].taken;
}

static void put_checkpoint(struct place *place, tr_str binding, tr_str stream, tr_str db)
{
    struct waited waited = {.ops = {op_checkpoint(stream, STR("\"9-x\""), 9)}};

    waited.ops[0].checkpoint.db = db;
    waited.ops[0].checkpoint.seen = 4711;
    waited_submit(place, &waited, binding, 1);
    assert_int_equal(waited_wait(place, &waited), STORE_DONE);
}

/* Started; A and B stand on two databases and have looked at all. */
static void place_with_rules(struct place *place)
{
    const tr_str bindings[] = {A, B};

    place_init(place);
    place_start(place);
    for (size_t i = 0; i < 2; i++) {
        struct waited waited = {
            .ops = {{.kind = STORE_PUT_BINDING,
                     .binding = {.created_ms = MADE_MS, .discovered = true}}}};
        waited_submit(place, &waited, bindings[i], 1);
        assert_int_equal(waited_wait(place, &waited), STORE_DONE);
        put_checkpoint(place, bindings[i], BLOG, STR("blog"));
        put_checkpoint(place, bindings[i], NEWS, STR("news"));
    }
}

static void assert_binding(struct store *store, tr_str name, bool discovered, const char *since)
{
    struct store_binding binding = {0};
    struct arena arena;
    bool found = false;

    arena_init(&arena, 64);
    assert_int_equal(store_binding_get(store, name, &arena, &binding, &found, NULL), 0);
    assert_true(found);
    assert_int_equal(binding.created_ms, MADE_MS);
    assert_int_equal(binding.discovered, discovered);
    assert_true(str_eq(binding.since, str_c(since)));
    arena_fini(&arena);
}

static void assert_untouched(struct store *store, tr_str binding)
{
    assert_int_equal(ordinal_of(store, binding, BLOG), 9);
    assert_int_equal(ordinal_of(store, binding, NEWS), 9);
    assert_binding(store, binding, true, "");
}

/* ---- taking up ---- */

static void all_of_a_binding_begins_again_and_no_other(void **state)
{
    struct place place;

    (void)state;
    place_with_rules(&place);
    ask(&place, A, STR(""), STR("\"5-x\""));
    assert_untouched(place.store, A); /* asked is not done */
    assert_int_equal(take(&place, A), 1);
    assert_int_equal(ordinal_of(place.store, A, BLOG), -1);
    assert_int_equal(ordinal_of(place.store, A, NEWS), -1);
    assert_binding(place.store, A, false, "\"5-x\"");
    assert_untouched(place.store, B);
    ASSERT_LIST(place.store, "");
    place_close(&place);
    place_open(&place); /* all sums are right */
    assert_binding(place.store, A, false, "\"5-x\"");
    place_fini(&place);
}

static void a_binding_that_never_ran_begins_where_it_was_asked_to(void **state)
{
    struct store_binding binding = {0};
    struct arena arena;
    struct place place;
    bool found = false;

    (void)state;
    place_init(&place);
    place_start(&place);
    ask(&place, A, STR(""), STORE_SINCE_NOW);
    assert_int_equal(take(&place, A), 1);
    arena_init(&arena, 64);
    assert_int_equal(store_binding_get(place.store, A, &arena, &binding, &found, NULL), 0);
    assert_true(found);
    assert_false(binding.discovered);
    assert_true(str_eq(binding.since, STORE_SINCE_NOW));
    arena_fini(&arena);
    place_fini(&place);
}

static void one_database_is_set_back_and_no_other(void **state)
{
    struct store_checkpoint checkpoint = {0};
    struct arena arena;
    struct place place;
    bool found = false;

    (void)state;
    place_with_rules(&place);
    put_checkpoint(&place, A, STR("main/blog@2"), STR("blog"));
    ask(&place, A, STR("blog"), STR("\"5-x\""));
    assert_int_equal(take(&place, A), 1);
    arena_init(&arena, 256);
    assert_int_equal(
        store_checkpoint_get(place.store, A, BLOG, &arena, &checkpoint, &found, NULL), 0);
    assert_true(found);
    assert_true(str_eq(checkpoint.seq, STR("\"5-x\"")));
    assert_int_equal(checkpoint.ordinal, 0);
    assert_int_equal(checkpoint.seen, 0); /* it is read, though it did not change */
    arena_fini(&arena);
    assert_int_equal(ordinal_of(place.store, A, STR("main/blog@2")), 0);
    assert_int_equal(ordinal_of(place.store, A, NEWS), 9);
    assert_binding(place.store, A, true, "");
    assert_untouched(place.store, B);
    ASSERT_LIST(place.store, "");
    place_close(&place);
    place_open(&place);
    place_fini(&place);
}

static void what_nobody_asked_for_changes_nothing(void **state)
{
    struct place place;

    (void)state;
    place_with_rules(&place);
    ask(&place, B, STR(""), STR("0"));
    assert_int_equal(take(&place, A), 0);
    assert_untouched(place.store, A);
    ASSERT_LIST(place.store, "rule-b/=0");
    place_fini(&place);
}

static void a_start_takes_up_those_of_all(void **state)
{
    struct place place;
    int64_t taken = -1;

    (void)state;
    place_with_rules(&place);
    ask(&place, A, STR("blog"), STR("0"));
    ask(&place, A, STR("news"), STR("0"));
    ask(&place, B, STR(""), STR("0"));
    place_close(&place);
    place_start(&place);
    assert_int_equal(store_backfill_take_all(place.store, &taken, &place.error), 0);
    assert_int_equal(taken, 3);
    assert_int_equal(ordinal_of(place.store, A, BLOG), 0);
    assert_int_equal(ordinal_of(place.store, A, NEWS), 0);
    assert_int_equal(ordinal_of(place.store, B, BLOG), -1);
    assert_binding(place.store, B, false, "0");
    ASSERT_LIST(place.store, "");
    assert_int_equal(store_backfill_take_all(place.store, &taken, &place.error), 0);
    assert_int_equal(taken, 0);
    place_fini(&place);
}

static void what_was_submitted_before_is_forgotten_too(void **state)
{
    struct waited put = {.ops = {op_checkpoint(STR("main/late@1"), STR("1"), 1)}};
    struct place place;

    (void)state;
    place_with_rules(&place);
    ask(&place, A, STR(""), STR("0"));
    waited_submit(&place, &put, A, 1);
    assert_int_equal(take(&place, A), 1);
    assert_int_equal(ordinal_of(place.store, A, STR("main/late@1")), -1);
    place_fini(&place);
}

static void dead_letters_stay(void **state)
{
    int64_t count = 0, bytes;
    struct place place;

    (void)state;
    place_with_rules(&place);
    add_letter(&place, A, STR("doc"));
    ask(&place, A, STR(""), STR("0"));
    take(&place, A);
    assert_int_equal(store_dead_letter_count(place.store, A, &count, &bytes, NULL), 0);
    assert_int_equal(count, 1);
    place_fini(&place);
}

/* The record that it has looked at its databases ends the place where it began. */
static void the_next_record_forgets_where_it_began(void **state)
{
    struct waited waited = {.ops = {{.kind = STORE_PUT_BINDING,
                                     .binding = {.created_ms = MADE_MS, .discovered = true}}}};
    struct place place;

    (void)state;
    place_with_rules(&place);
    ask(&place, A, STR(""), STORE_SINCE_NOW);
    take(&place, A);
    waited_submit(&place, &waited, A, 1);
    assert_int_equal(waited_wait(&place, &waited), STORE_DONE);
    assert_binding(place.store, A, true, "");
    place_fini(&place);
}

/* ---- asking ---- */

static void one_of_all_takes_the_place_of_those_of_databases(void **state)
{
    struct place place;

    (void)state;
    place_with_rules(&place);
    ask(&place, A, STR("blog"), STR("0"));
    ask(&place, A, STR("blog"), STR("\"3-x\"")); /* the last one counts */
    ask(&place, B, STR("news"), STR("0"));
    ASSERT_LIST(place.store, "rule-a/blog=\"3-x\" rule-b/news=0");
    ask(&place, A, STR(""), STORE_SINCE_NOW);
    ASSERT_LIST(place.store, "rule-a/=now rule-b/news=0");
    assert_int_equal(ask_for(place.store, A, STR("blog"), STR("0"), &place.error), ERR_USAGE);
    assert_non_null(strstr(place.error.text, "cancel"));
    ASSERT_LIST(place.store, "rule-a/=now rule-b/news=0");
    ask(&place, A, STR(""), STR("0"));
    ASSERT_LIST(place.store, "rule-a/=0 rule-b/news=0");
    place_fini(&place);
}

static void what_is_cancelled_is_not_taken_up(void **state)
{
    struct place place;

    (void)state;
    place_with_rules(&place);
    ask(&place, A, STR("blog"), STR("0"));
    ask(&place, A, STR("news"), STR("0"));
    ask(&place, B, STR(""), STR("0"));
    assert_int_equal(cancel(&place, A, STR("blog")), 1);
    ASSERT_LIST(place.store, "rule-a/news=0 rule-b/=0");
    assert_int_equal(cancel(&place, A, STR("")), 1);
    assert_int_equal(cancel(&place, A, STR("")), 0);
    ASSERT_LIST(place.store, "rule-b/=0");
    assert_int_equal(take(&place, A), 0);
    assert_untouched(place.store, A);
    place_fini(&place);
}

static void a_daemon_sees_what_is_asked_beside_it(void **state)
{
    struct store *beside = NULL;
    struct place place;
    bool seen = false;

    (void)state;
    place_with_rules(&place);
    assert_int_equal(store_open(place.dir, STORE_BESIDE, &beside, &place.error), 0);
    assert_int_equal(ask_for(beside, A, STR(""), STR("0"), &place.error), 0);
    store_close(beside);
    for (int i = 0; i < 1000 && !seen; i++) {
        seen = store_changed(place.store);
        loop_turn(place.loop, 1);
    }
    assert_true(seen);
    ASSERT_LIST(place.store, "rule-a/=0");
    assert_int_equal(take(&place, A), 1);
    place_fini(&place);
}

static void a_walk_ends_when_it_is_told_to(void **state)
{
    struct seen seen = {.stop_after = 1};
    struct place place;

    (void)state;
    place_with_rules(&place);
    ask(&place, A, STR(""), STR("0"));
    ask(&place, B, STR(""), STR("0"));
    assert_int_equal(store_backfill_each(place.store, see, &seen, NULL), 0);
    assert_string_equal(seen.text, "rule-a/=0");
    place_fini(&place);
}

static bool see_name(void *context, tr_str name)
{
    char *text = context;

    snprintf(text + strlen(text), 64 - strlen(text), STR_FMT " ", STR_ARG(name));
    return true;
}

static void the_bindings_can_be_listed(void **state)
{
    struct place place;
    char text[64] = "";

    (void)state;
    place_with_rules(&place);
    assert_int_equal(store_binding_each(place.store, see_name, text, NULL), 0);
    assert_string_equal(text, "rule-a rule-b ");
    place_fini(&place);
}

/* ---- damage and kill -9 ---- */

static void tamper(const struct place *place, const char *text)
{
    char path[128];
    sqlite3 *handle;

    place_path(place, "tailrace.db", path);
    assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
    assert_int_equal(sqlite3_exec(handle, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(handle);
}

static void what_was_tampered_with_is_never_used(void **state)
{
    static const char *const texts[] = {
        "UPDATE backfill SET since = '\"6-x\"'",
        "UPDATE backfill SET since = '\"5-x\"', db = 'news'",
        "UPDATE backfill SET db = 'blog'; UPDATE binding SET since = '0'",
    };
    struct place place;

    (void)state;
    place_with_rules(&place);
    ask(&place, A, STR("blog"), STR("\"5-x\""));
    place_close(&place);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        tamper(&place, texts[i]);
        assert_int_equal(store_open(place.dir, 0, &place.store, &place.error), ERR_DATA);
        assert_non_null(strstr(place.error.text, "wrong sum"));
    }
    place_fini(&place);
}

enum { KILLS = 20, CHECKPOINTS = 60 };

/* CHECKPOINTS of A as one commit, its record and its request. */
static void fill(struct place *place)
{
    struct store_op ops[CHECKPOINTS + 1];
    char streams[CHECKPOINTS][24];
    struct waited waited = {.called = false};

    place_start(place);
    for (int i = 0; i < CHECKPOINTS; i++) {
        snprintf(streams[i], sizeof(streams[i]), "main/db%d@1", i);
        ops[i] = op_checkpoint(str_c(streams[i]), STR("\"9-x\""), 9);
    }
    ops[CHECKPOINTS] = (struct store_op){
        .kind = STORE_PUT_BINDING, .binding = {.created_ms = MADE_MS, .discovered = true}};
    waited.commit = (struct store_commit){
        .binding = A, .ops = ops, .ops_count = CHECKPOINTS + 1, .done = waited_done};
    store_commit_submit(place->store, &waited.commit);
    assert_int_equal(waited_wait(place, &waited), STORE_DONE);
    ask(place, A, STR(""), STR("0"));
    place_close(place);
}

static _Noreturn void take_until_killed(struct place *place, int report_fd)
{
    char sign = 'b';

    place_start(place);
    if (write(report_fd, &sign, 1) != 1)
        _exit(1);
    take(place, A);
    sign = 'd';
    if (write(report_fd, &sign, 1) != 1)
        _exit(1);
    for (;;)
        pause();
}

/* Whether it was acknowledged before the end. */
static bool take_and_kill(struct place *place)
{
    int fds[2], status;
    char sign = 0;
    pid_t pid;

    assert_int_equal(pipe(fds), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(fds[0]);
        take_until_killed(place, fds[1]);
    }
    close(fds[1]);
    assert_int_equal(read(fds[0], &sign, 1), 1);
    usleep((useconds_t)random_below(4000));
    kill(pid, SIGKILL);
    while (read(fds[0], &sign, 1) == 1)
        ;
    close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    return sign == 'd';
}

static bool count_one(void *context, const struct store_checkpoint *checkpoint)
{
    ++*(int *)context;
    return checkpoint->ordinal == 9;
}

static void a_kill_leaves_the_request_or_what_it_asked_for(void **state)
{
    struct place place;

    (void)state;
    place_init(&place);
    for (int i = 0; i < KILLS; i++) {
        bool acknowledged, waits;
        int checkpoints = 0;

        fill(&place);
        acknowledged = take_and_kill(&place);
        place_open(&place);
        waits = list(place.store).count == 1;
        assert_false(waits && acknowledged);
        assert_int_equal(store_checkpoint_each(place.store, A, count_one, &checkpoints, NULL),
                         0);
        assert_int_equal(checkpoints, waits ? CHECKPOINTS : 0);
        assert_binding(place.store, A, waits, waits ? "" : "0");
        place_close(&place);
    }
    place_fini(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_a_binding_begins_again_and_no_other),
        cmocka_unit_test(a_binding_that_never_ran_begins_where_it_was_asked_to),
        cmocka_unit_test(one_database_is_set_back_and_no_other),
        cmocka_unit_test(what_nobody_asked_for_changes_nothing),
        cmocka_unit_test(a_start_takes_up_those_of_all),
        cmocka_unit_test(what_was_submitted_before_is_forgotten_too),
        cmocka_unit_test(dead_letters_stay),
        cmocka_unit_test(the_next_record_forgets_where_it_began),
        cmocka_unit_test(one_of_all_takes_the_place_of_those_of_databases),
        cmocka_unit_test(what_is_cancelled_is_not_taken_up),
        cmocka_unit_test(a_daemon_sees_what_is_asked_beside_it),
        cmocka_unit_test(a_walk_ends_when_it_is_told_to),
        cmocka_unit_test(the_bindings_can_be_listed),
        cmocka_unit_test(what_was_tampered_with_is_never_used),
        cmocka_unit_test(a_kill_leaves_the_request_or_what_it_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
