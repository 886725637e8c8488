/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the source's answers say of documents and their revisions: what it has goes into the
 * body, and each change learns what became of its own. Worker.
 */
#include "bulk.h"

#define WHAT "the source"

/* What became of the documents of one id: some are in the body, or skipped as deleted, or there
 * is something newer, or the source does not have them; it says something else; they have no
 * history. */
struct found {
    bool some, skipped, newer, missing, unclear, bare;
};

/* The change whose document a transform has made of this revision, or UINT32_MAX. */
static uint32_t find_transformed(struct job *job, const struct splice *splice)
{
    uint32_t count;
    const tr_bulk_key *key = job_find(job, splice->id, &count);

    for (; key && count > 0; key++, count--) {
        const tr_change *change = tr_batch_at(job->batch, key->i);

        if ((change->flags & TR_CHANGE_TRANSFORMED) && (change->flags & TR_CHANGE_HAS_DOC) &&
            job->items[key->i].in_group && splice->rev.len == change->rev.len + 2 &&
            memcmp(splice->rev.ptr + 1, change->rev.ptr, change->rev.len) == 0)
            return key->i;
    }
    return UINT32_MAX;
}

static void take_doc(struct job *job, tr_str doc, struct found *found)
{
    struct splice splice;
    size_t before = job->body.len;
    uint32_t i;

    if (job->newest) {
        found->newer = true;
        return;
    }
    if (!splice_read(doc, &splice)) {
        found->unclear = true;
        return;
    }
    if (tr_scan_is_true(splice.deleted) && job->self->options.deletes == DELETES_SKIP) {
        found->skipped = true;
        return;
    }
    if (before > 0 && job->body.ptr[before - 1] == '}')
        tr_text_add_c(&job->body, ",");
    i = find_transformed(job, &splice);
    if (i == UINT32_MAX ? plan_add_copy(job, &job->body, &splice)
                        : plan_add_transformed(job, &job->body, i, &splice)) {
        found->some = true;
        return;
    }
    job->body.len = before;
    found->bare = true;
}

/* {"ok":{…}}; {"error":{…}} of _bulk_get, {"missing":"2-…"} of open_revs. */
static void take_docs(struct job *job, tr_str docs, struct found *found)
{
    tr_scan scan;
    tr_str key, one;

    if (!tr_scan_open(&scan, docs, '['))
        return;
    while (tr_scan_next(&scan, &key, &one) == 1) {
        tr_str doc = tr_scan_find(one, "ok"), error = tr_scan_find(one, "error");

        if (doc.len > 0)
            take_doc(job, doc, found);
        else if (tr_scan_find(one, "missing").len > 0 ||
                 tr_str_eq(tr_scan_find(error, "error"), TR_STR("\"not_found\"")) ||
                 tr_str_eq(tr_scan_find(error, "reason"), TR_STR("\"missing\"")))
            found->missing = true;
        else
            found->unclear = true;
    }
    if (found->bare)
        tr_bulk_fail(&job->bulk, 0,
                     WHAT ": the documents come without _revisions: this is no server that can "
                          "be copied from");
}

static void mark(struct job *job, uint32_t i, const struct found *found)
{
    struct item *item = &job->items[i];

    item->unclear |= found->unclear || found->bare;
    item->fetched |= found->some || found->skipped;
    item->missing |= found->missing;
    item->replaced |= found->newer;
    item->sent |= found->some;
}

void found_take_results(struct job *job, tr_str results)
{
    tr_scan scan;
    tr_str none, result;

    if (!tr_scan_open(&scan, results, '['))
        return;
    while (!job->body.failed && tr_scan_next(&scan, &none, &result) == 1) {
        struct found found = {0};
        const tr_bulk_key *key;
        uint32_t count;

        take_docs(job, tr_scan_find(result, "docs"), &found);
        key = job_find(job, tr_scan_find(result, "id"), &count);
        for (; key && count > 0; key++, count--)
            if (job_waits(job, key->i))
                mark(job, key->i, &found);
    }
}

void found_take_one(struct job *job, uint32_t i, tr_str docs)
{
    struct found found = {0};

    take_docs(job, docs, &found);
    mark(job, i, &found);
}
