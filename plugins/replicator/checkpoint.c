/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When the books of a link are written: an interval after the first position that they lack,
 * so that a message to a thousand databases is there before any books are written; behind the
 * host's own checkpoint, never ahead of it, and at the end of the instance. An attempt that
 * fails is made again after another interval; tailrace itself goes on by its own checkpoint. A
 * stop does not wait long for them either: then they lag behind, as they do after a crash.
 * Worker.
 */
#include "native.h"

enum { FLUSH_MS = 10000 }; /* most of the time that a stop takes for books                */

static void write(struct link *link)
{
    struct books *books = &link->books;

    tr_text_clear(&books->now);
    tr_text_add(&books->now, tr_text_str(&books->position));
    books_write(link);
}

/* At the end of the instance the flush decides. */
static void due(void *user)
{
    struct link *link = user;

    link->books.timer = 0;
    if (!link->self->flushing && !link->books.busy && checkpoint_is_due(link))
        write(link);
}

static void schedule(struct link *link)
{
    struct books *books = &link->books;
    tr_self *self = link->self;
    uint32_t wait = (uint32_t)self->options.checkpoint_ms;

    if (books->timer || books->busy || !checkpoint_is_due(link))
        return;
    if (self->timer->set(self->host, wait, due, link, &books->timer) != TR_OK)
        books->timer = 0; /* the next position comes, or the flush */
}

void checkpoint_settled(struct link *link, tr_str seq)
{
    struct books *books = &link->books;

    if (seq.len == 0 || tr_str_eq(seq, TR_STR("null")) || link->state == LINK_BROKEN)
        return;
    tr_text_clear(&books->position);
    tr_text_add(&books->position, seq);
    schedule(link);
}

void checkpoint_known(struct link *link, tr_str seq)
{
    tr_text_clear(&link->books.written);
    tr_text_add(&link->books.written, seq);
}

/* What comes now is another run; `now` stays, to be told from what somebody else wrote. */
void checkpoint_forget(struct link *link)
{
    struct books *books = &link->books;

    tr_text_clear(&books->position);
    tr_text_clear(&books->written);
    tr_text_fini(&books->session.start_seq);
    books->session = (struct session){0};
    books_begin_session(link);
    books->told = books->failing = false;
}

void checkpoint_done(struct link *link, const char *why)
{
    struct books *books = &link->books;

    if (!why)
        checkpoint_known(link, tr_text_str(&books->now));
    if (!why)
        books->told = true;
    else if (why[0] && !books->failing && !link->remade)
        tr_logf(link->self->host, TR_LOG_WARNING,
                "database %s: the checkpoint was not written to both ends: %s; it is tried "
                "again, and the rule goes on by tailrace's own",
                link->db, why);
    books->failing = why != NULL;
    books->given_up = link->self->flushing || link->state == LINK_BROKEN;
    schedule(link);
}

tr_status checkpoint_flush(tr_self *self, int64_t deadline_ms)
{
    int64_t now = now_ms(), half = (deadline_ms - now) / 2;
    bool busy = false;

    if (!self->flushing)
        self->flush_until_ms = now + (half < FLUSH_MS ? half : FLUSH_MS);
    self->flushing = true;
    for (uint32_t i = 0; i < self->links_room; i++)
        for (struct link *link = self->links[i]; link; link = link->next) {
            if (!link->books.busy && checkpoint_is_due(link))
                write(link);
            busy |= link->books.busy && !link->books.reading;
        }
    return busy ? TR_PENDING : TR_OK;
}
