/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A batch on its way: what the target lacks, and then round after round, each of which fetches
 * and writes the leaves of a group of changes, until every change has an outcome or something
 * has to wait, which is the host's. Worker.
 *
 * A change has its outcome when all its leaves have theirs: one that is refused makes it a dead
 * letter, with the others written all the same.
 */
#include "native.h"

/* ---- its life ---- */

static uint32_t time_left(const struct job *job)
{
    int64_t left = job->batch->deadline_ms - now_ms();

    left -= left > 10000 ? 1000 : left / 10;
    return left < 1 ? 0 : left > INT32_MAX ? INT32_MAX : (uint32_t)left;
}

void job_free(struct job *job)
{
    tr_text_fini(&job->body);
    tr_text_fini(&job->docs);
    tr_text_fini(&job->notes);
    tr_text_fini(&job->scratch);
    tr_bulk_fini(&job->bulk);
    free(job->leaves);
    free(job->first);
    free(job->reasons);
    free(job);
}

struct job *job_new(tr_self *self, const tr_batch *batch)
{
    struct job *job = calloc(1, sizeof(*job));

    if (!job)
        return NULL;
    job->self = self;
    job->batch = batch;
    job->timeout_ms = time_left(job);
    job->first = calloc(batch->count + 1, sizeof(*job->first));
    job->reasons = calloc(batch->count, sizeof(*job->reasons));
    if (!job->first || !job->reasons || tr_bulk_init(&job->bulk, batch, 0) != TR_OK ||
        !leaf_list(job)) {
        job_free(job);
        return NULL;
    }
    for (uint32_t i = 0; i < batch->count; i++)
        if (tr_batch_at(batch, i)->flags & TR_CHANGE_TRANSFORMED)
            tr_bulk_reject(&job->bulk, i,
                           "a transform changed it: under its revision every server has the "
                           "same document; use bulk-sink, or take the transforms out");
    return job;
}

static void finish(struct job *job)
{
    struct link *link = job->link;

    (void)tr_bulk_complete(&job->bulk, job->self->host);
    job_free(job);
    if (link)
        link->jobs--;
}

const tr_bulk_key *job_find(struct job *job, tr_str raw_id, uint32_t *ret_count)
{
    tr_text_part id;

    job->scratch.len = 0;
    id = tr_text_add_decoded(&job->scratch, job->self->json, raw_id);
    return tr_bulk_find(&job->bulk, tr_text_at(&job->scratch, id), ret_count);
}

/* ---- requests ---- */

void job_send(struct job *job, const struct question *question)
{
    const char *why = "out of memory";

    if (!job->body.failed && !job->docs.failed && !job->notes.failed && !job->scratch.failed)
        why = ask_send(job->self, &job->ask, question,
                       question->ticket ? job->timeout_ms : time_left(job));
    if (why)
        tr_bulk_fail(&job->bulk, 0, "%s", why);
}

void job_fail_answer(struct job *job, const char *what, const tr_http_response *response)
{
    uint32_t after = response->retry_after_ms;
    char shown[SHOWN_MAX];

    /* A server that asks for patience blames no document, also if it does not say how much. */
    if (response->status == 429 && after == 0)
        after = 1000;
    if (ask_is_gone(response) && job->ask.client == job->self->target_client)
        link_lose(job->link);
    ask_describe(&job->ask, response, shown);
    if (response->status == 0)
        tr_bulk_fail(&job->bulk, after, "%s: %s", what, shown);
    else
        tr_bulk_fail(&job->bulk, after, "%s: %d: %s", what, (int)response->status, shown);
}

/* ---- outcomes ---- */

/* The first reason is kept; which leaf it was is part of it. */
void job_refuse_leaf(struct job *job, struct leaf *leaf, const char *fmt, ...)
{
    tr_text_part *reason = &job->reasons[leaf->change];
    char words[TR_BULK_WORDS];
    va_list args;

    leaf->state = LEAF_REFUSED;
    job->link->books.session.failures++;
    if (reason->len > 0)
        return;
    va_start(args, fmt);
    (void)vsnprintf(words, sizeof(words), fmt, args);
    va_end(args);
    reason->at = job->notes.len;
    tr_text_add(&job->notes, tr_str_n(leaf->rev.ptr + 1, leaf->rev.len - 2));
    tr_text_add_c(&job->notes, ": ");
    tr_text_add_c(&job->notes, words);
    reason->len = job->notes.len - reason->at;
}

void job_refuse_all(struct job *job, const char *why)
{
    for (uint32_t i = 0; i < job->batch->count; i++)
        tr_bulk_reject(&job->bulk, i, "%s", why);
}

