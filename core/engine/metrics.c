/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metrics of the daemon as a whole: what it is, its store, its configuration; and the order
 * in which all of them are written. Called by the admin endpoint, on the loop thread.
 */
#include "engine/metrics.h"

#include "base/clock.h"
#include "base/mem.h"
#include "engine/document_rules.h"
#include "observe/metrics.h"

#include <stdio.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* ---- families that are columns ---- */

void metrics_write_columns(struct buf *out, const struct metrics_column *columns, size_t count,
                           const void *rows, size_t rows_count, size_t stride)
{
    for (size_t i = 0; i < count && rows_count > 0; i++) {
        prom_head(out, columns[i].name, columns[i].kind, columns[i].help);
        for (size_t k = 0; k < rows_count; k++) {
            const char *row = (const char *)rows + k * stride;
            double value;

            memcpy(&value, row + columns[i].offset, sizeof(value));
            prom_sample(out, columns[i].name, buf_str((const struct buf *)(const void *)row),
                        value);
        }
    }
}

/* ---- the daemon ---- */

struct daemon_row {
    struct buf labels;
    double one, stopping, reloads, refused, stalled, stalled_s, commits, letters, letters_bytes,
        metrics, metrics_s;
};

#define DAEMON(name_, kind_, member_, help_)                                                   \
    METRICS_COLUMN(struct daemon_row, name_, kind_, member_, help_)

static const struct metrics_column build_columns[] = {
    DAEMON("tailrace_build_info", PROM_GAUGE, one,
           "Always 1; the version of tailrace and of its plugin ABI."),
};

static const struct metrics_column daemon_columns[] = {
    DAEMON("tailrace_stopping", PROM_GAUGE, stopping,
           "1 while the daemon drains, to end then."),
    DAEMON("tailrace_config_reloads_total", PROM_COUNTER, reloads,
           "Times that the configuration was loaded again and taken."),
    DAEMON("tailrace_config_reloads_refused_total", PROM_COUNTER, refused,
           "Times that it was wrong, and the old one stayed in force."),
    DAEMON("tailrace_store_stalled", PROM_GAUGE, stalled,
           "1 while the store cannot write, as on a full disk."),
    DAEMON("tailrace_store_stalled_seconds", PROM_GAUGE, stalled_s,
           "How long it has not been able to; 0 when it is."),
    DAEMON("tailrace_store_commits_total", PROM_COUNTER, commits,
           "Commits of rules that became durable."),
    DAEMON("tailrace_store_dead_letters", PROM_GAUGE, letters, "Dead letters that are kept."),
    DAEMON("tailrace_store_dead_letters_bytes", PROM_GAUGE, letters_bytes, "Their bytes."),
    DAEMON("tailrace_metrics_gathered_total", PROM_COUNTER, metrics,
           "Times that these figures were gathered."),
    DAEMON("tailrace_metrics_gather_seconds_total", PROM_COUNTER, metrics_s,
           "What that took of the loop's time."),
};

static const char TRANSACTIONS[] = "tailrace_store_transaction_seconds";

static void write_daemon(const struct engine *engine, struct buf *out)
{
    struct daemon_row row = {.one = 1}, build = {.one = 1};
    struct store_health health;
    char abi[32];
    int64_t letters = 0, bytes = 0;

    store_health(engine->store, &health);
    (void)store_dead_letter_count(engine->store, STR(""), &letters, &bytes, NULL);
    row.stopping = engine->stopping;
    row.reloads = (double)engine->reloads;
    row.refused = (double)engine->reloads_refused;
    row.stalled = health.stalled;
    row.stalled_s = health.stalled ? (double)(clock_ms() - health.stalled_since_ms) / 1000 : 0;
    row.commits = (double)health.commits;
    row.letters = (double)letters;
    row.letters_bytes = (double)bytes;
    row.metrics = (double)engine->gathered;
    row.metrics_s = (double)engine->gathered_us / 1e6;
    snprintf(abi, sizeof(abi), "%d.%d", TR_ABI_MAJOR, TR_ABI_MINOR);
    prom_label(&build.labels, "version", STR(TAILRACE_VERSION));
    prom_label(&build.labels, "abi", str_c(abi));
    metrics_write_columns(out, build_columns, 1, &build, 1, sizeof(build));
    metrics_write_columns(out, daemon_columns, COUNT(daemon_columns), &row, 1, sizeof(row));
    prom_head(out, TRANSACTIONS, PROM_HISTOGRAM,
              "Transactions of the store, each with its fsync; a stall is none.");
    histogram_write(out, TRANSACTIONS, STR(""), &health.times);
    buf_fini(&build.labels);
}

/* ---- rules that are documents ---- */

struct group_row {
    struct buf labels;
    double rules, invalid, live;
};

#define GROUP(name_, member_, help_)                                                           \
    METRICS_COLUMN(struct group_row, name_, PROM_GAUGE, member_, help_)

static const struct metrics_column group_columns[] = {
    GROUP("tailrace_documents_rules", rules, "Rules that documents of the group are."),
    GROUP("tailrace_documents_invalid", invalid, "Documents that are no proper rule."),
    GROUP("tailrace_documents_live", live, "1 while all are known and changes come at once."),
};

struct groups {
    struct group_row *rows;
    size_t count;
};

static void add_group(void *ctx, const struct document_group_status *status)
{
    struct groups *groups = ctx;
    struct group_row *row;

    groups->rows = mem_resize(groups->rows, (groups->count + 1) * sizeof(*groups->rows));
    row = &groups->rows[groups->count++];
    *row = (struct group_row){.rules = (double)status->rules,
                              .invalid = (double)status->invalid,
                              .live = status->state == DOCUMENTS_LIVE};
    prom_label(&row->labels, "group", status->name);
}

static void pass_over(void *ctx, tr_str id, const char *reason)
{
    (void)ctx;
    (void)id;
    (void)reason;
}

static void write_groups(const struct engine *engine, struct buf *out)
{
    struct groups groups = {0};

    document_rules_each(engine, 0, add_group, pass_over, &groups);
    metrics_write_columns(out, group_columns, COUNT(group_columns), groups.rows, groups.count,
                          sizeof(*groups.rows));
    for (size_t i = 0; i < groups.count; i++)
        buf_fini(&groups.rows[i].labels);
    free(groups.rows);
}

/* ---- the whole ---- */

void metrics_reserve_columns(struct metrics *metrics, const struct metrics_column *columns,
                             size_t count)
{
    for (size_t i = 0; i < count; i++)
        metrics_reserve(metrics, columns[i].name, columns[i].kind);
}

struct metrics *engine_metrics_new(void)
{
    struct metrics *metrics = metrics_new();

    metrics_reserve_columns(metrics, build_columns, 1);
    metrics_reserve_columns(metrics, daemon_columns, COUNT(daemon_columns));
    metrics_reserve_columns(metrics, group_columns, COUNT(group_columns));
    metrics_reserve(metrics, TRANSACTIONS, PROM_HISTOGRAM);
    metrics_reserve_sources(metrics);
    metrics_reserve_rules(metrics);
    return metrics;
}

void engine_metrics_write(struct engine *engine, struct buf *out)
{
    int64_t began_us = clock_us();

    write_daemon(engine, out);
    write_groups(engine, out);
    metrics_write_sources(engine, out);
    metrics_write_rules(engine, out);
    metrics_write(engine->metrics, out);
    engine->gathered++;
    engine->gathered_us += clock_us() - began_us;
}
