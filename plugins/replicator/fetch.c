/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Documents with their histories, from the source: the very revisions that the feed named, for
 * the conditions of the rule have seen these and no newer ones. Worker.
 *
 * What the source does not have any more was replaced and compacted away, and then its newer
 * state comes by the feed, or it was purged. That settles the leaf, but only where the source
 * has proven to be the database of the feed, by a revision that the feed had named. Where it
 * has not, it is looked at: one that was made anew has lost all that the feed had named.
 */
#include "native.h"

#define WHAT "POST _bulk_get of the source"

/* ---- the question ---- */

bool fetch_is_needed(const struct job *job)
{
    for (uint32_t l = 0; l < job->leaves_count; l++)
        if (job->leaves[l].state == LEAF_ASKED)
            return true;
    return false;
}

const char *fetch_path(const struct job *job)
{
    return job->contents ? "/_bulk_get?revs=true&attachments=true"
                         : "/_bulk_get?revs=true&att_encoding_info=true";
}

void fetch_add_body(struct job *job, tr_text *out)
{
    const char *comma = "";

    tr_text_add_c(out, "{\"docs\":[");
    for (uint32_t k = 0; k < job->leaves_count; k++) {
        if (job->leaves[k].state != LEAF_ASKED)
            continue;
        tr_text_add_c(out, comma);
        tr_text_add_c(out, "{\"id\":");
        tr_text_add_string(out, job->self->json,
                           tr_batch_at(job->batch, job->leaves[k].change)->id);
        tr_text_add_c(out, ",\"rev\":");
        tr_text_add(out, job->leaves[k].rev);
        tr_text_add_c(out, "}");
        comma = ",";
    }
    tr_text_add_c(out, "]}");
}

/* ---- documents ---- */

static void take_leaf(struct job *job, struct leaf *leaf, tr_str doc)
{
    enum leaf_state state = LEAF_READY;
    size_t at = job->docs.len;
    const char *why = "";

    job->link->proven = true;
    if (!job->contents)
        state = attach_judge(job->self, doc, &leaf->content);
    if (state == LEAF_INLINE) {
        leaf->state = LEAF_INLINE;
        return;
    }
    job->link->books.session.read++;
    tr_text_add_c(&job->docs, "{");
    if (attach_add_members(job->self, &job->docs, doc, &why)) {
        leaf->doc = (tr_text_part){.at = at, .len = job->docs.len - at};
        leaf->state = (uint8_t)state;
    } else {
        job->docs.len = at;
        job_refuse_leaf(job, leaf, "%s", why);
    }
}

static void take_doc(struct job *job, const tr_bulk_key *keys, uint32_t count, tr_str doc)
{
    tr_str rev = tr_scan_find(doc, "_rev");

    if (tr_scan_find(doc, "_revisions").len == 0) {
        tr_bulk_fail(&job->bulk, 0,
                     WHAT ": the documents come without _revisions: this is no server that "
                          "can be copied from");
        return;
    }
    for (uint32_t k = 0; k < count; k++)
        for (uint32_t l = job->first[keys[k].i]; l < job->first[keys[k].i + 1]; l++)
            if (job->leaves[l].state == LEAF_ASKED && tr_str_eq(rev, job->leaves[l].rev))
                take_leaf(job, &job->leaves[l], doc);
}

static void take_missing(struct job *job, const tr_bulk_key *keys, uint32_t count, tr_str rev)
{
    for (uint32_t k = 0; k < count; k++)
        for (uint32_t l = job->first[keys[k].i]; l < job->first[keys[k].i + 1]; l++) {
            struct leaf *leaf = &job->leaves[l];

            if (leaf->state == LEAF_ASKED && tr_str_eq(leaf->rev, rev))
                leaf->state = LEAF_GONE;
        }
}

void fetch_take_docs(struct job *job, const tr_bulk_key *keys, uint32_t count, tr_str docs)
{
    tr_scan scan;
    tr_str key, one;

    if (!tr_scan_open(&scan, docs, '['))
        return;
    while (tr_scan_next(&scan, &key, &one) == 1) {
        tr_str doc = tr_scan_find(one, "ok"), error = tr_scan_find(one, "error");
        tr_str missing = tr_scan_find(one, "missing");

        if (doc.len > 0)
            take_doc(job, keys, count, doc);
        else if (missing.len > 0)
            take_missing(job, keys, count, missing);
        else if (tr_str_eq(tr_scan_find(error, "error"), TR_STR("\"not_found\"")) ||
                 tr_str_eq(tr_scan_find(error, "reason"), TR_STR("\"missing\"")))
            take_missing(job, keys, count, tr_scan_find(error, "rev"));
    }
}

