/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the answer to _bulk_docs means, for each document by itself. Worker.
 *
 *     200, 201, 202    the rows of the body, by id; never their order, never the status alone
 *     400, 412, 413, 415   the group goes in halves; one alone is rejected
 *     404              the target is made, if the options say so, once a batch
 *     all else         retry
 *
 * With new_edits each document has a row, and one without a row has no outcome yet. Without,
 * rows are of what was refused, and the rest was taken, if the answer is whole and about what
 * was sent.
 */
#include "bulk.h"

#define WHAT "POST _bulk_docs"

/* ---- how much at once ---- */

/* Additive increase, multiplicative decrease, for all batches of the instance. */
static void adapt(struct job *job, bool good)
{
    tr_self *self = job->self;
    uint32_t half = job->bulk.group_count > 1 ? job->bulk.group_count / 2 : 1;

    /* Of several under way the smallest that was too much counts. */
    if (!good && (self->most == 0 || half < self->most))
        self->most = half;
    else if (good && self->most > 0 && (self->most += 16) > 100000)
        self->most = 0;
}

/* ---- rows ---- */

static void reject_row(struct job *job, uint32_t i, const tr_docs_row *row)
{
    tr_text words = {0};

    tr_docs_add_words(&words, job->self->json, row);
    job_reject(job, i,
               words.len > 0 ? tr_text_str(&words)
                             : TR_STR("refused; there was no memory for the reason"));
    tr_text_fini(&words);
}

static void take_conflict(struct job *job, uint32_t i)
{
    if (job->self->options.on_conflict == CONFLICT_SKIP) {
        tr_bulk_accept(&job->bulk, i);
        return;
    }
    job->items[i].must_look = true;
    job->items[i].in_group = false;
}

static void take_item(struct job *job, uint32_t i, const tr_docs_row *row)
{
    bool new_edits = job->self->options.new_edits;

    if (row->error.len == 0) {
        if (row->ok || row->rev.len > 2)
            tr_bulk_accept(&job->bulk, i);
    } else if (tr_docs_is_permanent(row->error)) {
        reject_row(job, i, row);
    } else if (new_edits && tr_str_eq(row->error, TR_STR("\"conflict\""))) {
        take_conflict(job, i);
    } else {
        job->items[i].in_group = false;
        tr_bulk_fail(&job->bulk, 0, WHAT ": one document: %.*s",
                     (int)(row->error.len < 100 ? row->error.len : 100), row->error.ptr);
    }
}

/* Whether the row is about that revision of the document. */
static bool is_about(const struct job *job, uint32_t i, const tr_docs_row *row)
{
    tr_str rev = tr_batch_at(job->batch, i)->rev;

    return row->rev.len == rev.len + 2 && memcmp(row->rev.ptr + 1, rev.ptr, rev.len) == 0;
}

/* False: it is about nothing that was sent. Without new_edits one id may stand for several
 * revisions; one that the row does not name as any of ours was asked for by an older name. */
static bool take_row(struct job *job, const tr_docs_row *row)
{
    bool found = false, named = false;
    const tr_bulk_key *key;
    uint32_t count;

    key = job_find(job, row->id, &count);
    for (uint32_t k = 0; key && k < count; k++)
        named |= job_waits(job, key[k].i) && is_about(job, key[k].i, row);
    named &= !job->self->options.new_edits;
    for (uint32_t k = 0; key && k < count; k++) {
        found |= job->items[key[k].i].posted;
        if (job_waits(job, key[k].i) && (!named || is_about(job, key[k].i, row)))
            take_item(job, key[k].i, row);
    }
    return found;
}

