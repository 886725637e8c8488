/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The changes feed: pages until it has caught up, then the continuous feed, and after whatever
 * ends that, the question whether the database is still the same one, and on.
 *
 *     start ─▶ page ─▶ page ─▶ … ─▶ caught up ─▶ ONCE: ended
 *              ▲ ▲                      └──────▶ FOLLOW: live ──┐ clean end
 *              │ └────────────── busy ◀──────────────┘          │
 *              └──── same ── identity ◀── backoff ◀── failure ──┘
 *
 * Pages bring a backlog cheaply (seq_interval) and in bounded answers; the continuous feed
 * brings what happens now at once. While more happens than anybody waits for row by row, as
 * when a loader fills the database, there are pages too, and if possible read apart (apart.h):
 * who follows needs as much of a busy server as those who write. After a failure
 * it begins with pages again, since nobody knows how much was missed. Where it goes on is
 * always the frame's position. Called through feed.c by the engine, on the loop thread.
 */
#include "feed/apart.h"
#include "feed/changes_request.h"
#include "feed/frame.h"
#include "feed/identity.h"
#include "feed/private.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/mem.h"
#include "base/random.h"
#include "json/value.h"

#include <stdio.h>

enum {
    LONG_LIFE_MS = 5000,  /* a live feed that ended cleanly after that did nothing wrong    */
    BUSY_ROWS = 250,      /* of a live feed, within …                                       */
    BUSY_MS = 250,        /* … are so many that pages are better                            */
    BUSY_PAGE_MS = 100,   /* between two at the end, so that each has some                  */
    CALM_PAGE_ROWS = 50,  /* a page with fewer ends it                                      */
    APART_FAILED_MAX = 5, /* counted: 63 pages                                              */
    REFUSAL_MAX = 4096,   /* of the body that explains a refusal                            */
    ATTEMPT_MAX = 30      /* counted: far beyond any cap of the backoff                     */
};

enum next { NEXT_READ, NEXT_ASK };

struct changes {
    struct feed feed; /* first: a feed is a changes feed by its kind                       */
    struct feed_query query;
    struct http_pool *pool;
    const struct url *server;
    tr_str db, incarnation;

    struct frame frame;
    struct changes_request request;
    struct http_call call;
    struct question *question;
    struct timer timer;    /* does `next`: a backoff, or to be out of the owner's call        */
    struct timer delivery; /* set: rows wait for more that was read with them              */
    enum next next;
    bool stalled; /* `next` fell due while paused: resume does it                          */

    bool live; /* the continuous feed is read, or is what comes next                       */
    bool busy; /* it was, and so much came that pages are read now                         */
    struct apart *apart;   /* where the pages come from then; NULL: they have documents    */
    uint32_t apart_in;     /* pages until that is tried (again); 0: it is not              */
    uint32_t apart_failed; /* in a row: each time it is tried after twice as many          */
    uint32_t burst; /* rows of the live feed, since …                                      */
    int64_t burst_ms;
    bool begun; /* an answer is read, apart: its end was not given yet                      */
    bool told;  /* the position of this answer's closing was told                           */
    int status;
    int64_t answered_ms;
    struct buf refusal;   /* body of an answer that is not 200                            */
    uint32_t attempt;     /* failures without a row between them                          */
    struct error missing; /* a 404 while a filter was named: whose it is, identity tells  */
};

static struct changes *changes_of(struct feed *feed)
{
    return (struct changes *)(void *)feed;
}

static void start_reading(struct changes *changes);
static void ask_identity(struct changes *changes);
static void on_closed(struct changes *changes);

/* ---- what comes next ---- */

static void do_next(struct changes *changes)
{
    changes->stalled = changes->feed.paused;
    if (changes->stalled)
        return;
    if (changes->next == NEXT_READ)
        start_reading(changes);
    else
        ask_identity(changes);
}

static void on_timer(struct timer *timer)
{
    struct changes *changes = list_entry(timer, struct changes, timer);

    feed_enter(&changes->feed);
    do_next(changes);
    feed_leave(&changes->feed);
}

