/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tr.http/1: requests of plugins, on the host's own connections.
 *
 *     send() on the worker ──task──▶ loop: http_start() … on_done ──work──▶ done() on the
 * worker
 *
 * A request is one block of memory that holds copies of all it needs; it belongs to the worker,
 * then to the loop, then to the worker again, which keeps it for the next one. Tasks are handed
 * over together (worker.h), so a batch of a hundred requests wakes the loop once. A pool lives
 * on the loop (pools.c); a client joins its when the first request arrives there.
 */
#include "base/failpoint.h"
#include "base/mem.h"
#include "http/client.h"
#include "plugin/parcel.h"
#include "plugin/pools.h"
#include "plugin/private.h"

#include <tailrace/ext/http.h>

#include <stdio.h>

/* What is kept for the next requests: so many, each of no more than so many bytes. */
enum { SPARE_MAX = 64, SPARE_ROOM_MAX = 64 << 10 };

static const char late_words[] = "cancelled: the batch is late, its bytes stand still";

struct tr_http_client {
    struct list link; /* worker: instance->http_clients                                    */
    struct instance *instance;
    struct http_options options; /* its strings are copies                                 */
    char *ca_file, *proxy, *share;
    size_t keep_max;
    struct list open;  /* worker: requests whose done() is to come                         */
    struct list spare; /* worker: those that are over, the last one first                  */
    uint32_t spare_count;
    bool ending;              /* worker: no more is sent                                   */
    struct plugin_pool *pool; /* loop; NULL: nothing was ever sent                         */
    struct list running;      /* loop: started requests                                     */
    struct task end, close;   /* worker to loop: end what runs, free all                    */
};

struct request {
    struct list link;    /* worker: client->open or client->spare                          */
    struct list running; /* loop: client->running                                          */
    struct tr_http_client *client;
    uint64_t id;
    void *user;
    void (*done)(void *user, const tr_http_response *response);
    struct http_call call;
    struct parcel *parcel; /* its body, if it is in parts; NULL: it is not                 */
    tr_ticket ticket;      /* the batch that it is for; 0: none                            */
    struct list carrying;  /* loop: instance->carriers, if it is for a batch               */
    uint64_t moved;        /* loop: bytes that the batch's deadline knows of               */
    uint32_t on_the_way;   /* worker: what is to come back before it may be freed             */
    bool cancelling, over;
    struct task start, cancel;
    struct work cancelled, finished;
    tr_http_response response; /* its strings are in `kept`                                */
    struct buf kept;
    size_t error_len;
    size_t room; /* bytes of what follows                                                  */
    struct http_header headers[]; /* and behind them the bytes of all strings              */
};

/* ---- blocks ---- */

static void request_delete(struct request *request)
{
    buf_fini(&request->kept);
    free(request);
}

/* With `room` for its headers and strings; all else is as it was left. */
static struct request *request_take(struct tr_http_client *client, size_t room)
{
    struct list *link = list_pop(&client->spare);
    struct request *request = link ? list_entry(link, struct request, link) : NULL;

    if (request)
        client->spare_count--;
    if (request && request->room >= room)
        return request;
    if (request)
        request_delete(request);
    /* So that the next one, a little longer, has room too. */
    if (room < SPARE_ROOM_MAX)
        room = room + room / 2 < SPARE_ROOM_MAX ? room + room / 2 : SPARE_ROOM_MAX;
    request = mem_alloc(sizeof(*request) + room);
    request->room = room;
    request->kept = (struct buf){0};
    return request;
}

static void request_give_back(struct request *request)
{
    struct tr_http_client *client = request->client;

    list_remove(&request->link);
    if (client->spare_count == SPARE_MAX || request->room > SPARE_ROOM_MAX ||
        request->kept.cap > SPARE_ROOM_MAX) {
        request_delete(request);
        return;
    }
    buf_clear(&request->kept);
    list_push_front(&client->spare, &request->link);
    client->spare_count++;
}

