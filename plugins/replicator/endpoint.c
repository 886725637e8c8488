/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sources and targets: URLs taken apart, and shown without their passwords. Any thread.
 */
#include "replicator.h"

static bool starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* "user:password@host:port": all three may be missing but the host. */
static tr_str split_user(tr_str authority, struct endpoint *endpoint)
{
    const char *end = authority.ptr + authority.len, *at = end, *colon;

    while (at > authority.ptr && at[-1] != '@')
        at--;
    if (at == authority.ptr)
        return authority;
    endpoint->user = tr_str_n(authority.ptr, (size_t)(at - 1 - authority.ptr));
    colon = memchr(endpoint->user.ptr, ':', endpoint->user.len);
    if (colon) {
        endpoint->password = tr_str_n(colon + 1, (size_t)(at - 1 - (colon + 1)));
        endpoint->user.len = (size_t)(colon - endpoint->user.ptr);
    }
    return tr_str_n(at, (size_t)(end - at));
}

/* Without port, and without the brackets of IPv6. */
static tr_str hostname_of(tr_str host)
{
    const char *end;

    if (host.len > 0 && host.ptr[0] == '[') {
        end = memchr(host.ptr, ']', host.len);
        return end ? tr_str_n(host.ptr + 1, (size_t)(end - host.ptr) - 1) : tr_str_n(NULL, 0);
    }
    end = memchr(host.ptr, ':', host.len);
    return end ? tr_str_n(host.ptr, (size_t)(end - host.ptr)) : host;
}

static bool is_clean(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text <= 0x20 || *text == 0x7f)
            return false;
    return true;
}

tr_status endpoint_parse(const char *text, struct endpoint *ret_endpoint, tr_error *error)
{
    struct endpoint endpoint = {.scheme = tr_str_n(text, 0)};
    const char *path, *name;
    tr_str host;

    if (!is_clean(text) || !text[0])
        return tr_fail(error, TR_EINVAL, "is empty or holds a space or a control byte");
    if (!starts(text, "http://") && !starts(text, "https://")) {
        if (strstr(text, "://") || strchr(text, '@') || strchr(text, '?'))
            return tr_fail(error, TR_EINVAL,
                           "is neither http(s)://HOST/DATABASE nor the name of a database");
        endpoint.rest = tr_str_c(text);
        *ret_endpoint = endpoint;
        return TR_OK;
    }
    endpoint.is_url = true;
    endpoint.scheme.len = (size_t)(strstr(text, "://") - text) + 3;
    text += endpoint.scheme.len;
    path = text + strcspn(text, "/?#");
    host = split_user(tr_str_n(text, (size_t)(path - text)), &endpoint);
    endpoint.hostname = hostname_of(host);
    endpoint.rest = tr_str_c(host.ptr);
    name = path + strspn(path, "/");
    if (endpoint.hostname.len == 0 || path[0] != '/' || !name[0] || strpbrk(path, "?#"))
        return tr_fail(error, TR_EINVAL,
                       "is not the URL of a database; write http(s)://HOST/DATABASE");
    *ret_endpoint = endpoint;
    return TR_OK;
}

void endpoint_add_server(struct out *out, const struct options *options)
{
    tr_str url = tr_str_c(options->server ? options->server : options->source);

    while (url.len > 0 && url.ptr[url.len - 1] == '/')
        url.len--;
    /* The source without its last segment, the database. */
    while (!options->server && url.len > 0 && url.ptr[url.len - 1] != '/')
        url.len--;
    while (url.len > 0 && url.ptr[url.len - 1] == '/')
        url.len--;
    out_add(out, url);
    out_add_c(out, "/_replicate");
}

/* All that stands like a password in a URL, wherever in the text. */
void endpoint_add_shown(struct out *out, const char *text)
{
    for (;;) {
        const char *start = strstr(text, "://"), *colon, *at;
        size_t len;

        if (!start) {
            out_add_c(out, text);
            return;
        }
        start += 3;
        out_add(out, tr_str_n(text, (size_t)(start - text)));
        len = strcspn(start, "/?#\" ,}");
        for (at = start + len; at > start && at[-1] != '@';)
            at--;
        text = start;
        colon = at > start ? memchr(start, ':', (size_t)(at - start)) : NULL;
        if (!colon)
            continue;
        out_add(out, tr_str_n(start, (size_t)(colon - start)));
        out_add_c(out, ":***@");
        text = at;
    }
}
