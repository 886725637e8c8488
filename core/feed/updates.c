/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The updates feed: asks where the end is, follows from there, and after whatever ends that
 * goes on behind the last whole row.
 *
 *     start ─▶ ask for now ─▶ read ─▶ live ──┐ clean end: at once
 *                  ▲           ▲──────────────┘
 *                  └─ lost its position ─ backoff ◀── failure
 *
 * The position is asked for, and not `since=now` followed, so that a connection that is lost
 * before its first row loses nothing either. Rows are lines, and few: each is copied together,
 * read where it lies and forgotten. Called by the engine on the loop thread.
 */
#include "feed/updates.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/random.h"
#include "feed/build.h"
#include "feed/changes_request.h"
#include "feed/identity_read.h"

enum {
    BEAT_MAX_MS = 2000, /* CouchDB sends its head with the first heartbeat or row only     */
    FIRST_BYTE_MS = 60000,
    LONG_LIFE_MS = 5000, /* an answer that lasted so long was a good one                    */
    LINE_MAX_BYTES = 64 * 1024,
    REFUSAL_MAX = 4096,
    USELESS_MAX = 3, /* answers in turn that ended at once and brought nothing              */
    ATTEMPT_MAX = 30 /* counted: far beyond any cap of the backoff                       */
};

struct updates {
    struct loop *loop;
    struct http_pool *pool;
    const struct url *server;
    uint32_t heartbeat_ms;
    int64_t retry_min_ms, retry_max_ms;
    const struct updates_events *events;
    void *ctx;

    struct buf position; /* raw JSON; empty: unknown                                       */
    struct buf url;
    struct http_call call;
    struct question *question;
    struct timer timer; /* begins; also to be out of the owner's call                      */
    uint32_t attempt;   /* failures without a good answer between them                     */

    int status; /* of this answer; 0: none yet                                             */
    int64_t answered_ms;
    uint64_t since;  /* hash of the position that it began at                               */
    struct buf text; /* a line that is not whole; or the body of a refusal                 */
    bool closed;     /* its last_seq came                                                  */

    uint32_t inside; /* depth of enter(); the memory goes with the outermost               */
    bool started, freed;
    int state; /* enum updates_state as it was said last, or -1                            */
};

/* ---- to the owner ---- */

static void enter(struct updates *updates)
{
    updates->inside++;
}

static void leave(struct updates *updates)
{
    if (--updates->inside > 0 || !updates->freed)
        return;
    buf_fini(&updates->position);
    buf_fini(&updates->url);
    buf_fini(&updates->text);
    free(updates);
}

/* Only when the state is another one or there is an error to tell. */
static void say(struct updates *updates, enum updates_state state, const struct error *error)
{
    if (updates->freed || (updates->state == (int)state && !error))
        return;
    updates->state = (int)state;
    updates->events->state(updates->ctx, state, error);
}

/* ---- what comes next ---- */

static uint64_t hash_position(const struct updates *updates)
{
    return hash_bytes(updates->position.ptr, updates->position.len);
}

/* The answer that ended brought something, or lasted. Where it led counts, not that rows came:
 * a proxy that answers the same again and again must not be asked without end. */
static bool was_good(const struct updates *updates)
{
    return updates->status == 200 && (hash_position(updates) != updates->since ||
                                      clock_ms() - updates->answered_ms >= LONG_LIFE_MS);
}

static int64_t next_backoff(struct updates *updates)
{
    int64_t wait;

    if (was_good(updates))
        updates->attempt = 0;
    wait = backoff_ms(updates->attempt, updates->retry_min_ms, updates->retry_max_ms);
    if (updates->attempt < ATTEMPT_MAX)
        updates->attempt++;
    return wait;
}

static void fail(struct updates *updates, const struct error *error, int64_t at_least_ms)
{
    int64_t wait = next_backoff(updates);

    loop_set_timer(updates->loop, &updates->timer, wait > at_least_ms ? wait : at_least_ms);
    say(updates, UPDATES_WAITING, error);
}

/* There is none for us: a person may change that, so it is asked now and then. */
static void give_up(struct updates *updates, const struct error *error, int64_t at_least_ms)
{
    bool denied = error->code == ERR_NOPERM;
    int64_t wait = updates->retry_max_ms;
    struct error told = *error;

    if (denied && wait < updates->retry_min_ms * FEED_DENIED_FACTOR)
        wait = updates->retry_min_ms * FEED_DENIED_FACTOR;
    if (denied)
        error_set(&told, error->code, "%s; only a server admin may read it", error->text);
    else if (error->code == ERR_NOINPUT)
        error_set(&told, error->code,
                  "%s; CouchDB has it once it has a database _global_changes", error->text);
    loop_set_timer(updates->loop, &updates->timer, wait > at_least_ms ? wait : at_least_ms);
    say(updates, UPDATES_UNAVAILABLE, &told);
}

/* ---- rows ---- */

static void move_to(struct updates *updates, tr_str seq)
{
    if (!seq_is_known(seq))
        return;
    buf_clear(&updates->position);
    buf_add_str(&updates->position, seq);
}

