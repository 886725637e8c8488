/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of a call can be sent at all. libcurl sends header values as they are, line ends and
 * all, so that a templated value could add headers or a second request. Loop thread.
 */
#include "http/pool.h"

#include <strings.h>

bool http_name_is(tr_str name, tr_str other)
{
    return name.len == other.len && strncasecmp(name.ptr, other.ptr, name.len) == 0;
}

static bool is_token_byte(char c)
{
    char letter = (char)(c | 0x20);

    return (letter >= 'a' && letter <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           (c != '\0' && strchr("!#$%&'*+.^_`|~", c));
}

static bool is_token(tr_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!is_token_byte(text.ptr[i]))
            return false;
    return text.len > 0;
}

/* ---- what most calls have in common ---- */

static bool is_like(const struct http_judged *judged, const struct http_call *call)
{
    const char *at = judged->names.ptr;

    if (!at || judged->count != call->headers_count)
        return false;
    for (size_t i = 0; i < call->headers_count; i++) {
        tr_str known = str_c(at);
        if (!str_eq(known, call->headers[i].name))
            return false;
        at += known.len + 1;
    }
    return true;
}

static void remember(struct http_judged *judged, const struct http_call *call, unsigned own)
{
    buf_clear(&judged->names);
    for (size_t i = 0; i < call->headers_count; i++) {
        buf_add_str(&judged->names, call->headers[i].name);
        buf_add_char(&judged->names, '\0');
    }
    judged->count = call->headers_count;
    judged->own = own;
}

/* ---- headers ---- */

const tr_str http_own_names[HTTP_OWN_LINES] = {
    [HTTP_HOST] = {"Host", 4},
    [HTTP_USER_AGENT] = {"User-Agent", 10},
    [HTTP_ACCEPT] = {"Accept", 6},
    [HTTP_AUTHORIZATION] = {"Authorization", 13},
};

static int check_name(tr_str name, struct error *error)
{
    /* How the body ends is libcurl's to say: two opinions are a smuggled request. */
    static const tr_str own[] = {
        {"Content-Length", 14}, {"Transfer-Encoding", 17},
        {"Connection", 10},     {"Expect", 6},
        {"Upgrade", 7},         {"TE", 2},
        {"Trailer", 7},
    };

    if (!is_token(name))
        return error_set(error, ERR_CONFIG,
                         "a header's name is empty or holds a byte that no name may hold");
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        if (http_name_is(name, own[i]))
            return error_set(error, ERR_CONFIG,
                             "the header %s is set by the client alone; "
                             "leave it out",
                             own[i].ptr);
    return 0;
}

/* The bits of http_call for those that stand in place of our own. */
static int check_names(const struct http_call *call, unsigned *ret_own, struct error *error)
{
    unsigned own = 0;

    for (size_t i = 0; i < call->headers_count; i++) {
        tr_str name = call->headers[i].name;
        int rc = check_name(name, error);
        if (rc < 0)
            return rc;
        if (http_name_is(name, http_own_names[HTTP_HOST]) && (own & HTTP_CALL_OWN(HTTP_HOST)))
            return error_set(error, ERR_CONFIG,
                             "the header Host is there twice; leave one out");
        for (unsigned k = 0; k < HTTP_OWN_LINES; k++)
            if (http_name_is(name, http_own_names[k]))
                own |= HTTP_CALL_OWN(k);
    }
    *ret_own = own;
    return 0;
}

static int check_values(const struct http_call *call, struct error *error)
{
    for (size_t i = 0; i < call->headers_count; i++)
        if (str_has_control(call->headers[i].value))
            return error_set(error, ERR_CONFIG,
                             "the header " STR_FMT " holds a line end or another control byte; "
                             "encode the value",
                             STR_ARG(call->headers[i].name));
    return 0;
}

int http_check_call(struct http_judged *judged, struct http_call *call, struct error *error)
{
    tr_str url = str_c(call->url), method = str_c(call->method);

    if (!call->url)
        return error_set(error, ERR_CONFIG, "a call without a URL");
    if (str_has_control(url) || str_find(url, ' ') < url.len) {
        struct url none;
        return url_parse(url, &none, error);
    }
    if (call->method &&
        (!is_token(method) || method.len > 31 || http_name_is(method, STR("CONNECT"))))
        return error_set(error, ERR_CONFIG, "\"%.40s\" is not a method of HTTP", call->method);
    if (!is_like(judged, call)) {
        unsigned own = 0;
        int rc = check_names(call, &own, error);
        if (rc < 0)
            return rc;
        remember(judged, call, own);
    }
    call->bits |= judged->own;
    return check_values(call, error);
}
