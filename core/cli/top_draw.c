/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A frame of `top`: the daemon at a glance, the rate of the last minutes, sources, rules, and
 * what is in trouble. What there is no room for is left out, from the least important on. Main
 * thread.
 */
#include "base/clock.h"
#include "cli/grid.h"
#include "cli/status_read.h"
#include "cli/top.h"
#include "json/value.h"

#include <stdio.h>

struct frame {
    struct top *top;
    struct arena arena; /* of cells                                                        */
    struct buf *out;
    int width, left; /* lines that there is still room for, above the keys                 */
    bool colours;
};

enum { FEW_LINES = 10 };

/* ---- text ---- */

static void add_text(const struct frame *frame, tr_str text, enum tone tone)
{
    (void)grid_text(frame->out, text, tone, 1 << 16, frame->colours);
}

/* 1234 as "1234", 12345 as "12.3k": what a glance needs. */
static tr_str amount(struct frame *frame, double n)
{
    char text[32];

    if (n >= 1e9)
        snprintf(text, sizeof(text), "%.2fG", n / 1e9);
    else if (n >= 1e6)
        snprintf(text, sizeof(text), "%.2fM", n / 1e6);
    else if (n >= 1e4)
        snprintf(text, sizeof(text), "%.1fk", n / 1e3);
    else
        snprintf(text, sizeof(text), n < 100 && n != (int)n ? "%.1f" : "%.0f", n);
    return arena_str(&frame->arena, str_c(text));
}

static tr_str duration(struct frame *frame, double seconds)
{
    char text[STATUS_DURATION];

    return arena_str(&frame->arena, str_c(status_duration(seconds, text)));
}

static tr_str text_of(struct frame *frame, tr_str object, const char *key)
{
    return status_text(&frame->arena, object, key);
}

static void end_line(struct frame *frame)
{
    buf_add_char(frame->out, '\n');
    frame->left--;
}

/* ---- at a glance ---- */

struct item {
    const char *name;
    tr_str value;
    enum tone tone;
};

/* As many as there is room for. */
static void draw_items(struct frame *frame, const struct item *items, size_t count)
{
    int used = 0;

    if (frame->left < 1)
        return;
    for (size_t i = 0; i < count; i++) {
        int own = (int)(strlen(items[i].name) + 1 + items[i].value.len);
        if (used + (used > 0 ? 3 : 0) + own > frame->width)
            break;
        if (used > 0)
            buf_add_c(frame->out, "   ");
        used += (used > 0 ? 3 : 0) + own;
        add_text(frame, str_c(items[i].name), TONE_SOFT);
        buf_add_char(frame->out, ' ');
        add_text(frame, items[i].value, items[i].tone);
    }
    end_line(frame);
}

static void draw_daemon(struct frame *frame)
{
    tr_str document = buf_str(&frame->top->document);
    tr_str state = text_of(frame, document, "state");
    bool good = str_eq(state, STR("running")) && !frame->top->error[0];
    char pid[32];

    snprintf(pid, sizeof(pid), "%.0f", status_number(document, "pid"));
    const struct item items[] = {
        {"tailrace", text_of(frame, document, "version"), TONE_PLAIN},
        {"is", state, good ? TONE_GOOD : TONE_WARN},
        {"up", duration(frame, status_number(document, "uptime_s")), TONE_PLAIN},
        {"pid", str_c(pid), TONE_PLAIN},
        {"mode", text_of(frame, document, "mode"), TONE_PLAIN},
    };
    draw_items(frame, items, sizeof(items) / sizeof(items[0]));
}

static void count_trouble(void *ctx, const struct status_trouble *trouble)
{
    (void)trouble;
    ++*(int64_t *)ctx;
}

