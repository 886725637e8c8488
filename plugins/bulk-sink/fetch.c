/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Documents with their histories, from the source: what new_edits = false sends. The feed's
 * documents have none, and one that is sent without becomes a branch without ancestors, which
 * conflicts with all that the target has of it.
 *
 * A first revision has no history: it goes as it came with the row, and nobody is asked for it.
 * Of all others each revision that the row names is asked for, the winner or with the rule's
 * all_leaves every one, and no newer one in its place: conditions and transforms have seen this
 * one. What the source does not have any more is asked for once again, with latest: if there is
 * something newer of its branch it was replaced meanwhile, and the newer state comes by the
 * feed.
 *
 *     _bulk_get ──▶ documents ──▶ body ──▶ POST _bulk_docs
 *         │            ▲ └─ missing ──▶ _bulk_get?latest ──▶ settled, or a dead letter
 *         └─ 400, 404, 405: GET of one document after the other
 *
 * A server that has no _bulk_get is asked for it again after some minutes. Worker.
 */
#include "bulk.h"

#define WHAT     "POST _bulk_get of the source"
#define WHAT_ONE "GET of the source"

enum { SINGLES_MAX = 100, SINGLES_MS = 10 * 60 * 1000 };

/* ---- questions ---- */

/* Whether the change is asked about in this pass. */
static bool is_wanted(const struct job *job, uint32_t i)
{
    const struct item *item = &job->items[i];

    return job_waits(job, i) && !item->unclear && !item->is_first &&
           (!job->newest || (item->missing && !item->fetched));
}

/* Calls `add` for each revision of a change that is asked for, as raw JSON. What a transform
 * has made of the winner says nothing of other leaves: they are not sent. */
static void each_rev(struct job *job, uint32_t i, tr_text *out,
                     void (*add)(struct job *job, tr_text *out, uint32_t i, tr_str rev))
{
    const tr_change *change = tr_batch_at(job->batch, i);
    tr_text rev = {0};
    bool some = false;
    tr_scan scan;
    tr_str key, leaf;

    if (!(change->flags & TR_CHANGE_TRANSFORMED) && tr_scan_open(&scan, change->revs, '['))
        while (tr_scan_next(&scan, &key, &leaf) == 1) {
            tr_str raw = tr_scan_find(leaf, "rev");
            if (raw.len > 2 && raw.ptr[0] == '"') {
                add(job, out, i, raw);
                some = true;
            }
        }
    if (some)
        return;
    tr_text_add_string(&rev, job->self->json, change->rev);
    add(job, out, i, tr_text_str(&rev));
    out->failed |= rev.failed;
    tr_text_fini(&rev);
}

/* Between elements of an array that `out` ends within. */
static void add_comma(tr_text *out)
{
    if (out->len > 0 && out->ptr[out->len - 1] != '[')
        tr_text_add_c(out, ",");
}

static void add_question(struct job *job, tr_text *out, uint32_t i, tr_str rev)
{
    add_comma(out);
    tr_text_add_c(out, "{\"id\":");
    tr_text_add_string(out, job->self->json, tr_batch_at(job->batch, i)->id);
    tr_text_add_c(out, ",\"rev\":");
    tr_text_add(out, rev);
    tr_text_add_c(out, "}");
}

static void add_rev(struct job *job, tr_text *out, uint32_t i, tr_str rev)
{
    (void)job, (void)i;
    add_comma(out);
    tr_text_add(out, rev);
}

void fetch_add_body(struct job *job, tr_text *out)
{
    tr_text_add_c(out, "{\"docs\":[");
    for (uint32_t k = 0; k < job->bulk.group_count; k++)
        if (is_wanted(job, job->bulk.group[k]))
            each_rev(job, job->bulk.group[k], out, add_question);
    tr_text_add_c(out, "]}");
}

/* What is not to be sent is asked for without attachments. */
static const char *query(const struct job *job)
{
    if (job->newest)
        return "revs=true&latest=true";
    return job->self->options.attachments == ATTACHMENTS_DROP ? "revs=true"
                                                              : "revs=true&attachments=true";
}

void fetch_add_path(const struct job *job, tr_text *out)
{
    tr_text_add_c(out, "/_bulk_get?");
    tr_text_add_c(out, query(job));
}

static void answered(struct job *job, const tr_http_response *response);
static void answered_one(struct job *job, const tr_http_response *response);

static void ask_all(struct job *job)
{
    tr_text question = {0};

    fetch_add_body(job, &question);
    tr_text_clear(&job->path);
    fetch_add_path(job, &job->path);
    job->path.failed |= question.failed;
    request_send(job, &(struct target_request){.method = "POST",
                                               .database = &job->source,
                                               .path = tr_text_str(&job->path),
                                               .body = tr_text_str(&question),
                                               .answered = answered});
    tr_text_fini(&question);
}

/* The next one from place `at` of the group on. False: there is none. */
static bool ask_one(struct job *job, uint32_t at)
{
    tr_text revs = {0};

    while (at < job->bulk.group_count && !is_wanted(job, job->bulk.group[at]))
        at++;
    if (at == job->bulk.group_count)
        return false;
    job->at = at;
    tr_text_add_c(&revs, "[");
    each_rev(job, job->bulk.group[at], &revs, add_rev);
    tr_text_add_c(&revs, "]");
    tr_text_clear(&job->path);
    tr_text_add_c(&job->path, "/");
    tr_text_add_percent(&job->path, tr_batch_at(job->batch, job->bulk.group[at])->id);
    tr_text_add_c(&job->path, "?");
    tr_text_add_c(&job->path, query(job));
    tr_text_add_c(&job->path, "&open_revs=");
    tr_text_add_percent(&job->path, tr_text_str(&revs));
    job->path.failed |= revs.failed;
    tr_text_fini(&revs);
    request_send(job, &(struct target_request){.method = "GET",
                                               .database = &job->source,
                                               .path = tr_text_str(&job->path),
                                               .answered = answered_one});
    return true;
}

