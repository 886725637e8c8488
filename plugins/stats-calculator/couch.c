/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The figures in a document of a CouchDB:
 *
 *     GET, with its conflicts ──▶ PUT, if it says something else ──▶ DELETE each loser
 *      ▲                           │
 *      └──── 409: it has changed ──┘
 *
 * The member "stats" is the plugin's; all others are whoever's made them, and are kept as they
 * are, attachments too. What someone writes into "stats" lasts until the figures are published
 * next. Of several revisions after a replication the winner is the one that goes on; the losers
 * are deleted, with what others wrote into them. Worker.
 */
#include "stats.h"

#include <tailrace/scan.h>

enum { TRIES_MAX = 8 };

static void ask(tr_self *self);
static void delete_next(tr_self *self);

/* ---- the URL ---- */

static int hex_of(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static char *decode(const char *text, size_t len)
{
    char *out = malloc(len + 1), *to = out;

    for (size_t i = 0; out && i < len; i++)
        if (text[i] == '%' && i + 2 < len && hex_of(text[i + 1]) >= 0 &&
            hex_of(text[i + 2]) >= 0) {
            *to++ = (char)(hex_of(text[i + 1]) << 4 | hex_of(text[i + 2]));
            i += 2;
        } else {
            *to++ = text[i];
        }
    if (out)
        *to = '\0';
    return out;
}

tr_status couch_check(const char *url, char **ret_db, tr_error *error)
{
    const char *host = strstr(url, "://"), *path, *end, *name;

    path = host ? strchr(host + 3, '/') : NULL;
    end = url + strlen(url);
    while (path && end > path && end[-1] == '/')
        end--;
    for (name = end; path && name > path && name[-1] != '/';)
        name--;
    if (!path || name >= end || strpbrk(url, "?#"))
        return tr_fail(error, TR_EINVAL,
                       "publish.url: \"%.150s\" is not the URL of a database; write "
                       "http(s)://USER@HOST/DATABASE",
                       url);
    *ret_db = decode(name, (size_t)(end - name));
    return *ret_db ? TR_OK : tr_fail(error, TR_EAGAIN, "out of memory");
}

bool couch_is_own(const tr_self *self, tr_str db, tr_str id)
{
    const struct options *options = &self->options;

    return options->url && tr_str_eq(id, tr_str_c(options->document)) &&
           tr_str_eq(db, tr_str_c(options->own_db));
}

/* ---- requests ---- */

static void fail(tr_self *self, const char *what, const tr_http_response *response)
{
    char why[WHY_BYTES], shown[120];
    tr_str reason = tr_scan_find(response->body, "reason");

    if (response->status == 0)
        reason = response->error;
    else if (reason.len > 2)
        reason = tr_str_n(reason.ptr + 1, reason.len - 2);
    tr_text_show(reason, shown, sizeof(shown));
    snprintf(why, sizeof(why), "%s of the document %.80s: %d%s%s", what, self->options.document,
             (int)response->status, shown[0] ? ": " : "", shown);
    publish_done(self, why);
}

/* To the document, with what stands behind its id. */
static void send(tr_self *self, const char *method, const char *query, tr_str rev, tr_str body,
                 void (*done)(void *user, const tr_http_response *response))
{
    static const tr_http_header json = {.name = {"Content-Type", 12},
                                        .value = {"application/json", 16}};
    struct publisher *publisher = &self->publisher;
    tr_text *url = &publisher->url;
    tr_http_request request = {.size = sizeof(request),
                               .timeout_ms = (uint32_t)self->options.timeout_ms,
                               .method = tr_str_c(method),
                               .headers = &json,
                               .headers_count = 1,
                               .body = body,
                               .user = self,
                               .done = done};

    tr_text_clear(url);
    tr_text_add_c(url, self->options.url);
    while (url->len > 0 && url->ptr[url->len - 1] == '/')
        url->len--;
    tr_text_add_c(url, "/");
    tr_text_add_percent(url, tr_str_c(self->options.document));
    tr_text_add_c(url, query);
    tr_text_add_percent(url, rev);
    request.url = tr_text_str(url);
    publisher->request = 0;
    if (url->failed || self->http->send(self->client, &request, &publisher->request) != TR_OK) {
        publisher->request = 0;
        publish_done(self, "the request cannot be sent");
    }
}

/* ---- what is there ---- */

/* Whether a member of the document is of CouchDB's making, or the plugin's. */
static bool is_replaced(tr_str key)
{
    if (tr_str_eq(key, TR_STR("_attachments")))
        return false;
    return (key.len > 0 && key.ptr[0] == '_') || tr_str_eq(key, TR_STR("stats"));
}

static void make_body(tr_self *self, tr_str there)
{
    tr_text *body = &self->publisher.body;
    tr_str rev = tr_scan_find(there, "_rev"), key, value;
    tr_scan scan;

    tr_text_clear(body);
    tr_text_add_c(body, "{\"_id\":");
    tr_text_add_string(body, self->json, tr_str_c(self->options.document));
    if (rev.len > 0) {
        tr_text_add_c(body, ",\"_rev\":");
        tr_text_add(body, rev);
    }
    if (tr_scan_open(&scan, there, '{'))
        while (tr_scan_next(&scan, &key, &value) == 1)
            if (!is_replaced(key)) {
                tr_text_add_c(body, ",\"");
                tr_text_add(body, key);
                tr_text_add_c(body, "\":");
                tr_text_add(body, value);
            }
    tr_text_add_c(body, ",\"stats\":");
    tr_text_add(body, tr_text_str(&self->publisher.page));
    tr_text_add_c(body, "}");
}

/* ---- losers ---- */

static void deleted(void *user, const tr_http_response *response)
{
    tr_self *self = user;

    self->publisher.request = 0;
    if (response->status / 100 == 2 || response->status == 404 || response->status == 409)
        delete_next(self);
    else
        fail(self, "deleting a conflict", response);
}

static void delete_next(tr_self *self)
{
    struct publisher *publisher = &self->publisher;
    tr_str rest = tr_text_str(&publisher->losers), key, rev;
    tr_scan scan;
    size_t at = 0;

    if (tr_scan_open(&scan, rest, '['))
        while (tr_scan_next(&scan, &key, &rev) == 1)
            if (at++ == publisher->losers_at && rev.len > 2) {
                publisher->losers_at++;
                send(self, "DELETE", "?rev=", tr_str_n(rev.ptr + 1, rev.len - 2),
                     tr_str_n(NULL, 0), deleted);
                return;
            }
    publish_done(self, NULL);
}

/* ---- writing ---- */

static void written(void *user, const tr_http_response *response)
{
    tr_self *self = user;

    self->publisher.request = 0;
    if (response->status == 201 || response->status == 202)
        delete_next(self);
    else if (response->status == 409 && ++self->publisher.tries < TRIES_MAX)
        ask(self);
    else
        fail(self, "writing", response);
}

static void found(void *user, const tr_http_response *response)
{
    tr_self *self = user;
    struct publisher *publisher = &self->publisher;
    tr_str there = response->body;

    publisher->request = 0;
    if (response->status == 404)
        there = tr_str_n(NULL, 0);
    else if (response->status != 200 || !tr_scan_is_whole(there, '{')) {
        fail(self, "reading", response);
        return;
    }
    tr_text_clear(&publisher->losers);
    tr_text_add(&publisher->losers, tr_scan_find(there, "_conflicts"));
    publisher->losers_at = 0;
    if (tr_str_eq(tr_scan_find(there, "stats"), tr_text_str(&publisher->page))) {
        delete_next(self);
        return;
    }
    make_body(self, there);
    if (publisher->body.failed || publisher->losers.failed)
        publish_done(self, "out of memory");
    else
        send(self, "PUT", "", tr_str_n(NULL, 0), tr_text_str(&publisher->body), written);
}

static void ask(tr_self *self)
{
    send(self, "GET", "?conflicts=true", tr_str_n(NULL, 0), tr_str_n(NULL, 0), found);
}

void couch_send(tr_self *self)
{
    self->publisher.tries = 0;
    ask(self);
}
