/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Easy handles: made once with everything that matters for security, then used for call after
 * call with only what differs set again. Loop thread.
 */
#include "http/pool.h"

#include "base/mem.h"

#include <strings.h>

/* libcurl copies these. A proxy or a CA that it has no memory for must not become none. */
static bool set_names(CURL *easy, const struct http_pool *pool)
{
    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROXY, pool->proxy) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NOPROXY, "") == CURLE_OK &&
           (!pool->ca_file ||
            (curl_easy_setopt(easy, CURLOPT_CAINFO, pool->ca_file) == CURLE_OK &&
             curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) == CURLE_OK));
}

/* What protects is said, not left to defaults that a distribution may change. */
static void set_security(CURL *easy, const struct http_pool *pool)
{
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L); /* call.c follows                  */
    curl_easy_setopt(easy, CURLOPT_UNRESTRICTED_AUTH, 0L);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, pool->insecure ? 0L : 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, pool->insecure ? 0L : 2L);
    curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    /* Else the end of a call would wait, and with it the loop, until its look-up has ended. */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
}

static void set_transport(CURL *easy, struct http_slot *slot)
{
    struct http_pool *pool = slot->pool;

    /* One connection a call: a paused call must stop no other. */
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, NULL);
    curl_easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 0L); /* answer.c keeps the time             */
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)pool->connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_SHARE, pool->share);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, pool->http->user_agent);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, http_socket_open);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, slot);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, http_socket_close);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, pool->http);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, http_take_head);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, slot);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, http_take_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, slot);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, http_give_body);
    curl_easy_setopt(easy, CURLOPT_READDATA, slot);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, http_begin_request);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, slot);
    curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, http_rewind_body);
    curl_easy_setopt(easy, CURLOPT_SEEKDATA, slot);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, slot->detail);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, slot);
}

struct http_slot *http_slot_new(struct http_pool *pool)
{
    struct http_slot *slot = mem_new(struct http_slot);

    slot->pool = pool;
    slot->timer.fire = http_slot_deadline;
    list_init(&slot->link);
    list_init(&slot->later_link);
    /* So much that the lines, which hold secrets, hardly ever move. */
    buf_reserve(&slot->lines, pool->direct ? 8192 : 2048);
    slot->parsed = curl_url();
    slot->easy = curl_easy_init();
    if (slot->easy && !(slot->parsed && set_names(slot->easy, pool))) {
        curl_easy_cleanup(slot->easy);
        slot->easy = NULL;
    }
    if (slot->easy) {
        set_security(slot->easy, pool);
        set_transport(slot->easy, slot);
    }
    return slot;
}

void http_slot_free(struct http_slot *slot)
{
    if (!slot)
        return;
    loop_clear_timer(slot->pool->http->loop, &slot->timer);
    curl_easy_cleanup(slot->easy);
    curl_url_cleanup(slot->parsed);
    buf_fini(&slot->parsed_url);
    explicit_bzero(slot->lines.ptr, slot->lines.cap);
    buf_fini(&slot->lines);
    buf_fini(&slot->url);
    buf_fini(&slot->body);
    buf_fini(&slot->head);
    free(slot->nodes);
    free(slot->next_url);
    free(slot);
}

/* ---- header lines: nodes of libcurl's list in an array, so that none is allocated ---- */

static void lines_begin(struct http_slot *slot)
{
    buf_clear(&slot->lines);
    slot->nodes_len = 0;
}

static void lines_add(struct http_slot *slot, tr_str name, const char *between, tr_str value)
{
    struct buf *lines = &slot->lines;

    if (slot->nodes_len == slot->nodes_cap) {
        slot->nodes_cap = slot->nodes_cap ? slot->nodes_cap * 2 : 16;
        slot->nodes = mem_resize(slot->nodes, slot->nodes_cap * sizeof(*slot->nodes));
    }
    slot->nodes_len++;
    buf_add_str(lines, name);
    buf_add_c(lines, between);
    buf_add_str(lines, value);
    buf_add_char(lines, '\0');
}

static struct curl_slist *lines_end(struct http_slot *slot)
{
    char *at = slot->lines.ptr;

    for (size_t i = 0; i < slot->nodes_len; i++) {
        slot->nodes[i].data = at;
        slot->nodes[i].next = i + 1 < slot->nodes_len ? &slot->nodes[i + 1] : NULL;
        at += strlen(at) + 1;
    }
    return slot->nodes_len ? slot->nodes : NULL;
}

/* What may go to a host that a redirect named, and that may not be the one it was meant for. */
static bool is_harmless(tr_str name)
{
    static const tr_str names[] = {{"Accept", 6},
                                   {"Content-Type", 12},
                                   {"Content-Encoding", 16},
                                   {"Idempotency-Key", 15},
                                   {"User-Agent", 10}};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (http_name_is(name, names[i]))
            return true;
    return false;
}

static void set_headers(struct http_slot *slot, tr_str basic, tr_str cookie)
{
    const struct http_call *call = slot->call;
    bool typed = false;

    lines_begin(slot);
    for (size_t i = 0; i < call->headers_count; i++) {
        const struct http_header *header = &call->headers[i];
        if (slot->elsewhere && !is_harmless(header->name))
            continue;
        if (http_name_is(header->name, STR("Content-Type")))
            typed = true;
        else if (http_name_is(header->name, STR("Authorization")))
            basic.len = 0;
        else if (http_name_is(header->name, STR("Cookie")))
            cookie.len = 0;
        /* libcurl's word for a header without a value is a semicolon. */
        lines_add(slot, header->name, header->value.len ? ": " : ";", header->value);
    }
    if (basic.len > 0 && cookie.len == 0)
        lines_add(slot, STR("Authorization"), ": ", basic);
    if (cookie.len > 0)
        lines_add(slot, STR("Cookie"), ": ", cookie);
    if (slot->method == METHOD_BODY) {
        lines_add(slot, STR("Expect"), ":", STR(""));
        if (!typed)
            lines_add(slot, STR("Content-Type"), ":", STR(""));
    }
    curl_easy_setopt(slot->easy, CURLOPT_HTTPHEADER, lines_end(slot));
}

