/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walking through JSON text without a tree: the members of an object, the elements of an array,
 * each as a slice of the text. No memory, no recursion; any thread.
 *
 * It finds where values end and does not judge them beyond that: whoever gets the text next,
 * the server, does. What it must see is the end: a text that was cut is never taken for whole.
 */
#ifndef BULK_SCAN_H
#define BULK_SCAN_H

#include <tailrace/sdk.h>

#include <stdbool.h>

struct scan {
    const char *at, *end;
    char close;
    bool begun;
};

/* `open` is '{' or '['. False: the text is not that. */
bool scan_open(struct scan *scan, tr_str text, char open);

/* The next one: 1; none, and the text ends here: 0; the text is broken or cut: -1. `ret_key` is
 * what stands between the quotes, escapes and all; for elements of an array it is empty. */
int scan_next(struct scan *scan, tr_str *ret_key, tr_str *ret_value);

/* The value of a member of an object; empty: there is none. The last of several counts. */
tr_str scan_find(tr_str object, const char *key);

/* Whether the text is an object or array from its begin to its end. */
bool scan_is_whole(tr_str text, char open);

static inline bool scan_is_true(tr_str value)
{
    return tr_str_eq(value, TR_STR("true"));
}

#endif
