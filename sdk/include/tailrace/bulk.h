/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bulk machinery, for plugins that write many changes in one request or transaction: an
 * outcome for each change of a batch, the reason of each that is refused, which are still open,
 * and groups that are halved until the one is found that the sink does not take. In headers
 * only, as sdk.h.
 *
 * How many changes a batch has and how long it waits for more is the host's (the rule's
 * batch.size, batch.bytes and batch.wait), and so are lanes, backoff and dead letters. What is
 * left to a sink is a loop:
 *
 *     static tr_status my_process(tr_self *self, const tr_batch *batch, tr_outcome *outcome)
 *     {
 *         tr_bulk *bulk = &self->bulk;
 *
 *         if (tr_bulk_init(bulk, batch, TR_BULK_LATEST) != TR_OK)
 *             return tr_finish(outcome, TR_RETRY, "out of memory");
 *         while (tr_bulk_next(bulk, 0))
 *             switch (my_write(self, bulk->group, bulk->group_count)) {
 *             case MY_TAKEN: tr_bulk_accept_group(bulk); break;
 *             case MY_REFUSED: tr_bulk_refuse_group(bulk, "%s", self->words); break;
 *             default: tr_bulk_fail(bulk, 0, "%s", self->words); break;
 *             }
 *         return tr_bulk_finish(bulk, outcome);
 *     }
 *
 * A tr_bulk is storage of the plugin, zeroed before its first tr_bulk_init(), and may serve one
 * batch after the other; tr_bulk_fini() frees what it holds. It is used by one thread at a
 * time. A plugin that has several batches in hand has a tr_bulk for each, and ends each with
 * tr_bulk_complete(). Places are those of tr_batch_at(): 0 <= i < batch->count.
 */
#ifndef TAILRACE_BULK_H
#define TAILRACE_BULK_H

#include <tailrace/sdk.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bits of tr_bulk_init(). */
enum {
    TR_BULK_LATEST = 1 << 0 /* what counts is the last state of a document: of several open
                               changes of one, a group has the last, and taking it settles those
                               before it. If it is refused, the one before it comes next.  */
};

enum { TR_BULK_WORDS = 256 }; /* room of a reason, with its end                            */

/* A change by the document that it is of. */
typedef struct tr_bulk_key {
    tr_str id;
    uint32_t i;
} tr_bulk_key;

typedef struct tr_bulk {
    /* To be read. */
    const tr_batch *batch;
    uint32_t *group; /* places of the changes to be written now, in order; see tr_bulk_next() */
    uint32_t group_count;
    uint32_t settled,
        rejected;   /* changes that have an outcome; those of them that are rejects */
    int32_t failed; /* the open rest is to be sent again                        */

    /* Its own. */
    uint32_t flags, cap, limit, settled_before;
    int32_t halved;
    uint32_t retry_after_ms;
    int32_t *outcomes; /* TR_RETRY: open                                                   */
    tr_str *reasons;   /* of rejects; each its own memory                                  */
    tr_bulk_key *keys; /* by id, then by place                                             */
    uint32_t *later;   /* the next change of the same document, or batch->count            */
    char message[TR_BULK_WORDS];
} tr_bulk;

/* ---- storage ---- */

static inline void tr_bulk_forget_(tr_bulk *bulk)
{
    uint32_t i;

    for (i = 0; i < bulk->cap && bulk->rejected > 0; i++)
        if (bulk->reasons[i].ptr) {
            free((char *)(uintptr_t)bulk->reasons[i].ptr);
            bulk->reasons[i] = tr_str_n(NULL, 0);
            bulk->rejected--;
        }
}

/* Frees its memory; it is as new then. */
TR_UNUSED_ static void tr_bulk_fini(tr_bulk *bulk)
{
    tr_bulk_forget_(bulk);
    free(bulk->group);
    free(bulk->outcomes);
    free(bulk->reasons);
    free(bulk->keys);
    free(bulk->later);
    memset(bulk, 0, sizeof(*bulk));
}

