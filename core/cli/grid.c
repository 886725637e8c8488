/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables that fit, see grid.h. Main thread.
 */
#include "cli/grid.h"

#include "json/value.h"

enum { GAP = 2, FIRST_LEAST = 8 };

/* ---- text ---- */

static const char *const sequences[] = {
    [TONE_PLAIN] = "",        [TONE_SOFT] = "\033[2m",  [TONE_BOLD] = "\033[1m",
    [TONE_GOOD] = "\033[32m", [TONE_WARN] = "\033[33m", [TONE_BAD] = "\033[31m",
    [TONE_HEAD] = "\033[7m",
};

/* The bytes of the next character; *ret_safe: a terminal only shows it. U+0080 to U+009F are
 * control characters too. Wide ones count as one. */
static size_t next_character(tr_str text, bool *ret_safe)
{
    size_t len = json_utf8_length(text.ptr, text.ptr + text.len);
    unsigned char first = (unsigned char)text.ptr[0];

    *ret_safe = len > 0 && first >= 0x20 && first != 0x7f &&
                !(first == 0xc2 && (unsigned char)text.ptr[1] < 0xa0);
    return len > 0 ? len : 1;
}

static int count_characters(tr_str text)
{
    bool safe;
    int n = 0;

    for (; text.len > 0; n++)
        text = str_from(text, next_character(text, &safe));
    return n;
}

int grid_text(struct buf *out, tr_str text, enum tone tone, int width, bool colours)
{
    int all = count_characters(text), n = 0;
    bool safe, cut = all > width;

    if (width <= 0)
        return 0;
    if (colours)
        buf_add_c(out, sequences[tone]);
    for (; n < (cut ? width - 1 : all); n++) {
        size_t len = next_character(text, &safe);
        if (safe)
            buf_add(out, text.ptr, len);
        else
            buf_add_char(out, '?');
        text = str_from(text, len);
    }
    if (cut)
        buf_add_c(out, "…");
    if (colours && tone != TONE_PLAIN)
        buf_add_c(out, "\033[m");
    return n + cut;
}

/* ---- widths ---- */

struct layout {
    int widths[GRID_COLUMNS]; /* 0: left out                                                */
    int sum;                  /* with the gaps                                              */
};

static void measure(const struct grid *grid, struct layout *layout)
{
    layout->sum = -GAP;
    for (size_t i = 0; i < grid->count; i++) {
        int most = count_characters(str_c(grid->columns[i].head));
        for (size_t row = 0; row < grid->rows; row++) {
            int own = count_characters(grid->cells[row * grid->count + i].text);
            most = own > most ? own : most;
        }
        layout->widths[i] = most > 0 ? most : 1;
        layout->sum += layout->widths[i] + GAP;
    }
}

/* False: none is left that may go. */
static bool leave_one_out(const struct grid *grid, struct layout *layout)
{
    size_t least = grid->count;

    for (size_t i = 0; i < grid->count; i++)
        if (layout->widths[i] > 0 && grid->columns[i].matters > 0 &&
            (least == grid->count || grid->columns[i].matters < grid->columns[least].matters))
            least = i;
    if (least == grid->count)
        return false;
    layout->sum -= layout->widths[least] + GAP;
    layout->widths[least] = 0;
    return true;
}

/* Takes up to `most` of what is too much from a column. */
static void cut(struct layout *layout, size_t column, int width, int most)
{
    int over = layout->sum - width;

    over = over < most ? over : most;
    if (over <= 0)
        return;
    layout->widths[column] -= over;
    layout->sum -= over;
}

/* A first column that is long gives up to half of it before another column goes. A last one
 * that is text and always there, such as a reason, gives before that what is beyond half of the
 * line. */
static void fit(const struct grid *grid, struct layout *layout, int width)
{
    size_t last = grid->count - 1;
    int least = layout->widths[0] / 2 > FIRST_LEAST ? layout->widths[0] / 2 : FIRST_LEAST;

    if (last > 0 && grid->columns[last].matters == 0)
        cut(layout, last, width, layout->widths[last] - width / 2);
    while (layout->sum - width > layout->widths[0] - least && leave_one_out(grid, layout))
        ;
    cut(layout, 0, width, layout->widths[0] - 1);
    for (; layout->sum > width && last > 0; last--) { /* hardly a terminal                 */
        layout->sum -= layout->widths[last] > 0 ? layout->widths[last] + GAP : 0;
        layout->widths[last] = 0;
    }
}

/* ---- lines ---- */

static void pad(struct buf *out, int count)
{
    for (; count > 0; count--)
        buf_add_char(out, ' ');
}

static void draw_row(const struct grid *grid, const struct layout *layout,
                     const struct grid_cell *cells, struct buf *out)
{
    int owed = 0;

    for (size_t i = 0; i < grid->count; i++) {
        int width = layout->widths[i], own = count_characters(cells[i].text);
        if (width == 0)
            continue;
        own = own < width ? own : width;
        pad(out, owed + (grid->columns[i].left ? 0 : width - own));
        (void)grid_text(out, cells[i].text, cells[i].tone, width, grid->colours);
        owed = GAP + (grid->columns[i].left ? width - own : 0);
    }
    buf_add_char(out, '\n');
}

void grid_draw(const struct grid *grid, int width, struct buf *out)
{
    struct grid_cell heads[GRID_COLUMNS];
    struct layout layout = {.sum = 0};

    measure(grid, &layout);
    fit(grid, &layout, width);
    for (size_t i = 0; i < grid->count; i++)
        heads[i] = (struct grid_cell){str_c(grid->columns[i].head), TONE_SOFT};
    draw_row(grid, &layout, heads, out);
    for (size_t row = 0; row < grid->rows; row++)
        draw_row(grid, &layout, &grid->cells[row * grid->count], out);
}
