/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See splice.h.
 */
#include "splice.h"

static unsigned what_of(tr_str key)
{
    static const struct {
        const char *key;
        unsigned what;
    } names[] = {
        {"_id", SPLICE_ID},
        {"_rev", SPLICE_REV},
        {"_attachments", SPLICE_ATTACHMENTS},
        {"_deleted", SPLICE_DELETED},
        {"_revisions", SPLICE_REVISIONS},
    };

    if (key.len == 0 || key.ptr[0] != '_')
        return 0;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (tr_str_eq(key, tr_str_c(names[i].key)))
            return names[i].what;
    return 0;
}

static void note(struct splice *splice, unsigned what, tr_str value)
{
    splice->has |= what;
    switch (what) {
    case SPLICE_ID: splice->id = value; break;
    case SPLICE_REV: splice->rev = value; break;
    case SPLICE_ATTACHMENTS: splice->attachments = value; break;
    case SPLICE_DELETED: splice->deleted = value; break;
    case SPLICE_REVISIONS: splice->revisions = value; break;
    default: break;
    }
}

bool splice_read(tr_str doc, struct splice *ret_splice)
{
    struct splice splice = {0};
    struct splice_cut *open = NULL; /* the cut whose end is the key that comes next */
    tr_scan scan;
    tr_str key, value;
    int rc;

    if (!tr_scan_open(&scan, doc, '{'))
        return false;
    splice.begin = scan.at;
    while ((rc = tr_scan_next(&scan, &key, &value)) == 1) {
        unsigned what = what_of(key);

        if (open)
            open->next = key.ptr - 1;
        open = NULL;
        if (what == 0)
            continue;
        if (splice.cuts_count == SPLICE_CUTS)
            return false;
        note(&splice, what, value);
        open = &splice.cuts[splice.cuts_count++];
        *open = (struct splice_cut){.begin = key.ptr - 1, .what = what};
    }
    if (rc < 0)
        return false;
    splice.end = scan.at;
    if (open)
        open->next = splice.end;
    *ret_splice = splice;
    return true;
}

size_t splice_copy(const struct splice *splice, unsigned without, char *to)
{
    const char *from = splice->begin;
    char *at = to;

    for (uint32_t i = 0; i < splice->cuts_count; i++) {
        const struct splice_cut *cut = &splice->cuts[i];

        if (!(cut->what & without))
            continue;
        memcpy(at, from, (size_t)(cut->begin - from));
        at += cut->begin - from;
        from = cut->next;
    }
    memcpy(at, from, (size_t)(splice->end - from));
    at += splice->end - from;
    /* The comma before a last member that was cut. No value ends with one. */
    while (at > to && strchr(", \t\r\n", at[-1]))
        at--;
    return (size_t)(at - to);
}

bool splice_has_stubs(const struct splice *splice)
{
    tr_scan scan;
    tr_str name, value;

    if (!tr_scan_open(&scan, splice->attachments, '{'))
        return false;
    while (tr_scan_next(&scan, &name, &value) == 1)
        if (tr_scan_is_true(tr_scan_find(value, "stub")) ||
            tr_scan_is_true(tr_scan_find(value, "follows")))
            return true;
    return false;
}