TR_UNUSED_ static tr_status tr_bulk_reserve_(tr_bulk *bulk, uint32_t count)
{
    if (count <= bulk->cap)
        return TR_OK;
    tr_bulk_fini(bulk);
    bulk->group = (uint32_t *)calloc(count, sizeof(*bulk->group));
    bulk->outcomes = (int32_t *)calloc(count, sizeof(*bulk->outcomes));
    bulk->reasons = (tr_str *)calloc(count, sizeof(*bulk->reasons));
    bulk->keys = (tr_bulk_key *)calloc(count, sizeof(*bulk->keys));
    bulk->later = (uint32_t *)calloc(count, sizeof(*bulk->later));
    if (!bulk->group || !bulk->outcomes || !bulk->reasons || !bulk->keys || !bulk->later) {
        tr_bulk_fini(bulk);
        return TR_EAGAIN;
    }
    bulk->cap = count;
    return TR_OK;
}

/* ---- which changes are of which document ---- */

static inline int tr_bulk_compare_(tr_str a, uint32_t a_place, tr_str b, uint32_t b_place)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len > 0 ? memcmp(a.ptr, b.ptr, len) : 0;

    if (order == 0 && a.len != b.len)
        order = a.len < b.len ? -1 : 1;
    return order != 0 ? order : a_place < b_place ? -1 : a_place > b_place;
}

TR_UNUSED_ static int tr_bulk_compare_keys_(const void *left, const void *right)
{
    const tr_bulk_key *a = (const tr_bulk_key *)left, *b = (const tr_bulk_key *)right;

    return tr_bulk_compare_(a->id, a->i, b->id, b->i);
}

/* The keys of the changes of a document, in order, and how many they are; NULL: none is. For
 * answers, which are matched by ids and never by their order. */
