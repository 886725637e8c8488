/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening a link, before its first batch and when its target got lost:
 *
 *     GET source ──▶ GET target ──┬─▶ open: jobs that wait go on
 *                       404 ──▶ PUT target, if the options say so ──▶ GET target
 *
 * Worker.
 */
#include "native.h"

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

/* False: it is another than before, and that was the end. */
static bool take_start(struct link *link, int end, tr_str info)
{
    bool same = link_take_start(link, end, info);

    if (!same)
        let_go(link, link->why);
    return same;
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
    bool was_there = link->lost || link->starts[TARGET].len > 0;
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

/* ---- the URLs ---- */

/* TR_REJECT: no database of this name can be copied, and `ret_why` says why. */
static tr_status make_urls(struct link *link, const char **ret_why)
{
    tr_self *self = link->self;
    tr_str db = tr_str_c(link->db);
    tr_text one = {0}, other = {0};
    tr_status status = address_make(self, self->source_url, db, &link->source);

    *ret_why = "source or target is no URL of a database";
    if (status == TR_OK)
        status = address_make(self, self->target_url, db, &link->target);
    address_add_bare(&one, tr_text_str(&link->source));
    address_add_bare(&other, tr_text_str(&link->target));
    if (status == TR_OK && (one.failed || other.failed)) {
        status = TR_EAGAIN;
    } else if (status == TR_OK && tr_str_eq(tr_text_str(&one), tr_text_str(&other))) {
        status = TR_REJECT;
        *ret_why = "source and target are the same database; set another target";
    }
    if (status == TR_EAGAIN)
        *ret_why = "out of memory";
    if (status != TR_OK)
        tr_text_clear(&link->source);
    tr_text_fini(&one);
    tr_text_fini(&other);
    return status;
}

/* ---- what is called ---- */

void link_open(struct link *link, int64_t deadline_ms)
{
    const char *why = NULL;

    if (link->state == LINK_OPENING)
        return;
    if (link->state == LINK_BROKEN)
        why = link->why;
    else if (link->source.len == 0 && make_urls(link, &why) == TR_OK)
        why = NULL;
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
    struct job **last = &link->waiting;
    const char *why;

    job->link = link;
    link->jobs++;
    if (link->source.len == 0 && make_urls(link, &why) == TR_REJECT) {
        job_refuse_all(job, why);
        job_advance(job);
        return;
    }
    if (link->state == LINK_BROKEN && !link->remade) { /* of a source that is no more       */
        job_settle_all(job);
        job_advance(job);
        return;
    }
    while (*last)
        last = &(*last)->next;
    *last = job;
    job->next = NULL;
    link_open(link, job->batch->deadline_ms);
}
