/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A feed, and when to give it up. Main thread.
 */
#include "cli/verify_read.h"

#include "base/clock.h"

enum {
    PAGE_ROWS = 20000,
    SEQ_INTERVAL = 1000, /* a seq costs the server more than the row that it is in         */
    RETRY_MIN_MS = 250,
    RETRY_MAX_MS = 5000,
    GIVE_UP_MS = 30000 /* as `run --once`                                                  */
};

/* ---- what the feed says ---- */

static void end_with(struct verify_reader *reader, int code, const struct error *error)
{
    reader->over = true;
    reader->error = (struct error){.code = 0};
    if (code != 0) {
        error_set(&reader->error, code, "%s", error ? error->text : "");
        error_prefix(&reader->error, "%s", remote_words[reader->end]);
    }
    feed_free(reader->feed);
    reader->feed = NULL;
}

static void on_rows(void *ctx, struct segment *segment)
{
    struct verify_reader *reader = ctx;

    reader->failing_ms = 0;
    reader->rows += segment->count;
    for (uint32_t i = 0; i < segment->count; i++)
        reader->row(reader->ctx, reader->end, &segment->rows[i]);
}

static void on_position(void *ctx, tr_str seq)
{
    struct verify_reader *reader = ctx;

    reader->failing_ms = 0;
    if (reader->ids.len > 0)
        return;
    buf_clear(&reader->since);
    buf_add_str(&reader->since, seq);
}

static void on_state(void *ctx, enum feed_state state, const struct error *error)
{
    struct verify_reader *reader = ctx;

    if (state == FEED_DENIED) {
        end_with(reader, ERR_NOPERM, error);
    } else if (state == FEED_WAITING) {
        if (reader->failing_ms == 0)
            reader->failing_ms = clock_ms();
        else if (clock_ms() - reader->failing_ms >= GIVE_UP_MS)
            end_with(reader, ERR_UNAVAIL, error);
    }
}

static void on_ended(void *ctx, enum feed_end end, const struct error *error)
{
    static const int codes[] = {
        [FEED_COMPLETE] = 0,
        [FEED_GONE] = ERR_NOINPUT,
        [FEED_REPLACED] = ERR_UNAVAIL,
        [FEED_REFUSED] = ERR_UNAVAIL,
    };

    end_with(ctx, codes[end], error);
}

static const struct feed_events events = {
    .rows = on_rows,
    .position = on_position,
    .state = on_state,
    .ended = on_ended,
};

/* ---- from outside ---- */

static void start(struct verify_reader *reader, tr_str since)
{
    struct remote *remote = &reader->remotes->ends[reader->end];
    struct feed_options options = {
        .loop = reader->remotes->loop,
        .mode = FEED_ONCE,
        .since = since,
        .retry_min_ms = RETRY_MIN_MS,
        .retry_max_ms = RETRY_MAX_MS,
        .events = &events,
        .ctx = reader,
    };
    struct feed_query query = {
        .all_leaves = !reader->winners,
        .doc_ids = buf_str(&reader->ids),
        .seq_interval = SEQ_INTERVAL,
        .page_rows = PAGE_ROWS,
    };

    reader->over = false;
    reader->failing_ms = 0;
    reader->error = (struct error){.code = 0};
    reader->feed = feed_changes_new(&options, &query, remote->pool, &remote->server, reader->db,
                                    STR(""));
    feed_start(reader->feed);
}

void verify_reader_start(struct verify_reader *reader)
{
    buf_clear(&reader->ids);
    start(reader, buf_str(&reader->since));
}

void verify_reader_start_ids(struct verify_reader *reader, tr_str ids)
{
    buf_clear(&reader->ids);
    buf_add_str(&reader->ids, ids);
    start(reader, STR(""));
}

uint64_t verify_reader_pending(const struct verify_reader *reader, bool *ret_told)
{
    uint64_t pending = reader->feed ? (uint64_t)feed_pending(reader->feed) : 0;

    *ret_told = reader->over || pending > 0;
    return pending;
}

void verify_reader_fini(struct verify_reader *reader)
{
    feed_free(reader->feed);
    reader->feed = NULL;
    buf_fini(&reader->since);
    buf_fini(&reader->ids);
}
