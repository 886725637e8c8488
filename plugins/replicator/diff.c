/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the target lacks: one question for all leaves of a batch. Worker.
 *
 * Writing what is there already changes nothing, so that the question only saves work. It costs
 * the target about as much as it saves when everything is missing, as when a new database is
 * filled: there it is left out, and asked now and then to see whether that still holds. Nor is
 * it asked about a few short documents that are at hand: to write them is no more than to ask.
 */
#include "native.h"

#define WHAT "POST _revs_diff"

enum {
    LACKING_MIN = 4, /* batches of which all was missing, before one goes without          */
    UNDIFFED_MAX = 16,
    SHORT_BYTES = 8 << 10 /* of documents that are written rather than asked about          */
};

static bool is_short(const struct job *job)
{
    size_t bytes = 0;

    for (uint32_t i = 0; i < job->batch->count; i++) {
        bytes += tr_batch_at(job->batch, i)->raw.len;
        if (bytes > SHORT_BYTES || !leaf_is_fast(job, i))
            return false;
    }
    return true;
}

bool diff_is_needed(struct job *job)
{
    struct link *link = job->link;

    if ((job->batch->flags & TR_BATCH_REPLAY) || tr_batch_at(job->batch, 0)->attempt > 1)
        return true;
    if (is_short(job))
        return false;
    return !(link->fresh || link->lacking >= LACKING_MIN) || link->undiffed >= UNDIFFED_MAX;
}

void diff_skip(struct job *job)
{
    job->diffed = true;
    job->link->undiffed++;
    job->link->books.session.checked += job->leaves_count;
    job->link->books.session.found += job->leaves_count;
}

/* ---- the question: {"id":["1-…","2-…"],…}, each id once ---- */

static void add_revs(struct job *job, tr_text *out, uint32_t i, const char **comma)
{
    for (uint32_t k = job->first[i]; k < job->first[i + 1]; k++) {
        tr_text_add_c(out, *comma);
        tr_text_add(out, job->leaves[k].rev);
        *comma = ",";
    }
}

void diff_add_body(struct job *job, tr_text *out)
{
    const tr_bulk_key *keys = job->bulk.keys;
    uint32_t count = job->batch->count;
    const char *comma;

    tr_text_add_c(out, "{");
    for (uint32_t k = 0; k < count; k++) {
        if (k == 0 || !tr_str_eq(keys[k].id, keys[k - 1].id)) {
            tr_text_add_c(out, k == 0 ? "" : "],");
            tr_text_add_string(out, job->self->json, keys[k].id);
            tr_text_add_c(out, ":[");
            comma = "";
        }
        add_revs(job, out, keys[k].i, &comma);
    }
    tr_text_add_c(out, "]}");
}

/* ---- the answer: {"id":{"missing":["2-…"],…},…}, of those that are missing ---- */

static void take_missing(struct job *job, uint32_t i, tr_str rev)
{
    for (uint32_t k = job->first[i]; k < job->first[i + 1]; k++)
        if (tr_str_eq(job->leaves[k].rev, rev))
            job->leaves[k].state = LEAF_OPEN;
}

static void take_document(struct job *job, tr_str raw_id, tr_str missing)
{
    uint32_t count;
    const tr_bulk_key *keys = job_find(job, raw_id, &count);
    tr_scan scan;
    tr_str key, rev;

    if (!keys || !tr_scan_open(&scan, missing, '['))
        return;
    while (tr_scan_next(&scan, &key, &rev) == 1)
        for (uint32_t k = 0; k < count; k++)
            take_missing(job, keys[k].i, rev);
}

static void take_answer(struct job *job, tr_str body)
{
    struct link *link = job->link;
    uint32_t found = 0;
    tr_scan scan;
    tr_str key, value;

    for (uint32_t k = 0; k < job->leaves_count; k++)
        job->leaves[k].state = LEAF_SETTLED;
    (void)tr_scan_open(&scan, body, '{');
    while (tr_scan_next(&scan, &key, &value) == 1)
        take_document(job, tr_str_n(key.ptr - 1, key.len + 2), tr_scan_find(value, "missing"));
    for (uint32_t k = 0; k < job->leaves_count; k++)
        found += job->leaves[k].state == LEAF_OPEN;
    link->books.session.checked += job->leaves_count;
    link->books.session.found += found;
    link->fresh = link->fresh && found == job->leaves_count;
    link->lacking = found == job->leaves_count ? link->lacking + 1 : 0;
    link->undiffed = 0;
    job->diffed = true;
}

static void answered(struct ask *ask, const tr_http_response *response)
{
    struct job *job = job_of(ask);

    if (response->status == 200 && tr_scan_is_whole(response->body, '{'))
        take_answer(job, response->body);
    else if (response->status == 200)
        tr_bulk_fail(&job->bulk, 0, WHAT ": the answer is not whole, or not CouchDB's");
    else if (response->status == 413)
        diff_skip(job); /* it is only a question */
    else
        job_fail_answer(job, WHAT, response);
    job_advance(job);
}

void diff_send(struct job *job)
{
    tr_text_clear(&job->body);
    diff_add_body(job, &job->body);
    job_send(job, &(struct question){.client = job->self->target_client,
                                     .method = "POST",
                                     .url = tr_text_str(&job->link->target),
                                     .path = "/_revs_diff",
                                     .body = tr_text_str(&job->body),
                                     .answered = answered});
}