TR_UNUSED_ static const tr_bulk_key *tr_bulk_find(const tr_bulk *bulk, tr_str id,
                                                  uint32_t *ret_count)
{
    uint32_t low = 0, high = bulk->batch->count, end;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (tr_bulk_compare_(bulk->keys[middle].id, bulk->keys[middle].i, id, 0) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (end = low; end < bulk->batch->count && tr_str_eq(bulk->keys[end].id, id); end++)
        ;
    *ret_count = end - low;
    return end > low ? &bulk->keys[low] : NULL;
}

/* Begins with a batch: all its changes are open. What it held of the batch before is gone.
 * TR_EAGAIN: no memory; then nothing but tr_bulk_fini() and tr_bulk_init() may be called. */
TR_UNUSED_ static tr_status tr_bulk_init(tr_bulk *bulk, const tr_batch *batch, uint32_t flags)
{
    uint32_t i;

    tr_bulk_forget_(bulk);
    if (tr_bulk_reserve_(bulk, batch->count) != TR_OK)
        return TR_EAGAIN;
    bulk->batch = batch;
    bulk->flags = flags;
    bulk->group_count = bulk->settled = bulk->settled_before = bulk->limit = 0;
    bulk->failed = bulk->halved = 0;
    bulk->retry_after_ms = 0;
    bulk->message[0] = '\0';
    for (i = 0; i < batch->count; i++) {
        bulk->outcomes[i] = TR_RETRY;
        bulk->keys[i].id = tr_batch_at(batch, i)->id;
        bulk->keys[i].i = i;
    }
    qsort(bulk->keys, batch->count, sizeof(*bulk->keys), tr_bulk_compare_keys_);
    for (i = 0; i < batch->count; i++)
        bulk->later[bulk->keys[i].i] = i + 1 < batch->count &&
                                               tr_str_eq(bulk->keys[i].id, bulk->keys[i + 1].id)
                                           ? bulk->keys[i + 1].i
                                           : batch->count;
    return TR_OK;
}

/* ---- outcomes ---- */

/* Whether the change has no outcome yet. */
static inline int32_t tr_bulk_is_open(const tr_bulk *bulk, uint32_t i)
{
    return bulk->outcomes[i] == TR_RETRY;
}

static inline void tr_bulk_accept_one_(tr_bulk *bulk, uint32_t i)
{
    if (!tr_bulk_is_open(bulk, i))
        return;
    bulk->outcomes[i] = TR_OK;
    bulk->settled++;
}

/* There is nothing to write for the change: it is settled, and it alone. */
TR_UNUSED_ static void tr_bulk_skip(tr_bulk *bulk, uint32_t i)
{
    tr_bulk_accept_one_(bulk, i);
}

/* The change is settled: it was written durably. With TR_BULK_LATEST those before it of the
 * same document are too. One that has an outcome keeps it. */
TR_UNUSED_ static void tr_bulk_accept(tr_bulk *bulk, uint32_t i)
{
    const tr_bulk_key *key;
    uint32_t count;

    if (!tr_bulk_is_open(bulk, i))
        return;
    tr_bulk_accept_one_(bulk, i);
    if (!(bulk->flags & TR_BULK_LATEST))
        return;
    key = tr_bulk_find(bulk, tr_batch_at(bulk->batch, i)->id, &count);
    for (; key && count > 0 && key->i < i; key++, count--)
        tr_bulk_accept_one_(bulk, key->i);
}

/* What is open of the group is settled. */
TR_UNUSED_ static void tr_bulk_accept_group(tr_bulk *bulk)
{
    uint32_t k;

    for (k = 0; k < bulk->group_count; k++)
        tr_bulk_accept(bulk, bulk->group[k]);
}

/* One line, with no character cut in two. */
static inline size_t tr_bulk_tidy_(char *text)
{
    size_t len = strlen(text), i, at;

    if (len + 1 == TR_BULK_WORDS) { /* it was cut, perhaps within a character */
        for (at = len; at > 0 && ((unsigned char)text[at - 1] & 0xc0) == 0x80; at--)
            ;
        if (at > 0 && ((unsigned char)text[at - 1] & 0x80))
            len = at - 1;
    }
    for (i = 0; i < len; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            text[i] = ' ';
    text[len] = '\0';
    return len;
}

/* The open rest of the batch is to be sent again: when the sink says so (`retry_after_ms`, also
 * no fault of any change then), or with the host's backoff (0). The text says why; the last one
 * counts, and the longest wait. */
TR_PRINTF_(3, 4)
static void tr_bulk_fail(tr_bulk *bulk, uint32_t retry_after_ms, const char *fmt, ...)
{
    va_list args;

    bulk->failed = 1;
    if (retry_after_ms > bulk->retry_after_ms)
        bulk->retry_after_ms = retry_after_ms;
    va_start(args, fmt);
    (void)vsnprintf(bulk->message, sizeof(bulk->message), fmt, args);
    va_end(args);
    (void)tr_bulk_tidy_(bulk->message);
}

TR_UNUSED_ static void tr_bulk_reject_(tr_bulk *bulk, uint32_t i, char *words)
{
    size_t len = tr_bulk_tidy_(words);
    char *copy;

    if (!tr_bulk_is_open(bulk, i))
        return;
    copy = (char *)malloc(len + 1);
    if (!copy) {
        tr_bulk_fail(bulk, 0, "out of memory");
        return;
    }
    memcpy(copy, words, len + 1);
    bulk->reasons[i] = tr_str_n(copy, len);
    bulk->outcomes[i] = TR_REJECT;
    bulk->settled++;
    bulk->rejected++;
}

/* The change is refused for good: a dead letter, and the text is why. One that has an outcome
 * keeps it. */
TR_PRINTF_(3, 4)
static void tr_bulk_reject(tr_bulk *bulk, uint32_t i, const char *fmt, ...)
{
    char words[TR_BULK_WORDS];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(words, sizeof(words), fmt, args);
    va_end(args);
    tr_bulk_reject_(bulk, i, words);
}

/* Why a change was rejected; empty if it was not. Lives as long as the batch is in hand. */
static inline tr_str tr_bulk_reason(const tr_bulk *bulk, uint32_t i)
{
    return bulk->reasons[i];
}

/* ---- groups ---- */

/* Whether a later change of the same document is open too. */
static inline int32_t tr_bulk_is_overtaken(const tr_bulk *bulk, uint32_t i)
{
    for (i = bulk->later[i]; i < bulk->batch->count; i = bulk->later[i])
        if (tr_bulk_is_open(bulk, i))
            return 1;
    return 0;
}

/* Chooses what is to be written next: open changes in their order, at most `most` of them (0:
 * no limit) and no more than halving has left. 0: nothing is, all have an outcome or the batch
 * has failed. What of a group got no outcome comes in the next one again. */
TR_UNUSED_ static int32_t tr_bulk_next(tr_bulk *bulk, uint32_t most)
{
    uint32_t count = bulk->batch->count, i;

    /* Grows back, so that one bad change does not leave small groups behind. */
    if (!bulk->halved && bulk->limit > 0 && bulk->settled > bulk->settled_before)
        bulk->limit = bulk->limit < count / 2 ? bulk->limit * 2 : 0;
    bulk->halved = 0;
    bulk->settled_before = bulk->settled;
    bulk->group_count = 0;
    if (most == 0 || most > count)
        most = count;
    if (bulk->limit > 0 && bulk->limit < most)
        most = bulk->limit;
    for (i = 0; !bulk->failed && i < count && bulk->group_count < most; i++)
        if (tr_bulk_is_open(bulk, i) &&
            !((bulk->flags & TR_BULK_LATEST) && tr_bulk_is_overtaken(bulk, i)))
            bulk->group[bulk->group_count++] = i;
    return bulk->group_count > 0;
}

/* The group is too large, or was refused as a whole for the sake of one of it that nobody
 * names: the next ones have half as many. 0: it is one alone, and so the one. */
TR_UNUSED_ static int32_t tr_bulk_halve(tr_bulk *bulk)
{
    if (bulk->group_count < 2)
        return 0;
    bulk->limit = bulk->group_count / 2;
    bulk->halved = 1;
    return 1;
}

/* The same, and one alone is rejected with the text. */
TR_PRINTF_(2, 3)
static void tr_bulk_refuse_group(tr_bulk *bulk, const char *fmt, ...)
{
    char words[TR_BULK_WORDS];
    va_list args;

    if (tr_bulk_halve(bulk))
        return;
    va_start(args, fmt);
    (void)vsnprintf(words, sizeof(words), fmt, args);
    va_end(args);
    if (bulk->group_count > 0)
        tr_bulk_reject_(bulk, bulk->group[0], words);
}

/* ---- the end ---- */

/* Fills the outcome, and returns its status: what process() ends with. What it points to is
 * the tr_bulk's, which stays as it is until the host has copied it: until the next batch, or
 * complete() has returned. An open change means that the batch has failed. */
TR_UNUSED_ static tr_status tr_bulk_finish(tr_bulk *bulk, tr_outcome *outcome)
{
    uint32_t i, count = bulk->batch->count;
    int32_t open = bulk->settled < count;

    outcome->status = open ? TR_RETRY : bulk->rejected > 0 ? TR_REJECT : TR_OK;
    outcome->retry_after_ms = open ? bulk->retry_after_ms : 0;
    outcome->message = tr_str_c(open ? bulk->message : "");
    /* Nothing settled says the same without items, and so does all well. */
    if ((!open || bulk->settled == 0) && bulk->rejected == 0)
        return outcome->status;
    outcome->items = bulk->outcomes;
    outcome->items_count = count;
    if (TR_ROOM(outcome, tr_outcome, messages))
        outcome->messages = bulk->reasons;
    for (i = 0; i < count && outcome->message.len == 0; i++)
        outcome->message = bulk->reasons[i];
    return outcome->status;
}

/* Gives the outcome to the host, for a batch whose process() returned TR_PENDING. */
TR_UNUSED_ static tr_status tr_bulk_complete(tr_bulk *bulk, const tr_host *host)
{
    tr_outcome outcome;

    memset(&outcome, 0, sizeof(outcome));
    outcome.size = (uint32_t)sizeof(outcome);
    (void)tr_bulk_finish(bulk, &outcome);
    return host->complete(host, bulk->batch->ticket, &outcome);
}

#ifdef __cplusplus
}
#endif

#endif
