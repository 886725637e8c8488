/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of feeds share: an owner of a feed that writes down what it is told, and waits
 * for it by turning the loop.
 */
#ifndef TEST_FEED_RECORD_H
#define TEST_FEED_RECORD_H

#include "base/clock.h"
#include "base/mem.h"
#include "feed/feed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct record {
    struct loop *loop;
    struct feed *feed;
    struct buf ids;  /* "a b c ", of all rows                                          */
    struct buf last; /* of the last segment, or position                               */
    struct buf log;  /* "rows 3; position 5; state 2; end 0; "                         */
    uint32_t rows, segments;
    unsigned states;    /* bit 1 << state                                                 */
    int end;            /* enum feed_end, or -1                                           */
    struct error error; /* of the last state or end that had one                          */
    bool pause_in_rows, free_in_rows, free_in_end, free_in_state;
    void (*on_row)(struct record *record, const tr_change *row);
};

static void record_free_feed(struct record *record)
{
    feed_free(record->feed);
    record->feed = NULL;
}

static void record_rows(void *ctx, struct segment *segment)
{
    struct record *record = ctx;

    assert_true(segment->count > 0);
    for (uint32_t i = 0; i < segment->count; i++) {
        buf_add_str(&record->ids, segment->rows[i].id);
        buf_add_char(&record->ids, ' ');
        if (record->on_row)
            record->on_row(record, &segment->rows[i]);
    }
    record->rows += segment->count;
    record->segments++;
    buf_clear(&record->last);
    buf_add_str(&record->last, segment->last);
    buf_addf(&record->log, "rows %u; ", segment->count);
    if (record->pause_in_rows)
        feed_pause(record->feed);
    if (record->free_in_rows)
        record_free_feed(record);
}

static void record_position(void *ctx, tr_str seq)
{
    struct record *record = ctx;

    buf_clear(&record->last);
    buf_add_str(&record->last, seq);
    buf_addf(&record->log, "position " STR_FMT "; ", STR_ARG(seq));
}

static void record_state(void *ctx, enum feed_state state, const struct error *error)
{
    struct record *record = ctx;

    record->states |= 1u << state;
    buf_addf(&record->log, "state %d; ", (int)state);
    if (error)
        record->error = *error;
    if (record->free_in_state)
        record_free_feed(record);
}

static void record_ended(void *ctx, enum feed_end end, const struct error *error)
{
    struct record *record = ctx;

    assert_int_equal(record->end, -1);
    record->end = (int)end;
    buf_addf(&record->log, "end %d; ", (int)end);
    if (error)
        record->error = *error;
    if (record->free_in_end)
        record_free_feed(record);
}

static const struct feed_events record_events = {record_rows, record_position, record_state,
                                                 record_ended};

static void record_init(struct record *record, struct loop *loop)
{
    *record = (struct record){.loop = loop, .end = -1};
    buf_add_c(&record->ids, "");
    buf_add_c(&record->log, "");
    buf_add_c(&record->last, "");
}

static void record_fini(struct record *record)
{
    record_free_feed(record);
    buf_fini(&record->ids);
    buf_fini(&record->last);
    buf_fini(&record->log);
}

/* Turns the loop until `condition`; a test that waits for what does not come fails. */
#define record_until(record, condition)                                                        \
    do {                                                                                       \
        int64_t until_ = clock_ms() + 20000;                                                   \
        while (!(condition)) {                                                                 \
            if (clock_ms() > until_)                                                           \
                fail_msg("%s did not come; log: %s; error: %s", #condition, (record)->log.ptr, \
                         (record)->error.text);                                                \
            loop_turn((record)->loop, 20);                                                     \
        }                                                                                      \
    } while (0)

/* Gives what must not come the chance to. */
static inline void record_idle(struct record *record)
{
    for (int i = 0; i < 20; i++)
        loop_turn(record->loop, 5);
}

#endif
