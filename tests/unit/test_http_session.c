/* SPDX-License-Identifier: Apache-2.0 */
/* http/session.h: one login for many calls, renewed when it ends or is refused. */
#include "test_http_fixture.h"

#include "http/session.h"

/* What the server's session does; read on its threads between requests only. */
static struct {
    _Atomic int logins;  /* so far                                                       */
    _Atomic int valid;   /* the cookie of this login is taken; 0: none                   */
    _Atomic int status;  /* of the next logins                                           */
    _Atomic int max_age; /* seconds; 0: not said                                         */
    _Atomic bool wait;   /* at the gate                                                  */
} couch;

static void answer_login(struct request *request)
{
    char headers[200], age[40] = "";

    if (couch.wait)
        server_wait(request->server);
    if (couch.status != 200) {
        server_reply(request, couch.status == 401 ? "401 No" : "500 Oops", "", "{}");
        return;
    }
    couch.valid = ++couch.logins;
    if (couch.max_age)
        snprintf(age, sizeof(age), "; Max-Age=%d", couch.max_age);
    snprintf(headers, sizeof(headers),
             "Set-Cookie: AuthSession=cookie%d; Version=1; Path=/; HttpOnly%s\r\n",
             couch.logins, age);
    server_reply(request, "200 OK", headers, "{\"ok\":true}");
}

static void answer(struct request *request)
{
    char want[64];

    if (strcmp(request->path, "/_session") == 0) {
        answer_login(request);
        return;
    }
    snprintf(want, sizeof(want), "\r\nCookie: AuthSession=cookie%d\r\n", couch.valid);
    if (couch.valid && strstr(request->text.ptr, want))
        server_reply(request, "200 OK", "", "{}");
    else
        server_reply(request, "401 No", "", "{\"error\":\"unauthorized\"}");
}

struct setup {
    struct fixture f;
    struct session *session;
};

static void begin(struct setup *s, const char *password, int64_t age_ms)
{
    char base[128];

    couch.logins = couch.valid = couch.max_age = 0;
    couch.status = 200;
    couch.wait = false;
    fixture_begin(&s->f, answer, (struct http_options){0});
    snprintf(base, sizeof(base), "http://tail:%s@127.0.0.1:%d", password, s->f.server.port);
    assert_int_equal(session_new(s->f.pool, base, age_ms, &s->session, NULL), 0);
}

static void end(struct setup *s)
{
    session_free(s->session);
    fixture_end(&s->f);
}

static struct probe *get(struct setup *s)
{
    struct probe *p = probe_new(&s->f, "/db");

    probe_start(p);
    run_until(&s->f, s->f.done + 1);
    return p;
}

static void assert_get(struct setup *s, int status)
{
    struct probe *p = get(s);

    assert_int_equal(p->status, status);
    assert_int_equal(p->heads, 1);
    probe_free(p);
}

static void calls_that_start_together_share_one_login(void **state)
{
    struct setup s;
    struct probe *p[12];

    (void)state;
    begin(&s, "pa%22ss", 0);
    for (int i = 0; i < 12; i++) {
        p[i] = probe_new(&s.f, "/db");
        probe_start(p[i]);
    }
    run_until(&s.f, 12);
    for (int i = 0; i < 12; i++) {
        assert_int_equal(p[i]->status, 200);
        probe_free(p[i]);
    }
    assert_int_equal(couch.logins, 1);
    assert_true(server_saw(&s.f.server, "{\"name\":\"tail\",\"password\":\"pa\\\"ss\"}"));
    assert_false(server_saw(&s.f.server, "Authorization"));
    end(&s);
}

static void a_refused_cookie_is_renewed_once_unseen(void **state)
{
    struct setup s;
    struct probe *p[6];

    (void)state;
    begin(&s, "pw", 0);
    assert_get(&s, 200);
    couch.valid = 0; /* the server was started anew                                        */
    for (int i = 0; i < 6; i++) {
        p[i] = probe_new(&s.f, "/db");
        probe_start(p[i]);
    }
    run_until(&s.f, 7);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(p[i]->status, 200);
        assert_int_equal(p[i]->heads, 1);
        probe_free(p[i]);
    }
    assert_int_equal(couch.logins, 2);
    end(&s);
}

static void answer_401(struct request *request)
{
    if (strcmp(request->path, "/_session") == 0)
        answer_login(request);
    else
        server_reply(request, "401 No", "", "{}");
}

static void a_call_that_stays_refused_is_told_so(void **state)
{
    struct setup s;

    (void)state;
    begin(&s, "pw", 0);
    s.f.server.answer = answer_401;
    assert_get(&s, 401);
    assert_int_equal(couch.logins, 2);
    end(&s);
}

