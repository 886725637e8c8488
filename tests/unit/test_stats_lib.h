/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the tests of the plugin stats-calculator: an instance of it on a host that keeps state in
 * memory as tr.state/1 promises to: what a batch wrote is taken back when its outcome is not
 * TR_OK, and what was not committed is lost in a crash. It can be made to fail.
 */
#ifndef TEST_STATS_LIB_H
#define TEST_STATS_LIB_H

#include "config/load.h"
#include "plugin/private.h"

#include "../../plugins/stats-calculator/stats.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

const tr_plugin *tr_plugin_v1(void);

/* Options that publish to where nothing can: the tests ask for the page. */
#define FILE_ONLY "publish: { file = \"/nonexistent/stats.json\"; };"

/* Behind the number of a revision. */
#define REV "11111111111111111111111111111111"

/* ---- the state of a stream ---- */

struct pair {
    char *key, *value;
    size_t key_len, value_len;
};

struct store {
    struct pair *pairs; /* in order of their keys                                            */
    size_t count;
};

struct place {
    char name[32], db[32];
    struct store now, before, durable; /* before: the batch under way                         */
};

enum { PLACES_MAX = 8 };

static struct place places[PLACES_MAX];
static unsigned places_count;
static const tr_batch *bench_batch;
static int64_t calls_until_trouble = -1; /* below 0: there is none                           */

static inline void store_clear(struct store *store)
{
    for (size_t i = 0; i < store->count; i++) {
        free(store->pairs[i].key);
        free(store->pairs[i].value);
    }
    free(store->pairs);
    *store = (struct store){0};
}

static inline char *bytes_copy(const char *bytes, size_t len)
{
    char *copy = malloc(len ? len : 1);

    assert_non_null(copy);
    if (len > 0)
        memcpy(copy, bytes, len);
    return copy;
}

static inline void store_copy(struct store *to, const struct store *from)
{
    store_clear(to);
    to->pairs = calloc(from->count + 1, sizeof(struct pair));
    assert_non_null(to->pairs);
    for (; to->count < from->count; to->count++) {
        const struct pair *pair = &from->pairs[to->count];

        to->pairs[to->count] = (struct pair){bytes_copy(pair->key, pair->key_len),
                                             bytes_copy(pair->value, pair->value_len),
                                             pair->key_len, pair->value_len};
    }
}

static inline int compare_keys(const struct pair *pair, tr_str key)
{
    size_t len = pair->key_len < key.len ? pair->key_len : key.len;
    int order = len > 0 ? memcmp(pair->key, key.ptr, len) : 0;

    return order != 0 ? order : (pair->key_len > key.len) - (pair->key_len < key.len);
}

