/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the target has, for changes that are to be written over it or that it refused as
 * conflicts: one question for all of a group, with the documents, so that what is there already
 * is not written again. That makes a batch that is sent twice harmless. Worker.
 */
#include "bulk.h"

#define WHAT "POST _all_docs"

bool look_is_needed(const struct job *job)
{
    for (uint32_t k = 0; k < job->bulk.group_count; k++)
        if (job->items[job->bulk.group[k]].must_look)
            return true;
    return false;
}

void look_add_body(struct job *job, tr_text *out)
{
    const char *comma = "";

    tr_text_add_c(out, "{\"keys\":[");
    for (uint32_t k = 0; k < job->bulk.group_count; k++) {
        if (!job->items[job->bulk.group[k]].must_look)
            continue;
        tr_text_add_c(out, comma);
        tr_text_add_string(out, job->self->json,
                           tr_batch_at(job->batch, job->bulk.group[k])->id);
        comma = ",";
    }
    tr_text_add_c(out, "]}");
}

/* ---- what it means ---- */

static void take_missing(struct job *job, uint32_t i)
{
    struct item *item = &job->items[i];

    item->must_look = false;
    item->knows = true;
    item->rev.len = 0;
    if (item->kind == KIND_DELETE)
        tr_bulk_accept(&job->bulk, i);
}

static void take_present(struct job *job, uint32_t i, tr_str rev, tr_str doc)
{
    struct item *item = &job->items[i];

    item->must_look = false;
    item->knows = true;
    item->rev = tr_text_add_decoded(&job->notes, job->self->json, rev);
    if (item->kind != KIND_DELETE && plan_is_same(job, i, doc))
        tr_bulk_accept(&job->bulk, i);
    else if (job->self->options.on_conflict == CONFLICT_DEAD_LETTER)
        job_reject(job, i,
                   TR_STR("conflict: the target has another document of that id, or another "
                          "revision of it; see on_conflict"));
}

static uint32_t find_item(struct job *job, tr_str raw_id)
{
    uint32_t count;
    const tr_bulk_key *key;

    key = job_find(job, raw_id, &count);
    for (; key && count > 0; key++, count--)
        if (job_waits(job, key->i) && job->items[key->i].must_look)
            return key->i;
    return UINT32_MAX;
}

static void take_row(struct job *job, tr_str row)
{
    tr_str value = tr_scan_find(row, "value"), rev = tr_scan_find(value, "rev");
    uint32_t i = find_item(job, tr_scan_find(row, "key"));

    if (i == UINT32_MAX)
        return;
    if (tr_str_eq(tr_scan_find(row, "error"), TR_STR("\"not_found\"")) ||
        (rev.len > 0 && tr_scan_is_true(tr_scan_find(value, "deleted"))))
        take_missing(job, i);
    else if (rev.len > 2)
        take_present(job, i, rev, tr_scan_find(row, "doc"));
}

static void take_rows(struct job *job, tr_str rows)
{
    tr_scan scan;
    tr_str key, row;
    uint32_t left = 0;

    if (tr_scan_open(&scan, rows, '['))
        while (tr_scan_next(&scan, &key, &row) == 1)
            take_row(job, row);
    for (uint32_t k = 0; k < job->bulk.group_count; k++)
        left += job_waits(job, job->bulk.group[k]) && job->items[job->bulk.group[k]].must_look;
    if (left > 0)
        tr_bulk_fail(&job->bulk, 0,
                     WHAT ": the answer leaves out %u of the documents asked for", left);
}

static void answered(struct job *job, const tr_http_response *response)
{
    if (response->status == 200) {
        if (tr_scan_is_whole(response->body, '{'))
            take_rows(job, tr_scan_find(response->body, "rows"));
        else if (response->body.len < ANSWER_MAX || !tr_bulk_halve(&job->bulk))
            tr_bulk_fail(&job->bulk, 0, WHAT ": the answer is not whole");
        return;
    }
    if (response->status == 413 && tr_bulk_halve(&job->bulk))
        return;
    if (!answer_make_target(job, response))
        request_fail(job, WHAT, response);
}

void look_send(struct job *job)
{
    tr_text_clear(&job->body);
    look_add_body(job, &job->body);
    for (uint32_t k = 0; k < job->bulk.group_count; k++)
        if (job->items[job->bulk.group[k]].must_look &&
            job->items[job->bulk.group[k]].looks++ == TRIES_MAX) {
            tr_bulk_fail(&job->bulk, 0,
                         "the target's document changes faster than it can be written "
                         "over");
            return;
        }
    request_send(job, &(struct target_request){.method = "POST",
                                               .database = &job->target,
                                               .path = TR_STR("/_all_docs?include_docs=true"),
                                               .body = tr_text_str(&job->body),
                                               .answered = answered});
}
