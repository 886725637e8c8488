/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When the books of a link are written: now and then behind the host's own checkpoint, never
 * ahead of it, and at the end of the instance. An attempt that fails is made again at the next
 * interval; tailrace itself goes on by its own checkpoint. Worker.
 */
#include "native.h"

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
    int64_t wait = self->options.checkpoint_ms;

    if (books->timer || books->busy || !checkpoint_is_due(link))
        return;
    if (books->written_ms > 0)
        wait -= now_ms() - books->written_ms;
    if (self->timer->set(self->host, wait < 1 ? 1 : (uint32_t)wait, due, link, &books->timer) !=
        TR_OK)
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
    else if (!books->failing && !link->remade)
        tr_logf(link->self->host, TR_LOG_WARNING,
                "database %s: the checkpoint was not written to both ends: %s; it is tried "
                "again, and the rule goes on by tailrace's own",
                link->db, why);
    books->failing = why != NULL;
    books->written_ms = now_ms();
    books->given_up = link->self->flushing || link->state == LINK_BROKEN;
    schedule(link);
}

tr_status checkpoint_flush(tr_self *self)
{
    bool busy = false;

    self->flushing = true;
    for (uint32_t i = 0; i < self->links_room; i++)
        for (struct link *link = self->links[i]; link; link = link->next) {
            if (!link->books.busy && checkpoint_is_due(link))
                write(link);
            busy |= link->books.busy && !link->books.reading;
        }
    return busy ? TR_PENDING : TR_OK;
}
