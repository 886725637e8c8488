/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `tailrace verify` found, for people and for programs. Main thread.
 */
#include "cli/cmd_verify.h"
#include "cli/print.h"
#include "json/value.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const words[VERIFY_KINDS] = {
    [VERIFY_MISSING] = "missing",
    [VERIFY_EXTRA] = "extra",
    [VERIFY_DIFFERENT] = "different",
};

/* ---- for people ---- */

static bool has_rev(tr_str revs, tr_str raw)
{
    size_t cursor = 0;
    tr_str key, leaf, rev;

    while (json_next(revs, &cursor, &key, &leaf))
        if (json_get(leaf, STR("rev"), &rev) && str_eq(rev, raw))
            return true;
    return false;
}

/* The leaves that only this end has. */
static void add_revs(struct table *table, const struct verify_difference *it, int end)
{
    tr_str revs = it->at[end].revs, others = it->at[1 - end].revs, key, leaf, rev;
    struct buf text = {0};
    size_t cursor = 0;

    while (json_next(revs, &cursor, &key, &leaf))
        if (json_get(leaf, STR("rev"), &rev) && rev.len >= 2 && !has_rev(others, rev))
            buf_addf(&text, "%s" STR_FMT, text.len > 0 ? " " : "", (int)rev.len - 2,
                     rev.ptr + 1);
    if (it->at[end].deleted)
        buf_addf(&text, "%s(deleted)", text.len > 0 ? " " : "");
    table_add(table, text.len > 0 ? buf_str(&text) : STR("-"));
    buf_fini(&text);
}

static void add_row(struct table *table, const struct verify *verify,
                    const struct verify_pair *pair, const struct verify_difference *it)
{
    if (verify->all)
        table_add(table, pair->db[REMOTE_SOURCE]);
    table_add(table, it ? str_c(words[it->kind]) : STR("no database"));
    table_add(table, it ? it->id : STR(""));
    for (int end = 0; end < REMOTES; end++) {
        if (it)
            add_revs(table, it, end);
        else
            table_add(table, STR(""));
    }
}

static void print_table(const struct verify *verify)
{
    struct table table = {
        .columns = verify->all ? 5 : 4,
        .heads = {"DATABASE", "DIFFERENCE", "ID", "ONLY AT SOURCE", "ONLY AT TARGET"},
    };

    if (!verify->all)
        memmove(table.heads, table.heads + 1, 4 * sizeof(table.heads[0]));
    for (size_t i = 0; i < verify->count; i++) {
        const struct verify_pair *pair = &verify->pairs[i];
        if (verify_result_of(pair, verify->all) == VERIFY_NO_DATABASE)
            add_row(&table, verify, pair, NULL);
        for (size_t d = 0; d < pair->differences_count; d++)
            add_row(&table, verify, pair, &pair->differences[d]);
    }
    table_print(&table);
}

struct sums {
    struct verify_counts counts;
    size_t listed, databases, no_database, failed;
    uint64_t differing;
};

static struct sums sum_up(const struct verify *verify)
{
    struct sums sums = {.databases = verify->count};

    for (size_t i = 0; i < verify->count; i++) {
        const struct verify_pair *pair = &verify->pairs[i];
        const struct verify_counts *counts = &pair->counts;
        enum verify_result result = verify_result_of(pair, verify->all);

        sums.no_database += result == VERIFY_NO_DATABASE;
        sums.failed += result == VERIFY_FAILED;
        if (result != VERIFY_EQUAL && result != VERIFY_DIFFERS)
            continue;
        for (int end = 0; end < REMOTES; end++) {
            sums.counts.documents[end] += counts->documents[end];
            sums.counts.deleted[end] += counts->deleted[end];
        }
        for (int kind = 0; kind < VERIFY_KINDS; kind++)
            sums.counts.kinds[kind] += counts->kinds[kind];
        sums.counts.changing += counts->changing;
        sums.differing += verify_pair_differing(pair);
        sums.listed += pair->differences_count;
    }
    return sums;
}

static void print_sums(const struct verify *verify, const struct sums *sums)
{
    const struct verify_counts *counts = &sums->counts;
    char text[PRINT_COUNT];

    if (verify->all)
        printf("%s", print_count(text, (int64_t)sums->databases, "database"));
    for (int end = 0; end < REMOTES; end++)
        printf("%s%s: %s, %" PRIu64 " deleted", end > 0 || verify->all ? "; " : "",
               remote_words[end],
               print_count(text, (int64_t)counts->documents[end], "document"),
               counts->deleted[end]);
    putchar('\n');
    if (sums->differing == 0)
        printf("no difference");
    else
        printf("%s: %" PRIu64 " missing, %" PRIu64 " extra, %" PRIu64 " different",
               print_count(text, (int64_t)sums->differing, "difference"),
               counts->kinds[VERIFY_MISSING], counts->kinds[VERIFY_EXTRA],
               counts->kinds[VERIFY_DIFFERENT]);
    if (sums->listed < sums->differing)
        printf("; %" PRIu64 " of them not listed (--limit)", sums->differing - sums->listed);
    if (counts->changing > 0)
        printf("; %s that differ are just being written",
               print_count(text, (int64_t)counts->changing, "document"));
    putchar('\n');
}

