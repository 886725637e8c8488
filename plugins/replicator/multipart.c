/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A document with large attachments: one PUT, whose body is the document and, behind it, what
 * the source answers for each attachment. The host lets the bytes flow from one server to the
 * other and compares length and digest; none of them is in memory here. Worker.
 *
 *     --BOUNDARY  the document, its attachments said to follow
 *     --BOUNDARY  GET SOURCE/ID/NAME?rev=…      as it is stored, so that its digest stays
 *     --BOUNDARY  …
 */
#include "native.h"

#define WHAT "PUT of a document with its attachments"

/* What is sent of one leaf; texts that parts point into. */
struct message {
    char boundary[REPLICATION_ID_HEX + 16];
    char type[REPLICATION_ID_HEX + 64];
    char between[REPLICATION_ID_HEX + 32];
    char last[REPLICATION_ID_HEX + 32];
    tr_text head;
    tr_text urls; /* one behind the other                                                  */
    tr_http_part *parts;
    uint32_t count;
};

static const tr_http_header accept_gzip = {
    .name = {"Accept-Encoding", sizeof("Accept-Encoding") - 1},
    .value = {"gzip", sizeof("gzip") - 1},
};

/* ---- the document ---- */

/* {"a":{…,"stub":true}} with "follows" in its place. */
static void add_attachments(tr_text *out, tr_str attachments)
{
    tr_scan scan, members;
    tr_str name, one, key, value;
    const char *comma = "{";

    if (tr_scan_open(&scan, attachments, '{'))
        while (tr_scan_next(&scan, &name, &one) == 1) {
            tr_text_add_c(out, comma);
            tr_text_add(out, tr_str_n(name.ptr - 1, name.len + 2));
            tr_text_add_c(out, ":{\"follows\":true");
            if (tr_scan_open(&members, one, '{'))
                while (tr_scan_next(&members, &key, &value) == 1) {
                    if (tr_str_eq(key, TR_STR("stub")))
                        continue;
                    tr_text_add_c(out, ",");
                    tr_text_add(out, tr_str_n(key.ptr - 1,
                                              (size_t)(value.ptr + value.len - key.ptr) + 1));
                }
            tr_text_add_c(out, "}");
            comma = ",";
        }
    tr_text_add_c(out, "}");
}

static void add_head(struct message *message, tr_str doc)
{
    tr_text *out = &message->head;
    const char *comma = "{";
    tr_scan scan;
    tr_str key, value;

    tr_text_addf(out, "--%s\r\nContent-Type: application/json\r\n\r\n", message->boundary);
    if (tr_scan_open(&scan, doc, '{'))
        while (tr_scan_next(&scan, &key, &value) == 1) {
            tr_text_add_c(out, comma);
            tr_text_add(out, tr_str_n(key.ptr - 1, key.len + 2));
            tr_text_add_c(out, ":");
            if (tr_str_eq(key, TR_STR("_attachments")))
                add_attachments(out, value);
            else
                tr_text_add(out, value);
            comma = ",";
        }
    tr_text_add_c(out, "}");
    tr_text_add_c(out, message->between);
}

/* ---- the attachments ---- */

static uint32_t count_members(tr_str object)
{
    uint32_t count = 0;
    tr_scan scan;
    tr_str key, value;

    if (tr_scan_open(&scan, object, '{'))
        while (tr_scan_next(&scan, &key, &value) == 1)
            count++;
    return count;
}

static void add_url(struct job *job, const struct leaf *leaf, tr_text *out, tr_str name)
{
    tr_text_part decoded;

    tr_text_add(out, tr_text_str(&job->link->source));
    address_add_id(out, tr_batch_at(job->batch, leaf->change)->id);
    tr_text_add_c(out, "/");
    job->scratch.len = 0;
    decoded = tr_text_add_decoded(&job->scratch, job->self->json,
                                  tr_str_n(name.ptr - 1, name.len + 2));
    tr_text_add_percent(out, tr_text_at(&job->scratch, decoded));
    tr_text_add_c(out, "?rev=");
    tr_text_add(out, tr_str_n(leaf->rev.ptr + 1, leaf->rev.len - 2));
}

static tr_str unquoted(tr_str raw)
{
    return raw.len > 2 && raw.ptr[0] == '"' ? tr_str_n(raw.ptr + 1, raw.len - 2)
                                            : tr_str_n(NULL, 0);
}

