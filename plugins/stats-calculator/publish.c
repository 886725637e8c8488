/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When figures are published: `wait` after the first change that made them old, after a start,
 * and at the end. One publication is under way at a time; what fails is tried again, later each
 * time. What is published may not be durable yet: after a crash those changes come again, and
 * the next publication has them again. Worker.
 */
#include "stats.h"

enum { AGAIN_MAX_MS = 300000, FLUSH_AGAIN_MS = 500, FLUSH_TRIES = 4 };

static void publish_now(tr_self *self);

static void fire(void *user)
{
    tr_self *self = user;

    self->publisher.timer = 0;
    publish_now(self);
}

static void wait_for(tr_self *self, int64_t ms)
{
    struct publisher *publisher = &self->publisher;

    if (publisher->timer == 0 &&
        self->timer->set(self->host, (uint32_t)ms, fire, self, &publisher->timer) != TR_OK)
        publisher->timer = 0; /* the instance ends, and the flush comes                      */
}

static void wait_again(tr_self *self)
{
    const struct publisher *publisher = &self->publisher;
    int64_t ms = self->options.wait_ms;

    for (uint32_t i = 1; i < publisher->failures && ms < AGAIN_MAX_MS; i++)
        ms *= 2;
    if (publisher->is_flushing)
        ms = FLUSH_AGAIN_MS;
    else if (ms > AGAIN_MAX_MS && ms > self->options.wait_ms)
        ms = AGAIN_MAX_MS;
    wait_for(self, ms);
}

void publish_done(tr_self *self, const char *why)
{
    struct publisher *publisher = &self->publisher;

    if (why) {
        if (publisher->failures++ == 0)
            tr_logf(self->host, TR_LOG_WARNING, "figures are not published: %s; trying again",
                    why);
        publisher->is_wanted = true;
        wait_again(self);
        return;
    }
    if (publisher->failures > 0)
        tr_logf(self->host, TR_LOG_NOTICE, "figures are published again");
    publisher->failures = 0;
    if (publisher->is_wanted)
        wait_again(self);
}

static void publish_now(tr_self *self)
{
    struct publisher *publisher = &self->publisher;
    char why[WHY_BYTES];

    if (publisher->request != 0 || !publisher->is_wanted)
        return;
    publisher->is_wanted = false;
    if (!page_make(self))
        publish_done(self, "the state cannot be read now, or there is no memory");
    else if (self->options.file && file_write(self, why))
        publish_done(self, why);
    else if (self->options.url)
        couch_send(self);
    else
        publish_done(self, NULL);
}

void publish_want(tr_self *self)
{
    self->publisher.is_wanted = true;
    if (self->publisher.request == 0)
        wait_for(self, self->options.wait_ms);
}

tr_status publish_begin(tr_self *self, tr_error *error)
{
    const struct options *options = &self->options;
    tr_http_options http = tr_connection_http(&options->connection);
    tr_status status = series_begin(self, error);

    http.max_connections = 1;
    http.max_response = 64 << 20;
    if (status == TR_OK && options->url)
        status = self->http->client_new(self->host, &http, &self->client, error);
    if (status != TR_OK)
        return status;
    /* Figures of nothing are no news before all has been read. */
    self->publisher.is_wanted = true;
    if (self->streams.count > 0)
        wait_for(self, options->wait_ms);
    return TR_OK;
}

tr_status publish_flush(tr_self *self)
{
    struct publisher *publisher = &self->publisher;

    if (!publisher->is_flushing && publisher->timer != 0) {
        (void)self->timer->cancel(self->host, publisher->timer);
        publisher->timer = 0;
    }
    if (!publisher->is_flushing)
        publisher->failures = 0;
    publisher->is_flushing = true;
    if (publisher->timer == 0)
        publish_now(self);
    if (publisher->failures >= FLUSH_TRIES)
        return TR_RETRY;
    return publisher->request != 0 || publisher->timer != 0 ? TR_PENDING : TR_OK;
}

void publish_end(tr_self *self)
{
    struct publisher *publisher = &self->publisher;

    if (self->client)
        self->http->client_free(self->client);
    self->client = NULL;
    tr_text_fini(&publisher->page);
    tr_text_fini(&publisher->url);
    tr_text_fini(&publisher->body);
    tr_text_fini(&publisher->losers);
    *publisher = (struct publisher){0};
}
