/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection. It is made when a batch needs it, so that a server that is down holds nobody
 * up but the batch, and lives until something goes wrong with it. libpq is asked in ways that
 * never wait; the waiting is done here, by poll(), and no longer than the batch has time. So
 * there is nothing for cancel() to do. Worker.
 *
 * A statement that is given up is not cancelled, which would need another connection to a
 * server that does not answer: the connection is closed, statement_timeout ends what the server
 * still does, and what it does meanwhile is in order, see pg.h.
 */
#include "pg.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

enum { SECRET_MAX = 1024 };

int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void session_close(tr_self *self)
{
    PQfinish(self->conn);
    self->conn = NULL;
}

/* libpq's words, which may be several lines. */
static void say_error(tr_self *self, const char *what)
{
    size_t len;

    snprintf(self->words, sizeof(self->words), "%s: %s", what, PQerrorMessage(self->conn));
    for (len = strlen(self->words); len > 0 && self->words[len - 1] == '\n'; len--)
        self->words[len - 1] = '\0';
}

/* False: the time is over, or the connection is. */
static bool wait_for(tr_self *self, short events, int64_t deadline_ms)
{
    struct pollfd fd = {.fd = PQsocket(self->conn), .events = events};
    int64_t left;
    int rc;

    do {
        left = deadline_ms - now_ms();
        rc = left <= 0 ? 0 : poll(&fd, 1, left > INT32_MAX ? INT32_MAX : (int)left);
    } while (rc < 0 && errno == EINTR);
    self->late = rc == 0;
    if (rc == 0)
        snprintf(self->words, sizeof(self->words),
                 "the server does not answer in time (timeout, connect_timeout, or the rule's "
                 "timeout)");
    else if (rc < 0)
        snprintf(self->words, sizeof(self->words), "poll: %s", strerror(errno));
    return rc > 0;
}

/* ---- connecting ---- */

/* The password of the passwords file for the host and user of conninfo. */
static bool look_up(const tr_self *self, char secret[SECRET_MAX])
{
    PQconninfoOption *parsed = PQconninfoParse(self->options.conninfo, NULL), *option;
    tr_str host = TR_STR("localhost"), user = {NULL, 0};
    bool found = false;
    size_t len = 0;

    for (option = parsed; option && option->keyword; option++) {
        tr_str value = tr_str_c(option->val);

        if (value.len > 0 && strcmp(option->keyword, "host") == 0)
            host = tr_str_n(value.ptr, strcspn(value.ptr, ","));
        else if (value.len > 0 && strcmp(option->keyword, "user") == 0)
            user = value;
    }
    if (user.len > 0 && self->secrets->password(self->host, host, user, secret, SECRET_MAX - 1,
                                                &len) == TR_OK) {
        secret[len] = '\0';
        found = true;
    }
    PQconninfoFree(parsed);
    return found;
}

static PGconn *begin(const tr_self *self)
{
    char secret[SECRET_MAX];
    const char *password = self->options.password;
    const char *keys[] = {"dbname", "client_encoding", "fallback_application_name", NULL, NULL};
    const char *values[] = {self->options.conninfo, "UTF8", "tailrace", NULL, NULL};
    PGconn *conn;

    if (!password && look_up(self, secret))
        password = secret;
    if (password) {
        keys[3] = "password";
        values[3] = password;
    }
    conn = PQconnectStartParams(keys, values, 1);
    explicit_bzero(secret, sizeof(secret));
    return conn;
}

static bool finish(tr_self *self, int64_t deadline_ms)
{
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;

    while (PQstatus(self->conn) != CONNECTION_BAD && next != PGRES_POLLING_OK &&
           next != PGRES_POLLING_FAILED) {
        if (!wait_for(self, next == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline_ms))
            return false;
        next = PQconnectPoll(self->conn);
    }
    if (PQstatus(self->conn) == CONNECTION_OK && PQsetnonblocking(self->conn, 1) == 0)
        return true;
    say_error(self, "cannot connect");
    return false;
}

