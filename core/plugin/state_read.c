/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading what an instance keeps: from its epochs, and below them from the store. On the
 * worker.
 *
 * A snapshot of the store is opened with the first look into it and kept until process()
 * returns: to open one costs more than the look. What becomes durable meanwhile stays among the
 * epochs until it is closed.
 */
#include "base/mem.h"
#include "observe/log.h"
#include "plugin/state_private.h"

/* ---- snapshots ---- */

static tr_status failed(const struct state *state, const struct error *error)
{
    log_error("what a plugin keeps cannot be read: it is told so",
              LOG_C("rule", state->binding), LOG_C("error", error->text));
    return TR_EAGAIN;
}

static bool add_scope(void *context, const struct store_scope *scope)
{
    struct state *state = context;

    pthread_mutex_lock(&state->lock);
    state_stream_add(state, scope);
    pthread_mutex_unlock(&state->lock);
    return true;
}

/* From then on the operations of commits tell. */
int state_load(struct state *state, struct error *error)
{
    struct store_reader *reader;
    int rc = store_reader_take(state->store, &reader, error);

    if (rc < 0)
        return rc;
    rc = store_reader_scopes(reader, str_c(state->binding), add_scope, state, error);
    store_reader_give(state->store, reader);
    return rc;
}

static void set_snapshot(struct state *state, bool is_open)
{
    pthread_mutex_lock(&state->lock);
    state->snapshot = is_open;
    pthread_mutex_unlock(&state->lock);
}

static void close_snapshot(struct state *state)
{
    if (!state->snapshot)
        return;
    store_reader_give(state->store, state->reader);
    state->reader = NULL;
    set_snapshot(state, false);
    state_forget_done(state);
}

static tr_status open_snapshot(struct state *state)
{
    struct error error;
    int rc;

    if (state->snapshot)
        return TR_OK;
    rc = store_reader_take(state->store, &state->reader, &error);
    if (rc < 0)
        return failed(state, &error);
    set_snapshot(state, true);
    rc = store_reader_begin(state->reader, &error);
    if (rc == 0)
        return TR_OK;
    close_snapshot(state);
    return failed(state, &error);
}

/* Between callbacks that are no batch nothing is kept open. */
static void end_look(struct state *state)
{
    if (state->batches == 0)
        close_snapshot(state);
}

void state_batch_begin(struct state *state)
{
    state->batches++;
}

void state_batch_end(struct state *state)
{
    state->batches--;
    end_look(state);
}

/* ---- get ---- */

static tr_status give(struct state *state, tr_str value, tr_str *ret_value)
{
    buf_clear(&state->value);
    buf_add_str(&state->value, value);
    *ret_value = buf_str(&state->value);
    return TR_OK;
}

/* What the epochs say; TR_EAGAIN: nothing, the store counts and has `*ret_scope`. */
static tr_status look_up(struct state *state, tr_str name, tr_str key, uint64_t hash,
                         tr_str *ret_value, int64_t *ret_scope)
{
    const struct state_write *write = NULL;
    const struct state_stream *stream;
    tr_status status = TR_EAGAIN;
    bool may_know;

    pthread_mutex_lock(&state->lock);
    stream = state_stream_find(state, name);
    /* First, since most keys are new, and a look into each epoch costs more than this. */
    may_know = stream && state_stream_may_know(state, stream, hash);
    if (may_know)
        write = state_stream_top(stream, key, hash);
    if (write)
        status = write->removed ? TR_ENOENT : give(state, state_write_str(write), ret_value);
    else if (!may_know || stream->entries == 0)
        status = TR_ENOENT;
    else
        *ret_scope = stream->scope;
    state->seen.stream = write ? NULL : stream;
    state->seen.hash = hash;
    state->seen.was = STORE_STATE_ABSENT;
    pthread_mutex_unlock(&state->lock);
    return status;
}

