/* SPDX-License-Identifier: Apache-2.0 */
/*
 * URLs: taken apart once, put together safely, printed without secrets.
 *
 * Only absolute http and https URLs are taken. libcurl's own parser does the reading, so what
 * is checked here is what will be connected to. Whatever prints a URL prints it through
 * url_redact(): there is no other printer. Any thread.
 */
#ifndef HTTP_URL_H
#define HTTP_URL_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

#include <stdint.h>

/* Everything NUL-ended and on the heap; a zeroed struct url is an empty one. */
struct url {
    bool tls;       /* https                                                               */
    char *host;     /* lower case; odd spellings of IPv4 made plain; IPv6 without brackets */
    uint16_t port;  /* never 0: the scheme's when the URL has none                         */
    char *user;     /* decoded; NULL: the URL names none                                   */
    char *password; /* decoded; NULL: the URL has none. Wiped by url_fini()                */
    char *origin;   /* "https://host:port"; no default port, no user                       */
    char *path;     /* from its '/', encoded as it came                                    */
    char *query;    /* behind the '?', encoded as it came; NULL: none                      */
};

/* ERR_CONFIG when it is not one; the message shows the URL redacted. */
int url_parse(tr_str text, struct url *ret_url, struct error *error);
void url_fini(struct url *url);

/* "https://tailrace@host:port" + path + query, with the user and without the password: what
 * http_call.url wants (the password is looked up again by host and user; one that stood in the
 * URL itself is put back). Appended to `out`. */
void url_write(const struct url *url, struct buf *out);

/* Where `location` points, as an answer from `base` says it: absolute, without user and
 * fragment, since whoever sends elsewhere does not say as whom. NULL: nowhere. Freed with
 * free(). */
char *url_resolve(const char *base, const char *location);

/*
 * The URL of something below `base`: /base-path/DATABASE/REST?QUERY. `database` is a name and
 * is encoded as one segment (so "a/b" is a%2Fb); `rest` ("_changes", "_local/abc") and `query`
 * ("feed=normal&since=0") are encoded already; each may be empty. Form as url_write(); a query
 * of the base goes away. Appended to `out`.
 */
void url_join(const struct url *base, tr_str database, tr_str rest, tr_str query,
              struct buf *out);

/* Appends `text` as one path segment or query value: all but A-Z a-z 0-9 - . _ ~ as %XX, and
 * "." and ".." too, which would else walk the path. */
void url_encode(struct buf *out, tr_str text);

/* The reverse, into the arena; a % that is no %XX stays as it is. */
tr_str url_decode(tr_str text, struct arena *arena);

/* Appends the URL as a person may see it: the password is "***", and so is the value of every
 * query parameter whose name smells of a secret (token, key, sig, pass, secret, auth, code…); a
 * fragment is left out. Takes any text, also one that is no URL, and errs on hiding too much.
 */
void url_redact(struct buf *out, tr_str text);

#endif
