/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A link: a stream of the rule and the database that it is copied to. It is opened before its
 * first batch: both databases are looked at, the target is made if the options say so, and
 * which incarnations they are is kept, so that a checkpoint is never written about another.
 * Worker.
 */
#include "native.h"

enum { SOURCE, TARGET };

/* ---- finding ---- */

static char *copy(tr_str text)
{
    char *made = malloc(text.len + 1);

    if (!made)
        return NULL;
    if (text.len > 0)
        memcpy(made, text.ptr, text.len);
    made[text.len] = '\0';
    return made;
}

static void link_free(struct link *link)
{
    checkpoint_fini(link);
    tr_text_fini(&link->source);
    tr_text_fini(&link->target);
    tr_text_fini(&link->seq);
    tr_text_fini(&link->starts[SOURCE]);
    tr_text_fini(&link->starts[TARGET]);
    free(link->stream);
    free(link->db);
    free(link->rule);
    free(link);
}

void link_free_all(tr_self *self)
{
    for (uint32_t i = 0; i < self->links_room; i++) {
        struct link *link, *next;

        for (link = self->links[i]; link; link = next) {
            next = link->next;
            link_free(link);
        }
    }
    free(self->links);
    self->links = NULL;
    self->links_room = self->links_count = 0;
}

/* A power of two buckets. */
static struct link **bucket_of(struct link **links, uint32_t room, tr_str stream)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < stream.len; i++)
        hash = (hash ^ (unsigned char)stream.ptr[i]) * 16777619u;
    return &links[hash & (room - 1)];
}

struct link *link_find(tr_self *self, tr_str stream)
{
    struct link *link = self->links_room > 0 ? *bucket_of(self->links, self->links_room, stream)
                                             : NULL;

    while (link && !tr_str_eq(tr_str_c(link->stream), stream))
        link = link->next;
    return link;
}

/* One link more than there are buckets doubles them. */
static bool make_room(tr_self *self)
{
    uint32_t room = self->links_room > 0 ? 2 * self->links_room : 1;
    struct link **grown;

    if (self->links_count < self->links_room)
        return true;
    grown = calloc(room, sizeof(struct link *));
    if (!grown)
        return false;
    for (uint32_t i = 0; i < self->links_room; i++)
        while (self->links[i]) {
            struct link *link = self->links[i];
            struct link **bucket = bucket_of(grown, room, tr_str_c(link->stream));

            self->links[i] = link->next;
            link->next = *bucket;
            *bucket = link;
        }
    free(self->links);
    self->links = grown;
    self->links_room = room;
    return true;
}

struct link *link_of(tr_self *self, tr_str stream, tr_str db, tr_str rule)
{
    struct link *link = link_find(self, stream), **bucket;

    if (link)
        return link;
    link = make_room(self) ? calloc(1, sizeof(*link)) : NULL;
    if (!link)
        return NULL;
    link->self = self;
    link->stream = copy(stream);
    link->db = copy(db);
    link->rule = copy(rule);
    if (!link->stream || !link->db || !link->rule) {
        link_free(link);
        return NULL;
    }
    checkpoint_begin_session(link);
    bucket = bucket_of(self->links, self->links_room, stream);
    link->next = *bucket;
    *bucket = link;
    self->links_count++;
    return link;
}

/* ---- incarnations ---- */

/* instance_start_time, where it says when a database was made: seconds, as text or number. What
 * other servers have there is 0, or when they were started. */
static tr_str start_of(tr_str info)
{
    tr_str raw = tr_scan_find(info, "instance_start_time");
    tr_str text = raw;

    if (text.len > 2 && text.ptr[0] == '"')
        text = tr_str_n(text.ptr + 1, text.len - 2);
    return text.len == 10 ? text : tr_str_n(NULL, 0);
}

bool link_is_same(const struct link *link, int end, tr_str info)
{
    tr_str before = tr_text_str(&link->starts[end]), now = start_of(info);

    return before.len == 0 || now.len == 0 || tr_str_eq(before, now);
}

void link_break(struct link *link, const char *which)
{
    if (link->state == LINK_BROKEN)
        return;
    link->state = LINK_BROKEN;
    snprintf(
        link->why, sizeof(link->why),
        "the %s was deleted and made again while it was replicated: what the rule had "
        "settled is not there any more; stop tailrace, delete the rule's checkpoint of %s, "
        "and start it again",
        which, link->db);
    tr_logf(link->self->host, TR_LOG_ERROR, "database %s: %s", link->db, link->why);
}

void link_lose(struct link *link)
{
    if (link->state == LINK_OPEN)
        link->state = LINK_NEW;
}

/* ---- opening ---- */

static void let_go(struct link *link, const char *why)
{
    struct job *job;

    link->state = link->state == LINK_BROKEN ? LINK_BROKEN : why ? LINK_NEW : LINK_OPEN;
    while ((job = link->waiting) != NULL) {
        link->waiting = job->next;
        if (why)
            tr_bulk_fail(&job->bulk, 0, "%s", why);
        job_advance(job);
    }
    begin_opened(link, why);
}

static struct link *link_of_ask(struct ask *ask)
{
    return (struct link *)(void *)((char *)ask - offsetof(struct link, ask));
}

static uint32_t time_left(const struct link *link)
{
    int64_t left = link->deadline_ms - now_ms();

    left -= left / 10;
    return left < 1 ? 1 : left > INT32_MAX ? INT32_MAX : (uint32_t)left;
}