static void finish_pass(struct job *job);

static void ask(struct job *job)
{
    if (now_ms() >= job->self->singles_until_ms)
        ask_all(job);
    else if (!ask_one(job, 0))
        finish_pass(job);
}

uint32_t fetch_most(const tr_self *self)
{
    return now_ms() < self->singles_until_ms ? SINGLES_MAX : 0;
}

bool fetch_is_needed(const struct job *job)
{
    for (uint32_t k = 0; k < job->bulk.group_count; k++)
        if (!job->items[job->bulk.group[k]].is_first)
            return true;
    return false;
}

void fetch_add_firsts(struct job *job, tr_text *out)
{
    size_t len = 64;

    for (uint32_t k = 0; k < job->bulk.group_count; k++)
        if (job->items[job->bulk.group[k]].is_first)
            len += tr_batch_at(job->batch, job->bulk.group[k])->raw.len + 128;
    tr_text_reserve(out, len); /* so that it is written once */
    for (uint32_t k = 0; k < job->bulk.group_count; k++) {
        if (!job->items[job->bulk.group[k]].is_first)
            continue;
        add_comma(out);
        plan_add_first(job, out, job->bulk.group[k]);
    }
}

void fetch_send(struct job *job)
{
    for (uint32_t k = 0; k < job->bulk.group_count; k++) {
        struct item *item = &job->items[job->bulk.group[k]];
        item->missing = item->unclear = item->replaced = false;
        item->fetched = item->sent = item->is_first;
    }
    job->newest = false;
    tr_text_clear(&job->body);
    tr_text_add_c(&job->body, "{\"new_edits\":false,\"docs\":[");
    fetch_add_firsts(job, &job->body);
    if (fetch_is_needed(job))
        ask(job);
    else
        finish_pass(job);
}

/* ---- the end of a pass ---- */

/* Who goes on, and who does not. Returns how many are posted. */
static uint32_t sort_out(struct job *job)
{
    uint32_t unclear = 0, sent = 0;

    for (uint32_t k = 0; k < job->bulk.group_count; k++) {
        uint32_t i = job->bulk.group[k];
        struct item *item = &job->items[i];

        if (item->unclear || (!item->fetched && !item->missing)) {
            item->in_group = false;
            unclear++;
        } else if (item->sent) {
            sent++;
        } else if (item->fetched || item->replaced) {
            tr_bulk_accept(&job->bulk, i);
        } else {
            job_reject(job, i,
                       TR_STR("not_found: the source does not have that revision: it was "
                              "purged, or source_url is the server of another database"));
        }
    }
    if (unclear > 0 && !job->bulk.failed)
        tr_bulk_fail(&job->bulk, 0,
                     WHAT ": the answer leaves out %u of the documents asked for", unclear);
    return sent;
}

static void finish_pass(struct job *job)
{
    bool more = false;

    for (uint32_t k = 0; k < job->bulk.group_count && !job->newest; k++) {
        const struct item *item = &job->items[job->bulk.group[k]];
        more |= item->missing && !item->fetched && !item->unclear;
    }
    if (more && !job->bulk.failed) {
        job->newest = true;
        ask(job);
    } else if (sort_out(job) > 0) {
        tr_text_add_c(&job->body, "]}");
        answer_post(job);
    }
}

/* ---- answers ---- */

/* Whether it is this request that the server does not have, and not the database. */
static bool lacks_bulk_get(const tr_http_response *response)
{
    tr_str reason = tr_scan_find(response->body, "reason");

    if (response->status == 404)
        return !tr_str_eq(reason, TR_STR("\"Database does not exist.\"")) &&
               !tr_str_eq(reason, TR_STR("\"no_db_file\""));
    return response->status == 400 || response->status == 405;
}

static void answered(struct job *job, const tr_http_response *response)
{
    if (response->status == 200) {
        if (tr_scan_is_whole(response->body, '{')) {
            found_take_results(job, tr_scan_find(response->body, "results"));
            finish_pass(job);
        } else if (response->body.len < ANSWER_MAX || !tr_bulk_halve(&job->bulk)) {
            tr_bulk_fail(&job->bulk, 0, WHAT ": the answer is not whole");
        }
    } else if (lacks_bulk_get(response)) {
        tr_logf(job->self->host, TR_LOG_NOTICE,
                "the source has no _bulk_get (%d): its documents are read one by one",
                (int)response->status);
        job->self->singles_until_ms = now_ms() + SINGLES_MS;
        ask(job);
    } else if (response->status != 413 || !tr_bulk_halve(&job->bulk)) {
        request_fail(job, WHAT, response);
    }
}

static void answered_one(struct job *job, const tr_http_response *response)
{
    uint32_t i = job->bulk.group[job->at];

    if (response->status == 200 && tr_scan_is_whole(response->body, '[')) {
        found_take_one(job, i, response->body);
    } else if (response->status == 404 && lacks_bulk_get(response)) {
        job->items[i].missing = true; /* it never had the document */
    } else if (response->status == 200) {
        tr_bulk_fail(&job->bulk, 0, WHAT_ONE ": the answer is not whole");
        return;
    } else {
        request_fail(job, WHAT_ONE, response);
        return;
    }
    if (!job->bulk.failed && !ask_one(job, job->at + 1))
        finish_pass(job);
}