/* Those that no row spoke of. */
static void take_rest(struct job *job, bool strays)
{
    bool new_edits = job->self->options.new_edits;
    uint32_t left = 0;

    for (uint32_t k = 0; k < job->bulk.group_count; k++) {
        if (!job_waits(job, job->bulk.group[k]))
            continue;
        if (!new_edits && !strays)
            tr_bulk_accept(&job->bulk, job->bulk.group[k]);
        else
            left++;
    }
    if (left > 0 && strays)
        tr_bulk_fail(&job->bulk, 0, WHAT ": the answer is about documents that were not sent");
    else if (left > 0)
        tr_bulk_fail(&job->bulk, 0, WHAT ": the answer leaves out %u of %u documents", left,
                     job->bulk.group_count);
}

static void take_rows(struct job *job, tr_str rows)
{
    bool strays = false;
    tr_scan scan;
    tr_str key, text;
    tr_docs_row row;

    if (!tr_scan_is_whole(rows, '[')) {
        tr_bulk_fail(&job->bulk, 0, WHAT ": the answer is not whole, or not CouchDB's");
        return;
    }
    for (uint32_t k = 0; k < job->bulk.group_count; k++)
        job->items[job->bulk.group[k]].posted = job_waits(job, job->bulk.group[k]);
    (void)tr_scan_open(&scan, rows, '[');
    while (tr_scan_next(&scan, &key, &text) == 1)
        strays |= !tr_docs_read(text, &row) || !take_row(job, &row);
    take_rest(job, strays);
    for (uint32_t k = 0; k < job->bulk.group_count; k++)
        job->items[job->bulk.group[k]].posted = false;
    adapt(job, now_ms() - job->asked_ms < job->patience_ms / 4);
}

/* ---- a target that is missing ---- */

static void made(struct job *job, const tr_http_response *response)
{
    /* 412: somebody else has made it. */
    if (response->status != 201 && response->status != 202 && response->status != 412)
        request_fail(job, "PUT of the target", response);
}

bool answer_make_target(struct job *job, const tr_http_response *response)
{
    const struct options *options = &job->self->options;
    char path[64];
    int len = 0;

    if (response->status != 404 || !request_is_error(response, "not_found"))
        return false;
    if (!options->create_target || job->made) {
        tr_bulk_fail(&job->bulk, 0,
                     "404: the database %.*s does not exist; make it, or set create_target",
                     (int)address_name(tr_text_str(&job->target)).len,
                     address_name(tr_text_str(&job->target)).ptr);
        return true;
    }
    job->made = true;
    path[0] = '\0';
    if (options->q > 0)
        len = snprintf(path, sizeof(path), "?q=%d", (int)options->q);
    if (options->n > 0)
        snprintf(path + len, sizeof(path) - (size_t)len, "%sn=%d", len > 0 ? "&" : "?",
                 (int)options->n);
    request_send(job, &(struct target_request){.method = "PUT",
                                               .database = &job->target,
                                               .path = tr_str_c(path),
                                               .answered = made});
    return true;
}

/* ---- the whole answer ---- */

/* What a server refuses as a whole for one document's sake. */
static void take_refusal(struct job *job, const tr_http_response *response)
{
    char shown[SHOWN_MAX];

    if (response->status == 413)
        adapt(job, false);
    request_describe(job->self, response, shown);
    tr_bulk_refuse_group(&job->bulk, "%d: %s", (int)response->status, shown);
}

static void answered(struct job *job, const tr_http_response *response)
{
    switch (response->status) {
    case 200:
    case 201:
    case 202: take_rows(job, response->body); return;
    case 400:
    case 412:
    case 413:
    case 415: take_refusal(job, response); return;
    case 404:
        if (answer_make_target(job, response))
            return;
        break;
    case 0:
        if (now_ms() - job->asked_ms >= job->patience_ms)
            adapt(job, false); /* it was too slow for so many */
        break;
    case 429: adapt(job, false); break;
    default: break;
    }
    request_fail(job, WHAT, response);
}

void answer_post(struct job *job)
{
    request_send(job, &(struct target_request){.method = "POST",
                                               .database = &job->target,
                                               .path = TR_STR("/_bulk_docs"),
                                               .body = tr_text_str(&job->body),
                                               .answered = answered});
}
