/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of attachments: the one file that knows of them. Worker.
 *
 *     copy     small ones come with the document from the source, in it, and go on in it; the
 *              others flow from the source to the target, see multipart.c
 *     drop     the document goes without them, under the same revision
 *     reject   a document that has some is refused
 */
#include "native.h"

/* Each of them by the bytes that the source would send of it. */
static uint64_t size_of(tr_str attachments)
{
    uint64_t all = 0;
    tr_scan scan;
    tr_str name, one;

    if (tr_scan_open(&scan, attachments, '{'))
        while (tr_scan_next(&scan, &name, &one) == 1)
            all += attach_length(one);
    return all;
}

uint64_t attach_length(tr_str attachment)
{
    tr_str raw = tr_scan_find(attachment, "encoded_length");

    if (raw.len == 0)
        raw = tr_scan_find(attachment, "length");
    return raw.len > 0 && raw.len < 20 ? strtoull(raw.ptr, NULL, 10) : 0;
}

enum leaf_state attach_judge(const tr_self *self, tr_str doc, uint64_t *ret_content)
{
    tr_str attachments = tr_scan_find(doc, "_attachments");

    *ret_content = 0;
    if (attachments.len == 0 || self->options.attachments != ATTACHMENTS_COPY)
        return LEAF_READY;
    *ret_content = size_of(attachments);
    /* A host of before cannot let them flow. */
    return *ret_content > (uint64_t)self->options.attachments_inline &&
                   self->host->abi_minor >= 1
               ? LEAF_LARGE
               : LEAF_INLINE;
}

bool attach_ask(struct job *job)
{
    uint64_t bytes = 0;
    uint32_t count = 0;

    for (uint32_t l = 0; l < job->leaves_count; l++) {
        struct leaf *leaf = &job->leaves[l];

        if (leaf->state != LEAF_INLINE)
            continue;
        bytes += leaf->content;
        if (count > 0 && bytes > (uint64_t)job->self->options.write_bytes)
            break;
        leaf->state = LEAF_ASKED;
        count++;
    }
    job->contents = count > 0;
    return job->contents;
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