/* ---- method and body ---- */

static bool has_body(const struct http_call *call)
{
    return call->source || call->body.len > 0;
}

static const char *verb_of(const struct http_slot *slot)
{
    const struct http_call *call = slot->call;

    if (slot->bodyless)
        return call->method && strcmp(call->method, "HEAD") == 0 ? "HEAD" : "GET";
    return call->method ? call->method : has_body(call) ? "POST" : "GET";
}

static enum http_method method_of(const struct http_slot *slot, const char *verb)
{
    if (strcmp(verb, "HEAD") == 0)
        return METHOD_HEAD;
    if (!slot->bodyless && has_body(slot->call))
        return METHOD_BODY;
    /* These say "Content-Length: 0" also when they have no body. */
    if (strcmp(verb, "POST") == 0 || strcmp(verb, "PUT") == 0 || strcmp(verb, "PATCH") == 0)
        return METHOD_BODY;
    return METHOD_GET;
}

bool http_slot_verb(const struct http_slot *slot, const char **ret_verb)
{
    *ret_verb = verb_of(slot);
    return method_of(slot, *ret_verb) == METHOD_BODY;
}

static bool set_method(struct http_slot *slot)
{
    const char *verb = verb_of(slot);
    enum http_method method = method_of(slot, verb);

    if (slot->method != method || strcmp(slot->verb, verb) != 0) {
        /* HTTPGET undoes POST and NOBODY. */
        curl_easy_setopt(slot->easy, CURLOPT_HTTPGET, 1L);
        if (method == METHOD_HEAD)
            curl_easy_setopt(slot->easy, CURLOPT_NOBODY, 1L);
        else if (method == METHOD_BODY)
            curl_easy_setopt(slot->easy, CURLOPT_POST, 1L);
        slot->method = METHOD_UNSET;
        if (curl_easy_setopt(slot->easy, CURLOPT_CUSTOMREQUEST,
                             method == METHOD_HEAD ? NULL : verb) != CURLE_OK)
            return false; /* a POST instead of a PUT is another question                   */
        slot->method = method;
        strcpy(slot->verb, verb);
    }
    if (method == METHOD_BODY && !slot->bodyless && slot->call->source) {
        curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDS, NULL); /* it asks then             */
        curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                         (curl_off_t)slot->call->source->length);
    } else if (method == METHOD_BODY) {
        tr_str body = slot->bodyless ? STR("") : slot->call->body;
        curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
        curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDS, body.len ? body.ptr : "");
    }
    return true;
}

/* libcurl 7.88 that has no memory for the query of a URL asks for the path alone, which is
 * another question; so it is told what to ask for. A proxy may want the URL whole: there it is
 * libcurl's to say. */
static bool set_target(struct http_slot *slot)
{
    const char *path = slot->url.ptr + slot->origin_len;
    const char *target = !slot->pool->proxy[0] && *path == '/' ? path : NULL;

    return curl_easy_setopt(slot->easy, CURLOPT_REQUEST_TARGET, target) == CURLE_OK;
}

/* A parsed URL saves libcurl a tenth of all its work on a small request. */
static bool set_url(struct http_slot *slot)
{
    if (slot->parsed_url.len > 0 && str_eq(buf_str(&slot->url), buf_str(&slot->parsed_url)))
        return true;
    buf_clear(&slot->parsed_url);
    if (curl_url_set(slot->parsed, CURLUPART_URL, slot->url.ptr, CURLU_PATH_AS_IS) != CURLUE_OK)
        return false; /* it must not go to the URL of the call before                      */
    if (!set_target(slot))
        return false;
    curl_easy_setopt(slot->easy, CURLOPT_URL, NULL); /* the text it made of the old one    */
    curl_easy_setopt(slot->easy, CURLOPT_CURLU, slot->parsed);
    buf_add_str(&slot->parsed_url, buf_str(&slot->url));
    return true;
}

static void set_connect_only(struct http_slot *slot, bool only)
{
    if (slot->connect_only == only)
        return;
    curl_easy_setopt(slot->easy, CURLOPT_CONNECT_ONLY, only ? 1L : 0L);
    curl_easy_setopt(slot->easy, CURLOPT_FRESH_CONNECT, only ? 1L : 0L);
    slot->connect_only = only;
}

bool http_slot_prepare_connect(struct http_slot *slot)
{
    set_connect_only(slot, true);
    curl_easy_setopt(slot->easy, CURLOPT_HTTPHEADER, NULL); /* slot->lines is not a list now */
    return set_url(slot);
}

bool http_slot_prepare(struct http_slot *slot, tr_str basic, tr_str cookie)
{
    uint32_t read_size = slot->call->read_size ? slot->call->read_size : 16384;

    set_connect_only(slot, false);
    if (slot->read_size != read_size) {
        curl_easy_setopt(slot->easy, CURLOPT_BUFFERSIZE, (long)read_size);
        slot->read_size = read_size;
    }
    if (!set_url(slot) || !set_method(slot))
        return false;
    set_headers(slot, basic, cookie);
    return true;
}
