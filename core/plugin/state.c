/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Epochs: from the first batch of a span to the store. The loop; state.h says how they fit
 * together.
 */
#include "plugin/state.h"

#include "base/mem.h"
#include "plugin/state_private.h"

/* ---- making and ending ---- */

struct state *state_new(struct instance *instance, struct store *store, const char *binding,
                        uint64_t bytes_max)
{
    struct state *state = mem_new(struct state);

    state->instance = instance;
    state->store = store;
    state->binding = binding;
    state->bytes_max = bytes_max;
    pthread_mutex_init(&state->lock, NULL);
    return state;
}

static void free_epoch(struct state_epoch *epoch)
{
    state_table_fini(&epoch->table);
    free(epoch->entries);
    free(epoch);
}

static void free_stream(struct state_stream *stream)
{
    while (stream->epochs) {
        struct state_epoch *epoch = stream->epochs;
        stream->epochs = epoch->older;
        free_epoch(epoch);
    }
    free(stream->key);
    free(stream->source);
    free(stream->db);
    free(stream);
}

void state_free(struct state *state)
{
    size_t cursor = 0;
    void *stream;

    if (!state)
        return;
    store_reader_give(state->store, state->reader);
    while (map_next(&state->streams, &cursor, NULL, &stream))
        free_stream(stream);
    map_fini(&state->streams);
    state_filter_fini(&state->filter);
    buf_fini(&state->value);
    pthread_mutex_destroy(&state->lock);
    free(state);
}

/* ---- streams ---- */

struct state_stream *state_stream_find(struct state *state, tr_str stream)
{
    return map_get(&state->streams, stream);
}

static struct state_stream *open_stream(struct state *state, tr_str key, tr_str source,
                                        tr_str db)
{
    struct state_stream *stream = map_get(&state->streams, key);

    if (stream)
        return stream;
    stream = mem_new(struct state_stream);
    stream->key = str_dup(key);
    stream->source = str_dup(source);
    stream->db = str_dup(db);
    stream->filtered = true;
    stream->salt = hash_bytes(key.ptr, key.len);
    map_set(&state->streams, key, stream);
    return stream;
}

bool state_stream_may_know(const struct state *state, const struct state_stream *stream,
                           uint64_t hash)
{
    return !stream->filtered || state_filter_may_have(&state->filter, hash ^ stream->salt);
}

const struct state_key *state_epoch_find(const struct state_epoch *epoch, tr_str key,
                                         uint64_t hash)
{
    const struct state_key *found = state_table_find(&epoch->table, key, hash);

    return found && found->top && !epoch->hidden ? found : NULL;
}

const struct state_write *state_stream_top(const struct state_stream *stream, tr_str key,
                                           uint64_t hash)
{
    for (const struct state_epoch *it = stream->epochs; it; it = it->older) {
        const struct state_key *found = state_epoch_find(it, key, hash);
        if (found)
            return found->top;
    }
    return NULL;
}

/* ---- epochs, on the loop ---- */

struct state_epoch *state_epoch_new(struct state *state, tr_str stream, tr_str source,
                                    tr_str db)
{
    struct state_epoch *epoch = mem_new(struct state_epoch);

    epoch->state = state;
    state_table_init(&epoch->table);
    pthread_mutex_lock(&state->lock);
    epoch->stream = open_stream(state, stream, source, db);
    epoch->older = epoch->stream->epochs;
    epoch->stream->epochs = epoch;
    epoch->rolled_back = epoch->stream->rolled_back;
    epoch->stream->rolled_back = false;
    pthread_mutex_unlock(&state->lock);
    return epoch;
}

bool state_epoch_is_rolled_back(const struct state_epoch *epoch)
{
    return epoch->rolled_back;
}

static void list_entries(struct state_epoch *epoch)
{
    const struct state_table *table = &epoch->table;

    epoch->entries = mem_new_array(struct store_state_entry, table->count);
    for (const struct state_key *key = table->first; key; key = key->next) {
        if (!key->top || (key->top->removed && key->was == STORE_STATE_ABSENT))
            continue;
        epoch->entries[epoch->entries_count++] = (struct store_state_entry){
            .key = state_key_str(key),
            .value = state_write_str(key->top),
            .was = key->was,
            .removed = key->top->removed,
        };
    }
}

