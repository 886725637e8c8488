/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of the updates feed share: a scripted server of `_db_updates`, and an owner
 * that writes down what it is told.
 */
#ifndef TEST_FEED_UPDATES_LIB_H
#define TEST_FEED_UPDATES_LIB_H

#include "base/clock.h"
#include "feed/updates.h"

#include "test_feed_ends.h"

#define ROW(name, type, seq)                                                                   \
    "{\"db_name\":\"" name "\",\"type\":\"" type "\",\"seq\":\"" seq "\"}\n"

struct fixture {
    struct ends ends;
    struct updates *updates;

    /* The server. */
    int refuse; /* this many continuous requests, with `status` and `body`             */
    int now_status;
    int status;
    const char *body;
    const char *live;    /* what a continuous feed begins with                              */
    size_t live_len;     /* of it; 0: all                                                   */
    enum then live_then; /* what comes behind it                                            */
    int asked_now, asked_live;

    /* The owner. */
    struct buf log; /* "+name ", "=name ", "-name ", "(state) "                           */
    struct error error;
    int64_t retry_min_ms, retry_max_ms;
    bool free_in_changed, free_in_state;
};

static enum then answer_live(struct fixture *f, struct buf *out)
{
    size_t len = f->live_len ? f->live_len : strlen(f->live);

    begin_chunks(out);
    if (len > 0) {
        buf_addf(out, "%zx\r\n", len);
        buf_add(out, f->live, len);
        buf_add_c(out, "\r\n");
    }
    if (f->live_then == THEN_KEEP)
        end_chunks(out);
    return f->live_then;
}

static enum then serve(struct server *server, const char *method, const char *path,
                       struct buf *out)
{
    struct fixture *f = server->ctx;

    assert_string_equal(method, "GET");
    assert_int_equal(strncmp(path, "/_db_updates?", 13), 0);
    if (!strstr(path, "feed=continuous")) {
        f->asked_now++;
        return f->now_status == 200
                   ? answer(out, 200, "", "{\"results\":[\n\n],\n\"last_seq\":\"9-now\"}\n\n")
                   : answer(out, f->now_status, "", f->body);
    }
    f->asked_live++;
    if (f->refuse > 0) {
        f->refuse--;
        return answer(out, f->status, "", f->body);
    }
    return answer_live(f, out);
}

static void on_changed(void *ctx, tr_str db, enum updates_type type)
{
    struct fixture *f = ctx;

    buf_addf(&f->log, "%c" STR_FMT " ", "+=-"[type], STR_ARG(db));
    if (f->free_in_changed) {
        updates_free(f->updates);
        f->updates = NULL;
        buf_addf(&f->log, "freed" STR_FMT " ", STR_ARG(db));
    }
}

static void on_state(void *ctx, enum updates_state state, const struct error *error)
{
    struct fixture *f = ctx;
    static const char *const names[] = {"connecting", "live", "waiting", "unavailable"};

    assert_int_equal(error != NULL, state == UPDATES_WAITING || state == UPDATES_UNAVAILABLE);
    buf_addf(&f->log, "(%s) ", names[state]);
    if (error)
        f->error = *error;
    if (f->free_in_state) {
        updates_free(f->updates);
        f->updates = NULL;
    }
}

static const struct updates_events events = {on_changed, on_state};

static int set_up(void **state)
{
    struct fixture *f = mem_new(struct fixture);

    ends_open(&f->ends, serve, f);
    f->retry_min_ms = 1;
    f->retry_max_ms = 20;
    f->now_status = 200;
    f->body = "{\"error\":\"x\",\"reason\":\"because\"}";
    f->live = "";
    f->live_then = THEN_STAY;
    buf_add_c(&f->log, "");
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    updates_free(f->updates);
    ends_close(&f->ends);
    buf_fini(&f->log);
    free(f);
    return 0;
}

static inline void start(struct fixture *f, const char *since, uint32_t heartbeat_ms)
{
    struct updates_options options = {
        .loop = f->ends.loop,
        .since = str_c(since),
        .heartbeat_ms = heartbeat_ms,
        .retry_min_ms = f->retry_min_ms,
        .retry_max_ms = f->retry_max_ms,
        .events = &events,
        .ctx = f,
    };

    f->updates = updates_new(&options, f->ends.pool, &f->ends.url);
    updates_start(f->updates);
}

static inline void stop(struct fixture *f)
{
    updates_free(f->updates);
    f->updates = NULL;
}

#define until(f, condition)                                                                    \
    do {                                                                                       \
        int64_t until_ = clock_ms() + 20000;                                                   \
        while (!(condition)) {                                                                 \
            if (clock_ms() > until_)                                                           \
                fail_msg("%s did not come; log: %s; error: %s; requests: %s", #condition,      \
                         (f)->log.ptr, (f)->error.text, (f)->ends.server.log.ptr);             \
            loop_turn((f)->ends.loop, 20);                                                     \
        }                                                                                      \
    } while (0)

static inline bool saw(const struct fixture *f, const char *text)
{
    return strstr(f->log.ptr, text) != NULL;
}

static inline void assert_position(const struct fixture *f, const char *seq)
{
    tr_str position = updates_position(f->updates);

    if (!str_eq(position, str_c(seq)))
        fail_msg("position is " STR_FMT ", not %s", STR_ARG(position), seq);
}

static inline void idle(struct fixture *f)
{
    for (int i = 0; i < 20; i++)
        loop_turn(f->ends.loop, 5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
