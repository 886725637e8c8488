/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions: the signer of a pool that logs in by POST /_session. Loop thread.
 */
#include "http/session.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "http/pool.h"
#include "json/value.h"

#include <strings.h>

enum {
    DEFAULT_AGE_MS = 600 * 1000, /* CouchDB's own default                                  */
    LOGIN_MS = 30000,
    BACKOFF_BASE_MS = 1000,
    BACKOFF_CAP_MS = 300000,
};

struct session {
    struct http_signer signer; /* first: the pool knows only this                          */
    struct http_pool *pool;
    struct url base;
    char *login_url;
    int64_t age_ms;

    enum session_state state;
    int64_t until_ms; /* OPEN: renew then. REFUSED, FAILED: try again then                 */
    uint32_t attempt;
    struct secret cookie; /* "AuthSession=…"                                               */
    char error[512];

    struct http_call call; /* the login                                                    */
    struct http_header header;
    struct buf body; /* holds the password                                                 */
};

static void wipe_body(struct session *session)
{
    if (session->body.ptr)
        explicit_bzero(session->body.ptr, session->body.cap);
    buf_clear(&session->body);
}

/* ---- the login ---- */

static void login_failed(struct session *session, enum session_state state)
{
    session->state = state;
    session->until_ms = clock_ms() +
                        backoff_ms(session->attempt++, BACKOFF_BASE_MS, BACKOFF_CAP_MS);
}

/* The value of Max-Age= or 0. Expires= is not looked at: it is by the server's clock. */
static int64_t max_age_ms(tr_str attributes)
{
    while (attributes.len > 0) {
        tr_str value, item = str_trim(str_cut(attributes, ';', &attributes));
        tr_str name = str_cut(item, '=', &value);
        int64_t seconds = 0;
        if (!http_name_is(name, STR("Max-Age")))
            continue;
        for (size_t i = 0; i < value.len && value.ptr[i] >= '0' && value.ptr[i] <= '9'; i++)
            seconds = seconds > 1000000 ? seconds : seconds * 10 + (value.ptr[i] - '0');
        return seconds * 1000;
    }
    return 0;
}

static bool take_cookie(struct session *session, struct http_call *call)
{
    tr_str header, attributes, pair;
    int64_t age;

    if (!http_answer_header(call, "Set-Cookie", &header))
        return false;
    pair = str_trim(str_cut(header, ';', &attributes));
    if (!str_starts(pair, STR("AuthSession=")) || pair.len == strlen("AuthSession="))
        return false;
    age = max_age_ms(attributes);
    secret_fini(&session->cookie);
    session->cookie = (struct secret){.ptr = str_dup(pair), .len = pair.len};
    session->signer.number++;
    session->until_ms = clock_ms() + (age > 0 ? age : session->age_ms) / 2;
    return true;
}

static void login_done(struct http_call *call, const struct http_result *result)
{
    struct session *session = list_entry(call, struct session, call);

    wipe_body(session);
    if (result->end != HTTP_ANSWERED) {
        snprintf(session->error, sizeof(session->error), "login: %.480s", result->error);
        login_failed(session, SESSION_FAILED);
    } else if (result->status == 200 && take_cookie(session, call)) {
        session->state = SESSION_OPEN;
        session->attempt = 0;
        session->error[0] = '\0';
    } else if (result->status == 401 || result->status == 403) {
        snprintf(session->error, sizeof(session->error),
                 "%.300s refuses the login of \"%.64s\" with %d; check the passwords file",
                 session->base.origin, session->base.user, result->status);
        login_failed(session, SESSION_REFUSED);
    } else {
        snprintf(session->error, sizeof(session->error),
                 "%.300s answers a login with %d and no AuthSession cookie; does it know "
                 "/_session?",
                 session->base.origin, result->status);
        login_failed(session, SESSION_FAILED);
    }
    http_pool_pump(session->pool);
}

static int write_body(struct session *session, struct error *error)
{
    struct secret password = {0};

    if (session->base.password)
        password = (struct secret){.ptr = str_dup(str_c(session->base.password)),
                                   .len = strlen(session->base.password)};
    else if (!secrets_password(session->pool->secrets, str_c(session->base.host),
                               str_c(session->base.user), &password))
        return error_set(
            error, ERR_NOPERM,
            "no password is known for user \"%s\" at \"%s\"; add it to the passwords "
            "file",
            session->base.user, session->base.host);
    buf_reserve(&session->body, 6 * (strlen(session->base.user) + password.len) + 64);
    buf_add_c(&session->body, "{\"name\":");
    json_write_string(&session->body, str_c(session->base.user));
    buf_add_c(&session->body, ",\"password\":");
    json_write_string(&session->body, str_n(password.ptr, password.len));
    buf_add_c(&session->body, "}");
    secret_fini(&password);
    return 0;
}