/* ---- the way back: the answer, on the worker ---- */

static void request_release(struct request *request)
{
    if (--request->on_the_way > 0)
        return;
    parcel_free(request->parcel);
    request->parcel = NULL;
    request_give_back(request);
}

static void request_finished(struct work *work)
{
    struct request *request = list_entry(work, struct request, finished);
    struct instance *instance = request->client->instance;

    request->over = true;
    request->response.error = str_n(buf_str(&request->kept).ptr, request->error_len);
    request->response.body = str_from(buf_str(&request->kept), request->error_len);
    request->done(request->user, &request->response);
    request_release(request);
    instance_came_back(instance);
}

static uint64_t take_moved(struct request *request)
{
    uint64_t before = request->moved;

    request->moved = parcel_moved(request->parcel);
    return request->moved - before;
}

/* Loop: the request is over, one way or another. */
static void answer(struct request *request, int status, const char *error, tr_str body,
                   int64_t retry_after_ms, uint32_t flags)
{
    struct job *job = tickets_find(&request->client->instance->tickets, request->ticket);

    if (job)
        job->moved += take_moved(request);
    list_remove(&request->running);
    list_remove(&request->carrying);
    request->response = (tr_http_response){
        .size = sizeof(tr_http_response),
        .status = status,
        .retry_after_ms = (uint32_t)retry_after_ms,
        .flags = flags,
    };
    parcel_report(request->parcel, &request->response);
    if (error[0])
        buf_add_c(&request->kept, error);
    request->error_len = request->kept.len;
    if (body.len > 0)
        buf_add_str(&request->kept, body);
    request->finished.run = request_finished;
    instance_post(request->client->instance, &request->finished);
}

static void call_done(struct http_call *call, const struct http_result *result)
{
    struct request *request = list_entry(call, struct request, call);

    FAILPOINT("plugin.http.answered");
    answer(request, result->end == HTTP_ANSWERED ? result->status : 0, result->error,
           result->body, result->retry_after_ms,
           result->end == HTTP_REFUSED ? TR_HTTP_REFUSED : 0);
}

/* ---- the way out: into the pool, on the loop ---- */

static void start_on_loop(struct task *task)
{
    struct request *request = list_entry(task, struct request, start);
    struct tr_http_client *client = request->client;
    const struct instance_setup *setup = &client->instance->setup;
    const struct job *job = tickets_find(&client->instance->tickets, request->ticket);
    struct error error = {0};
    int rc;

    FAILPOINT("plugin.http.asks");
    list_push_back(&client->running, &request->running);
    if (job)
        list_push_back(&client->instance->carriers, &request->carrying);
    if (job && job->late) {
        answer(request, 0, late_words, STR(""), 0, 0);
        return;
    }
    if (!client->pool)
        client->pool = plugin_pool_join(setup->loop, setup->http, setup->plugin,
                                        &client->options, str_c(client->share));
    rc = plugin_pool_start(client->pool, &request->call, &error);
    if (rc < 0) /* after ERR_CONFIG it would fail again if it were sent again */
        answer(request, 0, error.text, STR(""), 0, rc == ERR_CONFIG ? TR_HTTP_REFUSED : 0);
}

/* ---- send ---- */

static size_t strings_size(const tr_http_request *given)
{
    size_t size = given->method.len + given->url.len + given->body.len + 3;

    for (uint32_t i = 0; i < given->headers_count; i++)
        size += given->headers[i].name.len + given->headers[i].value.len;
    return size;
}

static tr_str put(char **at, tr_str s)
{
    tr_str copy = str_n(*at, s.len);

    if (s.len > 0)
        memcpy(*at, s.ptr, s.len);
    *at += s.len;
    return copy;
}

static const char *put_cstr(char **at, tr_str s)
{
    const char *copy = put(at, s).ptr;

    *(*at)++ = '\0';
    return copy;
}

