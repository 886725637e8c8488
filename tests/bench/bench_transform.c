/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast documents go through a rule's transforms: pick, omit, rename, each alone and all
 * three in a chain, by the code that a daemon runs (plugin/chain.c) and on one thread.
 *
 *     bench_transform PLUGIN_DIR [MB [rounds]]
 *
 * Rows with documents of 1 KB are made and scanned before the clock starts, and go round until
 * so many MB of documents went through. The rates are MB (10^6 bytes) of documents that came
 * in, by CPU time of the thread. The last line is JSON.
 */
#include "base/mem.h"
#include "config/load.h"
#include "plugin/chain.h"
#include "rows.h"
#include "json/row.h"

#include <stdio.h>
#include <time.h>

enum { ROWS = 10000, BATCH = 500 /* the default of batch.size */, LINKS_MAX = 3 };

static const char *const names[] = {"pick", "omit", "rename", "all three"};

/* The text of a rule's transforms, for each of the names. */
#define PICK                                                                                   \
    "{ plugin = \"pick\"; options: { fields = [ \"type\", \"author\", \"created\", "           \
    "\"likes\", \"tags\", \"title\", \"body\", \"places\" ]; }; }"
#define OMIT                                                                                   \
    "{ plugin = \"omit\"; options: { fields = [ \"author.mail\", \"created\", \"score\" ]; "   \
    "}; }"
#define RENAME                                                                                 \
    "{ plugin = \"rename\"; options: { fields = ( { from = \"title\"; to = \"headline\"; }, "  \
    "{ from = \"author.name\"; to = \"writer.name\"; } ); }; }"

static const char *const texts[] = {
    "transforms = ( " PICK " );",
    "transforms = ( " OMIT " );",
    "transforms = ( " RENAME " );",
    "transforms = ( " PICK ", " OMIT ", " RENAME " );",
};

static void die(const char *what, const char *why)
{
    fprintf(stderr, "bench_transform: %s: %s\n", what, why);
    exit(1);
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- rows ---- */

static tr_change *make_rows(struct arena *arena, size_t *ret_doc_bytes)
{
    tr_change *rows = mem_new_array(tr_change, ROWS);
    uint32_t seed = 1;

    for (unsigned i = 0; i < ROWS; i++) {
        struct json_closing closing;
        struct buf row = {0};
        tr_str text;
        size_t used;

        add_row(&row, &seed, i);
        text = arena_str(arena, buf_str(&row));
        buf_fini(&row);
        if (json_row_scan(text, arena, &rows[i], &closing, &used) != JSON_ROW)
            die("row", "cannot be scanned");
        *ret_doc_bytes += rows[i].doc.len;
    }
    return rows;
}

/* ---- a chain ---- */

struct line {
    struct diags diags;
    struct config *config;
    struct transform_setup setups[LINKS_MAX];
    struct config_values *options[LINKS_MAX];
    uint32_t count;
    struct chain *chain;
};

static void add_link(struct line *line, const struct config_node *entry, const char *dir)
{
    const char *dirs[] = {dir, NULL};
    tr_str name = config_member(entry, STR("plugin"))->text;
    struct transform_setup *setup = &line->setups[line->count];
    struct error error;

    if (plugin_load(name, dirs, &setup->plugin, &error) < 0)
        die(name.ptr, error.text);
    if (config_check(entry, "options", setup->plugin->options, setup->plugin->options_count, 0,
                     &line->diags, &line->options[line->count]) < 0)
        die(name.ptr, "its options are wrong");
    setup->options = line->options[line->count++];
}

static void line_begin(struct line *line, const char *text, const char *dir)
{
    struct instance_setup setup = {.rule = "bench", .transforms = line->setups};
    struct error error;

    *line = (struct line){0};
    diags_init(&line->diags);
    if (config_load_text("bench", str_c(text), &line->diags, &line->config) < 0)
        die("transforms", "the text is wrong");
    config_each (entry, config_member(line->config->root, STR("transforms")))
        add_link(line, entry, dir);
    setup.transforms_count = line->count;
    line->chain = chain_new(&setup);
    if (chain_check(line->chain, &error) < 0 || chain_open(line->chain, NULL, &error) < 0)
        die("transforms", error.text);
}

static void line_end(struct line *line)
{
    chain_close(line->chain, 0);
    chain_free(line->chain);
    for (uint32_t i = 0; i < line->count; i++)
        config_values_free(line->options[i]);
    config_free(line->config);
    diags_fini(&line->diags);
}

/* ---- measuring ---- */

/* Sends one batch through; how many bytes of documents came out of it. */
static size_t pass(struct chain *chain, tr_change *rows)
{
    struct job job = {.batch = {.size = sizeof(tr_batch),
                                .db = STR("bench"),
                                .changes = rows,
                                .count = BATCH,
                                .stride = sizeof(tr_change)}};
    tr_outcome outcome = {.size = sizeof(outcome)};
    size_t bytes = 0;

    if (chain_run(chain, &job, &outcome) != TR_OK || job_seen(&job)->count != BATCH)
        die("chain", "not all documents came through");
    for (uint32_t i = 0; i < BATCH; i++)
        bytes += tr_batch_at(job_seen(&job), i)->doc.len;
    job_fini(&job);
    return bytes;
}

/* The rate in MB/s of so many bytes that go through. */
static double measure(struct chain *chain, tr_change *rows, size_t doc_bytes, double wanted,
                      double *ret_left)
{
    double in = 0, out = 0, start = now();

    while (in < wanted) {
        for (uint32_t i = 0; i < ROWS; i += BATCH)
            out += (double)pass(chain, rows + i);
        in += (double)doc_bytes;
    }
    *ret_left = out / in;
    return in / 1e6 / (now() - start);
}

static double measure_best(int which, const char *dir, tr_change *rows, size_t doc_bytes,
                           double wanted, unsigned rounds)
{
    struct line line;
    double best = 0, left = 0;

    line_begin(&line, texts[which], dir);
    for (unsigned round = 1; round <= rounds; round++) {
        double rate = measure(line.chain, rows, doc_bytes, wanted, &left);

        best = rate > best ? rate : best;
    }
    printf("%-10s %6.0f MB/s, %.2f us a document, %2.0f %% of the bytes are left\n",
           names[which], best, (double)doc_bytes / ROWS / best, left * 100);
    line_end(&line);
    return best;
}

int main(int argc, char **argv)
{
    double mb = argc > 2 ? strtod(argv[2], NULL) : 1000;
    unsigned rounds = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 3;
    struct arena arena;
    tr_change *rows;
    size_t doc_bytes = 0;
    double best[4];

    if (argc < 2 || argc > 4 || mb <= 0 || rounds == 0) {
        fprintf(stderr, "usage: bench_transform PLUGIN_DIR [MB [rounds]]\n");
        return 64;
    }
    arena_init(&arena, 1 << 20);
    rows = make_rows(&arena, &doc_bytes);
    printf("%d documents of %zu bytes, in batches of %d, until %.0f MB went through\n", ROWS,
           doc_bytes / ROWS, BATCH, mb);
    for (int i = 0; i < 4; i++)
        best[i] = measure_best(i, argv[1], rows, doc_bytes, mb * 1e6, rounds);
    printf("{\"bench\":\"transform\",\"mb\":%.0f,\"rounds\":%u,\"pick_mb_per_s\":%.0f,"
           "\"omit_mb_per_s\":%.0f,\"rename_mb_per_s\":%.0f,\"chain_mb_per_s\":%.0f}\n",
           mb, rounds, best[0], best[1], best[2], best[3]);
    free(rows);
    arena_fini(&arena);
    return 0;
}