static void schedule(struct changes *changes, enum next next, int64_t after_ms)
{
    changes->next = next;
    changes->stalled = false;
    loop_set_timer(changes->feed.loop, &changes->timer, after_ms);
}

static void end_apart(struct changes *changes)
{
    apart_free(changes->apart);
    changes->apart = NULL;
    changes->apart_in = 0;
}

/* Waits, asks whether the database is still there, and goes on with pages. */
static void fail(struct changes *changes, enum feed_state state, const struct error *error,
                 int64_t at_least_ms)
{
    struct feed *feed = &changes->feed;
    int64_t base = feed->retry_min_ms * (state == FEED_DENIED ? FEED_DENIED_FACTOR : 1);
    int64_t wait = backoff_ms(changes->attempt, base, feed->retry_max_ms);

    if (changes->attempt < ATTEMPT_MAX)
        changes->attempt++;
    changes->live = changes->busy = false;
    end_apart(changes);
    schedule(changes, NEXT_ASK, wait > at_least_ms ? wait : at_least_ms);
    feed_say_state(feed, state, error);
}

/* ---- identity ---- */

static bool is_replaced(const struct changes *changes, tr_str incarnation)
{
    return changes->incarnation.len > 0 && !str_eq(changes->incarnation, incarnation);
}

static void on_known(struct changes *changes, tr_str incarnation)
{
    struct error error = {0};

    if (is_replaced(changes, incarnation)) {
        error_set(&error, ERR_NOINPUT, "database \"" STR_FMT "\" was deleted and created again",
                  STR_ARG(changes->db));
        feed_say_end(&changes->feed, FEED_REPLACED, &error);
    } else if (changes->missing.code != 0) {
        feed_say_end(&changes->feed, FEED_REFUSED, &changes->missing);
    } else {
        changes->next = NEXT_READ;
        do_next(changes);
    }
}

static void on_identity(void *ctx, enum identity_result result, tr_str text,
                        const struct error *error)
{
    struct changes *changes = ctx;

    changes->question = NULL;
    feed_enter(&changes->feed);
    switch (result) {
    case IDENTITY_KNOWN: on_known(changes, text); break;
    case IDENTITY_GONE: feed_say_end(&changes->feed, FEED_GONE, error); break;
    case IDENTITY_DENIED: fail(changes, FEED_DENIED, error, 0); break;
    case IDENTITY_LATER: fail(changes, FEED_WAITING, error, 0); break;
    }
    feed_leave(&changes->feed);
}

static void ask_identity(struct changes *changes)
{
    changes->question = identity_ask(changes->feed.loop, changes->pool, changes->server,
                                     changes->db, on_identity, changes);
}

/* ---- the answer as it comes ---- */

static void on_head(struct http_call *call, int status)
{
    struct changes *changes = list_entry(call, struct changes, call);

    feed_enter(&changes->feed);
    changes->status = status;
    changes->answered_ms = clock_ms();
    if (status == 200)
        feed_say_state(&changes->feed,
                       changes->live || changes->busy ? FEED_LIVE : FEED_CATCHING_UP, NULL);
    feed_leave(&changes->feed);
}

static void take_refusal(struct changes *changes, tr_str bytes)
{
    size_t room = REFUSAL_MAX - changes->refusal.len;

    buf_add(&changes->refusal, bytes.ptr, bytes.len < room ? bytes.len : room);
}

static void count_burst(struct changes *changes, uint32_t rows)
{
    int64_t now = clock_ms();

    if (!changes->live || now - changes->burst_ms >= BUSY_MS) {
        changes->burst_ms = now;
        changes->burst = 0;
    }
    if (changes->live)
        changes->burst += rows;
}

/* Hands out the rows that have come. */
static void deliver(struct changes *changes)
{
    struct segment *segment;

    loop_clear_timer(changes->feed.loop, &changes->delivery);
    segment = frame_cut(&changes->frame);
    if (!segment)
        return;
    FAILPOINT("feed.rows");
    changes->attempt = 0;
    count_burst(changes, segment->count);
    changes->feed.pending -= segment->count;
    feed_say_rows(&changes->feed, segment);
}