static struct request *copy_request(struct tr_http_client *client, const tr_http_request *given)
{
    size_t headers = given->headers_count * sizeof(struct http_header);
    struct request *request = request_take(client, headers + strings_size(given));
    char *at = (char *)request->headers + headers;

    for (uint32_t i = 0; i < given->headers_count; i++) {
        request->headers[i].name = put(&at, given->headers[i].name);
        request->headers[i].value = put(&at, given->headers[i].value);
    }
    request->client = client;
    request->on_the_way = 1;
    request->cancelling = request->over = false;
    request->id = ++client->instance->ids;
    request->user = given->user;
    request->done = given->done;
    request->call = (struct http_call){
        .url = put_cstr(&at, given->url),
        .method = given->method.len > 0 ? put_cstr(&at, given->method) : NULL,
        .headers = request->headers,
        .headers_count = given->headers_count,
        .body = put(&at, given->body),
        .timeout_ms = given->timeout_ms ? given->timeout_ms : 30000,
        .keep_max = client->keep_max,
        .on_done = call_done,
    };
    request->ticket = TR_ROOM(given, tr_http_request, ticket) ? given->ticket : 0;
    list_init(&request->carrying);
    request->moved = 0;
    request->start.run = start_on_loop;
    return request;
}

static bool is_sendable(const tr_http_request *given)
{
    if (!TR_ROOM(given, tr_http_request, done) || !given->done || given->url.len == 0)
        return false;
    if (str_has_control(given->url) || str_has_control(given->method) ||
        !parcel_headers_are_clean(given->headers, given->headers_count))
        return false;
    /* The rest of the URL is judged once, where it is used: on the loop. */
    return str_starts(given->url, STR("http://")) || str_starts(given->url, STR("https://"));
}

static tr_status http_ext_send(tr_http_client *client, const tr_http_request *given,
                               uint64_t *ret_id)
{
    struct request *request;
    struct parcel *parcel;

    if (!is_sendable(given) || !host_on_worker(client->instance, "tr_http.send"))
        return TR_EINVAL;
    if (client->ending)
        return TR_ESTALE;
    if (!parcel_new(given, &parcel))
        return TR_EINVAL;
    request = copy_request(client, given);
    request->parcel = parcel;
    parcel_attach(parcel, &request->call);
    list_push_back(&client->open, &request->link);
    if (ret_id)
        *ret_id = request->id;
    instance_tell_loop(client->instance, &request->start);
    return TR_OK;
}

/* ---- cancel ---- */

static void request_cancelled(struct work *work)
{
    request_release(list_entry(work, struct request, cancelled));
}

static void cancel_on_loop(struct task *task)
{
    struct request *request = list_entry(task, struct request, cancel);

    /* Its answer may have crossed this task on the way. */
    if (http_is_active(&request->call)) {
        http_cancel(&request->call);
        answer(request, 0, "cancelled", STR(""), 0, 0);
    }
    request->cancelled.run = request_cancelled;
    instance_post(request->client->instance, &request->cancelled);
}

static tr_status http_ext_cancel(tr_http_client *client, uint64_t id)
{
    if (!host_on_worker(client->instance, "tr_http.cancel"))
        return TR_EINVAL;
    list_each (it, &client->open) {
        struct request *request = list_entry(it, struct request, link);
        if (request->id != id || request->cancelling || request->over)
            continue;
        request->cancelling = true;
        request->on_the_way++;
        request->cancel.run = cancel_on_loop;
        instance_tell_loop(client->instance, &request->cancel);
        return TR_OK;
    }
    return TR_ESTALE;
}

/* ---- batches that take long ---- */

uint64_t ext_http_moved(struct instance *instance, tr_ticket ticket)
{
    uint64_t moved = 0;

    list_each (it, &instance->carriers) {
        struct request *request = list_entry(it, struct request, carrying);
        if (request->ticket == ticket)
            moved += take_moved(request);
    }
    return moved;
}

