/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metrics of sources. Loop thread.
 *
 * During a reload there may be two sources of one name, the old one on its way out: they are
 * added up.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "engine/metrics.h"
#include "engine/tally.h"
#include "observe/metrics.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

struct source_row {
    struct buf labels;
    tr_str name;
    double up, live, rows, row_bytes, body_bytes, feeds, failures, databases, pending, oldest_s,
        running, waiting, most, swept_s;
    double by_state[6], by_result[5];
};

#define SOURCE(name_, kind_, member_, help_)                                                   \
    METRICS_COLUMN(struct source_row, name_, kind_, member_, help_)

static const struct metrics_column columns[] = {
    SOURCE("tailrace_source_up", PROM_GAUGE, up,
           "1 while it answers and its databases are known."),
    SOURCE("tailrace_source_rows_total", PROM_COUNTER, rows, "Rows that were read."),
    SOURCE("tailrace_source_row_bytes_total", PROM_COUNTER, row_bytes, "Bytes of these rows."),
    SOURCE("tailrace_source_received_bytes_total", PROM_COUNTER, body_bytes,
           "Bytes of all answers' bodies."),
    SOURCE("tailrace_source_feeds", PROM_GAUGE, feeds, "Continuous feeds."),
    SOURCE("tailrace_source_feed_failures_total", PROM_COUNTER, failures,
           "Feeds that broke, were refused or met no server; each is connected again."),
    SOURCE("tailrace_source_connections", PROM_GAUGE, running, "Requests under way."),
    SOURCE("tailrace_source_connections_waiting", PROM_GAUGE, waiting,
           "Requests that wait for a connection."),
    SOURCE("tailrace_source_connections_max", PROM_GAUGE, most, "max_connections."),
    SOURCE("tailrace_source_updates_live", PROM_GAUGE, live,
           "1 while the server tells which databases change (_db_updates)."),
    SOURCE("tailrace_source_swept_seconds", PROM_GAUGE, swept_s,
           "How long ago a sweep over all databases ended; 0: none has yet."),
    SOURCE("tailrace_source_pending_rows", PROM_GAUGE, pending,
           "Rows that the server says are still to be read, counted once for each rule."),
    SOURCE("tailrace_source_oldest_change_seconds", PROM_GAUGE, oldest_s,
           "Age of the oldest change that was read and that some rule has not settled."),
};

static const char DATABASES[] = "tailrace_source_databases";
static const char REQUESTS[] = "tailrace_source_requests_total";
static const char *const states[] = {"hot", "reading", "waiting", "idle", "missing", "queued"};
static const char *const results[] = {"2xx", "3xx", "4xx", "5xx", "failed"};

void metrics_reserve_sources(struct metrics *metrics)
{
    metrics_reserve_columns(metrics, columns, COUNT(columns));
    metrics_reserve(metrics, DATABASES, PROM_GAUGE);
    metrics_reserve(metrics, REQUESTS, PROM_COUNTER);
}

/* ---- one source ---- */

static void add_databases(struct source_row *row, const struct source *source)
{
    struct tally tally = {0};
    size_t cursor = 0;
    tr_str name;
    void *value;

    while (map_next(&source->databases, &cursor, &name, &value))
        tally_database(&tally, value);
    row->by_state[0] += tally.hot;
    row->by_state[1] += tally.reading;
    row->by_state[2] += tally.waiting;
    row->by_state[3] += tally.idle;
    row->by_state[4] += tally.missing;
    row->by_state[5] += tally.queued;
}

static void add_connections(struct source_row *row, const struct source *source)
{
    const struct http_stats *stats;

    if (!source->pool)
        return;
    stats = http_pool_stats(source->pool);
    row->running += http_pool_running(source->pool);
    row->waiting += http_pool_waiting(source->pool);
    row->most += (double)source->settings->max_connections;
    row->body_bytes += (double)stats->body_bytes;
    for (uint32_t i = 0; i < 4; i++)
        row->by_result[i] += (double)stats->answered[i + 2];
    row->by_result[4] += (double)stats->failed;
}

static void add_lag(struct source_row *row, const struct source *source)
{
    list_each (it, &source->rules) {
        const struct running_rule *rule = list_entry(it, struct running_rule, in_source);
        struct binding_lag lag;
        double age_s;

        binding_get_lag(rule->binding, &lag);
        age_s = lag.oldest_ms > 0 ? (double)(clock_ms() - lag.oldest_ms) / 1000 : 0;
        if (age_s > row->oldest_s)
            row->oldest_s = age_s;
        row->pending += (double)reading_of(rule).pending;
    }
}

static void add_source(struct source_row *row, const struct source *source)
{
    row->up += tally_unreached(source) == NULL;
    row->live += news_are_live(source);
    row->rows += (double)source->rows;
    row->row_bytes += (double)source->row_bytes;
    row->feeds += source->live_feeds;
    row->failures += (double)source->feed_failures;
    if (source->sweep.ended_ms > 0)
        row->swept_s = (double)(clock_ms() - source->sweep.ended_ms) / 1000;
    add_databases(row, source);
    add_connections(row, source);
    add_lag(row, source);
}

/* ---- all of them ---- */

static struct source_row *row_of(struct source_row **rows, size_t *count, tr_str name)
{
    struct source_row *row;

    for (size_t i = 0; i < *count; i++)
        if (str_eq((*rows)[i].name, name))
            return &(*rows)[i];
    *rows = mem_resize(*rows, (*count + 1) * sizeof(**rows));
    row = &(*rows)[(*count)++];
    *row = (struct source_row){.name = name};
    prom_label(&row->labels, "source", name);
    return row;
}

/* A family with one more label, whose values are the words. */
static void write_parts(struct buf *out, const char *name, const char *label,
                        const char *const *words, size_t words_count, size_t offset,
                        const struct source_row *rows, size_t count)
{
    struct buf labels = {0};

    for (size_t i = 0; i < count; i++) {
        const double *values = (const double *)(const void *)((const char *)&rows[i] + offset);
        for (size_t k = 0; k < words_count; k++) {
            buf_clear(&labels);
            buf_add_str(&labels, buf_str(&rows[i].labels));
            prom_label(&labels, label, str_c(words[k]));
            prom_sample(out, name, buf_str(&labels), values[k]);
        }
    }
    buf_fini(&labels);
}

void metrics_write_sources(const struct engine *engine, struct buf *out)
{
    struct source_row *rows = NULL;
    size_t count = 0;

    list_each (it, &engine->sources) {
        const struct source *source = list_entry(it, struct source, link);
        add_source(row_of(&rows, &count, source->settings->name), source);
    }
    metrics_write_columns(out, columns, COUNT(columns), rows, count, sizeof(*rows));
    if (count > 0) {
        prom_head(out, DATABASES, PROM_GAUGE, "Databases by what is done with them.");
        write_parts(out, DATABASES, "state", states, COUNT(states),
                    offsetof(struct source_row, by_state), rows, count);
        prom_head(out, REQUESTS, PROM_COUNTER, "Requests by how they ended.");
        write_parts(out, REQUESTS, "result", results, COUNT(results),
                    offsetof(struct source_row, by_result), rows, count);
    }
    for (size_t i = 0; i < count; i++)
        buf_fini(&rows[i].labels);
    free(rows);
}
