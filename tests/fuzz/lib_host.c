/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host of lib_host.h. Its configuration and JSON are those of core; what it keeps of a
 * request are copies, as a host does. One thread.
 */
#include "lib_host.h"

#include "base/list.h"
#include "base/mem.h"
#include "config/load.h"
#include "config/schema.h"
#include "plugin/private.h"

#include <tailrace/ext/http.h>
#include <tailrace/ext/json.h>
#include <tailrace/ext/position.h>
#include <tailrace/ext/secrets.h>
#include <tailrace/ext/template.h>
#include <tailrace/ext/timer.h>
#include <tailrace/scan.h>

enum { STEPS_MAX = 2000, TICKET = 7, SETUPS_MAX = 4 };

struct request {
    struct list link;
    uint64_t id;
    char *method, *url, *body;
    size_t body_len;
    void *user;
    void (*done)(void *user, const tr_http_response *response);
};

struct due {
    struct list link;
    uint64_t id;
    void (*fire)(void *user);
    void *user;
};

#define CHANGE(id_, rev_, doc_, more_)                                                         \
    {                                                                                          \
        .raw = {"{}", 2}, .id = {id_, sizeof(id_) - 1}, .rev = {rev_, sizeof(rev_) - 1},       \
        .revs = {"[{\"rev\":\"" rev_ "\"}]", sizeof(rev_) + 11}, .seq = {"\"1-x\"", 5},        \
        .doc = {doc_, sizeof(doc_) - 1}, .flags = TR_CHANGE_HAS_DOC | (more_), .attempt = 1    \
    }

static const tr_change changes[] = {
    CHANGE("a", "2-aa", "{\"_id\":\"a\",\"_rev\":\"2-aa\",\"v\":1}", 0),
    CHANGE("b", "1-bb", "{\"_id\":\"b\",\"_rev\":\"1-bb\"}", 0),
    CHANGE("c", "3-cc", "{\"_id\":\"c\",\"_rev\":\"3-cc\",\"_deleted\":true}",
           TR_CHANGE_DELETED),
    CHANGE("a", "3-ab", "{\"_id\":\"a\",\"_rev\":\"3-ab\",\"v\":2}", 0),
};

static const tr_batch the_batch = {.size = sizeof(the_batch),
                                   .ticket = TICKET,
                                   .source = {"main", 4},
                                   .db = {"db", 2},
                                   .rule = {"r", 1},
                                   .changes = changes,
                                   .count = sizeof(changes) / sizeof(changes[0]),
                                   .stride = sizeof(tr_change),
                                   .deadline_ms = INT64_MAX / 2,
                                   .stream = {"main/db@1", 9}};

static struct {
    struct list requests, timers;
    uint64_t next_id;
    struct verdict verdict;
    bool completed;
    tr_str input;
} now;

/* ---- what the plugin calls ---- */

static void host_log(const tr_host *host, int32_t level, tr_str msg)
{
    (void)host;
    (void)level;
    (void)msg;
}

static int32_t host_log_level(const tr_host *host)
{
    (void)host;
    return TR_LOG_INFO;
}

static void take_outcome(const tr_outcome *outcome)
{
    MUST(!now.completed);
    now.completed = true;
    now.verdict.status = outcome->status;
    MUST(outcome->items_count == 0 || outcome->items_count == the_batch.count);
    now.verdict.count = the_batch.count;
    for (uint32_t i = 0; i < the_batch.count; i++) {
        int32_t item = outcome->items_count ? outcome->items[i] : outcome->status;
        MUST(item == TR_OK || item == TR_RETRY || item == TR_REJECT);
        now.verdict.items[i] = item;
    }
    for (uint32_t i = 0; outcome->messages && i < outcome->items_count; i++)
        MUST(outcome->messages[i].len == 0 || outcome->messages[i].ptr);
}

static tr_status host_complete(const tr_host *host, tr_ticket ticket, const tr_outcome *outcome)
{
    (void)host;
    MUST(ticket == TICKET);
    take_outcome(outcome);
    return TR_OK;
}

static tr_status host_config_get(const tr_config *config, const char *path, uint32_t idx,
                                 tr_value *ret_value)
{
    return config_values_get(config->values, path, idx, ret_value);
}

static tr_status client_new(const tr_host *host, const tr_http_options *options,
                            tr_http_client **ret_client, tr_error *error)
{
    (void)host;
    (void)options;
    (void)error;
    *ret_client = (tr_http_client *)mem_alloc(1);
    return TR_OK;
}

