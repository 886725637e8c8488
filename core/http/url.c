/* SPDX-License-Identifier: Apache-2.0 */
/*
 * URLs: parsing by libcurl's URL interface, joining, and the one printer that redacts. Called
 * when sources and plugins are configured, and for every line of log that names a URL. Any
 * thread.
 */
#include "http/url.h"

#include "base/mem.h"

#include <ctype.h>
#include <curl/curl.h>
#include <strings.h>

enum { URL_MAX = 16384 };

static void wipe(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

void url_fini(struct url *url)
{
    free(url->host);
    free(url->user);
    wipe(url->password);
    free(url->origin);
    free(url->path);
    free(url->query);
    *url = (struct url){0};
}

static int refuse(tr_str text, const char *why, struct error *error)
{
    struct buf shown = {0};
    int rc;

    url_redact(&shown, text);
    rc = error_set(error, ERR_CONFIG, "\"%.200s\" is not a URL to be used: %s",
                   buf_str(&shown).ptr, why);
    buf_fini(&shown);
    return rc;
}

/* ---- libcurl's word ---- */

static CURLU *new_handle(void)
{
    CURLU *handle = curl_url();

    if (!handle)
        mem_exhausted();
    return handle;
}

/* Not having had the memory for a URL says nothing of the URL. */
static CURLUcode told(CURLUcode code)
{
    if (code == CURLUE_OUT_OF_MEMORY)
        mem_exhausted();
    return code;
}

/* ---- taking apart ---- */

static bool says_none(CURLUcode code)
{
    return code == CURLUE_NO_SCHEME || code == CURLUE_NO_HOST || code == CURLUE_NO_PORT ||
           code == CURLUE_NO_USER || code == CURLUE_NO_PASSWORD || code == CURLUE_NO_QUERY;
}

/* A part as a string of ours, or NULL: the URL has none, or it cannot be had, and *why says why
 * not. What cannot be had must not pass for none, as a password would. */
static char *part(CURLU *handle, CURLUPart which, unsigned flags, const char **why)
{
    char *text = NULL, *copy = NULL;
    CURLUcode code = told(curl_url_get(handle, which, &text, flags));

    if (code == CURLUE_OK && text) {
        copy = str_dup(str_c(text));
        explicit_bzero(text, strlen(text));
    } else if (!says_none(code)) {
        *why = curl_url_strerror(code);
    }
    curl_free(text);
    return copy;
}

static void lower(char *text)
{
    for (; *text; text++)
        *text = (char)tolower((unsigned char)*text);
}

static void make_origin(struct url *url)
{
    struct buf out = {0};
    bool six = strchr(url->host, ':') != NULL;

    buf_addf(&out, "%s://%s%s%s", url->tls ? "https" : "http", six ? "[" : "", url->host,
             six ? "]" : "");
    if (url->port != (url->tls ? 443 : 80))
        buf_addf(&out, ":%u", (unsigned)url->port);
    url->origin = str_dup(buf_str(&out));
    buf_fini(&out);
}

/* Why it is not to be used, or NULL. */
static const char *judge(const struct url *url, const char *scheme, long port)
{
    if (!url->tls && (!scheme || strcasecmp(scheme, "http") != 0))
        return "it does not begin with http:// or https://";
    if (!url->host || !url->host[0])
        return "it names no host";
    for (const char *at = url->host; *at; at++) /* libcurl has taken the percents out */
        if ((unsigned char)*at <= 0x20 || *at == 0x7f)
            return "its host holds a space or control byte";
    if (port < 1 || port > 65535)
        return "its port is not one of 1 to 65535";
    return NULL;
}

static const char *take_apart(CURLU *handle, struct url *url)
{
    const char *why = NULL;
    char *scheme = part(handle, CURLUPART_SCHEME, 0, &why);
    char *port = part(handle, CURLUPART_PORT, CURLU_DEFAULT_PORT, &why);
    long number = port ? strtol(port, NULL, 10) : 0;

    url->tls = scheme && strcasecmp(scheme, "https") == 0;
    url->host = part(handle, CURLUPART_HOST, 0, &why);
    if (!why)
        why = judge(url, scheme, number);
    free(scheme);
    free(port);
    if (why)
        return why;
    if (url->host[0] == '[') {
        size_t len = strlen(url->host);
        memmove(url->host, url->host + 1, len - 2);
        url->host[len - 2] = '\0';
    }
    lower(url->host);
    url->port = (uint16_t)number;
    url->user = part(handle, CURLUPART_USER, CURLU_URLDECODE, &why);
    url->password = part(handle, CURLUPART_PASSWORD, CURLU_URLDECODE, &why);
    url->path = part(handle, CURLUPART_PATH, 0, &why);
    url->query = part(handle, CURLUPART_QUERY, 0, &why);
    make_origin(url);
    return why;
}

/* libcurl takes the percents out of a host when it has looked at it. So "%2541" and "%3127" are
 * another host to the next who reads what was written of it: an A, and an address. */
static bool is_plain_host(CURLU *handle, const struct url *url)
{
    const char *why = NULL;
    char *host = NULL;
    bool is;

    if (told(curl_url_set(handle, CURLUPART_URL, url->origin, 0)) == CURLUE_OK)
        host = part(handle, CURLUPART_HOST, 0, &why);
    is = host && (host[0] == '[' || strcmp(host, url->host) == 0);
    free(host);
    return is;
}

/* libcurl takes one to three, others take them for something else. */
static bool has_odd_slashes(tr_str text)
{
    size_t count = 0;
    tr_str rest;

    (void)str_cut(text, ':', &rest);
    while (count < rest.len && rest.ptr[count] == '/')
        count++;
    return count > 0 && count != 2;
}

int url_parse(tr_str text, struct url *ret_url, struct error *error)
{
    struct url url = {0};
    CURLU *handle;
    CURLUcode code;
    const char *why;
    char *copy;

    if (text.len == 0 || text.len > URL_MAX)
        return refuse(text, text.len ? "it is too long" : "it is empty", error);
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] <= 0x20 || text.ptr[i] == 0x7f)
            return refuse(text, "it holds a space or control byte; percent-encode it", error);
    if (has_odd_slashes(text))
        return refuse(text, "two slashes, no more, have to stand before the host", error);
    handle = new_handle();
    copy = str_dup(text);
    code = told(curl_url_set(handle, CURLUPART_URL, copy, CURLU_PATH_AS_IS));
    wipe(copy);
    if (code != CURLUE_OK)
        why = curl_url_strerror(code);
    else
        why = take_apart(handle, &url);
    if (!why && memchr(text.ptr, '%', text.len) && !is_plain_host(handle, &url))
        why = "its host is another to who reads it again; write it without percents";
    curl_url_cleanup(handle);
    if (why) {
        url_fini(&url);
        return refuse(text, why, error);
    }
    *ret_url = url;
    return 0;
}

