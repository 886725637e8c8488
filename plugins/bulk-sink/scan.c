/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See scan.h. Brackets are counted, not matched: a text in which they do not fit is broken for
 * whoever parses it, and its values end somewhere in the text all the same.
 */
#include "scan.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static const char *skip_space(const char *at, const char *end)
{
    while (at < end && is_space(*at))
        at++;
    return at;
}

/* `at` is behind the opening quote; returns where the closing one stands, or NULL: the first
 * that has no odd number of backslashes in front of it. */
static const char *string_end(const char *at, const char *end)
{
    const char *begin = at;

    while ((at = memchr(at, '"', (size_t)(end - at)))) {
        const char *slashes = at;

        while (slashes > begin && slashes[-1] == '\\')
            slashes--;
        if ((at - slashes) % 2 == 0)
            return at;
        at++;
    }
    return NULL;
}

/* Behind an object or array that begins at `at`, or NULL. */
static const char *nest_end(const char *at, const char *end)
{
    size_t depth = 0;

    for (; at < end; at++) {
        if (*at == '"') {
            at = string_end(at + 1, end);
            if (!at)
                return NULL;
        } else if (*at == '{' || *at == '[') {
            depth++;
        } else if ((*at == '}' || *at == ']') && --depth == 0) {
            return at + 1;
        }
    }
    return NULL;
}

/* Behind the value that begins at `at`, or NULL. */
static const char *value_end(const char *at, const char *end)
{
    const char *begin = at;

    if (at == end)
        return NULL;
    if (*at == '"') {
        at = string_end(at + 1, end);
        return at ? at + 1 : NULL;
    }
    if (*at == '{' || *at == '[')
        return nest_end(at, end);
    while (at < end && !is_space(*at) && !strchr(",:]}[{\"", *at))
        at++;
    return at > begin ? at : NULL;
}

bool scan_open(struct scan *scan, tr_str text, char open)
{
    const char *end = text.ptr + text.len;
    const char *at = skip_space(text.ptr, end);

    if (text.len == 0 || at == end || *at != open)
        return false;
    *scan = (struct scan){.at = at + 1, .end = end, .close = open == '{' ? '}' : ']'};
    return true;
}

static int at_end(struct scan *scan, const char *at)
{
    if (skip_space(at + 1, scan->end) != scan->end)
        return -1;
    scan->at = at;
    return 0;
}

static bool read_key(struct scan *scan, const char **at, tr_str *ret_key)
{
    const char *quote;

    if (*at == scan->end || **at != '"')
        return false;
    quote = string_end(*at + 1, scan->end);
    if (!quote)
        return false;
    *ret_key = tr_str_n(*at + 1, (size_t)(quote - *at) - 1);
    *at = skip_space(quote + 1, scan->end);
    if (*at == scan->end || **at != ':')
        return false;
    *at = skip_space(*at + 1, scan->end);
    return true;
}

int scan_next(struct scan *scan, tr_str *ret_key, tr_str *ret_value)
{
    const char *at = skip_space(scan->at, scan->end), *behind;

    if (at == scan->end)
        return -1;
    if (*at == scan->close)
        return at_end(scan, at);
    if (scan->begun) {
        if (*at != ',')
            return -1;
        at = skip_space(at + 1, scan->end);
    }
    *ret_key = tr_str_n(NULL, 0);
    if (scan->close == '}' && !read_key(scan, &at, ret_key))
        return -1;
    behind = value_end(at, scan->end);
    if (!behind)
        return -1;
    *ret_value = tr_str_n(at, (size_t)(behind - at));
    scan->at = behind;
    scan->begun = true;
    return 1;
}

tr_str scan_find(tr_str object, const char *name)
{
    tr_str found = tr_str_n(NULL, 0), key, value;
    struct scan scan;

    if (!scan_open(&scan, object, '{'))
        return found;
    while (scan_next(&scan, &key, &value) == 1)
        if (tr_str_eq(key, tr_str_c(name)))
            found = value;
    return found;
}

bool scan_is_whole(tr_str text, char open)
{
    struct scan scan;
    tr_str key, value;
    int rc = -1;

    if (!scan_open(&scan, text, open))
        return false;
    while ((rc = scan_next(&scan, &key, &value)) == 1)
        ;
    return rc == 0;
}
