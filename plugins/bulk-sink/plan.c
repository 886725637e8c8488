/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a change asks for, and its document as it is sent. Worker; explain() on [control].
 *
 * The kinds are Transporter's: a row that says so is a delete, a first revision an insert, all
 * else an update. An insert goes without a revision. An update or delete names the one that it
 * replaces at the target: the one that it came with, or, to overwrite, the one that is there.
 */
#include "bulk.h"

#define NEEDS_BOTH "Document needs both _id and _rev"

static bool starts(tr_str text, const char *begin)
{
    size_t len = strlen(begin);

    return text.len >= len && memcmp(text.ptr, begin, len) == 0;
}

static enum kind kind_of(const tr_change *change)
{
    if (change->flags & TR_CHANGE_DELETED)
        return KIND_DELETE;
    return change->rev.len == 0 || starts(change->rev, "1-") ? KIND_INSERT : KIND_UPDATE;
}

/* Whether the document has the id by which the server will answer. */
static bool is_its_id(struct job *job, const tr_change *change, tr_str raw)
{
    tr_text_part id;

    if (raw.len == change->id.len + 2 &&
        memcmp(raw.ptr + 1, change->id.ptr, change->id.len) == 0)
        return true;
    job->scratch.len = 0;
    id = tr_text_add_decoded(&job->scratch, job->self->json, raw);
    return tr_str_eq(tr_text_at(&job->scratch, id), change->id);
}

static const char *flaw_of_doc(struct job *job, const tr_change *change, enum kind kind)
{
    const tr_self *self = job->self;
    struct splice doc;

    if (!(change->flags & TR_CHANGE_HAS_DOC) || !splice_read(change->doc, &doc))
        return "the change has no document; set the rule's include_docs";
    if (kind == KIND_UPDATE && (doc.has & (SPLICE_ID | SPLICE_REV)) != (SPLICE_ID | SPLICE_REV))
        return NEEDS_BOTH;
    if ((doc.has & SPLICE_ID) && !is_its_id(job, change, doc.id))
        return "the _id of the document is not the id of its row";
    if (self->options.attachments == ATTACHMENTS_REJECT && splice_has_stubs(&doc))
        return "its attachments are not in the change; set the rule's attachments = true, or "
               "the option attachments = \"drop\" to go without them";
    return NULL;
}

static const char *flaw_of(struct job *job, const tr_change *change, enum kind kind)
{
    bool new_edits = job->self->options.new_edits;

    if (change->id.len == 0)
        return NEEDS_BOTH;
    if (change->rev.len == 0 && (kind != KIND_INSERT || !new_edits))
        return NEEDS_BOTH;
    if (kind == KIND_DELETE || !new_edits)
        return NULL;
    return flaw_of_doc(job, change, kind);
}

static bool is_one_leaf(tr_str revs)
{
    tr_scan scan;
    tr_str key, leaf;

    return tr_scan_open(&scan, revs, '[') && tr_scan_next(&scan, &key, &leaf) == 1 &&
           tr_scan_next(&scan, &key, &leaf) == 0;
}

/* Whether the row has all that the source could tell: a first revision has no history. */
static bool is_first(const tr_change *change)
{
    const unsigned needed = SPLICE_ID | SPLICE_REV;
    struct splice doc;

    return starts(change->rev, "1-") && (change->flags & TR_CHANGE_HAS_DOC) &&
           !(change->flags & TR_CHANGE_TRANSFORMED) && is_one_leaf(change->revs) &&
           splice_read(change->doc, &doc) && (doc.has & needed) == needed &&
           !(doc.has & (SPLICE_ATTACHMENTS | SPLICE_REVISIONS)) &&
           doc.rev.len == change->rev.len + 2 &&
           memcmp(doc.rev.ptr + 1, change->rev.ptr, change->rev.len) == 0;
}