/* Goes over to pages if too much has come; a row that has come in part is read again. */
static bool leave_live(struct changes *changes)
{
    if (!changes->live || changes->burst < BUSY_ROWS || !http_is_active(&changes->call))
        return false;
    http_cancel(&changes->call);
    changes->live = false;
    changes->busy = true;
    changes->apart_in = apart_suits(&changes->query) ? 1 : 0;
    changes->apart_failed = 0;
    schedule(changes, NEXT_READ, 0);
    return true;
}

/* A server that sends row by row has each handed in by itself, however many were read at once:
 * so they wait for the end of this turn of the loop, up to what one read may bring: a window
 * that they fill is to stop what comes behind them. */
static bool can_wait(const struct changes *changes)
{
    return !changes->frame.open || changes->frame.open->bytes < changes->query.read_size;
}

static void fail_on_junk(struct changes *changes, struct error *error)
{
    http_cancel(&changes->call);
    error_prefix(error, "database \"" STR_FMT "\"", STR_ARG(changes->db));
    fail(changes, FEED_WAITING, error, 0);
}

static void take_bytes(struct changes *changes, tr_str bytes)
{
    struct error error = {0};
    enum frame_result result = frame_take(&changes->frame, bytes, &error);

    if (result == FRAME_MORE && can_wait(changes)) {
        if (changes->frame.open && !timer_is_set(&changes->delivery))
            loop_set_timer(changes->feed.loop, &changes->delivery, 0);
        return;
    }
    deliver(changes);
    if (feed_is_done(&changes->feed) || (result == FRAME_MORE && leave_live(changes)))
        return;
    if (result == FRAME_CLOSED && !changes->told) {
        changes->told = true;
        feed_say_position(&changes->feed, buf_str(&changes->frame.last_seq));
    } else if (result == FRAME_JUNK || result == FRAME_ERROR) {
        fail_on_junk(changes, &error);
    }
}

/* Where it failed a page with documents goes on. That is the slower way as long as the database
 * is filled, so it is not the way for good. */
static void leave_apart(struct changes *changes)
{
    end_apart(changes);
    changes->apart_in = 2U << changes->apart_failed;
    if (changes->apart_failed < APART_FAILED_MAX)
        changes->apart_failed++;
    schedule(changes, NEXT_READ, 0);
}

/* The pages that come apart, as far as they have. */
static void take_apart(struct changes *changes)
{
    tr_str bytes;

    while (changes->apart && changes->begun && !changes->feed.paused &&
           !feed_is_done(&changes->feed)) {
        switch (apart_next(changes->apart, changes->query.read_size, &bytes)) {
        case APART_BYTES: take_bytes(changes, bytes); break;
        case APART_PAGE:
            changes->begun = false;
            changes->apart_failed = 0;
            on_closed(changes);
            break;
        case APART_WAIT: return;
        case APART_FAILED: leave_apart(changes); return;
        }
    }
}

static void on_apart(void *ctx)
{
    struct changes *changes = ctx;

    feed_enter(&changes->feed);
    take_apart(changes);
    feed_leave(&changes->feed);
}

static void on_delivery(struct timer *timer)
{
    struct changes *changes = list_entry(timer, struct changes, delivery);

    feed_enter(&changes->feed);
    if (!changes->feed.paused) {
        deliver(changes);
        if (!feed_is_done(&changes->feed) && !leave_live(changes))
            take_apart(changes);
    }
    feed_leave(&changes->feed);
}

static int on_data(struct http_call *call, tr_str bytes)
{
    struct changes *changes = list_entry(call, struct changes, call);
    int answer;

    feed_enter(&changes->feed);
    if (changes->status == 200)
        take_bytes(changes, bytes);
    else
        take_refusal(changes, bytes);
    answer = changes->feed.paused && !feed_is_done(&changes->feed) ? HTTP_PAUSE : 0;
    feed_leave(&changes->feed);
    return answer;
}

/* ---- the answer as it ended ---- */