/* Each in the order in which the document names them. False: no memory. */
static bool add_parts(struct job *job, const struct leaf *leaf, struct message *message,
                      tr_str attachments)
{
    uint32_t count = count_members(attachments), i = 1;
    tr_text_part *urls = calloc(count + 1, sizeof(*urls));
    tr_scan scan;
    tr_str name, one;

    message->count = 2 * count + 1;
    message->parts = calloc(message->count, sizeof(*message->parts));
    if (!urls || !message->parts) {
        free(urls);
        return false;
    }
    message->parts[0].bytes = tr_text_str(&message->head);
    (void)tr_scan_open(&scan, attachments, '{');
    for (; tr_scan_next(&scan, &name, &one) == 1; i += 2) {
        tr_http_part *part = &message->parts[i];
        bool is_encoded = tr_scan_find(one, "encoding").len > 0;

        urls[i / 2].at = message->urls.len;
        add_url(job, leaf, &message->urls, name);
        urls[i / 2].len = message->urls.len - urls[i / 2].at;
        part->headers = is_encoded ? &accept_gzip : NULL;
        part->headers_count = is_encoded ? 1 : 0;
        part->length = attach_length(one);
        part->digest = unquoted(tr_scan_find(one, "digest"));
        part[1].bytes = tr_str_c(i + 2 < message->count ? message->between : message->last);
    }
    for (i = 1; i < message->count; i += 2)
        message->parts[i].url = tr_text_at(&message->urls, urls[i / 2]);
    free(urls);
    return !message->head.failed && !message->urls.failed;
}

/* ---- the answer ---- */

static void take_part_failure(struct job *job, struct leaf *leaf,
                              const tr_http_response *response)
{
    char shown[SHOWN_MAX];

    tr_text_show(response->error, shown, sizeof(shown));
    if (response->part_status == 404)
        leaf->state = LEAF_GONE;
    else if (response->flags & TR_HTTP_PART_DIFFERS)
        job_refuse_leaf(job, leaf, "%s", shown);
    else
        job_fail_answer(job, WHAT, response);
}

static void answered(struct ask *ask, const tr_http_response *response)
{
    struct job *job = job_of(ask);
    struct leaf *leaf = &job->leaves[job->single];
    int32_t status = response->status;
    char shown[SHOWN_MAX];

    if (status == 201 || status == 202) {
        leaf->state = LEAF_SETTLED;
        job->link->books.session.written++;
    } else if (status == 400 || status == 403 || (status >= 412 && status <= 415)) {
        ask_describe(ask, response, shown);
        job_refuse_leaf(job, leaf, "%s", shown);
    } else if (status == 0 && (response->flags & TR_HTTP_PART_FAILED)) {
        take_part_failure(job, leaf, response);
    } else {
        job_fail_answer(job, WHAT, response);
    }
    job_advance(job);
}

/* ---- sending ---- */

static void send(struct job *job, struct leaf *leaf, struct message *message)
{
    tr_str doc = tr_text_at(&job->docs, leaf->doc);
    const char *id = job->link->books.session.id; /* as random as a boundary has to be */
    tr_text path = {0};

    snprintf(message->boundary, sizeof(message->boundary), "tailrace-%s", id);
    snprintf(message->type, sizeof(message->type), "multipart/related;boundary=\"%s\"",
             message->boundary);
    snprintf(message->between, sizeof(message->between), "\r\n--%s\r\n\r\n", message->boundary);
    snprintf(message->last, sizeof(message->last), "\r\n--%s--", message->boundary);
    add_head(message, doc);
    address_add_id(&path, tr_batch_at(job->batch, leaf->change)->id);
    tr_text_add_c(&path, "?new_edits=false");
    tr_text_add(&path, tr_str_n("", 1));
    if (!add_parts(job, leaf, message, tr_scan_find(doc, "_attachments")) || path.failed)
        tr_bulk_fail(&job->bulk, 0, "out of memory");
    else
        job_send(job, &(struct question){.client = job->self->target_client,
                                         .method = "PUT",
                                         .url = tr_text_str(&job->link->target),
                                         .path = path.ptr,
                                         .parts = message->parts,
                                         .parts_count = message->count,
                                         .type = message->type,
                                         .ticket = job->batch->ticket,
                                         .answered = answered});
    tr_text_fini(&path);
}

bool multipart_send(struct job *job)
{
    for (uint32_t l = 0; l < job->leaves_count; l++) {
        struct message message = {0};

        if (job->leaves[l].state != LEAF_LARGE)
            continue;
        job->single = l;
        send(job, &job->leaves[l], &message);
        tr_text_fini(&message.head);
        tr_text_fini(&message.urls);
        free(message.parts);
        return true;
    }
    return false;
}