static void draw_glance(struct frame *frame)
{
    const struct top *top = frame->top;
    double late = 0, waiting = 0, letters = 0;
    int64_t troubles = 0;

    for (size_t i = 0; i < top->rules_count; i++) {
        late = top->rules[i].lag_s > late ? top->rules[i].lag_s : late;
        waiting += top->rules[i].lag_rows;
        letters += top->rules[i].letters;
    }
    troubles += status_troubles(buf_str(&top->document), &frame->arena, count_trouble,
                                &troubles);
    const struct item items[] = {
        {"delivered/s", amount(frame, top->rate), TONE_BOLD},
        {"read/s", amount(frame, top->read_rate), TONE_BOLD},
        {"oldest", duration(frame, late), TONE_BOLD},
        {"waiting", amount(frame, waiting), TONE_BOLD},
        {"trouble", amount(frame, (double)troubles), troubles > 0 ? TONE_BAD : TONE_BOLD},
        {"dead letters", amount(frame, letters), letters > 0 ? TONE_WARN : TONE_BOLD},
    };
    draw_items(frame, items, sizeof(items) / sizeof(items[0]));
}

/* The rate of the last minutes, a look a column. */
static void draw_history(struct frame *frame)
{
    static const char *const bars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    const struct top *top = frame->top;
    size_t count = top->history_count < (size_t)frame->width ? top->history_count
                                                             : (size_t)frame->width;
    const double *from = top->history + top->history_count - count;
    struct buf line = {0};
    double most = 0;

    for (size_t i = 0; i < count; i++)
        most = from[i] > most ? from[i] : most;
    for (size_t i = 0; i < count; i++)
        buf_add_c(&line, bars[most > 0 ? (int)(from[i] / most * 7.0 + 0.5) : 0]);
    add_text(frame, buf_str(&line), TONE_SOFT);
    end_line(frame);
    buf_fini(&line);
}

/* ---- tables ---- */

/* One of at most `most` rows, with an empty line before it. */
static void draw_grid(struct frame *frame, struct grid *grid, size_t most)
{
    if (grid->rows > most)
        grid->rows = most;
    if (grid->rows == 0 || frame->left < 3)
        return;
    end_line(frame);
    grid->colours = frame->colours;
    grid_draw(grid, frame->width, frame->out);
    frame->left -= (int)grid->rows + 1;
}

static size_t count_items(tr_str list)
{
    size_t cursor = 0, count = 0;
    tr_str key, it;

    while (json_next(list, &cursor, &key, &it))
        count++;
    return count;
}

static void draw_sources(struct frame *frame, size_t most)
{
    static const struct grid_column columns[] = {
        {"SOURCE", .left = true},  {"READ/S", .matters = 9},  {"DATABASES", .matters = 8},
        {"HOT", .matters = 6},     {"READING", .matters = 5}, {"QUEUED", .matters = 4},
        {"WAITING", .matters = 7}, {"CALLS", .matters = 3},   {"UPDATES", true, 2},
        {"URL", true, 1},
    };
    enum { COLUMNS = sizeof(columns) / sizeof(columns[0]) };
    tr_str list = status_member(buf_str(&frame->top->document), "sources"), key, it;
    struct grid grid = {.columns = columns, .count = COLUMNS};
    struct grid_cell *cell;
    size_t cursor = 0;

    grid.cells = arena_zero(&frame->arena, (count_items(list) + 1) * COLUMNS * sizeof(*cell));
    for (cell = grid.cells; json_next(list, &cursor, &key, &it); grid.rows++) {
        tr_str streams = status_member(it, "streams"), name = text_of(frame, it, "name");
        tr_str updates = text_of(frame, status_member(it, "updates"), "state");
        double waiting = status_number(streams, "waiting") + status_number(streams, "missing");
        double calls = status_number(status_member(it, "connections"), "running");

        *cell++ = (struct grid_cell){name, TONE_PLAIN};
        *cell++ = (struct grid_cell){amount(frame, top_rate_of(frame->top, "source", name)),
                                     TONE_BOLD};
        *cell++ = (struct grid_cell){amount(frame, status_number(it, "databases")), TONE_PLAIN};
        *cell++ = (struct grid_cell){amount(frame, status_number(streams, "hot")), TONE_PLAIN};
        *cell++ = (struct grid_cell){amount(frame, status_number(streams, "reading")),
                                     TONE_PLAIN};
        *cell++ = (struct grid_cell){amount(frame, status_number(streams, "queued")),
                                     TONE_PLAIN};
        *cell++ = (struct grid_cell){amount(frame, waiting),
                                     waiting > 0 ? TONE_WARN : TONE_PLAIN};
        *cell++ = (struct grid_cell){amount(frame, calls), TONE_PLAIN};
        *cell++ = (struct grid_cell){updates, TONE_PLAIN};
        *cell++ = (struct grid_cell){
            text_of(frame, it, status_member(it, "path").len > 0 ? "path" : "url"), TONE_SOFT};
    }
    draw_grid(frame, &grid, most);
}