static tr_status get_stored(struct state *state, int64_t scope, tr_str key, tr_str *ret_value)
{
    struct error error;
    bool found = false;
    tr_str value;
    int rc;

    if (open_snapshot(state) != TR_OK)
        return TR_EAGAIN;
    rc = store_reader_get(state->reader, scope, key, &value, &found, &error);
    if (rc < 0)
        return failed(state, &error);
    if (!found)
        return TR_ENOENT;
    state->seen.was = (int64_t)value.len;
    return give(state, value, ret_value);
}

tr_status state_get(struct state *state, tr_str stream, tr_str key, tr_str *ret_value)
{
    int64_t scope = 0;
    tr_status status = look_up(state, stream, key, hash_bytes(key.ptr, key.len), ret_value,
                               &scope);

    if (status != TR_EAGAIN)
        return status;
    status = get_stored(state, scope, key, ret_value);
    if (status == TR_EAGAIN)
        state->seen.stream = NULL;
    end_look(state);
    return status;
}

/* ---- scan ---- */

/* A write that a scan may show. */
struct shown {
    tr_str key, value;
    uint32_t age; /* 0: of the newest epoch                                                */
    bool removed;
};

struct shown_list {
    struct arena arena;
    struct shown *items;
    size_t count, room;
};

static bool is_between(tr_str key, tr_str from, tr_str to)
{
    return str_cmp(key, from) >= 0 && (to.len == 0 || str_cmp(key, to) < 0);
}

static void show(struct shown_list *list, const struct state_key *key, uint32_t age)
{
    if (list->count == list->room) {
        list->room = list->room ? list->room * 2 : 64;
        list->items = mem_resize(list->items, list->room * sizeof(*list->items));
    }
    list->items[list->count++] = (struct shown){
        .key = arena_str(&list->arena, state_key_str(key)),
        .value = arena_str(&list->arena, state_write_str(key->top)),
        .age = age,
        .removed = key->top->removed,
    };
}

/* Copies: nobody waits for the lock while the plugin looks at them. */
static void collect(const struct state_stream *stream, tr_str from, tr_str to,
                    struct shown_list *list)
{
    uint32_t age = 0;

    for (const struct state_epoch *it = stream->epochs; it; it = it->older, age++)
        for (const struct state_key *key = it->table.first; key; key = key->next)
            if (key->top && !it->hidden && is_between(state_key_str(key), from, to))
                show(list, key, age);
}

static int by_key_and_age(const void *a, const void *b)
{
    const struct shown *one = a, *other = b;
    int order = str_cmp(one->key, other->key);

    return order != 0 ? order : (one->age > other->age) - (one->age < other->age);
}

static void reverse(struct shown_list *list)
{
    for (size_t i = 0, k = list->count; i + 1 < k; i++) {
        struct shown item = list->items[i];
        list->items[i] = list->items[--k];
        list->items[k] = item;
    }
}

/* In the order of the scan, each key once. */
static void put_in_order(struct shown_list *list, bool backwards)
{
    size_t kept = 0;

    if (list->count > 1)
        qsort(list->items, list->count, sizeof(*list->items), by_key_and_age);
    for (size_t i = 0; i < list->count; i++)
        if (kept == 0 || !str_eq(list->items[kept - 1].key, list->items[i].key))
            list->items[kept++] = list->items[i];
    list->count = kept;
    if (backwards)
        reverse(list);
}

/* Both in one order: what was written stands over what is stored. */
struct merge {
    const struct shown_list *list;
    size_t at;
    struct store_reader *reader; /* NULL: nothing is stored                                */
    bool more, backwards;        /* of the store: key and value are there                  */
    tr_str key, value;
};

static int merge_step(struct merge *merge, struct error *error)
{
    if (!merge->reader)
        return 0;
    return store_reader_next(merge->reader, &merge->key, &merge->value, &merge->more, error);
}

