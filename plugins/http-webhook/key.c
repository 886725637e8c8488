/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The idempotency key of a request: what stays the same on every attempt at its changes, and
 * is of no other. Of one change it says
 *
 *     ORIGIN/REV/ID       ORIGIN: a digest of the rule and the stream, made once for a batch
 *
 * where revision and id can stand in a header and are short, as nearly all are: that costs a
 * tenth of what hashing them does. For others, and for several changes, it is one digest of
 * all. Worker.
 */
#include "webhook.h"

/* A stream is of one database; an older host names the source and the database instead. */
static void add_stream(struct hasher *hasher, const tr_batch *batch)
{
    if (TR_ROOM(batch, tr_batch, stream) && batch->stream.len > 0) {
        hasher_add(hasher, batch->stream);
        return;
    }
    hasher_add(hasher, batch->source);
    hasher_add(hasher, batch->db);
}

/* A request that speaks for several has a key of all of them: else a receiver would take it for
 * the one that it has seen already. */
static void add_changes(const struct job *job, void *user)
{
    const tr_batch *batch = job->batch;
    uint32_t end = job->flight ? batch->count : job->next + job->group;
    struct hasher *hasher = user;

    for (uint32_t i = job->next; i < end; i++) {
        const tr_change *change = tr_batch_at(batch, i);

        if (job->flight && !debounce_covers(job, i))
            continue;
        add_stream(hasher, batch);
        hasher_add(hasher, change->id);
        hasher_add(hasher, change->rev);
    }
}

static void hash_changes(struct job *job)
{
    struct hasher *hasher = job->self->hasher;
    struct digest digest;

    hasher_begin(hasher);
    hasher_add(hasher, job->batch->rule);
    if (job->flight)
        debounce_each(job->flight, add_changes, hasher);
    else
        add_changes(job, hasher);
    hasher_end(hasher, &digest);
    digest_hex(&digest, job->key);
}

static void hash_origin(struct job *job)
{
    struct hasher *hasher = job->self->hasher;
    struct digest digest;

    hasher_begin(hasher);
    hasher_add(hasher, job->batch->rule);
    add_stream(hasher, job->batch);
    hasher_end(hasher, &digest);
    digest_hex(&digest, job->origin);
}

static bool is_visible(tr_str text)
{
    unsigned odd = 0;

    for (size_t i = 0; i < text.len; i++)
        odd |= (unsigned char)text.ptr[i] - (unsigned)'!' > (unsigned)('~' - '!');
    return odd == 0;
}

/* The id comes last: whatever it has in it, no other change has the same key. */
static bool can_stand(const tr_change *change)
{
    return change->rev.len + change->id.len + 2 <= KEY_MAX - DIGEST_HEX &&
           change->rev.len > 0 && !memchr(change->rev.ptr, '/', change->rev.len) &&
           is_visible(change->rev) && is_visible(change->id);
}

static char *put(char *at, tr_str text)
{
    memcpy(at, text.ptr, text.len);
    return at + text.len;
}

static tr_str key_of_one(struct job *job, const tr_change *change)
{
    char *at = job->key;

    if (!job->origin[0])
        hash_origin(job);
    at = put(at, tr_str_n(job->origin, DIGEST_HEX));
    *at++ = '/';
    at = put(at, change->rev);
    *at++ = '/';
    at = put(at, change->id);
    return tr_str_n(job->key, (size_t)(at - job->key));
}

tr_str key_make(struct job *job)
{
    const tr_change *first = tr_batch_at(job->batch, job->next);

    if (!job->flight && job->group == 1 && first->id.len > 0 && can_stand(first))
        return key_of_one(job, first);
    hash_changes(job);
    return tr_str_n(job->key, DIGEST_HEX);
}
