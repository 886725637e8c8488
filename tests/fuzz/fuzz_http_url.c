/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a URL, as a database's name, as a seq, and as what stands behind them: whatever
 * is put together goes to the host of the URL, on one line; and a password is never shown.
 *
 * The input: the URL, up to the first LF; the name, up to the next; the rest is the seq.
 */
#include "base/arena.h"
#include "feed/changes_request.h"
#include "fuzz.h"
#include "http/url.h"
#include "json/tree.h"
#include "json/value.h"

static void must_be_the_same(const struct url *url, const struct url *again)
{
    MUST(again->tls == url->tls && again->port == url->port);
    MUST(strcmp(again->host, url->host) == 0);
    MUST(strcmp(again->origin, url->origin) == 0);
    MUST(strcmp(again->path, url->path) == 0);
}

static bool has(tr_str text, const char *what)
{
    return what && text.len > 0 && memmem(text.ptr, text.len, what, strlen(what));
}

/* The text as it was written, with "***" for the password: a short one may stand in the rest by
 * chance, as "tps" does in "https", and "x:" in "xx:". */
static void add_others(struct buf *out, tr_str text)
{
    const char *slashes = memmem(text.ptr, text.len, "://", 3), *at, *colon;
    size_t from = slashes ? (size_t)(slashes - text.ptr) + 3 : 0;
    tr_str rest = str_from(text, from);
    size_t len = 0;

    while (len < rest.len && !memchr("/?#", rest.ptr[len], 3))
        len++;
    at = memrchr(rest.ptr, '@', len);
    colon = at ? memchr(rest.ptr, ':', (size_t)(at - rest.ptr)) : NULL;
    if (!colon)
        colon = at = rest.ptr;
    buf_add(out, text.ptr, (size_t)(colon - text.ptr) + (colon != at));
    buf_add_c(out, "***");
    buf_add(out, at, (size_t)(text.ptr + text.len - at));
}

static bool is_there_by_chance(tr_str text, const struct url *url)
{
    struct buf others = {0};
    bool is;

    add_others(&others, text);
    is = has(buf_str(&others), url->password) || has(str_c(url->origin), url->password);
    buf_fini(&others);
    return is;
}

static bool is_json(tr_str text)
{
    tr_json_value *tree = NULL;
    bool is = text.len > 0 && !memchr(text.ptr, '\0', text.len) && /* json/tree.h tells why */
              json_tree_parse(text, &tree, NULL) == TR_OK;

    json_tree_free(tree);
    return is;
}

static void written_and_read(const struct url *url)
{
    struct buf text = {0};
    struct url again = {0};

    url_write(url, &text);
    MUST(fuzz_is_one_line(buf_str(&text)));
    MUST(url_parse(buf_str(&text), &again, NULL) == 0);
    must_be_the_same(url, &again);
    MUST(!again.password == !url->password);
    MUST(!url->password || strcmp(again.password, url->password) == 0);
    url_fini(&again);
    buf_fini(&text);
}

/* What a feed asks for: the host, the database and the seq are those that were given. */
static void asked_for(const struct url *url, tr_str db, tr_str since, bool live)
{
    struct changes_request request = {0};
    struct feed_query query = changes_query_complete(
        &(struct feed_query){.include_docs = true});
    tr_str text, path, value, name;
    struct url again = {0};
    struct arena arena;

    arena_init(&arena, 1024);
    changes_request_write(&request, &query, url, db, since, live);
    text = buf_str(&request.url);
    MUST(fuzz_is_one_line(text));
    MUST(url_parse(text, &again, NULL) == 0);
    MUST(strcmp(again.origin, url->origin) == 0);
    path = str_c(again.path);
    MUST(path.len > 9 && memcmp(path.ptr + path.len - 9, "/_changes", 9) == 0);
    name = str_n(path.ptr, path.len - 9);
    while (name.len > 0 && memchr(name.ptr, '/', name.len))
        name = str_from(name, (size_t)((char *)memchr(name.ptr, '/', name.len) - name.ptr) + 1);
    MUST(str_eq(url_decode(name, &arena), db));
    value.ptr = again.query ? strstr(again.query, "since=") : NULL;
    MUST(value.ptr);
    value = str_n(value.ptr + 6, strcspn(value.ptr + 6, "&"));
    if (json_type_of(since) != JSON_STRING)
        MUST(str_eq(url_decode(value, &arena), since));
    url_fini(&again);
    changes_request_fini(&request);
    arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tr_str rest, db, since, text = str_cut(str_n((const char *)data, size), '\n', &rest);
    struct buf shown = {0};
    struct url url = {0};
    struct error error = {0};

    db = str_cut(rest, '\n', &since);
    url_redact(&shown, text);
    if (url_parse(text, &url, &error) < 0) {
        MUST(error.text[0]);
        buf_fini(&shown);
        return 0;
    }
    MUST(fuzz_is_one_line(str_c(url.origin)) && fuzz_is_one_line(str_c(url.path)));
    MUST(url.host[0] && !strpbrk(url.host, "/?#@\\ "));
    if (url.password && strlen(url.password) > 3 && !is_there_by_chance(text, &url))
        MUST(!has(buf_str(&shown), url.password));
    written_and_read(&url);
    if (db.len > 0 && is_json(since)) {
        asked_for(&url, db, since, false);
        asked_for(&url, db, since, true);
    }
    url_fini(&url);
    buf_fini(&shown);
    return 0;
}