static void a_cookie_is_renewed_before_it_ends(void **state)
{
    struct setup s;

    (void)state;
    begin(&s, "pw", 2); /* ms                                                              */
    assert_get(&s, 200);
    usleep(5000);
    assert_get(&s, 200);
    assert_int_equal(couch.logins, 2);
    couch.max_age = 3600; /* what the server says counts                                   */
    usleep(5000);
    assert_get(&s, 200);
    usleep(5000);
    assert_get(&s, 200);
    assert_int_equal(couch.logins, 3);
    end(&s);
}

static void a_wrong_password_ends_all_calls_after_one_login(void **state)
{
    struct setup s;
    const char *error;
    struct probe *p[5];

    (void)state;
    begin(&s, "canary", 0);
    couch.status = 401;
    for (int i = 0; i < 5; i++) {
        p[i] = probe_new(&s.f, "/db");
        probe_start(p[i]);
    }
    run_until(&s.f, 5);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(p[i]->end, HTTP_UNAUTHORIZED);
        assert_null(strstr(p[i]->error, "canary"));
        probe_free(p[i]);
    }
    assert_int_equal(server_requests(&s.f.server), 1);
    assert_int_equal(session_get_state(s.session, &error), SESSION_REFUSED);
    assert_non_null(strstr(error, "check the passwords file"));
    assert_null(strstr(error, "canary"));
    couch.status = 200;
    session_retry(s.session);
    assert_get(&s, 200);
    assert_int_equal(session_get_state(s.session, &error), SESSION_OPEN);
    assert_string_equal(error, "");
    end(&s);
}

static void a_login_without_a_cookie_is_a_failure(void **state)
{
    struct setup s;
    const char *error;
    struct probe *p;

    (void)state;
    begin(&s, "pw", 0);
    couch.status = 500;
    p = get(&s);
    assert_int_equal(p->end, HTTP_FAILED);
    assert_int_equal(session_get_state(s.session, &error), SESSION_FAILED);
    probe_free(p);
    end(&s);
}

static void calls_that_wait_for_a_login_can_be_cancelled(void **state)
{
    struct setup s;
    struct probe *a, *b;

    (void)state;
    begin(&s, "pw", 0);
    couch.wait = true;
    a = probe_new(&s.f, "/db");
    b = probe_new(&s.f, "/db");
    probe_start(a);
    probe_start(b);
    while (server_requests(&s.f.server) < 1)
        run_for(&s.f, 1);
    http_cancel(&a->call);
    server_release(&s.f.server);
    run_until(&s.f, 1);
    assert_int_equal(a->dones, 0);
    assert_int_equal(b->status, 200);
    probe_free(a);
    probe_free(b);
    end(&s);
}

static void a_session_may_end_in_the_middle_of_a_login(void **state)
{
    struct setup s;
    struct probe *p;

    (void)state;
    begin(&s, "pw", 0);
    couch.wait = true;
    p = probe_new(&s.f, "/db");
    probe_start(p);
    while (server_requests(&s.f.server) < 1)
        run_for(&s.f, 1);
    end(&s);
    assert_false(http_is_active(&p->call));
    probe_free(p);
}

static void the_cookie_goes_to_its_own_origin_only(void **state)
{
    struct server other;
    struct setup s;
    struct probe *p;

    (void)state;
    begin(&s, "pw", 0);
    server_start(&other, answer);
    assert_get(&s, 200);
    p = probe_new(&s.f, "/db");
    snprintf(p->url, sizeof(p->url), "http://127.0.0.1:%d/db", other.port);
    probe_start(p);
    run_until(&s.f, 2);
    assert_int_equal(p->status, 401);
    assert_false(server_saw(&other, "AuthSession"));
    probe_free(p);
    end(&s);
    server_stop(&other);
}

static void a_session_needs_a_user(void **state)
{
    struct fixture f;
    struct session *session;

    (void)state;
    fixture_begin(&f, answer, (struct http_options){0});
    assert_int_equal(session_new(f.pool, "http://127.0.0.1/", 0, &session, NULL), ERR_CONFIG);
    assert_int_equal(session_new(f.pool, "nonsense", 0, &session, NULL), ERR_CONFIG);
    fixture_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_that_start_together_share_one_login),
        cmocka_unit_test(a_refused_cookie_is_renewed_once_unseen),
        cmocka_unit_test(a_call_that_stays_refused_is_told_so),
        cmocka_unit_test(a_cookie_is_renewed_before_it_ends),
        cmocka_unit_test(a_wrong_password_ends_all_calls_after_one_login),
        cmocka_unit_test(a_login_without_a_cookie_is_a_failure),
        cmocka_unit_test(calls_that_wait_for_a_login_can_be_cancelled),
        cmocka_unit_test(a_session_may_end_in_the_middle_of_a_login),
        cmocka_unit_test(the_cookie_goes_to_its_own_origin_only),
        cmocka_unit_test(a_session_needs_a_user),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
