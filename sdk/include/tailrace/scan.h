/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walking through JSON text without a tree: the members of an object, the elements of an array,
 * each as a slice of the text. No memory, no recursion; any thread. In headers only, as sdk.h.
 *
 * It finds where values end and does not judge them beyond that: whoever gets the text next
 * does. Brackets are counted, not matched: a text in which they do not fit is broken for
 * whoever parses it, and its values end somewhere in the text all the same. What is seen is the
 * end: a text that was cut is never taken for whole.
 */
#ifndef TAILRACE_SCAN_H
#define TAILRACE_SCAN_H

#include <tailrace/sdk.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How far a walk is. Storage of the plugin, with nothing to free; it borrows the text. */
typedef struct tr_scan {
    const char *at, *end;
    char close;
    int32_t begun;
} tr_scan;

static inline const char *tr_scan_skip_space_(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
        at++;
    return at;
}

/* `at` is behind the opening quote; returns where the closing one stands, or NULL: the first
 * that has no odd number of backslashes in front of it. */
TR_UNUSED_ static const char *tr_scan_string_end_(const char *at, const char *end)
{
    const char *begin = at;

    while ((at = (const char *)memchr(at, '"', (size_t)(end - at))) != NULL) {
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
TR_UNUSED_ static const char *tr_scan_nest_end_(const char *at, const char *end)
{
    size_t depth = 0;

    for (; at < end; at++) {
        if (*at == '"') {
            at = tr_scan_string_end_(at + 1, end);
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
TR_UNUSED_ static const char *tr_scan_value_end_(const char *at, const char *end)
{
    const char *begin = at;

    if (at == end)
        return NULL;
    if (*at == '"') {
        at = tr_scan_string_end_(at + 1, end);
        return at ? at + 1 : NULL;
    }
    if (*at == '{' || *at == '[')
        return tr_scan_nest_end_(at, end);
    while (at < end && *at && !strchr(" \t\n\r,:]}[{\"", *at))
        at++;
    return at > begin ? at : NULL;
}

/* Begins a walk through an object, '{', or an array, '['. 0: the text is not that. */
TR_UNUSED_ static int32_t tr_scan_open(tr_scan *scan, tr_str text, char open)
{
    const char *end, *at;

    if (text.len == 0)
        return 0;
    end = text.ptr + text.len;
    at = tr_scan_skip_space_(text.ptr, end);
    if (at == end || *at != open)
        return 0;
    scan->at = at + 1;
    scan->end = end;
    scan->close = open == '{' ? '}' : ']';
    scan->begun = 0;
    return 1;
}

TR_UNUSED_ static int32_t tr_scan_key_(tr_scan *scan, const char **at, tr_str *ret_key)
{
    const char *quote;

    if (*at == scan->end || **at != '"')
        return 0;
    quote = tr_scan_string_end_(*at + 1, scan->end);
    if (!quote)
        return 0;
    *ret_key = tr_str_n(*at + 1, (size_t)(quote - *at) - 1);
    *at = tr_scan_skip_space_(quote + 1, scan->end);
    if (*at == scan->end || **at != ':')
        return 0;
    *at = tr_scan_skip_space_(*at + 1, scan->end);
    return 1;
}

/* The next one: 1; none, and the text ends here: 0; the text is broken or cut: -1. `ret_key` is
 * what stands between the quotes, escapes and all; for elements of an array it is empty. */
TR_UNUSED_ static int32_t tr_scan_next(tr_scan *scan, tr_str *ret_key, tr_str *ret_value)
{
    const char *at = tr_scan_skip_space_(scan->at, scan->end), *behind;

    if (at == scan->end)
        return -1;
    if (*at == scan->close) {
        if (tr_scan_skip_space_(at + 1, scan->end) != scan->end)
            return -1;
        scan->at = at;
        return 0;
    }
    if (scan->begun) {
        if (*at != ',')
            return -1;
        at = tr_scan_skip_space_(at + 1, scan->end);
    }
    *ret_key = tr_str_n(NULL, 0);
    if (scan->close == '}' && !tr_scan_key_(scan, &at, ret_key))
        return -1;
    behind = tr_scan_value_end_(at, scan->end);
    if (!behind)
        return -1;
    *ret_value = tr_str_n(at, (size_t)(behind - at));
    scan->at = behind;
    scan->begun = 1;
    return 1;
}

/* The value of a member of an object, by what stands between the quotes of its key; empty:
 * there is none. The last of several counts. */
TR_UNUSED_ static tr_str tr_scan_find(tr_str object, const char *name)
{
    tr_str found = tr_str_n(NULL, 0), wanted = tr_str_c(name), key, value;
    tr_scan scan;

    if (!tr_scan_open(&scan, object, '{'))
        return found;
    while (tr_scan_next(&scan, &key, &value) == 1)
        if (tr_str_eq(key, wanted))
            found = value;
    return found;
}

/* Whether the text is an object or array from its begin to its end. */
TR_UNUSED_ static int32_t tr_scan_is_whole(tr_str text, char open)
{
    tr_scan scan;
    tr_str key, value;
    int32_t rc = -1;

    if (!tr_scan_open(&scan, text, open))
        return 0;
    while ((rc = tr_scan_next(&scan, &key, &value)) == 1)
        ;
    return rc == 0;
}

/* Whether a raw value is `true`. */
static inline int32_t tr_scan_is_true(tr_str value)
{
    return tr_str_eq(value, TR_STR("true"));
}

#ifdef __cplusplus
}
#endif

#endif