static bool more_follows(const struct changes *changes)
{
    if (changes->apart)
        return apart_has_more(changes->apart);
    return !changes_is_last_page(&changes->query, changes->frame.rows, changes->frame.pending);
}

static void on_closed(struct changes *changes)
{
    struct feed *feed = &changes->feed;
    bool fine = changes->frame.rows > 0 || clock_ms() - changes->answered_ms >= LONG_LIFE_MS;

    feed->pending = changes->live ? 0
                                  : changes_pending(&changes->query, changes->frame.pending);
    if (changes->live && !fine) {
        int64_t wait = backoff_ms(changes->attempt, feed->retry_min_ms, feed->retry_max_ms);
        if (changes->attempt < ATTEMPT_MAX)
            changes->attempt++;
        schedule(changes, NEXT_ASK, wait);
        return;
    }
    if (changes->live) {
        changes->next = NEXT_ASK;
    } else if (more_follows(changes)) {
        changes->next = NEXT_READ;
    } else if (feed->mode == FEED_ONCE) {
        feed_say_end(feed, FEED_COMPLETE, NULL);
        return;
    } else if (changes->busy && changes->frame.rows >= CALM_PAGE_ROWS) {
        schedule(changes, NEXT_READ, BUSY_PAGE_MS);
        return;
    } else {
        changes->live = true;
        changes->busy = false;
        end_apart(changes);
        changes->next = NEXT_READ;
    }
    do_next(changes);
}

/* The status with the server's own words, if it had some. */
static void describe(const struct changes *changes, const struct http_result *result, int code,
                     struct error *error)
{
    tr_str body = buf_str(&changes->refusal), reason = {0};

    if (!json_get(body, STR("reason"), &reason))
        reason = str_c(result->error);
    if (reason.len > 300)
        reason.len = 300;
    if (result->status == 0 || changes->status == 200)
        error_set(error, code, "database \"" STR_FMT "\": %s", STR_ARG(changes->db),
                  result->error[0] ? result->error : "the feed ended before its last_seq");
    else
        error_set(error, code, "database \"" STR_FMT "\": the server answered %d " STR_FMT,
                  STR_ARG(changes->db), result->status, (int)reason.len,
                  reason.ptr ? reason.ptr : "");
}

/* Statuses that say that the request itself is wrong, whenever it is sent. */
static bool is_final(int status)
{
    switch (status) {
    case 400:
    case 405:
    case 406:
    case 413:
    case 414:
    case 415:
    case 422:
    case 431: return true;
    default: return false;
    }
}

static void on_failed(struct changes *changes, const struct http_result *result)
{
    struct error error = {0};
    bool denied = result->end == HTTP_UNAUTHORIZED || changes->status == 401 ||
                  changes->status == 403;

    if (result->end == HTTP_REFUSED || is_final(changes->status)) {
        describe(changes, result, ERR_CONFIG, &error);
        feed_say_end(&changes->feed, FEED_REFUSED, &error);
        return;
    }
    describe(changes, result, denied ? ERR_NOPERM : ERR_UNAVAIL, &error);
    if (changes->status == 404 && changes->query.filter.len > 0)
        error_set(&changes->missing, ERR_CONFIG,
                  "database \"" STR_FMT "\": the server knows no filter \"" STR_FMT
                  "\"; correct its name or put its design document there",
                  STR_ARG(changes->db), STR_ARG(changes->query.filter));
    fail(changes, denied ? FEED_DENIED : FEED_WAITING, &error, result->retry_after_ms);
}

static void on_done(struct http_call *call, const struct http_result *result)
{
    struct changes *changes = list_entry(call, struct changes, call);

    feed_enter(&changes->feed);
    if (result->status > 0)
        changes->status = result->status;
    /* Rows that were whole before the end; those of a paused feed are read again. */
    if (!changes->feed.paused)
        deliver(changes);
    if (feed_is_done(&changes->feed)) {
        feed_leave(&changes->feed);
        return;
    }
    /* However the transport ended: an answer that is closed is whole. */
    if (changes->told)
        on_closed(changes);
    else
        on_failed(changes, result);
    feed_leave(&changes->feed);
}

