/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The import's plan for people and for programs, and its progress. Main thread.
 */
#include "cli/cmd_spiegel.h"
#include "cli/print.h"
#include "json/value.h"

#include <stdio.h>
#include <unistd.h>

enum { SEQ_SHOWN = 24, BAR = 32 };

/* ---- the table ---- */

static tr_str seq_shown(tr_str seq)
{
    if (str_eq(seq, STR("0")))
        return STR("beginning");
    return seq.len >= 2 && seq.ptr[0] == '"' ? str_n(seq.ptr + 1, seq.len - 2) : seq;
}

static void add_rule_row(struct table *table, const struct spiegel_rule *rule)
{
    table_add(table, rule->name);
    table_add(table, STR(""));
    table_add(table, STR(""));
    if (rule->databases)
        table_add(table, STR("no database of it exists yet"));
    else
        table_addf(table, "cannot be a rule: %.400s", rule->reason.ptr);
}

void spiegel_show_table(const struct spiegel *spiegel, const struct spiegel_plan *plan)
{
    struct table table = {.columns = 4,
                          .heads = {"RULE", "DATABASE", "BEGINS AT", "WHY"},
                          .most = {[2] = SEQ_SHOWN}};
    size_t at = 0;

    for (size_t rule = 0; rule < spiegel->rules_count; rule++) {
        if (at == plan->places_count || plan->places[at].rule != rule)
            add_rule_row(&table, &spiegel->rules[rule]);
        for (; at < plan->places_count && plan->places[at].rule == rule; at++) {
            const struct spiegel_place *place = &plan->places[at];
            table_add(&table, spiegel->rules[rule].name);
            table_add(&table, plan->databases[place->database].name);
            table_add(&table, place->kept ? STR("") : seq_shown(place->seq));
            table_addf(&table, "%s",
                       place->kept ? "it has a checkpoint already, which stays"
                                   : spiegel_why_text(place->why));
        }
    }
    table_print(&table);
}

/* ---- JSON ---- */

static void add_place(struct buf *out, const struct spiegel_plan *plan,
                      const struct spiegel_place *place)
{
    json_begin(out, NULL, '{');
    json_str(out, "db", plan->databases[place->database].name);
    json_str(out, "stream", place->stream);
    json_str(out, "why", str_c(spiegel_why_word(place->why)));
    json_raw(out, "seq", place->seq);
    json_bool(out, "kept", place->kept);
    json_end(out, '}');
}

void spiegel_show_json(const struct spiegel *spiegel, const struct spiegel_plan *plan,
                       tr_str source, bool dry_run)
{
    struct buf out = {0};
    size_t at = 0;

    json_begin(&out, NULL, '{');
    json_str(&out, "group", spiegel->group->name);
    json_str(&out, "source", source);
    json_str(&out, "database", spiegel->group->database);
    json_bool(&out, "dry_run", dry_run);
    json_bool(&out, "changes_known", plan->changes_known);
    json_begin(&out, "rules", '[');
    for (size_t rule = 0; rule < spiegel->rules_count; rule++) {
        const struct spiegel_rule *it = &spiegel->rules[rule];
        json_begin(&out, NULL, '{');
        json_str(&out, "rule", it->name);
        json_str(&out, "type", it->is_replicator ? STR("replicator") : STR("on_change"));
        json_bool(&out, "valid", it->databases != NULL);
        if (!it->databases)
            json_str(&out, "reason", it->reason);
        json_begin(&out, "checkpoints", '[');
        for (; at < plan->places_count && plan->places[at].rule == rule; at++)
            add_place(&out, plan, &plan->places[at]);
        json_end(&out, ']');
        json_end(&out, '}');
    }
    json_end(&out, ']');
    json_end(&out, '}');
    print_json(&out);
    buf_fini(&out);
}

/* ---- progress ---- */

void spiegel_progress(const char *what, size_t done, size_t total)
{
    int filled = total > 0 ? (int)(done * BAR / total) : BAR;
    char bar[BAR + 1];

    if (!isatty(STDERR_FILENO))
        return;
    memset(bar, '-', BAR);
    memset(bar, '#', (size_t)filled);
    bar[BAR] = '\0';
    fprintf(stderr, "\r%-10s [%s] %zu/%zu%s", what, bar, done, total,
            done >= total ? "\r\033[K" : "");
    fflush(stderr);
}
