/* SPDX-License-Identifier: Apache-2.0 */
/* http/client.h: gather_ms holds up nothing but the call that asked for it, and loses nothing.
 */
#include "test_http_answers.h"

/* Longer than any test: who waits for it never ends. */
enum { FOR_EVER_MS = 600000 };

static void the_next_call_on_a_connection_does_not_gather_by_itself(void **state)
{
    struct fixture f;

    (void)state;
    fixture_begin(&f, answer, (struct http_options){.max_connections = 1});
    for (int i = 0; i < 4; i++) {
        struct probe *p = probe_new(&f, i % 2 ? "/drip" : "/big");
        p->call.gather_ms = i % 2 ? 0 : FOR_EVER_MS;
        probe_start(p);
        run_until(&f, i + 1);
        assert_int_equal(p->end, HTTP_ANSWERED);
        assert_int_equal(p->body.len, i % 2 ? 12 : BIG);
        probe_free(p);
    }
    assert_int_equal(server_connections(&f.server), 1);
    fixture_end(&f);
}

static void a_call_that_gathers_is_paused_and_goes_on(void **state)
{
    static const char *const paths[] = {"/big", "/drip"};
    struct fixture f;

    (void)state;
    fixture_begin(&f, answer, (struct http_options){0});
    for (int i = 0; i < 2; i++) {
        struct probe *p = probe_new(&f, paths[i]);
        int64_t end = clock_ms() + 120000;
        p->call.gather_ms = FOR_EVER_MS;
        p->pause_every = 3;
        probe_start(p);
        while (f.done <= i && clock_ms() < end) {
            loop_turn(f.loop, 5);
            if (p->pieces % 3 == 0)
                http_resume(&p->call);
        }
        assert_int_equal(p->dones, 1);
        assert_int_equal(p->end, HTTP_ANSWERED);
        assert_int_equal(p->body.len, i ? 12 : BIG);
        for (size_t at = 0; i == 0 && at < BIG; at++)
            assert_int_equal(p->body.ptr[at], pattern(at));
        probe_free(p);
    }
    fixture_end(&f);
}

static void a_call_that_gathers_is_cancelled_at_any_time(void **state)
{
    struct fixture f;

    (void)state;
    fixture_begin(&f, answer, (struct http_options){0});
    for (int turns = 0; turns < 8; turns++) {
        struct probe *p = probe_new(&f, "/drip");
        p->call.gather_ms = FOR_EVER_MS;
        probe_start(p);
        run_for(&f, turns * 10);
        if (p->dones == 0) { /* else it came to its end before, on a slow machine    */
            http_cancel(&p->call);
            run_for(&f, 2);
            assert_int_equal(p->dones, 0);
        }
        probe_free(p);
    }
    fixture_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_call_on_a_connection_does_not_gather_by_itself),
        cmocka_unit_test(a_call_that_gathers_is_paused_and_goes_on),
        cmocka_unit_test(a_call_that_gathers_is_cancelled_at_any_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
