/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The native mode: the plugin itself makes the target have every leaf that the feed names. Here
 * are its clients, batches in, and the end; native.h says what stands where. Worker, but what
 * starts and stops it, [control].
 */
#include "native.h"

/* ---- life ---- */

/* Instances that speak with the same server as the same user share the connections to it. */
static tr_status make_client(tr_self *self, const char *url, tr_http_client **ret_client,
                             tr_error *error)
{
    const char *authority = strstr(url, "://") + 3;
    tr_http_options http = tr_connection_http(&self->options.connection);

    http.max_response = ANSWER_MAX;
    http.share = tr_str_n(url, (size_t)(authority - url) + strcspn(authority, "/"));
    return self->http->client_new(self->host, &http, ret_client, error);
}

static char *source_text(const struct options *options)
{
    static const char database[] = "$db_name";
    const char *url = options->source ? options->source : options->source_url;
    size_t len = strlen(url);
    char *text = malloc(len + sizeof(database) + 2);

    if (!text)
        return NULL;
    memcpy(text, url, len + 1);
    if (options->source)
        return text;
    while (len > 0 && text[len - 1] == '/')
        len--;
    snprintf(text + len, sizeof(database) + 2, "/%s", database);
    return text;
}

tr_status native_judge(const tr_self *self, tr_error *error)
{
    const struct options *options = &self->options;
    struct endpoint source, target;
    char *text = NULL;
    tr_status status;

    if (!options->source && !options->source_url)
        return tr_fail(error, TR_EINVAL,
                       "neither source nor source_url is set; set source to the URL of the "
                       "database that the rule reads, or source_url to that of its server");
    if (options->server || options->body || options->delay_ms > 0)
        return tr_fail(error, TR_EINVAL,
                       "%s is for a server that replicates; set mode = \"server\", or take it "
                       "out",
                       options->server ? "server"
                       : options->body ? "body"
                                       : "delay");
    if (!options->create_target && (options->q > 0 || options->n > 0))
        return tr_fail(error, TR_EINVAL,
                       "q and n are for a target that is made; set create_target = true, or "
                       "take them out");
    text = source_text(options);
    if (!text)
        return tr_fail(error, TR_EAGAIN, "out of memory");
    status = address_check(self, options->source ? "source" : "source_url", text, error);
    if (status == TR_OK)
        status = address_check(self, "target", options->target, error);
    if (status == TR_OK && endpoint_parse(text, &source, NULL) == TR_OK &&
        endpoint_parse(options->target, &target, NULL) == TR_OK &&
        tr_str_eq(source.scheme, target.scheme) && tr_str_eq(source.rest, target.rest))
        status = tr_fail(error, TR_EINVAL,
                         "source and target are the same database; set another target");
    free(text);
    return status;
}

tr_status native_compile(tr_self *self, tr_error *error)
{
    char *text = source_text(&self->options);
    tr_status status = text ? TR_OK : tr_fail(error, TR_EAGAIN, "out of memory");

    if (status == TR_OK && !self->source_url)
        status = self->tmpl->compile(tr_str_c(text), TR_PLACE_URL, &self->source_url, error);
    if (status == TR_OK && !self->target_url)
        status = self->tmpl->compile(tr_str_c(self->options.target), TR_PLACE_URL,
                                     &self->target_url, error);
    free(text);
    return status;
}

tr_status native_start(tr_self *self, tr_error *error)
{
    const struct options *options = &self->options;
    const char *source = options->source ? options->source : options->source_url;
    tr_status status = native_compile(self, error);

    if (status == TR_OK)
        status = make_client(self, source, &self->source_client, error);
    if (status == TR_OK)
        status = make_client(self, options->target, &self->target_client, error);
    return status;
}

/* Requests under way are answered by their end while the clients are freed. */
void native_stop(tr_self *self)
{
    self->flushing = true;
    if (self->source_client)
        self->http->client_free(self->source_client);
    self->source_client = NULL;
    if (self->target_client)
        self->http->client_free(self->target_client);
    self->target_client = NULL;
    if (self->source_url)
        self->tmpl->free(self->source_url);
    if (self->target_url)
        self->tmpl->free(self->target_url);
    self->source_url = self->target_url = NULL;
    link_free_all(self);
}

/* ---- batches and positions ---- */

tr_status native_process(tr_self *self, const tr_batch *batch, tr_outcome *ret_outcome)
{
    struct job *job = job_new(self, batch);
    struct link *link = job ? link_of(self, batch->stream, batch->db, batch->rule) : NULL;

    if (!link) {
        if (job)
            job_free(job);
        return tr_finish(ret_outcome, TR_RETRY, "out of memory");
    }
    link_wait(link, job);
    return TR_PENDING;
}

/* A stream without a link had no batch since the start: nothing was copied that its checkpoint
 * would tell of. */
static void settled(tr_self *self, const tr_place *place)
{
    struct link *link = link_find(self, place->stream);

    if (link)
        checkpoint_settled(link, place->seq);
}

/* A server that replicates has books of its own. */
static void begin(tr_self *self, const tr_begin *it)
{
    if (self->options.mode == MODE_NATIVE)
        begin_stream(self, it);
    else if (self->position)
        (void)self->position->answer(self->host, it->question, tr_str_n(NULL, 0));
}

const void *native_position_table(void)
{
    static const tr_position table = {
        .size = sizeof(table), .begin = begin, .settled = settled};

    return &table;
}

tr_status native_flush(tr_self *self, int64_t deadline_ms)
{
    return checkpoint_flush(self, deadline_ms);
}
