/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which changes of a batch an id names: an answer is matched by ids, never by its order.
 * Worker.
 */
#include "bulk.h"

static int compare_ids(tr_str a, tr_str b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len > 0 ? memcmp(a.ptr, b.ptr, len) : 0;

    return order != 0 ? order : a.len < b.len ? -1 : a.len > b.len;
}

static int compare_keys(const void *left, const void *right)
{
    const struct key *a = left, *b = right;
    int order = compare_ids(a->id, b->id);

    return order != 0 ? order : a->i < b->i ? -1 : a->i > b->i;
}

void index_make(struct job *job)
{
    for (uint32_t i = 0; i < job->batch->count; i++)
        job->keys[i] = (struct key){.id = tr_batch_at(job->batch, i)->id, .i = i};
    qsort(job->keys, job->batch->count, sizeof(*job->keys), compare_keys);
}

/* The place in keys of the first key that is not before (id, i). */
static uint32_t lower_bound(const struct job *job, tr_str id, uint32_t i)
{
    const struct key wanted = {.id = id, .i = i};
    uint32_t low = 0, high = job->batch->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (compare_keys(&job->keys[middle], &wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct key *index_find(const struct job *job, tr_str id, uint32_t *ret_count)
{
    uint32_t first = lower_bound(job, id, 0), end = first;

    while (end < job->batch->count && tr_str_eq(job->keys[end].id, id))
        end++;
    *ret_count = end - first;
    return end > first ? &job->keys[first] : NULL;
}

bool index_is_overtaken(const struct job *job, uint32_t i)
{
    tr_str id = tr_batch_at(job->batch, i)->id;

    for (uint32_t at = lower_bound(job, id, i + 1);
         at < job->batch->count && tr_str_eq(job->keys[at].id, id); at++)
        if (job->items[job->keys[at].i].outcome == TR_RETRY)
            return true;
    return false;
}