static inline size_t store_find(const struct store *store, tr_str key)
{
    size_t low = 0, high = store->count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (compare_keys(&store->pairs[middle], key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static inline bool store_has(const struct store *store, size_t at, tr_str key)
{
    return at < store->count && compare_keys(&store->pairs[at], key) == 0;
}

static inline struct place *place_find(tr_str name)
{
    for (unsigned i = 0; i < places_count; i++)
        if (tr_str_eq(tr_str_c(places[i].name), name))
            return &places[i];
    return NULL;
}

/* ---- tr.state/1 ---- */

static inline bool is_trouble(void)
{
    return calls_until_trouble >= 0 && calls_until_trouble-- == 0;
}

static tr_status bench_get(const tr_host *host, tr_str stream, tr_str key, tr_str *ret_value)
{
    static char *lent; /* borrowed until the next call: no longer                            */
    struct place *place = place_find(stream);
    size_t at = place ? store_find(&place->now, key) : 0;

    (void)host;
    free(lent);
    lent = NULL;
    if (is_trouble())
        return TR_EAGAIN;
    if (!place || !store_has(&place->now, at, key))
        return TR_ENOENT;
    lent = bytes_copy(place->now.pairs[at].value, place->now.pairs[at].value_len);
    *ret_value = tr_str_n(lent, place->now.pairs[at].value_len);
    return TR_OK;
}

static struct place *place_of_batch(void)
{
    struct place *place = place_find(bench_batch->stream);

    if (place)
        return place;
    assert_true(places_count < PLACES_MAX);
    place = &places[places_count++];
    snprintf(place->name, sizeof(place->name), "%.*s", (int)bench_batch->stream.len,
             bench_batch->stream.ptr);
    snprintf(place->db, sizeof(place->db), "%.*s", (int)bench_batch->db.len,
             bench_batch->db.ptr);
    return place;
}

static tr_status bench_remove(const tr_host *host, tr_ticket ticket, tr_str key)
{
    struct store *store = &place_of_batch()->now;
    size_t at = store_find(store, key);

    (void)host;
    assert_int_equal(ticket, bench_batch->ticket);
    if (is_trouble())
        return TR_EAGAIN;
    if (!store_has(store, at, key))
        return TR_OK;
    free(store->pairs[at].key);
    free(store->pairs[at].value);
    store->count--;
    memmove(store->pairs + at, store->pairs + at + 1,
            (store->count - at) * sizeof(struct pair));
    return TR_OK;
}

static tr_status bench_put(const tr_host *host, tr_ticket ticket, tr_str key, tr_str value)
{
    struct store *store = &place_of_batch()->now;
    size_t at;
    tr_status status;

    assert_true(key.len > 0 && key.len <= TR_STATE_KEY_BYTES);
    status = bench_remove(host, ticket, key);
    if (status != TR_OK)
        return status;
    at = store_find(store, key);
    store->pairs = realloc(store->pairs, (store->count + 1) * sizeof(struct pair));
    assert_non_null(store->pairs);
    memmove(store->pairs + at + 1, store->pairs + at,
            (store->count - at) * sizeof(struct pair));
    store->pairs[at] = (struct pair){bytes_copy(key.ptr, key.len),
                                     bytes_copy(value.ptr, value.len), key.len, value.len};
    store->count++;
    return TR_OK;
}

static tr_status bench_scan(const tr_host *host, tr_str stream, tr_str from, tr_str to,
                            int32_t backwards,
                            int32_t (*each)(void *user, tr_str key, tr_str value), void *user)
{
    const struct place *place = place_find(stream);
    size_t first, end;

    (void)host;
    if (is_trouble())
        return TR_EAGAIN;
    if (!place)
        return TR_OK;
    first = store_find(&place->now, from);
    end = to.len > 0 ? store_find(&place->now, to) : place->now.count;
    for (size_t i = first; i < end; i++) {
        const struct pair *pair = &place->now.pairs[backwards ? end - 1 - (i - first) : i];

        if (!each(user, tr_str_n(pair->key, pair->key_len),
                  tr_str_n(pair->value, pair->value_len)))
            break;
    }
    return TR_OK;
}

static tr_status bench_streams(const tr_host *host,
                               int32_t (*each)(void *user, const tr_state_stream *stream),
                               void *user)
{
    (void)host;
    for (unsigned i = 0; i < places_count; i++) {
        const tr_state_stream stream = {.size = sizeof(stream),
                                        .source = TR_STR("main"),
                                        .db = tr_str_c(places[i].db),
                                        .stream = tr_str_c(places[i].name)};

        if (places[i].now.count > 0 && !each(user, &stream))
            break;
    }
    return TR_OK;
}

static inline void place_clear(struct place *place)
{
    store_clear(&place->now);
    store_clear(&place->before);
    store_clear(&place->durable);
}

static tr_status bench_drop(const tr_host *host, tr_str stream)
{
    struct place *place = place_find(stream);

    (void)host;
    if (is_trouble())
        return TR_EAGAIN;
    if (place)
        place_clear(place);
    return TR_OK;
}

/* ---- the rest of the host ---- */

static char bench_log[1024];
static tr_str bench_answer;

static void bench_host_log(const tr_host *host, int32_t level, tr_str msg)
{
    (void)host;
    (void)level;
    snprintf(bench_log, sizeof(bench_log), "%.*s", (int)msg.len, msg.ptr);
}

static int32_t bench_host_level(const tr_host *host)
{
    (void)host;
    return TR_LOG_INFO;
}

static tr_status bench_host_get(const tr_config *config, const char *path, uint32_t idx,
                                tr_value *value)
{
    return config_values_get(config->values, path, idx, value);
}

static tr_status bench_set_timer(const tr_host *host, uint32_t after_ms,
                                 void (*fire)(void *user), void *user, uint64_t *ret_id)
{
    (void)host, (void)after_ms, (void)fire, (void)user;
    *ret_id = 1;
    return TR_OK;
}

static tr_status bench_cancel_timer(const tr_host *host, uint64_t id)
{
    (void)host, (void)id;
    return TR_OK;
}

static tr_status bench_take_answer(const tr_host *host, uint64_t question, tr_str seq)
{
    static char answer[64];

    (void)host, (void)question;
    snprintf(answer, sizeof(answer), "%.*s", (int)seq.len, seq.ptr ? seq.ptr : "");
    bench_answer = tr_str_c(answer);
    return TR_OK;
}

static const void *bench_host_ext(const tr_host *host, const char *id)
{
    static const tr_state state = {.size = sizeof(state),
                                   .get = bench_get,
                                   .put = bench_put,
                                   .remove = bench_remove,
                                   .scan = bench_scan,
                                   .streams = bench_streams,
                                   .drop = bench_drop};
    static const tr_timer timer = {
        .size = sizeof(timer), .set = bench_set_timer, .cancel = bench_cancel_timer};
    static const tr_position_host position = {.size = sizeof(position),
                                              .answer = bench_take_answer};

    (void)host;
    return strcmp(id, TR_EXT_STATE) == 0      ? (const void *)&state
           : strcmp(id, TR_EXT_TIMER) == 0    ? (const void *)&timer
           : strcmp(id, TR_EXT_POSITION) == 0 ? (const void *)&position
           : strcmp(id, TR_EXT_HTTP) == 0     ? (const void *)ext_http_table()
           : strcmp(id, TR_EXT_JSON) == 0     ? (const void *)ext_json_table()
                                              : NULL;
}

static const tr_host bench_host = {
    .size = sizeof(tr_host),
    .abi_minor = TR_ABI_MINOR,
    .name = "test",
    .version = "0",
    .log = bench_host_log,
    .log_level = bench_host_level,
    .config_get = bench_host_get,
    .get_ext = bench_host_ext,
};

/* ---- an instance ---- */

struct bench {
    struct diags diags;
    struct config *config;
    tr_config options;
    tr_self *self;
    char error[512];
};

/* The options as in a rule. TR_EINVAL: they are refused, and bench->error says why. */
static inline tr_status bench_check(struct bench *bench, const char *options)
{
    tr_error error = {sizeof(error), sizeof(bench->error), bench->error};
    struct config_values *values = NULL;
    struct buf text = {0};
    int rc;

    *bench = (struct bench){0};
    diags_init(&bench->diags);
    buf_addf(&text, "options: { %s };", options);
    assert_int_equal(config_load_text("test", buf_str(&text), &bench->diags, &bench->config),
                     0);
    buf_clear(&text);
    rc = config_check(bench->config->root, "options", stats_options, OPTIONS_COUNT, 0,
                      &bench->diags, &values);
    bench->options.values = values;
    diags_print(&bench->diags, &text);
    snprintf(bench->error, sizeof(bench->error), "%.*s", (int)text.len, text.ptr);
    buf_fini(&text);
    return rc < 0 ? TR_EINVAL : tr_plugin_v1()->check(&bench_host, &bench->options, &error);
}

static inline void bench_open(struct bench *bench, const char *options)
{
    const tr_plugin *plugin = tr_plugin_v1();
    tr_error error = {sizeof(error), sizeof(bench->error), bench->error};

    if (bench_check(bench, options) != TR_OK ||
        plugin->open(&bench_host, &bench->self, &error) != TR_OK ||
        plugin->configure(bench->self, &bench->options, &error) != TR_OK ||
        plugin->start(bench->self, &error) != TR_OK)
        fail_msg("%s", bench->error);
}

static inline void bench_close(struct bench *bench)
{
    if (bench->self) {
        assert_int_equal(tr_plugin_v1()->stop(bench->self, 0), TR_OK);
        tr_plugin_v1()->close(bench->self);
    }
    config_values_free((struct config_values *)(uintptr_t)bench->options.values);
    config_free(bench->config);
    diags_fini(&bench->diags);
}

/* Forgets all state. */
static inline void bench_forget(void)
{
    for (unsigned i = 0; i < places_count; i++)
        place_clear(&places[i]);
    places_count = 0;
    calls_until_trouble = -1;
}

/* What a crash leaves. */
static inline void bench_crash(void)
{
    for (unsigned i = 0; i < places_count; i++)
        store_copy(&places[i].now, &places[i].durable);
}

static inline void bench_commit(void)
{
    for (unsigned i = 0; i < places_count; i++)
        store_copy(&places[i].durable, &places[i].now);
}

/* A document of the stream: `doc` NULL is a deletion. */
struct update {
    const char *id, *rev, *doc;
};

static inline tr_status bench_send(struct bench *bench, const char *stream, const char *db,
                                   const struct update *updates, uint32_t count, uint32_t flags)
{
    static tr_ticket ticket;
    tr_change *changes = calloc(count, sizeof(*changes));
    tr_outcome outcome = {.size = sizeof(outcome)};
    const tr_batch batch = {.size = sizeof(batch),
                            .flags = flags,
                            .ticket = ++ticket,
                            .source = TR_STR("main"),
                            .db = tr_str_c(db),
                            .rule = TR_STR("rule"),
                            .changes = changes,
                            .count = count,
                            .stride = sizeof(*changes),
                            .stream = tr_str_c(stream)};

    for (uint32_t i = 0; i < count; i++)
        changes[i] = (tr_change){.id = tr_str_c(updates[i].id),
                                 .rev = tr_str_c(updates[i].rev),
                                 .doc = tr_str_c(updates[i].doc),
                                 .flags = updates[i].doc ? TR_CHANGE_HAS_DOC
                                                         : TR_CHANGE_DELETED};
    bench_batch = &batch;
    for (unsigned i = 0; i < places_count; i++)
        store_copy(&places[i].before, &places[i].now);
    if (tr_plugin_v1()->process(bench->self, &batch, &outcome) != TR_OK)
        for (unsigned i = 0; i < places_count; i++)
            store_copy(&places[i].now, &places[i].before);
    free(changes);
    return outcome.status;
}

/* What would be published; all of it is made anew. */
static inline const char *bench_page(struct bench *bench)
{
    for (uint32_t i = 0; i < bench->self->totals.room; i++)
        for (struct link *link = bench->self->totals.slots[i]; link; link = link->next)
            ((struct total *)(void *)link)->is_fresh = false;
    assert_true(page_make(bench->self));
    return tr_text_end(&bench->self->publisher.page);
}

#endif