static void client_free(tr_http_client *client)
{
    free(client);
}

static char *text_of(const tr_http_request *request, size_t *ret_len)
{
    struct buf body = {0};

    buf_add_str(&body, request->body);
    for (uint32_t i = 0; i < request->parts_count; i++) {
        const tr_http_part *part = &request->parts[i];
        MUST(!part->bytes.len || !part->url.len);
        buf_add_str(&body, part->bytes);
        MUST(fuzz_is_one_line(part->url));
    }
    *ret_len = body.len;
    return body.ptr; /* now the request's */
}

static tr_status send_request(tr_http_client *client, const tr_http_request *request,
                              uint64_t *ret_id)
{
    struct request *copy = mem_new(struct request);

    MUST(client && request->done);
    MUST(fuzz_is_one_line(request->url) && fuzz_is_one_line(request->method));
    MUST(request->url.len > 20 && memcmp(request->url.ptr, "http://127.0.0.1:9/", 19) == 0);
    for (uint32_t i = 0; i < request->headers_count; i++)
        MUST(fuzz_is_one_line(request->headers[i].value));
    copy->id = ++now.next_id;
    copy->method = str_dup(request->method);
    copy->url = str_dup(request->url);
    copy->body = text_of(request, &copy->body_len);
    copy->user = request->user;
    copy->done = request->done;
    list_push_back(&now.requests, &copy->link);
    if (ret_id)
        *ret_id = copy->id;
    return TR_OK;
}

static tr_status cancel_request(tr_http_client *client, uint64_t id)
{
    (void)client;
    list_each (it, &now.requests)
        if (list_entry(it, struct request, link)->id == id)
            return TR_OK;
    return TR_ESTALE;
}

static tr_status timer_set(const tr_host *host, uint32_t after_ms, void (*fire)(void *user),
                           void *user, uint64_t *ret_id)
{
    struct due *due = mem_new(struct due);

    (void)host;
    (void)after_ms;
    due->id = ++now.next_id;
    due->fire = fire;
    due->user = user;
    list_push_back(&now.timers, &due->link);
    if (ret_id)
        *ret_id = due->id;
    return TR_OK;
}

static tr_status timer_cancel(const tr_host *host, uint64_t id)
{
    (void)host;
    list_each (it, &now.timers) {
        struct due *due = list_entry(it, struct due, link);
        if (due->id == id) {
            list_remove(&due->link);
            free(due);
            return TR_OK;
        }
    }
    return TR_ESTALE;
}

static tr_status no_password(const tr_host *host, tr_str hostname, tr_str user, char *buf,
                             size_t cap, size_t *ret_len)
{
    (void)host;
    (void)hostname;
    (void)user;
    (void)buf;
    (void)cap;
    *ret_len = 0;
    return TR_ENOENT;
}

static const void *host_get_ext(const tr_host *host, const char *id)
{
    static const tr_http http = {.size = sizeof(http),
                                 .client_new = client_new,
                                 .client_free = client_free,
                                 .send = send_request,
                                 .cancel = cancel_request};
    static const tr_timer timer = {
        .size = sizeof(timer), .set = timer_set, .cancel = timer_cancel};
    static const tr_secrets secrets = {.size = sizeof(secrets), .password = no_password};

    (void)host;
    if (strcmp(id, TR_EXT_HTTP) == 0)
        return &http;
    if (strcmp(id, TR_EXT_TIMER) == 0)
        return &timer;
    if (strcmp(id, TR_EXT_SECRETS) == 0)
        return &secrets;
    if (strcmp(id, TR_EXT_JSON) == 0)
        return ext_json_table();
    if (strcmp(id, TR_EXT_TEMPLATE) == 0)
        return ext_template_table();
    return NULL;
}

static const tr_host host = {
    .size = sizeof(host),
    .abi_minor = TR_ABI_MINOR,
    .name = "fuzz",
    .version = "1",
    .log = host_log,
    .log_level = host_log_level,
    .complete = host_complete,
    .config_get = host_config_get,
    .get_ext = host_get_ext,
};

/* ---- what happens ---- */

static int32_t next_answer(tr_str *ret_body)
{
    static const int32_t statuses[] = {0, 200, 201, 202, 404, 500, 409, 413, 401, 412};
    tr_str rest, answer;
    int32_t status;

    *ret_body = str_n(NULL, 0);
    if (now.input.len == 0)
        return 0;
    answer = str_cut(now.input, (char)0xff, &rest);
    now.input = rest;
    if (answer.len == 0)
        return 0;
    status = statuses[(unsigned char)answer.ptr[0] % 16 % 10];
    if (status > 0)
        *ret_body = str_from(answer, 1);
    return status;
}

