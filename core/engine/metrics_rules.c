/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metrics of rules, and their sums for each plugin. Loop thread.
 *
 * A rule has series of its own if there was room for them when it was made, and keeps them. The
 * rest are one row, "other". What a rule has counted until it ends stays in the sums that it
 * was part of: a counter that falls would be taken for one that began anew.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "engine/metrics.h"
#include "engine/tally.h"
#include "observe/metrics.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

struct rule_row {
    struct buf labels;
    double received, repeated, filtered, delivered, retried, dead, skipped, batches;
    double held, streams, lag_rows, lag_s, window_rows, window_bytes, in_flight, retrying,
        letters;
    struct binding_times times;
};

#define RULE(name_, kind_, member_, help_)                                                     \
    METRICS_COLUMN(struct rule_row, name_, kind_, member_, help_)

static const struct metrics_column rule_columns[] = {
    RULE("tailrace_rule_changes_received_total", PROM_COUNTER, received,
         "Changes that were read for the rule."),
    RULE("tailrace_rule_changes_repeated_total", PROM_COUNTER, repeated,
         "Of these, those that had come before, as after a rewind of the source."),
    RULE("tailrace_rule_changes_filtered_total", PROM_COUNTER, filtered,
         "Changes that its conditions or transforms left out."),
    RULE("tailrace_rule_changes_delivered_total", PROM_COUNTER, delivered,
         "Changes that its plugin has taken."),
    RULE("tailrace_rule_changes_retried_total", PROM_COUNTER, retried,
         "Changes that were sent again after a failure, each time counted."),
    RULE("tailrace_rule_changes_dead_lettered_total", PROM_COUNTER, dead,
         "Changes that were refused for good and became dead letters."),
    RULE("tailrace_rule_changes_skipped_total", PROM_COUNTER, skipped,
         "Changes that were refused for good and dropped (on_reject = \"skip\")."),
    RULE("tailrace_rule_batches_total", PROM_COUNTER, batches,
         "Batches that its plugin was given."),
    RULE("tailrace_rule_held", PROM_GAUGE, held, "1 while the rule waits for a person."),
    RULE("tailrace_rule_streams", PROM_GAUGE, streams, "Databases that are read for it now."),
    RULE("tailrace_rule_lag_rows", PROM_GAUGE, lag_rows,
         "Changes that are known to wait: read and not settled, or told by the server."),
    RULE("tailrace_rule_lag_seconds", PROM_GAUGE, lag_s,
         "Age of the oldest change that was read and is not settled."),
    RULE("tailrace_rule_window_rows", PROM_GAUGE, window_rows,
         "Changes in its window: read and not settled, or settled behind one that is not."),
    RULE("tailrace_rule_window_bytes", PROM_GAUGE, window_bytes,
         "Memory of those that are not settled."),
    RULE("tailrace_rule_batches_in_flight", PROM_GAUGE, in_flight,
         "Batches that its plugin has in hand."),
    RULE("tailrace_rule_retrying", PROM_GAUGE, retrying,
         "Sequences of changes that wait after a failure."),
    RULE("tailrace_rule_dead_letters", PROM_GAUGE, letters, "Dead letters that are kept."),
};

static const struct metrics_column plugin_columns[] = {
    RULE("tailrace_plugin_rules", PROM_GAUGE, streams, "Rules that use the plugin."),
    RULE("tailrace_plugin_changes_delivered_total", PROM_COUNTER, delivered,
         "Changes that it has taken, for all rules."),
    RULE("tailrace_plugin_changes_retried_total", PROM_COUNTER, retried,
         "Changes that were sent to it again after a failure."),
    RULE("tailrace_plugin_changes_dead_lettered_total", PROM_COUNTER, dead,
         "Changes that became dead letters."),
    RULE("tailrace_plugin_batches_total", PROM_COUNTER, batches, "Batches that it was given."),
    RULE("tailrace_plugin_batches_in_flight", PROM_GAUGE, in_flight,
         "Batches that it has in hand."),
};

static const char BATCHES[] = "tailrace_rule_batch_seconds";
static const char SETTLED[] = "tailrace_rule_settle_seconds";
static const char PLUGIN_BATCHES[] = "tailrace_plugin_batch_seconds";
static const char STATES[] = "tailrace_rules";