/* Below 0: what was written comes first; 0: both have the key. */
static int merge_compare(const struct merge *merge)
{
    int order;

    if (merge->at == merge->list->count)
        return 1;
    if (!merge->more)
        return -1;
    order = str_cmp(merge->list->items[merge->at].key, merge->key);
    return merge->backwards ? -order : order;
}

static int merge_run(struct merge *merge, int32_t (*each)(void *user, tr_str key, tr_str value),
                     void *user, struct error *error)
{
    int rc = merge_step(merge, error);
    bool goes_on = true;

    while (rc == 0 && goes_on && (merge->more || merge->at < merge->list->count)) {
        int order = merge_compare(merge);
        if (order <= 0) {
            const struct shown *item = &merge->list->items[merge->at++];
            goes_on = item->removed || each(user, item->key, item->value) != 0;
        } else {
            goes_on = each(user, merge->key, merge->value) != 0;
        }
        if (order >= 0)
            rc = merge_step(merge, error);
    }
    return rc;
}

static tr_status run_scan(struct state *state, struct merge *merge, int64_t scope, tr_str from,
                          tr_str to, int32_t (*each)(void *user, tr_str key, tr_str value),
                          void *user)
{
    struct error error;
    int rc = 0;

    if (scope != 0) {
        merge->reader = state->reader;
        rc = store_reader_walk(state->reader, scope, from, to, merge->backwards, &error);
    }
    if (rc == 0)
        rc = merge_run(merge, each, user, &error);
    store_reader_walked(state->reader);
    return rc == 0 ? TR_OK : failed(state, &error);
}

tr_status state_scan(struct state *state, tr_str name, tr_str from, tr_str to, bool backwards,
                     int32_t (*each)(void *user, tr_str key, tr_str value), void *user)
{
    struct shown_list list = {.count = 0};
    struct merge merge = {.list = &list, .backwards = backwards};
    const struct state_stream *stream;
    int64_t scope = 0;
    tr_status status = open_snapshot(state);

    if (status != TR_OK)
        return status;
    arena_init(&list.arena, 4096);
    pthread_mutex_lock(&state->lock);
    stream = state_stream_find(state, name);
    if (stream) {
        scope = stream->scope;
        collect(stream, from, to, &list);
    }
    pthread_mutex_unlock(&state->lock);
    put_in_order(&list, backwards);
    status = run_scan(state, &merge, scope, from, to, each, user);
    end_look(state);
    free(list.items);
    arena_fini(&list.arena);
    return status;
}

/* ---- streams, usage ---- */

static bool has_state(const struct state_stream *stream)
{
    int64_t entries = stream->entries;

    for (const struct state_epoch *it = stream->epochs; it; it = it->older)
        entries += it->done ? 0 : it->table.more_entries;
    return entries > 0;
}

void state_streams(struct state *state,
                   int32_t (*each)(void *user, const tr_state_stream *stream), void *user)
{
    tr_state_stream *streams;
    size_t count = 0, cursor = 0;
    void *value;

    pthread_mutex_lock(&state->lock);
    streams = mem_new_array(tr_state_stream, state->streams.count + 1);
    while (map_next(&state->streams, &cursor, NULL, &value)) {
        const struct state_stream *it = value; /* its names stay as long as the instance    */
        if (has_state(it))
            streams[count++] = (tr_state_stream){.size = sizeof(*streams),
                                                 .source = str_c(it->source),
                                                 .db = str_c(it->db),
                                                 .stream = str_c(it->key)};
    }
    pthread_mutex_unlock(&state->lock);
    for (size_t i = 0; i < count && each(user, &streams[i]) != 0; i++)
        continue;
    free(streams);
}

void state_usage(struct state *state, tr_state_usage *usage)
{
    pthread_mutex_lock(&state->lock);
    usage->entries = (uint64_t)(state->entries + state->more_entries);
    usage->bytes = (uint64_t)(state->bytes + state->more_bytes);
    usage->bytes_max = state->bytes_max;
    pthread_mutex_unlock(&state->lock);
}
