/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Diagnostics: collecting and printing. The thread that owns the list calls.
 *
 * The order is made when printing: checks come to a file in several rounds (its syntax, its
 * unknown keys, what is missing), but a person repairs it from top to bottom.
 */
#include "config/diag.h"

#include "base/mem.h"
#include "json/value.h"

#include <stdarg.h>
#include <stdio.h>

void diags_init(struct diags *diags)
{
    *diags = (struct diags){0};
    arena_init(&diags->arena, 4096);
}

void diags_fini(struct diags *diags)
{
    arena_fini(&diags->arena);
    *diags = (struct diags){0};
}

__attribute__((format(printf, 2, 0))) static const char *format(struct diags *diags,
                                                                const char *fmt, va_list args)
{
    char text[1024];
    int n = vsnprintf(text, sizeof(text), fmt, args);
    size_t len = n < 0 ? 0 : (size_t)n;

    if (len >= sizeof(text))
        len = sizeof(text) - 1;
    return arena_cstr(&diags->arena, str_n(text, len));
}

static bool same_file(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* The names of files are kept once; most diagnostics follow one of the same file. */
static void set_file(struct diags *diags, struct diag *diag, const char *file)
{
    if (diags->last && same_file(diags->last->file, file)) {
        diag->file = diags->last->file;
        diag->file_rank = diags->last->file_rank;
        return;
    }
    for (const struct diag *it = diags->first; it; it = it->next) {
        if (same_file(it->file, file)) {
            diag->file = it->file;
            diag->file_rank = it->file_rank;
            return;
        }
    }
    diag->file = file ? arena_cstr(&diags->arena, str_c(file)) : NULL;
    diag->file_rank = diags->files++;
}

__attribute__((format(printf, 6, 0))) static struct diag *add(struct diags *diags,
                                                              enum diag_severity severity,
                                                              const char *file, int line,
                                                              const char *path, const char *fmt,
                                                              va_list args)
{
    struct diag *diag;

    if (severity == DIAG_ERROR)
        diags->errors++;
    else
        diags->warnings++;
    if (diags->count == DIAGS_MAX)
        return &diags->surplus;

    diag = arena_zero(&diags->arena, sizeof(*diag));
    diag->severity = severity;
    set_file(diags, diag, file);
    diag->line = line;
    diag->path = path ? arena_cstr(&diags->arena, str_c(path)) : "";
    diag->message = format(diags, fmt, args);
    diag->remedy = "";
    if (diags->last)
        diags->last->next = diag;
    else
        diags->first = diag;
    diags->last = diag;
    diags->count++;
    return diag;
}

struct diag *diag_add(struct diags *diags, enum diag_severity severity, const char *file,
                      int line, const char *path, const char *fmt, ...)
{
    struct diag *diag;
    va_list args;

    va_start(args, fmt);
    diag = add(diags, severity, file, line, path, fmt, args);
    va_end(args);
    return diag;
}

struct diag *diag_at(struct diags *diags, enum diag_severity severity,
                     const struct config_node *node, const char *fmt, ...)
{
    struct diag *diag;
    va_list args;

    va_start(args, fmt);
    diag = add(diags, severity, node->file, node->line, config_path(node, &diags->arena), fmt,
               args);
    va_end(args);
    return diag;
}

void diag_remedy(struct diags *diags, struct diag *diag, const char *fmt, ...)
{
    va_list args;

    if (diag == &diags->surplus)
        return;
    va_start(args, fmt);
    diag->remedy = format(diags, fmt, args);
    va_end(args);
}

int diag_refuse(struct diags *diags, const struct config_node *node, const char *remedy,
                const char *fmt, ...)
{
    struct diag *diag;
    va_list args;

    va_start(args, fmt);
    diag = add(diags, DIAG_ERROR, node->file, node->line, config_path(node, &diags->arena), fmt,
               args);
    va_end(args);
    diag_remedy(diags, diag, "%s", remedy);
    return ERR_CONFIG;
}

static const char *severity_name(enum diag_severity severity)
{
    return severity == DIAG_ERROR ? "error" : "warning";
}

static bool stands_before(const struct diag *a, const struct diag *b)
{
    return a->file_rank != b->file_rank ? a->file_rank < b->file_rank : a->line < b->line;
}

/* In order of place, stable; free() it. An insertion sort: at most DIAGS_MAX, nearly sorted. */
static const struct diag **sorted(const struct diags *diags)
{
    const struct diag **all = mem_alloc((diags->count + 1) * sizeof(const struct diag *));
    size_t n = 0;

    for (const struct diag *it = diags->first; it; it = it->next) {
        size_t at = n++;
        for (; at > 0 && stands_before(it, all[at - 1]); at--)
            all[at] = all[at - 1];
        all[at] = it;
    }
    return all;
}

/* Texts of files and file names may hold what moves a terminal's cursor. */
static void add_clean(struct buf *out, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        buf_add_char(out, c < 0x20 || c == 0x7f ? '?' : *text);
    }
}

static void print_one(const struct diag *diag, struct buf *out)
{
    if (diag->file) {
        add_clean(out, diag->file);
        if (diag->line > 0)
            buf_addf(out, ":%d", diag->line);
        buf_add_c(out, ": ");
    }
    buf_addf(out, "%s: ", severity_name(diag->severity));
    if (*diag->path) {
        add_clean(out, diag->path);
        buf_add_c(out, ": ");
    }
    add_clean(out, diag->message);
    if (*diag->remedy) {
        buf_add_c(out, "; ");
        add_clean(out, diag->remedy);
    }
    buf_add_char(out, '\n');
}

void diags_print(const struct diags *diags, struct buf *out)
{
    const struct diag **all = sorted(diags);
    size_t found = diags->errors + diags->warnings;

    for (size_t i = 0; i < diags->count; i++)
        print_one(all[i], out);
    if (found > diags->count)
        buf_addf(out, "and %zu more\n", found - diags->count);
    free(all);
}

static void add_field(struct buf *out, const char *name, const char *text)
{
    buf_addf(out, ",\"%s\":", name);
    json_write_string(out, str_c(text));
}

static void json_one(const struct diag *diag, struct buf *out)
{
    buf_addf(out, "{\"severity\":\"%s\"", severity_name(diag->severity));
    if (diag->file)
        add_field(out, "file", diag->file);
    else
        buf_add_c(out, ",\"file\":null");
    buf_addf(out, ",\"line\":%d", diag->line);
    add_field(out, "path", diag->path);
    add_field(out, "message", diag->message);
    add_field(out, "remedy", diag->remedy);
    buf_add_char(out, '}');
}

void diags_json(const struct diags *diags, struct buf *out)
{
    const struct diag **all = sorted(diags);

    buf_add_char(out, '[');
    for (size_t i = 0; i < diags->count; i++) {
        if (i > 0)
            buf_add_char(out, ',');
        json_one(all[i], out);
    }
    buf_add_char(out, ']');
    free(all);
}