static enum tone tone_of(tr_str state)
{
    if (str_eq(state, STR("held")))
        return TONE_BAD;
    return str_eq(state, STR("running")) ? TONE_GOOD : TONE_WARN;
}

static enum tone unless_zero(double n, enum tone tone)
{
    return n > 0 ? tone : TONE_SOFT;
}

static void fill_rule(struct frame *frame, const struct top_rule *rule, struct grid_cell *cell)
{
    cell[0] = (struct grid_cell){rule->name, TONE_PLAIN};
    cell[1] = (struct grid_cell){rule->plugin, TONE_SOFT};
    cell[2] = (struct grid_cell){rule->state, tone_of(rule->state)};
    cell[3] = (struct grid_cell){amount(frame, rule->rate), unless_zero(rule->rate, TONE_BOLD)};
    cell[4] = (struct grid_cell){rule->lag_rows > 0 ? duration(frame, rule->lag_s) : STR("-"),
                                 unless_zero(rule->lag_rows, TONE_PLAIN)};
    cell[5] = (struct grid_cell){amount(frame, rule->lag_rows),
                                 unless_zero(rule->lag_rows, TONE_PLAIN)};
    cell[6] = (struct grid_cell){amount(frame, rule->in_flight),
                                 unless_zero(rule->in_flight, TONE_PLAIN)};
    cell[7] = (struct grid_cell){amount(frame, rule->retrying),
                                 unless_zero(rule->retrying, TONE_WARN)};
    cell[8] = (struct grid_cell){amount(frame, rule->ok), unless_zero(rule->ok, TONE_PLAIN)};
    cell[9] = (struct grid_cell){amount(frame, rule->letters),
                                 unless_zero(rule->letters, TONE_WARN)};
}

/* Whoever is asked for by scrolling, as far as there are lines. */
static void draw_rules(struct frame *frame, size_t most)
{
    static const struct grid_column columns[] = {
        {"RULE", .left = true}, {"PLUGIN", true, 2},        {"STATE", true, 9},
        {"OK/S", .matters = 8}, {"LAG", .matters = 7},      {"WAITING", .matters = 5},
        {"SENT", .matters = 1}, {"RETRYING", .matters = 3}, {"OK", .matters = 4},
        {"DEAD", .matters = 6},
    };
    enum { COLUMNS = sizeof(columns) / sizeof(columns[0]) };
    struct top *top = frame->top;
    struct grid grid = {.columns = columns, .count = COLUMNS};

    top->shown = most < top->rules_count ? most : top->rules_count;
    if (top->first > top->rules_count - top->shown)
        top->first = top->rules_count - top->shown;
    grid.cells = arena_zero(&frame->arena,
                            (top->shown + 1) * COLUMNS * sizeof(struct grid_cell));
    for (; grid.rows < top->shown; grid.rows++)
        fill_rule(frame, &top->rules[top->first + grid.rows], &grid.cells[grid.rows * COLUMNS]);
    draw_grid(frame, &grid, most);
}

/* ---- troubles ---- */

struct troubles {
    struct frame *frame;
    struct grid grid;
    size_t room;
};

enum { TROUBLE_COLUMNS = 3 };

