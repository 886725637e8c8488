/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Output of the commands. Main thread.
 */
#include "cli/print.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* ---- lines ---- */

/* The bytes of a control character; 0: it is none. A terminal obeys U+0080 to U+009F as it does
 * the ASCII ones: U+009B is ESC [. */
static size_t control_size(tr_str text)
{
    unsigned char first = (unsigned char)text.ptr[0];

    if (first < 0x20 || first == 0x7f)
        return 1;
    return first == 0xc2 && text.len > 1 && (unsigned char)text.ptr[1] < 0xa0 ? 2 : 0;
}

static void write_clean(FILE *file, tr_str text)
{
    while (text.len > 0) {
        size_t size = control_size(text);
        putc(size > 0 ? '?' : text.ptr[0], file);
        text = str_from(text, size > 0 ? size : 1);
    }
}

void print_error(const char *fmt, ...)
{
    char text[1024];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    fputs("tailrace: ", stderr);
    write_clean(stderr, str_c(text));
    putc('\n', stderr);
}

int print_failure(const struct error *error)
{
    print_error("%s", error->text);
    return error_exit_code(error->code);
}

void print_diags(const struct diags *diags)
{
    struct buf text = {0};

    diags_print(diags, &text);
    if (text.len > 0)
        fwrite(text.ptr, 1, text.len, stderr);
    buf_fini(&text);
}

void print_str(tr_str text)
{
    fwrite(text.ptr, 1, text.len, stdout);
}

void print_clean(tr_str text)
{
    write_clean(stdout, text);
}

void print_json(const struct buf *json)
{
    print_str(buf_str(json));
    putchar('\n');
}

const char *print_count(char text[PRINT_COUNT], int64_t count, const char *noun)
{
    const char *end = str_ends(str_c(noun), STR("ch")) ? "es" : "s";

    snprintf(text, PRINT_COUNT, "%" PRId64 " %s%s", count, noun, count == 1 ? "" : end);
    return text;
}

void print_done(bool as_json, int64_t count, const char *noun, const char *done)
{
    char text[PRINT_COUNT];
    struct buf out = {0};

    if (!as_json) {
        printf("%s %s\n", print_count(text, count, noun), done);
        return;
    }
    json_begin(&out, NULL, '{');
    json_num(&out, done, count);
    json_end(&out, '}');
    print_json(&out);
    buf_fini(&out);
}

/* ---- tables ---- */

/* Where a UTF-8 sequence begins; the others add no width. Wide characters count as one. */
static bool begins_character(char c)
{
    return ((unsigned char)c & 0xc0) != 0x80;
}

static size_t width(tr_str text)
{
    size_t n = 0;

    for (size_t i = 0; i < text.len; i++)
        n += begins_character(text.ptr[i]);
    return n;
}

/* The first `most` characters, the last of them an ellipsis when something was cut. */
static tr_str shorten(struct arena *arena, tr_str text, size_t most)
{
    struct buf cut = {0};
    size_t n = 0, len = 0;
    tr_str kept;

    if (most == 0 || width(text) <= most)
        return arena_str(arena, text);
    while (len < text.len && !(begins_character(text.ptr[len]) && n++ == most - 1))
        len++;
    buf_add(&cut, text.ptr, len);
    buf_add_c(&cut, "…");
    kept = arena_str(arena, buf_str(&cut));
    buf_fini(&cut);
    return kept;
}

void table_add(struct table *table, tr_str text)
{
    if (table->room == 0)
        arena_init(&table->arena, 4096);
    if (table->count == table->room) {
        table->room = table->room ? table->room * 2 : 64;
        table->cells = mem_resize(table->cells, table->room * sizeof(*table->cells));
    }
    table->cells[table->count] = shorten(&table->arena, text,
                                         table->most[table->count % (size_t)table->columns]);
    table->count++;
}

void table_addf(struct table *table, const char *fmt, ...)
{
    char text[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    table_add(table, str_c(text));
}

static void print_row(const struct table *table, const tr_str *cells, const size_t *widths)
{
    int last = table->columns - 1;

    while (last > 0 && cells[last].len == 0)
        last--;
    for (int i = 0; i <= last; i++) {
        int pad = (int)(widths[i] - width(cells[i]));
        printf("%*s", table->right[i] ? pad : 0, "");
        write_clean(stdout, cells[i]);
        if (i < last)
            printf("%*s", (table->right[i] ? 0 : pad) + 2, "");
    }
    putchar('\n');
}

void table_print(struct table *table)
{
    size_t widths[TABLE_COLUMNS];
    tr_str heads[TABLE_COLUMNS];

    if (table->count == 0)
        return;
    for (int i = 0; i < table->columns; i++) {
        heads[i] = str_c(table->heads[i]);
        widths[i] = heads[i].len;
    }
    for (size_t i = 0; i < table->count; i++) {
        size_t *widest = &widths[i % (size_t)table->columns], own = width(table->cells[i]);
        if (own > *widest)
            *widest = own;
    }
    print_row(table, heads, widths);
    for (size_t i = 0; i < table->count; i += (size_t)table->columns)
        print_row(table, table->cells + i, widths);
    table_fini(table);
}

void table_fini(struct table *table)
{
    if (table->room > 0)
        arena_fini(&table->arena);
    free(table->cells);
    table->cells = NULL;
    table->count = table->room = 0;
}