static void open_ask(struct link *link, int end, const char *method, const char *path,
                     void (*answered)(struct ask *ask, const tr_http_response *response))
{
    tr_self *self = link->self;
    const char *why = ask_send(
        self, &link->ask,
        &(struct question){.client = end == SOURCE ? self->source_client : self->target_client,
                           .method = method,
                           .url = tr_text_str(end == SOURCE ? &link->source : &link->target),
                           .path = path,
                           .answered = answered},
        time_left(link));

    if (why)
        let_go(link, why);
}

static void open_fails(struct link *link, const char *what, const tr_http_response *response)
{
    char shown[SHOWN_MAX], why[MESSAGE_MAX];

    ask_describe(&link->ask, response, shown);
    snprintf(why, sizeof(why), "%s: %d: %s", what, (int)response->status, shown);
    let_go(link, why);
}

/* False: it is another than before. */
static bool take_start(struct link *link, int end, tr_str info)
{
    if (!link_is_same(link, end, info)) {
        link_break(link, end == SOURCE ? "source" : "target");
        let_go(link, link->why);
        return false;
    }
    tr_text_clear(&link->starts[end]);
    tr_text_add(&link->starts[end], start_of(info));
    return true;
}

static void target_answered(struct ask *ask, const tr_http_response *response);

static void target_made(struct ask *ask, const tr_http_response *response)
{
    struct link *link = link_of_ask(ask);

    link->made = true;
    /* 412: somebody else has made it. */
    if (response->status != 201 && response->status != 202 && response->status != 412)
        open_fails(link, "PUT of the target", response);
    else
        open_ask(link, TARGET, "GET", "", target_answered);
}

static void make_target(struct link *link)
{
    const struct options *options = &link->self->options;
    char path[64] = "";
    int len = 0;

    if (options->q > 0)
        len = snprintf(path, sizeof(path), "?q=%d", (int)options->q);
    if (options->n > 0)
        snprintf(path + len, sizeof(path) - (size_t)len, "%sn=%d", len > 0 ? "&" : "?",
                 (int)options->n);
    open_ask(link, TARGET, "PUT", path, target_made);
}

/* One that was there and is gone is not made again: what it had would not come back. */
static void target_is_missing(struct link *link)
{
    tr_str name = address_name(tr_text_str(&link->target));
    bool was_there = link->starts[TARGET].len > 0;
    char why[MESSAGE_MAX];

    if (link->self->options.create_target && !link->made && !was_there) {
        make_target(link);
        return;
    }
    snprintf(why, sizeof(why), "404: the target %.*s %s", (int)name.len, name.ptr,
             was_there ? "was deleted"
                       : "does not exist; make it, or set create_target = true");
    let_go(link, why);
}

static void target_answered(struct ask *ask, const tr_http_response *response)
{
    struct link *link = link_of_ask(ask);
    tr_str info = response->body;

    if (response->status == 404) {
        target_is_missing(link);
        return;
    }
    if (response->status != 200 || !tr_scan_is_whole(info, '{')) {
        open_fails(link, "GET of the target", response);
        return;
    }
    if (!take_start(link, TARGET, info))
        return;
    link->fresh = tr_str_eq(tr_scan_find(info, "doc_count"), TR_STR("0")) &&
                  tr_str_eq(tr_scan_find(info, "doc_del_count"), TR_STR("0"));
    let_go(link, NULL);
}

static void source_answered(struct ask *ask, const tr_http_response *response)
{
    struct link *link = link_of_ask(ask);

    if (response->status != 200 || !tr_scan_is_whole(response->body, '{'))
        open_fails(link, "GET of the source", response);
    else if (take_start(link, SOURCE, response->body))
        open_ask(link, TARGET, "GET", "", target_answered);
}

/* What is wrong with the URLs, or NULL. */
static const char *make_urls(struct link *link)
{
    tr_self *self = link->self;
    tr_text one = {0}, other = {0};
    const char *why = NULL;

    if (link->source.len > 0)
        return NULL;
    if (address_make(self, self->source_url, tr_str_c(link->db), &link->source) != TR_OK ||
        address_make(self, self->target_url, tr_str_c(link->db), &link->target) != TR_OK) {
        tr_text_clear(&link->source);
        return "source or target is no URL of a database";
    }
    address_add_bare(&one, tr_text_str(&link->source));
    address_add_bare(&other, tr_text_str(&link->target));
    if (tr_str_eq(tr_text_str(&one), tr_text_str(&other)))
        why = "source and target are the same database; set another target";
    if (why)
        tr_text_clear(&link->source);
    tr_text_fini(&one);
    tr_text_fini(&other);
    return why;
}

void link_open(struct link *link, int64_t deadline_ms)
{
    const char *why = make_urls(link);

    if (link->state == LINK_OPENING)
        return;
    if (link->state == LINK_BROKEN)
        why = link->why;
    if (why || link->state == LINK_OPEN) {
        let_go(link, why);
        return;
    }
    link->state = LINK_OPENING;
    link->made = false;
    link->deadline_ms = deadline_ms;
    open_ask(link, SOURCE, "GET", "", source_answered);
}

void link_wait(struct link *link, struct job *job)
{
    const char *why = make_urls(link);
    struct job **last = &link->waiting;

    job->link = link;
    link->jobs++;
    if (why)
        job_refuse_all(job, why);
    if (why || link->state == LINK_OPEN) {
        job_advance(job);
        return;
    }
    while (*last)
        last = &(*last)->next;
    *last = job;
    job->next = NULL;
    link_open(link, job->batch->deadline_ms);
}
