/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The leaves of a batch's changes, and the fast road: a document of generation 1 that has one
 * leaf and no attachments is in the feed as a whole, since its history is the revision itself.
 * Worker.
 */
#include "native.h"

static bool add_leaf(struct job *job, uint32_t *room, uint32_t change, tr_str rev)
{
    if (job->leaves_count == *room) {
        uint32_t more = *room * 2 + 8;
        struct leaf *grown = realloc(job->leaves, more * sizeof(*grown));

        if (!grown)
            return false;
        job->leaves = grown;
        *room = more;
    }
    job->leaves[job->leaves_count++] = (struct leaf){.change = change, .rev = rev};
    return true;
}

bool leaf_list(struct job *job)
{
    bool winner = job->self->options.winning_revs_only;
    uint32_t room = job->batch->count;
    tr_scan scan;
    tr_str key, one;

    job->leaves = calloc(room, sizeof(*job->leaves));
    if (!job->leaves)
        return false;
    for (uint32_t i = 0; i < job->batch->count; i++) {
        const tr_change *change = tr_batch_at(job->batch, i);

        job->first[i] = job->leaves_count;
        if (tr_scan_open(&scan, change->revs, '['))
            while (tr_scan_next(&scan, &key, &one) == 1 &&
                   !(winner && job->leaves_count > job->first[i])) {
                tr_str rev = tr_scan_find(one, "rev");
                if (rev.len > 2 && rev.ptr[0] == '"' && !add_leaf(job, &room, i, rev))
                    return false;
            }
        if (job->leaves_count == job->first[i] || change->id.len == 0)
            tr_bulk_reject(&job->bulk, i, "the change names no document and revision");
    }
    job->first[job->batch->count] = job->leaves_count;
    return true;
}

/* ---- the fast road ---- */

static bool is_plain(tr_str key)
{
    return key.len == 0 || key.ptr[0] != '_' || tr_str_eq(key, TR_STR("_id")) ||
           tr_str_eq(key, TR_STR("_rev")) || tr_str_eq(key, TR_STR("_deleted"));
}

static bool is_whole(const tr_self *self, const tr_change *change)
{
    tr_str key, value, rev = tr_str_n(NULL, 0);
    tr_scan scan;
    int rc;

    if (!(change->flags & TR_CHANGE_HAS_DOC) || change->rev.len < 3 ||
        memcmp(change->rev.ptr, "1-", 2) != 0 || !tr_scan_open(&scan, change->doc, '{'))
        return false;
    while ((rc = tr_scan_next(&scan, &key, &value)) == 1) {
        if (tr_str_eq(key, TR_STR("_rev")))
            rev = value;
        if (!is_plain(key) &&
            !(tr_str_eq(key, TR_STR("_attachments")) && attach_allows_feed(self, value)))
            return false;
    }
    /* The document may be newer than the row. */
    return rc == 0 && rev.len == change->rev.len + 2 &&
           memcmp(rev.ptr + 1, change->rev.ptr, change->rev.len) == 0;
}

bool leaf_is_fast(const struct job *job, uint32_t i)
{
    return job->first[i + 1] - job->first[i] == 1 &&
           is_whole(job->self, tr_batch_at(job->batch, i));
}

void leaf_add_from_feed(const tr_self *self, tr_text *out, const tr_change *change)
{
    const char *why;

    tr_text_add_c(out, "{\"_revisions\":{\"start\":1,\"ids\":[\"");
    tr_text_add(out, tr_str_n(change->rev.ptr + 2, change->rev.len - 2));
    tr_text_add_c(out, "\"]},");
    (void)attach_add_members(self, out, change->doc, &why);
}
