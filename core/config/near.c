/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "Did you mean …?": edit distance with swaps of neighbours. Any thread.
 */
#include "config/near.h"

enum { WORD_MAX = 64, EDITS_MAX = 2 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Optimal string alignment over three rows; words longer than WORD_MAX are never near. */
static size_t distance(tr_str a, tr_str b)
{
    size_t rows[3][WORD_MAX + 1];

    if (a.len > WORD_MAX || b.len > WORD_MAX)
        return EDITS_MAX + 1;
    for (size_t j = 0; j <= b.len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t change = a.ptr[i - 1] != b.ptr[j - 1];
            row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + change);
            if (i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1])
                row[j] = least(row[j], two_above[j - 2] + 1);
        }
    }
    return rows[a.len % 3][b.len];
}

static bool extends(tr_str word, tr_str name)
{
    return (word.len >= 2 && str_starts(name, word)) ||
           (name.len >= 2 && str_starts(word, name));
}

const char *config_nearest(tr_str word, const char *const *names, size_t count)
{
    const char *best = NULL, *prefix = NULL;
    size_t best_edits = EDITS_MAX + 1;

    for (size_t i = 0; i < count; i++) {
        tr_str name = str_c(names[i]);
        size_t edits;
        if (!names[i])
            continue;
        edits = distance(word, name);
        /* Two edits make any two-letter word of any other. */
        if (edits < best_edits && edits < least(word.len, name.len)) {
            best = names[i];
            best_edits = edits;
        }
        if (!prefix && extends(word, name))
            prefix = names[i];
    }
    return best ? best : prefix;
}
