/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop: timers in order, watches that go away in the middle of a turn, tasks from threads.
 */
#include "base/clock.h"
#include "base/loop.h"
#include "base/mem.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct loop *loop;

static int set_up(void **state)
{
    (void)state;
    return loop_new(&loop, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    loop_free(loop);
    return 0;
}

static void turn_until(const int *count, int wanted)
{
    int64_t end = clock_ms() + 60000;

    while (*count < wanted && clock_ms() < end)
        loop_turn(loop, 50);
    assert_int_equal(*count, wanted);
}

/* ---- timers ---- */

struct probe {
    struct timer timer;
    int64_t after_ms;
    int fired;
    int64_t at_ms;
};

static int fired;
static int64_t last_due_ms;

static void note(struct timer *timer)
{
    struct probe *probe = list_entry(timer, struct probe, timer);

    probe->fired++;
    probe->at_ms = clock_ms();
    assert_true(timer->due_ms >= last_due_ms);
    last_due_ms = timer->due_ms;
    fired++;
}

static void timers_fire_once_in_order_and_not_early(void **state)
{
    enum { COUNT = 200 };
    static struct probe probes[COUNT];
    int64_t begin = clock_ms();

    (void)state;
    fired = 0;
    last_due_ms = 0;
    for (int i = 0; i < COUNT; i++) {
        probes[i] = (struct probe){.timer.fire = note, .after_ms = (i * 37) % 50};
        loop_set_timer(loop, &probes[i].timer, probes[i].after_ms);
        assert_true(timer_is_set(&probes[i].timer));
    }
    turn_until(&fired, COUNT);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(probes[i].fired, 1);
        assert_true(probes[i].at_ms >= begin + probes[i].after_ms);
        assert_false(timer_is_set(&probes[i].timer));
    }
}

static void a_cleared_timer_never_fires(void **state)
{
    static struct probe probes[100];

    (void)state;
    fired = 0;
    last_due_ms = 0;
    for (int i = 0; i < 100; i++) {
        probes[i] = (struct probe){.timer.fire = note};
        loop_set_timer(loop, &probes[i].timer, (i * 61) % 20);
    }
    for (int i = 0; i < 100; i += 3) {
        loop_clear_timer(loop, &probes[i].timer);
        loop_clear_timer(loop, &probes[i].timer);
    }
    turn_until(&fired, 66);
    for (int i = 0; i < 100; i++)
        assert_int_equal(probes[i].fired, i % 3 != 0);
}

static void a_timer_that_is_set_again_fires_at_the_new_time_only(void **state)
{
    struct probe moved = {.timer.fire = note}, other = {.timer.fire = note};

    (void)state;
    fired = 0;
    last_due_ms = 0;
    loop_set_timer(loop, &moved.timer, 3600000);
    loop_set_timer(loop, &moved.timer, 5);
    loop_set_timer(loop, &other.timer, 10);
    turn_until(&fired, 2);
    assert_int_equal(moved.fired, 1);
}

static int again;

static void set_again(struct timer *timer)
{
    again++;
    loop_set_timer(loop, timer, 0);
}

static void a_timer_that_sets_itself_waits_for_the_next_turn(void **state)
{
    struct timer timer = {.fire = set_again};

    (void)state;
    again = 0;
    loop_set_timer(loop, &timer, 0);
    for (int before = 0, i = 0; i < 1000; i++, before = again) {
        loop_turn(loop, 0);
        assert_true(again - before <= 1);
    }
    turn_until(&again, again + 3);
    loop_clear_timer(loop, &timer);
}

static struct probe *victim;

static void clear_and_free_victim(struct timer *timer)
{
    (void)timer;
    if (!victim)
        return;
    loop_clear_timer(loop, &victim->timer);
    free(victim);
    victim = NULL;
    fired++;
}

static void a_timer_may_clear_and_free_another_that_is_due(void **state)
{
    struct timer first = {.fire = clear_and_free_victim};

    (void)state;
    fired = 0;
    victim = mem_new(struct probe);
    victim->timer.fire = note;
    loop_set_timer(loop, &first, 0);
    loop_set_timer(loop, &victim->timer, 1);
    usleep(5000);
    turn_until(&fired, 1);
    loop_turn(loop, 0);
    assert_int_equal(fired, 1);
}

/* ---- watches ---- */

struct reader {
    struct watch watch;
    struct reader *other;
    int pipe[2];
};

static int readable;
static struct reader *survivor;

static struct reader *reader_new(void (*ready)(struct watch *, uint32_t))
{
    struct reader *reader = mem_new(struct reader);

    assert_int_equal(pipe(reader->pipe), 0);
    reader->watch = (struct watch){.fd = reader->pipe[0], .ready = ready};
    assert_int_equal(loop_watch(loop, &reader->watch, EPOLLIN, NULL), 0);
    return reader;
}

static void reader_free(struct reader *reader)
{
    loop_unwatch(loop, &reader->watch);
    close(reader->pipe[0]);
    close(reader->pipe[1]);
    free(reader);
}

