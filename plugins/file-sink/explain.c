/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tr.explain/1: the file and the lines that would be appended to it. [control]; opens nothing.
 */
#include "sink.h"

tr_status explain_lines(const char *path, const struct lines *lines,
                        void (*line)(void *user, tr_str text), void *user)
{
    const char *at = lines->ptr, *end = at + lines->len;
    char *head;

    if (asprintf(&head, "append to %s", path) < 0)
        return TR_EAGAIN;
    line(user, tr_str_c(head));
    free(head);
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));

        line(user, tr_str_n(at, (size_t)(stop - at)));
        at = stop + 1;
    }
    return TR_OK;
}