/* Whatever else a server may call it: something happened there. */
static enum updates_type type_of(tr_str row)
{
    tr_str type = {0};

    json_get(row, STR("type"), &type);
    if (str_eq(type, STR("\"created\"")))
        return UPDATES_CREATED;
    return str_eq(type, STR("\"deleted\"")) ? UPDATES_DELETED : UPDATES_UPDATED;
}

static int junk(struct error *error, const char *what, tr_str line)
{
    struct buf shown = {0};
    int rc;

    json_write_escaped(&shown, str_clip(line, 60));
    rc = error_set(error, ERR_PROTOCOL,
                   "_db_updates: %s instead of a row: %s; is there a CouchDB at this URL?",
                   what, shown.ptr ? shown.ptr : "");
    buf_fini(&shown);
    return rc;
}

static int take_row(struct updates *updates, tr_str row, tr_str name, struct error *error)
{
    struct arena arena;
    tr_str db, seq = {0};
    int rc = 0;

    arena_init(&arena, 512);
    json_get(row, STR("seq"), &seq);
    if (json_decode(name, &arena, &db) && db.len > 0) {
        move_to(updates, seq);
        if (!str_eq(db, STR("_dbs")))
            updates->events->changed(updates->ctx, db, type_of(row));
    } else {
        rc = junk(error, "something without a name", row);
    }
    arena_fini(&arena);
    return rc;
}

static int take_line(struct updates *updates, tr_str line, struct error *error)
{
    tr_str object = body_whole(line, JSON_OBJECT), value;

    if (str_trim(line).len == 0)
        return 0;
    if (json_get(object, STR("db_name"), &value))
        return take_row(updates, object, value, error);
    if (json_get(object, STR("last_seq"), &value)) {
        updates->closed = true;
        move_to(updates, value);
        return 0;
    }
    if (json_get(object, STR("error"), &value))
        return error_set(error, ERR_UNAVAIL, "_db_updates: the server ended it: " STR_FMT,
                         STR_ARG(body_reason(object, "an error without a reason")));
    return junk(error, "something", line);
}

/* What a line begins with is looked at at once: a page of HTML may have no second one. */
static int check_beginning(const struct updates *updates, struct error *error)
{
    tr_str text = str_trim(buf_str(&updates->text));

    if (text.len > 0 && text.ptr[0] != '{')
        return junk(error, "something", text);
    if (updates->text.len > LINE_MAX_BYTES)
        return junk(error, "a line longer than 64 KB", text);
    return 0;
}

static int take_bytes(struct updates *updates, tr_str bytes, struct error *error)
{
    int rc = 0;

    while (rc == 0 && bytes.len > 0 && !updates->freed) {
        size_t line = str_find(bytes, '\n');

        buf_add(&updates->text, bytes.ptr,
                line < LINE_MAX_BYTES + 1 ? line : LINE_MAX_BYTES + 1);
        rc = check_beginning(updates, error);
        if (rc == 0 && line < bytes.len) {
            rc = take_line(updates, buf_str(&updates->text), error);
            buf_clear(&updates->text);
        }
        bytes = str_from(bytes, line + 1);
    }
    return rc;
}

/* ---- the answer ---- */

static void begin(struct updates *updates);

static void on_head(struct http_call *call, int status)
{
    struct updates *updates = list_entry(call, struct updates, call);

    enter(updates);
    updates->status = status;
    updates->answered_ms = clock_ms();
    if (status == 200)
        say(updates, UPDATES_LIVE, NULL);
    leave(updates);
}

static int on_data(struct http_call *call, tr_str bytes)
{
    struct updates *updates = list_entry(call, struct updates, call);
    struct error error = {0};

    enter(updates);
    if (updates->status != 200) {
        size_t room = REFUSAL_MAX - updates->text.len;
        buf_add(&updates->text, bytes.ptr, bytes.len < room ? bytes.len : room);
    } else if (take_bytes(updates, bytes, &error) < 0 && !updates->freed) {
        http_cancel(call);
        fail(updates, &error, 0);
    }
    leave(updates);
    return 0;
}

/* Ended as it should, like every minute at some proxies: on at once, unless it is no use. One
 * that is of no use again and again tells of nothing, and that must be known. */
static void on_closed(struct updates *updates)
{
    struct error error = {0};

    if (was_good(updates)) {
        begin(updates);
    } else if (updates->attempt < USELESS_MAX) {
        loop_set_timer(updates->loop, &updates->timer, next_backoff(updates));
    } else {
        error_set(&error, ERR_UNAVAIL, "_db_updates: the server ends it at once, each time");
        fail(updates, &error, 0);
    }
}

/* Statuses that say that no such feed is to be had here, whenever it is asked for. */
static bool is_unavailable(int status)
{
    return status == 501 || (status >= 400 && status < 500 && status != 408 && status != 429);
}