static void take_byte(struct watch *watch, uint32_t events)
{
    char byte;

    assert_true(events & EPOLLIN);
    assert_int_equal(read(watch->fd, &byte, 1), 1);
    readable++;
}

static void free_the_other(struct watch *watch, uint32_t events)
{
    struct reader *reader = list_entry(watch, struct reader, watch);

    take_byte(watch, events);
    survivor = reader;
    reader_free(reader->other);
}

static void a_watch_is_called_while_there_is_something_to_read(void **state)
{
    struct reader *reader = reader_new(take_byte);

    (void)state;
    readable = 0;
    loop_turn(loop, 0);
    assert_int_equal(readable, 0);
    assert_int_equal(write(reader->pipe[1], "ab", 2), 2);
    turn_until(&readable, 2);
    loop_turn(loop, 0);
    assert_int_equal(readable, 2);
    reader_free(reader);
}

static void a_watch_may_be_freed_by_another_of_the_same_turn(void **state)
{
    struct reader *one = reader_new(free_the_other), *two = reader_new(free_the_other);

    (void)state;
    readable = 0;
    one->other = two;
    two->other = one;
    assert_int_equal(write(one->pipe[1], "a", 1), 1);
    assert_int_equal(write(two->pipe[1], "a", 1), 1);
    loop_turn(loop, 1000);
    assert_int_equal(readable, 1);
    loop_turn(loop, 0);
    assert_int_equal(readable, 1);
    reader_free(survivor);
}

/* ---- what was heard ---- */

static struct listener {
    struct watch watch;
    struct task task;
    uint64_t turn;
    bool told, heard;
} listener;

static void hear(struct watch *watch, uint32_t events)
{
    (void)watch;
    (void)events;
    listener.told = true;
    assert_false(loop_heard_since(loop, listener.turn)); /* others may still be told        */
}

static void ask_what_was_heard(struct task *task)
{
    (void)task;
    listener.heard = loop_heard_since(loop, listener.turn);
}

static bool is_heard_in_a_turn(void)
{
    listener.task.run = ask_what_was_heard;
    loop_post(loop, &listener.task);
    loop_turn(loop, 0);
    return listener.heard;
}

static void a_watch_that_is_not_told_had_nothing_when_the_turn_began(void **state)
{
    enum { MANY = 64 }; /* as many as a turn tells */
    int fds[2], others[2];
    struct watch watches[MANY];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(pipe(others), 0);
    listener.watch = (struct watch){.fd = fds[0], .ready = hear};
    assert_int_equal(loop_watch(loop, &listener.watch, EPOLLIN, NULL), 0);
    loop_turn(loop, 0);
    listener.turn = loop_turn_number(loop);
    assert_false(loop_heard_since(loop, listener.turn)); /* not in a turn                   */
    assert_true(is_heard_in_a_turn());
    assert_false(loop_heard_since(loop, listener.turn));
    listener.told = false;
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_true(is_heard_in_a_turn());
    assert_true(listener.told);
    for (int i = 0; i < MANY; i++) { /* with so many it may be one that was not told        */
        watches[i] = (struct watch){.fd = dup(others[0]), .ready = hear};
        assert_int_equal(loop_watch(loop, &watches[i], EPOLLIN, NULL), 0);
    }
    assert_int_equal(write(others[1], "x", 1), 1);
    assert_false(is_heard_in_a_turn());
    for (int i = 0; i < MANY; i++) {
        loop_unwatch(loop, &watches[i]);
        close(watches[i].fd);
    }
    loop_unwatch(loop, &listener.watch);
    for (int i = 0; i < 2; i++) {
        close(fds[i]);
        close(others[i]);
    }
}

static void a_descriptor_that_cannot_be_watched_is_an_error(void **state)
{
    struct watch watch = {.fd = -1, .ready = take_byte};
    struct error error = {0};

    (void)state;
    assert_int_equal(loop_watch(loop, &watch, EPOLLIN, &error), ERR_OS);
    assert_int_equal(error.code, ERR_OS);
}

/* ---- tasks ---- */

enum { THREADS = 4, POSTS = 2000 };

struct errand {
    struct task task;
    int thread, number;
};

static struct errand errands[THREADS][POSTS];
static int done, next_of[THREADS];

static void run_errand(struct task *task)
{
    struct errand *errand = list_entry(task, struct errand, task);

    assert_int_equal(errand->number, next_of[errand->thread]);
    next_of[errand->thread]++;
    done++;
}

static void *post_all(void *arg)
{
    struct errand *row = arg;

    for (int i = 0; i < POSTS; i++)
        loop_post(loop, &row[i].task);
    return NULL;
}

