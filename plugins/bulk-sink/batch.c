/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A batch on its way: round after round until each change has an outcome, or until something
 * has to wait, which is the host's. Worker.
 */
#include "bulk.h"

#include <time.h>

int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- jobs ---- */

void job_free(struct job *job)
{
    tr_text_fini(&job->target);
    tr_text_fini(&job->source);
    tr_text_fini(&job->path);
    tr_text_fini(&job->body);
    tr_text_fini(&job->notes);
    tr_text_fini(&job->scratch);
    tr_bulk_fini(&job->bulk);
    free(job->items);
    free(job);
}

/* With new_edits the target makes a revision of each state that it gets: only the last is worth
 * one. */
struct job *job_new(tr_self *self, const tr_batch *batch)
{
    struct job *job = calloc(1, sizeof(*job));

    if (!job)
        return NULL;
    job->self = self;
    job->batch = batch;
    job->items = calloc(batch->count, sizeof(*job->items));
    if (!job->items || tr_bulk_init(&job->bulk, batch,
                                    self->options.new_edits ? TR_BULK_LATEST : 0) != TR_OK) {
        job_free(job);
        return NULL;
    }
    for (uint32_t i = 0; i < batch->count; i++)
        plan_item(job, i);
    return job;
}

const tr_bulk_key *job_find(struct job *job, tr_str raw_id, uint32_t *ret_count)
{
    tr_text_part id;

    job->scratch.len = 0;
    id = tr_text_add_decoded(&job->scratch, job->self->json, raw_id);
    return tr_bulk_find(&job->bulk, tr_text_at(&job->scratch, id), ret_count);
}

uint32_t job_time_left(const struct job *job)
{
    int64_t left = job->batch->deadline_ms - now_ms();

    left -= left > 10000 ? 1000 : left / 10;
    return left < 1 ? 0 : left > INT32_MAX ? INT32_MAX : (uint32_t)left;
}

void job_reject(struct job *job, uint32_t i, tr_str why)
{
    tr_bulk_reject(&job->bulk, i, "%.*s", (int)why.len, why.ptr);
    if (tr_bulk_is_open(&job->bulk, i))
        job->items[i].in_group = false;
}

/* ---- rounds ---- */

bool job_pick(struct job *job)
{
    uint32_t most = job->self->most, fetched = 0;

    if (!job->self->options.new_edits)
        fetched = fetch_most(job->self);
    if (fetched > 0 && (most == 0 || fetched < most))
        most = fetched;
    for (uint32_t i = 0; i < job->batch->count; i++)
        job->items[i].in_group = false;
    if (!tr_bulk_next(&job->bulk, most))
        return false;
    for (uint32_t k = 0; k < job->bulk.group_count; k++)
        job->items[job->bulk.group[k]].in_group = true;
    return true;
}

static void post_group(struct job *job)
{
    const char *comma = "";
    size_t len = 64;

    tr_text_clear(&job->body);
    for (uint32_t k = 0; k < job->bulk.group_count; k++)
        len += tr_batch_at(job->batch, job->bulk.group[k])->raw.len + 128;
    tr_text_reserve(&job->body, len); /* so that it is written once */
    tr_text_add_c(&job->body, "{\"docs\":[");
    for (uint32_t k = 0; k < job->bulk.group_count; k++) {
        tr_text_add_c(&job->body, comma);
        plan_add_doc(job, &job->body, job->bulk.group[k]);
        comma = ",";
    }
    tr_text_add_c(&job->body, "]}");
    answer_post(job);
}

void job_advance(struct job *job)
{
    tr_bulk *bulk = &job->bulk;

    if (job_pick(job)) {
        if (job_time_left(job) <= 1)
            /* A server that got on is slow, not broken: it goes on at once. */
            tr_bulk_fail(bulk, bulk->settled > 0 ? 1 : 0,
                         "the batch's time is over after %u of %u changes; raise the rule's "
                         "timeout, or lower its batch.size",
                         bulk->settled, job->batch->count);
        else if (look_is_needed(job))
            look_send(job);
        else if (!job->self->options.new_edits)
            fetch_send(job);
        else
            post_group(job);
        if (!bulk->failed)
            return;
    }
    (void)tr_bulk_complete(bulk, job->self->host);
    job_free(job);
}
