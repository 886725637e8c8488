/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the answer to _bulk_docs means, for each leaf by itself. Worker.
 *
 *     200, 201, 202        rows of what was refused; the rest was taken, if the answer is whole
 *                          and about what was sent
 *     400, 412, 413, 415   the group goes in halves; one alone is refused
 *     404                  the target is gone: it is looked for before the next batch
 *     all else             retry
 */
#include "native.h"

#define WHAT "POST _bulk_docs"

/* ---- how much at once: additive increase, multiplicative decrease ---- */

static void adapt(struct job *job, bool good)
{
    struct link *link = job->link;

    if (!good)
        link->most = job->posted > 1 ? job->posted / 2 : 1;
    else if (link->most > 0 && (link->most += 16) >= (uint32_t)job->self->options.write_docs)
        link->most = 0;
}

/* ---- rows ---- */

static void refuse(struct job *job, struct leaf *leaf, const tr_docs_row *row)
{
    tr_text words = {0};
    char shown[SHOWN_MAX];

    tr_docs_add_words(&words, job->self->json, row);
    tr_text_show(tr_text_str(&words), shown, sizeof(shown));
    tr_text_fini(&words);
    job_refuse_leaf(job, leaf, "%s", shown);
}

/* A row that names no revision is about all of the document. False: about nothing that was
 * sent. */
static bool take_row(struct job *job, const tr_docs_row *row)
{
    uint32_t count;
    const tr_bulk_key *keys = job_find(job, row->id, &count);
    bool found = false;

    for (uint32_t k = 0; keys && k < count; k++)
        for (uint32_t l = job->first[keys[k].i]; l < job->first[keys[k].i + 1]; l++) {
            struct leaf *leaf = &job->leaves[l];

            if (leaf->doc.len == 0 || (row->rev.len > 0 && !tr_str_eq(row->rev, leaf->rev)))
                continue;
            found = true;
            if (row->error.len == 0 || leaf->state != LEAF_POSTED)
                continue;
            if (tr_docs_is_permanent(row->error))
                refuse(job, leaf, row);
            else
                leaf->state = LEAF_OPEN;
        }
    return found;
}

static void take_rest(struct job *job)
{
    struct session *session = &job->link->books.session;

    for (uint32_t l = 0; l < job->leaves_count; l++)
        if (job->leaves[l].state == LEAF_POSTED) {
            job->leaves[l].state = LEAF_SETTLED;
            session->written++;
        }
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
    (void)tr_scan_open(&scan, rows, '[');
    while (tr_scan_next(&scan, &key, &text) == 1) {
        strays |= !tr_docs_read(text, &row) || !take_row(job, &row);
        if (row.error.len > 0 && !tr_docs_is_permanent(row.error))
            tr_bulk_fail(&job->bulk, 0, WHAT ": one document: %.*s",
                         (int)(row.error.len < 100 ? row.error.len : 100), row.error.ptr);
    }
    if (strays)
        tr_bulk_fail(&job->bulk, 0, WHAT ": the answer is about documents that were not sent");
    else
        take_rest(job);
    job->post_limit = job->post_limit > 0 ? job->post_limit * 2 : 0;
    adapt(job, now_ms() - job->ask.begun_ms < job->ask.patience_ms / 4);
}

/* ---- a refusal of the whole ---- */

static void halve(struct job *job, const tr_http_response *response)
{
    char shown[SHOWN_MAX];

    ask_describe(&job->ask, response, shown);
    if (job->posted > 1)
        job->post_limit = job->posted / 2;
    for (uint32_t l = 0; l < job->leaves_count; l++) {
        if (job->leaves[l].state != LEAF_POSTED)
            continue;
        if (job->posted > 1)
            job->leaves[l].state = LEAF_READY;
        else
            job_refuse_leaf(job, &job->leaves[l], "%d: %s", (int)response->status, shown);
    }
}

void refusal_take(struct job *job, const tr_http_response *response)
{
    switch (response->status) {
    case 200:
    case 201:
    case 202: take_rows(job, response->body); return;
    case 400:
    case 412:
    case 413:
    case 415: halve(job, response); return;
    default: break;
    }
    if (response->status == 429 || (response->status == 0 && job->ask.late))
        adapt(job, false);
    job_fail_answer(job, WHAT, response);
}