static void tasks_of_many_threads_run_each_in_its_order(void **state)
{
    pthread_t threads[THREADS];

    (void)state;
    for (int t = 0; t < THREADS; t++) {
        for (int i = 0; i < POSTS; i++)
            errands[t][i] = (struct errand){.task.run = run_errand, .thread = t, .number = i};
        pthread_create(&threads[t], NULL, post_all, errands[t]);
    }
    turn_until(&done, THREADS * POSTS);
    for (int t = 0; t < THREADS; t++)
        pthread_join(threads[t], NULL);
}

static int rounds;

static void post_again(struct task *task)
{
    if (++rounds < 3)
        loop_post(loop, task);
}

static void a_task_may_post_itself_again(void **state)
{
    struct task task = {.run = post_again};

    (void)state;
    rounds = 0;
    loop_post(loop, &task);
    loop_turn(loop, 0);
    assert_int_equal(rounds, 1);
    turn_until(&rounds, 3);
}

/* A thread and the loop in turns: each waits for the other, so that one wake-up that is lost
 * would be the end. */
enum { ROUNDS = 20000 };

struct player {
    struct task tasks[2];
    pthread_mutex_t lock;
    pthread_cond_t more;
    int ran, played;
};

static struct player player;

static void play(struct task *task)
{
    (void)task;
    pthread_mutex_lock(&player.lock);
    player.ran++;
    pthread_cond_signal(&player.more);
    pthread_mutex_unlock(&player.lock);
    if (++player.played == 2 * ROUNDS)
        loop_stop(loop);
}

static void *post_in_pairs(void *arg)
{
    (void)arg;
    for (int i = 1; i <= ROUNDS; i++) {
        player.tasks[0].next = &player.tasks[1];
        loop_post_all(loop, &player.tasks[0], &player.tasks[1]);
        pthread_mutex_lock(&player.lock);
        while (player.ran < 2 * i)
            pthread_cond_wait(&player.more, &player.lock);
        pthread_mutex_unlock(&player.lock);
    }
    return NULL;
}

static void a_loop_that_sleeps_is_woken_by_every_post(void **state)
{
    pthread_t thread;

    (void)state;
    player = (struct player){.tasks = {{.run = play}, {.run = play}}};
    pthread_mutex_init(&player.lock, NULL);
    pthread_cond_init(&player.more, NULL);
    pthread_create(&thread, NULL, post_in_pairs, NULL);
    loop_run(loop);
    pthread_join(thread, NULL);
    assert_int_equal(player.played, 2 * ROUNDS);
    pthread_cond_destroy(&player.more);
    pthread_mutex_destroy(&player.lock);
}

static struct turn_end turn_end;
static int ends;

static void count_end(struct turn_end *end)
{
    (void)end;
    ends++;
}

static void ask_for_the_end(struct task *task)
{
    (void)task;
    assert_int_equal(ends, 0);
    loop_at_turn_end(loop, &turn_end);
    loop_at_turn_end(loop, &turn_end);
    assert_int_equal(ends, 0);
}

static void the_end_of_a_turn_comes_once_and_in_that_turn(void **state)
{
    struct task tasks[] = {{.run = ask_for_the_end}, {.run = ask_for_the_end}};

    (void)state;
    turn_end.run = count_end;
    list_init(&turn_end.link);
    ends = 0;
    loop_post(loop, &tasks[0]);
    loop_post(loop, &tasks[1]);
    loop_turn(loop, 0);
    assert_int_equal(ends, 1);
    loop_turn(loop, 0);
    assert_int_equal(ends, 1);
    loop_at_turn_end(loop, &turn_end); /* outside of one: before the next one sleeps       */
    list_remove(&turn_end.link);
    loop_turn(loop, 0);
    assert_int_equal(ends, 1);
    loop_at_turn_end(loop, &turn_end);
    loop_turn(loop, 0);
    assert_int_equal(ends, 2);
}

static void *stop_loop(void *arg)
{
    loop_stop(arg);
    return NULL;
}

static void another_thread_ends_the_run(void **state)
{
    pthread_t thread;

    (void)state;
    for (int i = 0; i < 20; i++) {
        pthread_create(&thread, NULL, stop_loop, loop);
        loop_run(loop);
        pthread_join(thread, NULL);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(timers_fire_once_in_order_and_not_early),
        TEST(a_cleared_timer_never_fires),
        TEST(a_timer_that_is_set_again_fires_at_the_new_time_only),
        TEST(a_timer_that_sets_itself_waits_for_the_next_turn),
        TEST(a_timer_may_clear_and_free_another_that_is_due),
        TEST(a_watch_is_called_while_there_is_something_to_read),
        TEST(a_watch_may_be_freed_by_another_of_the_same_turn),
        TEST(a_watch_that_is_not_told_had_nothing_when_the_turn_began),
        TEST(a_descriptor_that_cannot_be_watched_is_an_error),
        TEST(tasks_of_many_threads_run_each_in_its_order),
        TEST(a_task_may_post_itself_again),
        TEST(a_loop_that_sleeps_is_woken_by_every_post),
        TEST(the_end_of_a_turn_comes_once_and_in_that_turn),
        TEST(another_thread_ends_the_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
