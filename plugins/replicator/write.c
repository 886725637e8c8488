/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Documents to the target: as many of those that are ready as one request may have. Worker.
 */
#include "native.h"

static bool fits(const struct job *job, uint32_t count, size_t bytes)
{
    const struct options *options = &job->self->options;

    if (count == 0)
        return true;
    return count < (uint32_t)options->write_docs && bytes <= (size_t)options->write_bytes &&
           (job->link->most == 0 || count < job->link->most) &&
           (job->post_limit == 0 || count < job->post_limit);
}

static void add_docs(struct job *job)
{
    size_t bytes = 0;

    job->posted = 0;
    tr_text_clear(&job->body);
    tr_text_add_c(&job->body, "{\"new_edits\":false,\"docs\":[");
    for (uint32_t l = 0; l < job->leaves_count; l++) {
        struct leaf *leaf = &job->leaves[l];

        if (leaf->state != LEAF_READY)
            continue;
        bytes += leaf->doc.len;
        if (!fits(job, job->posted, bytes))
            break;
        if (job->posted++ > 0)
            tr_text_add_c(&job->body, ",");
        tr_text_add(&job->body, tr_text_at(&job->docs, leaf->doc));
        leaf->state = LEAF_POSTED;
    }
    tr_text_add_c(&job->body, "]}");
}

static void answered(struct ask *ask, const tr_http_response *response)
{
    struct job *job = job_of(ask);

    refusal_take(job, response);
    job_advance(job);
}

bool write_send(struct job *job)
{
    add_docs(job);
    if (job->posted == 0)
        return false;
    job_send(job, &(struct question){.client = job->self->target_client,
                                     .method = "POST",
                                     .url = tr_text_str(&job->link->target),
                                     .path = "/_bulk_docs",
                                     .body = tr_text_str(&job->body),
                                     .answered = answered});
    return true;
}
