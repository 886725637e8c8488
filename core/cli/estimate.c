/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The maths of a progress line, and its words. Main thread.
 */
#include "cli/estimate.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    SAMPLE_MS = 1000,
    SEEN_MS = 2000,         /* less says nothing about what is to come                      */
    LEFT_MAX_S = 99 * 86400 /* more is no estimate                                          */
};

/* ---- the maths ---- */

/* Where all is read, what came is all there is. The page that is read last, and a feed that
 * gave its connection up, say nothing: what was known before still holds. */
static void set_goal(struct estimate *estimate, const struct engine_progress *progress)
{
    uint64_t known = progress->received + progress->pending;
    bool told = progress->listed && progress->untold == 0;

    if (told || (estimate->goal > 0 && known > estimate->goal))
        estimate->goal = known;
}

static void remember(struct estimate *estimate, const struct engine_progress *progress,
                     int64_t now_ms)
{
    struct estimate_sample *samples = estimate->samples;

    if (estimate->count > 0 && now_ms - samples[estimate->count - 1].at_ms < SAMPLE_MS)
        return;
    if (estimate->count == ESTIMATE_SAMPLES)
        memmove(samples, samples + 1, --estimate->count * sizeof(*samples));
    samples[estimate->count++] = (struct estimate_sample){
        .at_ms = now_ms, .settled = progress->settled, .read = progress->read};
}

static int percent_of(uint64_t done, uint64_t all)
{
    return done >= all ? 100 : (int)((double)done * 100 / (double)all);
}

static int64_t seconds_left(uint64_t done, uint64_t all, double per_s)
{
    double left;

    if (done >= all)
        return 0;
    if (per_s <= 0)
        return -1;
    left = (double)(all - done) / per_s;
    return left > LEFT_MAX_S ? -1 : (int64_t)left + 1;
}

/* A database may come back to be read again, and a rule that goes takes its window along. */
static double rate(uint64_t from, uint64_t to, int64_t ms)
{
    return to > from && ms > 0 ? (double)(to - from) * 1000 / (double)ms : 0;
}

void estimate_take(struct estimate *estimate, const struct engine_progress *progress,
                   int64_t now_ms, struct estimate_view *ret_view)
{
    struct estimate_view view = {.progress = *progress, .percent = -1, .left_s = -1};
    const struct estimate_sample *oldest = estimate->samples;
    double rows, databases;
    int64_t ms;

    set_goal(estimate, progress);
    remember(estimate, progress, now_ms);
    ms = now_ms - oldest->at_ms;
    rows = rate(oldest->settled, progress->settled, ms);
    databases = rate(oldest->read, progress->read, ms);
    view.rows_per_s = (uint64_t)(rows + 0.5);
    if (estimate->goal > 0) {
        view.percent = percent_of(progress->settled, estimate->goal);
        view.left_s = seconds_left(progress->settled, estimate->goal, rows);
    } else if (progress->listed && progress->databases > 1 && ms >= SEEN_MS) {
        view.percent = percent_of(progress->read, progress->databases);
        view.left_s = seconds_left(progress->read, progress->databases, databases);
    }
    if (ms < SEEN_MS)
        view.left_s = -1;
    *ret_view = view;
}

/* ---- the words ---- */

enum part { PERCENT, BAR, DATABASES, ROWS, RATE, LEFT, PARTS };

enum { PART_SIZE = 96, NUMBER_SIZE = 32, BAR_WIDTH = 20, NAME_MAX_SHOWN = 64 };

/* "1,234,567", whatever the locale. */
static const char *number(uint64_t value, char text[NUMBER_SIZE])
{
    char digits[NUMBER_SIZE];
    int len = snprintf(digits, sizeof(digits), "%" PRIu64, value), at = 0;

    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = '\0';
    return text;
}

