/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From how far a run is to how long it will take: percent, rows a second, time left, and a line
 * for people that fits a width. Pure: the time is an argument. progress.c calls it.
 */
#ifndef CLI_ESTIMATE_H
#define CLI_ESTIMATE_H

#include "engine/engine.h"

enum { ESTIMATE_SAMPLES = 16, ESTIMATE_LINE = 160 };

struct estimate_sample {
    int64_t at_ms;
    uint64_t settled, read;
};

/* What is remembered of the last quarter of a minute. Zero it. */
struct estimate {
    struct estimate_sample samples[ESTIMATE_SAMPLES]; /* a second apart or more, oldest first */
    size_t count;
    uint64_t goal; /* rows at the end, as far as servers said; 0: they did not              */
};

struct estimate_view {
    struct engine_progress progress;
    int percent;         /* -1: nobody knows                                               */
    uint64_t rows_per_s; /* settled, lately                                                */
    int64_t left_s;      /* -1: nobody knows                                               */
};

/* Takes note of where it is at `now_ms`, and says what follows from that. By rows, once it was
 * known of every database how many wait; else by databases, if there are several and the server
 * had the time to say how many rows wait. */
void estimate_take(struct estimate *estimate, const struct engine_progress *progress,
                   int64_t now_ms, struct estimate_view *ret_view);

/* One line of at most `width` ASCII characters, none of them a control: what matters least is
 * left out first. */
void estimate_write(const struct estimate_view *view, size_t width, char text[ESTIMATE_LINE]);

/* The same for one database of several. */
void estimate_write_part(const struct engine_part *part, size_t width,
                         char text[ESTIMATE_LINE]);

#endif