void plan_item(struct job *job, uint32_t i)
{
    const struct options *options = &job->self->options;
    const tr_change *change = tr_batch_at(job->batch, i);
    struct item *item = &job->items[i];
    enum kind kind = kind_of(change);
    const char *flaw;

    *item = (struct item){.kind = (uint8_t)kind};
    item->is_first = !options->new_edits && is_first(change);
    item->must_look = options->new_edits && kind != KIND_INSERT &&
                      options->on_conflict == CONFLICT_OVERWRITE;
    if (kind == KIND_DELETE && options->deletes == DELETES_SKIP) {
        tr_bulk_skip(&job->bulk, i);
        return;
    }
    flaw = flaw_of(job, change, kind);
    if (flaw)
        tr_bulk_reject(&job->bulk, i, "%s", flaw);
}

/* ---- documents ---- */

static void add_member(tr_text *out, const tr_json *json, const char *name, tr_str value)
{
    tr_text_add_c(out, name);
    tr_text_add_string(out, json, value);
}

static void add_delete(struct job *job, tr_text *out, uint32_t i)
{
    const tr_change *change = tr_batch_at(job->batch, i);
    const struct item *item = &job->items[i];
    tr_str rev = item->knows ? tr_text_at(&job->notes, item->rev) : change->rev;

    add_member(out, job->self->json, "{\"_id\":", change->id);
    add_member(out, job->self->json, ",\"_rev\":", rev);
    tr_text_add_c(out, ",\"_deleted\":true}");
}

/* Everything of the document but some of its members, behind what stands in `out`. */
static void add_rest(tr_text *out, const struct splice *doc, unsigned without)
{
    if (!tr_text_reserve(out, (size_t)(doc->end - doc->begin) + 1))
        return;
    out->len += splice_copy(doc, without, out->ptr + out->len);
    if (out->ptr[out->len - 1] == ',') /* nothing was left: the comma before it goes too */
        out->len--;
    tr_text_add_c(out, "}");
}

static unsigned dropped(const tr_self *self)
{
    return self->options.attachments == ATTACHMENTS_DROP ? SPLICE_ATTACHMENTS : 0;
}

void plan_add_doc(struct job *job, tr_text *out, uint32_t i)
{
    const tr_change *change = tr_batch_at(job->batch, i);
    const struct item *item = &job->items[i];
    unsigned without = dropped(job->self) | SPLICE_REVISIONS;
    struct splice doc;

    if (item->kind == KIND_DELETE) {
        add_delete(job, out, i);
        return;
    }
    (void)splice_read(change->doc, &doc); /* it passed plan_item() */
    if (item->kind == KIND_INSERT || item->knows)
        without |= SPLICE_REV;
    tr_text_add_c(out, "{");
    if (!(doc.has & SPLICE_ID)) {
        add_member(out, job->self->json, "\"_id\":", change->id);
        tr_text_add_c(out, ",");
    }
    if (item->knows && item->rev.len > 0) {
        add_member(out, job->self->json, "\"_rev\":", tr_text_at(&job->notes, item->rev));
        tr_text_add_c(out, ",");
    }
    add_rest(out, &doc, without);
}

bool plan_add_copy(struct job *job, tr_text *out, const struct splice *doc)
{
    const unsigned needed = SPLICE_ID | SPLICE_REV | SPLICE_REVISIONS;

    if ((doc->has & needed) != needed)
        return false;
    tr_text_add_c(out, "{");
    add_rest(out, doc, dropped(job->self));
    return true;
}

void plan_add_first(struct job *job, tr_text *out, uint32_t i)
{
    const tr_change *change = tr_batch_at(job->batch, i);
    tr_str hash = tr_str_n(change->rev.ptr + 2, change->rev.len - 2);
    struct splice doc;

    (void)splice_read(change->doc, &doc); /* it passed plan_item() */
    add_member(out, job->self->json, "{\"_revisions\":{\"start\":1,\"ids\":[", hash);
    tr_text_add_c(out, "]},");
    add_rest(out, &doc, 0);
}