static void add_trouble(void *ctx, const struct status_trouble *trouble)
{
    struct troubles *troubles = ctx;
    struct grid_cell *cell = &troubles->grid.cells[troubles->grid.rows * TROUBLE_COLUMNS];
    bool bad = str_eq(trouble->state, STR("held")) || str_eq(trouble->state, STR("stalled"));
    struct buf words = {0};

    if (troubles->grid.rows == troubles->room)
        return;
    troubles->grid.rows++;
    buf_add_str(&words, trouble->state);
    buf_add_c(&words, trouble->reason.len > 0 ? ": " : "");
    buf_add_str(&words, trouble->reason);
    cell[0] = (struct grid_cell){trouble->who, bad ? TONE_BAD : TONE_WARN};
    cell[1] = (struct grid_cell){
        trouble->since < 0 ? STR("") : duration(troubles->frame, trouble->since), TONE_SOFT};
    cell[2] = (struct grid_cell){arena_str(&troubles->frame->arena, buf_str(&words)),
                                 TONE_PLAIN};
    buf_fini(&words);
}

/* Gathers them before the rules are drawn, so that these know how much room there is. */
static void gather_troubles(struct troubles *troubles, struct frame *frame, size_t most)
{
    static const struct grid_column columns[TROUBLE_COLUMNS] = {
        {"TROUBLE", .left = true}, {"FOR", .matters = 1}, {"REASON", .left = true}};

    *troubles = (struct troubles){
        .frame = frame, .grid = {.columns = columns, .count = TROUBLE_COLUMNS}, .room = most};
    troubles->grid.cells = arena_zero(&frame->arena,
                                      (most + 1) * TROUBLE_COLUMNS * sizeof(struct grid_cell));
    (void)status_troubles(buf_str(&frame->top->document), &frame->arena, add_trouble, troubles);
}

/* ---- the whole ---- */

static void draw_keys(struct frame *frame)
{
    static const char *const sorts[] = {
        [TOP_BY_TROUBLE] = "trouble", [TOP_BY_NAME] = "name",       [TOP_BY_RATE] = "rate",
        [TOP_BY_LAG] = "lag",         [TOP_BY_WAITING] = "waiting", [TOP_BY_LETTERS] = "dead",
    };
    const struct top *top = frame->top;
    struct buf line = {0};

    if (top->rules_count > top->shown && top->shown > 0)
        buf_addf(&line, "%zu-%zu of %zu  ", top->first + 1, top->first + top->shown,
                 top->rules_count);
    buf_addf(&line,
             "by %s%s%s  q quit  t trouble  n name  r rate  l lag  w waiting  d dead  "
             "i invert  p pause",
             sorts[top->sort], top->reverse ? " inverted" : "", top->paused ? "  paused" : "");
    (void)grid_text(frame->out, buf_str(&line), TONE_SOFT, frame->width, frame->colours);
    buf_fini(&line);
}

static void draw_tables(struct frame *frame)
{
    struct troubles troubles;
    size_t lines = frame->left > 0 ? (size_t)frame->left : 0;
    int below;

    if (lines > FEW_LINES) /* else the rules need all of them                             */
        draw_sources(frame, lines / 5);
    gather_troubles(&troubles, frame, lines / 4 > 1 ? lines / 4 : 1);
    below = troubles.grid.rows > 0 ? (int)troubles.grid.rows + 2 : 0;
    frame->left -= below;
    draw_rules(frame, frame->left > 2 ? (size_t)frame->left - 2 : 0);
    frame->left += below;
    draw_grid(frame, &troubles.grid, troubles.room);
}

void top_draw(struct top *top, int width, int height, bool colours, struct buf *out)
{
    struct frame frame = {
        .top = top, .out = out, .width = width, .left = height - 1, .colours = colours};

    arena_init(&frame.arena, 1 << 16);
    if (top->error[0] && frame.left > 0) {
        (void)grid_text(out, str_c(top->error), TONE_BAD, width, colours);
        end_line(&frame);
    }
    if (top->looks > 0) {
        draw_daemon(&frame);
        draw_glance(&frame);
        if (height > 16)
            draw_history(&frame);
        draw_tables(&frame);
    }
    for (; frame.left > 0; frame.left--)
        buf_add_char(out, '\n');
    draw_keys(&frame);
    arena_fini(&frame.arena);
}