/* ---- putting together ---- */

char *url_resolve(const char *base, const char *location)
{
    CURLU *handle = new_handle();
    char *text = NULL, *where = NULL;

    if (told(curl_url_set(handle, CURLUPART_URL, base, CURLU_PATH_AS_IS)) == CURLUE_OK &&
        told(curl_url_set(handle, CURLUPART_URL, location,
                          CURLU_PATH_AS_IS | CURLU_URLENCODE)) == CURLUE_OK) {
        curl_url_set(handle, CURLUPART_USER, NULL, 0);
        curl_url_set(handle, CURLUPART_PASSWORD, NULL, 0);
        curl_url_set(handle, CURLUPART_FRAGMENT, NULL, 0);
        (void)told(curl_url_get(handle, CURLUPART_URL, &text, 0));
    }
    if (text)
        where = str_dup(str_c(text));
    curl_free(text);
    curl_url_cleanup(handle);
    return where;
}

static bool is_plain(unsigned char c)
{
    return isalnum(c) ? c < 0x80 : c == '-' || c == '.' || c == '_' || c == '~';
}

void url_encode(struct buf *out, tr_str text)
{
    static const char hex[] = "0123456789ABCDEF";
    bool dots = str_eq(text, STR(".")) || str_eq(text, STR(".."));

    buf_reserve(out, text.len * 3);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (is_plain(c) && !dots)
            out->ptr[out->len++] = (char)c;
        else {
            out->ptr[out->len++] = '%';
            out->ptr[out->len++] = hex[c >> 4];
            out->ptr[out->len++] = hex[c & 15];
        }
    }
    out->ptr[out->len] = '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

tr_str url_decode(tr_str text, struct arena *arena)
{
    char *out = arena_alloc(arena, text.len + 1);
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        int high = text.ptr[i] == '%' && i + 2 < text.len ? hex_value(text.ptr[i + 1]) : -1;
        int low = high >= 0 ? hex_value(text.ptr[i + 2]) : -1;
        out[len++] = low >= 0 ? (char)(high * 16 + low) : text.ptr[i];
        i += low >= 0 ? 2 : 0;
    }
    out[len] = '\0';
    return str_n(out, len);
}

