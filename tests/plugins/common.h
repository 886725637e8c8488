/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the plugins in this folder share: an instance that knows its host, holds a ticket, and
 * may run one thread of its own. Each plugin shows one behaviour, good or bad, of a real one.
 */
#ifndef TESTS_PLUGINS_COMMON_H
#define TESTS_PLUGINS_COMMON_H

#include <tailrace/sdk.h>

#include <pthread.h>
#include <semaphore.h>

struct tr_self {
    const tr_host *host;
    tr_ticket ticket; /* of the batch that is pending                                      */
    uint32_t count;   /* whatever the plugin counts                                        */
    sem_t late;       /* posted by cancel()                                                */
    pthread_t thread;
    int has_thread;
};

TR_UNUSED_ static tr_status common_open(const tr_host *host, tr_self **ret_self,
                                        tr_error *error)
{
    tr_self *self = (tr_self *)calloc(1, sizeof(*self));

    if (!self)
        return tr_fail(error, TR_EAGAIN, "out of memory");
    self->host = host;
    sem_init(&self->late, 0, 0);
    *ret_self = self;
    return TR_OK;
}

TR_UNUSED_ static void common_cancel(tr_self *self, tr_ticket ticket)
{
    (void)ticket;
    sem_post(&self->late);
}

TR_UNUSED_ static void common_join(tr_self *self)
{
    if (self->has_thread)
        pthread_join(self->thread, NULL);
    self->has_thread = 0;
}

/* Ends the thread before, and runs `f` with self on a new one. */
TR_UNUSED_ static tr_status common_run(tr_self *self, const tr_batch *batch, void *(*f)(void *))
{
    common_join(self);
    self->ticket = batch->ticket;
    self->count = batch->count;
    self->has_thread = pthread_create(&self->thread, NULL, f, self) == 0;
    return self->has_thread ? TR_PENDING : TR_RETRY;
}

TR_UNUSED_ static tr_status common_complete(tr_self *self, tr_status status,
                                            const char *message)
{
    tr_outcome outcome;

    memset(&outcome, 0, sizeof(outcome));
    outcome.size = (uint32_t)sizeof(outcome);
    tr_finish(&outcome, status, message);
    return self->host->complete(self->host, self->ticket, &outcome);
}

TR_UNUSED_ static tr_status common_stop(tr_self *self, int64_t deadline_ms)
{
    (void)deadline_ms;
    common_join(self);
    return TR_OK;
}

TR_UNUSED_ static void common_close(tr_self *self)
{
    sem_destroy(&self->late);
    free(self);
}

/* What most descriptors here have in common. */
#define COMMON(name_, summary_)                                                                \
    TR_DESCRIPTOR(name_, "1.0", summary_), .open = common_open, .stop = common_stop,           \
                                           .close = common_close

#endif
