/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Documents of a source that has no _bulk_get, one after the other: GET DOCUMENT?open_revs,
 * with all leaves of a change that are asked for. Worker.
 */
#include "native.h"

#define WHAT "GET of a document of the source"

/* "/ID?revs=true&open_revs=[…]" */
static void add_path(struct job *job, tr_text *out, uint32_t i)
{
    const char *comma = "";
    tr_text revs = {0};

    address_add_id(out, tr_batch_at(job->batch, i)->id);
    tr_text_add_c(out, job->contents ? "?revs=true&attachments=true"
                                     : "?revs=true&att_encoding_info=true");
    tr_text_add_c(out, "&open_revs=");
    tr_text_add_c(&revs, "[");
    for (uint32_t l = job->first[i]; l < job->first[i + 1]; l++) {
        if (job->leaves[l].state != LEAF_ASKED)
            continue;
        tr_text_add_c(&revs, comma);
        tr_text_add(&revs, job->leaves[l].rev);
        comma = ",";
    }
    tr_text_add_c(&revs, "]");
    tr_text_add_percent(out, tr_text_str(&revs));
    out->failed |= revs.failed;
    tr_text_fini(&revs);
}

/* Of the document that was asked for; how many there are. */
static uint32_t replace_asked(struct job *job, enum leaf_state state)
{
    uint32_t count = 0;

    for (uint32_t l = job->first[job->single]; l < job->first[job->single + 1]; l++)
        if (job->leaves[l].state == LEAF_ASKED) {
            job->leaves[l].state = (uint8_t)state;
            count++;
        }
    return count;
}

static void answered(struct ask *ask, const tr_http_response *response)
{
    struct job *job = job_of(ask);
    const tr_bulk_key key = {.i = job->single};

    if (response->status == 200 && tr_scan_is_whole(response->body, '[')) {
        fetch_take_docs(job, &key, 1, response->body);
        if (replace_asked(job, LEAF_ASKED) > 0)
            tr_bulk_fail(&job->bulk, 0, WHAT ": the answer leaves out revisions asked for");
    } else if (response->status == 404 && !ask_is_gone(response)) {
        (void)replace_asked(job, LEAF_GONE);
    } else if (response->status == 200) {
        tr_bulk_fail(&job->bulk, 0, WHAT ": the answer is not whole");
    } else {
        job_fail_answer(job, WHAT, response);
    }
    job_advance(job);
}

void single_send(struct job *job)
{
    tr_text path = {0};

    for (uint32_t l = 0; l < job->leaves_count; l++)
        if (job->leaves[l].state == LEAF_ASKED) {
            job->single = job->leaves[l].change;
            break;
        }
    add_path(job, &path, job->single);
    tr_text_add(&path, tr_str_n("", 1));
    if (path.failed)
        tr_bulk_fail(&job->bulk, 0, "out of memory");
    else
        job_send(job, &(struct question){.client = job->self->source_client,
                                         .method = "GET",
                                         .url = tr_text_str(&job->link->source),
                                         .path = path.ptr,
                                         .answered = answered});
    tr_text_fini(&path);
}
