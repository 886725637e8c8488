/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a batch would lead to in native mode, as the target would be if it had nothing of it:
 * tr.explain/1. [control], on an instance that is configured and not started.
 */
#include "native.h"

static void say(void (*line)(void *user, tr_str text), void *user, const char *what,
                const tr_text *url, const char *path, const tr_text *body)
{
    char shown[2048];
    struct out out = {.ptr = shown, .cap = sizeof(shown) - 1};
    tr_text text = {0};

    tr_text_add(&text, tr_text_str(url));
    tr_text_add(&text, tr_str_n("", 1));
    out_add_c(&out, what);
    if (!text.failed)
        endpoint_add_shown(&out, text.ptr);
    out_add_c(&out, path);
    tr_text_fini(&text);
    if (out.len <= out.cap)
        line(user, tr_str_n(shown, out.len));
    if (body && !body->failed)
        line(user, tr_text_str(body));
}

static tr_status make_urls(tr_self *self, const tr_batch *batch, tr_text *source,
                           tr_text *target)
{
    tr_status status = native_compile(self, NULL);

    if (status == TR_OK)
        status = address_make(self, self->source_url, batch->db, source);
    if (status == TR_OK)
        status = address_make(self, self->target_url, batch->db, target);
    return status;
}

/* Which documents are in the feed, and which are fetched. */
static void divide(struct job *job, tr_text *feed)
{
    const char *comma = "";

    tr_text_add_c(feed, "{\"new_edits\":false,\"docs\":[");
    for (uint32_t i = 0; i < job->batch->count; i++)
        for (uint32_t l = job->first[i]; l < job->first[i + 1]; l++) {
            if (!leaf_is_fast(job, i)) {
                job->leaves[l].state = LEAF_ASKED;
                continue;
            }
            tr_text_add_c(feed, comma);
            leaf_add_from_feed(job->self, feed, tr_batch_at(job->batch, i));
            comma = ",";
        }
    tr_text_add_c(feed, comma[0] ? ",…]}" : "…]}");
}

tr_status native_explain(tr_self *self, const tr_batch *batch,
                         void (*line)(void *user, tr_str text), void *user)
{
    tr_text source = {0}, target = {0}, text = {0};
    struct job *job = job_new(self, batch);
    tr_status status = job ? make_urls(self, batch, &source, &target) : TR_EAGAIN;

    if (status == TR_OK) {
        diff_add_body(job, &text);
        say(line, user, "POST ", &target, "/_revs_diff", &text);
        tr_text_clear(&text);
        divide(job, &text);
        job->body.len = 0;
        fetch_add_body(job, &job->body);
        if (fetch_is_needed(job))
            say(line, user, "POST ", &source, fetch_path(job), &job->body);
        say(line, user, "POST ", &target, "/_bulk_docs", &text);
    }
    tr_text_fini(&source);
    tr_text_fini(&target);
    tr_text_fini(&text);
    if (job)
        job_free(job);
    return status;
}
