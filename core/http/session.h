/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions: a cookie login for a CouchDB source, instead of a password with every request.
 *
 * POST BASE/_session gives an AuthSession cookie; calls of the pool to BASE's origin carry it.
 * The cookie stays in memory. It is renewed before it ends (half of its known age) and once
 * when a call is answered 401: that call is sent again and its owner sees the second answer
 * only. Calls that start meanwhile wait for the one login.
 *
 * Without a session the default holds: Basic, when the URL names a user. Loop thread.
 */
#ifndef HTTP_SESSION_H
#define HTTP_SESSION_H

#include "http/client.h"

struct session;

/*
 * Calls of `pool` whose URL is of `base`'s origin are signed from now on; free the session
 * before the pool. `base` names the user; the password comes from the pool's secrets at each
 * login. `age_ms` is how long a cookie holds where the server does not say; 0: CouchDB's 10
 * minutes. ERR_CONFIG: the URL is none, or names no user.
 */
int session_new(struct http_pool *pool, const char *base, int64_t age_ms,
                struct session **ret_session, struct error *error);
void session_free(struct session *session);

enum session_state {
    SESSION_NONE,    /* no call needed one yet, or it ended                                */
    SESSION_LOGIN,   /* being asked for                                                    */
    SESSION_OPEN,    /* there is a cookie                                                  */
    SESSION_REFUSED, /* name or password is wrong: next try after a backoff of up to 5 min;
                        until then calls end HTTP_UNAUTHORIZED at once                     */
    SESSION_FAILED   /* the login got no proper answer: calls end HTTP_FAILED until then   */
};

/* For status. *ret_error says what the last login failed of; "" when it did not. */
enum session_state session_get_state(const struct session *session, const char **ret_error);

/* Forgets a refusal, after the passwords file was loaded again. */
void session_retry(struct session *session);

#endif
