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

static int check_header(const struct http_header *header, struct error *error)
{
    /* How the body ends is libcurl's to say: two opinions are a smuggled request. */
    static const tr_str own[] = {
        {"Content-Length", 14}, {"Transfer-Encoding", 17},
        {"Connection", 10},     {"Expect", 6},
        {"Upgrade", 7},         {"TE", 2},
        {"Trailer", 7},
    };

    if (!is_token(header->name))
        return error_set(error, ERR_CONFIG,
                         "a header's name is empty or holds a byte that no name may hold");
    if (str_has_control(header->value))
        return error_set(error, ERR_CONFIG,
                         "the header " STR_FMT " holds a line end or another control byte; "
                         "encode the value",
                         STR_ARG(header->name));
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        if (http_name_is(header->name, own[i]))
            return error_set(error, ERR_CONFIG,
                             "the header %s is set by the client alone; "
                             "leave it out",
                             own[i].ptr);
    return 0;
}

int http_check_call(const struct http_call *call, struct error *error)
{
    tr_str url = str_c(call->url), method = str_c(call->method);
    int hosts = 0;

    if (!call->url)
        return error_set(error, ERR_CONFIG, "a call without a URL");
    if (str_has_control(url) || str_find(url, ' ') < url.len) {
        struct url none;
        return url_parse(url, &none, error);
    }
    if (call->method &&
        (!is_token(method) || method.len > 31 || http_name_is(method, STR("CONNECT"))))
        return error_set(error, ERR_CONFIG, "\"%.40s\" is not a method of HTTP", call->method);
    for (size_t i = 0; i < call->headers_count; i++) {
        int rc = check_header(&call->headers[i], error);
        if (rc < 0)
            return rc;
        hosts += http_name_is(call->headers[i].name, STR("Host"));
    }
    if (hosts > 1)
        return error_set(error, ERR_CONFIG, "the header Host is there twice; leave one out");
    return 0;
}