/* ---- a request ---- */

static void fill_call(struct changes *changes)
{
    changes_request_write(&changes->request, &changes->query, changes->server, changes->db,
                          buf_str(&changes->frame.position), changes->live);
    changes_request_call(&changes->request, &changes->query, changes->live, &changes->call);
    changes->call.on_head = on_head;
    changes->call.on_data = on_data;
    changes->call.on_done = on_done;
}

/* True: the page comes apart. */
static bool read_apart(struct changes *changes)
{
    if (changes->apart_in > 0 && --changes->apart_in == 0) {
        changes->apart = apart_new(&changes->query, changes->pool, changes->server, changes->db,
                                   buf_str(&changes->frame.position), on_apart, changes);
    } else if (changes->apart) {
        apart_go_on(changes->apart);
        loop_set_timer(changes->feed.loop, &changes->delivery, 0); /* there may be some       */
    }
    return changes->apart != NULL;
}

static void start_reading(struct changes *changes)
{
    struct feed *feed = &changes->feed;
    struct error error = {0};
    int rc;

    if (feed->state != FEED_CATCHING_UP && feed->state != FEED_LIVE)
        feed_say_state(feed, FEED_CONNECTING, NULL);
    if (feed_is_done(feed))
        return;
    if (feed->paused) {
        changes->stalled = true;
        return;
    }
    frame_begin(&changes->frame, !changes->live);
    buf_clear(&changes->refusal);
    changes->missing = (struct error){0};
    changes->status = 0;
    changes->told = false;
    changes->begun = true;
    if (read_apart(changes))
        return;
    fill_call(changes);
    rc = http_start(changes->pool, &changes->call, &error);
    if (rc == ERR_NOPERM)
        fail(changes, FEED_DENIED, &error, 0);
    else if (rc == ERR_CONFIG)
        feed_say_end(feed, FEED_REFUSED, &error);
    else if (rc < 0)
        fail(changes, FEED_WAITING, &error, 0);
}

/* ---- as a feed ---- */

static void changes_start(struct feed *feed)
{
    schedule(changes_of(feed), NEXT_READ, 0);
}

static void changes_pause(struct feed *feed)
{
    struct changes *changes = changes_of(feed);

    if (http_is_active(&changes->call))
        http_pause(&changes->call);
}

static void changes_resume(struct feed *feed)
{
    struct changes *changes = changes_of(feed);

    if ((changes->frame.open || changes->apart) && !timer_is_set(&changes->delivery))
        loop_set_timer(feed->loop, &changes->delivery, 0);
    if (http_is_active(&changes->call))
        http_resume(&changes->call);
    else if (changes->stalled)
        schedule(changes, changes->next, 0);
}

static void changes_stop(struct feed *feed)
{
    struct changes *changes = changes_of(feed);

    http_cancel(&changes->call);
    end_apart(changes);
    question_cancel(changes->question);
    changes->question = NULL;
    loop_clear_timer(feed->loop, &changes->timer);
    loop_clear_timer(feed->loop, &changes->delivery);
}

static void changes_free(struct feed *feed)
{
    struct changes *changes = changes_of(feed);

    frame_fini(&changes->frame);
    changes_request_fini(&changes->request);
    buf_fini(&changes->refusal);
    free(changes);
}

static const struct feed_kind changes_kind = {
    changes_start, changes_pause, changes_resume, changes_stop, changes_free,
};

struct feed *feed_changes_new(const struct feed_options *options,
                              const struct feed_query *query, struct http_pool *pool,
                              const struct url *server, tr_str db, tr_str incarnation)
{
    struct changes *changes = mem_new(struct changes);

    feed_init(&changes->feed, &changes_kind, options);
    changes->query = changes_query_complete(query);
    changes->pool = pool;
    changes->server = server;
    changes->db = db;
    changes->incarnation = incarnation;
    changes->timer.fire = on_timer;
    changes->delivery.fire = on_delivery;
    frame_init(&changes->frame, options->since.len > 0 ? options->since : STR("0"),
               changes->query.max_row);
    return &changes->feed;
}