void job_settle_all(struct job *job)
{
    for (uint32_t i = 0; i < job->batch->count; i++)
        if (tr_bulk_is_open(&job->bulk, i))
            tr_bulk_accept(&job->bulk, i);
}

static void settle(struct job *job, uint32_t i)
{
    tr_str reason = tr_text_at(&job->notes, job->reasons[i]);
    bool refused = false;

    for (uint32_t l = job->first[i]; l < job->first[i + 1]; l++) {
        if (job->leaves[l].state < LEAF_SETTLED)
            return;
        refused |= job->leaves[l].state == LEAF_REFUSED;
    }
    if (refused)
        tr_bulk_reject(&job->bulk, i, "%.*s", (int)reason.len, reason.ptr);
    else
        tr_bulk_accept(&job->bulk, i);
}

static void settle_all(struct job *job)
{
    for (uint32_t i = 0; i < job->batch->count; i++)
        if (tr_bulk_is_open(&job->bulk, i))
            settle(job, i);
}

/* ---- rounds ---- */

/* No more than a request for documents may have, and not much more than a request with them. */
static void trim_group(struct job *job)
{
    const struct options *options = &job->self->options;
    uint32_t fetches = 0, k;
    size_t bytes = 0;

    for (k = 0; k < job->bulk.group_count; k++) {
        uint32_t i = job->bulk.group[k];

        bytes += tr_batch_at(job->batch, i)->raw.len;
        if (!leaf_is_fast(job, i))
            fetches += job->first[i + 1] - job->first[i];
        if (k > 0 &&
            (bytes > (size_t)options->write_bytes || fetches > (uint32_t)options->fetch_docs))
            break;
    }
    job->bulk.group_count = k;
}

static void take_from_feed(struct job *job, struct leaf *leaf)
{
    size_t at = job->docs.len;

    leaf_add_from_feed(job->self, &job->docs, tr_batch_at(job->batch, leaf->change));
    leaf->doc = (tr_text_part){.at = at, .len = job->docs.len - at};
    leaf->state = LEAF_READY;
    job->link->books.session.read++;
}

/* Chooses the next changes, and where their documents come from. False: none is left. */
static bool begin_round(struct job *job)
{
    size_t bytes = 0;

    tr_text_clear(&job->docs);
    job->contents = false;
    job->post_limit = 0;
    for (uint32_t l = 0; l < job->leaves_count; l++)
        job->leaves[l].doc.len = 0;
    if (!tr_bulk_next(&job->bulk, 0))
        return false;
    trim_group(job);
    for (uint32_t k = 0; k < job->bulk.group_count; k++)
        bytes += tr_batch_at(job->batch, job->bulk.group[k])->raw.len + 64;
    (void)tr_text_reserve(&job->docs, bytes); /* so that it is written once */
    for (uint32_t k = 0; k < job->bulk.group_count; k++) {
        uint32_t i = job->bulk.group[k];
        bool fast = leaf_is_fast(job, i);

        for (uint32_t l = job->first[i]; l < job->first[i + 1]; l++)
            if (job->leaves[l].state == LEAF_OPEN && fast)
                take_from_feed(job, &job->leaves[l]);
            else if (job->leaves[l].state == LEAF_OPEN)
                job->leaves[l].state = LEAF_ASKED;
    }
    return true;
}

/* What is next. False: every change has its outcome. */
static bool step(struct job *job)
{
    if (!job->diffed && diff_is_needed(job)) {
        diff_send(job);
    } else if (!job->diffed) {
        diff_skip(job);
    } else if (fetch_is_needed(job)) {
        if (job->link->no_bulk_get)
            single_send(job);
        else
            fetch_send(job);
    } else if (fetch_doubts(job)) {
        fetch_look(job);
    } else if (!write_send(job) && !attach_ask(job) && !multipart_send(job)) {
        fetch_close(job);
        settle_all(job);
        return begin_round(job);
    }
    return true;
}

void job_advance(struct job *job)
{
    tr_bulk *bulk = &job->bulk;

    while (!bulk->failed && bulk->settled < job->batch->count) {
        if (time_left(job) <= 1) {
            /* A server that got on is slow, not broken: it goes on at once. */
            settle_all(job);
            tr_bulk_fail(bulk, bulk->settled > 0 ? 1 : 0,
                         "the batch's time is over after %u of %u changes; raise the rule's "
                         "timeout, or lower its batch.size",
                         bulk->settled, job->batch->count);
        } else if (!step(job)) {
            break;
        } else if (job->ask.request != 0) {
            return;
        }
    }
    settle_all(job);
    finish(job);
}