static void on_failed(struct updates *updates, const struct http_result *result)
{
    struct error error = {0};
    bool denied = result->end == HTTP_UNAUTHORIZED || updates->status == 401 ||
                  updates->status == 403;
    tr_str reason = body_reason(buf_str(&updates->text), result->error);

    if (updates->status == 0 || updates->status == 200)
        error_set(&error, ERR_UNAVAIL, "_db_updates: %s",
                  result->error[0] ? result->error : "the feed ended before its last_seq");
    else
        error_set(&error,
                  denied                   ? ERR_NOPERM
                  : updates->status == 404 ? ERR_NOINPUT
                                           : ERR_UNAVAIL,
                  "_db_updates: the server answered %d " STR_FMT, updates->status,
                  STR_ARG(reason));
    if (updates->status == 400 && updates->position.len > 0) {
        buf_clear(&updates->position); /* of a feed that was made anew since               */
        fail(updates, &error, result->retry_after_ms);
    } else if (denied || result->end == HTTP_REFUSED || is_unavailable(updates->status)) {
        give_up(updates, &error, result->retry_after_ms);
    } else {
        fail(updates, &error, result->retry_after_ms);
    }
}

static void on_done(struct http_call *call, const struct http_result *result)
{
    struct updates *updates = list_entry(call, struct updates, call);

    enter(updates);
    if (result->status > 0)
        updates->status = result->status;
    /* However the transport ended: an answer that is closed is whole. */
    if (updates->closed)
        on_closed(updates);
    else
        on_failed(updates, result);
    leave(updates);
}

/* ---- requests ---- */

static void read_on(struct updates *updates)
{
    uint32_t beat = updates->heartbeat_ms;
    struct buf query = {0};
    struct error error = {0};
    int rc;

    buf_addf(&query, "feed=continuous&heartbeat=%u&since=",
             (unsigned)(beat < BEAT_MAX_MS ? beat : BEAT_MAX_MS));
    changes_write_since(&query, buf_str(&updates->position));
    buf_clear(&updates->url);
    url_join(updates->server, (tr_str){0}, STR("_db_updates"), buf_str(&query), &updates->url);
    buf_fini(&query);
    buf_clear(&updates->text);
    updates->since = hash_position(updates);
    updates->closed = false;
    updates->call = (struct http_call){
        .url = updates->url.ptr,
        .first_byte_ms = beat * 3 > FIRST_BYTE_MS ? beat * 3 : FIRST_BYTE_MS,
        .idle_ms = beat * 3,
        .on_head = on_head,
        .on_data = on_data,
        .on_done = on_done,
    };
    rc = http_start(updates->pool, &updates->call, &error);
    if (rc == ERR_NOPERM || rc == ERR_CONFIG)
        give_up(updates, &error, 0);
    else if (rc < 0)
        fail(updates, &error, 0);
}

static void on_now(void *ctx, enum identity_result result, tr_str text,
                   const struct error *error)
{
    struct updates *updates = ctx;

    updates->question = NULL;
    enter(updates);
    switch (result) {
    case IDENTITY_KNOWN:
        buf_add_str(&updates->position, text);
        read_on(updates);
        break;
    case IDENTITY_GONE:
    case IDENTITY_DENIED: give_up(updates, error, 0); break;
    case IDENTITY_LATER: fail(updates, error, 0); break;
    }
    leave(updates);
}

static void begin(struct updates *updates)
{
    if (updates->state != UPDATES_LIVE)
        say(updates, UPDATES_CONNECTING, NULL);
    if (updates->freed)
        return;
    updates->status = 0;
    if (updates->position.len > 0)
        read_on(updates);
    else
        updates->question = identity_ask_updates_now(updates->loop, updates->pool,
                                                     updates->server, on_now, updates);
}

static void on_timer(struct timer *timer)
{
    struct updates *updates = list_entry(timer, struct updates, timer);

    enter(updates);
    begin(updates);
    leave(updates);
}

/* ---- its life ---- */

struct updates *updates_new(const struct updates_options *options, struct http_pool *pool,
                            const struct url *server)
{
    struct updates *updates = mem_new(struct updates);

    updates->loop = options->loop;
    updates->pool = pool;
    updates->server = server;
    updates->heartbeat_ms = options->heartbeat_ms;
    if (updates->heartbeat_ms == 0 || updates->heartbeat_ms > UINT32_MAX / 3)
        updates->heartbeat_ms = CHANGES_HEARTBEAT_MS;
    updates->retry_min_ms = options->retry_min_ms > 0 ? options->retry_min_ms : 250;
    updates->retry_max_ms = options->retry_max_ms > updates->retry_min_ms
                                ? options->retry_max_ms
                                : updates->retry_min_ms;
    updates->events = options->events;
    updates->ctx = options->ctx;
    updates->timer.fire = on_timer;
    updates->state = -1;
    buf_add_str(&updates->position, options->since);
    return updates;
}

void updates_start(struct updates *updates)
{
    if (updates->started)
        return;
    updates->started = true;
    loop_set_timer(updates->loop, &updates->timer, 0);
}

tr_str updates_position(const struct updates *updates)
{
    return buf_str(&updates->position);
}

void updates_free(struct updates *updates)
{
    if (!updates || updates->freed)
        return;
    enter(updates);
    updates->freed = true;
    http_cancel(&updates->call);
    question_cancel(updates->question);
    updates->question = NULL;
    loop_clear_timer(updates->loop, &updates->timer);
    leave(updates);
}
