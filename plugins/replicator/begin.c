/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a stream begins (tr.position/1): by tailrace's own checkpoint, unless the documents in
 * `_local` say otherwise. Without a checkpoint, as on a new machine, it is where both ends
 * agree that they were; with one, a target that does not know of it, since it was made anew,
 * emptied or taken from a backup, gets again what it lacks.
 *
 *     begin() ──▶ link opened ──▶ both documents read ──▶ answer()
 *                       └─ nothing is settled, nothing is there ─▲
 *
 * Nothing of the stream is read before the answer; so an end that cannot be asked is asked
 * again. A link that was judged once is not judged again: from there on its books watch over
 * both ends. When they find that the target was made anew, the host begins again and asks anew.
 * Worker.
 */
#include "native.h"

enum { OPEN_MS = 30000, AGAIN_MIN_MS = 500, AGAIN_MAX_MS = 30000 };

static void answer(struct link *link, tr_str seq)
{
    tr_self *self = link->self;
    uint64_t question = link->question;

    link->question = 0;
    link->judged = true;
    link->remade = false;
    (void)self->position->answer(self->host, question, seq);
}

static void try_again(void *user)
{
    struct link *link = user;

    link->again = 0;
    if (link->question != 0)
        link_open(link, now_ms() + OPEN_MS);
}

static void failed(struct link *link, const char *why)
{
    tr_self *self = link->self;
    uint32_t wait = AGAIN_MIN_MS << (link->tries < 6 ? link->tries : 6);

    if (self->flushing)
        return; /* the instance ends, and the host answers for it                           */
    if (link->tries++ == 0)
        tr_logf(self->host, TR_LOG_WARNING,
                "database %s: it cannot be said yet where the copy goes on: %s; asking again",
                link->db, why);
    if (self->timer->set(self->host, wait < AGAIN_MAX_MS ? wait : AGAIN_MAX_MS, try_again, link,
                         &link->again) != TR_OK) {
        link->again = 0;
        link->question = 0; /* the instance ends, and the host with it asks no more          */
    }
}

void begin_opened(struct link *link, const char *why)
{
    if (link->question == 0)
        return;
    if (why && (link->source.len == 0 || link->state == LINK_BROKEN))
        answer(link, tr_str_n(NULL, 0)); /* it never will be, as its batches are told        */
    else if (why)
        failed(link, why);
    else if (link->fresh && !link->has_checkpoint && !link->remade)
        answer(link, tr_str_n(NULL, 0)); /* it has nothing that could spare a change        */
    else
        books_read(link);
}

/* Of a target that was made anew nothing counts but what it brought along, from a backup. What
 * was being written as it changed it has from us. */
static enum history_start judge_remade(const struct link *link, tr_str source, tr_str target,
                                       tr_str *ret_seq)
{
    tr_str older;

    return history_common(source, target, ret_seq, &older) &&
                   !tr_str_eq(*ret_seq, tr_text_str(&link->books.now))
               ? HISTORY_COMMON
               : HISTORY_AGAIN;
}

static enum history_start judge(const struct link *link, tr_str source, tr_str target,
                                tr_str *ret_seq)
{
    if (link->remade)
        return judge_remade(link, source, target, ret_seq);
    return history_judge(source, target, link->has_checkpoint, link->fresh, ret_seq);
}

void begin_read(struct link *link, const char *why, tr_str source, tr_str target)
{
    tr_self *self = link->self;
    tr_str seq = tr_text_str(&link->seq);

    if (link->question == 0)
        return;
    if (why) {
        failed(link, why);
        return;
    }
    switch (judge(link, source, target, &seq)) {
    case HISTORY_HOST:
        if (link->has_checkpoint) /* which both ends know of, or never will                 */
            checkpoint_known(link, seq);
        answer(link, tr_str_n(NULL, 0));
        break;
    case HISTORY_COMMON:
        checkpoint_known(link, seq);
        answer(link, seq);
        break;
    case HISTORY_AGAIN:
        tr_logf(self->host, TR_LOG_WARNING,
                "database %s: the target does not have what was settled: it was deleted, "
                "emptied or made again; everything is copied again",
                link->db);
        answer(link, TR_STR("0"));
        break;
    }
}

void begin_stream(tr_self *self, const tr_begin *begin)
{
    struct link *link = link_of(self, begin->stream, begin->db, begin->rule);

    /* The beginning is what everything else would fall back on. */
    if (link && !link->judged && self->position &&
        (link->remade || !(begin->has_checkpoint && tr_str_eq(begin->seq, TR_STR("0"))))) {
        tr_text_clear(&link->seq);
        tr_text_add(&link->seq, begin->seq);
        link->has_checkpoint = begin->has_checkpoint != 0;
        link->question = begin->question;
        link->tries = 0;
        if (!link->again)
            link_open(link, now_ms() + OPEN_MS);
        return;
    }
    if (self->position)
        (void)self->position->answer(self->host, begin->question, tr_str_n(NULL, 0));
}