/* The origin with the user in it. */
static void write_origin(const struct url *url, struct buf *out)
{
    const char *host = strstr(url->origin, "://") + 3;

    buf_add(out, url->origin, (size_t)(host - url->origin));
    if (url->user || url->password) {
        url_encode(out, str_c(url->user));
        if (url->password) {
            buf_add_char(out, ':');
            url_encode(out, str_c(url->password));
        }
        buf_add_char(out, '@');
    }
    buf_add_c(out, host);
}

void url_write(const struct url *url, struct buf *out)
{
    write_origin(url, out);
    buf_add_c(out, url->path);
    if (url->query)
        buf_addf(out, "?%s", url->query);
}

void url_join(const struct url *base, tr_str database, tr_str rest, tr_str query,
              struct buf *out)
{
    tr_str path = str_c(base->path);

    while (path.len > 0 && path.ptr[path.len - 1] == '/')
        path.len--;
    write_origin(base, out);
    buf_add_str(out, path);
    if (database.len > 0) {
        buf_add_char(out, '/');
        url_encode(out, database);
    }
    if (rest.len > 0 || database.len == 0) {
        buf_add_char(out, '/');
        buf_add_str(out, rest);
    }
    if (query.len > 0) {
        buf_add_char(out, '?');
        buf_add_str(out, query);
    }
}

/* ---- the printer ---- */

static bool smells(tr_str name)
{
    static const char *const words[] = {"pass", "token", "key",  "secret", "sig", "auth",
                                        "code", "cred",  "hash", "jwt",    "sas", "session"};

    for (size_t w = 0; w < sizeof(words) / sizeof(words[0]); w++) {
        size_t len = strlen(words[w]);
        for (size_t at = 0; at + len <= name.len; at++)
            if (strncasecmp(name.ptr + at, words[w], len) == 0)
                return true;
    }
    /* A name that is encoded hides its smell. */
    return str_find(name, '%') < name.len;
}

static void redact_query(struct buf *out, tr_str query)
{
    for (bool first = true; query.len > 0; first = false) {
        tr_str pair = str_cut(query, '&', &query), value;
        tr_str name = str_cut(pair, '=', &value);
        buf_add_char(out, first ? '?' : '&');
        buf_add_str(out, name);
        if (name.len == pair.len)
            continue;
        buf_add_char(out, '=');
        if (smells(name))
            buf_add_c(out, "***");
        else
            buf_add_str(out, value);
    }
}

static size_t find_any(tr_str s, const char *set)
{
    size_t at = 0;

    while (at < s.len && !(s.ptr[at] && strchr(set, s.ptr[at])))
        at++;
    return at;
}

static bool is_port(tr_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!isdigit((unsigned char)s.ptr[i]))
            return false;
    return true;
}

/* Where the user part ends: behind its '@', or 0. A password that holds a raw '/', '?' or '#'
 * ends the authority too early for a parser; what stands before the last '@' is hidden then
 * too. */
static size_t user_end(tr_str rest)
{
    size_t authority = find_any(rest, "/?#"), colon, at;

    for (at = authority; at > 0; at--)
        if (rest.ptr[at - 1] == '@')
            return at;
    colon = str_find(rest, ':');
    if (rest.ptr == NULL || rest.len == 0 || rest.ptr[0] == '[' || colon >= authority ||
        is_port(str_n(rest.ptr + colon + 1, authority - colon - 1)))
        return 0;
    for (at = rest.len; at > 0; at--)
        if (rest.ptr[at - 1] == '@')
            return at;
    return 0;
}

/* Behind "http:" and its slashes, one or many; or 0. */
static size_t scheme_end(tr_str text)
{
    size_t at = str_find(text, ':') + 1;

    if (at > 16 || at >= text.len || text.ptr[at] != '/')
        return 0;
    while (at < text.len && text.ptr[at] == '/')
        at++;
    return at;
}

void url_redact(struct buf *out, tr_str text)
{
    tr_str rest, user, fragment;
    size_t end, query;

    end = scheme_end(text);
    buf_add(out, text.ptr, end);
    rest = str_from(text, end);
    end = user_end(rest);
    if (end > 0) {
        user = str_cut(str_n(rest.ptr, end - 1), ':', &fragment);
        buf_add_str(out, user);
        buf_add_c(out, user.len < end - 1 ? ":***@" : "@");
        rest = str_from(rest, end);
    }
    rest = str_cut(rest, '#', &fragment);
    query = str_find(rest, '?');
    buf_add(out, rest.ptr, query);
    if (query < rest.len)
        redact_query(out, str_from(rest, query + 1));
}