/* Of the source's attachments those that the document still names. */
static void add_attachments(tr_text *out, const struct splice *doc, tr_str whole)
{
    const char *comma = "";
    tr_scan scan, names;
    tr_str name, stub, key, value;

    tr_text_add_c(out, ",\"_attachments\":");
    if (!splice_has_stubs(doc)) {
        tr_text_add(out, doc->attachments);
        return;
    }
    tr_text_add_c(out, "{");
    if (tr_scan_open(&scan, whole, '{'))
        while (tr_scan_next(&scan, &key, &value) == 1) {
            bool named = false;

            if (tr_scan_open(&names, doc->attachments, '{'))
                while (tr_scan_next(&names, &name, &stub) == 1)
                    named |= tr_str_eq(name, key);
            if (!named)
                continue;
            tr_text_add_c(out, comma);
            /* The key and its value as they stand there, with what is between them. */
            tr_text_add(out,
                        tr_str_n(key.ptr - 1, (size_t)(value.ptr + value.len - (key.ptr - 1))));
            comma = ",";
        }
    tr_text_add_c(out, "}");
}

bool plan_add_transformed(struct job *job, tr_text *out, uint32_t i, const struct splice *copy)
{
    const unsigned needed = SPLICE_ID | SPLICE_REV | SPLICE_REVISIONS;
    const tr_change *change = tr_batch_at(job->batch, i);
    struct splice doc;

    if ((copy->has & needed) != needed || !splice_read(change->doc, &doc))
        return false;
    tr_text_add_c(out, "{\"_id\":");
    tr_text_add(out, copy->id);
    tr_text_add_c(out, ",\"_rev\":");
    tr_text_add(out, copy->rev);
    tr_text_add_c(out, ",\"_revisions\":");
    tr_text_add(out, copy->revisions);
    if (change->flags & TR_CHANGE_DELETED)
        tr_text_add_c(out, ",\"_deleted\":true");
    if ((doc.has & SPLICE_ATTACHMENTS) && !dropped(job->self))
        add_attachments(out, &doc, copy->attachments);
    tr_text_add_c(out, ",");
    add_rest(out, &doc, needed | SPLICE_DELETED | SPLICE_ATTACHMENTS);
    return true;
}

/* ---- what is there already ---- */

static uint32_t count_members(tr_str object)
{
    tr_scan scan;
    tr_str key, value;
    uint32_t count = 0;

    if (tr_scan_open(&scan, object, '{'))
        while (tr_scan_next(&scan, &key, &value) == 1)
            count++;
    return count;
}

/* By their digests, which a server makes of the content; one without is taken for different. */
static bool have_same_attachments(tr_str ours, tr_str theirs)
{
    tr_scan scan, other;
    tr_str name, one, key, value;

    if (count_members(ours) != count_members(theirs))
        return false;
    if (!tr_scan_open(&scan, ours, '{'))
        return true;
    while (tr_scan_next(&scan, &name, &one) == 1) {
        tr_str digest = tr_scan_find(one, "digest"), found = tr_str_n(NULL, 0);

        if (tr_scan_open(&other, theirs, '{'))
            while (tr_scan_next(&other, &key, &value) == 1)
                if (tr_str_eq(key, name))
                    found = value;
        if (digest.len == 0 || !tr_str_eq(tr_scan_find(found, "digest"), digest))
            return false;
    }
    return true;
}

/* Members in their order, which a server keeps: two that differ only there are taken for
 * different, which costs a write and nothing else. */
bool plan_is_same(struct job *job, uint32_t i, tr_str there)
{
    const unsigned without = SPLICE_ID | SPLICE_REV | SPLICE_REVISIONS | SPLICE_ATTACHMENTS;
    tr_text *scratch = &job->scratch;
    struct splice ours, theirs;
    size_t len;

    if (!splice_read(tr_batch_at(job->batch, i)->doc, &ours) || !splice_read(there, &theirs))
        return false;
    if (!dropped(job->self) && !have_same_attachments(ours.attachments, theirs.attachments))
        return false;
    scratch->len = 0;
    if (!tr_text_reserve(scratch,
                         (size_t)(ours.end - ours.begin) + (size_t)(theirs.end - theirs.begin)))
        return false;
    len = splice_copy(&ours, without, scratch->ptr);
    return len == splice_copy(&theirs, without, scratch->ptr + len) &&
           memcmp(scratch->ptr, scratch->ptr + len, len) == 0;
}
