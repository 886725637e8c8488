/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of attachments: the one file that knows of them. Worker.
 *
 *     copy     they come with the document from the source, in it, and go on in it
 *     drop     the document goes without them, under the same revision
 *     reject   a document that has some is refused
 */
#include "native.h"

bool attach_is_wanted(const tr_self *self)
{
    return self->options.attachments == ATTACHMENTS_COPY;
}

bool attach_allows_feed(const tr_self *self, tr_str attachments)
{
    (void)attachments;
    return self->options.attachments == ATTACHMENTS_DROP;
}

bool attach_add_members(const tr_self *self, tr_text *out, tr_str doc, const char **ret_why)
{
    tr_str name = TR_STR("_attachments"), key, value;
    const char *from = doc.ptr + 1;
    tr_scan scan;

    if (self->options.attachments == ATTACHMENTS_COPY || !tr_scan_open(&scan, doc, '{') ||
        tr_scan_find(doc, "_attachments").len == 0) {
        tr_text_add(out, tr_str_n(from, (size_t)(doc.ptr + doc.len - from)));
        return true;
    }
    if (self->options.attachments == ATTACHMENTS_REJECT) {
        *ret_why = "it has attachments, and the option attachments is \"reject\"";
        return false;
    }
    for (const char *comma = ""; tr_scan_next(&scan, &key, &value) == 1;) {
        if (tr_str_eq(key, name))
            continue;
        tr_text_add_c(out, comma);
        tr_text_add(out, tr_str_n(key.ptr - 1, (size_t)(value.ptr + value.len - key.ptr) + 1));
        comma = ",";
    }
    tr_text_add_c(out, "}");
    return true;
}