/* Whole as far as brackets and strings tell, which is what plugins go by. */
static bool is_good(int32_t status, tr_str body)
{
    return status >= 200 && status <= 202 &&
           (tr_scan_is_whole(body, '{') || tr_scan_is_whole(body, '['));
}

static void answer(struct request *request)
{
    tr_str body;
    int32_t status = next_answer(&body);
    char *copy = mem_alloc(body.len + 1); /* of its own length: a step beyond is seen     */
    tr_http_response response = {.size = sizeof(response), .status = status};

    if (body.len > 0)
        memcpy(copy, body.ptr, body.len);
    response.body = str_n(copy, body.len);
    if (status == 0)
        response.error = STR("no answer");
    list_remove(&request->link);
    now.verdict.was_answered |= is_good(status, response.body);
    request->done(request->user, &response);
    free(copy);
    free(request->method);
    free(request->url);
    free(request->body);
    free(request);
}

/* False: nothing is left that could happen. */
static bool step(void)
{
    if (!list_empty(&now.requests)) {
        answer(list_entry(now.requests.next, struct request, link));
        return true;
    }
    if (!list_empty(&now.timers)) {
        struct due *due = list_entry(now.timers.next, struct due, link);
        struct due copy = *due;

        list_remove(&due->link);
        free(due);
        copy.fire(copy.user);
        return true;
    }
    return false;
}

/* ---- from open to close ---- */

struct setup {
    const char *options;
    struct config *config; /* the values point into it */
    struct config_values *values;
};

static void check(const tr_plugin *plugin, struct setup *setup)
{
    struct diags diags;

    diags_init(&diags);
    MUST(config_load_text("fuzz", str_c(setup->options), &diags, &setup->config) == 0);
    MUST(config_check(setup->config->root, NULL, plugin->options, plugin->options_count,
                      plugin->options_stride, &diags, &setup->values) == 0);
    diags_fini(&diags);
}

/* The same few texts come again and again: each is checked once. */
static const struct config_values *values_of(const tr_plugin *plugin, const char *options)
{
    static struct setup known[SETUPS_MAX];
    size_t i = 0;

    while (known[i].options && known[i].options != options)
        MUST(++i < SETUPS_MAX);
    if (!known[i].options) {
        known[i].options = options;
        check(plugin, &known[i]);
    }
    return known[i].values;
}

static void start(const tr_plugin *plugin, const char *options, tr_self **ret_self)
{
    tr_config config = {.values = values_of(plugin, options)};
    char text[256];
    tr_error error = {.size = sizeof(error), .cap = sizeof(text), .buf = text};

    MUST(plugin->open(&host, ret_self, &error) == TR_OK);
    MUST(plugin->configure(*ret_self, &config, &error) == TR_OK);
    MUST(plugin->start(*ret_self, &error) == TR_OK);
}

static void flush(const tr_plugin *plugin, tr_self *self)
{
    int steps = 0;

    while (plugin->flush && plugin->flush(self, INT64_MAX) == TR_PENDING && step())
        MUST(++steps < STEPS_MAX);
}

/* Answers that nobody waits for any more, and timers that never fire. */
static void end(const tr_plugin *plugin, tr_self *self)
{
    while (!list_empty(&now.requests))
        answer(list_entry(now.requests.next, struct request, link));
    plugin->stop(self, 0);
    plugin->close(self);
    while (!list_empty(&now.timers)) {
        struct due *due = list_entry(now.timers.next, struct due, link);
        list_remove(&due->link);
        free(due);
    }
}

struct verdict host_run(const char *options, tr_str input)
{
    const tr_plugin *plugin = tr_plugin_v1();
    tr_outcome outcome = {.size = sizeof(outcome)};
    tr_self *self;
    int steps = 0;

    list_init(&now.requests);
    list_init(&now.timers);
    now.completed = false;
    now.verdict = (struct verdict){.status = TR_PENDING};
    now.input = input;
    start(plugin, options, &self);
    if (plugin->process(self, &the_batch, &outcome) != TR_PENDING)
        take_outcome(&outcome);
    while (!now.completed) {
        MUST(step()); /* else nothing would ever end the batch */
        MUST(++steps < STEPS_MAX);
    }
    now.input.len = 0;
    flush(plugin, self);
    end(plugin, self);
    return now.verdict;
}