static void close_gone(struct job *job, struct leaf *leaf)
{
    if (job->link->proven) {
        leaf->state = LEAF_SETTLED;
        return;
    }
    job_refuse_leaf(job, leaf,
                    "not_found: the source does not have it: it was replaced or purged, or "
                    "source is not the database that the rule reads");
}

bool fetch_doubts(const struct job *job)
{
    if (job->link->proven || job->looked || job->bulk.failed)
        return false;
    for (uint32_t l = 0; l < job->leaves_count; l++)
        if (job->leaves[l].state == LEAF_GONE)
            return true;
    return false;
}

static void looked(struct ask *ask, const tr_http_response *response)
{
    struct job *job = job_of(ask);

    job->looked = true;
    if (response->status != 200 || !tr_scan_is_whole(response->body, '{'))
        job_fail_answer(job, "GET of the source", response);
    else if (!link_take_start(job->link, SOURCE, response->body))
        job_settle_all(job);
    job_advance(job);
}

void fetch_look(struct job *job)
{
    job_send(job, &(struct question){.client = job->self->source_client,
                                     .method = "GET",
                                     .url = tr_text_str(&job->link->source),
                                     .path = "",
                                     .answered = looked});
}

void fetch_close(struct job *job)
{
    bool doubts = fetch_doubts(job);
    uint32_t left = 0, gone = 0;

    for (uint32_t l = 0; l < job->leaves_count; l++) {
        struct leaf *leaf = &job->leaves[l];

        left += leaf->state == LEAF_ASKED;
        gone += leaf->state == LEAF_GONE;
        if (leaf->state == LEAF_GONE && !doubts)
            close_gone(job, leaf);
    }
    if (gone > 0 && job->link->proven)
        tr_logf(job->self->host, TR_LOG_NOTICE,
                "database %s: %u revisions that the feed named are not at the source any more: "
                "they were replaced, or purged",
                job->link->db, gone);
    if (left > 0 && !job->bulk.failed)
        tr_bulk_fail(&job->bulk, 0,
                     WHAT ": the answer leaves out %u of the revisions asked for", left);
}

/* ---- the answer ---- */

static void take_results(struct job *job, tr_str results)
{
    tr_scan scan;
    tr_str key, result;

    if (tr_scan_open(&scan, results, '['))
        while (tr_scan_next(&scan, &key, &result) == 1) {
            uint32_t count;
            const tr_bulk_key *keys = job_find(job, tr_scan_find(result, "id"), &count);

            if (keys)
                fetch_take_docs(job, keys, count, tr_scan_find(result, "docs"));
        }
    fetch_close(job);
}

/* What was asked for is asked for again, in smaller groups. False: it is one alone. */
static bool halve(struct job *job)
{
    if (!tr_bulk_halve(&job->bulk))
        return false;
    for (uint32_t l = 0; l < job->leaves_count; l++)
        if (job->leaves[l].state == LEAF_ASKED)
            job->leaves[l].state = LEAF_OPEN;
    return true;
}

/* More than an answer may have: one alone cannot be copied. */
static void refuse_asked(struct job *job)
{
    for (uint32_t l = 0; l < job->leaves_count; l++)
        if (job->leaves[l].state == LEAF_ASKED)
            job_refuse_leaf(job, &job->leaves[l],
                            "with its attachments it is larger than %d MB; copy it by other "
                            "means, or set attachments = \"drop\"",
                            ANSWER_MAX >> 20);
}

static void take_answer(struct job *job, tr_str body)
{
    if (tr_scan_is_whole(body, '{'))
        take_results(job, tr_scan_find(body, "results"));
    else if (body.len < ANSWER_MAX)
        tr_bulk_fail(&job->bulk, 0, WHAT ": the answer is not whole");
    else if (!halve(job))
        refuse_asked(job);
}

static void answered(struct ask *ask, const tr_http_response *response)
{
    struct job *job = job_of(ask);
    bool is_unknown = response->status == 405 || response->status == 501 ||
                      (response->status == 404 && !ask_is_gone(response));

    if (response->status == 200)
        take_answer(job, response->body);
    else if (is_unknown && !job->link->no_bulk_get)
        job->link->no_bulk_get = true; /* and goes on in single.c */
    else if (response->status != 413 || !halve(job))
        job_fail_answer(job, WHAT, response);
    job_advance(job);
}

void fetch_send(struct job *job)
{
    tr_text_clear(&job->body);
    fetch_add_body(job, &job->body);
    job_send(job, &(struct question){.client = job->self->source_client,
                                     .method = "POST",
                                     .url = tr_text_str(&job->link->source),
                                     .path = fetch_path(job),
                                     .body = tr_text_str(&job->body),
                                     .answered = answered});
}
