/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prometheus' text format, see prom.h. Written by the engine on the loop thread, and by the
 * figures of plugins and of the process.
 */
#include "observe/prom.h"

#include "json/value.h"

#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- numbers ---- */

static locale_t plain;

static void make_plain(void)
{
    plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
}

/* What %g prints depends on a locale, which a plugin may set. */
static void add_fraction(struct buf *out, double value)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    char text[32];
    locale_t before;

    pthread_once(&once, make_plain);
    before = uselocale(plain);
    for (int digits = 15; digits <= 17; digits += 2) {
        snprintf(text, sizeof(text), "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    uselocale(before);
    buf_add_c(out, text);
}

static void add_whole(struct buf *out, int64_t number)
{
    char digits[STR_NUMBER];

    if (number < 0)
        buf_add_char(out, '-');
    buf_add_str(out, str_of_number((uint64_t)(number < 0 ? -number : number), digits));
}

void prom_number(struct buf *out, double value)
{
    if (isnan(value))
        buf_add_c(out, "NaN");
    else if (isinf(value))
        buf_add_c(out, value > 0 ? "+Inf" : "-Inf");
    else if (fabs(value) < 1e15 && value == trunc(value))
        add_whole(out, (int64_t)value);
    else
        add_fraction(out, value);
}

/* ---- lines ---- */

void prom_head(struct buf *out, const char *name, enum prom_kind kind, const char *help)
{
    static const char *const words[] = {
        [PROM_COUNTER] = "counter", [PROM_GAUGE] = "gauge", [PROM_HISTOGRAM] = "histogram"};

    buf_addf(out, "# HELP %s ", name);
    for (; *help; help++) {
        if (*help == '\\' || *help == '\n')
            buf_add_c(out, *help == '\n' ? "\\n" : "\\\\");
        else
            buf_add_char(out, *help);
    }
    buf_addf(out, "\n# TYPE %s %s\n", name, words[kind]);
}

void prom_label(struct buf *labels, const char *key, tr_str value)
{
    const char *at = value.ptr, *end = at + value.len;

    if (labels->len > 0)
        buf_add_char(labels, ',');
    buf_addf(labels, "%s=\"", key);
    while (value.len > 0 && at < end) {
        size_t len = json_utf8_length(at, end);

        if (*at == '\n')
            buf_add_c(labels, "\\n");
        else if (*at == '"' || *at == '\\')
            buf_add(labels, (char[]){'\\', *at}, 2);
        else if (len == 0)
            buf_add_c(labels, "\xef\xbf\xbd");
        else
            buf_add(labels, at, len);
        at += len > 0 ? len : 1;
    }
    buf_add_char(labels, '"');
}

static void begin_line(struct buf *out, const char *name, const char *suffix, tr_str labels)
{
    buf_add_c(out, name);
    buf_add_c(out, suffix);
    if (labels.len == 0)
        return;
    buf_add_char(out, '{');
    buf_add_str(out, labels);
    buf_add_char(out, '}');
}

static void end_line(struct buf *out, double value)
{
    buf_add_char(out, ' ');
    prom_number(out, value);
    buf_add_char(out, '\n');
}

void prom_sample(struct buf *out, const char *name, tr_str labels, double value)
{
    begin_line(out, name, "", labels);
    end_line(out, value);
}

static void bucket_line(struct buf *out, const char *name, tr_str labels, const char *bound,
                        uint64_t sum)
{
    buf_add_c(out, name);
    buf_add_c(out, "_bucket{");
    buf_add_str(out, labels);
    buf_add_c(out, labels.len > 0 ? ",le=\"" : "le=\"");
    buf_add_c(out, bound);
    buf_add_c(out, "\"}");
    end_line(out, (double)sum);
}

void prom_histogram(struct buf *out, const char *name, tr_str labels,
                    const struct prom_bucket *buckets, uint32_t count, uint64_t beyond,
                    double sum)
{
    uint64_t below = 0;

    for (uint32_t i = 0; i < count; i++)
        bucket_line(out, name, labels, buckets[i].bound, below += buckets[i].count);
    below += beyond;
    bucket_line(out, name, labels, "+Inf", below);
    begin_line(out, name, "_sum", labels);
    end_line(out, sum);
    begin_line(out, name, "_count", labels);
    end_line(out, (double)below);
}