void metrics_reserve_rules(struct metrics *metrics)
{
    metrics_reserve_columns(metrics, rule_columns, COUNT(rule_columns));
    metrics_reserve_columns(metrics, plugin_columns, COUNT(plugin_columns));
    metrics_reserve(metrics, BATCHES, PROM_HISTOGRAM);
    metrics_reserve(metrics, SETTLED, PROM_HISTOGRAM);
    metrics_reserve(metrics, PLUGIN_BATCHES, PROM_HISTOGRAM);
    metrics_reserve(metrics, STATES, PROM_GAUGE);
}

/* ---- rules come and go ---- */

/* Counters of rules that have ended. */
struct rule_sums {
    struct rule_row other;
    struct map plugins; /* by name: struct rule_row                                         */
};

static void add_counters(struct rule_row *row, const struct binding *binding)
{
    const struct binding_stats *stats = binding_get_stats(binding);
    const struct binding_times *times = binding_get_times(binding);

    row->received += (double)(stats->received + stats->forgotten); /* it never falls       */
    row->repeated += (double)stats->repeated;
    row->filtered += (double)stats->filtered;
    row->delivered += (double)stats->ok;
    row->retried += (double)stats->retried;
    row->dead += (double)stats->dead;
    row->skipped += (double)stats->skipped;
    row->batches += (double)stats->batches;
    histogram_merge(&row->times.batches, &times->batches);
    histogram_merge(&row->times.settled, &times->settled);
}

static const tr_plugin *plugin_of(const struct running_rule *rule)
{
    return &rule->settings->plugin->descriptor;
}

static struct rule_row *plugin_row(struct map *plugins, const tr_plugin *plugin)
{
    struct rule_row *row = map_get(plugins, str_c(plugin->name));

    if (row)
        return row;
    row = mem_new(struct rule_row);
    prom_label(&row->labels, "plugin", str_c(plugin->name));
    map_set(plugins, str_c(plugin->name), row);
    return row;
}

void engine_metrics_add(struct running_rule *rule)
{
    struct engine *engine = rule->engine;

    rule->is_shown = engine->shown < METRICS_RULES_MAX;
    engine->shown += rule->is_shown;
}

void engine_metrics_remove(struct running_rule *rule)
{
    struct engine *engine = rule->engine;

    if (!engine->ended)
        engine->ended = mem_new(struct rule_sums);
    engine->shown -= rule->is_shown;
    if (!rule->is_shown)
        add_counters(&engine->ended->other, rule->binding);
    add_counters(plugin_row(&engine->ended->plugins, plugin_of(rule)), rule->binding);
}

static void free_plugins(struct map *plugins)
{
    size_t cursor = 0;
    tr_str name;
    void *row;

    while (map_next(plugins, &cursor, &name, &row)) {
        buf_fini(&((struct rule_row *)row)->labels);
        free(row);
    }
    map_fini(plugins);
}

void engine_metrics_free(struct engine *engine)
{
    if (engine->ended)
        free_plugins(&engine->ended->plugins);
    free(engine->ended);
    metrics_free(engine->metrics);
}

/* ---- gathering ---- */

static int64_t letters_of(const struct engine *engine, tr_str rule)
{
    int64_t count = 0, bytes;

    (void)store_dead_letter_count(engine->store, rule, &count, &bytes, NULL);
    return count;
}

static void add_rule(struct rule_row *row, const struct running_rule *rule, bool has_letters)
{
    struct reading reading = reading_of(rule);
    struct binding_lag lag;
    double age_s;

    binding_get_lag(rule->binding, &lag);
    age_s = lag.oldest_ms > 0 ? (double)(clock_ms() - lag.oldest_ms) / 1000 : 0;
    add_counters(row, rule->binding);
    row->held += binding_held(rule->binding) != NULL;
    row->streams += reading.streams;
    row->lag_rows += (double)(lag.rows + reading.pending);
    row->lag_s = age_s > row->lag_s ? age_s : row->lag_s;
    row->window_rows += lag.window_rows;
    row->window_bytes += (double)lag.bytes;
    row->in_flight += lag.in_flight;
    row->retrying += lag.retrying;
    if (has_letters)
        row->letters += (double)letters_of(rule->engine, rule->settings->name);
}

static void label_rule(struct rule_row *row, tr_str rule, tr_str plugin, tr_str source)
{
    prom_label(&row->labels, "rule", rule);
    prom_label(&row->labels, "plugin", plugin);
    prom_label(&row->labels, "source", source);
}

/* Those with series of their own, and "other" behind them if there ever were more; returns how
 * many rows that is. */
