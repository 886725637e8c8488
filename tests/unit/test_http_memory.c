/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/client.h, when libcurl has no memory: each of its allocations fails once, but those for
 * the first call's URL, which would end the process. Every call comes to an end then, none of
 * them has a deadline here, and the pool is as good as before.
 */
#include "test_http_answers.h"

#include <curl/curl.h>
#include <stdlib.h>

enum { CALLS = 3 };

/* How many allocations are left until one fails; 0: it has failed, or none is to. */
static int left;

static bool fails(void)
{
    return left > 0 && --left == 0;
}

static void *try_malloc(size_t size)
{
    return fails() ? NULL : malloc(size);
}

static void *try_realloc(void *old, size_t size)
{
    return fails() ? NULL : realloc(old, size);
}

static char *try_strdup(const char *text)
{
    return fails() ? NULL : strdup(text);
}

static void *try_calloc(size_t count, size_t size)
{
    return fails() ? NULL : calloc(count, size);
}

static struct probe *start_post(struct fixture *f)
{
    struct probe *p = probe_new(f, "/echo?a=b");

    p->call.body = STR("{\"a\":1}");
    p->call.on_data = NULL;
    p->call.keep_max = 10000;
    probe_start(p);
    return p;
}

static void assert_answered(const struct probe *p)
{
    static const char line[] = "POST /echo?a=b HTTP/1.1\r\n";

    assert_int_equal(p->end, HTTP_ANSWERED);
    assert_int_equal(p->status, 200);
    assert_int_equal(strncmp(p->body.ptr, line, sizeof(line) - 1), 0);
    assert_non_null(strstr(p->body.ptr, "\r\n\r\n{\"a\":1}"));
}

static void post(struct fixture *f)
{
    struct probe *p = start_post(f);

    run_until(f, f->done + 1);
    assert_answered(p);
    probe_free(p);
}

/* False: it had no need of so many. */
static bool fail_nth(int n, struct http_options options)
{
    struct fixture f;
    struct probe *probes[CALLS];
    bool failed;

    fixture_begin(&f, answer, options);
    post(&f);
    left = n;
    for (int i = 0; i < CALLS; i++)
        probes[i] = start_post(&f);
    run_until(&f, CALLS + 1);
    failed = left == 0;
    left = 0;
    post(&f);
    for (int i = 0; i < CALLS; i++) {
        if (probes[i]->end != HTTP_FAILED)
            assert_answered(probes[i]);
        else
            assert_true(failed && probes[i]->error[0]);
        probe_free(probes[i]);
    }
    fixture_end(&f);
    return failed;
}

static void fail_each(struct http_options options)
{
    int n = 1;

    while (fail_nth(n, options))
        n++;
    assert_true(n > 20);
}

static void each_allocation_fails_once(void **state)
{
    (void)state;
    fail_each((struct http_options){.max_connections = 2});
}

static void each_allocation_fails_once_where_connections_are_our_own(void **state)
{
    (void)state;
    fail_each((struct http_options){.max_connections = 2, .direct = true});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_fails_once),
        cmocka_unit_test(each_allocation_fails_once_where_connections_are_our_own),
    };

    if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, try_malloc, free, try_realloc, try_strdup,
                             try_calloc) != CURLE_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
