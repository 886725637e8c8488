/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Documents with their histories, from the source: what new_edits = false sends. The feed's
 * documents have none, and one that is sent without becomes a branch without ancestors, which
 * conflicts with all that the target has of it.
 *
 * A revision that was replaced meanwhile is answered by the newest of its branch, so that
 * nothing is lost when the source has compacted it away. Each revision that the row names is
 * asked for: the winner, or with the rule's all_leaves every one. Worker.
 */
#include "bulk.h"

#define WHAT "POST _bulk_get of the source"

const char *fetch_path(const tr_self *self)
{
    return self->options.attachments == ATTACHMENTS_DROP
               ? "/_bulk_get?revs=true&latest=true"
               : "/_bulk_get?revs=true&latest=true&attachments=true";
}

static void add_question(struct text *out, const tr_json *json, tr_str id, tr_str raw_rev,
                         const char **comma)
{
    text_add_c(out, *comma);
    text_add_c(out, "{\"id\":");
    text_add_string(out, json, id);
    text_add_c(out, ",\"rev\":");
    text_add(out, raw_rev);
    text_add_c(out, "}");
    *comma = ",";
}

/* The revisions of a row: [{"rev":"2-…"},…]. */
static void add_questions(struct job *job, struct text *out, uint32_t i, const char **comma)
{
    const tr_change *change = tr_batch_at(job->batch, i);
    const char *before = *comma;
    struct scan scan;
    tr_str key, leaf;

    if (scan_open(&scan, change->revs, '['))
        while (scan_next(&scan, &key, &leaf) == 1) {
            tr_str rev = scan_find(leaf, "rev");
            if (rev.len > 2 && rev.ptr[0] == '"')
                add_question(out, job->self->json, change->id, rev, comma);
        }
    if (*comma == before && before[0] == '\0') {
        struct text rev = {0};
        text_add_string(&rev, job->self->json, change->rev);
        add_question(out, job->self->json, change->id, text_str(&rev), comma);
        text_fini(&rev);
    }
}

void fetch_add_body(struct job *job, struct text *out)
{
    const char *comma = "";

    text_add_c(out, "{\"docs\":[");
    for (uint32_t k = 0; k < job->bulk.group_count; k++)
        add_questions(job, out, job->bulk.group[k], &comma);
    text_add_c(out, "]}");
}

/* ---- the answer ---- */

/* What became of the documents of one id: some are in the body, or skipped as deleted, or the
 * source does not have them; it says something else; they have no history. */
struct found {
    bool some, skipped, missing, unclear, bare;
};

static void take_doc(struct job *job, tr_str doc, struct found *found)
{
    struct splice splice;
    size_t before = job->body.len;

    if (!splice_read(doc, &splice)) {
        found->unclear = true;
        return;
    }
    /* Deleted since: the row that says so comes, and is skipped. */
    if (scan_is_true(splice.deleted) && job->self->options.deletes == DELETES_SKIP) {
        found->skipped = true;
        return;
    }
    if (job->body.ptr[before - 1] == '}')
        text_add_c(&job->body, ",");
    if (plan_add_copy(job, &job->body, &splice)) {
        found->some = true;
        return;
    }
    job->body.len = before;
    found->bare = true;
}

static void take_docs(struct job *job, tr_str docs, struct found *found)
{
    struct scan scan;
    tr_str key, one;

    if (!scan_open(&scan, docs, '['))
        return;
    while (scan_next(&scan, &key, &one) == 1) {
        tr_str doc = scan_find(one, "ok"), error = scan_find(one, "error");

        if (doc.len > 0)
            take_doc(job, doc, found);
        else if (tr_str_eq(scan_find(error, "error"), TR_STR("\"not_found\"")) ||
                 tr_str_eq(scan_find(error, "reason"), TR_STR("\"missing\"")))
            found->missing = true;
        else
            found->unclear = true;
    }
}

static void mark(struct job *job, uint32_t i, const struct found *found)
{
    struct item *item = &job->items[i];

    item->unclear |= found->unclear || found->bare;
    item->fetched |= found->some || found->skipped;
    item->missing |= found->missing;
    item->sent |= found->some;
}

static void take_result(struct job *job, tr_str result)
{
    struct found found = {0};
    const tr_bulk_key *key;
    uint32_t count;

    key = job_find(job, scan_find(result, "id"), &count);
    if (!key)
        return;
    take_docs(job, scan_find(result, "docs"), &found);
    if (found.bare)
        tr_bulk_fail(&job->bulk, 0,
                     WHAT ": the documents come without _revisions: this is no server "
                          "that can be copied from");
    for (; count > 0; key++, count--)
        if (job_waits(job, key->i))
            mark(job, key->i, &found);
}

/* Who goes on, and who does not. */
static void sort_out(struct job *job)
{
    uint32_t unclear = 0;

    for (uint32_t k = 0; k < job->bulk.group_count; k++) {
        uint32_t i = job->bulk.group[k];
        struct item *item = &job->items[i];

        if (item->unclear || (!item->fetched && !item->missing)) {
            item->in_group = false;
            unclear++;
        } else if (!item->fetched) {
            tr_bulk_reject(&job->bulk, i,
                           "not_found: the source does not have that revision: it was purged, "
                           "or source_url is the server of another database");
        } else if (!item->sent) {
            tr_bulk_accept(&job->bulk, i);
        }
    }
    if (unclear > 0 && !job->bulk.failed)
        tr_bulk_fail(&job->bulk, 0,
                     WHAT ": the answer leaves out %u of the documents asked for", unclear);
}

static void take_results(struct job *job, tr_str results)
{
    static const char head[] = "{\"new_edits\":false,\"docs\":[";
    struct scan scan;
    tr_str key, result;

    for (uint32_t k = 0; k < job->bulk.group_count; k++) {
        struct item *item = &job->items[job->bulk.group[k]];
        item->fetched = item->missing = item->unclear = item->sent = false;
    }
    text_clear(&job->body);
    text_add_c(&job->body, head);
    if (!job->body.failed && scan_open(&scan, results, '['))
        while (!job->body.failed && scan_next(&scan, &key, &result) == 1)
            take_result(job, result);
    sort_out(job);
    if (job->body.len == sizeof(head) - 1 && !job->body.failed)
        return; /* nothing is left to post */
    text_add_c(&job->body, "]}");
    answer_post(job);
}

static void answered(struct job *job, const tr_http_response *response)
{
    if (response->status == 200) {
        if (scan_is_whole(response->body, '{'))
            take_results(job, scan_find(response->body, "results"));
        else if (response->body.len < ANSWER_MAX || !tr_bulk_halve(&job->bulk))
            tr_bulk_fail(&job->bulk, 0, WHAT ": the answer is not whole");
        return;
    }
    if (response->status == 413 && tr_bulk_halve(&job->bulk))
        return;
    request_fail(job, WHAT, response);
}

void fetch_send(struct job *job)
{
    text_clear(&job->body);
    fetch_add_body(job, &job->body);
    request_send(job, &(struct target_request){.method = "POST",
                                               .database = &job->source,
                                               .path = fetch_path(job->self),
                                               .body = text_str(&job->body),
                                               .answered = answered});
}