void verify_show_text(const struct verify *verify)
{
    struct sums sums = sum_up(verify);
    char text[PRINT_COUNT];

    print_table(verify);
    print_sums(verify, &sums);
    if (sums.no_database > 0)
        printf("%s not at the target\n",
               print_count(text, (int64_t)sums.no_database, "database"));
    if (sums.failed > 0)
        printf("%s could not be compared\n",
               print_count(text, (int64_t)sums.failed, "database"));
    if (verify->extra > 0)
        printf("%s at the target only, and not looked at\n",
               print_count(text, (int64_t)verify->extra, "database"));
}

/* ---- for programs ---- */

static void add_counts(struct buf *out, const struct verify_counts *counts)
{
    json_begin(out, "documents", '{');
    for (int end = 0; end < REMOTES; end++)
        json_num(out, remote_words[end], (int64_t)counts->documents[end]);
    json_end(out, '}');
    json_begin(out, "deleted", '{');
    for (int end = 0; end < REMOTES; end++)
        json_num(out, remote_words[end], (int64_t)counts->deleted[end]);
    json_end(out, '}');
    for (int kind = 0; kind < VERIFY_KINDS; kind++)
        json_num(out, words[kind], (int64_t)counts->kinds[kind]);
    json_num(out, "changing", (int64_t)counts->changing);
}

static void add_end(struct buf *out, const struct verify_difference *it, int end)
{
    size_t cursor = 0;
    tr_str key, leaf, rev;

    if (!it->at[end].there) {
        json_raw(out, remote_words[end], STR("null"));
        return;
    }
    json_begin(out, remote_words[end], '{');
    json_bool(out, "deleted", it->at[end].deleted);
    json_begin(out, "revs", '[');
    while (json_next(it->at[end].revs, &cursor, &key, &leaf))
        if (json_get(leaf, STR("rev"), &rev))
            json_raw(out, NULL, rev);
    json_end(out, ']');
    json_end(out, '}');
}

static void add_differences(struct buf *out, const struct verify_pair *pair)
{
    json_begin(out, "differences", '[');
    for (size_t i = 0; i < pair->differences_count; i++) {
        const struct verify_difference *it = &pair->differences[i];
        json_begin(out, NULL, '{');
        json_str(out, "id", it->id);
        json_str(out, "kind", str_c(words[it->kind]));
        for (int end = 0; end < REMOTES; end++)
            add_end(out, it, end);
        json_end(out, '}');
    }
    json_end(out, ']');
    json_num(out, "differences_more",
             (int64_t)(verify_pair_differing(pair) - pair->differences_count));
}

static void add_pair(struct buf *out, const struct verify *verify,
                     const struct verify_pair *pair)
{
    static const char *const results[] = {
        [VERIFY_EQUAL] = "equal",
        [VERIFY_DIFFERS] = "different",
        [VERIFY_NO_DATABASE] = "no database",
        [VERIFY_FAILED] = "failed",
    };
    enum verify_result result = verify_result_of(pair, verify->all);

    json_begin(out, NULL, '{');
    for (int end = 0; end < REMOTES; end++)
        json_str(out, remote_words[end], pair->db[end]);
    json_str(out, "result", str_c(results[result]));
    if (result == VERIFY_FAILED)
        json_str(out, "error", str_c(pair->error.text));
    if (result == VERIFY_EQUAL || result == VERIFY_DIFFERS) {
        add_counts(out, &pair->counts);
        add_differences(out, pair);
    }
    json_end(out, '}');
}

void verify_show_json(const struct verify *verify)
{
    struct sums sums = sum_up(verify);
    struct buf out = {0};

    json_begin(&out, NULL, '{');
    json_num(&out, "format", 1);
    for (int end = 0; end < REMOTES; end++)
        json_str(&out, remote_words[end], buf_str(&verify->remotes.ends[end].shown));
    json_bool(&out, "equal", sums.differing + sums.no_database + sums.failed == 0);
    add_counts(&out, &sums.counts);
    if (verify->all)
        json_num(&out, "databases_extra", (int64_t)verify->extra);
    json_begin(&out, "databases", '[');
    for (size_t i = 0; i < verify->count; i++)
        add_pair(&out, verify, &verify->pairs[i]);
    json_end(&out, ']');
    json_end(&out, '}');
    print_json(&out);
    buf_fini(&out);
}