bool state_epoch_freeze(struct state_epoch *epoch, struct store_op *op)
{
    struct state *state = epoch->state;
    const struct state_stream *stream = epoch->stream;

    if (epoch->table.count == 0)
        return false;
    pthread_mutex_lock(&state->lock);
    epoch->frozen = true;
    if (!epoch->entries)
        list_entries(epoch);
    pthread_mutex_unlock(&state->lock);
    if (epoch->entries_count == 0)
        return false;
    op->kind = STORE_PUT_STATE;
    op->state = (struct store_state){
        .stream = str_c(stream->key),
        .source = str_c(stream->source),
        .db = str_c(stream->db),
        .entries = epoch->entries,
        .count = epoch->entries_count,
    };
    return true;
}

/* Under the lock. */
static void unlink_epoch(struct state_epoch *epoch)
{
    struct state_epoch **at = &epoch->stream->epochs;

    while (*at != epoch)
        at = &(*at)->older;
    *at = epoch->older;
}

/* Under the lock: it counts no more among what the store does not have. */
static void discount(struct state_epoch *epoch)
{
    struct state *state = epoch->state;

    state->more_entries -= epoch->table.more_entries;
    state->more_bytes -= epoch->table.more_bytes;
    state->memory -= epoch->table.memory;
}

void state_epoch_done(struct state_epoch *epoch, const struct store_op *op)
{
    struct state *state = epoch->state;
    bool needed;

    pthread_mutex_lock(&state->lock);
    discount(epoch);
    if (op) {
        epoch->stream->scope = op->state.scope;
        epoch->stream->entries += op->state.more_entries;
        epoch->stream->bytes += op->state.more_bytes;
        state->entries += op->state.more_entries;
        state->bytes += op->state.more_bytes;
    }
    epoch->done = true;
    needed = op && state->snapshot;
    if (needed)
        state->done++;
    else
        unlink_epoch(epoch);
    pthread_mutex_unlock(&state->lock);
    if (!needed)
        free_epoch(epoch);
}

/* Under the lock: nobody reads what it has any more. */
static void roll_back(struct state_epoch *epoch)
{
    if (!epoch->hidden && (epoch->table.count > 0 || epoch->rolled_back))
        epoch->stream->rolled_back = true;
    epoch->hidden = true;
}

void state_epoch_hide(struct state_epoch *epoch)
{
    if (!epoch)
        return;
    pthread_mutex_lock(&epoch->state->lock);
    roll_back(epoch);
    pthread_mutex_unlock(&epoch->state->lock);
}

void state_epoch_drop(struct state_epoch *epoch)
{
    if (!epoch)
        return;
    pthread_mutex_lock(&epoch->state->lock);
    roll_back(epoch);
    discount(epoch);
    unlink_epoch(epoch);
    pthread_mutex_unlock(&epoch->state->lock);
    free_epoch(epoch);
}

size_t state_memory(struct state *state)
{
    size_t memory;

    pthread_mutex_lock(&state->lock);
    memory = state->memory;
    pthread_mutex_unlock(&state->lock);
    return memory;
}

/* ---- for state_read.c and state_drop.c ---- */

void state_stream_forget_done(struct state_stream *stream)
{
    struct state_epoch **at = &stream->epochs;

    while (*at) {
        struct state_epoch *epoch = *at;
        if (!epoch->done) {
            at = &epoch->older;
            continue;
        }
        *at = epoch->older;
        epoch->state->done--;
        free_epoch(epoch);
    }
}

void state_forget_done(struct state *state)
{
    size_t cursor = 0;
    void *stream;

    pthread_mutex_lock(&state->lock);
    while (state->done > 0 && map_next(&state->streams, &cursor, NULL, &stream))
        state_stream_forget_done(stream);
    pthread_mutex_unlock(&state->lock);
}

void state_stream_add(struct state *state, const struct store_scope *scope)
{
    struct state_stream *stream = open_stream(state, scope->stream, scope->source, scope->db);

    stream->scope = scope->id;
    stream->filtered = scope->entries == 0;
    stream->entries = scope->entries;
    stream->bytes = scope->bytes;
    state->entries += scope->entries;
    state->bytes += scope->bytes;
}
