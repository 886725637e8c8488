/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `tailrace top` shows: the status of the daemon with what happened a second, which is the
 * difference of two looks. top.c takes documents in and knows rates, top_draw.c makes a frame
 * of them; cmd_top.c has the loop and the keys. Main thread.
 */
#ifndef CLI_TOP_H
#define CLI_TOP_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/map.h"

enum { TOP_HISTORY = 240 };

enum top_sort {
    TOP_BY_TROUBLE, /* what needs a person, then what is late, then what does most         */
    TOP_BY_NAME,
    TOP_BY_RATE,
    TOP_BY_LAG,
    TOP_BY_WAITING,
    TOP_BY_LETTERS
};

struct top_rule {
    tr_str name, plugin, state;
    double rate, lag_s, lag_rows, in_flight, retrying, ok, letters;
};

struct top {
    struct buf document; /* the last one; empty: there was none                            */
    struct arena arena;  /* texts of it                                                    */
    int64_t taken_ms;
    struct map counts; /* of rules, sources and all, with their rates                      */
    uint64_t looks;
    struct top_rule *rules; /* as they are sorted                                          */
    size_t rules_count;
    double rate, read_rate;
    double history[TOP_HISTORY]; /* of `rate`, the last one last                           */
    size_t history_count;

    enum top_sort sort;
    bool reverse, paused;
    size_t first;    /* rule that is shown                                                 */
    size_t shown;    /* rules that there was room for                                      */
    char error[512]; /* why the last look failed; ""                                       */
};

void top_init(struct top *top);
void top_fini(struct top *top);

/* Takes a document in, which moves to it, as it was at `now_ms`. ERR_DATA: its form is unknown.
 */
int top_take(struct top *top, struct buf *document, int64_t now_ms, struct error *error);

/* After a change of `sort` or `reverse`. */
void top_sort(struct top *top);

/* The rate of "rule NAME" or "source NAME"; 0: not known. */
double top_rate_of(const struct top *top, const char *kind, tr_str name);

/* The whole frame: `height` lines at most, none wider than `width`. Sees to it that `first` is
 * in bounds. */
void top_draw(struct top *top, int width, int height, bool colours, struct buf *out);

#endif
