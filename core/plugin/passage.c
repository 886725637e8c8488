/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Passages: see passage.h. Worker until the plugin has given its outcome, then the loop.
 */
#include "plugin/passage.h"

#include "base/mem.h"
#include "plugin/chain.h"
#include "json/doc.h"

enum { BLOCK_MIN = 4096 };

/* Transforms mostly leave less than there was: one block for all of it. */
static size_t estimate(const tr_batch *batch)
{
    size_t size = BLOCK_MIN + batch->count * (sizeof(tr_change) + 32);

    for (uint32_t i = 0; i < batch->count; i++)
        size += tr_batch_at(batch, i)->raw.len;
    return size;
}

struct passage *passage_new(const tr_batch *batch)
{
    struct passage *passage = mem_new(struct passage);

    arena_init(&passage->arena, estimate(batch));
    passage->changes = arena_alloc(&passage->arena, batch->count * sizeof(tr_change));
    passage->places = arena_alloc(&passage->arena, batch->count * sizeof(uint32_t));
    passage->settled = arena_zero(&passage->arena, batch->count * sizeof(int32_t));
    passage->reasons = arena_zero(&passage->arena, batch->count * sizeof(char *));
    passage->batch = *batch;
    passage->batch.changes = passage->changes;
    passage->batch.stride = sizeof(tr_change);
    passage->batch.count = 0;
    return passage;
}

void passage_free(struct passage *passage)
{
    if (!passage)
        return;
    arena_fini(&passage->arena);
    free(passage->messages);
    free(passage);
}

static char *put(char *to, const char *from, size_t len)
{
    memcpy(to, from, len);
    return to + len;
}

/* The row with the document that it has now: both are one piece of memory, as they were. */
static void write_row(struct passage *passage, tr_change *change, const struct json_doc *doc)
{
    tr_str raw = change->raw, old = change->doc;
    size_t head = (size_t)(old.ptr - raw.ptr), tail = raw.len - head - old.len;
    size_t size = json_doc_size(doc);
    char *to = arena_alloc(&passage->arena, head + size + tail);

    change->raw = str_n(to, head + size + tail);
    to = put(to, raw.ptr, head);
    change->doc = str_n(to, size);
    to = json_doc_write(doc, to);
    put(to, old.ptr + old.len, tail);
    change->flags |= TR_CHANGE_TRANSFORMED;
}

void passage_add(struct passage *passage, uint32_t i, const tr_change *change,
                 const struct json_doc *doc)
{
    tr_change *copy = &passage->changes[passage->batch.count];

    *copy = *change;
    if (doc->changed)
        write_row(passage, copy, doc);
    passage->places[passage->batch.count++] = i;
}

void passage_settle(struct passage *passage, uint32_t i, tr_status status, const char *reason)
{
    passage->settled[i] = status;
    if (reason[0])
        passage->reasons[i] = arena_str(&passage->arena, str_c(reason)).ptr;
}

/* ---- the way back ---- */

/* Of a batch that failed as a whole it is not known which change is to blame, but those that
 * the transforms have settled are not: dispatch sends the others once more, by themselves. */
static bool is_undecided(const struct job *job)
{
    return !job->items && job->passage->batch.count > 1 &&
           (job->status == TR_REJECT || job->status == TR_RETRY);
}

void passage_merge(struct job *job)
{
    struct passage *passage = job->passage;
    uint32_t count = job->batch.count;
    int32_t *items;
    const char **messages;

    if (!passage || passage->batch.count == count || job->status == TR_FATAL)
        return;
    items = mem_new_array(int32_t, count);
    messages = mem_new_array(const char *, count);
    memcpy(items, passage->settled, count * sizeof(*items));
    memcpy(messages, passage->reasons, count * sizeof(*messages));
    job->undecided = is_undecided(job);
    for (uint32_t k = 0; k < passage->batch.count; k++) {
        uint32_t i = passage->places[k];

        items[i] = job->undecided ? TR_RETRY : job->items ? job->items[k] : job->status;
        messages[i] = job->messages ? job->messages[k] : NULL;
    }
    free(job->items);
    job->items = items;
    passage->messages = job->messages; /* their texts are pointed to                       */
    job->messages = messages;
}