static void login(struct session *session)
{
    struct http_call *call = &session->call;
    struct error error;
    int rc;

    session->state = SESSION_LOGIN;
    rc = write_body(session, &error);
    if (rc == 0) {
        session->header = (struct http_header){STR("Content-Type"), STR("application/json")};
        *call = (struct http_call){.url = session->login_url,
                                   .method = "POST",
                                   .headers = &session->header,
                                   .headers_count = 1,
                                   .body = buf_str(&session->body),
                                   .timeout_ms = LOGIN_MS,
                                   .keep_max = 4096,
                                   .on_done = login_done,
                                   .bits = HTTP_CALL_UNSIGNED | HTTP_CALL_AHEAD};
        rc = http_start(session->pool, call, &error);
    }
    if (rc == 0)
        return;
    wipe_body(session);
    snprintf(session->error, sizeof(session->error), "%s", error.text);
    login_failed(session, SESSION_REFUSED);
}

/* ---- the signer ---- */

static enum http_sign session_sign(struct http_signer *signer, const char *origin,
                                   tr_str *ret_cookie, enum http_end *ret_end,
                                   const char **ret_error)
{
    struct session *session = (struct session *)signer;
    bool due = session->state != SESSION_LOGIN && clock_ms() >= session->until_ms;

    if (strcmp(origin, session->base.origin) != 0)
        return HTTP_SIGN_NOT;
    if (session->state == SESSION_NONE || due)
        login(session);
    switch (session->state) {
    case SESSION_OPEN:
        *ret_cookie = str_n(session->cookie.ptr, session->cookie.len);
        return HTTP_SIGN_LINE;
    case SESSION_REFUSED:
    case SESSION_FAILED:
        *ret_end = session->state == SESSION_REFUSED ? HTTP_UNAUTHORIZED : HTTP_FAILED;
        *ret_error = session->error;
        return HTTP_SIGN_REFUSE;
    default: return HTTP_SIGN_WAIT;
    }
}

static void session_denied(struct http_signer *signer, uint64_t number)
{
    struct session *session = (struct session *)signer;

    if (session->state == SESSION_OPEN && session->signer.number == number)
        session->state = SESSION_NONE;
}

/* ---- making and ending ---- */

int session_new(struct http_pool *pool, const char *base, int64_t age_ms,
                struct session **ret_session, struct error *error)
{
    struct session *session = mem_new(struct session);
    struct buf url = {0};
    tr_str path;
    int rc;

    rc = url_parse(str_c(base), &session->base, error);
    if (rc < 0)
        goto fail;
    if (!session->base.user) {
        rc = error_set(error, ERR_CONFIG, "a session needs a user; write it into the URL: %s",
                       "https://USER@…");
        goto fail;
    }
    path = str_c(session->base.path);
    while (path.len > 0 && path.ptr[path.len - 1] == '/')
        path.len--;
    buf_addf(&url, "%s" STR_FMT "/_session", session->base.origin, STR_ARG(path));
    session->login_url = url.ptr;
    session->pool = pool;
    session->age_ms = age_ms > 0 ? age_ms : DEFAULT_AGE_MS;
    session->signer.sign = session_sign;
    session->signer.denied = session_denied;
    pool->signer = &session->signer;
    *ret_session = session;
    return 0;
fail:
    url_fini(&session->base);
    free(session);
    return rc;
}

void session_free(struct session *session)
{
    if (!session)
        return;
    session->pool->signer = NULL;
    http_cancel(&session->call);
    wipe_body(session);
    buf_fini(&session->body);
    secret_fini(&session->cookie);
    url_fini(&session->base);
    free(session->login_url);
    free(session);
}

enum session_state session_get_state(const struct session *session, const char **ret_error)
{
    *ret_error = session->error;
    return session->state;
}

void session_retry(struct session *session)
{
    if (session->state != SESSION_REFUSED && session->state != SESSION_FAILED)
        return;
    session->state = SESSION_NONE;
    session->attempt = 0;
}
