/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of a call can be sent at all. libcurl sends header values as they are, line ends and
 * all, so that a templated value could add headers or a second request. Loop thread.
 */
#include "http/pool.h"

#include <strings.h>

bool http_name_is(tr_str name, const char *other)
{
    return name.len == strlen(other) && strncasecmp(name.ptr, other, name.len) == 0;
}

static bool is_token(tr_str text)
{
    /* A bit for each byte from 0x20 to 0x7f that may stand in a name. */
    static const uint32_t may[] = {0x03ff6cfa, 0xc7fffffe, 0x57ffffff};

    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < 0x20 || c > 0x7f || !(may[(c - 0x20) / 32] >> (c & 31) & 1))
            return false;
    }
    return text.len > 0;
}

static bool has_control(tr_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
            return true;
    return false;
}

static int check_header(const struct http_header *header, struct error *error)
{
    /* How the body ends is libcurl's to say: two opinions are a smuggled request. */
    static const char *const own[] = {"Content-Length", "Transfer-Encoding", "Connection",
                                      "Expect",         "Upgrade",           "TE",
                                      "Trailer"};

    if (!is_token(header->name))
        return error_set(error, ERR_CONFIG,
                         "a header's name is empty or holds a byte that no name may hold");
    if (has_control(header->value))
        return error_set(error, ERR_CONFIG,
                         "the header " STR_FMT " holds a line end or another control byte; "
                         "encode the value",
                         STR_ARG(header->name));
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        if (http_name_is(header->name, own[i]))
            return error_set(error, ERR_CONFIG,
                             "the header %s is set by the client alone; "
                             "leave it out",
                             own[i]);
    return 0;
}

int http_check_call(const struct http_call *call, struct error *error)
{
    int hosts = 0;

    if (!call->url)
        return error_set(error, ERR_CONFIG, "a call without a URL");
    for (const char *at = call->url; *at; at++)
        if ((unsigned char)*at <= 0x20 || *at == 0x7f) {
            struct url none;
            return url_parse(str_c(call->url), &none, error);
        }
    if (call->method && (!is_token(str_c(call->method)) || strlen(call->method) > 31 ||
                         http_name_is(str_c(call->method), "CONNECT")))
        return error_set(error, ERR_CONFIG, "\"%.40s\" is not a method of HTTP", call->method);
    for (size_t i = 0; i < call->headers_count; i++) {
        int rc = check_header(&call->headers[i], error);
        if (rc < 0)
            return rc;
        hosts += http_name_is(call->headers[i].name, "Host");
    }
    if (hosts > 1)
        return error_set(error, ERR_CONFIG, "the header Host is there twice; leave one out");
    return 0;
}