void ext_http_late(struct instance *instance, tr_ticket ticket)
{
    list_each_safe (it, &instance->carriers) {
        struct request *request = list_entry(it, struct request, carrying);
        if (request->ticket != ticket)
            continue;
        http_cancel(&request->call);
        answer(request, 0, late_words, STR(""), 0, 0);
    }
}

/* ---- clients ---- */

static void client_delete(struct tr_http_client *client)
{
    struct list *link;

    while ((link = list_pop(&client->spare)) != NULL)
        request_delete(list_entry(link, struct request, link));
    free(client->ca_file);
    free(client->proxy);
    free(client->share);
    free(client);
}

static void free_on_loop(struct task *task)
{
    struct tr_http_client *client = list_entry(task, struct tr_http_client, close);

    plugin_pool_leave(client->pool);
    client_delete(client);
}

static void end_on_loop(struct task *task)
{
    struct tr_http_client *client = list_entry(task, struct tr_http_client, end);

    list_each_safe (it, &client->running) {
        struct request *request = list_entry(it, struct request, running);
        http_cancel(&request->call);
        answer(request, 0, "cancelled: the client ends", STR(""), 0, 0);
    }
}

static tr_status http_ext_client_new(const tr_host *host, const tr_http_options *given,
                                     tr_http_client **ret_client, tr_error *error)
{
    struct instance *instance = instance_of(host);
    struct tr_http_client *client;
    tr_http_options options = {0};

    (void)error;
    if (!given || given->size < offsetof(tr_http_options, connect_timeout_ms))
        return TR_EINVAL;
    memcpy(&options, given, given->size < sizeof(options) ? given->size : sizeof(options));
    client = mem_new(struct tr_http_client);
    client->instance = instance;
    client->ca_file = str_dup(options.ca_file);
    client->proxy = str_dup(options.proxy);
    client->share = str_dup(options.share);
    client->keep_max = options.max_response ? options.max_response : 1 << 20;
    client->options = (struct http_options){
        .secrets = instance->setup.secrets,
        .ca_file = str_c(client->ca_file),
        .proxy = str_c(client->proxy),
        .direct = true,
        .insecure = options.insecure_tls != 0,
        .deny_private = options.deny_private != 0,
        .connect_timeout_ms = options.connect_timeout_ms,
        .max_connections = options.max_connections,
        .max_redirects = options.max_redirects,
    };
    list_init(&client->open);
    list_init(&client->spare);
    list_init(&client->running);
    list_push_back(&instance->http_clients, &client->link);
    *ret_client = client;
    return TR_OK;
}

/* Ends what is under way and runs its done() calls. All of them may come before the loop was
 * told to end any: so that task is not the one that frees the client. */
static void drain(struct tr_http_client *client)
{
    client->ending = true; /* a done() that sends again at each failure would never end    */
    if (list_empty(&client->open))
        return;
    client->end.run = end_on_loop;
    instance_tell_loop(client->instance, &client->end);
    while (!list_empty(&client->open))
        instance_run_one(client->instance);
}

static void http_ext_client_free(tr_http_client *client)
{
    if (!client)
        return;
    list_remove(&client->link);
    if (!client->instance->setup.loop) { /* a bare instance: the loop never saw it         */
        client_delete(client);
        return;
    }
    drain(client);
    client->close.run = free_on_loop;
    instance_tell_loop(client->instance, &client->close);
}

void ext_http_end(struct instance *instance)
{
    list_each (it, &instance->http_clients)
        drain(list_entry(it, struct tr_http_client, link));
}

void ext_http_free(struct instance *instance)
{
    while (!list_empty(&instance->http_clients))
        http_ext_client_free(
            list_entry(instance->http_clients.next, struct tr_http_client, link));
}

const void *ext_http_table(void)
{
    static const tr_http table = {
        .size = sizeof(table),
        .client_new = http_ext_client_new,
        .client_free = http_ext_client_free,
        .send = http_ext_send,
        .cancel = http_ext_cancel,
    };

    return &table;
}