static size_t gather_rules(const struct engine *engine, struct rule_row *rows)
{
    struct rule_row other = {.held = 0};
    bool has_letters = letters_of(engine, STR("")) > 0, has_other = false;
    size_t count = 0;

    if (engine->ended)
        other = engine->ended->other;
    has_other = other.received > 0;
    list_each (it, &engine->rules) {
        const struct running_rule *rule = list_entry(it, struct running_rule, link);
        if (rule->is_shown) {
            label_rule(&rows[count], rule->settings->name, str_c(plugin_of(rule)->name),
                       rule->settings->source->name);
            add_rule(&rows[count++], rule, has_letters);
        } else {
            add_rule(&other, rule, has_letters);
            has_other = true;
        }
    }
    if (!has_other)
        return count;
    label_rule(&other, STR("other"), STR("other"), STR("other"));
    rows[count++] = other;
    return count;
}

static void gather_plugins(const struct engine *engine, struct map *plugins)
{
    size_t cursor = 0;
    tr_str name;
    void *ended;

    while (engine->ended && map_next(&engine->ended->plugins, &cursor, &name, &ended)) {
        struct rule_row *row = mem_new(struct rule_row);
        *row = *(const struct rule_row *)ended;
        row->labels = (struct buf){0};
        buf_add_str(&row->labels, buf_str(&((const struct rule_row *)ended)->labels));
        map_set(plugins, name, row);
    }
    list_each (it, &engine->rules) {
        const struct running_rule *rule = list_entry(it, struct running_rule, link);
        struct rule_row *row = plugin_row(plugins, plugin_of(rule));
        struct binding_lag lag;

        binding_get_lag(rule->binding, &lag);
        add_counters(row, rule->binding);
        row->in_flight += lag.in_flight;
        row->streams++;
    }
}

/* ---- writing ---- */

static void write_states(const struct engine *engine, struct buf *out)
{
    static const char *const states[] = {"starting", "running", "held", "draining"};
    double counts[COUNT(states)] = {0};
    struct buf labels = {0};

    list_each (it, &engine->rules) {
        const char *state = tally_state(list_entry(it, struct running_rule, link));
        for (size_t i = 0; i < COUNT(states); i++)
            counts[i] += strcmp(state, states[i]) == 0;
    }
    prom_head(out, STATES, PROM_GAUGE, "Rules by what they do.");
    for (size_t i = 0; i < COUNT(states); i++) {
        buf_clear(&labels);
        prom_label(&labels, "state", str_c(states[i]));
        prom_sample(out, STATES, buf_str(&labels), counts[i]);
    }
    buf_fini(&labels);
}

static void write_times(struct buf *out, const char *name, const char *help, size_t offset,
                        const struct rule_row *rows, size_t count)
{
    if (count > 0)
        prom_head(out, name, PROM_HISTOGRAM, help);
    for (size_t i = 0; i < count; i++)
        histogram_write(
            out, name, buf_str(&rows[i].labels),
            (const struct histogram *)(const void *)((const char *)&rows[i] + offset));
}

static void write_plugins(const struct engine *engine, struct buf *out)
{
    struct map plugins = {0};
    struct rule_row *rows;
    size_t cursor = 0, count = 0;
    tr_str name;
    void *row;

    gather_plugins(engine, &plugins);
    rows = mem_new_array(struct rule_row, plugins.count + 1);
    while (map_next(&plugins, &cursor, &name, &row))
        rows[count++] = *(const struct rule_row *)row;
    metrics_write_columns(out, plugin_columns, COUNT(plugin_columns), rows, count,
                          sizeof(*rows));
    write_times(out, PLUGIN_BATCHES, "From the hand-over of a batch to its outcome.",
                offsetof(struct rule_row, times.batches), rows, count);
    free(rows);
    free_plugins(&plugins);
}

void metrics_write_rules(const struct engine *engine, struct buf *out)
{
    struct rule_row *rows = mem_new_array(struct rule_row, (size_t)engine->shown + 1);
    size_t count = gather_rules(engine, rows);

    write_states(engine, out);
    metrics_write_columns(out, rule_columns, COUNT(rule_columns), rows, count, sizeof(*rows));
    write_times(out, BATCHES, "From the hand-over of a batch to its outcome.",
                offsetof(struct rule_row, times.batches), rows, count);
    write_times(out, SETTLED, "From when a change was read until it was settled.",
                offsetof(struct rule_row, times.settled), rows, count);
    for (size_t i = 0; i < count; i++)
        buf_fini(&rows[i].labels);
    free(rows);
    write_plugins(engine, out);
}
