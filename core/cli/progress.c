/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks how far it is every now and then, and shows it. Main thread.
 */
#include "cli/progress.h"

#include "base/clock.h"
#include "cli/bottom_line.h"
#include "observe/log.h"

#include <stdlib.h>

enum {
    REDRAW_MS = 250,
    BEGIN_MS = 500, /* what is over by then needs no line                                 */
    LOG_MS = 10000,
    SAMPLE_MS = 1000, /* of the log: rates are those of the last seconds there too          */
    FIELDS_MAX = 8
};

bool progress_parse(const char *word, enum progress_form *ret_form)
{
    static const char *const words[] = {
        [PROGRESS_AUTO] = "auto", [PROGRESS_LOG] = "log", [PROGRESS_NEVER] = "never"};

    for (int i = PROGRESS_AUTO; i <= PROGRESS_NEVER; i++)
        if (strcmp(word, words[i]) == 0) {
            *ret_form = (enum progress_form)i;
            return true;
        }
    return false;
}

/* ---- the two forms ---- */

static int by_name(const void *a, const void *b)
{
    return str_cmp(((const struct engine_part *)a)->db, ((const struct engine_part *)b)->db);
}

/* The lines of the parts, above the one of all. There are never less than before: what scrolls
 * above them would jump. */
static void draw(struct progress *progress, const struct estimate_view *view)
{
    char texts[BOTTOM_LINES][ESTIMATE_LINE];
    const char *lines[BOTTOM_LINES];
    struct engine_part parts[BOTTOM_LINES];
    size_t width = (size_t)bottom_line_width(), count = 0;
    int blank, room = bottom_line_count();

    if (view->progress.databases > 1)
        count = progress->parts(progress->ctx, parts, (size_t)room - 1);
    if (count > 0)
        qsort(parts, count, sizeof(parts[0]), by_name);
    if (progress->lines > room || progress->lines < (int)count + 1)
        progress->lines = (int)count + 1;
    blank = progress->lines - (int)count - 1;
    for (int i = 0; i < progress->lines; i++)
        lines[i] = i < blank ? "" : texts[i];
    for (size_t i = 0; i < count; i++)
        estimate_write_part(&parts[i], width, texts[(size_t)blank + i]);
    estimate_write(view, width, texts[progress->lines - 1]);
    bottom_line_draw(lines, progress->lines);
}

/* What nobody knows is left out. */
static void write_log(const struct progress *progress, const struct estimate_view *view)
{
    struct log_field fields[FIELDS_MAX] = {{.key = NULL}};
    size_t n = 0;

    if (view->percent >= 0)
        fields[n++] = LOG_I("percent", view->percent);
    fields[n++] = LOG_I("databases_read", view->progress.read);
    if (view->progress.listed)
        fields[n++] = LOG_I("databases", view->progress.databases);
    fields[n++] = LOG_I("received", view->progress.received);
    fields[n++] = LOG_I("rows_per_s", view->rows_per_s);
    if (view->left_s >= 0)
        fields[n++] = LOG_I("left_s", view->left_s);
    fields[n].key = NULL;
    if (progress->is_wanted || log_get_level() >= LOG_INFO)
        log_write(LOG_INFO, "progress", fields);
}

/* ---- every now and then ---- */

static void due(struct timer *timer)
{
    struct progress *progress = list_entry(timer, struct progress, timer);
    struct engine_progress now;
    struct estimate_view view;

    progress->look(progress->ctx, &now);
    if (now.stopping) { /* from here on the process may end without a farewell              */
        progress_stop(progress);
        return;
    }
    estimate_take(&progress->estimate, &now, clock_ms(), &view);
    if (progress->on_terminal) {
        draw(progress, &view);
    } else if (clock_ms() >= progress->log_ms) {
        write_log(progress, &view);
        progress->log_ms += LOG_MS;
    }
    loop_set_timer(progress->loop, timer, progress->on_terminal ? REDRAW_MS : SAMPLE_MS);
}

void progress_start(struct progress *progress, struct loop *loop, progress_look_fn look,
                    progress_parts_fn parts, const void *ctx)
{
    const struct engine_progress none = {0};
    struct estimate_view view;

    if (progress->form == PROGRESS_NEVER)
        return;
    progress->loop = loop;
    progress->look = look;
    progress->parts = parts;
    progress->ctx = ctx;
    progress->on_terminal = progress->form == PROGRESS_AUTO && bottom_line_possible();
    progress->log_ms = clock_ms() + LOG_MS;
    estimate_take(&progress->estimate, &none, clock_ms(), &view);
    progress->timer.fire = due;
    loop_set_timer(loop, &progress->timer, progress->on_terminal ? BEGIN_MS : SAMPLE_MS);
}

void progress_stop(struct progress *progress)
{
    if (!progress || !progress->loop)
        return;
    loop_clear_timer(progress->loop, &progress->timer);
    if (progress->on_terminal)
        bottom_line_end();
    progress->loop = NULL;
}