static void write_bar(int percent, char part[PART_SIZE])
{
    static const char full[BAR_WIDTH + 1] = "====================";
    int done = percent * BAR_WIDTH / 100;

    snprintf(part, PART_SIZE, "[%.*s%*s]", done, full, BAR_WIDTH - done, "");
}

static void write_left(int64_t s, char part[PART_SIZE])
{
    if (s < 3600)
        snprintf(part, PART_SIZE, "%d:%02d left", (int)(s / 60), (int)(s % 60));
    else if (s < 86400)
        snprintf(part, PART_SIZE, "%d:%02d:%02d left", (int)(s / 3600), (int)(s / 60 % 60),
                 (int)(s % 60));
    else
        snprintf(part, PART_SIZE, "%dd %dh left", (int)(s / 86400), (int)(s / 3600 % 24));
}

static void write_databases(const struct engine_progress *progress, char part[PART_SIZE])
{
    char read[NUMBER_SIZE], all[NUMBER_SIZE];

    number(progress->read, read);
    number(progress->databases, all);
    if (!progress->listed)
        snprintf(part, PART_SIZE, "listing databases");
    else
        snprintf(part, PART_SIZE, "%s of %s database%s", read, all,
                 progress->databases == 1 ? "" : "s");
}

static void write_parts(const struct estimate_view *view, char parts[PARTS][PART_SIZE])
{
    char text[NUMBER_SIZE];

    for (int i = 0; i < PARTS; i++)
        parts[i][0] = '\0';
    if (view->percent >= 0) {
        snprintf(parts[PERCENT], PART_SIZE, "%3d%%", view->percent);
        write_bar(view->percent, parts[BAR]);
    }
    write_databases(&view->progress, parts[DATABASES]);
    snprintf(parts[ROWS], PART_SIZE, "%s row%s", number(view->progress.received, text),
             view->progress.received == 1 ? "" : "s");
    snprintf(parts[RATE], PART_SIZE, "%s rows/s", number(view->rows_per_s, text));
    if (view->left_s >= 0)
        write_left(view->left_s, parts[LEFT]);
}

static size_t join(char parts[PARTS][PART_SIZE], char text[ESTIMATE_LINE])
{
    size_t len = 0;

    text[0] = '\0';
    for (int i = 0; i < PARTS; i++)
        if (parts[i][0] && len < ESTIMATE_LINE)
            len += (size_t)snprintf(text + len, ESTIMATE_LINE - len, "%s%s",
                                    len > 0 ? "  " : "", parts[i]);
    return len;
}

void estimate_write(const struct estimate_view *view, size_t width, char text[ESTIMATE_LINE])
{
    static const enum part least_first[] = {BAR, RATE, ROWS, DATABASES, LEFT};
    char parts[PARTS][PART_SIZE];
    size_t dropped = 0;

    write_parts(view, parts);
    while (join(parts, text) > width && dropped < sizeof(least_first) / sizeof(*least_first))
        parts[least_first[dropped++]][0] = '\0';
    if (width < ESTIMATE_LINE && strlen(text) > width)
        text[width] = '\0';
}

void estimate_write_part(const struct engine_part *part, size_t width, char text[ESTIMATE_LINE])
{
    char bar[PART_SIZE] = "", percent[8] = "", rows[NUMBER_SIZE];
    int done;

    if (part->goal > 0) {
        done = percent_of(part->settled, part->goal);
        snprintf(percent, sizeof(percent), "%3d%%", done);
        write_bar(done, bar);
    }
    snprintf(text, ESTIMATE_LINE, "%4s  %*s  %s row%s  " STR_FMT, percent, -(BAR_WIDTH + 2),
             bar, number(part->settled, rows), part->settled == 1 ? "" : "s",
             STR_ARG(str_clip(part->db, NAME_MAX_SHOWN)));
    for (char *at = text; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            *at = '?';
    if (width < ESTIMATE_LINE && strlen(text) > width)
        text[width] = '\0';
}