static void take_notice(void *user, const char *text)
{
    const tr_self *self = user;

    tr_logf(self->host, TR_LOG_DEBUG, "%.*s", (int)strcspn(text, "\n"), text);
}

/* A number of this connection; that no statement runs on for ever; and that a commit is
 * durable, also where the server's default is another. */
static bool introduce(tr_self *self, int64_t deadline_ms)
{
    static const char sql[] =
        "SELECT md5(concat_ws(' ', random(), clock_timestamp(), pg_backend_pid()))::uuid, "
        "set_config('statement_timeout', $1, false), "
        "set_config('synchronous_commit', CASE current_setting('synchronous_commit') "
        "WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false)";
    int64_t left = deadline_ms - now_ms();
    struct params params = {.count = 0};
    char timeout[32];
    PGresult *result;

    if (left > self->options.timeout_ms)
        left = self->options.timeout_ms;
    snprintf(timeout, sizeof(timeout), "%d", left > 0 ? (int)left : 1);
    params_add_text(&params, timeout);
    tr_text_clear(&self->sql);
    tr_text_add_c(&self->sql, sql);
    result = session_run(self, &params, deadline_ms);
    if (result && PQntuples(result) == 1)
        snprintf(self->owner, sizeof(self->owner), "%s", PQgetvalue(result, 0, 0));
    return verdict_of(self, result) == VERDICT_DONE;
}

bool session_open(tr_self *self, int64_t deadline_ms)
{
    int64_t until = now_ms() + self->options.connect_timeout_ms;

    if (self->conn && PQstatus(self->conn) == CONNECTION_OK)
        return true;
    session_close(self);
    self->conn = begin(self);
    if (!self->conn) {
        snprintf(self->words, sizeof(self->words), "out of memory");
        return false;
    }
    PQsetNoticeProcessor(self->conn, take_notice, self);
    if (finish(self, until < deadline_ms ? until : deadline_ms) && introduce(self, deadline_ms))
        return true;
    session_close(self);
    return false;
}

/* ---- statements ---- */

enum { OID_UNKNOWN = 0, OID_TEXT_ARRAY = 1009 };

void params_add_text(struct params *params, const char *value)
{
    int i = params->count++;

    params->types[i] = OID_UNKNOWN;
    params->values[i] = value;
    params->lengths[i] = params->formats[i] = 0;
}

void params_add_array(struct params *params, const tr_text *array)
{
    int i = params->count++;

    params->types[i] = OID_TEXT_ARRAY;
    params->values[i] = array->ptr;
    params->lengths[i] = (int)array->len;
    params->formats[i] = 1;
}

/* All of it goes out, and the first of the answer is there. */
static bool exchange(tr_self *self, int64_t deadline_ms)
{
    int unsent = PQflush(self->conn);

    while (unsent > 0 || (unsent == 0 && PQisBusy(self->conn))) {
        if (!wait_for(self, unsent > 0 ? POLLIN | POLLOUT : POLLIN, deadline_ms))
            return false;
        if (PQconsumeInput(self->conn) != 1)
            break;
        unsent = PQflush(self->conn);
    }
    return true;
}

PGresult *session_run(tr_self *self, const struct params *params, int64_t deadline_ms)
{
    const char *sql = tr_text_end(&self->sql);
    PGresult *result = NULL, *next;

    if (!sql) {
        snprintf(self->words, sizeof(self->words), "out of memory");
        return NULL;
    }
    if (PQsendQueryParams(self->conn, sql, params->count, params->types, params->values,
                          params->lengths, params->formats, 0) != 1) {
        say_error(self, "cannot send");
        session_close(self);
        return NULL;
    }
    while (exchange(self, deadline_ms)) {
        next = PQgetResult(self->conn);
        if (!next) {
            if (PQstatus(self->conn) == CONNECTION_BAD)
                session_close(self);
            return result;
        }
        PQclear(result);
        result = next;
    }
    PQclear(result);
    session_close(self);
    return NULL;
}
