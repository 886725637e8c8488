/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast rows are scanned: makes a continuous feed in memory as CouchDB writes it, with
 * documents of about 1 KB, then finds each line and scans it, as a feed does.
 *
 *     bench_scan [rows [rounds]]
 *
 * Prints each round and the fastest of them, then one line of JSON. One thread, no input, no
 * files.
 */
#include "rows.h"
#include "json/row.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Scans all lines. How many of them were rows with a document. */
static size_t scan(tr_str feed, struct arena *arena)
{
    const char *at = feed.ptr, *end = at + feed.len, *line_end;
    size_t rows = 0, used;

    for (; at < end && (line_end = memchr(at, '\n', (size_t)(end - at))); at = line_end + 1) {
        tr_change change;
        struct json_closing closing;
        tr_str line = str_n(at, (size_t)(line_end - at));

        if (json_row_scan(line, arena, &change, &closing, &used) == JSON_ROW &&
            used == line.len && change.flags & TR_CHANGE_HAS_DOC && change.rev.len > 32)
            rows++;
    }
    return rows;
}

int main(int argc, char **argv)
{
    unsigned rows = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 100000;
    unsigned rounds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 10;
    struct buf feed = {0};
    struct arena arena;
    uint32_t seed = 1;
    double best = 0;

    if (rows == 0 || rounds == 0 || argc > 3) {
        fprintf(stderr, "usage: bench_scan [rows [rounds]], both at least 1\n");
        return 64;
    }
    arena_init(&arena, 1 << 16);
    for (unsigned i = 0; i < rows; i++)
        add_row(&feed, &seed, i);
    printf("%u rows, %zu bytes, %zu a row\n", rows, feed.len, feed.len / rows);
    for (unsigned round = 1; round <= rounds; round++) {
        uint64_t start = now_ns();
        size_t seen = scan(buf_str(&feed), &arena);
        double rate = (double)feed.len / (double)(now_ns() - start);

        if (seen != rows) {
            fprintf(stderr, "only %zu of %u rows were read: the scanner is wrong\n", seen,
                    rows);
            return 1;
        }
        printf("round %u: %.2f GB/s\n", round, rate);
        best = rate > best ? rate : best;
    }
    printf("{\"bench\":\"scan\",\"rows\":%u,\"bytes\":%zu,\"rounds\":%u,\"best_gb_per_s\":%.3f,"
           "\"best_rows_per_s\":%.0f}\n",
           rows, feed.len, rounds, best, best * 1e9 * rows / (double)feed.len);
    arena_fini(&arena);
    buf_fini(&feed);
    return 0;
}
