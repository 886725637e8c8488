/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of a continuous feed as CouchDB writes it, with documents of about 1 KB; the same in
 * every run. For the benchmarks in C.
 */
#ifndef BENCH_ROWS_H
#define BENCH_ROWS_H

#include "base/buf.h"

/* Digits that look random and are the same in every run. */
static inline void add_hex(struct buf *out, uint32_t *seed, int count)
{
    for (int i = 0; i < count; i++) {
        *seed = *seed * 1664525u + 1013904223u;
        buf_add_char(out, "0123456789abcdef"[*seed >> 28]);
    }
}

/* Text with the odd escape, numbers, a list and nested objects: about 1 KB. */
static inline void add_doc(struct buf *out, uint32_t *seed, unsigned i, tr_str rev)
{
    buf_addf(out, "{\"_id\":\"post-%08u\",\"_rev\":\"" STR_FMT "\",\"type\":\"post\",", i,
             STR_ARG(rev));
    buf_addf(out, "\"author\":{\"name\":\"Ada %u\",\"mail\":\"ada%u@example.com\"},", i,
             i % 997);
    buf_addf(out, "\"created\":\"2024-03-%02uT08:15:00Z\",\"likes\":%u,\"score\":%u.5,",
             i % 28 + 1, i % 1000, i % 77);
    buf_add_c(out, "\"tags\":[\"couch\",\"change\",\"feed\"],\"public\":true,\"parent\":null,"
                   "\"title\":\"On \\\"rows\\\" and what they say\",\"body\":\"");
    for (int line = 0; line < 8; line++) {
        buf_add_c(out, "Nothing is lost that was acknowledged once, ");
        add_hex(out, seed, 24);
        buf_add_c(out, ".\\n");
    }
    buf_add_c(out, "\",\"places\":[");
    for (int place = 0; place < 3; place++)
        buf_addf(out, "%s{\"lat\":%d.25,\"lon\":%d.75}", place ? "," : "", place + 40,
                 place + 9);
    buf_add_c(out, "]}");
}

static inline void add_row(struct buf *out, uint32_t *seed, unsigned i)
{
    struct buf rev = {0};

    buf_addf(&rev, "%u-", i % 9 + 1);
    add_hex(&rev, seed, 32);
    buf_addf(out, "{\"seq\":\"%u-", i + 1);
    add_hex(out, seed, 130);
    buf_addf(out, "\",\"id\":\"post-%08u\",\"changes\":[{\"rev\":\"" STR_FMT "\"}],\"doc\":", i,
             STR_ARG(buf_str(&rev)));
    add_doc(out, seed, i, buf_str(&rev));
    buf_add_c(out, "}\n");
    buf_fini(&rev);
}

#endif
